"""How often conversations of joined corpora are trained on: the counts of each epoch, and whole runs."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from pathlib import Path

import pytest

from sdt.corpus.builder import write_corpus
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.training.recipe import changed
from sdt.training.run import train
from sdt.training.sampling import Sampling
from sdt.training.settings import Recipe, Training
from tests.training.conftest import make_builder, make_recipe
from tests.training.test_run import assert_same_run, metrics, quiet, train_interrupted


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """The tiny corpus, as if half of its training conversations were of two others."""
    builder = make_builder()
    ids = builder.splits["train"]
    new = {id: f"{('', 'talks/', '', 'comments/')[n % 4]}{id}" for n, id in enumerate(ids)}
    builder.conversations = [dataclasses.replace(c, id=new.get(c.id, c.id)) for c in builder.conversations]
    builder.splits = {split: [new.get(id, id) for id in of] for split, of in builder.splits.items()}
    return write_corpus(builder, tmp_path / "joined")


@pytest.fixture
def recipe(corpus: Corpus) -> Recipe:
    return changed(make_recipe(corpus.folder), {"training.epochs": 5})


def counts(sampling: Sampling, epoch: int) -> Counter[str]:
    return Counter(one.id for one in sampling.conversations(epoch))


@pytest.mark.parametrize("rate", [0, 0.4, 1, 2.7])
@pytest.mark.parametrize("as_list", [False, True])
def test_every_conversation_is_trained_on_equally_often(corpus: Corpus, rate: float, as_list: bool) -> None:
    conversations = corpus.split("train")
    n = sum(one.id.startswith("talks/") for one in conversations)
    sampling = Sampling({"talks": rate}, 3, list(conversations) if as_list else conversations)
    total: Counter[str] = Counter()
    for epoch in range(1, n + 1):
        of = counts(sampling, epoch)
        assert all(count == 1 for id, count in of.items() if not id.startswith("talks/"))
        talks = {id: count for id, count in of.items() if id.startswith("talks/")}
        assert sum(talks.values()) == int(rate) * n + round(rate % 1 * n)
        assert {*talks.values()} <= {math.floor(rate), math.ceil(rate)}
        total += of
    assert len({count for id, count in total.items() if id.startswith("talks/")}) == (rate > 0)


def test_the_order_is_that_of_the_seed(corpus: Corpus) -> None:
    conversations = corpus.split("train")

    def drawn(seed: int) -> list[Counter[str]]:
        sampling = Sampling({"talks": 0.4, "comments": 0.4}, seed, conversations)
        return [counts(sampling, epoch) for epoch in (1, 2, 3)]

    assert drawn(1) == drawn(1)
    assert len({tuple(map(str, drawn(seed))) for seed in range(9)}) > 1


def test_runs_record_the_number_and_resume_with_the_same_bits(corpus: Corpus, recipe: Recipe, tmp_path: Path) -> None:
    rates = {"talks": 2.5, "comments": 0.5}
    given = {"training.sampling": rates, "training.batch_utterances": 9, "training.schedule": "linear"}
    recipe = changed(recipe, given)
    train(recipe, tmp_path / "whole", display=quiet())
    sampling = Sampling(rates, recipe.seed, corpus.split("train"))
    expected = [len(sampling.conversations(epoch)) for epoch in range(1, 6)]
    assert [line["conversations"] for line in metrics(tmp_path / "whole")] == expected
    assert min(expected) > len(corpus.split("train"))
    train_interrupted(recipe, tmp_path / "stopped", scoring=3)
    train(recipe, tmp_path / "stopped", resume=True, display=quiet())
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


@pytest.mark.parametrize(
    ("rates", "words"),
    [({"talk": 2}, "'talks'"), ({"everyday": 2}, "comments, talks"), ({"talks/1": 2}, "talks")],
)
def test_names_that_no_conversation_has(corpus: Corpus, rates: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=r"^training\.sampling: ") as raised:
        Sampling(rates, 0, corpus.split("train"))
    assert words in str(raised.value)


def test_an_epoch_without_conversations_is_refused(corpus: Corpus) -> None:
    conversations = [one for one in corpus.split("train") if "/" in one.id]
    with pytest.raises(InputError, match=r"^training\.sampling: "):
        Sampling({"talks": 0, "comments": 0}, 0, conversations)


@pytest.mark.parametrize("rates", [{"a": -1}, {"a": math.inf}, {"a": math.nan}, {"a": 1e9}])
def test_rates_that_are_refused(rates: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"^training\.sampling: a: "):
        Training(sampling=rates)


def test_a_curriculum_excludes_it() -> None:
    with pytest.raises(InputError, match=r"^training\.sampling: "):
        Training(epochs=8, sampling={"a": 2}, curriculum="shifts")
