"""The published results of SDT, and the expected content of the published feature files.

Source: Ma et al., IEEE Transactions on Multimedia 26 (2024), arXiv 2310.20494, section IV; the files of the released
program. The scores are the mean of ten runs, each with the epoch selected on test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sdt.corpus.builder import CorpusBuilder
from sdt.errors import InputError
from sdt.evaluation.metrics import class_measure


@dataclass(frozen=True)
class Published:
    """One corpus of the paper."""

    file: str
    """Name of the released program's feature file."""
    recipe: str
    """Name of the shipped recipe."""
    splits: Mapping[str, tuple[int, int]]
    """Split to its number of conversations and utterances."""
    widths: Mapping[str, int]
    """Modality to feature width."""
    labels: tuple[str, ...]
    """Label names in order."""
    scores: Mapping[str, float]
    """Measure to percent: `accuracy`, `weighted_f1`, `f1:LABEL`."""
    rerun: float
    """Weighted F1 of an independent re-run (ECERC, 2025), in percent."""

    def find(self, path: Path) -> Path:
        """Find the feature file in a folder, or return the path of a file.

        Raises:
            InputError: The file does not exist.
        """
        file = path / self.file if path.is_dir() else path
        if file.is_file():
            return file
        if not path.is_dir():
            raise InputError(f"{path}: file or folder not found")
        others = sorted(other.name for other in path.iterdir() if other.suffix in (".pkl", ".pickle"))
        found = f"name one of {', '.join(others)} instead" if others else "the folder has no pickle files"
        raise InputError(f"{path}: {self.file}, the feature file of the published program, not found; {found}")

    def differences(self, builder: CorpusBuilder) -> Iterator[str]:
        """Yield the differences of an imported corpus from the published one, one line each."""
        if builder.labels != self.labels:
            yield f"labels {', '.join(builder.labels)} instead of {', '.join(self.labels)}"
        sizes = {conversation.id: len(conversation) for conversation in builder.conversations}
        for split, expected in self.splits.items():
            ids = builder.splits.get(split, [])
            found = (len(ids), sum(sizes[id] for id in ids))
            if found != expected:
                yield (
                    f"{split}: {found[0]} conversations with {found[1]} utterances instead of "
                    f"{expected[0]} with {expected[1]}"
                )
        for modality, width in self.widths.items():
            table = builder.features.get(modality)
            if table is None:
                yield f"{modality}: no features; expected width {width}"
            elif table.features.shape[1] != width:
                yield f"{modality}: width {table.features.shape[1]} instead of {width}"
            elif not table.present.all():
                yield f"{modality}: missing for {int((~table.present).sum())} utterances instead of 0"


def _by_class(labels: tuple[str, ...], values: tuple[float, ...]) -> dict[str, float]:
    return {class_measure(label): value for label, value in zip(labels, values, strict=True)}


_IEMOCAP = ("happy", "sad", "neutral", "angry", "excited", "frustrated")
_MELD = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")

PUBLISHED: Mapping[str, Published] = {
    "iemocap": Published(
        file="iemocap_multimodal_features.pkl",
        recipe="iemocap.yaml",
        splits={"train": (108, 5163), "dev": (12, 647), "test": (31, 1623)},
        widths={"text": 1024, "audio": 1582, "visual": 342},
        labels=_IEMOCAP,
        scores={
            "accuracy": 73.95,
            "weighted_f1": 74.08,
            **_by_class(_IEMOCAP, (66.19, 81.84, 74.62, 69.73, 80.17, 68.68)),
        },
        rerun=68.78,
    ),
    "meld": Published(
        file="meld_multimodal_features.pkl",
        recipe="meld.yaml",
        splits={"train": (1038, 9989), "dev": (114, 1109), "test": (280, 2610)},
        widths={"text": 1024, "audio": 300, "visual": 342},
        labels=_MELD,
        scores={
            "accuracy": 67.55,
            "weighted_f1": 66.60,
            **_by_class(_MELD, (80.19, 59.07, 17.88, 43.69, 64.29, 28.78, 54.33)),
        },
        rerun=65.12,
    ),
}
"""Corpus name to published results."""
