"""The tiny corpus of the training's tests, and plans of experiments on it."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sdt.experiments import workers
from sdt.experiments.plan import Plan, Row
from sdt.training.settings import Recipe
from tests.forks import Fork, popen
from tests.training.conftest import corpus, recipe

__all__ = ["corpus", "recipe"]

MakePlan = Callable[..., Plan]


@pytest.fixture
def make_plan(recipe: Recipe) -> MakePlan:
    """A plan of some rows; further arguments are the training's settings."""

    def make(*rows: Row, seeds: tuple[int, ...] = (0,), **training: object) -> Plan:
        changed = dataclasses.replace(recipe.training, **{"epochs": 2, **training})  # type: ignore[arg-type]
        return Plan(
            question="Why?",
            recipe=dataclasses.replace(recipe, training=changed),
            rows=rows or (Row("full", {}),),
            seeds=seeds,
            threads=1,
            reference=rows[0].name if len(rows) > 1 else None,
            recipe_file="tiny.yaml",
        )

    return make


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[Fork]:
    """Workers are forks; those that were started."""
    started: list[Fork] = []

    def start(*command: Any, **options: Any) -> Fork:
        started.append(popen(*command, **options))
        return started[-1]

    named = {name: getattr(subprocess, name) for name in ("PIPE", "TimeoutExpired")}
    monkeypatch.setattr(workers, "subprocess", SimpleNamespace(Popen=start, **named))
    return started


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the tiny corpus and `tiny.yaml`, two epochs."""
    from sdt.corpus.builder import write_corpus
    from sdt.training.recipe import dump_recipe
    from tests.training.conftest import make_builder, make_recipe

    write_corpus(make_builder(), tmp_path / "tiny")
    (tmp_path / "tiny.yaml").write_text(dump_recipe(make_recipe(Path("tiny"), epochs=2)), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path
