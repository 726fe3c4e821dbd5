"""The search space: ranges or lists of values of settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from sdt.errors import InputError
from sdt.experiments.grid import NOT_VARIED, listed_values
from sdt.experiments.plan import option_text
from sdt.training.recipe import setting_value
from sdt.training.schema import find_setting

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Choice:
    """Some values of a setting."""

    key: str
    values: tuple[object, ...]

    def suggest(self, trial: optuna.Trial) -> object:
        """The value of a trial."""
        texts = [option_text(value) for value in self.values]
        return self.values[texts.index(trial.suggest_categorical(self.key, texts))]

    def parameter(self, value: object) -> object | None:
        """How Optuna calls a value; None for any other value."""
        found = list(value) if isinstance(value, tuple) else value
        return option_text(found) if found in self.values else None


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included."""

    key: str
    low: float
    high: float
    log: bool
    """Whether equal ratios, rather than equal differences, are equally likely."""
    whole: bool

    def suggest(self, trial: optuna.Trial) -> object:
        """The value of a trial."""
        if self.whole:
            return trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.key, self.low, self.high, log=self.log)

    def parameter(self, value: object) -> object | None:
        """The value, if it is in the range."""
        return value if isinstance(value, int | float) and self.low <= value <= self.high else None


Dimension = Choice | Range


def parse_space(texts: Sequence[str]) -> tuple[Dimension, ...]:
    """`KEY=LOW..HIGH`, `KEY=LOW..HIGH:log` or `KEY=VALUE,VALUE`, each as a dimension.

    Raises:
        InputError: A text is not of this form, a key is not a setting, or a value is invalid for its setting.
    """
    found: dict[str, Dimension] = {}
    for text in texts:
        dimension = _dimension(text)
        if dimension.key in found:
            raise InputError(f"--space {text}: {dimension.key} is given twice")
        found[dimension.key] = dimension
    if not found:
        raise InputError("--space: say what to look through, such as --space training.learning_rate=1e-5..1e-3:log")
    return tuple(found.values())


def _dimension(text: str) -> Dimension:
    key, equals, values = text.partition("=")
    if not equals or not values:
        raise InputError(f"--space {text}: expected SETTING=LOW..HIGH, SETTING=LOW..HIGH:log or SETTING=VALUE,VALUE")
    if key in NOT_VARIED or key.startswith(("training.protocol", "training.test")):
        raise InputError(f"--space {text}: {key} cannot be searched for")
    if ".." not in values:
        found = listed_values(key, values, f"--space {text}")
        return Choice(key, tuple(found))
    numbers, colon, scale = values.partition(":")
    if colon and scale != "log":
        raise InputError(f"--space {text}: {scale!r} is not a scale; expected LOW..HIGH or LOW..HIGH:log")
    low, high = (_number(key, end, text) for end in numbers.split("..", 1))
    if not low < high or (scale and low <= 0):
        why = "a logarithmic range begins above 0" if scale and low <= 0 else "the range is empty"
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
