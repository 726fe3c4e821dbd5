"""Results of finished pieces of a recording, in a folder, so that a stopped transcription resumes.

The key of a piece is the SHA-256 of the recording's bytes and of everything that the result depends on; other options
or models have other keys, so that the folder needs no invalidation.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from sdt.conversation import Word
from sdt.errors import InputError
from sdt.files import atomic_file, sha256
from sdt.speech.speakers import Window
from sdt.speech.transcriber import Recognised


class PieceStore:
    """A folder of results.

    Args:
        folder: It is created if needed; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder and folder / "speech"
        self._recording = ""

    def open(self, recording: Path) -> None:
        """Choose the recording that the following pieces are of.

        Raises:
            InputError: It cannot be read.
        """
        if self._folder is not None:
            try:
                self._recording = sha256(recording)
            except OSError as error:
                raise InputError(f"{recording}: cannot be read ({error.strerror})") from None

    def words(self, key: Sequence[object]) -> Recognised | None:
        """The words of a piece; None if they are not kept."""
        found = self._read(key)
        if found is None:
            return None
        try:
            values = json.loads(found)
            return Recognised([Word(**word) for word in values["words"]], values["language"])
        except (ValueError, TypeError, KeyError):
            return None  # written by another version

    def keep_words(self, key: Sequence[object], found: Recognised) -> None:
        """Keep the words of a piece."""
        self._write(key, json.dumps(dataclasses.asdict(found)).encode())

    def windows(self, key: Sequence[object]) -> list[Window] | None:
        """The windows of a block; None if they are not kept."""
        found = self._read(key)
        if found is None:
            return None
        try:
            with np.load(io.BytesIO(found), allow_pickle=False) as arrays:
                active = (
                    np.unpackbits(arrays["active"])[: np.prod(arrays["shape"])].reshape(arrays["shape"]).astype(bool)
                )
                return [
                    Window(float(start), on, voices, alone)
                    for start, on, voices, alone in zip(
                        arrays["starts"], active, arrays["voices"], arrays["alone"], strict=True
                    )
                ]
        except (ValueError, KeyError, BadZipFile, OSError, EOFError):
            return None

    def keep_windows(self, key: Sequence[object], windows: Sequence[Window]) -> None:
        """Keep the windows of a block."""
        content = io.BytesIO()
        active = np.stack([window.active for window in windows])
        np.savez(
            content,
            starts=np.array([window.start for window in windows]),
            active=np.packbits(np.concatenate([active.ravel(), np.zeros(-active.size % 8, dtype=bool)])),
            shape=np.array(active.shape),
            voices=np.stack([window.voices for window in windows]),
            alone=np.stack([window.alone for window in windows]),
        )
        self._write(key, content.getvalue())

    def _path(self, key: Sequence[object]) -> Path | None:
        if self._folder is None:
            return None
        name = hashlib.sha256(json.dumps([self._recording, *key]).encode()).hexdigest()
        return self._folder / name[:2] / name

    def _read(self, key: Sequence[object]) -> bytes | None:
        path = self._path(key)
        try:
            return path.read_bytes() if path is not None else None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); give another folder with --cache") from None

    def _write(self, key: Sequence[object], content: bytes) -> None:
        path = self._path(key)
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(path) as aside:
                aside.write_bytes(content)
        except OSError as error:
            raise InputError(
                f"{path}: cannot be written ({error.strerror}); give another folder with --cache"
            ) from None
