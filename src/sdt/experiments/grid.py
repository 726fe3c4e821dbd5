"""Grids of settings: all combinations of given values."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import yaml

from sdt.errors import InputError
from sdt.experiments.plan import ExperimentRows, Row
from sdt.models.registry import find
from sdt.training.recipe import setting_value

NOT_VARIED = ("seed", "output", "corpus")


def grid(texts: Sequence[str]) -> ExperimentRows:
    """Create the rows of all combinations of values.

    Args:
        texts: `KEY=VALUE,VALUE`; values are YAML, so a list in brackets is one value.

    Raises:
        InputError: A text is not of this form, a key is not a setting, or a value is invalid for its setting.
    """
    values: dict[str, list[object]] = {}
    for text in texts:
        key, found = _grid_values(text)
        if key in values:
            raise InputError(f"--grid {text}: duplicate setting {key}")
        values[key] = found
    last = [key.rpartition(".")[2] for key in values]
    short = dict(zip(values, last if len(set(last)) == len(last) else list(values), strict=True))
    rows = []
    for combination in itertools.product(*values.values()):
        overrides = dict(zip(values, combination, strict=True))
        rows.append(Row(",".join(f"{short[key]}={_named(value)}" for key, value in overrides.items()), overrides))
    if len({row.name for row in rows}) < len(rows):
        raise InputError(f"--grid {' '.join(texts)}: duplicate value")
    return ExperimentRows(f"How do the scores depend on {' and '.join(values)}?", tuple(rows), rows[0].name)


def _grid_values(text: str) -> tuple[str, list[object]]:
    """Parse `KEY=VALUE,VALUE` into the key and the typed values."""
    key, equals, values = text.partition("=")
    if not equals:
        raise InputError(f"--grid {text}: expected SETTING=VALUE,VALUE such as model.width=128,256")
    if key in NOT_VARIED:
        raise InputError(f"--grid {text}: {key} cannot be varied" + ("; use --seeds" if key == "seed" else ""))
    return key, parse_values(key, values, f"--grid {text}")


def parse_values(key: str, text: str, where: str) -> list[object]:
    """Parse `VALUE,VALUE` into values of the setting's type; tuples are returned as lists.

    Args:
        key: The setting.
        text: The values as YAML, so a list in brackets is one value.
        where: Prefix of error messages.

    Raises:
        InputError: The setting does not exist, no value is given, or a value is invalid.
    """
    try:
        found = yaml.safe_load(f"[{text}]")
    except yaml.YAMLError:
        raise InputError(f"{where}: {text!r} is not a list of values") from None
    if not found:
        raise InputError(f"{where}: no value is given")
    if key == "modalities":
        found = [[value] if isinstance(value, str) else value for value in found]
    typed = [setting_value(key, value) for value in found]
    if key == "architecture":
        for value in typed:
            find(str(value))  # imports code that the user named, so that its settings are known
    return [list(value) if isinstance(value, tuple) else value for value in typed]


def _named(value: object) -> str:
    """Format a value as part of a folder name."""
    text = "+".join(map(str, value)) if isinstance(value, list) else str(value).lower()
    return re.sub(r"[^\w.+-]+", "-", text).strip("-") or "null"
