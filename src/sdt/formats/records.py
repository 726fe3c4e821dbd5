"""An utterance and its prediction as the values of a JSON object."""

from __future__ import annotations

from collections.abc import Mapping

from sdt.conversation import Prediction, Utterance


def record(prediction: Prediction, said: Utterance) -> dict[str, object]:
    """What was said and its emotion; `label` and `review` only where they are given. Times are rounded to 1 ms."""
    given = {name: value for name, value in (("label", said.label), ("review", said.review)) if value is not None}
    return {
        "conversation": prediction.conversation,
        "utterance": prediction.utterance,
        "speaker": said.speaker,
        "text": said.text,
        "start": None if said.start is None else round(said.start, 3),
        "end": None if said.end is None else round(said.end, 3),
        **given,
        **answer(prediction),
    }


def answer(prediction: Prediction) -> dict[str, object]:
    """The emotion alone; probabilities have six significant digits.

    A modality that the utterance lacks is None, and so are emotion and probability where it has no modality.
    `inferred` is there only where it is true; `branches` and `weights` only where the model has them.
    """
    branches = {m: None if b is None else _shortened(b) for m, b in prediction.branches.items()}
    weights = _shortened(prediction.weights)
    return {
        "emotion": prediction.emotion,
        "probability": _short(prediction.probability),
        "probabilities": _shortened(prediction.probabilities),
        **({"branches": branches} if branches else {}),
        **({"weights": weights} if weights else {}),
        **({"inferred": True} if prediction.inferred else {}),
    }


def flat(record: dict[str, object]) -> dict[str, object]:
    """The probabilities as columns: `p_joy`, a branch's `text_p_joy`, a weight's `text_weight`.

    What is missing is None; a record without an emotion leaves these columns out.
    """
    row = {name: value for name, value in record.items() if name not in ("probabilities", "branches", "weights")}
    probabilities, branches, weights = record["probabilities"], record.get("branches", {}), record.get("weights", {})
    assert isinstance(probabilities, dict)
    assert isinstance(branches, dict)
    assert isinstance(weights, dict)
    if not probabilities:  # the labels, and so the columns, are those of the other records
        return row
    row |= {f"p_{label}": p for label, p in probabilities.items()}
    row |= {f"{m}_p_{label}": branch and branch[label] for m, branch in branches.items() for label in probabilities}
    row |= {f"{modality}_weight": weight for modality, weight in weights.items()}
    return row


def _shortened(numbers: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: _short(number) for name, number in numbers.items()}


def _short(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.6g}")
