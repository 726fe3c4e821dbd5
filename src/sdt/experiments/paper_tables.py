"""The tables of the paper as experiments: ablations, modalities and fusion.

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
because the recipe already disables the part or the corpus has a single modality, are omitted.
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
_NEED_TWO_MODALITIES = ("no-intra-modal", "no-inter-modal", "no-multimodal-gate")


def ablations(recipe: Recipe, modalities: Sequence[str]) -> ExperimentRows:
    """The rows of the ablation table: the full model, and the model without each part."""
    _only_sdt("ablations", recipe)
    rows, omitted = [Row(FULL, {})], []
    recipes = [(recipe, FULL)]
    for name, overrides in REMOVED.items():
        try:
            without = changed(recipe, overrides)
        except InputError as error:  # the recipe already disables the counterpart of the part
            omitted.append(f"{name}: {error}")
            continue
        same = next((other for previous, other in recipes if previous == without), None)
        if len(modalities) == 1 and name in _NEED_TWO_MODALITIES:
            omitted.append(f"{name}: needs several modalities")
        elif same:
            omitted.append(f"{name}: with this recipe, the same as {same}")
        else:
            recipes.append((without, name))
            rows.append(Row(name, overrides))
    return ExperimentRows("What does each part of the model contribute?", tuple(rows), FULL, tuple(omitted))


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
}
"""Table name to a function from a recipe and its modalities to rows."""
