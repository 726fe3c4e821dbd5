from __future__ import annotations

from typing import Any

import pytest

from sdt.corpus.importers.options import ImportOptions
from sdt.errors import InputError


def test_defaults_and_good_values() -> None:
    assert ImportOptions().dev is None
    options = ImportOptions(dev="session4", normalise={"audio": "conversation"}, labels=("a", "b"), speakers="identity")
    assert options.labels == ("a", "b")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("dev", "sesion4", "dev: 'sesion4' is unknown; did you mean 'session4'"),
        ("dev_share", 0.0, "dev_share: 0.0 is not between 0 and 1"),
        ("dev_share", float("nan"), "dev_share: nan"),
        ("seed", -1, "seed: -1 is negative"),
        ("labels", ("a",), "labels: ['a']; "),
        ("labels", ("a", "b", "a"), "labels: 'a' occurs twice"),
        ("labels", ("a", " "), "empty name"),
        ("speakers", "names", "speakers: 'names' is unknown"),
        ("normalise", {"audio": "dialogue"}, "normalise: audio='dialogue' is unknown; known are: conversation"),
        ("name", " ", "name: ' ' is empty"),
        ("text_encoder", "", "text_encoder: '' is empty"),
        ("licence", "", "licence: '' is empty"),
    ],
)
def test_a_bad_value_is_named_with_its_option(option: str, value: Any, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        ImportOptions(**{option: value})
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
