from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from sdt.errors import InputError
from sdt.experiments.plan import FILE, Plan, Row, format_seeds, option_text, parse_seeds, read_plan
from sdt.training.recipe import dump_recipe, load_recipe
from tests.experiments.conftest import MakePlan


@pytest.mark.parametrize(
    ("text", "seeds"), [("0-3", (0, 1, 2, 3)), ("7", (7,)), ("5,1,2", (1, 2, 5)), ("0-2, 2-3,9", (0, 1, 2, 3, 9))]
)
def test_seeds(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds
    assert parse_seeds(format_seeds(seeds).replace(" ", "")) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-1", "1,,2", "-1", "0-99999", "1.5"])
def test_what_are_no_seeds(text: str) -> None:
    with pytest.raises(InputError, match="--seeds"):
        parse_seeds(text)


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a b"])
def test_a_row_is_a_folder(name: str) -> None:
    with pytest.raises(InputError, match="invalid row name"):
        Row(name, {})


def test_jobs(make_plan: MakePlan, tmp_path: Path) -> None:
    plan = make_plan(Row("full", {}), Row("small", {"model.width": 8, "modalities": ["words"]}), seeds=(3, 4))
    jobs = list(plan.jobs(tmp_path))
    assert [job.name for job in jobs] == ["full/seed-3", "small/seed-3", "full/seed-4", "small/seed-4"]
    last = jobs[-1]
    assert (last.recipe.seed, last.recipe.model.width, last.recipe.modalities) == (4, 8, ("words",))
    assert last.folder == tmp_path / "small" / "seed-4"
    # The command that is kept makes the same run.
    (tmp_path / "tiny.yaml").write_text(dump_recipe(plan.recipe), encoding="utf-8")
    assert last.command[:3] == ["sdt", "train", "tiny.yaml"]
    again = load_recipe(tmp_path / "tiny.yaml", last.command[3:])
    assert dataclasses.replace(again, output=None) == last.recipe
    assert again.output == str(last.folder)


def test_options_are_read_back(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("", encoding="utf-8")
    for key, value in {
        "training.early_stopping": None,
        "model.positions": False,
        "training.learning_rate": 1e-4,
        "training.class_weights": {"a b": 1.5},
        "modalities": ["words", "voice"],
        "model.fusion": "addition",
    }.items():
        from sdt.training.recipe import flat

        read = flat(load_recipe(tmp_path / "r.yaml", [f"--{key}={option_text(value)}"]))[key]
        assert (list(read) if isinstance(read, tuple) else read) == value


def test_a_plan_is_read_back(make_plan: MakePlan, tmp_path: Path) -> None:
    plan = make_plan(Row("a", {}), Row("b", {"modalities": ["voice"], "training.clip": None}), seeds=(1, 2))
    plan.write(tmp_path, {"command": "sdt experiment"})
    read, values = read_plan(tmp_path)
    assert read == plan
    assert values["command"] == "sdt experiment"


def test_what_is_no_plan(make_plan: MakePlan, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not an experiment folder"):
        read_plan(tmp_path)
    (tmp_path / FILE).write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=f"{FILE}: damaged"):
        read_plan(tmp_path)
    make_plan().write(tmp_path, {})
    values = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    for change, message in (({"format": 9}, "format 9"), ({"recipe": {"model.widt": 3}}, "did you mean 'model.width'")):
        (tmp_path / FILE).write_text(json.dumps({**values, **change}), encoding="utf-8")
        with pytest.raises(InputError, match=message):
            read_plan(tmp_path)


def test_rows_and_seeds_can_be_added(make_plan: MakePlan, tmp_path: Path) -> None:
    small, large = Row("small", {"model.width": 8}), Row("large", {"model.width": 32})
    merged = make_plan(small, seeds=(0, 1)).merged(make_plan(small, large, seeds=(1, 2)), tmp_path)
    assert merged.rows == (small, large)
    assert merged.seeds == (0, 1, 2)
    assert merged.reference == "small"


def test_another_experiment_is_refused(make_plan: MakePlan, tmp_path: Path) -> None:
    plan = make_plan(Row("small", {"model.width": 8}))

    def refused(other: Plan, message: str) -> None:
        with pytest.raises(InputError, match=message):
            plan.merged(other, tmp_path)

    refused(make_plan(Row("small", {"model.width": 4})), "row small")
    refused(make_plan(epochs=9), "training.epochs is 2 in the experiment, but 9 now")
    refused(dataclasses.replace(plan, threads=2), "threads is 1 in the experiment, but 2 now")
    moved = dataclasses.replace(plan, recipe=dataclasses.replace(plan.recipe, corpus="elsewhere", seed=5))
    assert plan.merged(moved, tmp_path).recipe.corpus == "elsewhere"
