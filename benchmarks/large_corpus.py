"""Files of a generated corpus of any size: a JSON Lines file of utterances and a matrix for each modality.

The files are written in chunks. Every class has its own feature means, so a model can learn.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numpy.lib.format import open_memmap

from sdt.puppets.emotions import EMOTIONS

WIDTHS = {"text": 64, "audio": 32, "visual": 32}
"""Feature widths; the published ones are 1024, 300 and 342."""
HELD_OUT = 0.01
"""The fraction of the conversations in dev, and in test."""
_WORDS = ("well", "you", "never", "said", "that", "the", "train", "was", "late", "again", "and", "why")
_CHUNK = 500
"""Conversations per chunk."""


@dataclass(frozen=True)
class Files:
    """Paths of the files."""

    folder: Path
    widths: Mapping[str, int]

    @property
    def utterances(self) -> Path:
        """The file of utterances."""
        return self.folder / "utterances.jsonl"

    @property
    def features(self) -> dict[str, Path]:
        """Modality to its matrix."""
        return {name: self.folder / f"{name}.npy" for name in self.widths}


def generate(folder: Path, utterances: int, conversations: int, seed: int, widths: Mapping[str, int] = WIDTHS) -> Files:
    """Write the files; the same seed gives the same files."""
    files, random = Files(folder, widths), np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    centres = {name: random.normal(size=(len(EMOTIONS), width)).astype(np.float32) for name, width in widths.items()}
    matrices = {
        name: open_memmap(path, mode="w+", dtype=np.float32, shape=(utterances, widths[name]))
        for name, path in files.features.items()
    }
    bounds = np.linspace(0, utterances, conversations + 1).astype(np.int64)
    with files.utterances.open("w", encoding="utf-8") as file:
        for first in range(0, conversations, _CHUNK):
            of_chunk = bounds[first : first + _CHUNK + 1]
            label = random.integers(len(EMOTIONS), size=of_chunk[-1] - of_chunk[0])
            _fill(matrices, centres, label, slice(of_chunk[0], of_chunk[-1]), random)
            for number, (begin, end) in enumerate(itertools.pairwise(of_chunk), start=first):
                part = label[begin - of_chunk[0] : end - of_chunk[0]]
                file.write(_lines(number, _split(number, conversations), part, random))
    for matrix in matrices.values():
        matrix.flush()
    return files


def _fill(
    matrices: Mapping[str, np.memmap],
    centres: Mapping[str, npt.NDArray[np.float32]],
    label: npt.NDArray[np.int64],
    rows: slice,
    random: np.random.Generator,
) -> None:
    for name, matrix in matrices.items():
        noise = random.standard_normal((len(label), matrix.shape[1]), dtype=np.float32)
        matrix[rows] = centres[name][label] + 4 * noise


def _split(number: int, conversations: int) -> str:
    held_out = max(1, round(HELD_OUT * conversations))
    return "dev" if number < held_out else "test" if number < 2 * held_out else "train"


def _lines(conversation: int, split: str, label: npt.NDArray[np.int64], random: np.random.Generator) -> str:
    words, names = random.integers(len(_WORDS), size=(len(label), 6)).tolist(), tuple(EMOTIONS)
    lines = (
        {
            "conversation": f"c{conversation:07d}",
            "speaker": "Ann" if place % 2 else "Bob",
            "label": names[emotion],
            "split": split,
            "text": " ".join(_WORDS[word] for word in words[place]),
        }
        for place, emotion in enumerate(label.tolist())
    )
    return "".join(json.dumps(line) + "\n" for line in lines)
