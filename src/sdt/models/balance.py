"""The setting `objective.balance`: how the cross-entropies of the objective treat rare classes.

With n_c labelled training utterances of class c, z the logits and p_y the predicted probability of the label y:

| `balance`               | cross-entropy of an utterance                   | source                              |
|-------------------------|-------------------------------------------------|-------------------------------------|
| `none`                  | -log softmax(z)_y                               | as published                        |
| `logit_adjustment(tau)` | -log softmax(z + tau log(n / sum of n))_y       | Menon et al. 2021, arXiv 2007.07314 |
| `focal(gamma)`          | -(1 - p_y)^gamma log p_y                        | Lin et al. 2017, arXiv 1708.02002   |
| `class_balanced(beta)`  | -w_y log p_y, w_c = (1 - beta) / (1 - beta^n_c) | Cui et al. 2019, arXiv 1901.05555   |

All of them change the loss only; the prediction is the argmax of z. The mean over utterances is divided by the sum of
the class weights, so the scale of w does not matter (Cui et al. normalise w to the sum C). A class that does not occur
in training counts as one utterance.

This module does not import torch, so that the command line checks the setting quickly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Self

from sdt.errors import InputError, near_miss
from sdt.text import parse_call

_EXAMPLES = ("none", "logit_adjustment(1.0)", "focal(2.0)", "class_balanced(0.999)")


@dataclass(frozen=True, slots=True)
class Balance:
    """The treatment of class imbalance in the cross-entropies."""

    kind: Literal["none", "logit_adjustment", "focal", "class_balanced"] = "none"
    value: float = 0.0
    """tau, gamma or beta."""

    @classmethod
    @lru_cache
    def of(cls, text: str) -> Self:
        """Parse the setting.

        Raises:
            InputError: The setting is invalid.

        Example:
            >>> Balance.of("focal(2)")
            Balance(kind='focal', value=2.0)
        """
        if text == "none":
            return cls()
        match parse_call(text):
            case ("logit_adjustment" | "focal" as kind, value):
                if value == 0:
                    raise InputError(f"objective.balance: {text} is no change; set a number above 0 or none")
                return cls(kind, value)
            case ("class_balanced", value):
                if not 0 < value < 1:
                    raise InputError(f"objective.balance: {text}, but beta must be between 0 and 1")
                return cls("class_balanced", value)
        raise InputError(f"objective.balance: {text!r}{near_miss(text, _EXAMPLES)}")

    @property
    def gamma(self) -> float:
        """The exponent of the focal factor; 0 for the other kinds."""
        return self.value if self.kind == "focal" else 0.0

    def logit_offset(self, counts: Sequence[int]) -> list[float] | None:
        """What is added to the C logits in cross-entropies; None for nothing.

        Args:
            counts: [C] labelled training utterances of each class.
        """
        if self.kind != "logit_adjustment":
            return None
        present = [max(count, 1) for count in counts]
        return [self.value * math.log(count / sum(present)) for count in present]

    def class_weights(self, counts: Sequence[int]) -> list[float] | None:
        """The C class weights, which multiply those of `training.class_weights`; None for equal weights.

        Args:
            counts: [C] labelled training utterances of each class.
        """
        if self.kind != "class_balanced":
            return None
        return [(1 - self.value) / (1 - self.value ** max(count, 1)) for count in counts]
