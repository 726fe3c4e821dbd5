"""Feature encoders on a cluster: chunks go to workers that keep the encoder loaded; the cache stays with the command.

Workers read the recordings themselves, and take their SHA-256, by which the cache knows them, too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from sdt.cluster.work import Cluster, LostUnitsError, Unit
from sdt.conversation import Conversation
from sdt.encoders.cache import FeatureCache
from sdt.encoders.chunks import Chunk, EncodeChunks, Rows
from sdt.encoders.encoder import Encoded, FeatureEncoder, Progress, Source, concatenate, feature_encoder
from sdt.encoders.workers import CRASHED, LIGHT
from sdt.files import sha256
from sdt.media.recordings import Recordings

FILES = 64
"""Recordings of which one worker takes the sums before it is asked again."""


def encoding_on(cluster: Cluster) -> EncodeChunks:
    """What encodes chunks on a cluster; see `encode_cached`.

    What comes out is the same as without. An utterance that ends its worker every time is missing, where the encoder is
    one of `workers.LIGHT`; with other encoders its chunk is lost: `LostUnitsError`, when all others are done.
    """

    def encode(encoder: FeatureEncoder, chunks: Iterator[Chunk], told: Progress) -> Iterator[tuple[Rows, Encoded]]:
        del told  # chunks are counted when they are back
        units = (Unit(_named(encoder, chunk.sources), chunk) for chunk in chunks)
        try:
            yield from _encoded(cluster, encoder, units)
        except LostUnitsError as error:
            if encoder.name.partition(":")[0] not in LIGHT:
                raise
            for unit, _ in error.lost:
                yield _one_by_one(cluster, encoder, unit.content)

    return encode


def make_encoder(name: str) -> Callable[[Chunk], Encoded]:
    """In a worker: load an encoder; returns what encodes a chunk."""
    encoder = feature_encoder(name)
    return lambda chunk: encoder.encode(chunk.sources)


def know_recordings(
    cluster: Cluster,
    cache: FeatureCache,
    conversations: Sequence[Conversation],
    recordings: Recordings,
    modalities: Iterable[str],
    report: Progress,
) -> None:
    """Let workers take the SHA-256 of all recordings that will be looked at, and tell the cache."""
    found = (
        recordings.clip(conversation.id, utterance.id, modality)
        for modality in modalities
        if modality != "text"
        for conversation in conversations
        for utterance in conversation.utterances
    )
    paths = list(dict.fromkeys(clip.path for clip in found if clip))
    groups = [paths[first : first + FILES] for first in range(0, len(paths), FILES)]
    units = (Unit(f"recordings {group[0]} to {group[-1]}", group) for group in groups)
    done = 0
    for unit, sums in cluster.run(make_sums, (), units):
        cache.know({path: of for path, of in zip(unit.content, sums, strict=True) if of})
        done += len(sums)
        report(done, len(paths))


def make_sums() -> Callable[[Sequence[Path]], list[str | None]]:
    """In a worker: returns what takes the sums of files; None for one that is not there, or cannot be read."""

    def sum_of(path: Path) -> str | None:
        with contextlib.suppress(OSError):
            return sha256(path)
        return None

    return lambda paths: [sum_of(path) for path in paths]


def _encoded(cluster: Cluster, encoder: FeatureEncoder, units: Iterable[Unit[Chunk]]) -> Iterator[tuple[Rows, Encoded]]:
    for unit, encoded in cluster.run(make_encoder, (encoder.name,), units):
        yield unit.content.rows, encoded


def _one_by_one(cluster: Cluster, encoder: FeatureEncoder, chunk: Chunk) -> tuple[Rows, Encoded]:
    """A chunk ends its workers: find out over which utterances, and go on with the others."""
    places = list(zip(chunk.rows, chunk.sources, strict=True))
    made = {row: Encoded.missing([source], encoder.width, CRASHED) for row, source in places}
    units = (Unit(_named(encoder, [source]), Chunk([row], [source])) for row, source in places)
    with contextlib.suppress(LostUnitsError):
        for (row,), encoded in _encoded(cluster, encoder, units):
            made[row] = encoded
    return chunk.rows, concatenate([made[row] for row in chunk.rows], encoder.width)


def _named(encoder: FeatureEncoder, sources: Sequence[Source]) -> str:
    to = f" to {sources[-1].place}" if len(sources) > 1 else ""
    return f"{encoder.name}: {'utterances' if to else 'utterance'} {sources[0].place}{to}"
