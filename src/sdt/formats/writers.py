"""Conversations with their emotions, as JSON Lines, a JSON array, CSV, WebVTT or SRT."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from sdt.conversation import Conversation, Prediction, Utterance
from sdt.errors import InputError, near_miss, quoted
from sdt.files import atomic_file, write_text
from sdt.formats.markup import escape_srt, escape_webvtt, mark
from sdt.formats.records import flatten, utterance_record
from sdt.formats.transcript import tidy

LAST_CUE = 3.0
"""Seconds for which a cue is shown whose utterance has a beginning, but no end."""

FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")
"""How a cell begins that spreadsheets run."""
SUBTITLES = ("vtt", "srt")
"""Formats that hold one conversation."""

Said = tuple[Conversation, Utterance, Prediction]
PartSaid = tuple[Sequence[Conversation], Sequence[Prediction]]
"""Some conversations, and a prediction for each of their utterances."""


def write_predictions(
    path: Path, conversations: Sequence[Conversation], predictions: Iterable[Prediction], format: str | None = None
) -> None:
    """Write what was said and the emotion of every utterance, whole or not at all.

    All formats can be read again by `read_transcript`: labels with their reviews come back, the model's emotions do not
    become labels. Probabilities have six significant digits (subtitles: two decimals), times are in milliseconds.

    Args:
        path: The file.
        conversations: What was said; the order in the file.
        predictions: One for each utterance, in any order.
        format: `jsonl`, `json`, `csv`, `vtt` or `srt`; None to tell by the file's suffix.

    Raises:
        InputError: The format or the suffix is unknown; or subtitles are asked for and an utterance has no time, or
            there are several conversations.
        ValueError: An utterance has no prediction.
    """
    format = format_of(path) if format is None else format
    if format not in WRITERS:
        raise InputError(f"format {quoted(format)} is unknown{near_miss(format, WRITERS)}")
    said = _said(conversations, predictions)
    with atomic_file(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        WRITERS[format](path, said, file)


def format_of(path: Path) -> str:
    """The format that a file's suffix names.

    Raises:
        InputError: No format has this suffix.
    """
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise InputError(f"{path}: predictions have no format of the suffix {quoted(path.suffix)}; known are: {known}")
    return SUFFIXES[path.suffix.lower()]


def write_stream(path: Path, parts: Callable[[], Iterator[PartSaid]], format: str, *, folder: bool) -> None:
    """The same of more than memory can hold, in parts.

    Args:
        path: The file; or the folder.
        parts: Called perhaps more than once: conversations with their predictions, a few at a time, in order.
        format: `jsonl`, `json`, `csv`, `vtt` or `srt`.
        folder: Whether there are several conversations: of subtitles each then gets its own file in a folder.
    """
    if format in SUBTITLES and folder:
        write_cues(path, parts(), format)
        return
    with atomic_file(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        if format == "csv":
            names = _names(row for said in parts() for row in _rows(_said(*said)))
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            for said in parts():
                writer.writerows(_rows(_said(*said)))
        elif format == "json":
            _write_array((line for said in parts() for line in _lines(_said(*said))), file)
        else:
            for said in parts():
                WRITERS[format](path, _said(*said), file)


def write_cues(folder: Path, parts: Iterable[PartSaid], format: str) -> None:
    """Write subtitles of several conversations, a file for each, named like it."""
    names: set[str] = set()
    number = 0
    for conversations, predictions in parts:
        by_id: dict[str, list[Prediction]] = {conversation.id: [] for conversation in conversations}
        for prediction in predictions:
            by_id[prediction.conversation].append(prediction)
        for conversation in conversations:
            text = io.StringIO()
            print_predictions(text, [conversation], by_id[conversation.id], format)
            name = re.sub(r"[^\w.-]+", "-", conversation.id).strip(".") or "conversation"
            name = f"{name}-{number}" if name.casefold() in names else name
            names.add(name.casefold())
            write_text(folder / f"{name}.{format}", text.getvalue())
            number += 1


def print_predictions(
    file: TextIO, conversations: Sequence[Conversation], predictions: Iterable[Prediction], format: str
) -> None:
    """The same to an open file, the standard output say; `format` is one of `WRITERS`."""
    WRITERS[format](Path("-"), _said(conversations, predictions), file)


def _said(conversations: Sequence[Conversation], predictions: Iterable[Prediction]) -> list[Said]:
    by_place = {(p.conversation, p.utterance): p for p in predictions}
    said = []
    for conversation in conversations:
        for utterance in conversation.utterances:
            if (conversation.id, utterance.id) not in by_place:
                raise ValueError(f"no prediction for utterance {utterance.id!r} of conversation {conversation.id!r}")
            said.append((conversation, utterance, by_place[conversation.id, utterance.id]))
    return said


def _lines(said: Sequence[Said]) -> Iterator[str]:
    for _conversation, utterance, prediction in said:
        yield json.dumps(utterance_record(prediction, utterance), ensure_ascii=False)


def _write_jsonl(_: Path, said: Sequence[Said], file: TextIO) -> None:
    file.writelines(f"{line}\n" for line in _lines(said))


def _write_json(_: Path, said: Sequence[Said], file: TextIO) -> None:
    _write_array(_lines(said), file)


def _write_array(lines: Iterable[str], file: TextIO) -> None:
    """One array, an element on each line."""
    before = "["
    for line in lines:
        file.write(f"{before}\n{line}")
        before = ","
    file.write("\n]\n" if before == "," else "[]\n")


def _write_csv(_: Path, said: Sequence[Said], file: TextIO) -> None:
    rows = list(_rows(said))
    writer = csv.DictWriter(file, _names(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def cell(value: object) -> object:
    """A value as a spreadsheet may have it.

    What begins like a formula would be run there. A tab before it keeps it from that, is not seen, and is no part of
    the text when `read_transcript` reads it.
    """
    return f"\t{value}" if isinstance(value, str) and FORMULA.match(value) else value


def _rows(said: Sequence[Said]) -> Iterator[dict[str, object]]:
    for _conversation, utterance, prediction in said:
        yield {name: cell(value) for name, value in flatten(utterance_record(prediction, utterance)).items()}


def _names(rows: Iterable[dict[str, object]]) -> list[str]:
    """The columns of all rows, in the order in which they come up."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _write_webvtt(path: Path, said: Sequence[Said], file: TextIO) -> None:
    file.write("WEBVTT\n")
    ids = [tidy(utterance.id) for _, utterance, _ in said]
    named = all(id_ and "-->" not in id_ and not re.match(r"(NOTE|STYLE|REGION|WEBVTT)\b", id_) for id_ in ids)
    # The standard wants cues in the order of their beginnings.
    for start, end, utterance, prediction in sorted(_timed(path, said, "WebVTT"), key=lambda cue: cue[0]):
        class_ = "c." + re.sub(r"[^\w-]+", "-", utterance.label or prediction.emotion or "none")
        text = escape_webvtt(tidy(f"{mark(utterance, prediction)} {utterance.text or ''}"))
        file.write(
            (f"\n{tidy(utterance.id)}\n" if named else "\n")
            + f"{timestamp(start, '.')} --> {timestamp(end, '.')}\n"
            + f"<v {escape_webvtt(tidy(utterance.speaker))}><{class_}>{text}</c>\n"
        )


def _write_srt(path: Path, said: Sequence[Said], file: TextIO) -> None:
    for number, (start, end, utterance, prediction) in enumerate(_timed(path, said, "SRT"), start=1):
        text = tidy(f"{utterance.speaker}: {mark(utterance, prediction)} {utterance.text or ''}")
        file.write(f"{number}\n{timestamp(start, ',')} --> {timestamp(end, ',')}\n{escape_srt(text)}\n\n")


def _timed(path: Path, said: Sequence[Said], name: str) -> Iterator[tuple[int, int, Utterance, Prediction]]:
    """What subtitles show, with beginning and end in milliseconds."""
    if len({conversation.id for conversation, _, _ in said}) > 1:
        raise InputError(f"{path}: {name} holds one conversation, but there are several; write jsonl or csv")
    for _, utterance, prediction in said:
        if utterance.start is None:
            raise InputError(
                f"{path}: utterance {quoted(utterance.id)} has no time, which {name} needs; write jsonl or csv instead"
            )
        end = utterance.start + LAST_CUE if utterance.end is None else utterance.end
        start = round(1000 * utterance.start)
        yield start, max(round(1000 * end), start + 1), utterance, prediction


def timestamp(milliseconds: int, point: str) -> str:
    """A time as `HH:MM:SS.mmm`, with this decimal point."""
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{point}{rest:03}"


WRITERS: dict[str, Callable[[Path, Sequence[Said], TextIO], None]] = {
    "jsonl": _write_jsonl,
    "json": _write_json,
    "csv": _write_csv,
    "vtt": _write_webvtt,
    "srt": _write_srt,
}
SUFFIXES = {**{f".{format}": format for format in WRITERS}, ".ndjson": "jsonl"}
"""The suffix of a file to the format in which it is written."""
