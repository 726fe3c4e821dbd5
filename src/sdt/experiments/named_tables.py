"""Tables as experiments: the paper's ablations, modalities and fusion, and our switches.

| row                  | what the paper removes or replaces              | settings                         |
|----------------------|-------------------------------------------------|----------------------------------|
| `no-intra-modal`     | the intra-modal transformers                    | `model.intra_modal: false`       |
| `no-inter-modal`     | the inter-modal transformers                    | `model.inter_modal: false`       |
| `no-positions`       | the positions                                   | `model.positions: false`         |
| `no-speakers`        | the speaker embeddings                          | `model.speakers: false`          |
| `no-unimodal-gate`   | the unimodal gate: G = H                        | `model.unimodal_gate: none`      |
| `no-multimodal-gate` | the multimodal gate: F = sum of H_m, no weights | `model.fusion: addition`         |
| `no-gates`           | both gates                                      | the two above                    |
| `no-hard-labels`     | distillation by hard labels                     | `objective.hard: 0`              |
| `no-soft-labels`     | distillation by soft labels                     | `objective.soft: 0`              |
| `no-distillation`    | both                                            | the two above                    |

`modalities` has a row for every non-empty subset of the modalities (`modalities`); `fusion` has rows for gated fusion,
addition and concatenation (`model.fusion`; the unimodal gate is that of the recipe). Rows that equal the full model,
because the recipe already disables the part or the corpus has a single modality, are omitted. `switches` has a row for
the recipe and one for each switch that the paper does not have (docs/switches.md).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

from sdt.errors import InputError
from sdt.experiments.plan import ExperimentRows, Row
from sdt.models.registry import SDT_NAME
from sdt.training.recipe import Recipe, changed

FULL = "full"

_GATE_OFF: dict[str, object] = {"model.unimodal_gate": "none"}
_WEIGHTS_OFF: dict[str, object] = {"model.fusion": "addition"}
_HARD_OFF: dict[str, object] = {"objective.hard": 0.0}
_SOFT_OFF: dict[str, object] = {"objective.soft": 0.0}

REMOVED: dict[str, dict[str, object]] = {
    "no-intra-modal": {"model.intra_modal": False},
    "no-inter-modal": {"model.inter_modal": False},
    "no-positions": {"model.positions": False},
    "no-speakers": {"model.speakers": False},
    "no-unimodal-gate": _GATE_OFF,
    "no-multimodal-gate": _WEIGHTS_OFF,
    "no-gates": {**_GATE_OFF, **_WEIGHTS_OFF},
    "no-hard-labels": _HARD_OFF,
    "no-soft-labels": _SOFT_OFF,
    "no-distillation": {**_HARD_OFF, **_SOFT_OFF},
}
SWITCHES: dict[str, dict[str, object]] = {
    "head-patterns": {"model.head_patterns": "own(2),near(2)"},
    "relative-positions": {"model.relative_positions": True},
    "selective-fusion": {"model.fusion": "selective"},
    "gate-temperature": {"model.gate_temperature": 0.2},
    "modality-dropout": {"training.modality_dropout": 0.2},
    "modality-noise": {"training.modality_noise": 0.3},
    "reliability": {"model.reliability": True, "training.modality_noise": 0.3},
    "contrastive": {"objective.contrastive": 0.1},
    "logit-adjustment": {"objective.balance": "logit_adjustment(0.5)"},
    "focal": {"objective.balance": "focal(2.0)"},
    "class-balanced": {"objective.balance": "class_balanced(0.999)"},
    "shift": {"objective.shift": 0.2},
    "curriculum": {"training.curriculum": "shifts"},
    "averaging": {"training.averaging": "ema(0.99)"},
}
"""Row name to the settings of one switch that the paper does not have, and what it is trained with; see
docs/switches.md."""
_NEED_TWO_MODALITIES = (
    *("no-intra-modal", "no-inter-modal", "no-multimodal-gate"),
    *("selective-fusion", "gate-temperature", "modality-dropout", "modality-noise", "reliability"),
)


def ablations(recipe: Recipe, modalities: Sequence[str]) -> ExperimentRows:
    """The rows of the ablation table: the full model, and the model without each part."""
    return changes("What does each part of the model contribute?", "ablations", FULL, REMOVED, recipe, modalities)


def switches(recipe: Recipe, modalities: Sequence[str]) -> ExperimentRows:
    """The rows of the recipe, and of the recipe with each switch of `SWITCHES`."""
    return changes("What does each switch add?", "switches", "recipe", SWITCHES, recipe, modalities)


def changes(
    question: str,
    table: str,
    reference: str,
    named: Mapping[str, Mapping[str, object]],
    recipe: Recipe,
    modalities: Sequence[str],
) -> ExperimentRows:
    """The rows of a recipe and of its changes, without those that are invalid or change nothing.

    Args:
        question: What the experiment answers.
        table: Name of the table.
        reference: Name of the row of the recipe.
        named: Row name to the settings that it changes.
        recipe: The recipe.
        modalities: The modalities of the model.

    Raises:
        InputError: The recipe is not of SDT.
    """
    _only_sdt(table, recipe)
    rows, omitted = [Row(reference, {})], []
    recipes = [(recipe, reference)]
    for name, overrides in named.items():
        try:
            other_recipe = changed(recipe, overrides)
        except InputError as error:  # for example, the recipe already disables the counterpart of a part
            omitted.append(f"{name}: {error}")
            continue
        same = next((other for previous, other in recipes if previous == other_recipe), None)
        if len(modalities) == 1 and name in _NEED_TWO_MODALITIES:
            omitted.append(f"{name}: needs several modalities")
        elif same:
            omitted.append(f"{name}: with this recipe, the same as {same}")
        else:
            recipes.append((other_recipe, name))
            rows.append(Row(name, overrides))
    return ExperimentRows(question, tuple(rows), reference, tuple(omitted))


def _only_sdt(table: str, recipe: Recipe) -> None:
    if recipe.architecture != SDT_NAME:
        raise InputError(f"{table}: only available for SDT, but architecture is {recipe.architecture}")


def modality_subsets(recipe: Recipe, modalities: Sequence[str]) -> ExperimentRows:
    """The rows of all non-empty subsets of the modalities, single ones first."""
    del recipe
    chosen = [c for size in range(1, len(modalities) + 1) for c in itertools.combinations(modalities, size)]
    rows = tuple(Row("+".join(names), {"modalities": list(names)}) for names in chosen)
    return ExperimentRows("What does each modality contribute?", rows, rows[-1].name)


def fusion(recipe: Recipe, modalities: Sequence[str]) -> ExperimentRows:
    """The rows of gated fusion, addition and concatenation."""
    _only_sdt("fusion", recipe)
    if len(modalities) == 1:
        raise InputError(f"fusion: needs several modalities, but the only one is {modalities[0]!r}")
    kinds = ("gated", "addition", "concatenation")
    rows = tuple(Row(kind, {"model.fusion": kind}) for kind in kinds)
    return ExperimentRows("Is gated fusion better than addition and concatenation?", rows, recipe.model.fusion)


TABLES: Mapping[str, Callable[[Recipe, Sequence[str]], ExperimentRows]] = {
    "ablations": ablations,
    "modalities": modality_subsets,
    "fusion": fusion,
    "switches": switches,
}
"""Table name to a function from a recipe and its modalities to rows."""
