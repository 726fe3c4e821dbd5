"""Temperatures and the expected calibration error, against what is known of made-up probabilities."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from sdt.conversation import UNLABELLED
from sdt.evaluation.calibration import (
    MAX_TEMPERATURE,
    calibrated_errors,
    calibration_error,
    fit_temperature,
    fit_temperatures,
    reliability,
    remove_temperature,
)
from sdt.evaluation.evaluate import evaluate
from sdt.evaluation.outputs import run_model
from tests.evaluation.small import small_corpus, small_model


def softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True), dtype=np.float32)


@pytest.fixture
def truth() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Logits [4000, 4], and labels drawn from exactly their softmax."""
    rng = np.random.default_rng(1)
    logits = 2 * rng.normal(size=(4000, 4))
    cumulated = softmax(logits).astype(np.float64).cumsum(axis=1)
    return logits, np.minimum((rng.random((4000, 1)) > cumulated).sum(axis=1), 3).astype(np.int64)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_spoilt_the_logits_is_found(
    truth: tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]], temperature: float
) -> None:
    logits, label = truth
    spoilt = softmax(logits / temperature)
    found = fit_temperature(spoilt, label)
    assert found * temperature == pytest.approx(1, rel=0.08)
    assert found == fit_temperature(spoilt, label)
    mended = softmax(logits / temperature / found)
    np.testing.assert_array_equal(mended.argmax(1), spoilt.argmax(1))
    assert calibration_error(mended, label) < 0.03
    if temperature != 1:
        assert calibration_error(mended, label) < calibration_error(spoilt, label) / 3


def test_it_is_the_minimum_that_torch_finds(truth: tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]) -> None:
    logits, label = truth
    log_p = torch.from_numpy(np.log(softmax(logits[:200] * 2)))
    log_temperature = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.LBFGS([log_temperature], max_iter=50, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(log_p / log_temperature.exp(), torch.from_numpy(label[:200]))
        value.backward()
        return value.item()

    optimizer.step(loss)
    assert fit_temperature(softmax(logits[:200] * 2), label[:200]) == pytest.approx(log_temperature.exp().item(), 1e-3)


def test_extremes_stay_within_bounds() -> None:
    right = np.array([[0.6, 0.4], [0.3, 0.7], [1.0, 0.0]], dtype=np.float32)
    assert fit_temperature(right, np.array([0, 1, 0])) == pytest.approx(1 / MAX_TEMPERATURE, rel=1e-3)
    assert fit_temperature(right, np.array([1, 0, 1])) == pytest.approx(MAX_TEMPERATURE, rel=1e-3)
    assert fit_temperature(right, np.array([0, UNLABELLED, UNLABELLED])) == pytest.approx(1 / MAX_TEMPERATURE, rel=1e-3)


def test_the_error_by_hand() -> None:
    p = np.array([[0.9, 0.1], [0.92, 0.08], [0.58, 0.42], [0.45, 0.55], [0.2, 0.8]], dtype=np.float32)
    label = np.array([0, 1, 0, 0, UNLABELLED])
    # Bin 13 (0.8667, 0.9333]: one of two right at 0.91; bin 8 (0.5333, 0.6]: one at 0.58 and 0.55.
    in_one_bin = [abs(1 - 0.91 * 2), abs(1 - (0.58 + 0.55))]
    assert calibration_error(p, label) == pytest.approx(sum(in_one_bin) / 4, abs=1e-6)


@pytest.mark.parametrize("confidence", [1.0, 0.2, 1 / 3])
def test_the_edges_of_the_bins(confidence: float) -> None:
    p = np.array([[confidence, *[(1 - confidence) / 5] * 5]], dtype=np.float32)
    assert calibration_error(p, np.array([0])) == pytest.approx(1 - confidence, abs=1e-6)


def test_the_model_reports_calibrated_probabilities(tmp_path: Path) -> None:
    corpus = small_corpus(tmp_path / "small")
    model = small_model(corpus)
    plain = run_model(model, corpus, corpus.split("test"))
    temperatures = fit_temperatures(plain)
    assert temperatures.keys() == {"fused", "text", "audio"}
    model.config = replace(model.config, temperatures=temperatures)
    calibrated = run_model(model, corpus, corpus.split("test"))
    for head, p in plain.probabilities.items():
        powers = p.astype(np.float64) ** (1 / temperatures[head])
        expected = powers / powers.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(calibrated.probabilities[head], expected, atol=1e-5)
    values = evaluate(model, corpus, "test", name="m").to_dict()
    assert values["temperature"] == temperatures["fused"]
    assert values["expected_calibration_error"] == calibration_error(calibrated.probabilities["fused"], plain.label)


def test_no_labels_no_temperatures(tmp_path: Path) -> None:
    corpus = small_corpus(tmp_path / "small", labelled=False)
    assert fit_temperatures(run_model(small_model(corpus), corpus, corpus.split("dev"))) == {}


def test_bins_add_up_to_the_error(truth: tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]) -> None:
    logits, label = truth
    label = np.where(np.arange(len(label)) % 7 == 0, UNLABELLED, label)
    p = softmax(logits * 2)
    found = reliability(p, label)
    assert found.count.sum() == (label >= 0).sum()
    some = found.count > 0
    assert np.isnan(found.accuracy[~some]).all()
    gaps = np.abs(found.accuracy[some] - found.confidence[some]) * found.count[some]
    assert gaps.sum() / found.count.sum() == pytest.approx(calibration_error(p, label))
    confidence, right = p.max(axis=1), p.argmax(axis=1) == label
    inside = (label >= 0) & (confidence > 9 / 15) & (confidence <= 10 / 15)
    assert found.count[9] == inside.sum()
    assert found.accuracy[9] == pytest.approx(right[inside].mean())
    assert found.confidence[9] == pytest.approx(confidence[inside].mean(), abs=1e-6)


def test_a_temperature_is_taken_back(truth: tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]) -> None:
    logits = truth[0]
    np.testing.assert_allclose(remove_temperature(softmax(logits / 1.7), 1.7), softmax(logits), rtol=2e-5)
    np.testing.assert_allclose(remove_temperature(softmax(logits), 1.0), softmax(logits), rtol=1e-5)


def test_the_errors_that_a_calibrated_model_has_by_chance(
    truth: tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]],
) -> None:
    logits, _ = truth
    p = softmax(logits[:300])
    drawn = calibrated_errors(p, draws=400)
    rng = np.random.default_rng(5)  # the definition: labels of the probabilities
    labels = [np.array([rng.choice(4, p=row / row.sum()) for row in p.astype(np.float64)]) for _ in range(100)]
    naive = [calibration_error(p, label) for label in labels]
    assert drawn.mean() == pytest.approx(np.mean(naive), rel=0.1)
    assert drawn.std() == pytest.approx(np.std(naive), rel=0.3)
    np.testing.assert_array_equal(drawn, calibrated_errors(p, draws=400))
    assert calibrated_errors(softmax(logits)).mean() < drawn.mean() / 2  # more utterances, less chance
    certain = np.eye(4, dtype=np.float32)
    assert calibrated_errors(certain).max() == 0
