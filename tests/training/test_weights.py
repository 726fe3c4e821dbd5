from __future__ import annotations

import pytest

from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError
from sdt.training.settings import ClassWeights
from sdt.training.weights import class_weights

LABELS = ("calm", "cross")


def conversation(*labels: str | None) -> Conversation:
    return Conversation("c", tuple(Utterance(str(i), "A", label=label) for i, label in enumerate(labels)))


def test_inverse_is_one_over_the_share_of_the_labelled_utterances() -> None:
    weights = class_weights("inverse", LABELS, [conversation("calm", "cross", None), conversation("calm", "calm")])
    assert weights is not None
    assert weights.tolist() == pytest.approx([4 / 3, 4])


def test_none_and_given() -> None:
    assert class_weights("none", LABELS, []) is None
    for given in ([1.0, 0.5], {"cross": 0.5, "calm": 1.0}):
        weights = class_weights(given, LABELS, [])
        assert weights is not None
        assert weights.tolist() == [1.0, 0.5]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("inverse", "no training utterance has the label 'cross'"),
        ([1.0], "1 numbers for 2 labels: calm, cross"),
        ({"calm": 1.0, "cros": 1.0}, "no label 'cros'; did you mean 'cross'?"),
        ({"calm": 1.0}, "no number for the label 'cross'"),
        ([1.0, -1.0], "-1.0 for 'cross' is not a number of 0 or more"),
        ([float("nan"), 1.0], "nan for 'calm' is not a number of 0 or more"),
    ],
)
def test_what_does_not_fit(setting: ClassWeights, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        class_weights(setting, LABELS, [conversation("calm")])
    assert str(caught.value).startswith("training.class_weights: ")
    assert expected in str(caught.value)
