"""Transcribe recordings: who says what when, in utterances.

A speech recogniser finds the words and their times, a diarization tells the speakers apart (SPEAKER_00, SPEAKER_01, ...
in the order in which they begin to speak), and words become utterances at changes of speaker, ends of sentences and
pauses. Uncertain words and overlapped speech are counted, and marked in JSON. Everything runs offline.

The format of the output follows its suffix: .vtt, .srt, .txt, .csv, .json, .jsonl (with the times of words) or .rttm
(speaker turns without words). Without --output the transcript is printed. Several recordings are written to one .jsonl,
.json or .csv file, or to a folder. `sdt predict` does the same by itself for a recording without a transcript.

  sdt transcribe talk.mp4 --output talk.vtt
  sdt transcribe call.wav --channels speakers --names SPEAKER_00=Agent --names SPEAKER_01=Caller
  sdt transcribe meetings/*.wav --speakers 2-6 --output meetings.jsonl
  sdt transcribe meetings/*.wav --format vtt --output transcripts/ --cluster local

With --cache the same command resumes a stopped one. With --cluster a Ray cluster transcribes, one recording per worker
at a time; its machines need the recordings under the same paths. Exit code 1: some recordings crashed their workers
repeatedly.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.exit_codes import FAILED
from sdt.cli.options import add_cluster_options, add_format_option, check_cluster_options, connected_cluster
from sdt.cli.speech_options import (
    add_speech_options,
    speech_sources,
    transcribe,
)
from sdt.errors import InputError, printable, quoted
from sdt.files import check_writable

if TYPE_CHECKING:
    from sdt.formats.transcript import Transcript


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("recordings", type=Path, nargs="+", metavar="RECORDING", help="a sound or video file")
    parser.add_argument("--output", type=Path, metavar="FILE_OR_FOLDER", help="the file, or a folder with --format")
    add_format_option(parser, "the format, whatever the suffix of --output")
    add_speech_options(parser)
    add_cluster_options(parser, "recordings")


def run(options: argparse.Namespace) -> int | None:
    """Transcribe, and print or write."""
    from sdt.cluster.work import LostUnitsError

    check_cluster_options(options)
    format_ = _format(options.output, options.format)
    _check(options, format_)
    sources = speech_sources(options, options.recordings)
    try:
        with connected_cluster(options) as cluster:
            found = transcribe(options, sources, cluster)
    except LostUnitsError as error:
        print(f"sdt: {error}; run the same command to try again", file=sys.stderr)
        return FAILED
    _write(found, options.output, format_)
    from rich.console import Console

    console = Console(highlight=False, markup=False, stderr=options.output is None)
    if options.output:
        count = sum(len(conversation) for transcript in found for conversation in transcript.conversations)
        console.print(f"written to {options.output}: {count:,} utterances", soft_wrap=True)
    for note in (note for transcript in found for note in transcript.notes):
        console.print(f"note: {printable(note)}", soft_wrap=True)
    return None


def _format(output: Path | None, asked: str | None) -> str:
    """The given format, or that of the output's suffix."""
    if asked or output is None:
        return asked or "txt"
    from sdt.formats.table import format_of

    if not output.suffix:
        raise InputError(f"{output}: has no suffix that selects a format; a folder needs --format")
    return format_of(output)


def _check(options: argparse.Namespace, format_: str) -> None:
    """Refuse what cannot succeed, before the work."""
    from sdt.formats.format import Holds
    from sdt.formats.table import writer

    recordings: list[Path] = options.recordings
    for path in recordings:
        if not path.exists():
            raise InputError(f"{path}: file not found")
        if path.is_dir():
            raise InputError(f"{path}: is a folder; name the recordings in it, such as {path}/*.wav")
    stems = [path.stem for path in recordings]
    if twice := next((stem for stem in stems if stems.count(stem) > 1), None):
        raise InputError(
            f"two recordings are called {quoted(twice)}; conversations are named after them, so rename one"
        )
    if options.turns and len(recordings) > 1 and options.turns.suffix.lower() == ".json":
        raise InputError(f"--turns {options.turns}: describes one recording; transcribe one at a time")
    output: Path | None = options.output
    if output is None:
        return
    check_writable(output)
    folder = Holds.SEVERAL not in writer(format_).holds and len(recordings) > 1
    if folder and (output.is_file() or output.suffix.lower() == f".{format_}"):
        raise InputError(
            f"{output}: {format_} holds one recording; name a folder and --format {format_}, or write jsonl"
        )
    if not folder and output.is_dir():
        raise InputError(f"{output}: is a folder; name a file")


def _write(found: Sequence[Transcript], output: Path | None, format_: str) -> None:
    from sdt.formats.format import Holds
    from sdt.formats.table import writer
    from sdt.formats.transcript import Transcript
    from sdt.formats.write import print_transcript, write_transcript

    try:
        if output is None:
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(encoding="utf-8")
            for transcript in found:
                print_transcript(sys.stdout, transcript, format_)
        elif len(found) > 1 and Holds.SEVERAL not in writer(format_).holds:
            output.mkdir(parents=True, exist_ok=True)
            for transcript in found:
                name = f"{transcript.conversations[0].id}{writer(format_).suffix}"
                write_transcript(output / name, transcript, format_)
        else:
            conversations = [conversation for transcript in found for conversation in transcript.conversations]
            clips = {place: clip for transcript in found for place, clip in transcript.clips.items()}
            turns = found[0].turns if len(found) == 1 else ()
            write_transcript(output, Transcript(conversations, clips, [], turns), format_)
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror})") from None
