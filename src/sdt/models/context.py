"""The setting `model.context`: how much of its conversation an utterance attends to.

| `context`   | an utterance reads, itself included                                            |
|-------------|--------------------------------------------------------------------------------|
| `full`      | the whole conversation, as published                                           |
| `past`      | itself and all utterances before it                                            |
| `window(k)` | itself and the k - 1 utterances before it; `window(1)` is the utterance alone  |

`past` and `window(k)` are causal: what is said later changes nothing of what was said before. With L layers of the
encoders, what an utterance knows reaches back L windows: the second layer reads what the first has read.

No torch here, so that the command line can check the setting at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from sdt.errors import InputError, near_miss

_WINDOW = re.compile(r"window\((\d{1,9})\)")


@dataclass(frozen=True, slots=True)
class Context:
    """How much of its conversation an utterance reads."""

    causal: bool = False
    """Whether it reads nothing that comes later."""
    window: int | None = None
    """Of a causal context, how many utterances it reads at most, itself included; None for all."""

    @classmethod
    def of(cls, text: str) -> Self:
        """The context that a setting means.

        Raises:
            InputError: It means none.

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
            raise InputError(f"model.context: {text} reads nothing, not even the utterance; the least is window(1)")
        return cls(causal=True, window=int(found[1]))

    def __str__(self) -> str:
        return f"window({self.window})" if self.window else "past" if self.causal else "full"


FULL = Context()
