"""The setting `model.context`: which utterances of its conversation an utterance attends to.

| `context`   | an utterance attends to                                                        |
|-------------|--------------------------------------------------------------------------------|
| `full`      | the whole conversation, as published                                           |
| `past`      | itself and all previous utterances                                             |
| `window(k)` | itself and the k - 1 previous utterances; `window(1)` is the utterance alone   |

`past` and `window(k)` are causal: later utterances do not change the outputs of earlier ones. With L encoder layers,
the receptive field of an utterance is L windows, because the second layer attends to outputs of the first.

This module does not import torch, so that the command line checks the setting quickly.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from sdt.errors import InputError, near_miss

_WINDOW = re.compile(r"window\((\d{1,9})\)")


@dataclass(frozen=True, slots=True)
class Context:
    """The utterances of its conversation that an utterance attends to."""

    causal: bool = False
    """Whether later utterances are excluded."""
    window: int | None = None
    """Maximum number of utterances in a causal context, including the utterance itself; None for all."""

    @classmethod
    def of(cls, text: str) -> Self:
        """Parse the setting.

        Raises:
            InputError: The setting is invalid.

        Example:
            >>> Context.of("window(8)")
            Context(causal=True, window=8)
        """
        if text in ("full", "past"):
            return cls(causal=text == "past")
        found = _WINDOW.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise InputError(f"model.context: {text!r}{near_miss(str(text), ('full', 'past', 'window(8)'))}")
        if int(found[1]) < 1:
            raise InputError(f"model.context: {text} is empty; the smallest context is window(1)")
        return cls(causal=True, window=int(found[1]))

    def __str__(self) -> str:
        return f"window({self.window})" if self.window else "past" if self.causal else "full"


FULL = Context()
