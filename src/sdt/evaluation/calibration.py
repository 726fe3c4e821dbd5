"""Calibration: the expected calibration error, and temperature scaling.

Guo, Pleiss, Sun, Weinberger: "On Calibration of Modern Neural Networks", ICML 2017 (temperature scaling, section 4.2;
expected calibration error, section 2).

Shapes: N utterances, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from sdt.models.config import FUSED

if TYPE_CHECKING:
    from sdt.evaluation.outputs import SplitOutputs

BINS = 15
MAX_TEMPERATURE = 10.0
"""Temperatures are limited to [1 / MAX_TEMPERATURE, MAX_TEMPERATURE]: if every prediction on a small dev split is
correct, the optimal temperature would be 0, and every probability 1."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """Confidence and accuracy in bins of the highest probability: (0, 1/15], (1/15, 2/15] and so on."""

    count: npt.NDArray[np.int64]
    """[bins] number of utterances."""
    confidence: npt.NDArray[np.float64]
    """[bins] mean of the highest probability; NaN for an empty bin."""
    accuracy: npt.NDArray[np.float64]
    """[bins] share of correct predictions; NaN for an empty bin."""


def fit_temperatures(outputs: SplitOutputs) -> dict[str, float]:
    """Fit the temperature of every classifier on the labelled utterances.

    Args:
        outputs: Outputs of a model whose temperatures are all 1, on utterances that it was not trained on.

    Returns:
        Head to temperature; empty if no utterance is labelled.
    """
    if (outputs.label < 0).all():
        return {}
    return {classifier: fit_temperature(p, outputs.label) for classifier, p in outputs.probabilities.items()}


def fit_temperature(probabilities: npt.NDArray[np.float32], label: npt.NDArray[np.int64]) -> float:
    """Fit the temperature T that minimises the mean negative log-likelihood of softmax(logits / T).

    The negative log-likelihood is convex in 1/T, so a one-dimensional search finds the unique minimum.

    Args:
        probabilities: [N, C] with T = 1; their logarithms equal the logits up to a constant, which softmax ignores.
        label: [N] class numbers; negative for unlabelled utterances. At least one must be labelled.
    """
    labelled = label >= 0
    logits = _logarithm(probabilities[labelled])
    of_label = logits[np.arange(len(logits)), label[labelled]]  # [labelled]

    def loss(log_temperature: float) -> float:
        inverse = np.exp(-log_temperature)
        return float((logsumexp(inverse * logits, axis=1) - inverse * of_label).mean())

    limit = np.log(MAX_TEMPERATURE)
    found = minimize_scalar(loss, bounds=(-limit, limit), method="bounded", options={"xatol": 1e-6})
    # Rounded to six digits: further digits depend on the machine's exp and log.
    return float(f"{np.exp(found.x):.6g}")


def cross_entropy(probabilities: npt.NDArray[np.float32], label: npt.NDArray[np.int64]) -> float:
    """Compute the mean negative log-likelihood of the labels, in nats.

    Args:
        probabilities: [N, C].
        label: [N] class numbers; negative for unlabelled utterances. At least one must be labelled.
    """
    labelled = label >= 0
    return float(-_logarithm(probabilities[labelled, label[labelled]]).mean())


def calibration_error(probabilities: npt.NDArray[np.float32], label: npt.NDArray[np.int64]) -> float:
    """Compute the expected calibration error.

    Utterances are assigned by their highest probability to 15 bins of equal width, (0, 1/15], (1/15, 2/15] and so on.
    The error is the mean of |accuracy - mean confidence| over the bins, weighted by their number of utterances.

    Args:
        probabilities: [N, C].
        label: [N] class numbers; negative for unlabelled utterances. At least one must be labelled.

    Returns:
        A fraction from 0 to 1.
    """
    bin_, confidence, right = _binned(probabilities, label)
    # n_b / N * |right_b / n_b - confidence_b / n_b|, summed over the bins: the n_b cancel.
    gap = np.bincount(bin_, weights=right - confidence, minlength=BINS)
    return float(np.abs(gap).sum() / len(confidence))


def calibrated_errors(
    probabilities: npt.NDArray[np.float32], draws: int = 1000, seed: int = 0
) -> npt.NDArray[np.float64]:
    """Draw calibration errors of a calibrated model: those of labels that are drawn from the probabilities themselves.

    On few utterances the expected calibration error is above 0 even then, because the accuracy of a bin is a share of
    few. An error within these draws is no evidence of a wrong calibration.

    Args:
        probabilities: [N, C]; each row sums to 1.
        draws: Number of draws.
        seed: Seed of the draws.

    Returns:
        [draws] fractions from 0 to 1.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    bins = _bins(confidence)
    # Whether the prediction is right decides about the error, and it is with the probability of the predicted class.
    right = np.random.default_rng(seed).random((draws, len(confidence))) < confidence
    gaps = [np.bincount(bins, weights=of - confidence, minlength=BINS) for of in right]
    errors: npt.NDArray[np.float64] = np.abs(gaps).sum(axis=1) / len(confidence)
    return errors


def calibration_errors(outputs: SplitOutputs, temperature: float) -> tuple[float, float]:
    """Compute the expected calibration error of the fused classifier without and with its temperature.

    Args:
        outputs: Outputs with at least one labelled utterance.
        temperature: Temperature of the fused classifier.
    """
    after = outputs.probabilities[FUSED]
    return calibration_error(remove_temperature(after, temperature), outputs.label), calibration_error(
        after, outputs.label
    )


def reliability(probabilities: npt.NDArray[np.float32], label: npt.NDArray[np.int64]) -> Reliability:
    """Compute confidence and accuracy per bin; arguments as in `calibration_error`."""
    bin_, confidence, right = _binned(probabilities, label)
    count = np.bincount(bin_, minlength=BINS)
    size = np.where(count > 0, count, np.nan)
    sums = (np.bincount(bin_, weights=values, minlength=BINS) for values in (confidence, right))
    return Reliability(count, *(total / size for total in sums))


def remove_temperature(probabilities: npt.NDArray[np.float32], temperature: float) -> npt.NDArray[np.float32]:
    """Convert probabilities [N, C] with temperature T to those with temperature 1: softmax(T log p)."""
    logits = temperature * _logarithm(probabilities)
    result: npt.NDArray[np.float32] = np.exp(logits - logsumexp(logits, axis=1, keepdims=True)).astype(np.float32)
    return result


def _binned(
    probabilities: npt.NDArray[np.float32], label: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Bin, confidence and correctness of every labelled utterance, [labelled] each."""
    labelled = label >= 0
    p = probabilities[labelled].astype(np.float64)  # [labelled, C]
    confidence, right = p.max(axis=1), p.argmax(axis=1) == label[labelled]
    return _bins(confidence), confidence, right


def _bins(confidence: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    bins: npt.NDArray[np.int64] = np.clip(np.ceil(confidence * BINS) - 1, 0, BINS - 1).astype(np.int64)
    return bins


def _logarithm(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    # A probability rounded to 0 is replaced by the smallest positive float32.
    logarithm: npt.NDArray[np.float64] = np.log(
        np.maximum(probabilities, np.finfo(np.float32).smallest_subnormal).astype(np.float64)
    )
    return logarithm
