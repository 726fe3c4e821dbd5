from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from krippendorff import alpha
from sklearn.metrics import cohen_kappa_score, f1_score

from sdt.evaluation.agreement import measure_agreement
from sdt.evaluation.bootstrap import Resampling
from sdt.evaluation.ratings import Labelled, Ratings, match_times, match_utterances

HOW = Resampling(draws=200)
TEXTBOOK = (
    "1 2 3 3 2 1 4 1 2 - - -",
    "1 2 3 3 2 2 4 1 2 5 - 3",
    "- 3 3 3 2 3 4 2 2 5 1 -",
    "1 2 3 3 2 4 4 1 2 5 1 -",
)
"""Krippendorff's own example: four observers of twelve units, with missing labels."""
# Fleiss (1971): 30 patients, 6 psychiatrists, diagnoses 1 to 5.
DIAGNOSES = """444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444 222333 144444 224445
333335 111455 111112 224444 133555 555555 244444 224555 114444 144445 222224 111155 224444 133333 555555"""


def ratings(texts: Sequence[str], conversations: int = 1) -> Ratings:
    given = {
        f"annotator {number}": [
            Labelled(str(unit % conversations), str(unit), label)
            for unit, label in enumerate(text.split())
            if label != "-"
        ]
        for number, text in enumerate(texts)
    }
    return match_utterances(given).ratings


def test_two_annotators_as_scikit_learn() -> None:
    one, other = "j j a n n n a j n a j n", "j a a n n j a j n n j n"
    agreement = measure_agreement(ratings([one, other], 6), HOW)
    (found,) = agreement.pairs
    assert found.kappa == pytest.approx(cohen_kappa_score(one.split(), other.split()))
    assert found.agreement == agreement.raw.value == pytest.approx(9 / 12)
    scores = f1_score(one.split(), other.split(), average=None, labels=["a", "j", "n"])
    assert found.by_label == pytest.approx(dict(zip("ajn", scores, strict=True)))
    # Of two annotators, the agreement on a label is F1.
    assert [of.agreement.value for of in agreement.labels.values()] == pytest.approx(scores)
    low, high, note = found.interval
    assert low < found.kappa < high
    assert not note
    assert agreement.krippendorff_alpha.interval.low < agreement.krippendorff_alpha.value
    assert agreement.krippendorff_alpha.value < agreement.krippendorff_alpha.interval.high


def test_missing_labels() -> None:
    of = ratings(["j - a n", "j j - a"])
    found = measure_agreement(of, HOW)
    assert (of.compared, of.missing) == (2, 2)
    assert (found.pairs[0].compared, found.pairs[0].agreement, found.raw.value) == (2, 0.5, 0.5)
    assert found.pairs[0].interval.note
    none = measure_agreement(ratings(["j -", "- j"]), HOW)
    assert none.pairs[0].compared == 0
    assert math.isnan(none.pairs[0].kappa)
    assert math.isnan(none.raw.value)
    one_label = measure_agreement(ratings(["j j", "j j"]), HOW)
    assert one_label.raw.value == 1
    assert math.isnan(one_label.pairs[0].kappa)
    assert math.isnan(one_label.krippendorff_alpha.value)
    assert math.isnan(one_label.fleiss_kappa.value)


def test_textbook_example() -> None:
    """Alpha 0.743 (Krippendorff); agreement 0.818, Fleiss' kappa 0.76117, alpha 0.74342 (Gwet; R package irrCAC)."""
    found = measure_agreement(ratings(TEXTBOOK), HOW)
    assert found.krippendorff_alpha.value == pytest.approx(0.74342, abs=5e-6)
    assert found.fleiss_kappa.value == pytest.approx(0.76117, abs=5e-6)
    assert found.raw.value == pytest.approx(9 / 11)


def test_kappa_of_fleiss() -> None:
    """Overall 0.430; of the labels 0.245, 0.245, 0.520, 0.471, 0.566 (Fleiss, 1971)."""
    patients = DIAGNOSES.split()
    found = measure_agreement(ratings([" ".join(of[number] for of in patients) for number in range(6)]), HOW)
    assert found.fleiss_kappa.value == pytest.approx(0.430, abs=5e-4)
    kappas = [of.fleiss_kappa.value for of in found.labels.values()]
    assert kappas == pytest.approx([0.245, 0.245, 0.520, 0.471, 0.566], abs=5e-4)


def test_fourteen_annotators() -> None:
    """Ten units, 14 annotators, 5 labels: 0.210 (the worked example of most introductions to Fleiss' kappa)."""
    table = "00 00 00 00 14 00 02 06 04 02 00 00 03 05 06 00 03 09 02 00 02 02 08 01 01 07 07 00 00 00 03 02 06 03 00"
    table += " 02 05 03 02 02 06 05 02 01 00 00 02 02 03 07"
    counts = np.array(table.split(), dtype=int).reshape(10, 5)
    rows = [[label for label, n in enumerate(row) for _ in range(n)] for row in counts]
    found = measure_agreement(ratings([" ".join(str(row[n]) for row in rows) for n in range(14)]), HOW)
    assert found.fleiss_kappa.value == pytest.approx(0.210, abs=5e-4)


@given(st.lists(st.lists(st.sampled_from("abc-"), min_size=4, max_size=4), min_size=2, max_size=12))
def test_alpha_as_the_library(rows: list[list[str]]) -> None:
    of = ratings([" ".join(column) for column in zip(*rows, strict=True)])
    found = measure_agreement(of, HOW)
    used = {label for row in rows if len(row) - row.count("-") > 1 for label in row if label != "-"}
    if len(used) < 2:
        assert math.isnan(found.krippendorff_alpha.value)
        return
    data = np.where(of.values < 0, np.nan, of.values).T
    assert found.krippendorff_alpha.value == pytest.approx(alpha(data, level_of_measurement="nominal"))
    for number, label in enumerate(of.labels):
        if label in used:
            binary = np.where(np.isnan(data), np.nan, data == number)
            expected = alpha(binary, level_of_measurement="nominal")
            assert found.labels[label].krippendorff_alpha.value == pytest.approx(expected)


def segment(label: str, start: float, end: float, *, id: str = "0", speaker: str = "Ann") -> Labelled:
    return Labelled("talk", id, label, speaker, start, end)


def test_time_by_hand() -> None:
    """Joy until 4 s or 5 s of 10 s: equal for 9 s; an utterance of another speaker has one label only."""
    one = [segment("joy", 0, 4), segment("anger", 4, 10), segment("joy", 2, 3, speaker="Ben")]
    other = [segment("joy", 0, 5), segment("anger", 5, 10)]
    of = match_times({"one": one, "other": other})
    assert of is not None
    assert (of.compared, of.missing) == (10_000, 1000)
    found = measure_agreement(of, HOW)
    assert found.raw.value == pytest.approx(0.9)
    assert found.pairs[0].kappa == pytest.approx((0.9 - 0.5) / 0.5)
    assert found.labels["joy"].agreement.value == pytest.approx(8 / 9)
    # Each millisecond is a unit.
    data = np.repeat(np.where(of.values < 0, np.nan, of.values), of.counts.astype(int), axis=0).T
    assert found.krippendorff_alpha.value == pytest.approx(alpha(data, level_of_measurement="nominal"))


def test_time_with_gaps_and_overlaps() -> None:
    one = [segment("joy", 0, 2), segment("anger", 1, 3)]  # the later one counts from 1 s
    other = [segment("anger", 1.5, 4), segment("joy", 6, 7)]
    of = match_times({"one": one, "other": other, "silent": [Labelled("talk", "0", "joy")]})
    assert of is not None
    assert of.compared == 1500
    assert of.missing == 3 * 5000 - 3000 - 3500
    assert measure_agreement(of, HOW).raw.value == 1
    assert match_times({"one": one, "untimed": [Labelled("talk", "0", "joy")]}) is None


def test_same_ids_of_other_segments_are_not_compared() -> None:
    one = [segment("joy", 0, 4), segment("joy", 4, 6, id="1"), Labelled("talk", "2", "joy")]
    other = [segment("joy", 0, 3), segment("anger", 5.5, 8, id="1"), segment("joy", 8, 9, id="2")]
    matched = match_utterances({"one": one, "other": other})
    assert (matched.different, matched.ratings.compared, matched.ratings.missing) == (1, 2, 1)
    assert matched.disagreements() == []


def test_a_crowd() -> None:
    """Each of 40 annotators labels three of 40 utterances: no pairs, but the measures of all."""
    given = {
        str(annotator): [
            Labelled(str(unit % 8), str(unit), "joy" if unit % 3 else "anger")
            for unit in ((annotator + step) % 40 for step in range(3))
        ]
        for annotator in range(40)
    }
    of = match_utterances(given).ratings
    found = measure_agreement(of, HOW)
    assert found.pairs == ()
    assert (of.compared, found.raw.value, found.krippendorff_alpha.value) == (40, 1, 1)


def test_disagreements() -> None:
    given = {
        "a": [Labelled("c", "0", "joy"), Labelled("c", "1", "joy"), Labelled("c", "2", "neutral")],
        "b": [Labelled("c", "0", "joy"), Labelled("c", "1", "anger")],
    }
    assert match_utterances(given).disagreements() == [("c", "1")]
