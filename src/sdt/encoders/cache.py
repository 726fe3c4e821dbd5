"""A cache of features on disk.

The key of a feature vector is the SHA-256 of the encoder's name, the version of this program, and either the text with
the context that the encoder reads, or the bytes of the recording with the times of the clip. A changed recording, clip
or encoder has another key, so that the cache needs no invalidation. Failures are cached, too: a damaged clip is not
decoded twice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

import sdt
from sdt.encoders.encoder import Encoded, FeatureEncoder, Source, Vector, context_of
from sdt.encoders.text import MAX_TOKENS
from sdt.errors import InputError
from sdt.files import sha256

FILE = "features.sqlite"
TRUNCATED_BYTES = MAX_TOKENS - 16
"""Texts with more bytes were truncated by earlier versions: a token has at least one byte, and some are special."""
DECODER_VERSION = 2
"""The version of decoding. Since version 2, channels are mixed by layout, and seeks are exact."""
WHOLE_TEXT = "pieces"
"""Marks features of a whole text, encoded in pieces if needed, instead of a truncated one."""


def default_cache() -> Path:
    """The default folder of the cache: `$XDG_CACHE_HOME/sdt`, or `~/.cache/sdt`."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "sdt"


class FeatureCache:
    """A cache in a folder, which several processes can use at the same time.

    Args:
        folder: The folder; it is created if it does not exist.

    Raises:
        InputError: The folder is not writable, or its file is not a cache.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._hashes: dict[Path, str] = {}
        with self._errors():
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self._path, timeout=60)
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS features (key TEXT PRIMARY KEY, vector BLOB, problem TEXT) WITHOUT ROWID"
            )
            self._database.commit()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def key(self, encoder: FeatureEncoder, source: Source) -> str | None:
        """The key of the features of an utterance; None if there is no recording."""
        content: list[object]
        if encoder.modality == "text":
            text = source.utterance.text or ""
            # Excludes features of truncated texts, which earlier versions cached.
            content = [source.utterance.text, *([WHOLE_TEXT] if len(text.encode()) > TRUNCATED_BYTES else [])]
            if context := context_of(encoder):
                around = context.surroundings(source.utterance, source.before, source.after)
                content.append(dataclasses.astuple(around))
        elif source.clip is None or not os.path.isfile(source.clip.path):  # noqa: PTH113 - the name can be impossible
            return None
        else:
            path = source.clip.path
            if path not in self._hashes:  # many utterances share a recording
                self._hashes[path] = sha256(path)
            content = [DECODER_VERSION, self._hashes[path], source.clip.start, source.clip.end, source.clip.half]
        whole = json.dumps([sdt.__version__, encoder.name, encoder.width, *content])
        return hashlib.sha256(whole.encode()).hexdigest()

    def register_hashes(self, hashes: Mapping[Path, str]) -> None:
        """Register known SHA-256 of recordings, which are then not computed here."""
        self._hashes.update(hashes)

    def get(self, key: str, width: int) -> Vector | str | None:
        """The features [D] of a key, or the reason why they are missing; None for an unknown key."""
        with self._errors():
            row = self._database.execute("SELECT vector, problem FROM features WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        if row[1] is not None:
            return str(row[1])
        vector: Vector = np.frombuffer(row[0], dtype="<f4")
        return vector if vector.shape == (width,) else None

    def put(self, keys: Sequence[str | None], encoded: Encoded, problems: Sequence[str | None]) -> None:
        """Store the features of n utterances, atomically.

        Args:
            keys: [n] the keys; utterances without a key are not stored.
            encoded: The features.
            problems: [n] the reason why an utterance is missing, without its name.
        """
        rows = [
            (key, None if problem else features.astype("<f4").tobytes(), problem)
            for key, features, problem in zip(keys, encoded.features, problems, strict=True)
            if key is not None
        ]
        with self._errors(), self._database:
            self._database.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", rows)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise InputError(
                f"{self._path}: the cache cannot be used ({error}); give another folder with --cache, or delete it"
            ) from None
