"""What conversations are called and how long they are, without reading them where somebody knows it already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation


@runtime_checkable
class Measured(Protocol):
    """Conversations whose lengths are known."""

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """[K] the utterances of each."""
        ...


@runtime_checkable
class Named(Protocol):
    """Conversations whose ids are known."""

    @property
    def ids(self) -> Sequence[str]:
        """[K] the id of each."""
        ...


def lengths_of(conversations: Sequence[Conversation]) -> npt.NDArray[np.int64]:
    """[K] the utterances of each of K conversations."""
    if isinstance(conversations, Measured):
        return conversations.lengths
    return np.array([len(conversation) for conversation in conversations], dtype=np.int64)
