"""What can be searched through, in the words of the command line."""

from __future__ import annotations

import optuna
import pytest

from sdt.errors import InputError
from sdt.experiments.space import Choice, Dimension, Range, parse_space


def test_spaces() -> None:
    assert parse_space(
        ["training.learning_rate=1e-5..1e-3:log", "model.layers=1..4", "model.width=8,16", "training.clip=null,0.5",
         "modalities=words,[words,voice]", "model.context=full,window(8)", "training.early_stopping=2..8"]
    ) == (
        Range("training.learning_rate", 1e-5, 1e-3, log=True, whole=False),
        Range("model.layers", 1, 4, log=False, whole=True),
        Choice("model.width", (8, 16)),
        Choice("training.clip", (None, 0.5)),
        Choice("modalities", (["words"], ["words", "voice"])),
        Choice("model.context", ("full", "window(8)")),
        Range("training.early_stopping", 2, 8, log=False, whole=True),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "search space is empty"),
        (["model.width"], "expected SETTING="),
        (["model.width="], "expected SETTING="),
        (["model.widt=8..16"], "did you mean 'model.width'"),
        (["model.width=8..9.5"], "'9.5' is not a whole number"),
        (["model.width=8..x"], "'x' is not a whole number"),
        (["model.dropout=0.5..0.1"], "the range is empty"),
        (["model.dropout=0..0.5:log"], "must start above 0"),
        (["model.dropout=0.1..0.5:lin"], "'lin' is not a scale"),
        (["model.fusion=gated..addition"], "'gated' is not|is not a number"),
        (["model.fusion=gated,adition"], "did you mean 'addition'"),
        (["seed=1..9"], "cannot be searched"),
        (["training.test=sealed,once"], "cannot be searched"),
        (["training.protocol=published"], "cannot be searched"),
        (["model.width=8,16", "model.width=8..16"], "duplicate setting"),
    ],
)
def test_what_is_no_space(texts: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_space(texts)


@pytest.mark.parametrize(
    ("dimension", "inside", "outside"),
    [
        (Range("model.dropout", 0.1, 0.5, log=False, whole=False), 0.1, 0.6),
        (Range("model.layers", 1, 4, log=True, whole=True), 4, 5),
        (Choice("training.clip", (None, 0.5)), None, 0.7),
        (Choice("modalities", (["a"], ["a", "b"])), ("a", "b"), None),
    ],
)
def test_what_is_suggested_lies_inside_and_own_settings_are_known(
    dimension: Dimension, inside: object, outside: object
) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(8):
        assert dimension.parameter(dimension.suggest(study.ask())) is not None
    assert dimension.parameter(outside) is None
    study.enqueue_trial({dimension.key: dimension.parameter(inside)})
    found = dimension.suggest(study.ask())
    assert (tuple(found) if isinstance(found, list) else found) == inside
