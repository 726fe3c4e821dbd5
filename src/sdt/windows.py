"""A long conversation in windows with overlap: what is read together, and which window's word counts.

    conversation   ------------------------------------------------
    windows        [================]
                               [================]
                                             [====================]
    counts         aaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccc

Each window is read as a conversation of its own. An utterance that lies in two of them is said by the one in which it
has more context: where a model reads what comes later, too, the one whose ends are farther away, so that every
utterance away from the conversation's ends has at least half of the overlap on either side; where a model is causal,
the earlier one, which has more of what was said before.

No torch here, so that the command line can check the settings at once.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple, Self

from sdt.errors import InputError

SHARE = 4
"""The overlap, where none is given, is the window divided by this."""


class Window(NamedTuple):
    """A stretch of a conversation that is read together; counted in utterances of the conversation, from 0."""

    first: int
    end: int
    counts_from: int
    """The first utterance of which this window's word counts."""
    counts_to: int
    """The one after the last."""


@dataclass(frozen=True, slots=True)
class Windows:
    """How long conversations are cut.

    Raises:
        InputError: The window is empty, or the overlap is not shorter than it.

    Example:
        >>> [tuple(window) for window in Windows(8, 4).cut(13)]
        [(0, 8, 0, 6), (4, 12, 6, 9), (5, 13, 9, 13)]
    """

    size: int
    """Utterances of a window. A conversation that has no more is not cut."""
    overlap: int
    """Utterances that two windows share; the last window, which ends with the conversation, may share more."""

    def __post_init__(self) -> None:
        if self.size < 1:
            raise InputError(f"window: {self.size} is less than 1 utterance")
        if not 0 <= self.overlap < self.size:
            raise InputError(
                f"overlap: {self.overlap} of a window of {self.size}; it is 0 or more, and less than the window"
            )

    @classmethod
    def of(cls, window: int | None, overlap: int | None = None) -> Self | None:
        """What two options mean; None where conversations are read as a whole.

        Args:
            window: Utterances of a window; None for the whole conversation.
            overlap: Utterances that two windows share; None for a quarter of the window.

        Raises:
            InputError: There is an overlap without a window, or they are not what they can be.
        """
        if window is None:
            if overlap is not None:
                raise InputError(f"overlap: {overlap}, but there is no window that it could be of; give a window, too")
            return None
        return cls(window, window // SHARE if overlap is None else overlap)

    def cut(self, length: int, *, causal: bool = False) -> list[Window]:
        """The windows of a conversation, in order.

        Args:
            length: Its utterances.
            causal: Whether the model reads nothing that comes later.
        """
        starts = [*range(0, length - self.size, self.size - self.overlap), max(0, length - self.size)]
        ends = [min(start + self.size, length) for start in starts]
        shared = zip(ends, starts[1:], strict=False)  # where one window ends, and where the next begins
        borders = [end if causal else (start + end + 1) // 2 for end, start in shared]
        counts = itertools.pairwise([0, *borders, length])
        return [Window(*window, *of) for window, of in zip(zip(starts, ends, strict=True), counts, strict=True)]
