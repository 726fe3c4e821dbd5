"""Options of the commands that transcribe recordings."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.exit_codes import exit_code
from sdt.errors import InputError

if TYPE_CHECKING:
    from sdt.cluster.work import Cluster
    from sdt.formats.transcript import Transcript
    from sdt.speech.clustered import Source
    from sdt.speech.recording import SpeechOptions

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


def speech_sources(options: argparse.Namespace, recordings: Sequence[Path]) -> list[Source]:
    """Recordings with what `--turns` says of them.

    Raises:
        InputError: `--turns` cannot be used, a name of `--names` cannot belong to a speaker of any recording, or see
            `speech_options`.
    """
    from sdt.speech.given import read_given
    from sdt.speech.names import check_names

    checked = speech_options(options)
    sources = [(path, read_given(options.turns, path) if options.turns else None) for path in recordings]
    most = checked.speakers.most if checked.speakers else None
    check_names(checked.names, sources, by_channel=checked.channels == "speakers", most=most)
    return sources


def transcribe(
    options: argparse.Namespace, sources: Sequence[Source], cluster: Cluster | None = None
) -> list[Transcript]:
    """Transcribe recordings, here or on a cluster, and show the progress; Ctrl-C ends the process with a message.

    Args:
        options: See `add_speech_options`.
        sources: See `speech_sources`.
        cluster: The connected cluster.

    Returns:
        The transcripts in the order of the recordings.

    Raises:
        InputError: A recording cannot be transcribed.
        LostUnitsError: Some recordings crashed their workers repeatedly.
    """
    try:
        return _transcribed(options, sources, cluster)
    except KeyboardInterrupt as stopped:
        instead = "run the same command to resume"
        if options.cache is None:
            instead = "nothing is kept: with --cache FOLDER the same command would resume"
        print(f"sdt: stopped; {instead}", file=sys.stderr)
        sys.exit(exit_code(stopped))


def _transcribed(options: argparse.Namespace, sources: Sequence[Source], cluster: Cluster | None) -> list[Transcript]:
    if cluster is not None:
        from sdt.cli.progress import bar
        from sdt.speech.clustered import transcribe_on_cluster

        with bar("recordings", len(sources)) as advance:
            return transcribe_on_cluster(cluster, speech_options(options), options.cache, sources, advance)
    from sdt.speech.recording import RecordingTranscriber

    transcriber, found = RecordingTranscriber(speech_options(options), options.cache), []
    for number, (path, given) in enumerate(sources, start=1):
        with _speech_progress(f"{number}/{len(sources)}: " if len(sources) > 1 else "") as progress:
            found.append(transcriber(path, given, progress))
    return found


@contextmanager
def _speech_progress(label: str) -> Iterator[Callable[[str, float, float], None]]:
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


def _pair(text: str) -> tuple[str, str]:
    speaker, equals, name = text.partition("=")
    if not equals or not speaker.strip() or not name.strip():
        raise InputError(f"--names {text}: give SPEAKER=NAME, such as SPEAKER_00=Ann")
    return speaker.strip(), name.strip()
