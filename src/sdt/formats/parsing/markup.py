"""Parsing and escaping of the text of subtitle cues: tags, entities, dialogue dashes, and the marks of emotions."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import get_args

from sdt.conversation import Prediction, Review, Utterance

_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s([^<>]*)>")
# A voice, class, italic or font tag, or a karaoke time stamp, but not "I <3 you" or "a < b".
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<\d[\d:.]*>")
_OVERRIDE = re.compile(r"\{\\[^{}]*\}")
# Bounded, since int() refuses thousands of digits. The semicolon is required, since "R&not" is not an entity.
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_DASH = re.compile(r"(?:[-‐]\s?|[–—]\s)(?=[^\s\d\-‐–—])")
_CHANGE = re.compile(r"(?:^|(?<=\s))>>>?(?!>)")
# Brackets and backslashes in the name of an emotion are escaped. Bounded, so that matching is fast.
NO_EMOTION = "[no emotion]"
"""The mark of an utterance without an emotion."""
_NAME = r"(?:[^\[\]\\]|\\[\[\]\\]){1,400}"
_MARK = re.compile(
    rf"\[(?:no emotion|(?P<emotion>{_NAME}) (?P<share>[01]\.\d\d)|"
    rf"(?P<label>{_NAME}), (?P<how>corrected|confirmed|labelled))\](?:\s|$)"
)


def split_voices(markup: str) -> list[tuple[str | None, str]]:
    r"""Split a cue at its voice tags: (speaker, markup); the speaker is None before the first tag.

    Example:
        >>> split_voices("<v Ann>Hi.</v>\n<v.loud Bob>Hey!")
        [('Ann', 'Hi.</v>\n'), ('Bob', 'Hey!')]
    """
    before, *rest = _VOICE.split(markup)
    parts: list[tuple[str | None, str]] = [(None, before)] if before.strip() or not rest else []
    tagged = zip(rest[::2], rest[1::2], strict=True)
    return parts + [(strip_markup(name).strip() or None, text) for name, text in tagged]


def strip_markup(markup: str) -> str:
    """The text without tags and override codes, with decoded entities."""
    bare = _OVERRIDE.sub("", _TAG.sub("", markup))
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), bare)


def split_dialogue(lines: Sequence[str]) -> list[list[str]]:
    """Split the lines of a cue at leading dashes, which mark a change of speaker, and remove the dashes.

    Example:
        >>> split_dialogue(["- Where is", "it?", "- Here."])
        [['Where is', 'it?'], ['Here.']]
    """
    turns: list[list[str]] = []
    for line in map(str.strip, lines):
        dash = _DASH.match(line)
        if dash or not turns:
            turns.append([line[dash.end() :] if dash else line])
        else:
            turns[-1].append(line)
    return turns


def split_speaker_changes(text: str) -> list[str]:
    """Split captions at `>>`, which marks a change of speaker: the text before the first mark, then each part.

    Example:
        >>> split_speaker_changes(">> Who? >> Me.")
        ['', 'Who?', 'Me.']
    """
    return [part.strip() for part in _CHANGE.split(text)]


def emotion_mark(utterance: Utterance, prediction: Prediction | None) -> str:
    """The mark of an emotion that starts a cue.

    A label with its review (`[sadness, corrected]`, `[joy, confirmed]`, `[joy, labelled]`), or the predicted emotion
    with its probability (`[joy 0.83]`) without a label.
    """
    if utterance.label:
        return f"[{_escaped(utterance.label)}, {utterance.review or 'labelled'}]"
    if prediction is None or prediction.emotion is None:
        return NO_EMOTION
    return f"[{_escaped(prediction.emotion)} {prediction.probability:.2f}]"


def cue_mark(utterance: Utterance, prediction: Prediction | None) -> str:
    """The mark of the emotion of an utterance; empty without a label or a prediction.

    An utterance without text, or whose text begins like a mark, gets one, too: it is read again as it is.
    """
    text = " ".join((utterance.text or "").split())
    if utterance.label or prediction is not None or not text or strip_mark(text)[0]:
        return emotion_mark(utterance, prediction)
    return ""


def strip_mark(text: str) -> tuple[bool, str | None, Review | None, str]:
    """Remove the mark that `emotion_mark` or the page of the service writes before the text of a cue.

    Returns:
        Whether there is a mark; its label (None for a predicted emotion); its review; and the text without the mark.
    """
    found = _MARK.match(text)
    if not found:
        return False, None, None, text
    label = found["label"] and re.sub(r"\\(.)", r"\1", found["label"])
    reviews: tuple[Review, ...] = get_args(Review)
    review = next((review for review in reviews if review == found["how"]), None)
    return True, label, review, text[found.end() :]


def mark_prediction(text: str) -> Prediction | None:
    """The prediction in the mark before a text, with empty ids and the probability of its emotion alone."""
    found = _MARK.match(text)
    if not found or not found["emotion"]:
        return None
    emotion = re.sub(r"\\(.)", r"\1", found["emotion"])
    return Prediction("", "", emotion, {emotion: float(found["share"])})


def escape_webvtt(text: str) -> str:
    """Escape text for a WebVTT cue."""
    return _braces(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def escape_srt(text: str) -> str:
    """Escape text for an SRT cue. Few players support entities, so that only text like markup is escaped."""
    text = _ENTITY.sub(lambda entity: "&amp;" + entity[0][1:], text)
    return _braces(text.replace("<", "&lt;") if _TAG.search(text) else text)


def _escaped(name: str) -> str:
    return re.sub(r"[\[\]\\]", r"\\\g<0>", name)


def _braces(text: str) -> str:
    return text.replace("{\\", "&#123;\\")
