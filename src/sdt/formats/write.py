"""Writers of transcripts and predictions, in any format of the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from sdt.conversation import Conversation, Prediction, Utterance
from sdt.errors import InputError
from sdt.files import atomic_file, atomic_folder
from sdt.formats.format import Format, Holds
from sdt.formats.losses import Loss, losses
from sdt.formats.table import format_of, writer
from sdt.formats.transcript import Transcript

PredictedBatch = tuple[Sequence[Conversation], Sequence[Prediction]]
"""Several conversations, and a prediction for each of their utterances."""


def write_transcript(path: Path, transcript: Transcript, format: str | None = None, *, strict: bool = False) -> None:
    """Write conversations to a file, atomically. What the format cannot hold is lost; see `losses`.

    Args:
        path: The file, or the folder of a format whose files are folders. Media files of the transcript are named
            relative to its folder.
        transcript: The conversations, in the order of the file; their predictions are written, too.
        format: A name of `FORMATS`; None uses the suffix of the file.
        strict: Whether to refuse a format that cannot hold everything.

    Raises:
        InputError: The format or the suffix is unknown; the format needs times, and an utterance has none; it holds one
            conversation, and there are several; or `strict`, and something would be lost.
    """
    target = writer(format or format_of(path))
    if strict and (found := losses(transcript, target, path)):
        raise InputError(strict_message(path, target, found))
    if target.content == "folder":
        assert target.write_file
        with atomic_folder(path, overwrite=True) as temporary:
            target.write_file(transcript, temporary)
        return
    with atomic_file(path) as temporary:
        if target.write_file:
            target.write_file(transcript, temporary)
            return
        assert target.write
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.writelines(target.write(transcript, path))


def strict_message(path: Path, target: Format, found: Sequence[Loss]) -> str:
    """The message of `strict`: what would be lost."""
    return f"{path}: {target.name} cannot hold all of it ({'; '.join(map(str, found))}); write jsonl, or allow the loss"


def update_file(
    path: Path, original: Path, transcript: Transcript, target: Format, *, encoding: str | None = None
) -> None:
    """Write a copy of a file of this format with predictions added, atomically; everything else stays as it is.

    Args:
        path: The file to write; it can be the original.
        original: The file that `transcript` was read from.
        transcript: Its conversations with their predictions.
        target: A format that has `update`.
        encoding: The encoding of the original; None detects it.

    Raises:
        InputError: The original has changed or cannot be read.
    """
    assert target.update
    content = target.update(original.read_bytes(), transcript, encoding)
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


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
        format: A format that holds predictions, such as `jsonl`, `csv`, `vtt` or `eaf`; None uses the suffix.

    Raises:
        InputError: The format or the suffix is unknown, or see `write_transcript`.
        ValueError: An utterance has no prediction.
    """
    target = writer(format or format_of(path, Holds.PREDICTIONS), Holds.PREDICTIONS)
    write_transcript(path, predicted(conversations, predictions), target.name)


def predicted(conversations: Sequence[Conversation], predictions: Iterable[Prediction]) -> Transcript:
    """Join conversations and their predictions.

    Raises:
        ValueError: An utterance has no prediction.
    """
    transcript = Transcript([*conversations], predictions=tuple(predictions))
    for conversation, utterance, prediction in transcript.rows():
        if prediction is None:
            raise ValueError(f"no prediction for utterance {utterance.id!r} of conversation {conversation.id!r}")
    return transcript


@dataclass(frozen=True)
class _Streamed(Transcript):
    """Predicted conversations that do not fit into memory: their rows are computed again each time."""

    batches: Callable[[], Iterator[PredictedBatch]] = lambda: iter(())

    def rows(self) -> Iterator[tuple[Conversation, Utterance, Prediction | None]]:
        for batch in self.batches():
            yield from predicted(*batch).rows()


_BY_ROWS = ("jsonl", "json", "csv")
"""The formats whose writers only use `Transcript.rows`."""


def write_batches(path: Path, batches: Callable[[], Iterator[PredictedBatch]], format: str, *, folder: bool) -> None:
    """Like `write_predictions`, for conversations that do not fit into memory.

    Args:
        path: The file or the folder.
        batches: Returns an iterator over batches of conversations with their predictions, in order; CSV calls it twice.
        format: The name of a format that holds predictions.
        folder: Whether there are several conversations; each of them then gets a file in a folder if the format holds
            one conversation.
    """
    target = writer(format, Holds.PREDICTIONS)
    if folder and Holds.SEVERAL not in target.holds:
        write_folder(path, (predicted(*batch) for batch in batches()), format)
    elif format in _BY_ROWS:
        write_transcript(path, _Streamed([], batches=batches), format)
    else:
        whole = list(batches())
        conversations = [one for batch, _ in whole for one in batch]
        write_transcript(path, predicted(conversations, [one for _, of in whole for one in of]), format)


def write_folder(folder: Path, transcripts: Iterable[Transcript], format: str) -> None:
    """Write a file for each conversation, named by its id."""
    suffix = writer(format).suffix
    names: set[str] = set()
    number = 0
    for transcript in transcripts:
        for conversation in transcript.conversations:
            name = re.sub(r"[^\w.-]+", "-", conversation.id).strip(".") or "conversation"
            name = f"{name}-{number}" if name.casefold() in names else name
            names.add(name.casefold())
            write_transcript(folder / f"{name}{suffix}", part(transcript, conversation), format)
            number += 1


def part(transcript: Transcript, conversation: Conversation) -> Transcript:
    """One conversation of a transcript, with what belongs to it."""
    keys = [(conversation.id, utterance.id) for utterance in conversation.utterances]
    return Transcript(
        [conversation],
        {key: transcript.clips[key] for key in keys if key in transcript.clips},
        predictions=[transcript.predicted[key] for key in keys if key in transcript.predicted],
    )


def print_transcript(file: TextIO, transcript: Transcript, format: str) -> None:
    """Like `write_transcript`, to an open file such as the standard output; not for binary formats and folders."""
    target = writer(format)
    if target.write is None:
        raise InputError(f"{target.name}: cannot be printed, since it is not text; name a file")
    file.writelines(target.write(transcript, None))
