"""Several utterances at a time: the encoders that keep one core busy run in processes of their own.

Threads would wait for each other: most of what `prosody`, `praat` or openSMILE do holds Python's lock. Every utterance
is encoded alone, in whatever process, so that on one machine its values are the same bits for any number of processes.
Encoders that are learned models are not meant here: they are large, and use all cores for one utterance.
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

LIGHT = frozenset(("prosody", "voice8", "praat", "opensmile", "faces"))
"""The encoders that are there in a moment and keep one core busy."""
CRASHED = "the encoder crashed, or ran out of memory"
"""The reason given for an utterance that took its process with it."""

_encoder: FeatureEncoder
"""Of a worker process."""


@contextlib.contextmanager
def worker_pool(encoder: FeatureEncoder, jobs: int) -> Iterator[FeatureEncoder]:
    """An encoder that makes the same values, several utterances at a time; the encoder itself where it is no use.

    Args:
        encoder: Any.
        jobs: How many utterances at a time, each in a process of its own; 1 for one after the other in this process.
    """
    if encoder.name.partition(":")[0] not in LIGHT:
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
    """A feature encoder in several processes, which are started when there is something to encode."""

    def __init__(self, encoder: FeatureEncoder, jobs: int) -> None:
        self.name, self.modality, self.width = encoder.name, encoder.modality, encoder.width
        self.licence_note = encoder.licence_note
        self._encoder, self._jobs = encoder, jobs
        self._pool: ProcessPoolExecutor | None = None
        self._lifeline: Connection | None = None

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Encode n utterances; one that ends its process is missing, too."""
        made: dict[int, Encoded] = {}
        for row, encoded in self._encoded(sources):
            made[row] = encoded
            if progress:
                progress(len(made), len(sources))
        return concatenate([made[row] for row in range(len(sources))], self.width)

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        if self._lifeline is not None:
            self._lifeline.close()
            self._lifeline = None

    def stop(self) -> None:
        """End the processes without waiting for what they are at."""
        if self._lifeline is not None:
            self._lifeline.close()
            self._lifeline = None
        self.close()

    def _encoded(self, sources: Sequence[Source]) -> Iterator[tuple[int, Encoded]]:
        """Each utterance by itself, with its row, in any order."""
        if self._jobs == 1:
            yield from ((row, self._encoder.encode([source])) for row, source in enumerate(sources))
            return
        left = dict(enumerate(sources))
        try:
            with without_interrupts():
                rows = {self._started(self._jobs).submit(_encode, source): row for row, source in left.items()}
            for future in as_completed(rows):
                yield rows[future], future.result()
                del left[rows[future]]
        except BrokenProcessPool:
            self.stop()
            yield from self._one_by_one(left)

    def _one_by_one(self, left: dict[int, Source]) -> Iterator[tuple[int, Encoded]]:
        """A process has died: find out over which utterance, and go on with the others."""
        for row, source in left.items():
            try:
                (future,) = as_completed([self._started(1).submit(_encode, source)])
                yield row, future.result()
            except BrokenProcessPool:
                self.stop()
                yield row, Encoded.missing([source], self.width, CRASHED)
        self.close()

    def _started(self, jobs: int) -> ProcessPoolExecutor:
        if self._pool is None:
            # Not forked: a copy of a process that has threads may hang.
            context = multiprocessing.get_context("spawn")
            ours, self._lifeline = context.Pipe(duplex=False)
            self._pool = ProcessPoolExecutor(jobs, context, _prepare_worker, (self.name, ours))
        return self._pool


def _prepare_worker(name: str, lifeline: Connection) -> None:
    """Make a process ready: it has the encoder, leaves Ctrl-C to its parent, and ends when its parent does."""
    global _encoder
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    _encoder = feature_encoder(name)


def _end_with(lifeline: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv()  # nothing is ever sent: it waits until the other end is closed, also by the parent's death
    os._exit(1)


def _encode(source: Source) -> Encoded:
    return _encoder.encode([source])
