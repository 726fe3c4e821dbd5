"""Reading predictions, putting them beside the annotation, and refusing what is not the same test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sdt.errors import InputError
from sdt.evaluation.predicted import PredictionFile, read_prediction_file
from sdt.evaluation.system import System, Truth

TRUTH = Truth(("calm", "cross"), {("a", "0"): "calm", ("a", "1"): "cross", ("b", "0"): "cross"})
JSON_LINES = """\
{"conversation": "a", "utterance": "0", "label": "calm", "emotion": "calm", "probabilities": {"cross": 0, "calm": 1}}
{"conversation": "b", "utterance": "0", "emotion": "cross", "probabilities": {"cross": 0.7, "calm": 0.3}}
"""


def predicted(**emotions: str) -> PredictionFile:
    places = {f"{c}{u}": (c, u) for c, u in TRUTH.annotated}
    return PredictionFile(Path("mine.csv"), {places[key]: emotion for key, emotion in emotions.items()}, {}, None)


def test_json_lines(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text(JSON_LINES, encoding="utf-8")
    found = read_prediction_file(tmp_path / "p.jsonl")
    assert found.emotions == {("a", "0"): "calm", ("b", "0"): "cross"}
    assert found.annotated == {("a", "0"): "calm"}
    assert found.labels == ("cross", "calm")  # the model's order


def test_csv(tmp_path: Path) -> None:
    text = "utterance,conversation,emotion,label,confidence\n0,7,calm,,0.3\n1,7,cross,calm,0.4\n"
    (tmp_path / "p.csv").write_text(text, encoding="utf-8")
    found = read_prediction_file(tmp_path / "p.csv")
    assert found.emotions == {("7", "0"): "calm", ("7", "1"): "cross"}
    assert (found.annotated, found.labels) == ({("7", "1"): "calm"}, None)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the file is empty"),
        ("conversation,utterance,emotion\n", "no predictions"),
        ("conversation,utterance,emotoin\na,0,calm\n", "did you mean 'emotion'?"),
        ("conversation,emotion\na,calm\n", "column 'utterance' is missing"),
        ("conversation,utterance,emotion\na,0,\n", "line 2: emotion is empty"),
        ("conversation,utterance,emotion\na,0,calm\na,0,cross\n", "line 3: utterance '0' of conversation 'a' occurs"),
        ("conversation,utterance,emotion\na,0\n", "line 2: 2 cells"),
    ],
)
def test_files_that_are_no_predictions(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"p\.csv") as error:
        read_prediction_file(tmp_path / "p.csv")
    assert complaint in str(error.value)


def test_files_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scores\.txt: .*\.csv, \.jsonl"):
        read_prediction_file(tmp_path / "scores.txt")


def test_a_json_array(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('[{"conversation": "a", "utterance": 0, "emotion": "calm"}]', encoding="utf-8")
    assert read_prediction_file(tmp_path / "p.json").emotions == {("a", "0"): "calm"}


def test_a_system_is_numbered_by_the_truth() -> None:
    system = System.of("mine", [predicted(b0="calm", a0="calm", a1="cross")], TRUTH)
    assert system.true.tolist() == [0, 1, 1]
    assert system.predicted.tolist() == [[0, 1, 0]]
    assert system.conversation.tolist() == [0, 0, 1]
    assert (system.runs, system.conversations, system.seeds) == (1, 2, (None,))
    assert system.truth == TRUTH


def test_what_a_system_must_say() -> None:
    with pytest.raises(InputError, match=r"mine.csv: .* 1 of 3 .* utterance '0' of conversation 'b'"):
        System.of("mine", [predicted(a0="calm", a1="cross")], TRUTH)
    with pytest.raises(InputError, match=r"'croos' is not a label; did you mean 'cross'\?"):
        System.of("mine", [predicted(a0="calm", a1="croos", b0="calm")], TRUTH)
    with pytest.raises(InputError, match="unknown label 'glad'"):
        System.of("mine", [predicted(a0="calm")], Truth(("calm", "cross"), {("a", "0"): "glad"}))
    mine = replace(predicted(a0="calm", a1="cross", b0="cross"), annotated={("b", "0"): "calm"})
    with pytest.raises(InputError, match="label 'calm', but 'cross'"):
        System.of("mine", [mine], TRUTH)
    with pytest.raises(InputError, match="has no labels"):
        Truth.of_file(predicted(a0="calm"))


def test_other_orders_are_the_same_test() -> None:
    system = System.of("mine", [predicted(a0="calm", a1="calm", b0="cross")], TRUTH)
    backwards = Truth(("cross", "calm"), dict(reversed(list(TRUTH.annotated.items()))))
    other = System.of("other", [predicted(a0="calm", a1="calm", b0="cross")], backwards)
    aligned = other.aligned(system)
    for name in ("true", "predicted"):
        np.testing.assert_array_equal(getattr(aligned, name), getattr(system, name))
    assert (aligned.utterance_keys, aligned.labels, aligned.name) == (system.utterance_keys, system.labels, "other")


def test_other_tests_are_refused() -> None:
    emotions = {"a0": "calm", "a1": "calm", "b0": "cross"}
    system = System.of("mine", [predicted(**emotions)], TRUTH)
    more = Truth(("calm", "cross", "glad"), TRUTH.annotated)
    with pytest.raises(InputError, match=r"mine and other have different labels \(glad\)"):
        System.of("other", [predicted(**emotions)], more).aligned(system)
    fewer = Truth(TRUTH.labels, dict(list(TRUTH.annotated.items())[:2]))
    with pytest.raises(InputError, match=r"different utterances: 1 are annotated .* such as .* in mine"):
        System.of("other", [predicted(**emotions)], fewer).aligned(system)
    changed = Truth(TRUTH.labels, {**TRUTH.annotated, ("b", "0"): "calm"})
    with pytest.raises(InputError, match=r"different annotations; 1 differ, such as .* 'cross' and 'calm'"):
        System.of("other", [predicted(**emotions)], changed).aligned(system)
