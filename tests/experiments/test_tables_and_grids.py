"""The paper's tables, row by row, and grids."""

from __future__ import annotations

import dataclasses

import pytest

from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.experiments.grid import grid
from sdt.experiments.named_tables import REMOVED, SWITCHES, TABLES, ablations, fusion, modality_subsets, switches
from sdt.experiments.plan import ExperimentRows
from sdt.models.config import SDTConfig
from sdt.models.sdt.model import SDT
from sdt.training.recipe import changed
from sdt.training.settings import Recipe

NAMES = ("words", "voice")


def names(rows: ExperimentRows) -> list[str]:
    return [row.name for row in rows.rows]


def test_ablations(recipe: Recipe, corpus: Corpus) -> None:
    """The ten of the paper, each of which changes what it says and nothing else."""
    rows = ablations(recipe, NAMES)
    assert names(rows) == ["full", *REMOVED]
    assert len(REMOVED) == 10
    assert rows.reference == "full"
    assert not rows.omitted
    made = {row.name: changed(recipe, row.overrides) for row in rows.rows}
    assert made["full"] == recipe
    assert all(a == b or made[a] != made[b] for a in made for b in made)

    def parts(name: str) -> set[str]:
        model = SDT(SDTConfig.for_corpus(corpus, made[name].model))
        return {parameter for parameter, _ in model.named_parameters()}

    full = parts("full")

    def removed(name: str) -> set[str]:
        return full - parts(name)

    assert all(
        any(part.startswith(f"encoders.{m}.{m}.") for m in NAMES) for part in removed("no-intra-modal") if "enc" in part
    )
    assert not any(f"encoders.{m}.{m}." in part for m in NAMES for part in parts("no-intra-modal"))
    assert {part.split(".")[1] for part in parts("no-inter-modal") if part.startswith("encoders.")} == set(NAMES)
    assert not any("encoders.words.voice" in part for part in parts("no-inter-modal"))
    assert removed("no-speakers") == {"speakers.weight"}
    assert removed("no-positions") == set()
    assert not made["no-positions"].model.positions
    assert removed("no-multimodal-gate") == {"multimodal.gate.weight"}
    assert all(part.startswith("unimodal.") and ".gates." in part for part in removed("no-unimodal-gate"))
    assert removed("no-gates") == removed("no-unimodal-gate") | removed("no-multimodal-gate")
    of = {name: (made[name].objective.task, made[name].objective.hard, made[name].objective.soft) for name in made}
    assert of["full"] == (1, 1, 1)
    assert of["no-hard-labels"] == (1, 0, 1)
    assert of["no-soft-labels"] == (1, 1, 0)
    assert of["no-distillation"] == (1, 0, 0)


def test_rows_that_would_say_nothing_are_left_out(recipe: Recipe) -> None:
    without = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, positions=False, fusion="addition"))
    rows = ablations(without, NAMES)
    assert set(REMOVED) - set(names(rows)) == {"no-positions", "no-multimodal-gate", "no-gates"}
    assert "no-gates: with this recipe, the same as no-unimodal-gate" in rows.omitted
    alone = ablations(recipe, ["words"])
    assert set(REMOVED) - set(names(alone)) >= {"no-intra-modal", "no-inter-modal", "no-multimodal-gate"}
    contradicting = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, inter_modal=False))
    assert any("the model needs one of them" in reason for reason in ablations(contradicting, NAMES).omitted)


def test_modalities(recipe: Recipe) -> None:
    rows = modality_subsets(recipe, ["t", "a", "v"])
    assert names(rows) == ["t", "a", "v", "t+a", "t+v", "a+v", "t+a+v"]
    assert rows.reference == "t+a+v"
    assert changed(recipe, rows.rows[3].overrides).modalities == ("t", "a")


def test_fusion(recipe: Recipe) -> None:
    rows = fusion(recipe, NAMES)
    assert [changed(recipe, row.overrides).model.fusion for row in rows.rows] == ["gated", "addition", "concatenation"]
    assert rows.reference == "gated"
    with pytest.raises(InputError, match="needs several modalities"):
        fusion(recipe, ["t"])


def test_a_grid() -> None:
    rows = grid(["model.width=8,16", "training.learning_rate=1e-4,3e-4"])
    assert names(rows) == [
        "width=8,learning_rate=0.0001",
        "width=8,learning_rate=0.0003",
        "width=16,learning_rate=0.0001",
        "width=16,learning_rate=0.0003",
    ]
    assert dict(rows.rows[3].overrides) == {"model.width": 16, "training.learning_rate": 3e-4}
    assert rows.reference == rows.rows[0].name
    assert names(grid(["modalities=[words, voice],words"])) == ["modalities=words+voice", "modalities=words"]
    assert names(grid(["training.early_stopping=null,3"])) == ["early_stopping=none", "early_stopping=3"]
    assert names(grid(["model.context=full,past,window(8)"])) == ["context=full", "context=past", "context=window-8"]
    assert names(grid(["model.layers=1,2", "model.heads=2"])) == ["layers=1,heads=2", "layers=2,heads=2"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["model.width"], "expected SETTING=VALUE"),
        (["model.widt=3"], "did you mean 'model.width'"),
        (["model.width=8,many"], "'many' is not a whole number"),
        (["seed=1,2"], "use --seeds"),
        (["model.width=8,8"], "duplicate"),
        (["model.width=8", "model.width=16"], "duplicate"),
        (["model.width="], "no value is given"),
        (["model.width=[8"], "not a list of values"),
    ],
)
def test_what_is_no_grid(texts: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        grid(texts)


def test_some_rows_alone(recipe: Recipe) -> None:
    assert names(ablations(recipe, NAMES).only(["no-gates"])) == ["full", "no-gates"]
    with pytest.raises(InputError, match="did you mean 'no-gates'"):
        ablations(recipe, NAMES).only(["no-gate"])


@pytest.mark.parametrize("table", ["ablations", "fusion"])
def test_tables_of_sdts_parts_are_of_sdt_alone(table: str) -> None:
    with pytest.raises(InputError, match="only available for SDT, but architecture is bc_lstm"):
        TABLES[table](Recipe(architecture="bc_lstm"), ("text", "audio"))


def test_the_modalities_of_another_model_and_a_grid_of_models() -> None:
    rows = TABLES["modalities"](Recipe(architecture="bc_lstm"), ("text", "audio"))
    assert [row.name for row in rows.rows] == ["text", "audio", "text+audio"]
    rows = grid(["architecture=sdt,mmgcn", "mmgcn.layers=2,4"])
    assert [dict(row.overrides) for row in rows.rows][2] == {"architecture": "mmgcn", "mmgcn.layers": 2}
    with pytest.raises(InputError, match="unknown model 'mmgnc'; did you mean 'mmgcn'"):
        grid(["architecture=sdt,mmgnc"])


def test_switches(recipe: Recipe) -> None:
    rows = switches(recipe, NAMES)
    assert names(rows) == ["recipe", *SWITCHES]
    made = [changed(recipe, row.overrides) for row in rows.rows]
    assert all(made[one] != made[other] for one in range(len(made)) for other in range(one))
    assert made[0] == recipe
    of_several = {"selective-fusion", "gate-temperature", "modality-dropout", "modality-noise", "reliability"}
    assert not of_several & set(names(switches(recipe, ["words"])))
    odd = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, width=18, heads=3))
    assert any("head-patterns: model.head_patterns" in reason for reason in switches(odd, NAMES).omitted)
