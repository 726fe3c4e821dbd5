"""Tiers of annotation tools: the names that this program writes, and what the names in other files tell."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping

from sdt.conversation import Conversation

SPEECH, FREE, WORDS, PREDICTION, LABEL, FIELD = (
    "sdt-utterance", "sdt-tier", "sdt-words", "sdt-prediction", "sdt-label", "sdt-field",
)  # fmt: skip
"""The linguistic types of utterances, other top-level tiers, words, predictions, labels and fields."""
EMOTION, CORRECTION, REVIEW, ID = "emotion", "correction", "review", "id"
PREDICTED = ((EMOTION, "probability"), ("predicted emotion", "predicted probability"))
"""The names of the tiers of predicted emotions and their probabilities; the second pair if a name of the first one is
taken, such as by the tier of an annotator."""
SEPARATOR = "@"
"""Between the name of a child tier and that of its parent."""
OWN_PROPERTIES = ("URN", "lastUsedAnnotationId")
"""The properties of a document that ELAN itself sets."""
_SPEECH = re.compile(
    r"utter|speech|spch|transcr|orth|spoken|verbal|\btext\b|\btx\b|\bref\b|sentence|phrase", re.IGNORECASE
)
_OTHER = re.compile(
    r"gestur|gaze|\bhead\b|hand|face|facial|posture|body|mouth|brow|smil|nod|laugh|comment|\bnotes?\b|noise|music|event|"
    r"emotion|affect|valence|arousal|intensity|topic|scene|setting|silence|pause|overlap|phon|gloss|translat|\bpos\b",
    re.IGNORECASE,
)
_RESERVED = (*PREDICTED[0], *PREDICTED[1], CORRECTION, REVIEW, ID, "label", "words")
_FIELD = "field "
_LABEL = re.compile(r"emotions?|labels?|emo", re.IGNORECASE)
_WORD = re.compile(r"words?|tokens?|wd|wrd", re.IGNORECASE)


def sounds_like_speech(name: str) -> bool:
    """Whether the name of a tier or type tells that it holds speech."""
    return _SPEECH.search(name) is not None


def is_other(name: str) -> bool:
    """Whether the name of a tier or type tells that it does not hold speech."""
    return _OTHER.search(name) is not None


def field_tier(name: str) -> str:
    """The name of the tier of a field, which differs from the names of the other tiers."""
    return f"{_FIELD}{name}" if name in _RESERVED or name.startswith((_FIELD, "label ")) else name


def field_name(tier: str) -> str:
    """The name of a field from that of its tier; see `field_tier`."""
    return tier.removeprefix(_FIELD)


def is_label(name: str) -> bool:
    """Whether a child tier of this name holds annotated emotions."""
    return _LABEL.fullmatch(name) is not None


def is_words(name: str) -> bool:
    """Whether a child tier of this name holds words."""
    return _WORD.fullmatch(name) is not None


def child_name(tier: str, parent: str) -> str:
    """The name of a child tier without that of its parent: `gloss@Ann`, `Ann-gloss`, `Ann_gloss` are `gloss`.

    Example:
        >>> child_name("gloss@Ann", "Ann"), child_name("Ann-gloss", "Ann"), child_name("mood", "Ann")
        ('gloss', 'gloss', 'mood')
    """
    if tier.endswith(f"{SEPARATOR}{parent}"):
        return tier.removesuffix(f"{SEPARATOR}{parent}")
    found = re.fullmatch(rf"{re.escape(parent)}[-_. ](.+)", tier)
    return found[1] if found else tier


def prediction_names(taken: Container[str]) -> tuple[str, str]:
    """The names of the tiers of emotions and probabilities, beside others."""
    return next((pair for pair in PREDICTED if not any(name in taken for name in pair)), PREDICTED[1])


def find_prediction(texts: Mapping[str, str]) -> tuple[tuple[str, str], str, float] | None:
    """The prediction in the tiers of an utterance: the names of its tiers, the emotion and its probability."""
    for pair in PREDICTED:
        emotion, share = (texts.get(name, "") for name in pair)
        try:
            probability = float(share)
        except ValueError:
            continue
        if emotion and 0 <= probability <= 1:
            return pair, emotion, probability
    return None


def lanes(conversation: Conversation, open_seconds: float = 0.0) -> list[int]:
    """A number for each utterance, so that those of a speaker with the same number do not overlap.

    A tier of ELAN or Praat cannot have overlapping annotations, so that a speaker gets a tier for each number.

    Args:
        conversation: The utterances; those without times have the number 0.
        open_seconds: The duration of an utterance without an end.
    """
    ends: dict[str, list[float]] = {}
    found = [0] * len(conversation)
    order = sorted(range(len(conversation)), key=lambda number: conversation.utterances[number].start or 0.0)
    for number in order:
        one = conversation.utterances[number]
        if one.start is None:
            continue
        of = ends.setdefault(one.speaker, [])
        lane = next((lane for lane, end in enumerate(of) if end <= one.start), len(of))
        end = one.start + open_seconds if one.end is None else max(one.end, one.start + 0.001)
        of[lane : lane + 1] = [end]
        found[number] = lane
    return found
