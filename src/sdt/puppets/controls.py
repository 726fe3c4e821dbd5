"""Arithmetic with dataclasses of numbers (`Delivery`, `Expression`), field by field."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

C = TypeVar("C", bound="DataclassInstance")


def weighted_sum(*parts: tuple[float, C]) -> C:
    """The weighted sum of controls.

    Example:
        >>> from sdt.puppets.expressions import Expression
        >>> weighted_sum((1, Expression(jaw=0.5)), (0.5, Expression(frown=1))).frown
        0.5
    """
    names = [field.name for field in dataclasses.fields(parts[0][1])]
    return type(parts[0][1])(**{name: sum(weight * getattr(part, name) for weight, part in parts) for name in names})


def draw_around_zero(deviation: C, random: np.random.Generator) -> C:
    """Draw controls from normal distributions with mean 0 and the given standard deviations."""
    fields = dataclasses.fields(deviation)
    drawn = random.normal(size=len(fields)).tolist()
    return type(deviation)(**{f.name: getattr(deviation, f.name) * x for f, x in zip(fields, drawn, strict=True)})
