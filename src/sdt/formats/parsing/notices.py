"""Text in transcripts that is not speech: descriptions of sounds, omitted media, notices of messengers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sdt.formats.transcript import Turn

_SOUND = re.compile(
    r"(?:\[(?P<square>[^\[\]]{1,80})\]|\((?P<round>[^()]{1,60})\)|\*(?P<star>[^*]{1,40})\*|"
    r"[♪♫]+[^♪♫]*(?:[♪♫]+|$)|#\s[^#]{1,200}\s#)[\s.,…–—-]*"
)
"""A description of a sound; `(I know.)` is not one, because it ends like a sentence."""
_SOUNDS = re.compile(
    r"\b(?:applau|music|laugh|chuckl|giggl|sigh|sob|cry|gasp|cough|sneez|groan|moan|scream|cheer|whistl|hum|clap|silen|"
    r"paus|inaudib|unintelligib|crosstalk|cross talk|overlap|indistinct|noise|sound|sings?\b|singing|song|breath|"
    r"phone|door|foreign|blank.audio|bleep|beep|background|speaks? |speaking|no audio|no speech)",
    re.IGNORECASE,
)
_MEDIA = re.compile(
    r"\u200e?(?:"
    r"<(?:media|multimedia|mídia|média|medien|attached|adjunto|anhang|pièce jointe|allegato|audio|video|image|foto|"
    r"file)[^<>]{0,80}>|"
    r"(?:image|video|audio|gif|sticker|photo|document|contact card|voice message|video note|location)s? omitted|"
    r"\S.{0,80} \((?:file attached|archivo adjunto|datei angehängt|fichier joint|file allegato|arquivo anexado)\)|"
    r"(?:this message was deleted|you deleted this message|diese nachricht wurde gelöscht|se eliminó este mensaje|"
    r"eliminaste este mensaje|ce message a été supprimé|questo messaggio è stato eliminato|mensagem apagada|"
    r"esta mensagem foi apagada|dit bericht is verwijderd|bu mesaj silindi|данное сообщение удалено|"
    r"missed (?:voice|video) call)"
    r")\.?",
    re.IGNORECASE,
)
_EDITED = re.compile(
    r"\s*\u200e?<(?:this message was edited|diese nachricht wurde bearbeitet|se editó este mensaje\.?|"
    r"ce message a été modifié|questo messaggio è stato modificato|mensagem editada|dit bericht is bewerkt)>$",
    re.IGNORECASE,
)
_FOOTER = re.compile(
    r"(?:transcribed by|transcript (?:generated|created|provided) by|transcription by|subtitles by|captions by)"
    r"\b.{0,60}|meeting ended after [\d:]+.{0,3}|this editable transcript was computer generated\b.{0,160}|"
    r"\S.{0,60} stopped transcription",
    re.IGNORECASE,
)


_REPLY = re.compile(r'(?:Reacted to ".*" with .*|Removed a .{1,40} reaction from ".*"|Replying to ".*?"\s+)')


def is_sound(text: str) -> bool:
    """Whether a text only describes sounds: `[door slams]`, `(laughs)`, `♪ la la ♪`.

    Example:
        >>> is_sound("[Music]"), is_sound("(sighs) No."), is_sound("(I know.)")
        (True, False, False)
    """
    position = 0
    while position < len(text):
        found = _SOUND.match(text, position)
        if not found:
            return False
        inside = found["round"]
        if inside is not None and (inside.rstrip()[-1:] in tuple(".?!…") or len(inside.split()) > 6):
            return False
        if found["square"] is not None and not re.search(r"[^\W\d_]", found["square"]):
            return False
        position = found.end()
    return bool(text)


def describes_sound(text: str) -> bool:
    """Whether words in brackets describe a sound instead of a speaker."""
    return bool(_SOUNDS.search(text))


def is_omitted(text: str) -> bool:
    """Whether a message stands for an omitted picture, recording or deleted message."""
    return bool(_MEDIA.fullmatch(text))


def is_omitted_message(text: str) -> bool:
    """Whether a message of a messenger is only a mark in angle brackets, in any language, or an empty one (`null`).

    Example:
        >>> is_omitted_message("<Médias omis>"), is_omitted_message("<3 you>!")
        (True, False)
    """
    return bool(re.fullmatch(r"<[^<>]{3,80}>|null", text))


def is_footer(line: str) -> bool:
    """Whether one of the last lines of a transcript is by the tool that made it."""
    return bool(_FOOTER.fullmatch(line))


def strip_edited_mark(text: str) -> str:
    """Remove the mark of edited messages."""
    return _EDITED.sub("", text)


def strip_reply(text: str) -> str:
    """Remove from a chat message of Zoom what it replies to; a reaction to a message becomes empty.

    Example:
        >>> strip_reply('Replying to "Hi" Ho'), strip_reply('Reacted to "Hi" with 👍')
        ('Ho', '')
    """
    return _REPLY.sub("", text)


def remove_sounds(turns: Sequence[Turn]) -> tuple[list[Turn], list[str]]:
    """Remove turns that only describe sounds, and return a note with their number."""
    sounds = [turn.line for turn in turns if _only_sound(turn)]
    spoken = [turn for turn in turns if not _only_sound(turn)]
    return spoken, ignored_note("descriptions of sounds", sounds)


def _only_sound(turn: Turn) -> bool:
    return turn.text is not None and turn.label is None and is_sound(turn.text)


def ignored_note(what: str, lines: Sequence[int]) -> list[str]:
    """A note with the number of ignored lines; empty if there are none.

    Args:
        what: The kind of lines, in the plural.
        lines: Their line numbers.
    """
    return [f"{what} ignored: {len(lines)}, first in line {lines[0]}"] if lines else []
