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
HOTTEST = 10.0
"""Temperatures are sought from 1/HOTTEST to HOTTEST: where every utterance of a small dev split is right, the best
temperature would be 0, and every probability 1."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """Confidence and accuracy in bins of the highest probability: (0, 1/15], (1/15, 2/15] and so on."""

    count: npt.NDArray[np.int64]
    """[bins] utterances."""
    confidence: npt.NDArray[np.float64]
    """[bins]; the mean of the highest probability, NaN if there is no utterance."""
    accuracy: npt.NDArray[np.float64]
    """[bins]; the share that is right, NaN likewise."""


def fit_temperatures(outputs: SplitOutputs) -> dict[str, float]:
    """The temperature of every head that fits its labelled utterances best.

    Args:
        outputs: Of a model whose temperatures are all 1, on utterances that it was not trained on.

    Returns:
        Head to temperature; empty if no utterance is labelled.
    """
    if (outputs.label < 0).all():
        return {}
    return {head: fit_temperature(p, outputs.label) for head, p in outputs.probabilities.items()}


def fit_temperature(probabilities: npt.NDArray[np.float32], label: npt.NDArray[np.int64]) -> float:
    """The temperature T that minimises the mean negative log-likelihood of softmax(logits / T).

    The likelihood is convex in 1/T, so that a one-dimensional search finds the one minimum, always the same.

    Args:
        probabilities: [N, C], by T = 1; their logarithms are the logits up to a constant that softmax ignores.
        label: [N] class numbers; negative if there is none, at least one is not.
    """
    labelled = label >= 0
    logits = _logarithm(probabilities[labelled])
    of_label = logits[np.arange(len(logits)), label[labelled]]  # [labelled]

    def loss(log_temperature: float) -> float:
        inverse = np.exp(-log_temperature)
        return float((logsumexp(inverse * logits, axis=1) - inverse * of_label).mean())

    limit = np.log(HOTTEST)
    found = minimize_scalar(loss, bounds=(-limit, limit), method="bounded", options={"xatol": 1e-6})
    # Six digits: what is beyond them depends on the machine's exp and log.
    return float(f"{np.exp(found.x):.6g}")


def cross_entropy(probabilities: npt.NDArray[np.float32], label: npt.NDArray[np.int64]) -> float:
    """The mean negative log-likelihood of the labels, in nats.

    Args:
        probabilities: [N, C].
        label: [N] class numbers; negative if there is none, at least one is not.
    """
    labelled = label >= 0
    return float(-_logarithm(probabilities[labelled, label[labelled]]).mean())


def calibration_error(probabilities: npt.NDArray[np.float32], label: npt.NDArray[np.int64]) -> float:
    """The expected calibration error: how far confidence is from accuracy.

    The utterances are divided by their highest probability into 15 bins of equal width, (0, 1/15], (1/15, 2/15] and so
    on. The error is the mean of |accuracy - mean confidence| over the bins, weighted by their utterances: 0 if of
    the utterances predicted with 70 % every 70 in 100 are right.

    Args:
        probabilities: [N, C].
        label: [N] class numbers; negative if there is none, at least one is not.

    Returns:
        A fraction from 0 to 1.
    """
    bin_, confidence, right = _binned(probabilities, label)
    # n_b / N * |right_b / n_b - confidence_b / n_b|, summed over the bins: the n_b cancel.
    gap = np.bincount(bin_, weights=right - confidence, minlength=BINS)
    return float(np.abs(gap).sum() / len(confidence))


def calibration_errors(outputs: SplitOutputs, temperature: float) -> tuple[float, float]:
    """The expected calibration error of the fused prediction without its temperature, and with it.

    Args:
        outputs: With at least one labelled utterance.
        temperature: That of the fused prediction.
    """
    after = outputs.probabilities[FUSED]
    return calibration_error(reheated(after, temperature), outputs.label), calibration_error(after, outputs.label)


def reliability(probabilities: npt.NDArray[np.float32], label: npt.NDArray[np.int64]) -> Reliability:
    """What the expected calibration error sums up, bin by bin; arguments as in `calibration_error`."""
    bin_, confidence, right = _binned(probabilities, label)
    count = np.bincount(bin_, minlength=BINS)
    size = np.where(count > 0, count, np.nan)
    sums = (np.bincount(bin_, weights=of, minlength=BINS) for of in (confidence, right))
    return Reliability(count, *(of / size for of in sums))


def reheated(probabilities: npt.NDArray[np.float32], temperature: float) -> npt.NDArray[np.float32]:
    """Probabilities by a temperature as those by T = 1, [N, C]: softmax(T log p)."""
    logits = temperature * _logarithm(probabilities)
    found: npt.NDArray[np.float32] = np.exp(logits - logsumexp(logits, axis=1, keepdims=True)).astype(np.float32)
    return found


def _binned(
    probabilities: npt.NDArray[np.float32], label: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Of every labelled utterance its bin, its confidence, and whether its prediction is right, [labelled] each."""
    labelled = label >= 0
    p = probabilities[labelled].astype(np.float64)  # [labelled, C]
    confidence, right = p.max(axis=1), p.argmax(axis=1) == label[labelled]
    return np.clip(np.ceil(confidence * BINS) - 1, 0, BINS - 1).astype(np.int64), confidence, right


def _logarithm(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    # A probability that is rounded to 0 is at most the smallest number there is.
    logarithm: npt.NDArray[np.float64] = np.log(
        np.maximum(probabilities, np.finfo(np.float32).smallest_subnormal).astype(np.float64)
    )
    return logarithm
