"""Joined corpora: labels, features and splits of the first one, train conversations of all."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sdt.__main__ import main
from sdt.conversation import Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.joining import join
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.feature_table import FeatureTable
from sdt.speakers import Speakers

LABELS = ("joy", "sadness")
LONG = "Where have you been all day, Ann?"


def made(folder: Path, name: str, labels: tuple[str, ...], audio: str = "voice", **splits: list[str]) -> Corpus:
    """A corpus whose conversations have an utterance for each word of `LABEL LABEL`; features count the rows."""
    conversations = [
        Conversation(
            f"{split}{number}",
            tuple(
                Utterance(str(n), "AB"[n % 2], f"{name} {split} {number}", label) for n, label in enumerate(of.split())
            ),
        )
        for split, texts in splits.items()
        for number, of in enumerate(texts)
    ]
    places = {split: [one.id for one in conversations if one.id.startswith(split)] for split in splits}
    n = sum(map(len, conversations))
    rows = np.arange(n, dtype=np.float32)[:, None]
    features = {
        "text": FeatureTable(np.hstack([rows, rows + 100]), np.ones(n, np.bool_), "words:2"),
        "audio": FeatureTable(rows + 7, np.arange(n) != 1, audio),
    }
    builder = CorpusBuilder(
        name, conversations, labels, places, features, Speakers.from_conversations(conversations, "appearance"), name
    )
    return write_corpus(builder, folder / name)


@pytest.fixture
def corpora(tmp_path: Path) -> list[Corpus]:
    first = made(tmp_path, "first", LABELS, train=["joy joy"], dev=["sadness"], test=["joy"])
    other = made(
        tmp_path, "other", ("glad", "sadness", "bored"), "another", test=["glad"], train=["glad bored", "sadness"]
    )
    return [first, other]


def test_join(corpora: list[Corpus], tmp_path: Path) -> None:
    builder = join(corpora, {"glad": "joy"})
    corpus = write_corpus(builder, tmp_path / "joined")
    assert (corpus.name, corpus.labels, corpus.licence) == ("first+other", ("joy", "sadness"), "first and other")
    assert {split: list(ids) for split, ids in corpus.splits.items()} == {
        "train": ["train0", "other/train0", "other/train1"],
        "dev": ["dev0"],
        "test": ["test0"],
    }
    assert [u.label for one in corpus.split("train") for u in one.utterances] == ["joy", "joy", "joy", None, "sadness"]
    text, audio = corpus.modalities["text"], corpus.modalities["audio"]
    assert text.rows(corpus.rows("other/train0"))[:, 0].tolist() == [1, 2]  # row 0 is of its test
    assert text.rows(corpus.rows("test0"))[:, 0].tolist() == [3]
    assert audio.present.tolist() == [True, False, True, True, False, False, False]
    assert not audio.rows(corpus.rows("other/train0")).any()
    assert any("bored" in note for note in builder.notes)
    assert corpus.provenance["rename"] == {"glad": "joy"}


def test_memory_grows_with_the_number_of_conversations(tmp_path: Path) -> None:
    peaks = []
    for size in (1000, 4000):
        corpora = [made(tmp_path, f"{name}{size}", LABELS, train=["joy"] * size, dev=["sadness"]) for name in "ab"]
        tracemalloc.start()
        write_corpus(join(corpora, {}), tmp_path / f"joined{size}")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 6 * peaks[0]


def test_join_with_dev(tmp_path: Path) -> None:
    first = made(tmp_path, "first", LABELS, train=["joy joy"], dev=["sadness"])
    other = made(tmp_path, "other", ("joy", "sadness"), train=["joy"], dev=["sadness joy"], test=["joy"])
    for with_dev, dev in ((False, ["dev0"]), (True, ["dev0", "other/dev0"])):
        corpus = write_corpus(join([first, other], {}, with_dev=with_dev), tmp_path / f"joined{with_dev}")
        assert list(corpus.splits["dev"]) == dev
        assert list(corpus.splits["train"]) == ["train0", "other/train0"]
        text = corpus.modalities["text"].rows(corpus.rows(dev[-1]))[:, 0].tolist()
        assert text == ([1, 2] if with_dev else [2])  # rows of the corpus of origin


def test_scenes_of_dev_and_test_are_left_out(tmp_path: Path) -> None:
    first = made(tmp_path, "first", LABELS, train=["joy joy"], test=["joy joy"])
    builder = CorpusBuilder(
        "other",
        [
            Conversation("a", (Utterance("0", "A", LONG, "joy"), Utterance("1", "B", "No.", "joy"))),
            Conversation("b", (Utterance("0", "A", "first test 0", "joy"), Utterance("1", "B", LONG, "joy"))),
            Conversation("c", (Utterance("0", "A", LONG, "joy"), Utterance("1", "B", LONG[:-1] + " Oh!", "joy"))),
        ],
        ("joy", "sadness"),
        {"train": ["b", "c"], "test": ["a"]},
        {"text": FeatureTable(np.ones((6, 2), np.float32), np.ones(6, np.bool_), "words:2")},
        Speakers("appearance", 2),
    )
    other = write_corpus(builder, tmp_path / "other")
    held = replace(builder, name="held", splits={"test": ["a"], "train": ["b"]})
    joined = join([write_corpus(held, tmp_path / "held"), other], {})
    assert [u.label for c in joined.conversations[3:] for u in c.utterances] == ["joy", None, None, "joy"]
    assert join([first, other], {}).notes[0].startswith("other: lacks audio")


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        ({"gladd": "joy"}, "no other corpus has the label 'gladd'"),
        ({"glad": "joyy"}, "first has no label 'joyy'"),
    ],
)
def test_refused_labels(corpora: list[Corpus], rename: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        join(corpora, rename)


def test_refused_corpora(corpora: list[Corpus], tmp_path: Path) -> None:
    first, other = corpora
    with pytest.raises(InputError, match="two of the corpora"):
        join([first, first], {})
    held = made(tmp_path, "held", ("joy", "sadness"), test=["joy"])
    with pytest.raises(InputError, match="has no train split"):
        join([first, held], {})
    strange = made(tmp_path, "strange", ("a", "b"), train=["a", "b"])
    with pytest.raises(InputError, match="none of its labels"):
        join([first, strange], {})
    assert join([first, other], {"glad": "joy"}, "both").name == "both"


def test_command(corpora: list[Corpus], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(one.folder) for one in corpora]
    out = str(tmp_path / "joined")
    assert main(["corpus", "join", *folders, "--rename", "glad=joy", "--output", out]) == 0
    assert "note: other: 2 conversations added" in capsys.readouterr().out
    assert main(["corpus", "check", out]) == 0
    assert main(["corpus", "join", *folders, "--output", out]) == 2
    assert main(["corpus", "join", *folders, "--rename", "glad", "--output", f"{out}2"]) == 2
