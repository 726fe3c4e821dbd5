"""Dataclasses of numbers (`Delivery`, `Expression`): added, scaled and scattered, field by field."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

C = TypeVar("C", bound="DataclassInstance")


def mixed(*parts: tuple[float, C]) -> C:
    """The weighted sum of some controls.

    Example:
        >>> from sdt.puppets.expressions import Expression
        >>> mixed((1, Expression(jaw=0.5)), (0.5, Expression(frown=1))).frown
        0.5
    """
    names = [field.name for field in dataclasses.fields(parts[0][1])]
    return type(parts[0][1])(**{name: sum(weight * getattr(part, name) for weight, part in parts) for name in names})


def scattered(deviation: C, random: np.random.Generator) -> C:
    """Controls drawn around 0, each with its own deviation."""
    fields = dataclasses.fields(deviation)
    drawn = random.normal(size=len(fields)).tolist()
    return type(deviation)(**{f.name: getattr(deviation, f.name) * x for f, x in zip(fields, drawn, strict=True)})
