from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sdt.errors import InputError
from sdt.models.config import PRESETS, Architecture, Objective
from sdt.training.recipe import changed, dump_recipe, flat, load_recipe, resolved, unflat
from sdt.training.schema import settings as all_settings
from sdt.training.settings import Recipe, Training
from tests.shared import ROOT

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


def written(folder: Path, text: str) -> Path:
    path = folder / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_is_read_and_says_where_it_comes_from(path: Path, tmp_path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.training.protocol == "validation"
    assert load_recipe(written(tmp_path, dump_recipe(recipe))) == recipe
    header = path.read_text(encoding="utf-8").partition("\n\n")[0]
    for word in ("Source:", "Cost:", "Expected:", "Command:", f"sdt train recipes/{path.name}"):
        assert word in header


@pytest.mark.parametrize("name", ["puppets", "puppets.yaml", "recipes/puppets.yaml"])
def test_a_shipped_recipe_is_found_by_its_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "puppets").mkdir()  # a corpus, say
    assert load_recipe(Path(name)) == load_recipe(ROOT / "recipes" / "puppets.yaml")
    written(tmp_path, "seed: 77").rename(tmp_path / "puppets.yaml")
    assert load_recipe(Path("puppets.yaml")).seed == 77


@pytest.mark.parametrize("name", ["pupets", "elsewhere/puppets", "puppets.json", "recipes", "x" * 300])
def test_what_is_no_recipe(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").mkdir()
    with pytest.raises(InputError):
        load_recipe(Path(name))


def test_the_published_recipes() -> None:
    iemocap, meld = (load_recipe(ROOT / "recipes" / f"{name}.yaml") for name in ("iemocap", "meld"))
    assert (iemocap.model, meld.model) == (PRESETS["iemocap"], PRESETS["meld"])
    assert (iemocap.objective, meld.objective) == (Objective(), Objective(temperature=8))
    weights = iemocap.training.class_weights
    assert isinstance(weights, dict)
    frequencies = [0.086747, 0.144406, 0.227883, 0.160585, 0.127711, 0.252668]
    assert list(weights) == ["happy", "sad", "neutral", "angry", "excited", "frustrated"]
    assert list(weights.values()) == pytest.approx([1 / frequency for frequency in frequencies], rel=1e-12)
    published = {"optimizer": "adam", "schedule": "constant", "weight_decay": 1e-5, "clip": None, "warmup": 0.0}
    for recipe, rate, batch, epochs in ((iemocap, 1e-4, 16, 150), (meld, 5e-6, 8, 50)):
        training = recipe.training
        assert (training.learning_rate, training.batch_conversations, training.epochs) == (rate, batch, epochs)
        assert {key: getattr(training, key) for key in published} == published
        assert recipe.modalities == ("text", "audio", "visual")
    assert meld.training.class_weights == "none"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed: 1\ntraining:\n  epoch: 3", "line 3: training.epoch is not a setting; did you mean 'training.epochs'?"),
        ("epochs: 3", "line 1: epochs is not a setting; did you mean 'training.epochs'?"),
        ("modell:\n  width: 8", "line 1: modell is not a setting; did you mean 'model'?"),
        ("training:\n  epochs: many", "line 2: training.epochs: 'many' is not a whole number"),
        ("training:\n  epochs: 1.5", "line 2: training.epochs: 1.5 is not a whole number"),
        ("training:\n  epochs: true", "line 2: training.epochs: True is not a whole number"),
        ("training:\n  epochs: 0", "line 2: training.epochs: 0 is less than 1"),
        ("training:\n  schedule: cosin", "did you mean 'cosine'?"),
        ("training:\n  class_weights: invers", "did you mean 'inverse'?"),
        ("training:\n  clip: .nan", "line 2: training.clip: nan is not a number above 0"),
        ("training:\n  warmup: 1", "line 2: training.warmup: 1.0 is not in [0, 1)"),
        ("training:\n  learning_rate: 0", "training.learning_rate: 0.0 is not a number above 0"),
        ("training:\n  weight_decay: -1", "training.weight_decay: -1.0 is not a number of 0 or more"),
        ("model:\n  heads: 3", "line 2: model.heads: 3 heads do not divide model.width 1024"),
        ("model:\n  width: 12", "x.yaml: model.heads: 8 heads do not divide model.width 12"),
        ("model:\n  positions: 3", "line 2: model.positions: 3 is not true or false"),
        ("seed: null", "line 1: seed: None"),
        ("architecture: null", "line 1: architecture: None"),
        ("training:\n  learning_rate: null", "line 2: training.learning_rate: None"),
        ("objective:\n  terms: null", "line 2: objective.terms: None"),
        ("training:\n  class_weights: {1: 2}", "line 2: training.class_weights: {1: 2}"),
        ("training:\n  class_weights: [true]", "line 2: training.class_weights: [True]"),
        ("training:\n  epochs: many\nseed: x\nmodell: 3", "line 2: training.epochs: 'many'"),
        ("seed: 1\n? [a]\n: 3", "line 2: "),
        ("objective:\n  temperature: 0", "line 2: objective.temperature: 0.0"),
        ("training: 3", "line 1: training is a group of settings, not 3"),
        ("seed: 1\nseed: 2", "line 2: seed is set twice"),
        ("seed: -1", "line 1: seed: -1 is not in [0, 2^63)"),
        ("modalities: []", "line 1: modalities: [] is not a list of different names"),
        ("modalities: [a, a]", "is not a list of different names"),
        ("seed: [", "line 1: not YAML"),
        ("seed: 2020-13-01", "not YAML"),
        ("- seed", "a recipe is a mapping of settings"),
        ("<<: {seed: 2}", "<< is not a setting"),
        (
            "seed: 1\narchitecture: bc_lstn",
            "line 2: architecture: unknown model 'bc_lstn'; did you mean 'bc_lstm'?",
        ),
        ("bc_lstm:\n  widht: 8", "line 2: bc_lstm.widht is not a setting; did you mean 'bc_lstm.width'?"),
        ("bc_lstm:\n  width: wide", "line 2: bc_lstm.width: 'wide' is not a whole number"),
        ("bc_lstm:\n  width: 7", "line 2: bc_lstm.width: 7 is odd"),
        ("mmgcn:\n  context: frist", "did you mean 'first'?"),
        ("bc_lstm: 3", "line 1: bc_lstm is a group of settings, not 3"),
        ("sdt:\n  width: 8", "line 1: sdt is not a setting"),
        ("own:\n  bc_lstm: {}", "line 1: own is not a setting"),
        ("architecture: training.py:Mine", "settings called training are others; rename the file"),
        ("architecture: bc_lstm.py:Mine", "settings called bc_lstm are others; rename the file"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, expected: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_recipe(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert expected in message
    assert "\n" not in message


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_recipe(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(tmp_path / "binary.yaml")
    with pytest.raises(InputError, match="a folder"):
        load_recipe(tmp_path)


@pytest.mark.parametrize(
    ("options", "key", "value"),
    [
        (["--model.width", "256"], "model.width", 256),
        (["--training.epochs=5"], "training.epochs", 5),
        (["--training.learning_rate", "1e-4"], "training.learning_rate", 1e-4),
        (["--training.clip", "null"], "training.clip", None),
        (["--corpus", "2024"], "corpus", "2024"),
        (["--modalities", "text, audio"], "modalities", ("text", "audio")),
        (["--modalities=[text]"], "modalities", ("text",)),
        (["--model.speakers", "false"], "model.speakers", False),
        (["--training.class_weights", "[1, 2]"], "training.class_weights", [1.0, 2.0]),
        (["--training.class_weights={glad: 1, sad: 2}"], "training.class_weights", {"glad": 1.0, "sad": 2.0}),
        (["--seed", "1", "--seed", "2"], "seed", 2),
        (["--architecture", "bc_lstm"], "architecture", "bc_lstm"),
        (["--architecture", "bc_lstm"], "bc_lstm.width", 300),
        (["--bc_lstm.width", "64"], "bc_lstm.width", 64),
        (["--dialogue_gcn.past", "null"], "dialogue_gcn.past", None),
        (["--architecture", "mine.py:Mine", "--mine.width", "3"], "mine.width", 3),
    ],
)
def test_options_override(options: list[str], key: str, value: object, tmp_path: Path) -> None:
    path = written(tmp_path, "seed: 7\ncorpus: c\ntraining: {learning_rate: 1e-3, clip: 2}\n")
    assert flat(load_recipe(path, options))[key] == value


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--model.widht", "256"], "--model.widht is not a setting; did you mean 'model.width'?"),
        (["--epochs", "3"], "did you mean 'training.epochs'?"),
        (["--model.width", "wide"], "model.width: 'wide' is not a whole number"),
        (["--model.width"], "the value is missing"),
        (["width", "3"], "'width' is not an option"),
        (["--seed", "{"], "seed: '{' is not a whole number"),
        (["--bc_lstm.widht", "64"], "--bc_lstm.widht is not a setting; did you mean 'bc_lstm.width'?"),
        (["--mine.width", "3"], "--mine.width is not a setting"),
    ],
)
def test_wrong_options(options: list[str], expected: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_recipe(written(tmp_path, ""), options)
    assert expected in str(caught.value)


def test_every_setting_has_help() -> None:
    assert len(all_settings()) > 25
    for setting in all_settings().values():
        assert setting.help.endswith("."), setting.key
        assert yaml.safe_load(setting.shown_default) in (setting.default, str(setting.default)), setting.key


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    corpus=st.none() | st.text(min_size=1, max_size=8),
    modalities=st.none() | st.lists(st.sampled_from("abc"), min_size=1, unique=True).map(tuple),
    rate=st.floats(1e-12, 1e3),
    clip=st.none() | st.floats(1e-3, 1e3),
    weights=st.sampled_from(["none", "inverse"])
    | st.lists(st.floats(0, 1e3), max_size=3)
    | st.dictionaries(st.text(max_size=4), st.floats(0, 9), max_size=3),
)
def test_a_written_recipe_is_read_back(
    seed: int,
    corpus: str | None,
    modalities: tuple[str, ...] | None,
    rate: float,
    clip: float | None,
    weights: object,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    training = Training(learning_rate=rate, clip=clip, class_weights=weights)  # type: ignore[arg-type]
    recipe = Recipe(corpus=corpus, seed=seed, modalities=modalities, model=Architecture(), training=training)
    path = tmp_path_factory.mktemp("recipes") / "x.yaml"
    path.write_text(dump_recipe(recipe), encoding="utf-8")
    assert load_recipe(path) == recipe


def test_flat_names_every_setting() -> None:
    recipe = dataclasses.replace(Recipe(), seed=5)
    assert flat(recipe)["seed"] == 5
    assert flat(recipe).keys() == all_settings().keys()


def test_a_recipe_without_an_architecture_is_of_sdt_and_has_no_settings_of_others(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, "model: {width: 64}"))
    assert (recipe.architecture, recipe.own, recipe.settings_of_model) == ("sdt", {}, recipe.model)
    assert "bc_lstm" not in dump_recipe(recipe)
    assert flat(recipe).keys() == all_settings().keys()


def test_the_settings_of_several_models_stand_side_by_side(tmp_path: Path) -> None:
    text = "architecture: mmgcn\nbc_lstm: {width: 64}\nmodel: {width: 32}\nmmgcn: {layers: 2}\n"
    recipe = load_recipe(written(tmp_path, text))
    assert recipe.settings_of_model.layers == 2
    assert (recipe.own["bc_lstm"].width, recipe.model.width) == (64, 32)
    assert load_recipe(written(tmp_path, dump_recipe(recipe))) == recipe
    assert unflat(json.loads(json.dumps(flat(recipe)))) == recipe
    other = changed(recipe, {"architecture": "bc_lstm", "bc_lstm.dropout": 0.1})
    assert other.settings_of_model == dataclasses.replace(recipe.own["bc_lstm"], dropout=0.1)
    assert changed(Recipe(), {"architecture": "utterance"}).settings_of_model.width == 256
    with pytest.raises(InputError, match=r"utterance\.layers: 0 is less than 1"):
        changed(recipe, {"utterance.layers": 0})


def test_a_recipe_that_names_code_of_ones_own_is_read_without_running_it(tmp_path: Path) -> None:
    marker = tmp_path / "was-run"
    (tmp_path / "mine.py").write_text(f"from pathlib import Path\nPath({str(marker)!r}).touch()", encoding="utf-8")
    text = f"architecture: {tmp_path}/mine.py:Mine\nmine:\n  width: 3\n  wide: yes\n"
    recipe = load_recipe(written(tmp_path, text))
    assert recipe.own == {"mine": {"width": 3, "wide": True}}
    assert flat(recipe)["mine.width"] == 3
    assert load_recipe(written(tmp_path, dump_recipe(recipe))) == recipe
    assert unflat(flat(recipe)) == recipe
    assert changed(recipe, {"mine.width": 4}).own["mine"]["width"] == 4
    assert not marker.exists()
    with pytest.raises(InputError, match="does not define 'Mine'"):
        resolved(recipe)
    assert marker.exists()
