"""Renders a document as one HTML page.

Nothing is fetched and no script runs: the page's own Content-Security-Policy forbids both. It prints, and it follows
the reader's choice of light or dark.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files

from sdt.experiments.report.document import Block, Code, Document, Figure, Items, Kind, Note, Paragraph, Section, Table
from sdt.experiments.report.svg import in_page

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


class Markup(str):
    """Text that is HTML already; any other is escaped."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str | bool) -> Markup:
    """An element; the only place where a tag is written.

    Args:
        tag: Its name.
        children: Markup as it is, anything else as text.
        attributes: `class_` is `class`, `aria_label` is `aria-label`; True stands alone, False is left out.
    """
    names = {key: key.rstrip("_").replace("_", "-") for key in attributes}
    written = "".join(
        f" {names[key]}" if value is True else f' {names[key]}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not False
    )
    inside = "".join(child if isinstance(child, Markup) else _text(child) for child in children)
    return Markup(f"<{tag}{written}>{inside}</{tag}>" if tag not in ("meta", "br") else f"<{tag}{written}>")


def page(document: Document) -> str:
    """report.html."""
    numbers = document.numbers()
    style = Markup((files("sdt.experiments.report") / "page.css").read_text(encoding="utf-8"))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", document.title),
        element("style", style),
    )
    body = element(
        "body",
        element("a", "Skip to the report", class_="skip", href="#report"),
        element("header", element("h1", document.title), element("p", document.subtitle, class_="subtitle")),
        _contents(document.sections),
        element(
            "main", *(_section(s, numbers, f"s{n}", 2) for n, s in enumerate(document.sections, start=1)), id="report"
        ),
        element("footer", element("p", document.foot)),
    )
    return "<!DOCTYPE html>\n" + element("html", head, "\n", body, lang="en") + "\n"


def _contents(sections: Iterable[Section]) -> Markup:
    links = (element("li", element("a", s.title, href=f"#s{n}")) for n, s in enumerate(sections, start=1))
    return element("nav", element("ol", *links), aria_label="Contents")


def _section(section: Section, numbers: Mapping[str, int], id: str, level: int) -> Markup:
    heading = element(f"h{level}", section.title, id=id)
    blocks = (_block(block, numbers) for block in section.blocks)
    parts = (_section(part, numbers, f"{id}-{n}", level + 1) for n, part in enumerate(section.sections, start=1))
    return element("section", heading, *blocks, *parts, aria_labelledby=id)


def _block(block: Block, numbers: Mapping[str, int]) -> Markup:
    match block:
        case Paragraph():
            return element("p", block.text)
        case Items():
            return element("ul", *(element("li", item) for item in block.items))
        case Note():
            return element("p", element("strong", "Note. "), block.text, class_="note")
        case Code():
            return element("pre", element("code", block.text), tabindex="0")
        case Table():
            return _table(block, numbers[block.name])
        case Figure():
            return _figure(block, numbers[block.name])


def _table(table: Table, number: int) -> Markup:
    label = f"{table.name}-caption"
    kinds = [kind for _, kind in table.columns]
    head = (element("th", name, scope="col", class_=kind) for name, kind in table.columns)
    rows = (_row(cells, kinds, best=number in table.best) for number, cells in enumerate(table.rows))
    inside = element("table", element("thead", element("tr", *head)), element("tbody", *rows), aria_labelledby=label)
    # What is wider than the screen scrolls by itself, with a keyboard, too; its caption stays.
    box = element("div", inside, class_="scroll", role="region", tabindex="0", aria_labelledby=label)
    caption = element("figcaption", *_caption(f"Table {number}", table.title, table.caption), id=label)
    return element("figure", caption, box, class_="table", id=table.name)


def _row(cells: Iterable[str], kinds: Iterable[Kind], *, best: bool) -> Markup:
    made = [
        element("th", cell, scope="row", class_=kind)
        if index == 0
        else element("td", _minus(cell) if kind == "number" else cell, class_=kind)
        for index, (cell, kind) in enumerate(zip(cells, kinds, strict=True))
    ]
    return element("tr", *made, class_="best") if best else element("tr", *made)


def _minus(number: str) -> str:
    """A hyphen before a digit as the minus sign, which is as wide as a plus."""
    return re.sub(r"(?<![\w-])-(?=\d)", "\u2212", number)


def _figure(figure: Figure, number: int) -> Markup:
    label = f"{figure.name}-caption"
    _, name, rest = in_page(figure.svg).partition("<svg ")
    picture = Markup(f'{name}role="img" aria-label="{html.escape(_legible(figure.alternative))}" {rest}')
    caption = element("figcaption", *_caption(f"Figure {number}", figure.title, figure.caption), id=label)
    box = element("div", picture, class_="scroll", role="region", tabindex="0", aria_labelledby=label)
    return element("figure", box, caption, id=figure.name)


def _caption(number: str, title: str, rest: str) -> tuple[str, ...]:
    return element("strong", f"{number}. {title}."), f" {rest}" if rest else ""


def _text(text: str) -> str:
    return html.escape(_legible(text), quote=False)


def _legible(text: str) -> str:
    """Text without the signs that no page can hold."""
    return "".join(sign if sign >= " " or sign in "\n\t" else "\ufffd" for sign in text)
