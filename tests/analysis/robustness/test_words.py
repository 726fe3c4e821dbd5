"""Words wrong at a rate, and the features that are made of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sdt.analysis.robustness.words import corrupt_words, text_modality, training_words, word_errors
from sdt.conversation import Conversation, Utterance
from sdt.corpus.batches import corpus_batch
from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.store import Corpus
from sdt.encoders.text import encode_conversations, text_encoder
from sdt.errors import InputError
from sdt.models.config import Architecture, SDTConfig
from tests.training.conftest import make_builder

VOCABULARY = ["alpha", "beta"]
LONG = Conversation("c", (Utterance("0", "a", " ".join(f"w{i}" for i in range(4000))), Utterance("1", "b")))


def spoken(conversation: Conversation) -> list[str]:
    return (conversation.utterances[0].text or "").split()


def test_the_rate_is_the_rate_and_the_kinds_are_mixed() -> None:
    heard = spoken(corrupt_words(LONG, 0.3, VOCABULARY, seed=1))
    kept = [word for word in heard if word not in VOCABULARY]
    replaced_or_lost = 4000 - len(kept)
    inserted_or_replaced = len(heard) - len(kept)
    errors = 0.3 * 4000
    assert replaced_or_lost == pytest.approx(0.8 * errors, rel=0.1)
    assert inserted_or_replaced == pytest.approx(0.8 * errors, rel=0.1)
    assert kept == sorted(kept, key=lambda word: int(word[1:]))  # in their order
    assert 0.4 < heard.count("alpha") / inserted_or_replaced < 0.6


def test_errors_of_a_low_rate_are_among_those_of_a_higher_one() -> None:
    kept = [set(spoken(corrupt_words(LONG, rate, VOCABULARY, seed=1))) for rate in (0.1, 0.3, 0.6)]
    assert kept[0] > kept[1] > kept[2]
    assert corrupt_words(LONG, 0, VOCABULARY, seed=1) == LONG
    assert corrupt_words(LONG, 0.3, VOCABULARY, seed=1) == corrupt_words(LONG, 0.3, VOCABULARY, seed=1)
    assert corrupt_words(LONG, 0.3, VOCABULARY, seed=1) != corrupt_words(LONG, 0.3, VOCABULARY, seed=2)
    assert corrupt_words(LONG, 1, VOCABULARY, seed=1).utterances[1].text is None


def spoken_builder() -> CorpusBuilder:
    """The tiny corpus with words of its own and the features that `words:16` makes of them."""
    builder = make_builder()
    random = np.random.default_rng(0)
    lexicon = [f"word{number}" for number in range(30)]
    builder.conversations = [
        Conversation(
            c.id,
            tuple(
                replace(u, text=" ".join(random.choice(lexicon, size=1 + i % 4))) for i, u in enumerate(c.utterances)
            ),
        )
        for c in builder.conversations
    ]
    builder.features["words"] = encode_conversations(text_encoder("words:16"), builder.conversations)
    return builder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_corpus(spoken_builder(), tmp_path_factory.mktemp("corpora") / "spoken")


def config_of(corpus: Corpus) -> SDTConfig:
    return SDTConfig.for_corpus(corpus, Architecture(width=8, heads=2))


def test_features_are_those_of_what_was_heard(corpus: Corpus, tmp_path: Path) -> None:
    told: list[int] = []
    conversations = corpus.split("train")
    found = word_errors(config_of(corpus), tmp_path, corpus, conversations, (0.5,), 3)
    assert (found.modality, found.axis, found.levels) == ("words", "word error rate", (0.5,))
    batch = corpus_batch(
        corpus, conversations, modalities=("words", "voice"), labels=corpus.labels, speakers=corpus.speakers
    )
    after = found.at(1.0, told.append)(batch)
    assert sum(told) == len(conversations)
    assert found.at(1.0, told.append)(batch).features["words"] is not None
    assert sum(told) == 2 * len(conversations)  # kept, and told all the same
    heard = [corrupt_words(c, 1.0, training_words(corpus), 3) for c in conversations]
    expected = encode_conversations(text_encoder("words:16"), heard)
    np.testing.assert_allclose(after.features["words"], expected.features, atol=1e-6)
    np.testing.assert_array_equal(after.present["words"], expected.present)
    assert not expected.present.all()  # a word that is alone may be lost


def test_running_words_are_those_of_train(corpus: Corpus) -> None:
    words = training_words(corpus)
    assert len(words) == sum(len((u.text or "").split()) for c in corpus.split("train") for u in c.utterances)


def test_where_words_cannot_be_read_again(corpus: Corpus, tmp_path: Path) -> None:
    config = config_of(corpus)
    strange = replace(config, encoders={"words": "roberta-large", "voice": "prosody"})
    with pytest.raises(
        InputError, match=r"no text encoder .* \(its encoders: words by 'roberta-large', voice by 'prosody'\)"
    ):
        text_modality(strange, tmp_path)
    assert text_modality(config, tmp_path) == "words"
    builder = spoken_builder()
    builder.features["words"].features[builder.features["words"].present] += 0.5
    other = write_corpus(builder, tmp_path / "other")
    with pytest.raises(
        InputError, match="'words:16' does not reproduce the features of conversation 'test0' from its text"
    ):
        word_errors(config_of(other), tmp_path, other, other.split("test"), (0.5,), 0)
    silent = spoken_builder()
    silent.conversations = [
        Conversation(c.id, tuple(replace(u, text=None) for u in c.utterances)) for c in silent.conversations
    ]
    mute = write_corpus(silent, tmp_path / "mute")
    with pytest.raises(InputError, match="the utterances have no text"):
        word_errors(config_of(mute), tmp_path, mute, mute.split("test"), (0.5,), 0)
