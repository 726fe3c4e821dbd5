"""Splits of conversations into train, dev and test by their ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from sdt.errors import InputError, quoted

SPLITS = ("train", "dev", "test")
"""The splits of a corpus, in this order."""

IEMOCAP_DEV = (
    *("Ses01M_impro01", "Ses01M_script03_1"),
    *("Ses02F_impro02", "Ses02F_impro07", "Ses02M_script01_2"),
    *("Ses03F_impro01", "Ses03M_impro02", "Ses03M_impro08a", "Ses03M_script02_2", "Ses03M_script03_2"),
    *("Ses04F_impro07", "Ses04F_script02_1"),
)
"""The usual dev conversations of IEMOCAP; their speakers are in train, too."""

MELD_DEV = range(1039, 1153)
"""MELD's dev conversations in files that number all splits consecutively: train comes before, test (to 1432) after."""

_ALIASES = {
    "train": ("training", "trn"),
    "dev": ("devel", "development", "val", "valid", "validation"),
    "test": ("testing", "tst"),
}
_NAMED = {name: split for split, aliases in _ALIASES.items() for name in (split, *aliases)}

DevRule = Literal["usual", "session4", "share"]


def parse_split(name: str) -> str | None:
    """The split of a name or alias in any case: `train`, `dev` or `test`; None for other names.

    Example:
        >>> parse_split("Validation"), parse_split("eval")
        ('dev', None)
    """
    return _NAMED.get(name.strip().casefold())


def unknown_split(name: str) -> str:
    """The error message for a name that `parse_split` does not know; lists the names and aliases.

    There is no suggestion of a similar name: `eval` resembles `val`, but often means a test split.
    """
    known = ", ".join(f"{split} (or {', '.join(aliases)})" for split, aliases in _ALIASES.items())
    return f"split {quoted(name)} is unknown; known are: {known}"


def iemocap_session(conversation: str) -> int | None:
    """The session (1 to 5) of an IEMOCAP conversation such as `Ses04F_impro07`; None for other ids."""
    match = re.fullmatch(r"Ses0([1-5])[FM]_(?:impro|script)\w+", conversation)
    return int(match[1]) if match else None


def meld_number(conversation: str) -> int | None:
    """The number (0 to 1432) of a conversation in MELD files that number all splits consecutively; None for others."""
    return int(conversation) if re.fullmatch(r"\d{1,4}", conversation) and int(conversation) <= 1432 else None


def meld_by_number(conversations: Iterable[str]) -> dict[str, list[str]]:
    """The splits of MELD: 0 to 1038 are train, 1039 to 1152 dev, 1153 to 1432 test.

    Raises:
        InputError: An id is not such a number.
    """
    splits: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
    for conversation in conversations:
        number = meld_number(conversation)
        if number is None:
            raise InputError(f"conversation {conversation!r} is not a MELD conversation; expected a number 0 to 1432")
        split = "train" if number < MELD_DEV.start else "dev" if number in MELD_DEV else "test"
        splits[split].append(conversation)
    return splits


def has_usual_dev(train: Iterable[str]) -> bool:
    """Whether some conversations belong to the usual dev split of IEMOCAP or MELD."""
    return any(_usual(conversation) for conversation in train)


def hold_out(train: Sequence[str], rule: DevRule, *, share: float = 0.1, seed: int = 0) -> tuple[list[str], list[str]]:
    """Split the train conversations into train and dev.

    Args:
        train: Conversation ids.
        rule: `usual` takes MELD's dev split by number, or the usual list for IEMOCAP; `session4` takes IEMOCAP's
            Session 4; `share` draws conversations at random.
        share: For `share`, the fraction that becomes dev, between 0 and 1.
        seed: For `share`, the random seed; the order of `train` does not matter.

    Returns:
        The remaining train conversations, and dev; both in the order of `train`.

    Raises:
        InputError: The rule does not apply to these conversations, or a split would be empty.
    """
    if rule == "share":
        dev = _draw(train, share, seed)
    elif rule == "session4":
        dev = {conversation for conversation in train if iemocap_session(conversation) == 4}
    else:
        dev = {conversation for conversation in train if _usual(conversation)}
    if not dev and rule != "share":
        wanted = {
            "session4": "IEMOCAP's Session 4 (ids such as Ses04F_impro07)",
            "usual": "the usual dev conversations of IEMOCAP (Ses01M_impro01 ...) or of MELD (1039 to 1152)",
        }[rule]
        found = f"{len(train)} conversations, first {train[0]!r}" if train else "no conversations"
        raise InputError(f"dev {rule!r}: expected {wanted} in train; found {found}")
    if len(dev) == len(train):
        raise InputError(f"dev {rule!r}: train would be empty, since all its conversations ({len(train)}) would be dev")
    return [c for c in train if c not in dev], [c for c in train if c in dev]


def _usual(conversation: str) -> bool:
    return conversation in IEMOCAP_DEV or meld_number(conversation) in MELD_DEV


def _draw(train: Sequence[str], share: float, seed: int) -> set[str]:
    if not 0 < share < 1:
        raise InputError(f"dev 'share': {share} is not between 0 and 1")
    if len(train) < 2:
        raise InputError(f"dev 'share': {len(train)} train conversations cannot be split; at least two are needed")
    count = min(max(1, round(share * len(train))), len(train) - 1)
    order = np.random.default_rng(seed).permutation(len(train))
    ids = sorted(train)
    return {ids[index] for index in order[:count]}
