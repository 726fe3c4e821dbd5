"""sdt search, as a user types it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from sdt.__main__ import main
from sdt.experiments.search import Search, Trial
from sdt.training.display import Display
from sdt.training.recipe import load_recipe
from tests.experiments.conftest import place

__all__ = ["place"]

COMMAND = ["search", "tiny.yaml", "--space", "training.learning_rate=1e-4..1e-2:log", "model.heads=2,3"]


def test_a_search_and_its_recipe(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([*COMMAND, "--trials", "4", "--seeds", "5"]) == 0
    shown = capsys.readouterr().out
    assert "0 of 4 trials are done" in shown
    assert "1/4  dev " in shown
    assert "failed (model.heads: 3 heads do not divide model.width 16)" in shown
    assert "budget: 4 trials (" in shown
    folder = place / "runs/tiny-search"
    values = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    counted = values["budget"]
    assert counted["trials"] == counted["complete"] + counted["failed"] == 4
    assert counted["epochs"] == sum(trial["epochs"] for trial in values["trials"]) == 2 * counted["complete"]
    assert counted["seconds"] > 0
    best = values["trials"][values["best"]]
    recipe = load_recipe(folder / "best.yaml")
    assert recipe.training.learning_rate == best["settings"]["training.learning_rate"]
    assert recipe.training.test == "sealed"  # the search's own choice is none of the recipe's
    head = (folder / "best.yaml").read_text(encoding="utf-8")
    assert "Budget: 4 trials" in head
    assert f"# Command: sdt {' '.join(COMMAND)}" in head

    # What came out is a recipe, with the same score on dev.
    assert main(["train", str(folder / "best.yaml"), "--seed", "5", "--output", "again"]) == 0
    scores = json.loads((place / "again/scores.json").read_text(encoding="utf-8"))
    assert scores["scores"]["dev"]["fused"]["weighted_f1"] == best["dev_weighted_f1"]
    capsys.readouterr()

    # The same command has nothing to do; more trials are added; another search is refused.
    assert main([*COMMAND, "--trials", "4", "--seeds", "5"]) == 0
    assert "4 of 4 trials are done\nbest of 4 trials" in capsys.readouterr().out
    trial = Search.trial

    def slow(self: Search, display: Display) -> Trial:
        time.sleep(1)
        return trial(self, display)

    with monkeypatch.context() as patched:
        patched.setattr(Search, "trial", slow)
        assert main([*COMMAND, "--trials", "9", "--seeds", "5", "--seconds", "1"]) == 0
    assert "(--seconds 1)" in capsys.readouterr().out
    assert json.loads((folder / "results.json").read_text(encoding="utf-8"))["budget"]["trials"] == 5
    for changed, message in (
        (["--seeds", "6"], "seeds is [5] in the folder, but [6] now"),
        (["--seeds", "5", "--training.epochs", "3"], "training.epochs is 2 in the folder, but 3 now"),
        (["--seeds", "5", "--space", "model.layers=1,2"], "space is "),
    ):
        assert main([*COMMAND, *changed]) == 2
        assert message in capsys.readouterr().err


def test_ctrl_c(place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Search, "trial", interrupted)
    assert main([*COMMAND]) == 130
    assert capsys.readouterr().err == f"sdt: stopped; resume with: sdt {' '.join(COMMAND)}\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["none.yaml", "--space", "model.width=8,16"], "no such file"),
        (["tiny.yaml"], "search space is empty"),
        (["tiny.yaml", "--space", "model.widt=8..16"], "did you mean 'model.width'?"),
        (["tiny.yaml", "--space", "model.width=8,16", "--training.protocol", "published"], "a search selects on dev"),
        (["tiny.yaml", "--space", "model.width=8,16", "--training.test", "once"], "unknown option '--training.test'"),
        (["tiny.yaml", "--space", "model.width=8,16", "--corpus", "nowhere"], "nowhere: not a corpus folder"),
        (
            ["tiny.yaml", "--space", "model.width=8,16", "--output", "tiny"],
            "tiny: is not empty and has no search.json",
        ),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    arguments: list[str], expected: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(place.rglob("*"))
    assert main(["search", *arguments]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1
    assert sorted(place.rglob("*")) == before


def test_without_optuna(place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main(COMMAND) == 2
    assert "pip install 'sdt-erc[search]'" in capsys.readouterr().err
    assert not (place / "runs").exists()
