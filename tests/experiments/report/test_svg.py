"""Figures that may lie in a page."""

from __future__ import annotations

import re

import pytest
from matplotlib.figure import Figure

from sdt.experiments.report.svg import PALETTE, SERIES, in_page, on_white, render, style


def drawn(name: str, title: str = "A $b$ <c> & d") -> str:
    with style():
        figure = Figure(figsize=(3, 2))
        axes = figure.add_subplot()
        axes.plot([1, 2, 3], color=SERIES[0], marker="o")
        axes.set_title(title)
    return render(figure, name)


def test_the_same_figure_is_the_same_bytes() -> None:
    assert drawn("one") == drawn("one")
    assert drawn("one") != drawn("two")


def test_nothing_in_it_concerns_the_page_around_it() -> None:
    svg = drawn("one")
    assert not re.search(r"<(metadata|style|script|image)", svg)
    ids = re.findall(r'\sid="([^"]+)"', svg)
    assert ids
    assert all(id.startswith("one-") for id in ids)
    referred = re.findall(r"url\(#([^)]+)\)", svg) + re.findall(r'href="#([^"]+)"', svg)
    assert set(referred) == set(ids)


def test_text_stays_text() -> None:
    assert ">A $b$ &lt;c&gt; &amp; d</text>" in drawn("one")
    assert "DejaVu" not in drawn("one")


@pytest.mark.parametrize("title", ["\u60b2\u3057\u3044", "\U0001f600", "a\x01b"])
def test_labels_that_the_font_or_xml_lack(title: str) -> None:
    svg = drawn("one", title)
    assert title.replace("\x01", "\ufffd") in svg


def test_colours_are_those_of_the_page_or_of_paper() -> None:
    svg = drawn("one")
    assert SERIES[0] in svg
    inside = in_page(svg)
    assert "var(--series-1)" in inside
    assert not any(colour in inside for colour in PALETTE)
    assert 'fill="#ffffff"' in on_white(svg)
    assert on_white(svg).startswith("<?xml")
