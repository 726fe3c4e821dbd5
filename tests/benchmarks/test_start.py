from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import start
from sdt.corpus.store import Corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    start.make_corpus(tmp_path / "corpus", 5)
    return tmp_path / "corpus"


def test_the_corpus_to_open(corpus: Path) -> None:
    opened = Corpus.open(corpus)
    assert len(opened.conversations) == 5
    opened.verify()


@pytest.mark.parametrize(
    "name", ["import sdt", "sdt --help", "sdt train --help", "sdt predict chat.txt", "open a corpus"]
)
def test_torch_is_imported_only_for_models(name: str, corpus: Path) -> None:
    assert not start.imports_torch(start.commands(corpus)[name])


def test_an_import_of_torch_is_detected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert start.imports_torch([sys.executable, "-c", "import torch"])


def test_every_command_is_timed_in_every_round(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = [sys.executable, "-c"]
    monkeypatch.setattr(start, "commands", lambda _: {"a": [*python, "pass"], "b": [*python, "import json"]})
    found = start.measure(corpus, 2)
    assert [len(taken) for taken in found.values()] == [2, 2]
    written = start.results(found, {"a": False, "b": False})
    assert written["commands"]["a"]["seconds"]["min"] > 0
    assert written["commands"]["a"]["peak_bytes"]["min"] > 2**20
