"""An utterance and its prediction as the values of a JSON object."""

from __future__ import annotations

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
    """The emotion alone; probabilities have six significant digits. What the model does not have is left out."""
    branches = {m: {label: _short(p) for label, p in b.items()} for m, b in prediction.branches.items()}
    weights = {m: _short(weight) for m, weight in prediction.weights.items()}
    return {
        "emotion": prediction.emotion,
        "probability": _short(prediction.probability),
        "probabilities": {label: _short(p) for label, p in prediction.probabilities.items()},
        **({"branches": branches} if branches else {}),
        **({"weights": weights} if weights else {}),
    }


def flat(record: dict[str, object]) -> dict[str, object]:
    """The probabilities as columns: `p_joy`, a branch's `text_p_joy`, a weight's `text_weight`."""
    row = {name: value for name, value in record.items() if name not in ("probabilities", "branches", "weights")}
    probabilities, branches, weights = record["probabilities"], record.get("branches", {}), record.get("weights", {})
    assert isinstance(probabilities, dict)
    assert isinstance(branches, dict)
    assert isinstance(weights, dict)
    row |= {f"p_{label}": p for label, p in probabilities.items()}
    row |= {f"{modality}_p_{label}": p for modality, branch in branches.items() for label, p in branch.items()}
    row |= {f"{modality}_weight": weight for modality, weight in weights.items()}
    return row


def _short(number: float) -> float:
    return float(f"{number:.6g}")
