"""Options of the commands that transcribe recordings."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.errors import InputError

if TYPE_CHECKING:
    from sdt.speech.recording import RecordingTranscriber, SpeechOptions

STAGES = {"speakers": "telling speakers apart, seconds", "words": "recognising words, seconds"}
"""The stages of a transcription, as the progress bar calls them."""


def add_speech_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `speech_options`."""
    group = parser.add_argument_group(
        "recordings without a transcript",
        "need: pip install 'sdt-erc[speech]'; nothing is downloaded without --download",
    )
    group.add_argument(
        "--speakers",
        metavar="N|MIN-MAX",
        help="the number of speakers, such as 2 or 2-4; default: found from the voices",
    )
    group.add_argument("--language", metavar="CODE", help="the spoken language, such as en or de; default: detected")
    group.add_argument(
        "--channels",
        choices=("mix", "speakers"),
        default="mix",
        help="speakers: each channel of the recording is one speaker, as in most recorded calls; default: mix",
    )
    group.add_argument(
        "--turns",
        type=Path,
        metavar="FILE",
        help="speaker turns as RTTM, or the JSON of Whisper or WhisperX with words, times and speakers; what it "
        "contains is not recognised again",
    )
    group.add_argument(
        "--names",
        action="append",
        default=[],
        metavar="SPEAKER=NAME",
        help="rename a speaker, such as SPEAKER_00=Ann; can be repeated",
    )
    group.add_argument(
        "--transcriber",
        metavar="MODEL",
        help="the speech recogniser: tiny.en, base, small, ..., a faster-whisper folder, or a hub id; default: tiny.en",
    )
    group.add_argument("--download", action="store_true", help="allow the download of the speech recogniser")
    group.add_argument(
        "--cache",
        type=Path,
        metavar="FOLDER",
        help="keep the words and voices of finished pieces here, so that the same command resumes a stopped one; "
        "default: nothing is kept",
    )


def used_speech_options(options: argparse.Namespace) -> list[str]:
    """The options of `add_speech_options` that were given."""
    names = ("speakers", "language", "turns", "names", "transcriber", "download", "cache")
    given = [f"--{name}" for name in names if getattr(options, name)]
    return given + (["--channels"] if options.channels != "mix" else [])


def speech_options(options: argparse.Namespace) -> SpeechOptions:
    """How recordings are transcribed.

    Raises:
        InputError: A value is not valid, or two options contradict each other.
    """
    from sdt.speech.recording import DEFAULT, SpeechOptions
    from sdt.speech.speakers import SpeakerCount

    if options.channels == "speakers" and (options.speakers or options.turns):
        other = "--speakers" if options.speakers else "--turns"
        raise InputError(f"--channels speakers: not with {other}; the channels say who speaks")
    names = dict(_pair(text) for text in options.names)
    if len(names) < len(options.names):
        raise InputError("--names: the same speaker is renamed twice")
    return SpeechOptions(
        transcriber=options.transcriber or DEFAULT,
        language=options.language.lower() if options.language else None,
        speakers=SpeakerCount.parse(options.speakers) if options.speakers else None,
        channels=options.channels,
        names=names,
        download=options.download,
    )


def recording_transcriber(options: argparse.Namespace) -> RecordingTranscriber:
    """A transcriber with these options.

    Raises:
        InputError: See `speech_options`.
    """
    from sdt.speech.recording import RecordingTranscriber

    return RecordingTranscriber(speech_options(options), options.cache)


@contextmanager
def speech_progress(label: str = "") -> Iterator[Callable[[str, float, float], None]]:
    """A progress bar for each stage on standard error, if that is a terminal.

    Args:
        label: The recording, if there are several.
    """
    from sdt.cli.progress import progress_bars

    with progress_bars() as bars:
        tasks: dict[str, object] = {}

        def progress(stage: str, done: float, seconds: float) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(f"{label}{STAGES[stage]}", total=round(seconds) or None)
            bars.update(tasks[stage], completed=round(done))  # type: ignore[arg-type]

        yield progress


def stopped_message(options: argparse.Namespace) -> str:
    """What to say after Ctrl-C."""
    if options.cache is None:
        return "stopped; nothing is kept: with --cache FOLDER the same command would resume"
    return "stopped; run the same command to resume"


def _pair(text: str) -> tuple[str, str]:
    speaker, equals, name = text.partition("=")
    if not equals or not speaker.strip() or not name.strip():
        raise InputError(f"--names {text}: give SPEAKER=NAME, such as SPEAKER_00=Ann")
    return speaker.strip(), name.strip()
