"""An utterance and its prediction as the values of a JSON object."""

from __future__ import annotations

from sdt.conversation import Prediction, Utterance


def record(prediction: Prediction, said: Utterance) -> dict[str, object]:
    """What was said and its emotion; `label` only where it is annotated. Times are rounded to milliseconds."""
    annotated: dict[str, object] = {} if said.label is None else {"label": said.label}
    return {
        "conversation": prediction.conversation,
        "utterance": prediction.utterance,
        "speaker": said.speaker,
        "text": said.text,
        "start": None if said.start is None else round(said.start, 3),
        "end": None if said.end is None else round(said.end, 3),
        **annotated,
        **answer(prediction),
    }


def answer(prediction: Prediction) -> dict[str, object]:
    """The emotion alone; probabilities have six significant digits."""
    return {
        "emotion": prediction.emotion,
        "probability": _short(prediction.probability),
        "probabilities": {label: _short(p) for label, p in prediction.probabilities.items()},
        "branches": {m: {label: _short(p) for label, p in b.items()} for m, b in prediction.branches.items()},
        "weights": {m: _short(weight) for m, weight in prediction.weights.items()},
    }


def _short(number: float) -> float:
    return float(f"{number:.6g}")
