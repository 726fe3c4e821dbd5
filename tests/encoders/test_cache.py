from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import sdt
from sdt.conversation import Utterance
from sdt.encoders.cache import FILE, TRUNCATED_BYTES, FeatureCache, default_cache
from sdt.encoders.encoder import Encoded, Source
from sdt.errors import InputError
from sdt.media.clip import Clip
from tests.encoders.counting import Counting


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "cache")


def heard(path: Path, start: float | None = None, end: float | None = None, text: str = "Hi") -> Source:
    return Source("c", Utterance("0", "A", text), Clip(path, start, end))


def test_what_is_put_is_got_again_from_disk(cache: FeatureCache, tmp_path: Path) -> None:
    encoded = Encoded(
        np.array([[1.5, -2], [0, 0], [3, 4]], np.float32), np.array([True, False, True]), ["c/1: corrupt"]
    )
    cache.put(["a", "b", None], encoded, [None, "corrupt", None])
    cache.close()
    again = FeatureCache(tmp_path / "cache")
    np.testing.assert_array_equal(again.get("a", 2), np.array([1.5, -2], np.float32))
    assert again.get("b", 2) == "corrupt"
    assert again.get("c", 2) is None
    assert again.get("a", 3) is None  # of another width: made anew
    again.close()


def test_the_key_is_the_content_and_the_settings(cache: FeatureCache, tmp_path: Path) -> None:
    one, same, other = (tmp_path / name for name in ("one.wav", "same.wav", "other.wav"))
    one.write_bytes(b"sound")
    same.write_bytes(b"sound")
    other.write_bytes(b"noise")
    audio = Counting("audio")
    key = cache.key(audio, heard(one))
    assert key == cache.key(audio, heard(same)) == cache.key(audio, heard(one, text="Bye"))
    others = {
        cache.key(audio, heard(other)),
        cache.key(audio, heard(one, 1.0)),
        cache.key(audio, heard(one, 1.0, 2.0)),
        cache.key(Counting("audio", "count:2"), heard(one)),
        cache.key(audio, Source("c", Utterance("0", "A"), Clip(one, half="left"))),
    }
    assert len(others) == 5
    assert key not in others
    text = Counting("text")
    assert cache.key(text, heard(one)) == cache.key(text, heard(other))
    assert cache.key(text, heard(one)) != cache.key(text, heard(one, text="Bye"))
    assert cache.key(audio, heard(tmp_path / "gone.wav")) is None
    assert cache.key(audio, Source("c", Utterance("0", "A"))) is None
    cache.close()


def test_a_changed_recording_is_another_key(cache: FeatureCache, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"sound")
    before = cache.key(Counting("audio"), heard(path))
    cache.close()
    path.write_bytes(b"noise")
    again = FeatureCache(tmp_path / "cache")
    assert again.key(Counting("audio"), heard(path)) != before
    again.close()


def test_what_is_no_cache_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("this is no database, it only has its name" * 30)
    with pytest.raises(InputError, match="the cache cannot be used") as caught:
        FeatureCache(tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="the cache cannot be used"):
        FeatureCache(tmp_path / "file")


def test_the_default_is_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "sdt"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache() == tmp_path / ".cache" / "sdt"


def test_features_of_texts_that_used_to_be_cut_are_not_taken(cache: FeatureCache) -> None:
    """The keys of all others stay as they were, so that nothing else is made anew."""
    encoder = Counting("text")
    for text, stays in (
        ("Hi", True),
        ("x" * TRUNCATED_BYTES, True),
        ("x" * (TRUNCATED_BYTES + 1), False),
        ("\U0001f600" * 100, False),
    ):
        before = json.dumps([sdt.__version__, encoder.name, encoder.width, text])
        same = cache.key(encoder, Source("c", Utterance("0", "A", text))) == hashlib.sha256(before.encode()).hexdigest()
        assert same is stays
