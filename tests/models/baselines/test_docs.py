"""The model of one's own in docs/baselines.md: its file, its commands, and that it keeps what every model has to."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from sdt.__main__ import main
from sdt.corpus.builder import write_corpus
from sdt.models import registry
from sdt.training.recipe import dump_recipe
from tests.experiments.conftest import processes
from tests.models.baselines import contract
from tests.shared import ROOT
from tests.training.conftest import make_builder, make_recipe

__all__ = ["processes"]
DOCS = (ROOT / "docs" / "baselines.md").read_text(encoding="utf-8")
CODE, LOADING = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
COMMANDS = [line.removeprefix("$ sdt ") for line in DOCS.splitlines() if line.startswith("$ sdt ")]
REFERENCE = "my_model.py:MeanContext"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the file, a corpus and a recipe as the docs have them; a registry that knows no code."""
    monkeypatch.setattr(registry, "_custom", {})
    monkeypatch.setattr(registry, "_files", {})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_model.py").write_text(CODE, encoding="utf-8")
    corpus = write_corpus(make_builder(), tmp_path / "tiny")
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "puppets.yaml").write_text(dump_recipe(make_recipe(corpus.folder)), encoding="utf-8")
    return tmp_path


@pytest.mark.usefixtures("place")
def test_it_keeps_what_every_model_has_to() -> None:
    model = contract.build(registry.find(REFERENCE))
    contract.packed_equals_one_at_a_time(model)
    contract.neighbours_have_no_influence_at_all(model)
    contract.missing_values_are_never_read(model)
    contract.every_parameter_receives_a_gradient(model)
    contract.looks_at(model, context=True, speakers=False, says=True)


@pytest.mark.usefixtures("processes")
def test_its_commands(place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert [shlex.split(command)[0] for command in COMMANDS] == ["models", "train", "experiment", "evaluate", "compare"]
    for command in COMMANDS:
        monkeypatch.setattr(registry, "_custom", {})  # each command is a process of its own
        assert main(shlex.split(command)) == 0, capsys.readouterr().err
        out = capsys.readouterr().out
        if command.startswith("models"):
            assert "--my_model.width (default: 64)\n      Width of the hidden layer." in out
    config = json.loads((place / "runs/mine/model/config.json").read_text(encoding="utf-8"))
    assert (config["model"], config["architecture"]) == (REFERENCE, {"width": 32})
    assert "my_model:\n  width: 32\n" in (place / "runs/mine/recipe.yaml").read_text(encoding="utf-8")
    rows = [path.name for path in (place / "runs/puppets-grid").iterdir() if path.is_dir()]
    assert sorted(rows) == ["architecture=my_model.py-meancontext", "architecture=utterance"]

    monkeypatch.setattr(registry, "_custom", {})
    assert main(["evaluate", "runs/mine"]) == 2
    assert f"--code {REFERENCE}" in capsys.readouterr().err
    assert registry.find_imported(REFERENCE) is None
    explain = ["explain", "runs/mine", "--conversation", "test0", "--device", "cpu"]
    spaces = ["representations", "runs/mine", "--device", "cpu", "--output", "spaces"]
    for arguments in (explain, spaces):
        monkeypatch.setattr(registry, "_custom", {})
        assert main(arguments) == 2
        assert f"--code {REFERENCE}" in capsys.readouterr().err
        assert main([*arguments, "--code", REFERENCE]) == 0
    card = (place / "runs/mine/model/README.md").read_text(encoding="utf-8")
    assert f'find("{REFERENCE}")' in card


def test_loading_it_in_python(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(shlex.split(COMMANDS[1])) == 0
    monkeypatch.setattr(registry, "_custom", {})
    names: dict[str, object] = {}
    exec(LOADING, names)
    assert type(names["model"]).__name__ == "MeanContext"


@pytest.mark.usefixtures("place")
def test_wrong_settings_of_it_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "recipes/puppets.yaml", "--model", REFERENCE]
    assert main([*command, "--my_model.widht", "3"]) == 2
    assert "my_model.widht is not a setting; did you mean 'my_model.width'?" in capsys.readouterr().err
    assert main([*command, "--my_model.width=wide"]) == 2
    assert "my_model.width: 'wide' is not a whole number" in capsys.readouterr().err


def test_every_model_is_in_the_docs() -> None:
    for name in registry.MODELS:
        assert DOCS.count(f"| `{name}` |") + DOCS.count(f"`{name}`,") + DOCS.count(f", `{name}`") >= 3, name
