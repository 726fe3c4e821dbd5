"""Prediction on a cluster whose workers die; what does not depend on Ray is in tests/prediction/test_clustered.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdt.cluster import work
from sdt.prediction import clustered
from tests.cluster.dying import make_dying_predictor
from tests.cluster.units import ALWAYS, ASKED, killing
from tests.prediction.conftest import talks
from tests.prediction.test_clustered import predicted

__all__ = ["talks"]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]


def test_batches_whose_worker_is_killed_once_or_every_time(
    head: str, talks: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clustered, "make_predictor", make_dying_predictor)
    monkeypatch.setattr(work, "TRIES", 2)
    ALWAYS.write_text("e")
    with killing("c") as killed:
        code, out, err = predicted(capsys, "two.jsonl", "--cluster", head, "--workers", "2")
    assert len(killed) == 1
    assert (code, out) == (1, "")
    assert "sdt: conversation 'c': its worker crashed, possibly because of low memory; restarted\n" in err
    assert err.splitlines()[-1] == (
        "sdt: given up after 2 tries: conversation 'e': its worker crashed, possibly because of low memory; all other "
        "units are complete and stored; run the same command to try again"
    )
    assert "Traceback" not in err
    assert not Path("two.jsonl").exists()
    assert sorted(ASKED.read_text().split()) == ["a", "b", "c", "c", "d", "e", "e"]
    ALWAYS.unlink()
    ASKED.unlink()
    rest = predicted(capsys, "two.jsonl", "--cluster", head)
    assert ASKED.read_text() == "e\n"  # what was done is not done again
    assert rest == predicted(capsys, "one.jsonl")
    assert Path("one.jsonl").read_bytes() == Path("two.jsonl").read_bytes()
    assert not list(talks.glob(".*"))
