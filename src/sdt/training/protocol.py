"""How the epoch is chosen, and so which conversations a run may see.

`validation`: trains on train, chooses by dev, looks at test once, at the end. `published`: trains on train and dev and
chooses by test itself, as the published numbers of SDT and of most systems of the field were made; its scores are too
good, and everything that shows one says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sdt.conversation import Conversation
from sdt.corpus.store import Corpus
from sdt.errors import InputError


@dataclass(frozen=True)
class Protocol:
    """The conversations of a run by their part in it."""

    name: Literal["validation", "published"]
    train: list[Conversation]
    chosen_on: Literal["dev", "test"]
    """The split whose weighted F1 chooses the epoch; scored after every epoch."""
    choose: list[Conversation]
    """The conversations of `chosen_on`."""
    reported: tuple[str, ...]
    """The splits that are scored with the chosen parameters, at the end."""


def protocol_for(name: Literal["validation", "published"], corpus: Corpus) -> Protocol:
    """Divide a corpus.

    Raises:
        InputError: The corpus lacks a split that the protocol needs, or a split has no labelled utterance.
    """
    _need(corpus, "train", "there is nothing to train on; import it with a train split")
    if name == "published":
        _need(corpus, "test", "the protocol 'published' chooses the epoch on test; use --training.protocol validation")
        dev = corpus.split("dev") if "dev" in corpus.splits else []
        return Protocol(name, corpus.split("train") + dev, "test", corpus.split("test"), ("test",))
    advice = "the epoch is chosen on dev; import the corpus again with a dev split (a share of train will do)"
    _need(corpus, "dev", advice)
    reported = tuple(split for split in ("dev", "test") if _labelled(corpus, split))
    return Protocol(name, corpus.split("train"), "dev", corpus.split("dev"), reported)


def _need(corpus: Corpus, split: str, why: str) -> None:
    if not corpus.splits.get(split):
        raise InputError(f"{corpus.folder}: the corpus has no {split} split: {why}")
    if not _labelled(corpus, split):
        raise InputError(f"{corpus.folder}: no utterance of the {split} split is labelled: {why}")


def _labelled(corpus: Corpus, split: str) -> bool:
    if split not in corpus.splits:
        return False
    return any(u.label is not None for conversation in corpus.split(split) for u in conversation.utterances)
