"""The hostile requests of the benchmark, and its results."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from benchmarks.hostile_bodies import draw_requests, head, request_kinds
from benchmarks.hostile_requests import KindResult, Measurements, results, show


def test_requests_of_all_kinds_are_reproducible() -> None:
    names = set(request_kinds(random.Random(0), 1000))
    found = list(draw_requests(len(names), 20_000, 3))
    assert {kind for kind, _ in found} == names
    assert found == list(draw_requests(len(names), 20_000, 3))
    assert found != list(draw_requests(len(names), 20_000, 4))
    for kind, request in found:
        assert len(request.body) < 1_000_000, kind
        assert head(request, 80).startswith(b"POST /"), kind
    assert len({request.body for _, request in found}) > 0.8 * len(names)


def test_results(capsys: pytest.CaptureFixture[str]) -> None:
    kinds = {"JSON: a": KindResult(Counter({"422 invalid": 2}), 0.5), "HTTP: b": KindResult(Counter({"cut": 1}), 0.1)}
    measured = Measurements(kinds, [0.001] * 99 + [0.15], 0, (100 * 2**20, 250 * 2**20, 120 * 2**20), 3.0)
    found = results(measured)
    assert found["requests"] == 3
    assert found["healthz"]["milliseconds"]["100"] == pytest.approx(150)
    assert found["bytes"]["most"] == 250 * 2**20
    show(measured, "note")
    shown = capsys.readouterr().out
    assert "2 x 422 invalid" in shown
    assert "100 at the start, maximum 250, 120 at the end" in shown
