from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import baselines, features, gains, inference, long, scaling, streaming, switches, training, windows


class InProcessWorker:
    """Replaces `Worker` with calls in this process, because starting processes takes seconds."""

    def __init__(self, _: int, make: Callable[..., object], *arguments: object) -> None:
        self.served = make(*arguments)

    def call(self, method: str, *arguments: object) -> Any:
        return getattr(self.served, method)(*arguments)

    def __enter__(self) -> InProcessWorker:
        return self

    def __exit__(self, *of_error: object) -> None:
        """There is no process to stop."""


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (baselines, features, gains, inference, long, scaling, streaming, switches, training, windows):
        monkeypatch.setattr(module, "Worker", InProcessWorker)
