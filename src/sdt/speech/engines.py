"""The table of speech recognisers; another engine is one class and one line in a package's entry points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sdt.plugins import Registry
from sdt.speech.transcriber import Transcriber


@dataclass(frozen=True)
class Engine:
    """An entry of the table of transcribers."""

    load: Callable[[str, int, bool], Transcriber]
    """Called with the name of the weights, the number of CPU threads, and whether a download is allowed."""


def _whisper(weights: str, threads: int, download: bool) -> Transcriber:
    from sdt.speech.whisper import Whisper

    return Whisper(weights, threads=threads, download=download)


TRANSCRIBERS: Registry[Engine] = Registry("sdt.transcribers", Engine, {"whisper": Engine(_whisper)})
"""Engine names; users type `ENGINE:WEIGHTS`, or the weights alone for Whisper."""


def load_transcriber(name: str, *, threads: int, download: bool = False) -> Transcriber:
    """Load a transcriber.

    Args:
        name: `tiny.en`, `base`, a folder, a hub id (all of Whisper), or `ENGINE:WEIGHTS`.
        threads: The number of CPU threads.
        download: Whether weights may be downloaded.

    Raises:
        InputError: The weights do not exist or are damaged.
        MissingDependencyError: A package or the weights are not installed.
    """
    engine, colon, weights = name.partition(":")
    if colon and engine in TRANSCRIBERS:
        return TRANSCRIBERS[engine].load(weights, threads, download)
    return TRANSCRIBERS["whisper"].load(name, threads, download)
