"""Class weights and logit adjustment of the cross-entropies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sdt.conversation import Conversation
from sdt.corpus.selection import label_counts
from sdt.errors import InputError, near_miss
from sdt.models.balance import Balance
from sdt.training.settings import ClassWeights


def balance_tensors(
    balance: Balance, weights: Tensor | None, labels: Sequence[str], train: Sequence[Conversation]
) -> tuple[Tensor | None, Tensor | None]:
    """Compute the class weights and the logit offset of `objective.balance`; see `sdt.models.balance`.

    Args:
        balance: The setting.
        weights: [C] of `class_weights`; None for equal weights.
        labels: The C label names in the order of their numbers.
        train: The training conversations.

    Returns:
        The class weights [C], multiplied by `weights`, and the logit offset [C]; None where the setting has none.
    """
    counts = label_counts(train, labels).tolist()
    offset, balanced = balance.logit_offset(counts), balance.class_weights(counts)
    if balanced is not None:
        weights = torch.tensor(balanced) if weights is None else torch.tensor(balanced) * weights
    return weights, None if offset is None else torch.tensor(offset)


def class_weights(setting: ClassWeights, labels: Sequence[str], train: Sequence[Conversation]) -> Tensor | None:
    """Compute the weight of each class.

    Args:
        setting: With `inverse`, labelled training utterances / utterances of the class, as published for IEMOCAP.
        labels: The C label names in the order of their numbers.
        train: The training conversations.

    Returns:
        [C] float32, or None for no weights.

    Raises:
        InputError: Numbers or labels do not match those of the corpus, or a class never occurs in training.
    """
    if setting == "none":
        return None
    if setting == "inverse":
        counts = label_counts(train, labels).tolist()
        for label, count in zip(labels, counts, strict=True):
            if not count:
                raise InputError(
                    f"training.class_weights: inverse, but no training utterance has the label {label!r}; "
                    "set a number for each label"
                )
        return torch.tensor([sum(counts) / count for count in counts])
    if isinstance(setting, dict):
        for label in setting:
            if label not in labels:
                raise InputError(f"training.class_weights: the corpus has no label {label!r}{near_miss(label, labels)}")
        missing = [label for label in labels if label not in setting]
        if missing:
            raise InputError(f"training.class_weights: no number for the label {missing[0]!r}")
        numbers = [setting[label] for label in labels]
    else:
        assert isinstance(setting, list)
        numbers = setting
    if len(numbers) != len(labels):
        raise InputError(
            f"training.class_weights: {len(numbers)} numbers for {len(labels)} labels: {', '.join(labels)}"
        )
    for label, number in zip(labels, numbers, strict=True):
        if not 0 <= number < math.inf:
            raise InputError(f"training.class_weights: {number} for {label!r} is not a number of 0 or more")
    return torch.tensor(numbers, dtype=torch.float32)
