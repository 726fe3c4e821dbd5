"""Runs in processes: the same numbers as in this one, however many at once, whatever happens to one of them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from sdt.experiments.plan import Job, Plan, Row
from sdt.experiments.workers import Failure, train_runs
from sdt.training.folder import RunFolder
from sdt.training.run import train
from tests.experiments.conftest import MakePlan
from tests.forks import Fork
from tests.training.test_run import assert_same_run, quiet

BROKEN = Row("broken", {"training.learning_rate": 1e38})
EPOCHS = 20
"""Of runs that are interrupted: so many that none ends meanwhile on a busy machine."""


class Notes:
    """Keeps what it is told, and can do something about it."""

    def __init__(self, react: Callable[[Job, Mapping[str, Any]], None] = lambda *_: None) -> None:
        self.told: list[tuple[str, str]] = []
        self.react = react

    def started(self, job: Job) -> None:
        self.told.append((job.name, "started"))

    def event(self, job: Job, event: Mapping[str, Any]) -> None:
        self.told.append((job.name, event["kind"]))
        self.react(job, event)

    def ended(self, job: Job, failure: Failure | None) -> None:
        self.told.append((job.name, "failed" if failure else "finished"))

    def of(self, name: str) -> list[str]:
        return [what for job, what in self.told if job == name and what != "batch"]


def here(plan: Plan, folder: Path) -> None:
    """The runs of a plan without any process, with one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(plan.threads)
    try:
        for job in plan.jobs(folder):
            train(job.recipe, job.folder, display=quiet())
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
def test_a_run_that_fails_or_dies_stops_no_other(make_plan: MakePlan, tmp_path: Path, processes: list[Fork]) -> None:
    rows = (BROKEN, Row("killed", {"training.epochs": 100_000}), Row("bug", {"modalities": ["words"]}), Row("last", {}))
    jobs = list(make_plan(*rows).jobs(tmp_path))

    def kill(job: Job, event: Mapping[str, Any]) -> None:
        if job.row == "killed" and event["kind"] == "epoch" and event["epoch"] == 1:
            processes[-1].send_signal(signal.SIGKILL)
            processes[-1].wait()

    (tmp_path / "bug").write_text("a file where the run's folder should be", encoding="utf-8")
    notes = Notes(kill)
    failures = {failure.job.row: failure for failure in train_runs(jobs, 1, 1, notes)}
    assert failures.keys() == {"broken", "killed", "bug"}
    assert "the loss is nan" in failures["broken"].error or "the gradient's norm" in failures["broken"].error
    assert not failures["broken"].details  # a user's mistake has no traceback
    assert failures["killed"].error == "the process ended with signal 9, possibly out of memory"
    assert "Traceback" in failures["bug"].details
    assert failures["bug"].error.splitlines() == [failures["bug"].error]
    assert notes.of("last/seed-0")[-1] == "finished"
    assert len(processes) == 3  # the first died, the second was given up after the bug


@pytest.mark.slow
def test_interrupted_and_gone_on_with_the_numbers_are_the_same(
    make_plan: MakePlan, tmp_path: Path, processes: list[Fork]
) -> None:
    plan = make_plan(Row("full", {}), Row("small", {"model.width": 8}), epochs=EPOCHS)

    def interrupt(job: Job, event: Mapping[str, Any]) -> None:
        if event["kind"] == "epoch":
            raise KeyboardInterrupt

    jobs = list(plan.jobs(tmp_path / "runs"))
    with pytest.raises(KeyboardInterrupt):
        train_runs(jobs, 2, 1, Notes(interrupt))
    assert len(processes) == 2
    assert all(process.returncode == 0 for process in processes)
    assert not list(tmp_path.rglob(".*"))
    assert any(RunFolder(job.folder).epochs_done for job in jobs)
    assert not all(RunFolder(job.folder).finished for job in jobs)
    notes = Notes()
    assert train_runs(jobs, 1, 1, notes) == []
    here(plan, tmp_path / "here")
    for job in plan.jobs(Path()):
        assert_same_run(tmp_path / "here" / job.folder, tmp_path / "runs" / job.folder)
    assert min(notes.of(job.name).count("epoch") for job in jobs) < EPOCHS  # some were not made again


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the parent is a fork")
def test_workers_do_not_outlive_a_parent_that_was_killed(make_plan: MakePlan, tmp_path: Path) -> None:
    [job] = make_plan(epochs=100_000).jobs(tmp_path)
    reading, writing = os.pipe()
    if (parent := os.fork()) == 0:
        try:
            subprocess.Popen = _telling(writing)  # type: ignore[misc, assignment]
            train_runs([job], 1, 1, Notes(lambda *_: os.kill(os.getpid(), signal.SIGKILL)))
        finally:
            os._exit(1)
    worker = int(os.read(reading, 20))
    assert os.waitstatus_to_exitcode(os.waitpid(parent, 0)[1]) == -signal.SIGKILL
    for _ in range(600):
        if not _is_alive(worker):
            break
        signal.sigtimedwait([], 0.1)
    assert not _is_alive(worker)
    assert not RunFolder(job.folder).finished


def _telling(pipe: int) -> Callable[..., subprocess.Popen[str]]:
    start = subprocess.Popen

    def started(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
        process: subprocess.Popen[str] = start(*arguments, **options)
        os.write(pipe, str(process.pid).encode())
        return process

    return started


def _is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
