"""Runs of an experiment on a cluster: the folder and the numbers of `--jobs`."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sdt.__main__ import main
from sdt.cluster.connection import connect_cluster
from sdt.experiments.clustered import train_runs_on_cluster
from sdt.experiments.plan import Job, Row
from tests.experiments.conftest import MakePlan, corpus, make_plan, place, processes, recipe
from tests.experiments.test_workers import EPOCHS, Notes, here
from tests.training.test_run import assert_same_run

__all__ = ["corpus", "make_plan", "place", "processes", "recipe"]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]


@pytest.mark.usefixtures("processes")
def test_the_same_results_as_with_jobs(head: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["experiment", "tiny.yaml", "--grid", "training.learning_rate=3e-3,1e38", "--seeds", "1"]
    assert main([*command, "--output", "one", "--threads", "1"]) == 1
    one = capsys.readouterr()
    assert main([*command, "--output", "two", "--cluster", head, "--workers", "2"]) == 1
    two = capsys.readouterr()
    assert f"two: 2 rows, seeds 1, 2 runs; on the cluster {head}, 1 thread each" in two.out
    assert one.err.replace(" one/", " two/").replace(" in one ", " in two ") == two.err
    assert_same_run(place / "one/learning_rate=0.003/seed-1", place / "two/learning_rate=0.003/seed-1")
    failures = [json.loads((place / run / "failures.json").read_text(encoding="utf-8")) for run in ("one", "two")]
    assert json.dumps(failures[0]).replace(" one/", " two/") == json.dumps(failures[1])
    assert len(failures[0]) == 1
    results = [json.loads((place / run / "results.json").read_text(encoding="utf-8"))["rows"] for run in ("one", "two")]
    assert json.dumps(results[0]).replace("one/", "") == json.dumps(results[1]).replace("two/", "")


def test_a_run_whose_worker_is_killed_goes_on_from_its_checkpoint(
    head: str, make_plan: MakePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = make_plan(Row("killed", {}), epochs=EPOCHS)
    killed: list[int] = []

    def kill(job: Job, event: Mapping[str, Any]) -> None:
        if job.row == "killed" and event["kind"] == "epoch" and event["epoch"] >= 1 and not killed:
            killed.extend(_working())
            for process in killed:
                os.kill(process, signal.SIGKILL)

    notes = Notes(kill)
    [job] = plan.jobs(tmp_path / "runs")
    with connect_cluster(head, workers=1) as cluster:
        assert train_runs_on_cluster(cluster, [job], notes) == []
    assert len(killed) == 1
    assert notes.of("killed/seed-0").count("started") == 1
    assert notes.of("killed/seed-0").count("start") == 2
    assert notes.of("killed/seed-0")[-1] == "finished"
    here(plan, tmp_path / "here")
    assert_same_run(tmp_path / "here/killed/seed-0", job.folder)


def _working() -> list[int]:
    """The processes that have a unit of this test's cluster at this moment: those in the folder of the command."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            serves = process.name.isdecimal() and (process / "cmdline").read_bytes().startswith(b"ray::serve")
            if serves and (process / "cwd").resolve(strict=True) == Path.cwd():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def test_interrupted_and_gone_on_with(
    head: str, make_plan: MakePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = make_plan(epochs=EPOCHS)
    [job] = plan.jobs(tmp_path / "runs")

    def interrupt(_: Job, event: Mapping[str, Any]) -> None:
        if event["kind"] == "epoch":
            raise KeyboardInterrupt

    with connect_cluster(head) as cluster:
        with pytest.raises(KeyboardInterrupt):
            train_runs_on_cluster(cluster, [job], Notes(interrupt))
        assert train_runs_on_cluster(cluster, [job], Notes()) == []
    # A worker that was killed while it wrote leaves a temporary file; the next attempt removes it.
    assert not list(tmp_path.rglob(".*"))
    here(plan, tmp_path / "here")
    assert_same_run(tmp_path / "here/full/seed-0", job.folder)


def test_what_only_one_machine_has(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(place.rglob("*"))
    assert main(["experiment", "tiny.yaml", "--cluster", "127.0.0.1:1", "--jobs", "2"]) == 2
    assert "--jobs: not with --cluster" in capsys.readouterr().err
    assert main(["experiment", "tiny.yaml", "--cluster", "127.0.0.1:1"]) == 2
    assert "no answer" in capsys.readouterr().err
    assert sorted(place.rglob("*")) == before
