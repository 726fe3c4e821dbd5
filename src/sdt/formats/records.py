"""Conversion of utterances and their predictions to JSON objects and flat rows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from sdt.conversation import Annotation, Prediction, Utterance
from sdt.formats.parsing.turn_records import column_of_field
from sdt.formats.parsing.words import word_records
from sdt.formats.transcript import Transcript


def transcript_records(transcript: Transcript, path: Path | None) -> Iterator[dict[str, object]]:
    """The utterances as JSON objects, with their predictions if there are any.

    Args:
        transcript: The conversations.
        path: The file to which media files are relative; None makes them absolute.
    """
    for conversation, utterance, prediction in transcript.rows():
        record: dict[str, object]
        if prediction is not None:
            record = utterance_record(prediction, utterance)
        else:
            clip = transcript.clips.get((conversation.id, utterance.id))
            annotation = {"label": utterance.label, "review": utterance.review}
            record = {
                "conversation": conversation.id,
                "utterance": utterance.id,
                "speaker": utterance.speaker,
                "text": utterance.text,
                "start": None if utterance.start is None else round(utterance.start, 3),
                "end": None if utterance.end is None else round(utterance.end, 3),
                **{name: value for name, value in annotation.items() if value is not None},
                **({} if clip is None else {"media": _relative(clip, path)}),
                **({"words": word_records(utterance.words)} if utterance.words else {}),
            }
        if utterance.annotations:
            record["annotations"] = [annotation_record(one) for one in utterance.annotations]
        yield record | {column_of_field(name): value for name, value in utterance.extra.items()}


def annotation_record(annotation: Annotation) -> dict[str, object]:
    """The label of an annotator."""
    confidence = {} if annotation.confidence is None else {"confidence": annotation.confidence}
    return {"annotator": annotation.annotator, "label": annotation.label, **confidence}


def _relative(clip: Path, path: Path | None) -> str:
    return str(clip.resolve()) if path is None else os.path.relpath(clip.resolve(), path.parent.resolve())


def utterance_record(prediction: Prediction, utterance: Utterance) -> dict[str, object]:
    """The utterance, with `label`, `review` and `words` if set, and its prediction. Times are rounded to 1 ms."""
    annotation = {"label": utterance.label, "review": utterance.review}
    return {
        "conversation": prediction.conversation,
        "utterance": prediction.utterance,
        "speaker": utterance.speaker,
        "text": utterance.text,
        "start": None if utterance.start is None else round(utterance.start, 3),
        "end": None if utterance.end is None else round(utterance.end, 3),
        **{name: value for name, value in annotation.items() if value is not None},
        **prediction_record(prediction),
        **({"words": word_records(utterance.words)} if utterance.words else {}),
    }


def prediction_record(prediction: Prediction) -> dict[str, object]:
    """The prediction; probabilities have six significant digits.

    Missing modalities are None; emotion and probability are None for an utterance without modalities. `inferred` is
    included only if it is true, `branches` and `weights` only if the model has them.
    """
    branches = {m: None if b is None else _round_values(b) for m, b in prediction.branches.items()}
    weights = _round_values(prediction.weights)
    return {
        "emotion": prediction.emotion,
        "probability": _round(prediction.probability),
        "probabilities": _round_values(prediction.probabilities),
        **({"branches": branches} if branches else {}),
        **({"weights": weights} if weights else {}),
        **({"inferred": True} if prediction.inferred else {}),
    }


def flatten(record: dict[str, object]) -> dict[str, object]:
    """Flatten a record to columns: `p_joy`, `text_p_joy` for branches, `text_weight` for weights.

    Missing values are None; a record without an emotion has none of these columns.
    """
    row = {
        name: value
        for name, value in record.items()
        if name not in ("probabilities", "branches", "weights", "words", "annotations")
    }
    probabilities, branches, weights = (
        record.get("probabilities", {}),
        record.get("branches", {}),
        record.get("weights", {}),
    )
    assert isinstance(probabilities, dict)
    assert isinstance(branches, dict)
    assert isinstance(weights, dict)
    if not probabilities:  # the other records have the labels, and so the columns
        return row
    row |= {f"p_{label}": p for label, p in probabilities.items()}
    row |= {f"{m}_p_{label}": branch and branch[label] for m, branch in branches.items() for label in probabilities}
    row |= {f"{modality}_weight": weight for modality, weight in weights.items()}
    return row


def _round_values(numbers: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: _round(number) for name, number in numbers.items()}


def _round(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.6g}")
