"""Protocols: how the epoch is selected, and which conversations a run uses.

`validation` trains on train and selects the epoch on dev. `published` trains on train and dev and selects the epoch on
test, as the published numbers of SDT and of many other systems were obtained; its scores are optimistically biased and
are always shown with a caveat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sdt.conversation import Conversation
from sdt.corpus.selection import has_labels
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.training.settings import Training


@dataclass(frozen=True)
class Protocol:
    """The conversations of a run by their use."""

    name: Literal["validation", "published"]
    train: Sequence[Conversation]
    chosen_on: Literal["dev", "test"]
    """The split that selects the epoch, see `training.selection`; scored after every epoch."""
    choose: Sequence[Conversation]
    """The conversations of `chosen_on`."""
    reported: tuple[str, ...]
    """The splits that are scored with the selected parameters at the end."""
    predicted: tuple[str, ...]
    """The splits for which predictions are written at the end."""
    monitored: Sequence[Conversation]
    """Scored after every epoch but never used for selection; see `sdt.training.test_monitor`."""


def protocol_for(training: Training, corpus: Corpus) -> Protocol:
    """Assign the splits of a corpus to their uses.

    Raises:
        InputError: The corpus lacks a split that the protocol needs, or a needed split has no labelled utterance.
    """
    name, splits = training.protocol, tuple(split for split, ids in corpus.splits.items() if ids)
    _need(corpus, "train", "training needs it; import the corpus with a train split")
    if name == "published":
        _need(corpus, "test", "the protocol 'published' selects the epoch on test; use --training.protocol validation")
        train = corpus.split("train")
        if "dev" in corpus.splits:
            train += corpus.split("dev")
        return Protocol(name, train, "test", corpus.split("test"), ("test",), splits, [])
    advice = "the epoch is selected on dev; import the corpus again with --dev, which can take a share of train"
    _need(corpus, "dev", advice)
    seen = tuple(split for split in splits if split != "test" or training.test != "never")
    reported = tuple(split for split in ("dev", "test") if split in seen and _labelled(corpus, split))
    monitored = corpus.split("test") if training.test == "sealed" and "test" in reported else []
    return Protocol(name, corpus.split("train"), "dev", corpus.split("dev"), reported, seen, monitored)


def _need(corpus: Corpus, split: str, advice: str) -> None:
    if not corpus.splits.get(split):
        raise InputError(f"{corpus.folder}: the corpus has no {split} split; {advice}")
    if not _labelled(corpus, split):
        raise InputError(f"{corpus.folder}: no utterance of the {split} split has a label; {advice}")


def _labelled(corpus: Corpus, split: str) -> bool:
    return split in corpus.splits and has_labels(corpus.split(split))
