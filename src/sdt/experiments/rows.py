"""The rows of experiments: the paper's tables, and grids of settings.

The paper's tables, by the settings that make them:

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

`modalities` has a row for every non-empty choice of them (`modalities`); `fusion` one for gated fusion, addition and
concatenation (`model.fusion`; the unimodal gate stays what the recipe says). A row that would be the full model, since
the recipe has the part off already or the corpus has a single modality, is left out.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import yaml

from sdt.errors import InputError, near_miss
from sdt.experiments.plan import Row
from sdt.models.registry import SDT_NAME, find
from sdt.training.recipe import Recipe, changed, setting_value

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
NOT_VARIED = ("seed", "output", "corpus")
_NEED_TWO_MODALITIES = ("no-intra-modal", "no-inter-modal", "no-multimodal-gate")


@dataclass(frozen=True)
class Rows:
    """The rows of an experiment."""

    question: str
    rows: tuple[Row, ...]
    reference: str
    left_out: tuple[str, ...] = ()
    """Rows that would say nothing here, each with the reason."""

    def only(self, names: Sequence[str]) -> Rows:
        """Some of the rows, and the reference.

        Raises:
            InputError: There is no such row.
        """
        known = [row.name for row in self.rows]
        for name in names:
            if name not in known:
                raise InputError(f"--rows: there is no row {name!r}{near_miss(name, known)}")
        kept = tuple(row for row in self.rows if row.name in names or row.name == self.reference)
        return replace(self, rows=kept)


def ablations(recipe: Recipe, modalities: Sequence[str]) -> Rows:
    """The full model, and one part after another removed."""
    _only_sdt("ablations", recipe)
    rows, left_out = [Row(FULL, {})], []
    made = [(recipe, FULL)]
    for name, overrides in REMOVED.items():
        try:
            without = changed(recipe, overrides)
        except InputError as error:  # the recipe has its counterpart off already
            left_out.append(f"{name}: {error}")
            continue
        same = next((other for there, other in made if there == without), None)
        if len(modalities) == 1 and name in _NEED_TWO_MODALITIES:
            left_out.append(f"{name}: there is a single modality")
        elif same:
            left_out.append(f"{name}: with this recipe it is the same as {same}")
        else:
            made.append((without, name))
            rows.append(Row(name, overrides))
    return Rows("What does each part of the model contribute?", tuple(rows), FULL, tuple(left_out))


def _only_sdt(table: str, recipe: Recipe) -> None:
    if recipe.architecture != SDT_NAME:
        raise InputError(f"{table}: is about the parts of SDT, and architecture is {recipe.architecture}")


def choices_of_modalities(recipe: Recipe, modalities: Sequence[str]) -> Rows:
    """Every non-empty choice of the modalities, single ones first."""
    del recipe
    chosen = [c for size in range(1, len(modalities) + 1) for c in itertools.combinations(modalities, size)]
    rows = tuple(Row("+".join(names), {"modalities": list(names)}) for names in chosen)
    return Rows("What does each modality contribute?", rows, rows[-1].name)


def fusion(recipe: Recipe, modalities: Sequence[str]) -> Rows:
    """Gated fusion, addition, concatenation."""
    _only_sdt("fusion", recipe)
    if len(modalities) == 1:
        raise InputError(f"fusion: there is nothing to fuse with the single modality {modalities[0]!r}")
    kinds = ("gated", "addition", "concatenation")
    rows = tuple(Row(kind, {"model.fusion": kind}) for kind in kinds)
    return Rows("Does gated fusion beat addition and concatenation?", rows, recipe.model.fusion)


TABLES: Mapping[str, Callable[[Recipe, Sequence[str]], Rows]] = {
    "ablations": ablations,
    "modalities": choices_of_modalities,
    "fusion": fusion,
}
"""The paper's tables by name: from a recipe and the modalities that it trains on to rows."""


def grid(texts: Sequence[str]) -> Rows:
    """Every combination of some values of some settings.

    Args:
        texts: `KEY=VALUE,VALUE`; values are YAML, so that a list in brackets is one value.

    Raises:
        InputError: A text is not of this form, a key is no setting, or a value is none of the setting's.
    """
    values: dict[str, list[object]] = {}
    for text in texts:
        key, found = _grid_values(text)
        if key in values:
            raise InputError(f"--grid {text}: {key} is given twice")
        values[key] = found
    last = [key.rpartition(".")[2] for key in values]
    short = dict(zip(values, last if len(set(last)) == len(last) else list(values), strict=True))
    rows = []
    for combination in itertools.product(*values.values()):
        overrides = dict(zip(values, combination, strict=True))
        rows.append(Row(",".join(f"{short[key]}={_named(value)}" for key, value in overrides.items()), overrides))
    if len({row.name for row in rows}) < len(rows):
        raise InputError(f"--grid {' '.join(texts)}: a value is given twice")
    return Rows(f"How do the scores depend on {' and '.join(values)}?", tuple(rows), rows[0].name)


def _grid_values(text: str) -> tuple[str, list[object]]:
    """`KEY=VALUE,VALUE` as the key and the typed values."""
    key, equals, values = text.partition("=")
    if not equals:
        raise InputError(f"--grid {text}: expected SETTING=VALUE,VALUE such as model.width=128,256")
    if key in NOT_VARIED:
        raise InputError(f"--grid {text}: {key} cannot be varied" + ("; give --seeds" if key == "seed" else ""))
    return key, listed_values(key, values, f"--grid {text}")


def listed_values(key: str, text: str, where: str) -> list[object]:
    """`VALUE,VALUE` in the type of the setting; what is a tuple there is a list.

    Args:
        key: The setting.
        text: The values as YAML, so that a list in brackets is one value.
        where: What an error message begins with.

    Raises:
        InputError: There is no such setting, no value, or one that is none of the setting's.
    """
    try:
        found = yaml.safe_load(f"[{text}]")
    except yaml.YAMLError:
        raise InputError(f"{where}: {text!r} is no list of values") from None
    if not found:
        raise InputError(f"{where}: there is no value")
    if key == "modalities":
        found = [[value] if isinstance(value, str) else value for value in found]
    typed = [setting_value(key, value) for value in found]
    if key == "architecture":
        for value in typed:
            find(str(value))  # the user named it, so that its code may be imported and its settings are known
    return [list(value) if isinstance(value, tuple) else value for value in typed]


def _named(value: object) -> str:
    """A value as a part of a folder's name."""
    text = "+".join(map(str, value)) if isinstance(value, list) else str(value).lower()
    return re.sub(r"[^\w.+-]+", "-", text).strip("-") or "null"
