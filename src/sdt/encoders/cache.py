"""Features that were made before: kept on disk, found again by what they were made from.

The key of an utterance's features is the SHA-256 of the encoder's name, this program's version, and either the words
(for text) or the recording's bytes with the times of the cut. So a changed recording, cut or encoder is a new key, and
nothing has to be cleared by hand. What could not be encoded is kept, too: a broken clip is not tried twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

import sdt
from sdt.encoders.encoder import Encoded, FeatureEncoder, Source, Vector
from sdt.encoders.text import LONGEST
from sdt.errors import InputError
from sdt.files import sha256

FILE = "features.sqlite"
CUT = LONGEST - 16
"""Bytes that a text had to exceed to be cut: a token has at least one, and a few tokens are special."""
DECODED = 2
"""Counts the ways in which recordings were decoded. From 2 on, channels are mixed by layout and seeks are exact."""
WHOLE = "pieces"
"""Marks features of a text that was read as a whole, in pieces if need be."""


def default_cache() -> Path:
    """The user's cache folder: `$XDG_CACHE_HOME/sdt`, or `~/.cache/sdt`."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "sdt"


class FeatureCache:
    """A folder of features; several processes may use it at once.

    Args:
        folder: Made where it does not exist.

    Raises:
        InputError: It cannot be written, or what is in it is no cache.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._sums: dict[Path, str] = {}
        with self._explained():
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self._path, timeout=60)
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS features (key TEXT PRIMARY KEY, vector BLOB, problem TEXT) WITHOUT ROWID"
            )
            self._database.commit()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def key(self, encoder: FeatureEncoder, source: Source) -> str | None:
        """The key of an utterance's features; None where there is nothing to make them from."""
        content: list[object]
        if encoder.modality == "text":
            text = source.utterance.text or ""
            # What was kept of a longer text when texts were still cut is not taken any more.
            content = [source.utterance.text, *([WHOLE] if len(text.encode()) > CUT else [])]
        elif source.clip is None or not os.path.isfile(source.clip.path):  # noqa: PTH113 - any name may be asked for
            return None
        else:
            path = source.clip.path
            if path not in self._sums:  # one recording is cut into many utterances
                self._sums[path] = sha256(path)
            content = [DECODED, self._sums[path], source.clip.start, source.clip.end, source.clip.half]
        whole = json.dumps([sdt.__version__, encoder.name, encoder.width, *content])
        return hashlib.sha256(whole.encode()).hexdigest()

    def know(self, sums: Mapping[Path, str]) -> None:
        """Be told the SHA-256 of recordings, which are then not read for it."""
        self._sums.update(sums)

    def get(self, key: str, width: int) -> Vector | str | None:
        """Features [D], or why there are none; None where the key is not known."""
        with self._explained():
            row = self._database.execute("SELECT vector, problem FROM features WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        if row[1] is not None:
            return str(row[1])
        vector: Vector = np.frombuffer(row[0], dtype="<f4")
        return vector if vector.shape == (width,) else None

    def put(self, keys: Sequence[str | None], encoded: Encoded, problems: Sequence[str | None]) -> None:
        """Keep what was made of n utterances, all or none of it.

        Args:
            keys: [n]; what has none is not kept.
            encoded: Of n utterances.
            problems: [n]; why an utterance is missing, without its name.
        """
        rows = [
            (key, None if problem else features.astype("<f4").tobytes(), problem)
            for key, features, problem in zip(keys, encoded.features, problems, strict=True)
            if key is not None
        ]
        with self._explained(), self._database:
            self._database.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", rows)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise InputError(
                f"{self._path}: the cache cannot be used ({error}); name another folder with --cache, or delete it"
            ) from None
