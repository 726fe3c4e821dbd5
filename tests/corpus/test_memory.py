"""A corpus of four times the utterances takes no more memory: to import, to open, to train on."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from benchmarks.large_corpus import generate
from benchmarks.memory import MemoryCurve, watch_memory
from sdt.corpus.store import Corpus

SIZES = (5_000, 20_000)
WIDTHS = {"text": 256, "audio": 128}
SLACK = 15 * 2**20
"""Bytes. 15,000 utterances more are 23 MB of features, and as much again as Python objects. Memory is sampled, so the
peak of a short process is a little too low on a busy machine."""
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells mapped memory from the rest"),
]


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Path, MemoryCurve]]:
    """Utterances to the corpus of so many and what its import took."""
    found = {}
    for size in SIZES:
        files = generate(tmp_path_factory.mktemp("files"), size, size // 50, 0, WIDTHS)
        corpus = files.folder / "corpus"
        given = [str(files.utterances), *map(str, files.features.values()), "--normalise=audio=corpus"]
        command = [sys.executable, "-m", "sdt", "corpus", "import", *given, "--normalise=text=conversation"]
        found[size] = corpus, watch_memory([*command, "--output", str(corpus)], ENVIRONMENT)
    return found


def test_the_memory_of_importing_is_flat(imported: dict[int, tuple[Path, MemoryCurve]]) -> None:
    small, large = (imported[size][1].peak for size in SIZES)
    assert large - small < SLACK
    assert "20000 utterances" in imported[SIZES[1]][1].output


def test_the_memory_of_training_is_flat(imported: dict[int, tuple[Path, MemoryCurve]]) -> None:
    steps = [sys.executable, "-m", "benchmarks.large_steps", "train"]
    small, large = (watch_memory([*steps, str(imported[size][0]), "25"], ENVIRONMENT) for size in SIZES)
    assert large.peak - small.peak < SLACK
    assert json.loads(large.output)["steps"] == 25


def test_opening_reads_no_utterance(
    imported: dict[int, tuple[Path, MemoryCurve]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def opening() -> float:
        begun = time.perf_counter()
        assert Corpus.open(imported[SIZES[1]][0]).size == SIZES[1]
        return time.perf_counter() - begun

    monkeypatch.setattr("sdt.corpus.conversations.Conversations.read", None)
    assert min(opening() for _ in range(3)) < 0.2


def test_what_was_imported_in_pieces_is_right(imported: dict[int, tuple[Path, MemoryCurve]]) -> None:
    corpus = Corpus.open(imported[SIZES[0]][0])
    corpus.verify()
    assert {split: len(ids) for split, ids in corpus.splits.items()} == {"train": 98, "dev": 1, "test": 1}
