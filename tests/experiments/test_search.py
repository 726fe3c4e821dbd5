"""The search: dev decides, test is never read, an interruption changes nothing."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import sdt.training.epochs as epochs_module
import sdt.training.test_monitor as sealed_module
from sdt.conversation import Conversation
from sdt.corpus.builder import write_corpus
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.outputs import SplitOutputs, run_model
from sdt.experiments.search import Search, Trial
from sdt.experiments.search_folder import begin_search
from sdt.experiments.space import parse_space
from sdt.models.sdt.model import SDT
from sdt.training.checkpoint import save_checkpoint
from sdt.training.folder import RunFolder
from sdt.training.recipe import changed, flat, unflat
from sdt.training.run import train
from sdt.training.settings import Recipe
from tests.training.conftest import make_builder
from tests.training.test_run import quiet

SPACE = ("training.learning_rate=1e-5..1e-1:log", "model.width=8,16")
EPOCHS = 5


@pytest.fixture
def searches(recipe: Recipe) -> Iterator[list[Search]]:
    """Those that are to be closed."""
    made: list[Search] = []
    yield made
    for search in made:
        search.close()


def begin(folder: Path, recipe: Recipe, made: list[Search], seeds: tuple[int, ...] = (0,)) -> Search:
    folder.mkdir(exist_ok=True)
    short = dataclasses.replace(recipe, training=dataclasses.replace(recipe.training, epochs=EPOCHS))
    made.append(Search(folder, short, parse_space(SPACE), seeds))
    return made[-1]


def go_on(search: Search, trials: int) -> list[Trial]:
    while len(search.ended) < trials:
        search.trial(quiet())
    return search.trials


def without_times(trials: list[Trial]) -> list[Trial]:
    return [dataclasses.replace(trial, seconds=0.0) for trial in trials]


def test_dev_decides(recipe: Recipe, tmp_path: Path, searches: list[Search]) -> None:
    search = begin(tmp_path / "s", recipe, searches, seeds=(0, 1))
    [first, *_] = go_on(search, 3)
    assert first.settings == {"training.learning_rate": 3e-3, "model.width": 16}  # the recipe's own
    assert first.epochs == 2 * EPOCHS
    scores = []
    for seed in (0, 1):
        by_hand = dataclasses.replace(search.settings(first), seed=seed)
        run = train(by_hand, tmp_path / f"hand-{seed}", display=quiet())
        scores.append(run.read_scores()[1]["dev"]["fused"].weighted_f1)
    assert first.score == pytest.approx(sum(scores) / 2)
    best = search.best
    assert best is not None
    assert best.score == max(trial.score or 0 for trial in search.trials)
    assert search.settings(best) == changed(search.recipe, best.settings)
    assert not list((tmp_path / "s").rglob("model*"))


def test_an_interrupted_search_makes_the_same_trials(
    recipe: Recipe, tmp_path: Path, searches: list[Search], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = without_times(go_on(begin(tmp_path / "whole", recipe, searches), 8))
    assert {trial.state for trial in whole} == {"complete", "pruned"}
    [pruned] = [trial for trial in whole if trial.state == "pruned"][:1]
    assert pruned.epochs < EPOCHS

    for trial in range(8):  # each is broken off in its second epoch, and then goes on

        def stopping(path: Path, state: Any, *rest: Any) -> None:
            save_checkpoint(path, state, *rest)
            if state.epoch == 2:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(epochs_module, "save_checkpoint", stopping)
            with pytest.raises(KeyboardInterrupt):
                begin(tmp_path / "parts", recipe, searches).trial(quiet())
        assert [t.state for t in searches[-1].trials][trial] == "running"
        go_on(begin(tmp_path / "parts", recipe, searches), trial + 1)
    assert without_times(searches[-1].trials) == whole


def test_test_is_never_read(
    recipe: Recipe, tmp_path: Path, searches: list[Search], monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = make_builder()
    first = sum(len(c) for c in builder.conversations if not c.id.startswith("test"))
    for table in builder.features.values():
        table.features[first:] = np.where(table.present[first:, None], 1e9, 0.0)
    write_corpus(builder, tmp_path / "changed")
    other = dataclasses.replace(recipe, corpus=str(tmp_path / "changed"))

    def spy(model: SDT, corpus: Corpus, conversations: list[Conversation], **options: Any) -> SplitOutputs:
        assert not any(conversation.id.startswith("test") for conversation in conversations)
        return run_model(model, corpus, conversations, **options)

    for module in (epochs_module, sealed_module):
        monkeypatch.setattr(module, "run_model", spy)
    here, there = (go_on(begin(tmp_path / name, r, searches), 2) for name, r in (("a", recipe), ("b", other)))
    assert without_times(here) == without_times(there)
    for run in (tmp_path / "a" / "trials").glob("*/*"):
        assert RunFolder(run).read_scores()[1].keys() == {"dev"}
    with pytest.raises(InputError, match="a search selects on dev"):
        begin(tmp_path, dataclasses.replace(
            recipe, training=dataclasses.replace(recipe.training, protocol="published")
        ), searches)  # fmt: skip


def test_a_trial_that_fails_is_kept_with_its_reason(recipe: Recipe, tmp_path: Path, searches: list[Search]) -> None:
    searches.append(Search(tmp_path, recipe, parse_space(["model.heads=2,3"]), (0,)))
    trials = go_on(searches[-1], 4)
    failed = [trial for trial in trials if trial.settings["model.heads"] == 3]
    assert failed
    for trial in trials:
        assert (trial.state == "failed") == (trial in failed)
    assert "3 heads do not divide" in (failed[0].error or "")
    assert searches[-1].best not in failed


def test_bars_are_possible(recipe: Recipe, tmp_path: Path, searches: list[Search]) -> None:
    from sdt.training.display import Display

    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    begin(tmp_path / "s", recipe, searches).trial(Display(console))
    assert "utterances/s" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_search_of_an_earlier_version_resumes(tmp_path: Path) -> None:
    """The file was written by commit bf48d4c, which did not have all settings of today."""
    content = (Path(__file__).parents[1] / "data/earlier/search.json").read_text(encoding="utf-8")
    (tmp_path / "search.json").write_text(content, encoding="utf-8")
    saved = json.loads(content)
    recipe = unflat(saved["recipe"])
    assert flat(recipe).keys() - saved["recipe"].keys()
    begin_search(tmp_path, recipe, saved["space"], saved["seeds"], {"environment": saved["environment"]})
    assert (tmp_path / "search.json").read_text(encoding="utf-8") == content
    other = changed(recipe, {"training.epochs": 4})
    with pytest.raises(InputError, match=r"training\.epochs is 3 in the folder, but 4 now"):
        begin_search(tmp_path, other, saved["space"], saved["seeds"], {"environment": saved["environment"]})
