"""Comparisons: what they compute, what they say, and that no order matters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sdt.errors import InputError
from sdt.evaluation.bootstrap import Resampling
from sdt.evaluation.comparison_tables import grids, values
from sdt.evaluation.metrics import metrics
from sdt.evaluation.seed_tests import holm
from sdt.evaluation.significance import Comparison, Family, compare, estimates
from sdt.evaluation.system import System
from sdt.evaluation.verdict import Verdict
from tests.evaluation.worlds import LABELS, World

WORLD = World(40, seed=11)
GOOD, BETTER, LIKE = (WORLD.system(name, accuracy, runs=6) for name, accuracy in (("a", 0.4), ("b", 0.55), ("c", 0.4)))


def only(reference: System, other: System) -> Comparison:
    (comparison,) = compare(reference, [other], resampling=Resampling(1000))
    return comparison


def test_a_difference_and_all_that_is_said_of_it() -> None:
    comparison = only(GOOD, BETTER)
    found = comparison.differences["accuracy"]
    accuracies = [(system.predicted == system.true).mean(axis=1) for system in (GOOD, BETTER)]
    assert found.value == pytest.approx(np.mean(accuracies[1]) - np.mean(accuracies[0]))
    assert found.low < found.value < found.high
    assert found.low > 0
    assert found.p is not None
    assert found.p < 0.01
    assert comparison.verdict("accuracy") == Verdict("significant", "significant")
    assert (found.t.pairs, found.wilcoxon.pairs) == (6, 6)
    assert found.wilcoxon.p == pytest.approx(2 / 64)
    spread = comparison.estimates[1]["accuracy"].spread
    assert spread.deviation == pytest.approx(np.std(accuracies[1], ddof=1))
    assert set(comparison.differences) == {*metrics(), *(f"f1:{label}" for label in LABELS)}
    said = comparison.sentence("accuracy")
    assert said.startswith(f"b is {100 * found.value:.2f} points of accuracy above a on average (95 % interval")
    assert "bootstrap over 40 conversations" in said
    assert comparison.notes == ()


def test_nothing_differs() -> None:
    comparison = only(GOOD, replace(GOOD, name="again", predicted=GOOD.predicted[::-1], seeds=GOOD.seeds[::-1]))
    for difference in comparison.differences.values():
        assert difference.value == pytest.approx(0, abs=1e-12)
        assert np.isnan([difference.low, difference.high]).all()
        assert (difference.p, difference.t.p, difference.wilcoxon.p) == (1, 1, 1)
        assert difference.to_dict()["interval"] is None
    assert comparison.verdict() == Verdict("not significant", "not significant")
    assert "again and a have the same weighted F1" in comparison.sentence()


def test_chance_is_called_so() -> None:
    assert only(GOOD, LIKE).verdict() == Verdict("not significant", "not significant")


def test_the_two_sides_mirror_each_other() -> None:
    there, back = only(GOOD, BETTER), only(BETTER, GOOD)
    for measure, one in there.differences.items():
        other = back.differences[measure]
        assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
        assert (one.p, one.t.p, one.wilcoxon.p) == pytest.approx((other.p, other.t.p, other.wilcoxon.p))
    assert "points of weighted F1 below b" in back.sentence()


def shuffled(system: System, seed: int) -> System:
    """The same with its utterances, labels and runs in another order."""
    rng = np.random.default_rng(seed)
    rows, labels, runs = (rng.permutation(size) for size in (len(system.utterance_keys), len(LABELS), system.runs))
    number = np.argsort(labels)
    return replace(
        system,
        labels=tuple(LABELS[index] for index in labels),
        utterance_keys=tuple(system.utterance_keys[row] for row in rows),
        true=number[system.true[rows]],
        predicted=number[system.predicted[runs][:, rows]],
        seeds=tuple(system.seeds[run] for run in runs),
    )


def test_the_order_of_utterances_labels_runs_and_systems_does_not_matter() -> None:
    plain = compare(GOOD, [BETTER, LIKE], resampling=Resampling(300))
    mixed = compare(shuffled(GOOD, 1), [shuffled(LIKE, 2), shuffled(BETTER, 3)], resampling=Resampling(300))[::-1]
    for one, other in zip(plain, mixed, strict=True):
        assert one.other.name == other.other.name
        for measure, difference in one.differences.items():
            again = other.differences[measure]
            assert (difference.value, difference.low, difference.high) == pytest.approx(
                (again.value, again.low, again.high)
            )
            assert difference.p == again.p
            assert (difference.t_holm, difference.wilcoxon_holm) == pytest.approx((again.t_holm, again.wilcoxon_holm))


def test_families_of_holm() -> None:
    comparisons = compare(GOOD, [BETTER, LIKE], resampling=Resampling(300))
    raw = [c.differences["macro_f1"].p for c in comparisons]
    assert [c.differences["macro_f1"].p_holm for c in comparisons] == holm(raw)
    classes = [c.differences[f"f1:{label}"] for c in comparisons for label in LABELS]
    assert [of.p_holm for of in classes] == holm([of.p for of in classes])
    assert [of.t_holm for of in classes] == holm([of.t.p for of in classes])
    assert comparisons[0].differences["macro_f1"].family == Family(2, 2, 2)
    assert {of.family for of in classes} == {Family(8, 8, 8)}


def test_an_undefined_test_does_not_count_in_its_own_correction() -> None:
    """One of three comparisons has the same difference for every seed: t is undefined, the other tests are not."""
    shifted = GOOD.predicted.copy()
    rows = [np.flatnonzero(GOOD.true != run)[:30] for run in GOOD.predicted]
    for run, wrong in zip(shifted, rows, strict=True):
        run[wrong] = GOOD.true[wrong]
    comparisons = compare(GOOD, [BETTER, LIKE, replace(GOOD, name="d", predicted=shifted)], resampling=Resampling(300))
    of = [comparison.differences["accuracy"] for comparison in comparisons]
    assert of[2].t.p is None
    assert of[2].t_holm is None
    assert {d.family for d in of} == {Family(bootstrap=3, t=2, wilcoxon=3)}
    assert [d.t_holm for d in of[:2]] == holm([d.t.p for d in of[:2]])
    written = of[0].to_dict()
    assert [written[test]["comparisons"] for test in ("bootstrap", "t_test", "wilcoxon")] == [3, 2, 3]
    assert comparisons[2].verdict("accuracy").seeds == "undefined"


def test_a_class_that_the_test_set_does_not_have_is_not_tested() -> None:
    one, two = (replace(system, labels=(*LABELS, "never")) for system in (GOOD, BETTER))
    comparison = only(one, two)
    never = comparison.differences["f1:never"]
    assert (never.p, never.t.p, never.wilcoxon.p) == (None, None, None)
    assert never.to_dict()["interval"] is None
    assert {of.family for name, of in comparison.differences.items() if name.startswith("f1:")} == {Family(4, 4, 4)}
    assert comparison.estimates[0]["f1:never"].to_dict()["interval"] is None


@pytest.mark.parametrize("conversations", [1, 2, 5])
def test_few_conversations_allow_no_conclusion(conversations: int) -> None:
    world = World(conversations, seed=3)
    comparison = only(world.system("a", 0.1, runs=6), world.system("b", 0.9, runs=6))
    found = comparison.to_dict()
    weighted = found["measures"]["weighted_f1"]
    assert weighted["bootstrap"] == {"p": None, "p_holm": None, "comparisons": 0}
    assert weighted["interval"] is weighted["reference"]["interval"] is None
    assert found["verdicts"]["weighted_f1"]["test_set"] == "undefined"
    assert list(grids([comparison]))


@pytest.mark.parametrize(("seeds", "finding"), [(1, "too few"), (2, "too few"), (4, "too few"), (5, "significant")])
def test_a_conclusion_on_seeds_needs_five_of_them(seeds: int, finding: str) -> None:
    one, two = (replace(of, predicted=of.predicted[:seeds], seeds=tuple(range(seeds))) for of in (GOOD, BETTER))
    comparison = only(one, two)
    assert comparison.verdict("accuracy").seeds == finding
    assert any("common seeds: " in note for note in comparison.notes) == (finding == "too few")


def test_seeds_that_only_one_side_has_do_not_count() -> None:
    comparison = only(GOOD, replace(BETTER, seeds=(4, 5, 6, 7, 8, 9)))
    assert comparison.differences["accuracy"].t.pairs == 2
    assert comparison.verdict("accuracy").seeds == "too few"
    assert any("common seeds: 2" in note for note in comparison.notes)


def test_few_seeds_are_called_few() -> None:
    one = replace(BETTER, predicted=BETTER.predicted[:1], seeds=(0,))
    comparison = only(GOOD, one)
    assert comparison.differences["accuracy"].t.p is None
    assert comparison.verdict("accuracy").seeds == "too few"
    (note,) = comparison.notes
    assert "a has 6 runs, b 1 run; common seeds: 1" in note
    five = replace(BETTER, predicted=BETTER.predicted[:5], seeds=(0, 1, 2, 3, 4))
    assert "with 5 seeds Wilcoxon's p is at least 0.0625" in only(GOOD, five).sentence()


def test_what_has_to_be_known_of_the_systems() -> None:
    strange = replace(BETTER, corpus_sha256="b" * 64, caveats=("epoch selected on test (protocol 'published')",))
    known = replace(GOOD, corpus_sha256="a" * 64)
    with pytest.raises(InputError, match=r"b and a .*different corpora.* --other-features"):
        compare(known, [strange])
    (comparison,) = compare(known, [strange], other_features=True, resampling=Resampling(100))
    assert any("b: epoch selected on test" in note for note in comparison.notes)
    assert any("different features" in note for note in comparison.notes)
    small = World(12, seed=1)
    notes = only(small.system("a", 0.5), small.system("b", 0.5)).notes
    assert any("only 12 conversations" in note for note in notes)


def test_estimates_are_those_of_the_comparison() -> None:
    (of,) = estimates([GOOD], Resampling(500, 3))
    (comparison,) = compare(GOOD, [LIKE], resampling=Resampling(500, 3))
    assert of == comparison.estimates[0]
    assert of["weighted_f1"].low < of["weighted_f1"].spread.mean < of["weighted_f1"].high


def test_tables_and_json() -> None:
    comparisons = compare(GOOD, [BETTER, LIKE], resampling=Resampling(200))
    scores, classes, first, second = grids(comparisons)
    assert [row[0] for row in scores.rows] == ["a"] * 3 + ["b"] * 3 + ["c"] * 3
    assert classes.columns == ("class", "a", "b", "c")
    assert [row[0] for row in first.rows] == ["accuracy", "weighted F1", "macro F1", *LABELS]
    assert first.title.startswith("b minus a, in points")
    assert second.title.endswith("(accuracy, weighted F1, macro F1: 2 comparisons; classes: 8 comparisons)")
    found = values(comparisons, {"split": "test"})
    weighted = found["comparisons"][0]["measures"]["weighted_f1"]
    assert weighted["difference"] == comparisons[0].differences["weighted_f1"].value
    assert set(weighted) == {"reference", "other", "difference", "interval", "bootstrap", "t_test", "wilcoxon"}
    assert found["comparisons"][1]["sentences"]["accuracy"] == comparisons[1].sentence("accuracy")
