"""Writers of utterances with their predicted emotions: JSON Lines, a JSON array, CSV, WebVTT and SRT."""

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
from sdt.formats.markup import emotion_mark, escape_srt, escape_webvtt
from sdt.formats.records import flatten, utterance_record
from sdt.formats.transcript import tidy

DEFAULT_CUE_SECONDS = 3.0
"""The duration of the cue of an utterance without an end, in seconds."""

FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")
"""The start of a cell that spreadsheets evaluate as a formula."""
SUBTITLES = ("vtt", "srt")
"""Formats with one conversation per file."""

PredictedUtterance = tuple[Conversation, Utterance, Prediction]
PredictedBatch = tuple[Sequence[Conversation], Sequence[Prediction]]
"""Several conversations, and a prediction for each of their utterances."""


def write_predictions(
    path: Path, conversations: Sequence[Conversation], predictions: Iterable[Prediction], format: str | None = None
) -> None:
    """Write utterances and their predicted emotions to a file, atomically.

    `read_transcript` reads all formats: labels and reviews are kept, and predicted emotions do not become labels.
    Probabilities have six significant digits (subtitles: two decimals), and times are rounded to milliseconds.

    Args:
        path: The file.
        conversations: The conversations, in the order of the file.
        predictions: One prediction for each utterance, in any order.
        format: `jsonl`, `json`, `csv`, `vtt` or `srt`; None uses the suffix of the file.

    Raises:
        InputError: The format or the suffix is unknown; or the format is for subtitles, and an utterance has no time or
            there are several conversations.
        ValueError: An utterance has no prediction.
    """
    format = format_of(path) if format is None else format
    if format not in WRITERS:
        raise InputError(f"format {quoted(format)} is unknown{near_miss(format, WRITERS)}")
    utterances = _join(conversations, predictions)
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        WRITERS[format](path, utterances, file)


def format_of(path: Path) -> str:
    """The format of a suffix.

    Raises:
        InputError: No format has this suffix.
    """
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise InputError(f"{path}: no output format has the suffix {quoted(path.suffix)}; known are: {known}")
    return SUFFIXES[path.suffix.lower()]


def write_batches(path: Path, batches: Callable[[], Iterator[PredictedBatch]], format: str, *, folder: bool) -> None:
    """Like `write_predictions`, for conversations that do not fit into memory.

    Args:
        path: The file or the folder.
        batches: Returns an iterator over batches of conversations with their predictions, in order; CSV calls it twice.
        format: `jsonl`, `json`, `csv`, `vtt` or `srt`.
        folder: Whether there are several conversations; each of them then gets a file of subtitles in a folder.
    """
    if format in SUBTITLES and folder:
        write_subtitles(path, batches(), format)
        return
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        if format == "csv":
            names = _names(row for batch in batches() for row in _rows(_join(*batch)))
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            for batch in batches():
                writer.writerows(_rows(_join(*batch)))
        elif format == "json":
            _write_array((line for batch in batches() for line in _lines(_join(*batch))), file)
        else:
            for batch in batches():
                WRITERS[format](path, _join(*batch), file)


def write_subtitles(folder: Path, batches: Iterable[PredictedBatch], format: str) -> None:
    """Write a file of subtitles for each conversation, named by its id."""
    names: set[str] = set()
    number = 0
    for conversations, predictions in batches:
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
    """Like `write_predictions`, to an open file such as the standard output."""
    WRITERS[format](Path("-"), _join(conversations, predictions), file)


def _join(conversations: Sequence[Conversation], predictions: Iterable[Prediction]) -> list[PredictedUtterance]:
    by_key = {(p.conversation, p.utterance): p for p in predictions}
    joined = []
    for conversation in conversations:
        for utterance in conversation.utterances:
            if (conversation.id, utterance.id) not in by_key:
                raise ValueError(f"no prediction for utterance {utterance.id!r} of conversation {conversation.id!r}")
            joined.append((conversation, utterance, by_key[conversation.id, utterance.id]))
    return joined


def _lines(utterances: Sequence[PredictedUtterance]) -> Iterator[str]:
    for _conversation, utterance, prediction in utterances:
        yield json.dumps(utterance_record(prediction, utterance), ensure_ascii=False)


def _write_jsonl(_: Path, utterances: Sequence[PredictedUtterance], file: TextIO) -> None:
    file.writelines(f"{line}\n" for line in _lines(utterances))


def _write_json(_: Path, utterances: Sequence[PredictedUtterance], file: TextIO) -> None:
    _write_array(_lines(utterances), file)


def _write_array(lines: Iterable[str], file: TextIO) -> None:
    """Write a JSON array with one element per line."""
    before = "["
    for line in lines:
        file.write(f"{before}\n{line}")
        before = ","
    file.write("\n]\n" if before == "," else "[]\n")


def _write_csv(_: Path, utterances: Sequence[PredictedUtterance], file: TextIO) -> None:
    rows = list(_rows(utterances))
    writer = csv.DictWriter(file, _names(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def cell(value: object) -> object:
    """Protect text that a spreadsheet would evaluate as a formula, by a leading tab.

    The tab is invisible, and `read_transcript` removes it.
    """
    return f"\t{value}" if isinstance(value, str) and FORMULA.match(value) else value


def _rows(utterances: Sequence[PredictedUtterance]) -> Iterator[dict[str, object]]:
    for _conversation, utterance, prediction in utterances:
        yield {name: cell(value) for name, value in flatten(utterance_record(prediction, utterance)).items()}


def _names(rows: Iterable[dict[str, object]]) -> list[str]:
    """The columns of all rows, in the order of their first occurrence."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _write_webvtt(path: Path, utterances: Sequence[PredictedUtterance], file: TextIO) -> None:
    file.write("WEBVTT\n")
    ids = [tidy(utterance.id) for _, utterance, _ in utterances]
    named = all(id_ and "-->" not in id_ and not re.match(r"(NOTE|STYLE|REGION|WEBVTT)\b", id_) for id_ in ids)
    # The standard requires cues in the order of their start times.
    for start, end, utterance, prediction in sorted(_timed(path, utterances, "WebVTT"), key=lambda cue: cue[0]):
        class_ = "c." + re.sub(r"[^\w-]+", "-", utterance.label or prediction.emotion or "none")
        text = escape_webvtt(tidy(f"{emotion_mark(utterance, prediction)} {utterance.text or ''}"))
        file.write(
            (f"\n{tidy(utterance.id)}\n" if named else "\n")
            + f"{timestamp(start, '.')} --> {timestamp(end, '.')}\n"
            + f"<v {escape_webvtt(tidy(utterance.speaker))}><{class_}>{text}</c>\n"
        )


def _write_srt(path: Path, utterances: Sequence[PredictedUtterance], file: TextIO) -> None:
    for number, (start, end, utterance, prediction) in enumerate(_timed(path, utterances, "SRT"), start=1):
        text = tidy(f"{utterance.speaker}: {emotion_mark(utterance, prediction)} {utterance.text or ''}")
        file.write(f"{number}\n{timestamp(start, ',')} --> {timestamp(end, ',')}\n{escape_srt(text)}\n\n")


def _timed(
    path: Path, utterances: Sequence[PredictedUtterance], name: str
) -> Iterator[tuple[int, int, Utterance, Prediction]]:
    """The utterances with their start and end in milliseconds."""
    if len({conversation.id for conversation, _, _ in utterances}) > 1:
        raise InputError(f"{path}: {name} files have one conversation each, but there are several; write jsonl or csv")
    for _, utterance, prediction in utterances:
        if utterance.start is None:
            raise InputError(
                f"{path}: utterance {quoted(utterance.id)} has no time, which {name} requires; write jsonl or csv"
            )
        end = utterance.start + DEFAULT_CUE_SECONDS if utterance.end is None else utterance.end
        start = round(1000 * utterance.start)
        yield start, max(round(1000 * end), start + 1), utterance, prediction


def timestamp(milliseconds: int, separator: str) -> str:
    """A time as `HH:MM:SS.mmm`, with this separator before the milliseconds."""
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{separator}{rest:03}"


WRITERS: dict[str, Callable[[Path, Sequence[PredictedUtterance], TextIO], None]] = {
    "jsonl": _write_jsonl,
    "json": _write_json,
    "csv": _write_csv,
    "vtt": _write_webvtt,
    "srt": _write_srt,
}
SUFFIXES = {**{f".{format}": format for format in WRITERS}, ".ndjson": "jsonl"}
"""The suffix of a file to its format."""
