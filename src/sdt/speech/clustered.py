"""Transcription on a cluster: each worker keeps the models loaded and transcribes one recording at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sdt.cluster.work import Cluster, WorkUnit
from sdt.formats.transcript import Transcript
from sdt.speech.given import Given
from sdt.speech.recording import RecordingTranscriber, SpeechOptions

Source = tuple[Path, Given | None]
"""A recording, and what is known of it."""


def transcribe_on_cluster(
    cluster: Cluster,
    options: SpeechOptions,
    cache: Path | None,
    sources: Sequence[Source],
    advance: Callable[[int], object],
) -> list[Transcript]:
    """Transcribe recordings; the machines need them under the same paths.

    Args:
        cluster: The connected cluster.
        options: How to transcribe; each worker uses the threads of the cluster.
        cache: See `RecordingTranscriber`.
        sources: The recordings; each has a path of its own.
        advance: Called with 1 when a recording is done.

    Returns:
        The transcripts in the order of the recordings.

    Raises:
        InputError: See `RecordingTranscriber`.
        LostUnitsError: Some recordings crashed their workers repeatedly.
    """
    units = [WorkUnit(str(path), (path, given)) for path, given in sources]
    arguments = replace(options, threads=cluster.threads), cache and cache.resolve()
    found: dict[str, Transcript] = {}
    for unit, transcript in cluster.run(make_transcriber, arguments, units):
        found[unit.name] = transcript
        advance(1)
    return [found[str(path)] for path, _ in sources]


def make_transcriber(options: SpeechOptions, cache: Path | None) -> Callable[[Source], Transcript]:
    """In a worker: a function that transcribes a recording; it keeps the models loaded."""
    transcriber = RecordingTranscriber(options, cache)
    return lambda source: transcriber(*source)
