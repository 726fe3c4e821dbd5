"""The same document as a page, as Markdown and as LaTeX: everything is there, and no text means anything."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from sdt.evaluation.table import Grid
from sdt.experiments.report import render
from sdt.experiments.report.document import Code, Document, Figure, Items, Note, Paragraph, Section, Table

NASTY = "<b>a_b</b> & 50 % of $x^2$ | `c` #1 {~} \\ * [l](u)"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path fill="#2a6f97" d="M0 0"/></svg>'


def table(name: str = "one", **more: object) -> Table:
    return Table(
        name,
        f"Title {NASTY}",
        (("row", "text"), ("value", "number"), ("key", "code")),
        ((NASTY, "-1.50", "a_b"), ("[second", "+2.00", "c`d|e")),
        "How to read it.",
        frozenset({1}),
        **more,  # type: ignore[arg-type]
    )


def figure(name: str = "curve") -> Figure:
    return Figure(name, f"Figure {NASTY}", "Caption.", f'He said "{NASTY}"', SVG)


def document(*blocks: object) -> Document:
    inner = Section("Inner", [Note(NASTY), Code("a `b`\n```\nc")])
    first = Section(f"First {NASTY}", [Paragraph(NASTY), Items((NASTY, "two")), table(), figure()], [inner])
    return Document(NASTY, "sub", [first, Section("Last", blocks)], "Written on a day.")  # type: ignore[arg-type]


class Reader(HTMLParser):
    """Every element with its attributes, and the text of each kind of element."""

    VOID = ("meta", "br", "path")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        for tag in set(self._open):
            self.texts[tag][-1] += data


def test_the_page_shows_text_as_it_is() -> None:
    page = Reader(render.html_page(document()))
    assert page.texts["h1"] == [NASTY]
    assert page.texts["p"].count(NASTY) == 1
    assert NASTY in page.texts["li"]
    assert page.texts["th"] == ["row", "value", "key", NASTY, "[second"]
    assert page.texts["td"] == ["\u22121.50", "a_b", "+2.00", "c`d|e"]
    assert page.texts["code"] == ["a `b`\n```\nc"]
    assert not {"b", "script", "link", "img", "iframe"} & {tag for tag, _ in page.tags}


def test_the_page_is_accessible_and_fetches_nothing() -> None:
    text = render.html_page(document(table("two"), figure("other")))
    page = Reader(text)
    by_tag: dict[str, list[dict[str, str | None]]] = {}
    for tag, attributes in page.tags:
        by_tag.setdefault(tag, []).append(attributes)
    assert [tag for tag, _ in page.tags if re.fullmatch(r"h\d", tag)] == ["h1", "h2", "h3", "h2"]
    assert [cell["scope"] for cell in by_tag["th"][:5]] == ["col", "col", "col", "row", "row"]
    assert all(picture["role"] == "img" for picture in by_tag["svg"])
    assert by_tag["svg"][0]["aria-label"] == f'He said "{NASTY}"'
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    referred = [a[key] for _, a in page.tags for key in ("aria-labelledby",) if key in a]
    referred += [str(a["href"]).removeprefix("#") for a in by_tag["a"]]
    assert set(referred) <= set(ids)
    captions = page.texts["figcaption"]
    assert [caption.split(".")[0] for caption in captions] == ["Table 1", "Figure 1", "Table 2", "Figure 2"]
    assert by_tag["html"] == [{"lang": "en"}]
    assert by_tag["meta"][1] == {"http-equiv": "Content-Security-Policy", "content": render.POLICY}
    without = text.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|//\w|url\((?!#)|@import|\ssrc=", without)


def test_colours_of_figures_follow_the_page() -> None:
    page = render.html_page(document())
    assert 'fill="var(--series-1)"' in page
    assert "#2a6f97" not in page.split("</style>")[1]
    for name in ("page", "ink", "faint", "rule", "ground", "heat", "cold", *(f"series-{n}" for n in range(1, 7))):
        assert page.count(f"--{name}:") == 2, name  # light and dark


def test_signs_that_no_page_can_hold() -> None:
    page = render.html_page(Document("a\x00b\x1bc", "", [], ""))
    assert "a\ufffdb\ufffdc" in page


def test_markdown_shows_text_as_it_is() -> None:
    text = render.markdown_page(document())
    shown = r"&lt;b&gt;a\_b&lt;/b&gt; &amp; 50 % of \$x^2\$ \| \`c\` \#1 {\~} \\ \* \[l\](u)"
    lines = text.splitlines()
    assert lines[0] == f"# {shown}"
    assert f"- {shown}" in lines
    assert f"> **Note.** {shown}" in lines
    rows = [line for line in lines if line.startswith("|")]
    assert rows[:2] == ["| row | value | key |", "| --- | ---: | --- |"]
    assert rows[2] == f"| {shown} | -1.50 | `a_b` |"
    assert rows[3] == r"| **\[second** | **+2.00** | **c\`d\|e** |"
    assert "](figures/curve.svg)" in text
    assert "````text\na `b`\n```\nc\n````" in text


def test_latex_is_escaped_and_balanced() -> None:
    text = render.latex_tables(document(table("left-out", paper=False)))
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 1
    assert text.count(r"\begin{tabular}{lrl}") == text.count(r"\toprule") == text.count(r"\bottomrule") == 1
    assert r"\label{tab:one}" in text
    body = [line for line in text.splitlines() if not line.startswith("%")]
    for line in body:
        plain = re.sub(r"\\[&%$#_{}\\]|\\text\w+\{\}", "", line)
        assert plain.count("{") == plain.count("}"), line
        assert not re.search(r"(?<!\\)[%#~^_]", plain), line
    rows = [line for line in body if line.endswith(r"\\")]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [2, 2, 2]
    assert r"$-$1.50" in rows[1]
    assert rows[2].startswith(r"\textbf{[second} & \textbf{+2.00}")


def test_a_cell_in_brackets_is_no_argument_of_the_line_break() -> None:
    one = Table("t", "T", (("a", "text"),), (("x",), ("[y]",)))
    assert "{[y]} \\\\" in render.latex_tables(Document("", "", [Section("S", [one])], ""))


def test_names_are_for_one_thing_only() -> None:
    with pytest.raises(ValueError, match="the same name"):
        document(figure("one")).numbers()
    assert document(table("two")).numbers() == {"one": 1, "two": 2, "curve": 1}


def test_tables_of_other_commands() -> None:
    made = Table.of("n", Grid("T", ("name", "a", "b"), [("x", "1", "2")]))
    assert made.columns == (("name", "text"), ("a", "number"), ("b", "number"))
    assert made.rows == (("x", "1", "2"),)
