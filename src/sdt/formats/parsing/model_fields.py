"""Reading of the predictions in records and rows that this program wrote.

The fields `emotion` and `probability` tell such a file; what cannot be a prediction is ignored.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping

from sdt.conversation import Prediction

PREDICTED = ("emotion", "probability")
"""The fields that every record with a prediction has."""
_OF_MODEL = re.compile(r"emotion|probability|probabilities|branches|weights|inferred|(?:.+_)?p_.+|.+_weight", re.DOTALL)


def is_of_model(field: str) -> bool:
    """Whether a field of a file with `PREDICTED` is part of the prediction."""
    return _OF_MODEL.fullmatch(field) is not None


def read_prediction(record: Mapping[str, object]) -> Prediction | None:
    """The prediction of a record; its ids are empty. None if there is none, or one of another form.

    Args:
        record: A JSON object with `probabilities`, or a row with columns such as `p_joy`, `text_p_joy`, `text_weight`.
    """
    emotion = record.get("emotion")
    if not isinstance(emotion, str) or not emotion.strip():
        return None
    emotion = emotion.removeprefix("\t")
    given = record.get("probabilities")
    probabilities = _shares(given) if isinstance(given, Mapping) else _columns(record, "p_")
    if not probabilities:
        alone = _number(record.get("probability"))
        probabilities = {} if alone is None else {emotion: alone}
    if emotion not in probabilities:
        return None
    inferred = record.get("inferred") in (True, "True")
    if isinstance(given, Mapping):
        branches, weights = record.get("branches"), record.get("weights")
        return Prediction(
            "",
            "",
            emotion,
            probabilities,
            {str(m): _shares(of) for m, of in branches.items()} if isinstance(branches, Mapping) else {},
            {str(m): _number(of) for m, of in weights.items()} if isinstance(weights, Mapping) else {},
            inferred,
        )
    return Prediction("", "", emotion, probabilities, *_modalities(record, probabilities), inferred)


def _modalities(
    record: Mapping[str, object], labels: Collection[str]
) -> tuple[dict[str, Mapping[str, float] | None], dict[str, float | None]]:
    """The probabilities of the modalities of a row, and the fusion weights."""
    first = next(iter(labels))
    names = [name.removesuffix(f"_p_{first}") for name in record if name.endswith(f"_p_{first}")]
    branches = {name: {k: v for k, v in _columns(record, f"{name}_p_").items() if k in labels} for name in names}
    weights = {name.removesuffix("_weight"): _number(of) for name, of in record.items() if name.endswith("_weight")}
    return {name: of or None for name, of in branches.items()}, weights


def _columns(record: Mapping[str, object], prefix: str) -> dict[str, float]:
    return _shares({name.removeprefix(prefix): of for name, of in record.items() if name.startswith(prefix)}) or {}


def _shares(value: object) -> dict[str, float] | None:
    """The probabilities by label; None if it is not a mapping of labels to numbers."""
    if not isinstance(value, Mapping):
        return None
    found = {str(label): _number(of) for label, of in value.items()}
    return {label: of for label, of in found.items() if of is not None}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and 0 <= number <= 1.0001 else None
