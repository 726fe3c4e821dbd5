"""How often the conversations of a joined corpus are trained on.

In a corpus that `sdt corpus join` made, the conversations of every corpus but the first are called NAME/ID. With
`training.sampling: {NAME: r}`, an epoch has each of them r times, and the others once. For r = k + f with the fraction
f, it has each one k times, and round(f n) of the n conversations once more: the next ones in an order that depends on
the seed, from its beginning again at its end, so that over many epochs all are trained on equally often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sdt.conversation import Conversation
from sdt.corpus.index import Integers
from sdt.corpus.selection import Ids, Selection, select
from sdt.errors import InputError, near_miss


class Sampling:
    """The conversations of each epoch.

    Args:
        rates: Name of a joined corpus to the number of times that an epoch has its conversations.
        seed: The seed of the run.
        train: The training conversations.

    Raises:
        InputError: No training conversation belongs to a corpus of this name, or an epoch would have none.
    """

    def __init__(self, rates: Mapping[str, float], seed: int, train: Sequence[Conversation]) -> None:
        self._rates, self._train = rates, train
        ids = Ids(train) if isinstance(train, Selection) else [one.id for one in train]
        names = np.array([id.partition("/")[0] if "/" in id else "" for id in ids])
        for name in rates:
            if name not in names:
                known = sorted({*names.tolist()} - {""})
                raise InputError(
                    f"training.sampling: no training conversation is called {name}/...{near_miss(name, known)}"
                )
        self._rest = np.flatnonzero(~np.isin(names, list(rates)))
        generator = np.random.default_rng(seed)
        self._order = {name: generator.permutation(np.flatnonzero(names == name)) for name in sorted(rates)}
        if not self.conversations(1):
            raise InputError("training.sampling: an epoch has no conversation to train on")

    def conversations(self, epoch: int) -> Sequence[Conversation]:
        """The training conversations of an epoch; those that occur k times are k times in it.

        Args:
            epoch: Number of the epoch, from 1.
        """
        found = [self._rest, *(self._of(name, epoch) for name in self._order)]
        return select(self._train, np.sort(np.concatenate(found)).tolist())

    def _of(self, name: str, epoch: int) -> Integers:
        order, whole = self._order[name], int(self._rates[name])
        size = round((self._rates[name] - whole) * len(order))
        further = np.arange((epoch - 1) * size, epoch * size) % len(order)
        return np.concatenate([np.repeat(order, whole), order[further]])
