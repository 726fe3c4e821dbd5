"""Folds of a corpus for cross-validation: which conversations a run tests on, selects on and trains on.

The conversations of all splits are divided into folds; each is the test split of one run, so that every conversation is
tested exactly once. Conversations of a group, such as a session or a speaker, are in one fold; conversations that share
any value of the column belong to one group. Dev is a random share of the other conversations.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from sdt.conversation import Conversation
from sdt.corpus.index import Integers
from sdt.corpus.store import Corpus
from sdt.errors import InputError, join_names, quoted
from sdt.splits import hold_out, iemocap_session


class Folds:
    """The folds of a corpus.

    Args:
        corpus: The corpus.
        count: The number of folds; None for one per group.
        leave_out: The column that names the groups: `speaker`, a column that the import kept, or `session`, which the
            ids of IEMOCAP tell. None for conversations as groups.
        seed: The seed of the assignment of groups to folds, and of dev.

    Raises:
        InputError: There are fewer groups than folds, or a conversation has no value in the column.
    """

    def __init__(self, corpus: Corpus, count: int | None, leave_out: str | None, seed: int = 0) -> None:
        self.corpus, self._seed = corpus, seed
        used = [numbers for split in corpus.splits for numbers in corpus.split(split).numbers.tolist()]
        self._numbers = sorted(used) or list(range(len(corpus.index)))
        ids = [corpus.index.id(number) for number in self._numbers]
        groups = _groups(corpus, ids, leave_out) if leave_out else {id: [id] for id in ids}
        if count is None and len(groups) < 2:
            name = next(iter(groups))
            raise InputError(f"{corpus.folder}: all conversations are in one group of {leave_out}: {name}")
        if count is not None and len(groups) < count:
            of = f" in groups of {leave_out}" if leave_out else ""
            raise InputError(f"{corpus.folder}: {len(groups)} conversations{of} cannot be divided into {count} folds")
        if count is None:
            self.names = _row_names([f"{leave_out}={name}" for name in groups])
            """The name of each fold."""
            self.test = list(groups.values())
            """The ids of the conversations of each fold."""
        else:
            self.names = [f"fold-{number + 1}" for number in range(count)]
            self.test = self._assign(list(groups.values()), count)

    def _assign(self, groups: Sequence[Sequence[str]], count: int) -> list[list[str]]:
        """Assign groups in random order, each to the fold with the fewest utterances."""
        folds: list[list[str]] = [[] for _ in range(count)]
        utterances = [0] * count
        for index in np.random.default_rng(self._seed).permutation(len(groups)).tolist():
            fold = min(range(count), key=lambda fold: (utterances[fold], len(folds[fold])))
            folds[fold] += groups[index]
            utterances[fold] += sum(self._length(id) for id in groups[index])
        return folds

    def _length(self, id: str) -> int:
        rows = self.corpus.rows(id)
        return int(rows.stop) - int(rows.start)

    def split(self, number: int, dev_share: float) -> Corpus:
        """The corpus with the splits of a fold.

        Args:
            number: The number of the fold, from 1.
            dev_share: The share of the other conversations that becomes dev.

        Raises:
            InputError: There is no such fold, or too few conversations remain.
        """
        if not 1 <= number <= len(self.names):
            raise InputError(f"cross_validation.fold: {number} is not in 1 to {len(self.names)}")
        test = set(self.test[number - 1])
        rest = [id for at in self._numbers if (id := self.corpus.index.id(at)) not in test]
        train, dev = hold_out(rest, "share", share=dev_share, seed=self._seed)
        splits = {"train": train, "dev": dev, "test": sorted(test)}
        numbers = {name: self._sorted(ids) for name, ids in splits.items()}
        return self.corpus.with_splits(numbers, f"{self.names[number - 1]} of {len(self.names)}")

    def _sorted(self, ids: Sequence[str]) -> Integers:
        wanted = set(ids)
        return np.array([number for number in self._numbers if self.corpus.index.id(number) in wanted], dtype=np.int64)


def _groups(corpus: Corpus, ids: Sequence[str], column: str) -> dict[str, list[str]]:
    """The name of each group to its conversations, in the natural order of the names."""
    parent: dict[str, str] = {}

    def root(value: str) -> str:
        while parent.setdefault(value, value) != value:
            value = parent[value]
        return value

    first: dict[str, str] = {}
    for id in ids:
        values = _values(corpus, corpus.conversations[id], column)
        first[id] = values[0]
        for value in values:
            parent[root(value)] = root(values[0])
    members: dict[str, list[str]] = {}
    names: dict[str, list[str]] = {}
    for value in parent:
        names.setdefault(root(value), []).append(value)
    for id in ids:
        members.setdefault(root(first[id]), []).append(id)
    named = {"+".join(sorted(names[of], key=_natural)): conversations for of, conversations in members.items()}
    return {name: named[name] for name in sorted(named, key=_natural)}


def _values(corpus: Corpus, conversation: Conversation, column: str) -> list[str]:
    """The different values of a column in a conversation."""
    if column == "speaker":
        return list(dict.fromkeys(utterance.speaker for utterance in conversation.utterances))
    values = dict.fromkeys(str(one.extra[column]) for one in conversation.utterances if column in one.extra)
    if not values and column == "session" and (session := iemocap_session(conversation.id)) is not None:
        return [str(session)]
    if not values:
        known = {name for one in conversation.utterances for name in one.extra}
        raise InputError(
            f"{corpus.folder}: conversation {quoted(conversation.id)} has no {quoted(column)}; known are "
            f"{join_names(['speaker', *sorted(known)])}; keep further columns with: sdt corpus import --keep {column}"
        )
    return list(values)


def _natural(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", text)]


def _row_names(names: Sequence[str]) -> list[str]:
    """Names that can be folders, all different."""
    short = [re.sub(r"[^\w.+=,-]", "_", name)[:40] for name in names]
    return [f"{name},{number + 1}" if short.count(name) > 1 else name for number, name in enumerate(short)]
