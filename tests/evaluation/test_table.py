from __future__ import annotations

import io

import pytest
from rich.console import Console

from sdt.evaluation.scores import score
from sdt.evaluation.table import classes_table, classifiers_table, percent

LABELS = ("calm [sic]", "an emotion with a remarkably long name", "[bold]glad")
SCORES = score([0] * 2000 + [1] * 20 + [2] * 4, [0] * 1500 + [1] * 520 + [2] * 4, LABELS)
TITLE = "corpus [x], split test, 2,024 utterances\nepoch selected on test (protocol 'published')"


def rendered(table: object, width: int = 80) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=width).print(table)
    return stream.getvalue().splitlines()


def test_heads() -> None:
    lines = rendered(classifiers_table({"fused": SCORES, "smell": SCORES}, TITLE))
    assert lines[:2] == TITLE.split("\n")
    (row,) = [line for line in lines if "smell" in line]
    assert row.split() == ["smell", percent(SCORES.accuracy), percent(SCORES.weighted_f1), percent(SCORES.macro_f1)]
    assert [line.split()[0] for line in lines if " 75." in line] == ["fused", "smell"]


def test_classes() -> None:
    lines = rendered(classes_table(SCORES, TITLE))
    assert max(map(len, lines)) <= 80
    (row,) = [line for line in lines if "calm [sic]" in line]
    assert row.split()[2:] == ["100.00", "75.00", "85.71", "2,000"]
    assert any("[bold]glad" in line for line in lines)  # a label is text, not markup
    assert "remarkably long" in "\n".join(lines)


@pytest.mark.parametrize("width", [40, 60])
def test_narrow_terminals_lose_no_numbers(width: int) -> None:
    text = "\n".join(rendered(classes_table(SCORES, "t"), width + 10))
    assert "85.71" in text
    assert "2,000" in text


def test_percent() -> None:
    assert [percent(x) for x in (0, 0.66554, 1)] == ["0.00", "66.55", "100.00"]
