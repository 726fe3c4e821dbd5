from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdt.conversation import Conversation, Utterance
from sdt.corpus.builder import write_corpus
from sdt.corpus.encoding import extract_features, summarise_problems, with_features, write_features
from sdt.corpus.importers import ImportOptions
from sdt.corpus.importing import import_corpus
from sdt.encoders.cache import FeatureCache
from sdt.encoders.chunks import CHUNK, encode_cached
from sdt.encoders.encoder import Source
from sdt.media.clip import Clip
from tests.encoders.counting import Counting
from tests.encoders.tiny_bert import make_spoken


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "cache")


def sources(count: int) -> list[Source]:
    return [Source("c", Utterance(str(n), "A", "x" * (n + 1))) for n in range(count)]


def test_a_second_run_takes_everything_from_the_cache(cache: FeatureCache) -> None:
    first, second = Counting("text", bad=["2"]), Counting("text", bad=["2"])
    told: list[tuple[str, int, int]] = []
    made = encode_cached(first, sources(5), cache, lambda *progress: told.append(progress))
    again = encode_cached(second, sources(5), cache)
    assert first.asked == [f"c/{n}" for n in range(5)]
    assert second.asked == []
    assert told[-1] == ("count", 5, 5)
    for encoded in (made, again):
        assert encoded.features[:, 0].tolist() == [1, 2, 0, 4, 5]
        assert encoded.present.tolist() == [True, True, False, True, True]
        assert encoded.problems == ["c/2: broken"]
    more = Counting("text")
    encode_cached(more, sources(7), cache)
    assert more.asked == ["c/5", "c/6"]
    cache.close()


def test_a_killed_run_goes_on_with_the_chunks_that_are_done(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHUNK, "text", 2)
    killed, resumed = Counting("text"), Counting("text")
    killed.stop_after = 4
    with pytest.raises(KeyboardInterrupt):
        encode_cached(killed, sources(7), cache)
    encoded = encode_cached(resumed, sources(7), cache)
    assert resumed.asked == ["c/4", "c/5", "c/6"]
    assert encoded.features[:, 0].tolist() == [1, 2, 3, 4, 5, 6, 7]
    cache.close()


def test_without_a_cache_everything_is_made() -> None:
    encoder = Counting("text")
    encode_cached(encoder, sources(3))
    encode_cached(encoder, sources(3))
    assert len(encoder.asked) == 6


def talks() -> list[Conversation]:
    return [
        Conversation("a/b", (Utterance("0", "A", "Hello", "glad", 0.0, 1.5), Utterance("1", "B", "Hm", "cross"))),
        Conversation("c", (Utterance("0", "B", "Bye", "glad"),)),
        Conversation("d", (Utterance("0", "B", "Oh", "cross"),)),
    ]


def test_what_is_written_is_imported_with_its_encoders(tmp_path: Path) -> None:
    clips = {("a/b", "0"): Clip(tmp_path / "a.wav", 1.0, 4.0)}
    encoders = {"text": Counting("text", "words:2"), "sound": Counting("audio", "count:9", bad=["1"])}
    tables, problems = extract_features(talks(), encoders, lambda c, u, _: clips.get((c, u)))
    assert tables["sound"].features.tolist() == [[5, 3], [0, 0], [3, 0], [2, 0]]
    assert problems == {"text": [], "sound": ["a/b/1: broken"]}
    write_features(tmp_path / "out", talks(), tables, problems)
    assert (tmp_path / "out" / "problems.txt").read_text() == "sound: a/b/1: broken\n"
    files = [tmp_path / "out" / name for name in ("utterances.jsonl", "text.npz", "sound.npz")]
    builder = import_corpus(files, ImportOptions())
    assert builder.conversations == talks()
    for modality, encoder in (("text", "words:2"), ("sound", "count:9")):
        assert builder.features[modality].encoder == encoder
        np.testing.assert_array_equal(builder.features[modality].features, tables[modality].features)
        assert builder.features[modality].present.tolist() == tables[modality].present.tolist()


def test_a_corpus_gains_and_replaces_modalities(tmp_path: Path) -> None:
    corpus = write_corpus(make_spoken(), tmp_path / "spoken")
    encoders = {"voice": Counting("text", "new"), "text": Counting("text", "words:2")}
    tables, _ = extract_features(list(corpus.conversations.values()), encoders, lambda *_: None)
    new = write_corpus(with_features(corpus, tables), tmp_path / "new")
    assert {name: modality.encoder for name, modality in new.modalities.items()} == {"voice": "new", "text": "words:2"}
    assert new.conversations == corpus.conversations
    assert (new.splits, new.labels, new.speakers, new.licence) == (
        corpus.splits,
        corpus.labels,
        corpus.speakers,
        corpus.licence,
    )
    assert new.provenance["extracted"] == {"modalities": ["text", "voice"], "from_corpus_sha256": corpus.fingerprint}
    kept = write_corpus(with_features(corpus, {"text": tables["text"]}), tmp_path / "kept")
    assert kept.modalities["voice"].encoder == "made"


def test_missing_utterances_are_counted_and_some_are_named() -> None:
    conversation = Conversation("c", tuple(Utterance(str(n), "A", "x") for n in range(12)))
    encoders = {"text": Counting("text"), "sound": Counting("audio", bad=[str(n) for n in range(11)])}
    tables, problems = extract_features([conversation], encoders, lambda *_: None)
    (note,) = summarise_problems(tables, problems)
    assert note == "sound: missing for 11 of 12 utterances: broken (c/0, c/1, c/2, c/3, c/4 and 6 more)"
