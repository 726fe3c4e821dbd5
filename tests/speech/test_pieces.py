"""Results of finished pieces are used again, and damaged ones are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdt.conversation import Word
from sdt.errors import InputError
from sdt.speech.pieces import PieceStore
from sdt.speech.speakers import Window
from sdt.speech.transcriber import Recognised

WORDS = Recognised([Word("Hello,", 0.5, 0.75, 0.875), Word("Zoë.", 1.0, 1.5)], "en")


def windows(count: int = 2, frames: int = 589) -> list[Window]:
    random = np.random.default_rng(0)
    voices = random.standard_normal((count, 3, 192)).astype(np.float32)
    voices[:, 2] = np.nan
    return [
        Window(2.5 * n, random.random((frames, 3)) < 0.5, voices[n], np.array([1, 2, 0], np.float32))
        for n in range(count)
    ]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    path.write_bytes(b"the sound")
    return path


@pytest.fixture
def store(tmp_path: Path, recording: Path) -> PieceStore:
    return opened(tmp_path, recording)


def opened(tmp_path: Path, recording: Path) -> PieceStore:
    store = PieceStore(tmp_path / "cache")
    store.open(recording)
    return store


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_words_are_kept(tmp_path: Path, recording: Path, store: PieceStore) -> None:
    store.keep_words(("a", 1), WORDS)
    assert opened(tmp_path, recording).words(("a", 1)) == WORDS
    assert opened(tmp_path, recording).words(("a", 2)) is None


def test_windows_are_kept(tmp_path: Path, recording: Path, store: PieceStore) -> None:
    made = windows()
    store.keep_windows(("a",), made)
    kept = opened(tmp_path, recording).windows(("a",))
    assert kept is not None
    for one, other in zip(made, kept, strict=True):
        assert one.start == other.start
        for name in ("active", "voices", "alone"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_another_recording_has_other_results(tmp_path: Path, recording: Path, store: PieceStore) -> None:
    store.keep_words(("a",), WORDS)
    recording.write_bytes(b"the Sound")
    assert opened(tmp_path, recording).words(("a",)) is None
    copy = tmp_path / "copy.wav"
    copy.write_bytes(b"the sound")
    assert opened(tmp_path, copy).words(("a",)) == WORDS


@pytest.mark.parametrize(
    "damage", [b"", b"{}", b"[1]", b"null", b'{"words": [{"txt": 1}]}', b"PK\x03\x04", b"\x93NUMPY"]
)
def test_damaged_files_are_not_used(tmp_path: Path, store: PieceStore, damage: bytes) -> None:
    store.keep_words(("w",), WORDS)
    store.keep_windows(("s",), windows())
    for path in files(tmp_path):
        path.write_bytes(damage)
    assert store.words(("w",)) is None
    assert store.windows(("s",)) is None


def test_cut_files_are_not_used(tmp_path: Path, store: PieceStore) -> None:
    store.keep_windows(("s",), windows())
    [path] = files(tmp_path)
    whole = path.read_bytes()
    for size in range(1, len(whole), len(whole) // 40):
        path.write_bytes(whole[:size])
        assert store.windows(("s",)) is None
    for place in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        store.windows(("s",))  # a changed byte that the archive cannot notice is possible; an error is not


def test_without_a_folder_nothing_is_kept(recording: Path) -> None:
    store = PieceStore(None)
    store.open(recording)
    store.keep_words(("a",), WORDS)
    assert store.words(("a",)) is None


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, recording: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    store = opened(tmp_path, recording)
    with pytest.raises(InputError, match="--cache"):
        store.keep_words(("a",), WORDS)
    with pytest.raises(InputError, match=r"missing\.wav"):
        store.open(tmp_path / "missing.wav")
