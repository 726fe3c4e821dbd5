"""Word errors at the rates of speech recognition, and their text features.

At a word error rate r every word has an error with probability r, as recognisers make them: in 6 of 10 errors another
word is heard, in 2 the word is lost, in 2 a word is added behind it. What is heard instead is drawn from the running
words of train, so that frequent words are the likely ones. Punctuation stays with its word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sdt.analysis.robustness.disturbances import Features, OtherFeatures, random_of
from sdt.conversation import Conversation
from sdt.corpus.store import Corpus
from sdt.encoders.encoder import ENCODERS
from sdt.encoders.text_model import is_text_model_name
from sdt.errors import InputError
from sdt.media.recordings import Recordings
from sdt.models.config import ModelConfig
from sdt.prediction.extraction import ModalityExtractor

HEARD, LOST = 0.6, 0.2
"""Shares of substitutions and deletions among the errors; the rest are insertions."""
_SAMPLE = 20
"""Conversations whose words are also encoded as they are, to see that the encoder is the corpus' one."""
_CLOSE = 1e-2
"""Features that another batch or machine made differ by less."""


def running_words(corpus: Corpus) -> list[str]:
    """The words of the train split, or of the whole corpus where there is none, as often as they are said."""
    ids = corpus.splits.get("train") or corpus.conversations
    return [word for id in ids for u in corpus.conversations[id].utterances for word in (u.text or "").split()]


def misheard(conversation: Conversation, rate: float, words: Sequence[str], seed: int) -> Conversation:
    """A conversation as a recogniser of this word error rate might have written it down.

    Args:
        conversation: What was said.
        rate: The word error rate, from 0 to 1.
        words: What is heard instead, see `running_words`.
        seed: Of the errors; those of a lower rate are among those of a higher one.
    """
    random = random_of(seed, "words", conversation.id)
    utterances = []
    for utterance in conversation.utterances:
        said = (utterance.text or "").split()
        wrong, kind = random.random((2, len(said)))
        other = random.integers(len(words), size=len(said))
        heard = [
            part
            for index, word in enumerate(said)
            for part in (_heard(word, words[other[index]], kind[index]) if wrong[index] < rate else (word,))
        ]
        utterances.append(utterance if utterance.text is None else replace(utterance, text=" ".join(heard)))
    return Conversation(conversation.id, tuple(utterances))


def _heard(word: str, other: str, kind: float) -> tuple[str, ...]:
    """What is written down for a word that has an error."""
    if kind < HEARD:
        return (other,)
    return () if kind < HEARD + LOST else (word, other)


def wrong_words(
    config: ModelConfig,
    base: Path,
    corpus: Corpus,
    conversations: Sequence[Conversation],
    levels: Sequence[float],
    seed: int,
) -> OtherFeatures:
    """The disturbance: words go wrong, and the model's own text encoder reads what is left.

    Args:
        config: The model's.
        base: The model's folder, where files that the encoder's name refers to are looked for.
        corpus: Where the conversations come from.
        conversations: All that the model will be shown.
        levels: Word error rates.
        seed: Of the errors.

    Raises:
        InputError: No text encoder of the model can be run here; or it makes other features of the corpus' own words
            than the corpus holds; or there are no words.
    """
    modality = text_modality(config, base)
    words = running_words(corpus)
    if not words or not any(u.text for conversation in conversations for u in conversation.utterances):
        raise InputError(f"{corpus.folder}: the utterances have no text")
    maker = ModalityExtractor(config, modality, base)
    maker.load()

    def make(chosen: Sequence[Conversation], level: float) -> dict[str, Features]:
        heard = [misheard(conversation, level, words, seed) for conversation in chosen]
        encoded = maker.extract(heard, Recordings())
        ends = np.cumsum([len(conversation) for conversation in heard]).tolist()
        rows = [slice(end - len(conversation), end) for conversation, end in zip(heard, ends, strict=True)]
        return {c.id: (encoded.features[at], encoded.present[at]) for c, at in zip(heard, rows, strict=True)}

    _check_same(corpus, modality, make(conversations[:_SAMPLE], 0))
    return OtherFeatures("words wrong", "word error rate", modality, levels, conversations, make)


def text_modality(config: ModelConfig, base: Path) -> str:
    """The modality of a model whose features a text encoder that is here makes.

    Raises:
        InputError: There is none; says which encoders the model names.
    """
    for modality, name in config.encoders.items():
        encoder = name.partition("|")[0]
        entry = ENCODERS.get(encoder.partition(":")[0])
        if modality in config.modalities and (entry.modality == "text" if entry else is_text_model_name(encoder, base)):
            return modality
    named = ", ".join(f"{modality} by {name!r}" for modality, name in config.encoders.items()) or "no encoder"
    raise InputError(f"no text encoder of the model can be run here (it names {named})")


def _check_same(corpus: Corpus, modality: str, made: Mapping[str, Features]) -> None:
    """Refuse an encoder that does not make the corpus' features of the corpus' words."""
    table = corpus.modalities[modality]
    for id, (features, present) in made.items():
        rows = corpus.rows(id)
        if not np.array_equal(present, table.present[rows]) or not np.allclose(
            features[present], table.rows(rows)[present], atol=_CLOSE
        ):
            raise InputError(
                f"{corpus.folder}: the encoder {table.encoder!r} makes other features of the words of conversation "
                f"{id!r} than the corpus holds"
            )
