from __future__ import annotations

from pathlib import Path

import pytest

from sdt.corpus.importers.labels import LabelSpelling, resolve_labels
from sdt.errors import InputError


def settle(spellings: list[str], named: tuple[str, ...] | None = None) -> tuple[tuple[str, ...], dict[str, str], int]:
    """The names, what other spellings mean, and the number of notes."""
    found: dict[str, LabelSpelling] = {}
    for line, spelling in enumerate(spellings, start=2):
        times, first = found.get(spelling, (0, line))
        found[spelling] = LabelSpelling(times + 1, first)
    labels = resolve_labels(Path("u.csv"), found, named)
    return labels.names, {a: b for a, b in labels.of.items() if a != b}, len(labels.notes)


@pytest.mark.parametrize(
    ("spellings", "names", "changed"),
    [
        (["joy", "anger"], ("anger", "joy"), {}),
        (["joy", "Joy", "joy", "ANGER"], ("ANGER", "joy"), {"Joy": "joy"}),
        (["Joy", "joy", "anger"], ("Joy", "anger"), {"joy": "Joy"}),
        (["colère", "cole\u0300re", "joie"], ("colère", "joie"), {"cole\u0300re": "colère"}),
        (["0.0", "1.0", "2"], ("0", "1", "2"), {"0.0": "0", "1.0": "1"}),
        (["10", "9", "-3"], ("-3", "9", "10"), {}),
    ],
)
def test_spellings_of_one_label(spellings: list[str], names: tuple[str, ...], changed: dict[str, str]) -> None:
    assert settle(spellings) == (names, changed, 1 + bool(changed))


@pytest.mark.parametrize(
    ("spellings", "named", "changed"),
    [
        (["Joy", "JOY", "anger"], ("joy", "Anger"), {"Joy": "joy", "JOY": "joy", "anger": "Anger"}),
        (["Joy", "joy"], ("joy", "Joy"), {}),
        (["0.5", "1.5"], ("1.5", "0.5"), {}),
    ],
)
def test_labels_that_the_user_names(spellings: list[str], named: tuple[str, ...], changed: dict[str, str]) -> None:
    assert settle(spellings, named) == (named, changed, bool(changed))


@pytest.mark.parametrize(
    ("spellings", "named", "message"),
    [
        (["1.0", "-1.6"], None, "line 3: label '-1.6' is a score"),
        (["joy", "0,5"], None, "line 3: label '0,5' is a score"),
        (["joy", "3e-2"], None, "line 3: .* score"),
        ([str(n) for n in range(101)], None, "has 101 different values"),
        (["Joy", "joy"], None, "has only the value 'Joy'"),
        ([], None, "column 'label' is empty"),
        (["Joy", "joy", "JOY"], ("joy", "Joy"), "line 4: label 'JOY' is not among --labels"),
    ],
)
def test_what_is_no_label(spellings: list[str], named: tuple[str, ...] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        settle(spellings, named)
