"""Parallel encoding in several processes, for encoders that use one core.

Processes are used instead of threads because `prosody`, `praat` and openSMILE mostly hold the global interpreter lock.
Every utterance is encoded alone, so that its features are bit-identical for any number of processes on a machine.
PyTorch's models do not run in several processes: they are large, and use all cores for one utterance.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection

from sdt.encoders.encoder import Encoded, FeatureEncoder, Progress, Source, concatenate, feature_encoder
from sdt.waiting import as_completed, without_interrupts

LIGHT_ENCODERS = frozenset(("prosody", "voice8", "praat", "opensmile", "whisper", "faces"))
"""The encoders that load quickly and use one core."""
CRASHED = "the encoder crashed, or ran out of memory"
"""The reason for an utterance whose process crashed."""

_encoder: FeatureEncoder
"""The encoder of a worker process."""


@contextlib.contextmanager
def worker_pool(encoder: FeatureEncoder, jobs: int) -> Iterator[FeatureEncoder]:
    """An encoder with the same features that runs in several processes, if this is useful for it.

    Args:
        encoder: The encoder.
        jobs: The number of processes; 1 encodes in this process.
    """
    if encoder.name.partition(":")[0] not in LIGHT_ENCODERS:
        yield encoder
        return
    workers = WorkerPool(encoder, jobs)
    try:
        yield workers
    except BaseException:
        workers.stop()
        raise
    workers.close()


class WorkerPool:
    """A feature encoder in several processes, which start with the first utterance."""

    def __init__(self, encoder: FeatureEncoder, jobs: int) -> None:
        self.name, self.modality, self.width = encoder.name, encoder.modality, encoder.width
        self.licence_note = encoder.licence_note
        self._encoder, self._jobs = encoder, jobs
        self._pool: ProcessPoolExecutor | None = None
        self._lifeline: Connection | None = None

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Encode n utterances; an utterance that crashes its process is missing."""
        results: dict[int, Encoded] = {}
        for row, encoded in self._encode_rows(sources):
            results[row] = encoded
            if progress:
                progress(len(results), len(sources))
        return concatenate([results[row] for row in range(len(sources))], self.width)

    def close(self) -> None:
        """Stop the processes after their current utterances."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        if self._lifeline is not None:
            self._lifeline.close()
            self._lifeline = None

    def stop(self) -> None:
        """Stop the processes immediately."""
        if self._lifeline is not None:
            self._lifeline.close()
            self._lifeline = None
        self.close()

    def _encode_rows(self, sources: Sequence[Source]) -> Iterator[tuple[int, Encoded]]:
        """Yield the row and features of each utterance, in any order."""
        if self._jobs == 1:
            yield from ((row, self._encoder.encode([source])) for row, source in enumerate(sources))
            return
        left = dict(enumerate(sources))
        try:
            with without_interrupts():
                rows = {self._start(self._jobs).submit(_encode, source): row for row, source in left.items()}
            for future in as_completed(rows):
                yield rows[future], future.result()
                del left[rows[future]]
        except BrokenProcessPool:
            self.stop()
            yield from self._one_by_one(left)

    def _one_by_one(self, left: dict[int, Source]) -> Iterator[tuple[int, Encoded]]:
        """Encode the remaining utterances one by one after a crash, so that only its cause is missing."""
        for row, source in left.items():
            try:
                (future,) = as_completed([self._start(1).submit(_encode, source)])
                yield row, future.result()
            except BrokenProcessPool:
                self.stop()
                yield row, Encoded.missing([source], self.width, CRASHED)
        self.close()

    def _start(self, jobs: int) -> ProcessPoolExecutor:
        if self._pool is None:
            # Not "fork", since a copy of a process with threads can hang.
            context = multiprocessing.get_context("spawn")
            receiver, self._lifeline = context.Pipe(duplex=False)
            self._pool = ProcessPoolExecutor(jobs, context, _prepare_worker, (self.name, receiver))
        return self._pool


def _prepare_worker(name: str, lifeline: Connection) -> None:
    """Initialise a process: it loads the encoder, ignores Ctrl-C, and exits with its parent."""
    global _encoder
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with, args=(lifeline,), daemon=True).start()
    _encoder = feature_encoder(name)


def _exit_with(lifeline: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv()  # blocks until the other end closes, at the latest when the parent exits
    os._exit(1)


def _encode(source: Source) -> Encoded:
    return _encoder.encode([source])
