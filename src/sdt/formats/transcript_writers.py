"""Transcripts without predictions, as files that `read_transcript` reads again, and speaker turns as RTTM."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from sdt.conversation import Conversation, SpeakerTurn, Utterance
from sdt.errors import InputError, quoted
from sdt.files import atomic_file
from sdt.formats.markup import escape_srt, escape_webvtt
from sdt.formats.rttm import rttm_lines
from sdt.formats.transcript import Transcript, tidy
from sdt.formats.words import word_records
from sdt.formats.writers import cell, timestamp

SINGLE = ("vtt", "srt", "txt", "rttm")
"""Formats that hold one conversation."""
Lines = Callable[[Transcript, Path | None], Iterator[str]]


def write_transcript(path: Path, transcript: Transcript, format: str) -> None:
    """Write a transcript, atomically.

    Args:
        path: The file. Media files of the transcript are named relative to its folder.
        transcript: The conversations.
        format: A name of `TRANSCRIPT_WRITERS`.

    Raises:
        InputError: The format needs times, and an utterance has none; or it holds one conversation, and there are
            several.
    """
    if format in SINGLE and len(transcript.conversations) > 1:
        raise InputError(f"{path}: {format} holds one conversation, but there are several; write jsonl or csv")
    with atomic_file(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        file.writelines(TRANSCRIPT_WRITERS[format](transcript, path.parent))


def print_transcript(file: TextIO, transcript: Transcript, format: str) -> None:
    """Write a transcript to an open file."""
    file.writelines(TRANSCRIPT_WRITERS[format](transcript, None))


def _utterances(transcript: Transcript) -> Iterator[tuple[Conversation, Utterance]]:
    for conversation in transcript.conversations:
        for utterance in conversation.utterances:
            yield conversation, utterance


def _records(transcript: Transcript, folder: Path | None) -> Iterator[dict[str, object]]:
    for conversation, utterance in _utterances(transcript):
        clip = transcript.clips.get((conversation.id, utterance.id))
        yield {
            "conversation": conversation.id,
            "utterance": utterance.id,
            "speaker": utterance.speaker,
            "text": utterance.text,
            "start": utterance.start,
            "end": utterance.end,
            **({"label": utterance.label} if utterance.label is not None else {}),
            **({} if clip is None else {"media": _relative(clip, folder)}),
            **({"words": word_records(utterance.words)} if utterance.words else {}),
        }


def _relative(clip: Path, folder: Path | None) -> str:
    return str(clip.resolve()) if folder is None else os.path.relpath(clip.resolve(), folder.resolve())


def _jsonl(transcript: Transcript, folder: Path | None) -> Iterator[str]:
    return (f"{json.dumps(record, ensure_ascii=False)}\n" for record in _records(transcript, folder))


def _json(transcript: Transcript, folder: Path | None) -> Iterator[str]:
    records = [json.dumps(record, ensure_ascii=False) for record in _records(transcript, folder)]
    yield "[\n" + ",\n".join(records) + "\n]\n" if records else "[]\n"


def _csv(transcript: Transcript, folder: Path | None) -> Iterator[str]:
    rows = [{k: cell(v) for k, v in row.items() if k != "words"} for row in _records(transcript, folder)]
    lines = _Lines()
    writer = csv.DictWriter(lines, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return iter(lines)


class _Lines(list[str]):
    """What the `csv` module takes for a file."""

    def write(self, line: str) -> None:
        """Keep a line."""
        self.append(line)


def _txt(transcript: Transcript, _: Path | None) -> Iterator[str]:
    for _conversation, utterance in _utterances(transcript):
        time = "" if utterance.start is None else f"[{timestamp(round(1000 * utterance.start), '.')}] "
        yield f"{time}{tidy(utterance.speaker)}: {tidy(utterance.text or '')}\n"


def _vtt(transcript: Transcript, folder: Path | None) -> Iterator[str]:
    yield "WEBVTT\n"
    for number, (start, end, utterance) in enumerate(_timed(transcript, folder, "WebVTT")):
        text, speaker = escape_webvtt(tidy(utterance.text or "")), escape_webvtt(tidy(utterance.speaker))
        yield f"\n{number}\n{timestamp(start, '.')} --> {timestamp(end, '.')}\n<v {speaker}>{text}\n"


def _srt(transcript: Transcript, folder: Path | None) -> Iterator[str]:
    for number, (start, end, utterance) in enumerate(_timed(transcript, folder, "SRT"), start=1):
        text = escape_srt(tidy(f"{utterance.speaker}: {utterance.text or ''}"))
        yield f"{number}\n{timestamp(start, ',')} --> {timestamp(end, ',')}\n{text}\n\n"


def _rttm(transcript: Transcript, folder: Path | None) -> Iterator[str]:
    turns = (
        SpeakerTurn(one.speaker, start / 1000, end / 1000) for start, end, one in _timed(transcript, folder, "RTTM")
    )
    return rttm_lines(transcript.conversations[0].id, transcript.turns or turns)


def _timed(transcript: Transcript, folder: Path | None, name: str) -> Iterator[tuple[int, int, Utterance]]:
    for _, utterance in _utterances(transcript):
        if utterance.start is None or utterance.end is None:
            where = f"{folder}: " if folder else ""
            raise InputError(f"{where}utterance {quoted(utterance.id)} has no times, which {name} needs; write jsonl")
        start = round(1000 * utterance.start)
        yield start, max(round(1000 * utterance.end), start + 1), utterance


TRANSCRIPT_WRITERS: dict[str, Lines] = {
    "vtt": _vtt,
    "srt": _srt,
    "jsonl": _jsonl,
    "json": _json,
    "csv": _csv,
    "txt": _txt,
    "rttm": _rttm,
}
"""Every format to the lines of a file."""
