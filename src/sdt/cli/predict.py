"""Predict the emotion of every utterance of a conversation from its text, audio and video.

TRANSCRIPT is a transcript (plain text with lines "Speaker: text", CSV, TSV, JSON Lines, SRT or WebVTT), a folder of
transcripts, a recording, or a folder of recordings, one for each utterance. A recording without a transcript is
transcribed first: speakers are told apart and words recognised, offline (see sdt transcribe). --media
names the recording of the whole conversation, which is split by the times of the transcript, or a folder with one clip
for each utterance: dia1_utt0.mp4 (as in MELD), CONVERSATION_UTTERANCE.wav or UTTERANCE.wav. Modalities that cannot be
extracted are missing; the number of such utterances is printed. An utterance without any modality has no emotion.

  sdt predict chat.txt
  sdt predict talk.mp4 --speakers 2
  sdt predict talk.srt --media talk.mp4
  sdt predict talk.srt --media talk.mp4 --output emotions.vtt
  sdt predict transcripts/ --media clips/ --model runs/mine --output emotions.csv
  sdt predict day.csv --window 512 --overlap 128 --output emotions.csv

The suffix of --output selects the format; sdt formats lists them. Annotation of ELAN and Praat gets tiers of
predictions, and all else stays as it was:

  sdt predict talk.eaf --media talk.wav --output talk.eaf

With --cluster a Ray cluster transcribes and predicts; its machines need the recordings and the model under the same
paths. The output is the same, the input may be larger than memory, and the same command resumes a stopped one. Exit
code 1: some conversations crashed their workers repeatedly.

  sdt predict transcripts/ --cluster local --output emotions.jsonl
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.exit_codes import FAILED, exit_code
from sdt.cli.options import (
    add_cluster_options,
    add_code_option,
    add_device_option,
    add_encoding_option,
    add_engine_option,
    add_format_option,
    add_model_option,
    add_window_options,
    check_cluster_options,
    connected_cluster,
    import_code,
    windows_of,
)
from sdt.cli.speech_options import add_speech_options
from sdt.errors import InputError, printable
from sdt.files import check_writable

if TYPE_CHECKING:
    from sdt.cluster.work import Cluster
    from sdt.conversation import Conversation
    from sdt.formats import Transcript
    from sdt.prediction import Pipeline
    from sdt.prediction.predictions import Predictions
    from sdt.speech.clustered import Source


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "transcript", type=Path, metavar="TRANSCRIPT", help="a transcript, a recording, or a folder of either"
    )
    parser.add_argument("--media", type=Path, metavar="FILE_OR_FOLDER", help="the recording, or a folder of recordings")
    add_model_option(parser)
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="the output file; its suffix selects the format, such as .jsonl, .csv, .vtt or .eaf; a folder for formats "
        "of one conversation, such as subtitles, if there are several",
    )
    add_format_option(
        parser,
        "the output format, independent of the suffix; without --output, printed instead of a table",
        predictions=True,
    )
    add_encoding_option(parser)
    parser.add_argument("--strict", action="store_true", help="refuse an output format that cannot hold everything")
    add_window_options(parser)
    add_speech_options(parser)
    add_code_option(parser)
    add_cluster_options(parser, "batches of conversations")
    add_device_option(parser)
    add_engine_option(parser)


def run(options: argparse.Namespace) -> int | None:
    """Read, predict, print or write."""
    from rich.console import Console

    windows_of(options)  # report errors before the work
    check_cluster_options(options)
    import_code(options)
    format_ = _format(options.output, options.format)
    _check_annotation(options, format_)
    if options.cluster is not None:
        return _on_cluster(options)
    pipeline = None
    if sources := _recordings(options):  # transcribing takes long: report errors before it
        _check_output(options.output, format_, 1, None)
        pipeline = _load(options)
    transcript = _read(options, sources)  # before the model is loaded
    _check_output(options.output, format_, len(transcript.conversations), _without_time(transcript.conversations))
    lost = _losses(transcript, options, format_)
    with _progress(sum(map(len, transcript.conversations))) as progress:
        found = (pipeline or _load(options))(transcript, options.media, progress=progress)
    console = Console(highlight=False, markup=False)
    if options.output:
        assert format_
        _write(found, options, format_)
        console.print(f"written to {options.output}: {len(found):,} utterances", soft_wrap=True)
    elif format_:
        _print(found, format_)
        console = Console(stderr=True, highlight=False, markup=False)
    else:
        from sdt.prediction.display import predictions_table

        if isinstance(sys.stdout, io.TextIOWrapper):  # not if output is captured
            sys.stdout.reconfigure(errors="replace")  # terminals without a character show a question mark
        console.print(predictions_table(found))
    for note in [*found.notes, *lost]:
        console.print(f"note: {printable(note)}", soft_wrap=True)
    return None


def _losses(transcript: Transcript, options: argparse.Namespace, format_: str | None) -> list[str]:
    """Notes on what the input has and the output cannot hold; with `--strict` an error."""
    from sdt.formats.losses import losses
    from sdt.formats.table import writer
    from sdt.formats.write import strict_message

    if format_ is None or (options.output and _is_update(options, format_)):
        return []
    target = writer(format_)
    found = losses(replace(transcript, predictions=()), target)  # new predictions replace those of the input
    if found and options.strict:
        raise InputError(strict_message(options.output or Path("-"), target, found))
    return [f"the format {target.name} cannot hold {loss}" for loss in found]


def _check_annotation(options: argparse.Namespace, format_: str | None) -> None:
    """Refuse to replace annotation by a new file, which would lack what only its tool understands."""
    source, output = options.transcript, options.output
    if output is None or format_ is None or not source.is_file():
        return
    if options.cluster is not None and _is_update(options, format_):
        raise InputError(f"{output}: --cluster adds no predictions to annotation; name a file of another format")
    from sdt.formats.read import OTHERS

    same = output.exists() and output.samefile(source) and source.suffix.lower() in OTHERS
    if same and not _is_update(options, format_):
        raise InputError(f"{output}: is the annotation itself, which would be replaced; name another file")


def _is_update(options: argparse.Namespace, format_: str) -> bool:
    """Whether the output is a copy of the input, annotation of the same format, with predictions."""
    from sdt.formats.read import format_of_content
    from sdt.formats.table import writer
    from sdt.media.recordings import is_recording

    source, target = options.transcript, writer(format_)
    if not target.update or not source.is_file() or is_recording(source):
        return False
    return format_of_content(source, options.encoding) is target


def _load(options: argparse.Namespace) -> Pipeline:
    from sdt.models.hub import DEFAULT
    from sdt.prediction import Pipeline

    return Pipeline.from_pretrained(
        options.model or DEFAULT,
        device=options.device,
        engine=options.engine,
        window=options.window,
        overlap=options.overlap,
    )


def _recordings(options: argparse.Namespace) -> list[Source]:
    """The recording that has to be transcribed; none if the input is a transcript or a folder."""
    from sdt.cli.speech_options import speech_sources, used_speech_options
    from sdt.media.recordings import is_recording

    path: Path = options.transcript
    if not (path.is_file() and is_recording(path)):
        if path.exists() and (used := used_speech_options(options)):
            raise InputError(f"{used[0]}: only for a recording without a transcript; {path} is none")
        return []
    if options.media is not None:
        raise InputError(f"--media: not with a recording; {path} is transcribed and is the recording")
    return speech_sources(options, [path])


def _read(options: argparse.Namespace, sources: Sequence[Source], cluster: Cluster | None = None) -> Transcript:
    """Read a transcript; a recording is transcribed, here or on a cluster."""
    from sdt.cli.speech_options import transcribe
    from sdt.prediction.inputs import read_input

    return read_input(
        options.transcript, encoding=options.encoding, transcribe=lambda _: transcribe(options, sources, cluster)[0]
    )


def _on_cluster(options: argparse.Namespace) -> int | None:
    """Predict on a cluster; input and output are streamed."""
    from rich.console import Console

    from sdt.cluster.work import LostUnitsError
    from sdt.models.hub import DEFAULT
    from sdt.prediction.clustered import ModelLoading, predict_on_cluster
    from sdt.prediction.scan import InputScan

    output: Path | None = options.output
    if output is None:
        raise InputError("--cluster: requires an output file; name it with --output")
    format_ = _format(output, options.format)
    assert format_
    loading = ModelLoading(
        options.model or DEFAULT,
        tuple(options.code),
        options.device,
        options.engine,
        window=options.window,
        overlap=options.overlap,
    )
    sources = _recordings(options)
    if sources:  # transcribing takes long: report errors before it
        _check_output(output, format_, 1, None)
        loading.sums()
    else:
        scan = InputScan(options.transcript, options.media, encoding=options.encoding)
        _check_output(output, format_, scan.conversations, scan.without_time)
    try:
        with connected_cluster(options) as cluster:
            assert cluster is not None
            if sources:
                scan = InputScan(_read(options, sources, cluster), None)
            with _progress(scan.utterances) as progress:
                notes = predict_on_cluster(cluster, loading, scan, output, format_, progress)
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror})") from None
    except KeyboardInterrupt as stopped:
        print("sdt: stopped; run the same command to resume", file=sys.stderr)
        return exit_code(stopped)
    except LostUnitsError as error:
        print(f"sdt: {error}; run the same command to try again", file=sys.stderr)
        return FAILED
    console = Console(highlight=False, markup=False)
    console.print(f"written to {output}: {scan.utterances:,} utterances", soft_wrap=True)
    for note in notes:
        console.print(f"note: {printable(note)}", soft_wrap=True)
    return None


def _format(output: Path | None, asked: str | None) -> str | None:
    """The given format, or that of the output's suffix."""
    from sdt.formats.format import Holds
    from sdt.formats.table import format_of

    if output is None or asked is not None:
        return asked
    try:
        return format_of(output, Holds.PREDICTIONS)
    except InputError as error:
        if output.is_dir():
            raise InputError(f"{output}: is a folder; name a file") from None
        raise InputError(f"{error}; or choose one with --format") from None


def _without_time(conversations: Sequence[Conversation]) -> tuple[str, str] | None:
    """The first utterance without a start time, as (conversation id, utterance id)."""
    return next(((c.id, u.id) for c in conversations for u in c.utterances if u.start is None), None)


def _check_output(
    output: Path | None, format_: str | None, conversations: int, without_time: tuple[str, str] | None
) -> None:
    """Refuse an output that cannot be written, before the work."""
    from sdt.formats.format import Holds
    from sdt.formats.table import writer

    target = writer(format_) if format_ else None
    single = target is not None and Holds.SEVERAL not in target.holds
    if target and target.content == "folder" and output is None:
        raise InputError(f"--format {format_}: is a folder; name it with --output")
    if target and single:
        if output is None and conversations > 1:
            raise InputError(f"--format {format_}: the input has several conversations; name a folder with --output")
        if without_time and Holds.UNTIMED not in target.holds:
            raise InputError(
                f"{output or '--format'}: {format_} needs times, and utterance {without_time[1]!r} of conversation "
                f"{without_time[0]!r} has none; write jsonl or csv"
            )
    if output is None:
        return
    check_writable(output)
    folder = single and conversations > 1
    if target and target.content == "folder":
        return
    if folder and output.is_file():
        raise InputError(f"{output}: is a file; name a folder for the {format_} files of several conversations")
    if not folder and output.is_dir():
        raise InputError(f"{output}: is a folder; name a file")


def _write(found: Predictions, options: argparse.Namespace, format_: str) -> None:
    """Write a new file, or a copy of the input with predictions, if it is annotation of the same format."""
    from sdt.formats.format import Holds
    from sdt.formats.table import writer
    from sdt.formats.write import predicted, update_file, write_folder

    output, target = options.output, writer(format_)
    try:
        if _is_update(options, format_):
            predictions = predicted(found.conversations, found)
            update_file(output, options.transcript, predictions, target, encoding=options.encoding)
        elif Holds.SEVERAL in target.holds or len(found.conversations) == 1:
            found.write(output, format_)
        else:
            write_folder(output, [predicted(found.conversations, found)], format_)
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror})") from None


def _print(found: Predictions, format_: str) -> None:
    from sdt.formats.write import predicted, print_transcript

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    print_transcript(sys.stdout, predicted(found.conversations, found), format_)


@contextmanager
def _progress(utterances: int) -> Iterator[Callable[[int, int], None]]:
    """A temporary progress bar on standard error, if that is a terminal."""
    from sdt.cli.progress import progress_bars

    with progress_bars() as bars:
        task = bars.add_task("loading the model", total=None)
        yield lambda done, _: bars.update(task, description="utterances", completed=done, total=utterances)
