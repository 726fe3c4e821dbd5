"""The search space: ranges or lists of values of settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from sdt.errors import InputError
from sdt.experiments.grid import NOT_VARIED, parse_values
from sdt.experiments.plan import option_text
from sdt.training.recipe import setting_value
from sdt.training.schema import find_setting

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Choice:
    """A dimension with a list of values."""

    key: str
    """The setting."""
    values: tuple[object, ...]
    """The values."""

    def suggest(self, trial: optuna.Trial) -> object:
        """Let Optuna suggest a value."""
        texts = [option_text(value) for value in self.values]
        return self.values[texts.index(trial.suggest_categorical(self.key, texts))]

    def parameter(self, value: object) -> object | None:
        """Convert a value to Optuna's parameter; None for other values."""
        found = list(value) if isinstance(value, tuple) else value
        return option_text(found) if found in self.values else None


@dataclass(frozen=True)
class Range:
    """A dimension of numbers from `low` to `high`, inclusive."""

    key: str
    """The setting."""
    low: float
    """The lowest value."""
    high: float
    """The highest value."""
    log: bool
    """Whether values are sampled on a logarithmic scale."""
    whole: bool
    """Whether values are integers."""

    def suggest(self, trial: optuna.Trial) -> object:
        """Let Optuna suggest a value."""
        if self.whole:
            return trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.key, self.low, self.high, log=self.log)

    def parameter(self, value: object) -> object | None:
        """Return the value if it is in the range; None otherwise."""
        return value if isinstance(value, int | float) and self.low <= value <= self.high else None


Dimension = Choice | Range


def parse_space(texts: Sequence[str]) -> tuple[Dimension, ...]:
    """Parse dimensions of the form `KEY=LOW..HIGH`, `KEY=LOW..HIGH:log` or `KEY=VALUE,VALUE`.

    Raises:
        InputError: A text is not of this form, a key is not a setting, or a value is invalid for its setting.
    """
    found: dict[str, Dimension] = {}
    for text in texts:
        dimension = _dimension(text)
        if dimension.key in found:
            raise InputError(f"--space {text}: duplicate setting {dimension.key}")
        found[dimension.key] = dimension
    if not found:
        raise InputError("--space: the search space is empty; example: --space training.learning_rate=1e-5..1e-3:log")
    return tuple(found.values())


def _dimension(text: str) -> Dimension:
    key, equals, values = text.partition("=")
    if not equals or not values:
        raise InputError(f"--space {text}: expected SETTING=LOW..HIGH, SETTING=LOW..HIGH:log or SETTING=VALUE,VALUE")
    if key in NOT_VARIED or key.startswith(("training.protocol", "training.test")):
        raise InputError(f"--space {text}: {key} cannot be searched")
    if ".." not in values:
        found = parse_values(key, values, f"--space {text}")
        return Choice(key, tuple(found))
    numbers, colon, scale = values.partition(":")
    if colon and scale != "log":
        raise InputError(f"--space {text}: {scale!r} is not a scale; expected LOW..HIGH or LOW..HIGH:log")
    low, high = (_number(key, end, text) for end in numbers.split("..", 1))
    if not low < high or (scale and low <= 0):
        why = "a logarithmic range must start above 0" if scale and low <= 0 else "the range is empty"
        raise InputError(f"--space {text}: {why}")
    return Range(key, low, high, bool(scale), _whole(key))


def _number(key: str, text: str, where: str) -> float:
    value = setting_value(key, text if _whole(key) else _float(text))
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise InputError(f"--space {where}: {text!r} is not a number, which a range needs; list the values instead")
    return value


def _float(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _whole(key: str) -> bool:
    setting = find_setting(key)
    hint = setting.type if setting else None
    return hint is int or (int in get_args(hint) and float not in get_args(hint))
