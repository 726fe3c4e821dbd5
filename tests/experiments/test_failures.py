"""Why runs failed is written down at once, and struck out when they are tried again."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdt.errors import InputError
from sdt.experiments.failures import FILE, FailureRecorder, read_failures
from sdt.experiments.plan import Row
from sdt.experiments.workers import Failure
from tests.experiments.conftest import MakePlan
from tests.experiments.test_workers import Notes


def test_noted_and_struck_out(make_plan: MakePlan, tmp_path: Path) -> None:
    one, two = make_plan(Row("full", {}), seeds=(0, 1)).jobs(tmp_path)
    heard = Notes()
    notes = FailureRecorder(heard, tmp_path)
    for job in (one, two):
        notes.started(job)
        notes.event(job, {"kind": "epoch"})
    assert not (tmp_path / FILE).exists()
    notes.ended(one, Failure(one, "the loss is nan", "Traceback"))
    notes.ended(two, Failure(two, "the process ended by signal 9"))
    assert read_failures(tmp_path) == {
        "full/seed-0": "the loss is nan",
        "full/seed-1": "the process ended by signal 9",
    }
    notes.started(one)
    assert read_failures(tmp_path) == {"full/seed-1": "the process ended by signal 9"}
    notes.ended(one, None)
    assert list(read_failures(tmp_path)) == ["full/seed-1"]
    assert heard.of("full/seed-0") == ["started", "epoch", "failed", "started", "finished"]


@pytest.mark.parametrize("text", ["{", "[]", '{"full/seed-0": "why"}', '{"full/seed-0": {}}'])
def test_damaged(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"failures\.json: damaged"):
        read_failures(tmp_path)
