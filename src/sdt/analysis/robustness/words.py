"""Simulated speech recognition errors, and the features of the resulting text.

At a word error rate r, every word has an error with probability r: 60 % of the errors are substitutions, 20 % deletions
and 20 % insertions. Substituted and inserted words are drawn from the words of train in proportion to their frequency.
Punctuation stays with its word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sdt.analysis.robustness.disturbances import Features, OtherFeatures, conversation_rng
from sdt.conversation import Conversation
from sdt.corpus.store import Corpus
from sdt.encoders.encoder import ENCODERS
from sdt.encoders.text_model import is_text_model_name
from sdt.errors import InputError
from sdt.media.recordings import Recordings
from sdt.models.config import ModelConfig
from sdt.prediction.extraction import ModalityExtractor

HEARD, LOST = 0.6, 0.2
"""Shares of substitutions and deletions among the errors; the others are insertions."""
_SAMPLE = 20
"""Number of conversations encoded without errors, to check that the encoder is that of the corpus."""
_CLOSE = 1e-2
"""Maximum difference of features from another batch or machine."""


def training_words(corpus: Corpus) -> list[str]:
    """All words of the train split, or of the whole corpus without train, including repetitions."""
    ids = corpus.splits.get("train") or corpus.conversations
    return [word for id in ids for u in corpus.conversations[id].utterances for word in (u.text or "").split()]


def corrupt_words(conversation: Conversation, rate: float, words: Sequence[str], seed: int) -> Conversation:
    """Add word errors to a conversation.

    Args:
        conversation: The conversation.
        rate: The word error rate, from 0 to 1.
        words: Words for substitutions and insertions; see `training_words`.
        seed: Random seed; the errors of a lower rate are a subset of those of a higher rate.
    """
    random = conversation_rng(seed, "words", conversation.id)
    utterances = []
    for utterance in conversation.utterances:
        original = (utterance.text or "").split()
        wrong, kind = random.random((2, len(original)))
        other = random.integers(len(words), size=len(original))
        recognised = [
            part
            for index, word in enumerate(original)
            for part in (_recognised(word, words[other[index]], kind[index]) if wrong[index] < rate else (word,))
        ]
        utterances.append(utterance if utterance.text is None else replace(utterance, text=" ".join(recognised)))
    return Conversation(conversation.id, tuple(utterances))


def _recognised(word: str, other: str, kind: float) -> tuple[str, ...]:
    """The words that replace a word with an error."""
    if kind < HEARD:
        return (other,)
    return () if kind < HEARD + LOST else (word, other)


def word_errors(
    config: ModelConfig,
    base: Path,
    corpus: Corpus,
    conversations: Sequence[Conversation],
    levels: Sequence[float],
    seed: int,
) -> OtherFeatures:
    """Create the disturbance by word errors, whose text is encoded by the model's text encoder.

    Args:
        config: The configuration of the model.
        base: The model folder, to which file names in the encoder's name are relative.
        corpus: The corpus of the conversations.
        conversations: All conversations on which the model runs.
        levels: Word error rates.
        seed: Random seed of the errors.

    Raises:
        InputError: The text encoder of the model is not available, its features of the original text differ from those
            of the corpus, or the utterances have no text.
    """
    modality = text_modality(config, base)
    words = training_words(corpus)
    if not words or not any(u.text for conversation in conversations for u in conversation.utterances):
        raise InputError(f"{corpus.folder}: the utterances have no text")
    maker = ModalityExtractor(config, modality, base)
    maker.load()

    def make(chosen: Sequence[Conversation], level: float) -> dict[str, Features]:
        recognised = [corrupt_words(conversation, level, words, seed) for conversation in chosen]
        encoded = maker.extract(recognised, Recordings())
        ends = np.cumsum([len(conversation) for conversation in recognised]).tolist()
        rows = [slice(end - len(conversation), end) for conversation, end in zip(recognised, ends, strict=True)]
        return {c.id: (encoded.features[at], encoded.present[at]) for c, at in zip(recognised, rows, strict=True)}

    _check_same(corpus, modality, make(conversations[:_SAMPLE], 0))
    return OtherFeatures("words wrong", "word error rate", modality, levels, conversations, make)


def text_modality(config: ModelConfig, base: Path) -> str:
    """Find the modality of a model with an available text encoder.

    Raises:
        InputError: There is none; the message lists the encoders of the model.
    """
    for modality, name in config.encoders.items():
        encoder = name.partition("|")[0]
        entry = ENCODERS.get(encoder.partition(":")[0])
        if modality in config.modalities and (entry.modality == "text" if entry else is_text_model_name(encoder, base)):
            return modality
    named = ", ".join(f"{modality} by {name!r}" for modality, name in config.encoders.items()) or "no encoder"
    raise InputError(f"no text encoder of the model is available (its encoders: {named})")


def _check_same(corpus: Corpus, modality: str, made: Mapping[str, Features]) -> None:
    """Check that an encoder reproduces the features of the corpus from its text."""
    table = corpus.modalities[modality]
    for id, (features, present) in made.items():
        rows = corpus.rows(id)
        if not np.array_equal(present, table.present[rows]) or not np.allclose(
            features[present], table.rows(rows)[present], atol=_CLOSE
        ):
            raise InputError(
                f"{corpus.folder}: the encoder {table.encoder!r} does not reproduce the features of conversation "
                f"{id!r} from its text"
            )
