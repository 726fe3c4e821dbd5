"""Encode many utterances: in chunks, each kept in the cache as soon as it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sdt.encoders.cache import FeatureCache
from sdt.encoders.encoder import Encoded, FeatureEncoder, Progress, Source
from sdt.encoders.workers import CRASHED

CHUNK = {"text": 512, "audio": 64, "visual": 64}
"""Utterances that are encoded before the cache is written. Texts are sorted by length within a chunk."""

Report = Callable[[str, int, int], None]
"""Called with (encoder, utterances done, utterances in all)."""
Rows = Sequence[int]


@dataclass(frozen=True)
class Chunk:
    """Utterances that are encoded together."""

    rows: Rows
    """Their places among all."""
    sources: Sequence[Source]


EncodeChunks = Callable[[FeatureEncoder, Iterator[Chunk], Progress], Iterator[tuple[Rows, Encoded]]]
"""Encodes all chunks, and gives them back in any order; the last argument is told how far it is within a chunk."""


def encode_cached(
    encoder: FeatureEncoder,
    sources: Sequence[Source],
    cache: FeatureCache | None = None,
    report: Report | None = None,
    encode: EncodeChunks | None = None,
) -> Encoded:
    """Encode n utterances, taking from the cache what is there.

    Which utterances are encoded together, on which the last bits of a text's features depend, follows from the sources
    and from what the cache held before; not from who encodes them, nor in which order they are done.

    Args:
        encoder: Any.
        sources: The utterances.
        cache: Where features are looked for and kept.
        report: Told how far it is.
        encode: Encodes the chunks; None for one after the other, here.

    Returns:
        As `FeatureEncoder.encode` would.
    """
    table = _Table(encoder, sources, cache, report)
    for rows, encoded in (encode or _in_turn)(encoder, table.chunks(), table.told):
        table.take(rows, encoded)
    return table.whole()


def _in_turn(encoder: FeatureEncoder, chunks: Iterator[Chunk], told: Progress) -> Iterator[tuple[Rows, Encoded]]:
    for chunk in chunks:
        yield chunk.rows, encoder.encode(chunk.sources, told)


class _Table:
    """The features of n utterances while they are made."""

    def __init__(
        self, encoder: FeatureEncoder, sources: Sequence[Source], cache: FeatureCache | None, report: Report | None
    ) -> None:
        self._encoder, self._sources, self._cache, self._report = encoder, sources, cache, report
        self._features = np.zeros((len(sources), encoder.width), dtype=np.float32)
        self._present = np.zeros(len(sources), dtype=np.bool_)
        self._problems: dict[int, str] = {}
        self._keys: dict[int, str | None] = {}
        """Of the rows that were given away in chunks and are not back yet."""
        self._planned: dict[str, int] = {}
        """Key to the row by which it is made."""
        self._copies: dict[int, int] = {}
        """Row to the earlier one, perhaps not made yet, that is the same."""
        self._done = 0

    def chunks(self) -> Iterator[Chunk]:
        """What has to be encoded; found out as it is asked for."""
        size = CHUNK.get(self._encoder.modality, 32)
        for first in range(0, len(self._sources), size):
            rows = range(first, min(first + size, len(self._sources)))
            keys = {row: self._cache.key(self._encoder, self._sources[row]) if self._cache else None for row in rows}
            todo = [row for row, key in keys.items() if not self._known(row, key)]
            for row in todo:
                if (key := keys[row]) is not None:
                    self._planned.setdefault(key, row)
            self._keys |= {row: keys[row] for row in todo}
            self._count(len(rows) - len(todo))
            if todo:
                yield Chunk(todo, [self._sources[row] for row in todo])

    def _known(self, row: int, key: str | None) -> bool:
        """Whether a row need not be encoded: it is in the cache, or in an earlier chunk."""
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

    def take(self, rows: Rows, encoded: Encoded) -> None:
        """Take a chunk that was encoded, and keep it in the cache."""
        reasons = _reasons([self._sources[row] for row in rows], encoded)
        keys = [self._keys.pop(row) for row in rows]
        if self._cache:  # another time there may be more memory
            lasting = [key if why != CRASHED else None for key, why in zip(keys, reasons, strict=True)]
            self._cache.put(lasting, encoded, reasons)
        chosen = list(rows)
        self._features[chosen], self._present[chosen] = encoded.features, encoded.present
        self._problems |= {row: reason for row, reason in zip(rows, reasons, strict=True) if reason}
        self._count(len(rows))

    def told(self, done: int, _: int) -> None:
        """Progress within a chunk."""
        if self._report:
            self._report(self._encoder.name, self._done + done, len(self._sources))

    def _count(self, rows: int) -> None:
        self._done += rows
        if rows:
            self.told(0, 0)

    def whole(self) -> Encoded:
        """All of it, when every chunk is there."""
        for row, first in self._copies.items():
            self._features[row], self._present[row] = self._features[first], self._present[first]
            if first in self._problems:
                self._problems[row] = self._problems[first]
        said = [f"{self._sources[row].place}: {self._problems[row]}" for row in sorted(self._problems)]
        return Encoded(self._features, self._present, said)


def _reasons(sources: Sequence[Source], encoded: Encoded) -> list[str | None]:
    """Why each utterance is missing, without its name; None where it is not."""
    said = iter(encoded.problems)
    return [
        None if there else next(said, "missing").removeprefix(f"{source.place}: ")
        for source, there in zip(sources, encoded.present, strict=True)
    ]
