"""Feature encoding on a cluster: workers keep the encoder loaded and encode chunks; the command has the cache.

Workers read the recordings and compute their SHA-256 for the keys of the cache.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from sdt.cluster.work import Cluster, LostUnitsError, WorkUnit
from sdt.conversation import Conversation
from sdt.encoders.cache import FeatureCache
from sdt.encoders.chunks import Chunk, EncodeChunks, RowIndices
from sdt.encoders.encoder import Encoded, FeatureEncoder, Progress, Source, concatenate, feature_encoder
from sdt.encoders.workers import CRASHED, LIGHT_ENCODERS
from sdt.files import sha256
from sdt.media.recordings import Recordings

FILES = 64
"""The number of recordings that a worker hashes at a time."""


def cluster_encoding(cluster: Cluster) -> EncodeChunks:
    """Make a function for `encode_cached` that encodes chunks on a cluster.

    The results are the same as without a cluster. An utterance that repeatedly crashes its worker is missing if the
    encoder is one of `workers.LIGHT_ENCODERS`. With other encoders its chunk is lost, which raises `LostUnitsError`
    after all other chunks.
    """

    def encode(
        encoder: FeatureEncoder, chunks: Iterator[Chunk], progress: Progress
    ) -> Iterator[tuple[RowIndices, Encoded]]:
        del progress  # completed chunks are counted
        units = (WorkUnit(_unit_name(encoder, chunk.sources), chunk) for chunk in chunks)
        try:
            yield from _run(cluster, encoder, units)
        except LostUnitsError as error:
            if encoder.name.partition(":")[0] not in LIGHT_ENCODERS:
                raise
            for unit, _ in error.lost:
                yield _one_by_one(cluster, encoder, unit.content)

    return encode


def make_encoder(name: str) -> Callable[[Chunk], Encoded]:
    """In a worker: load an encoder, and return a function that encodes a chunk."""
    encoder = feature_encoder(name)
    return lambda chunk: encoder.encode(chunk.sources)


def hash_recordings(
    cluster: Cluster,
    cache: FeatureCache,
    conversations: Sequence[Conversation],
    recordings: Recordings,
    modalities: Iterable[str],
    report: Progress,
) -> None:
    """Hash all recordings of the conversations on the workers, and register the hashes with the cache."""
    found = (
        recordings.clip(conversation.id, utterance.id, modality)
        for modality in modalities
        if modality != "text"
        for conversation in conversations
        for utterance in conversation.utterances
    )
    paths = list(dict.fromkeys(clip.path for clip in found if clip))
    groups = [paths[first : first + FILES] for first in range(0, len(paths), FILES)]
    units = (WorkUnit(f"recordings {group[0]} to {group[-1]}", group) for group in groups)
    done = 0
    for unit, hashes in cluster.run(make_hasher, (), units):
        cache.register_hashes({path: of for path, of in zip(unit.content, hashes, strict=True) if of})
        done += len(hashes)
        report(done, len(paths))


def make_hasher() -> Callable[[Sequence[Path]], list[str | None]]:
    """In a worker: return a function that hashes files; None for a file that cannot be read."""

    def hash_of(path: Path) -> str | None:
        with contextlib.suppress(OSError):
            return sha256(path)
        return None

    return lambda paths: [hash_of(path) for path in paths]


def _run(
    cluster: Cluster, encoder: FeatureEncoder, units: Iterable[WorkUnit[Chunk]]
) -> Iterator[tuple[RowIndices, Encoded]]:
    for unit, encoded in cluster.run(make_encoder, (encoder.name,), units):
        yield unit.content.rows, encoded


def _one_by_one(cluster: Cluster, encoder: FeatureEncoder, chunk: Chunk) -> tuple[RowIndices, Encoded]:
    """Encode a chunk that crashes workers utterance by utterance, so that only the cause is missing."""
    utterances = list(zip(chunk.rows, chunk.sources, strict=True))
    results = {row: Encoded.missing([source], encoder.width, CRASHED) for row, source in utterances}
    units = (WorkUnit(_unit_name(encoder, [source]), Chunk([row], [source])) for row, source in utterances)
    with contextlib.suppress(LostUnitsError):
        for (row,), encoded in _run(cluster, encoder, units):
            results[row] = encoded
    return chunk.rows, concatenate([results[row] for row in chunk.rows], encoder.width)


def _unit_name(encoder: FeatureEncoder, sources: Sequence[Source]) -> str:
    to = f" to {sources[-1].location}" if len(sources) > 1 else ""
    return f"{encoder.name}: {'utterances' if to else 'utterance'} {sources[0].location}{to}"
