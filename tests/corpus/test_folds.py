"""Folds of cross-validation: every conversation is tested once, and groups stay together."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sdt.conversation import Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.folds import Folds
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.feature_table import FeatureTable
from sdt.speakers import Speakers


def make(folder: Path, conversations: list[Conversation], unused: int = 0) -> Corpus:
    size = sum(map(len, conversations))
    table = FeatureTable(np.arange(2.0 * size, dtype=np.float32).reshape(size, 2), np.ones(size, bool), "made")
    ids = [conversation.id for conversation in conversations]
    splits = {"train": ids[unused + 2 :], "dev": ids[unused : unused + 1], "test": ids[unused + 1 : unused + 2]}
    speakers = Speakers.from_conversations(conversations, "appearance")
    return write_corpus(CorpusBuilder("made", conversations, ("a", "b"), splits, {"text": table}, speakers), folder)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """24 conversations of 3 days, each with two of the day's three speakers; the first is in no split."""
    random = np.random.default_rng(0)
    conversations = [
        Conversation(
            f"talk{number}",
            tuple(
                Utterance(
                    str(turn), f"{'ABC'[(number // 3 + turn % 2) % 3]}{number % 3}", "hm", "ab"[turn % 2],
                    extra={"day": f"day {number % 3 + 9}"},
                )
                for turn in range(int(random.integers(2, 9)))
            ),
        )
        for number in range(24)
    ]  # fmt: skip
    return make(tmp_path_factory.mktemp("folds") / "corpus", conversations, unused=1)


@pytest.mark.parametrize(("count", "leave_out"), [(2, None), (5, None), (23, None), (None, "day"), (2, "speaker")])
def test_every_conversation_is_tested_once(count: int | None, leave_out: str | None, corpus: Corpus) -> None:
    folds = Folds(corpus, count, leave_out, seed=3)
    tested = Counter(id for test in folds.test for id in test)
    assert tested == Counter(f"talk{number}" for number in range(1, 24))
    for number, test in enumerate(folds.test, start=1):
        split = folds.split(number, 0.2)
        assert set(split.splits["test"]) == set(test)
        parts = [set(split.splits[name]) for name in ("train", "dev", "test")]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 23
        assert len(parts[1]) == round(0.2 * (23 - len(test)))
        assert split.division == f"{folds.names[number - 1]} of {len(folds.names)}"
        again = Folds(split, count, leave_out, seed=3).split(number, 0.2)  # a division can be divided again
        assert {name: list(ids) for name, ids in again.splits.items()} == {n: list(i) for n, i in split.splits.items()}
    assert corpus.division == ""
    assert set(corpus.splits) == {"train", "dev", "test"}
    assert len(corpus.splits["train"]) == 21


def test_groups_stay_together(corpus: Corpus) -> None:
    folds = Folds(corpus, None, "day")
    assert folds.names == ["day=day_9", "day=day_10", "day=day_11"]
    assert [{int(id[4:]) % 3 for id in test} for test in folds.test] == [{0}, {1}, {2}]
    assert [sorted(test) for test in Folds(corpus, None, "speaker").test] == [sorted(test) for test in folds.test]
    assert Folds(corpus, None, "speaker").names[0] == "speaker=A0+B0+C0"


def test_folds_have_similar_sizes_and_follow_the_seed(corpus: Corpus) -> None:
    folds = Folds(corpus, 4, None, seed=1)
    sizes = [sum(len(corpus.conversations[id]) for id in test) for test in folds.test]
    assert max(sizes) - min(sizes) <= 8
    assert folds.test == Folds(corpus, 4, None, seed=1).test != Folds(corpus, 4, None, seed=2).test


def test_sessions_of_iemocap(tmp_path: Path) -> None:
    ids = [f"Ses0{session}{gender}_impro0{n}" for session in (2, 1) for gender in "FM" for n in (1, 2)]
    corpus = make(tmp_path / "c", [Conversation(id, (Utterance("0", "F", "hm", "a"),)) for id in ids])
    folds = Folds(corpus, None, "session")
    assert folds.names == ["session=1", "session=2"]
    assert all(id.startswith("Ses01") for id in folds.test[0])


def test_errors(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="23 conversations cannot be divided into 24 folds"):
        Folds(corpus, 24, None)
    with pytest.raises(InputError, match="in groups of day cannot be divided into 4 folds"):
        Folds(corpus, 4, "day")
    with pytest.raises(InputError, match=r"no 'dey'; known are speaker, day; .*--keep dey"):
        Folds(corpus, None, "dey")
    with pytest.raises(InputError, match=r"cross_validation\.fold: 4 is not in 1 to 3"):
        Folds(corpus, None, "day").split(4, 0.1)
    one = make(tmp_path / "c", [Conversation(str(n), (Utterance("0", "Ann", "hm", "a"),)) for n in range(4)])
    with pytest.raises(InputError, match="all conversations are in one group of speaker"):
        Folds(one, None, "speaker")
