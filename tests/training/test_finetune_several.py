"""Fine-tuning on several corpora at once: a classifier each, soft labels, and no train texts of another's test."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sdt.conversation import Annotation, Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.overlap import overlap
from sdt.corpus.store import Corpus
from sdt.encoders.text_model import find_text_model
from sdt.errors import InputError
from sdt.feature_table import FeatureTable
from sdt.speakers import Speakers
from sdt.training.finetune import finetune
from sdt.training.finetune_model import split_texts
from sdt.training.finetune_settings import FineTuning
from tests.encoders.tiny_bert import make_spoken, write_bert
from tests.training.test_finetune import Stop, weights

OTHER = {"glad": "high", "cross": "low", "calm": "low"}
"""The labels of a second corpus."""


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> list[Corpus]:
    folder = tmp_path_factory.mktemp("corpora")
    spoken = make_spoken()
    renamed = [
        replace(one, utterances=tuple(replace(u, label=u.label and OTHER[u.label]) for u in one.utterances))
        for one in spoken.conversations
    ]
    other = replace(spoken, name="other", conversations=renamed, labels=("low", "high"))
    return [write_corpus(spoken, folder / "spoken"), write_corpus(other, folder / "other")]


@pytest.fixture(scope="module")
def settings(bert: Path) -> FineTuning:
    return FineTuning(str(bert), epochs=12, batch=4, learning_rate=1e-2, head_learning_rate=3e-2, dropout=0.0)


def test_every_corpus_is_learnt_with_its_labels(corpora: list[Corpus], settings: FineTuning, tmp_path: Path) -> None:
    record = finetune(corpora[0], tmp_path / "both", settings, also=corpora[1:])
    (other,) = record["also"]
    assert (record["labels"], other["labels"]) == (["glad", "cross", "calm"], ["low", "high"])
    assert (record["corpus"]["name"], other["corpus"]["name"]) == ("spoken", "other")
    for one in (record, other):
        assert one["scores"]["dev"]["weighted_f1"] == one["scores"]["test"]["weighted_f1"] == 1
    for line in record["history"]:
        assert line["dev"]["weighted_f1"] == pytest.approx(np.mean([of["weighted_f1"] for of in line["each"]]))


def test_a_resumed_run_is_bit_identical(corpora: list[Corpus], settings: FineTuning, tmp_path: Path) -> None:
    settings = replace(settings, epochs=2)
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    finetune(corpora[0], whole, settings, also=corpora[1:])
    with pytest.raises(KeyboardInterrupt):
        finetune(corpora[0], parted, settings, also=corpora[1:], display=Stop(30))
    with pytest.raises(InputError, match="also"):
        finetune(corpora[0], parted, settings, resume=True)
    finetune(corpora[0], parted, settings, also=corpora[1:], resume=True)
    assert weights(parted) == weights(whole)
    assert json.loads((parted / "finetune.json").read_text())["also"][0]["corpus"]["name"] == "other"


def of_texts(name: str, **splits: list[list[str]]) -> CorpusBuilder:
    """A corpus with the texts of the conversations of each split."""
    conversations = [
        Conversation(f"{split}{number}", tuple(Utterance(str(n), "A", text, "x") for n, text in enumerate(texts)))
        for split, of in splits.items()
        for number, texts in enumerate(of)
    ]
    places = {split: [one.id for one in conversations if one.id.startswith(split)] for split in splits}
    n = sum(map(len, conversations))
    table = FeatureTable(np.ones((n, 2), np.float32), np.ones(n, np.bool_), "made")
    return CorpusBuilder(name, conversations, ("x", "y"), places, {"voice": table}, Speakers("appearance", 1))


def test_texts_of_another_corpus_are_left_out(tmp_path: Path) -> None:
    train = [
        ["Where have you been all day?", "No.", "At the old harbour, with Ann."],  # two utterances of a scene of test
        ["What are you doing?", "where have you been, all DAY", "Oh."],  # one utterance; the first one is too short
        ["I would never have said such things.", "Yes."],
    ]
    held = [["Where have you been all day?", "At the old harbour with Ann!", "No."], ["What are you doing?"]]
    own = [["I would never have said such things."]]
    first = write_corpus(of_texts("first", train=train, dev=own), tmp_path / "first")
    second = write_corpus(of_texts("second", train=[["Nothing."]], test=held), tmp_path / "second")
    assert overlap([first, second], 0) == {("train0", "0"), ("train0", "1"), ("train0", "2"), ("train1", "1")}
    assert overlap([first, second], 1) == set()
    assert overlap([first], 0) == set()


def test_soft_labels_are_shares_of_the_annotators(bert: Path, tmp_path: Path) -> None:
    builder = make_spoken()
    rated = (Annotation("Rita", "glad"), Annotation("Tom", "calm"), Annotation("Tom", "bored"))
    first = builder.conversations[1]
    changed = replace(first, utterances=(replace(first.utterances[0], annotations=rated), *first.utterances[1:]))
    builder = replace(builder, conversations=[builder.conversations[0], changed, *builder.conversations[2:]])
    corpus = write_corpus(builder, tmp_path / "rated")
    tokenizer, _ = find_text_model(str(bert)).load()
    hard, soft = (split_texts(corpus, "train", tokenizer, 12, soft=soft) for soft in (False, True))
    assert hard.target is hard.label
    assert torch.equal(hard.label, soft.label)
    expected = torch.nn.functional.one_hot(hard.label, 3).float()
    expected[2] = torch.tensor([0.5, 0.0, 0.5])
    assert torch.equal(soft.target, expected)
