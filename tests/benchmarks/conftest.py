from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import baselines, features, gains, inference, long, scaling, streaming, switches, training, windows


class Here:
    """Stands in for a worker: the same calls in this process, which saves seconds of starting others."""

    def __init__(self, _: int, make: Callable[..., object], *arguments: object) -> None:
        self.served = make(*arguments)

    def ask(self, method: str, *arguments: object) -> Any:
        return getattr(self.served, method)(*arguments)

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *of_error: object) -> None:
        """Nothing to stop."""


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (baselines, features, gains, inference, long, scaling, streaming, switches, training, windows):
        monkeypatch.setattr(module, "Worker", Here)
