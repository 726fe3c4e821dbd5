"""What a run prints where there is no terminal, such as in a log."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from sdt.training.display import EVERY, Display


def test_a_long_epoch_is_seen_in_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten batches of 32 utterances, half a minute each: a line every second one, with the rate and the time left."""
    clock = [100.0]
    monkeypatch.setattr("sdt.training.display.time.perf_counter", lambda: clock[0])
    log = io.StringIO()
    shown = Display(Console(file=log, width=200))
    with shown.running(epochs=1, done=0):
        shown.start_epoch(10)
        for _ in range(10):
            clock[0] += EVERY / 2
            shown.finish_batch(32, loss=0.5)
    lines = [re.findall(r"[\d.]+", line) for line in log.getvalue().splitlines()]
    assert lines == [[str(done), "10", "0.500", "1", f"{(10 - done) / 2:.0f}"] for done in range(2, 11, 2)]
