"""WebVTT: cues with the speaker in a voice tag, and the emotion in front of the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sdt.formats.cues import CUES, cue_times, timestamp
from sdt.formats.format import Format, Holds
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.markup import NO_EMOTION, cue_mark, escape_webvtt
from sdt.formats.parsing.subtitles import read_webvtt, without_name
from sdt.formats.transcript import Transcript, tidy


def matches(decoded: Decoded) -> bool:
    """Whether the first line says so."""
    return re.match(r"WEBVTT\b", decoded.text.lstrip()) is not None


def write(transcript: Transcript, path: Path | None) -> Iterator[str]:
    """The cues in the order of their start times, as the standard requires."""
    cues = sorted(cue_times(transcript, path, "WebVTT"), key=lambda cue: cue[0])
    ids = [tidy(utterance.id) for _, _, utterance, _ in cues]
    named = all(id_ and "-->" not in id_ and not re.match(r"(NOTE|STYLE|REGION|WEBVTT)\b", id_) for id_ in ids)
    yield "WEBVTT\n"
    for id_, (start, end, utterance, prediction) in zip(ids, cues, strict=True):
        said = tidy(utterance.text or "")
        mark = cue_mark(utterance, prediction)
        if not mark and without_name(tidy(utterance.speaker), said) != said:
            mark = NO_EMOTION  # keeps a text that begins with the name
        text = escape_webvtt(tidy(f"{mark} {said}"))
        if mark:
            emotion = utterance.label or (prediction.emotion if prediction else None) or "none"
            class_ = "c." + re.sub(r"[^\w-]+", "-", emotion)
            text = f"<{class_}>{text}</c>"
        name = f"{id_}\n" if named else ""
        voice = escape_webvtt(tidy(utterance.speaker))
        yield f"\n{name}{timestamp(start, '.')} --> {timestamp(end, '.')}\n<v {voice}>{text}\n"


WEBVTT = Format(
    "vtt",
    (".vtt",),
    matches,
    certain=True,
    read=lambda path, decoded: read_webvtt(path, decoded.text),
    write=write,
    title="WebVTT",
    holds=CUES | Holds.IDS,
    step=0.001,
    primary=True,
)
