"""Encoding of many utterances in chunks, each of which is cached when it is complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sdt.encoders.cache import FeatureCache
from sdt.encoders.encoder import Encoded, FeatureEncoder, Progress, Source
from sdt.encoders.workers import CRASHED

CHUNK = {"text": 512, "audio": 64, "visual": 64}
"""The number of utterances of a chunk by modality. Texts are sorted by length within a chunk."""

Report = Callable[[str, int, int], None]
"""Called with (encoder, utterances done, total)."""
RowIndices = Sequence[int]


@dataclass(frozen=True)
class Chunk:
    """Utterances that are encoded together."""

    rows: RowIndices
    """The positions of the utterances."""
    sources: Sequence[Source]


EncodeChunks = Callable[[FeatureEncoder, Iterator[Chunk], Progress], Iterator[tuple[RowIndices, Encoded]]]
"""Encodes chunks and yields their results in any order; the last argument receives the progress within a chunk."""


def encode_cached(
    encoder: FeatureEncoder,
    sources: Sequence[Source],
    cache: FeatureCache | None = None,
    report: Report | None = None,
    encode: EncodeChunks | None = None,
) -> Encoded:
    """Encode n utterances that are not in the cache.

    The last bits of text features depend on the utterances of a chunk. Chunks depend on the sources and the previous
    content of the cache only, not on the processes that encode them or on their order.

    Args:
        encoder: The encoder.
        sources: The utterances.
        cache: Provides and stores features.
        report: Receives the progress.
        encode: Encodes the chunks; None encodes them one by one in this process.

    Returns:
        The same as `FeatureEncoder.encode`.
    """
    table = _Table(encoder, sources, cache, report)
    for rows, encoded in (encode or _encode_sequentially)(encoder, table.chunks(), table.progress):
        table.store(rows, encoded)
    return table.result()


def _encode_sequentially(
    encoder: FeatureEncoder, chunks: Iterator[Chunk], progress: Progress
) -> Iterator[tuple[RowIndices, Encoded]]:
    for chunk in chunks:
        yield chunk.rows, encoder.encode(chunk.sources, progress)


class _Table:
    """Collects the features of n utterances."""

    def __init__(
        self, encoder: FeatureEncoder, sources: Sequence[Source], cache: FeatureCache | None, report: Report | None
    ) -> None:
        self._encoder, self._sources, self._cache, self._report = encoder, sources, cache, report
        self._features = np.zeros((len(sources), encoder.width), dtype=np.float32)
        self._present = np.zeros(len(sources), dtype=np.bool_)
        self._problems: dict[int, str] = {}
        self._keys: dict[int, str | None] = {}
        """The keys of rows in pending chunks."""
        self._planned: dict[str, int] = {}
        """Key to the row that is encoded for it."""
        self._copies: dict[int, int] = {}
        """Row to an earlier row with the same key, whose features can be pending."""
        self._done = 0

    def chunks(self) -> Iterator[Chunk]:
        """Yield the chunks to encode, lazily."""
        size = CHUNK.get(self._encoder.modality, 32)
        for first in range(0, len(self._sources), size):
            rows = range(first, min(first + size, len(self._sources)))
            keys = {row: self._cache.key(self._encoder, self._sources[row]) if self._cache else None for row in rows}
            todo = [row for row, key in keys.items() if not self._is_cached(row, key)]
            for row in todo:
                if (key := keys[row]) is not None:
                    self._planned.setdefault(key, row)
            self._keys |= {row: keys[row] for row in todo}
            self._count(len(rows) - len(todo))
            if todo:
                yield Chunk(todo, [self._sources[row] for row in todo])

    def _is_cached(self, row: int, key: str | None) -> bool:
        """Whether a row is in the cache or in an earlier chunk."""
        if key is None or self._cache is None:
            return False
        if key in self._planned:
            self._copies[row] = self._planned[key]
            return True
        found = self._cache.get(key, self._encoder.width)
        if isinstance(found, str):
            self._problems[row] = found
        elif found is not None:
            self._features[row], self._present[row] = found, True
        return found is not None

    def store(self, rows: RowIndices, encoded: Encoded) -> None:
        """Store the results of a chunk, also in the cache."""
        reasons = _reasons([self._sources[row] for row in rows], encoded)
        keys = [self._keys.pop(row) for row in rows]
        if self._cache:  # a crash is not cached: there can be more memory next time
            lasting = [key if why != CRASHED else None for key, why in zip(keys, reasons, strict=True)]
            self._cache.put(lasting, encoded, reasons)
        indices = list(rows)
        self._features[indices], self._present[indices] = encoded.features, encoded.present
        self._problems |= {row: reason for row, reason in zip(rows, reasons, strict=True) if reason}
        self._count(len(rows))

    def progress(self, done: int, _: int) -> None:
        """Report the progress within a chunk."""
        if self._report:
            self._report(self._encoder.name, self._done + done, len(self._sources))

    def _count(self, rows: int) -> None:
        self._done += rows
        if rows:
            self.progress(0, 0)

    def result(self) -> Encoded:
        """The result, once every chunk is complete."""
        for row, first in self._copies.items():
            self._features[row], self._present[row] = self._features[first], self._present[first]
            if first in self._problems:
                self._problems[row] = self._problems[first]
        problems = [f"{self._sources[row].location}: {self._problems[row]}" for row in sorted(self._problems)]
        return Encoded(self._features, self._present, problems)


def _reasons(sources: Sequence[Source], encoded: Encoded) -> list[str | None]:
    """The reason for each missing utterance, without its name; None for the others."""
    problems = iter(encoded.problems)
    return [
        None if present else next(problems, "missing").removeprefix(f"{source.location}: ")
        for source, present in zip(sources, encoded.present, strict=True)
    ]
