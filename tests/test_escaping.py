"""Names that mean something to Markdown, HTML or LaTeX mean nothing in what is written."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from sdt.escaping import (
    latex_comment,
    latex_row,
    latex_text,
    markdown_code,
    markdown_command,
    markdown_paragraph,
    markdown_table,
    markdown_text,
    one_line,
)

HOSTILE = (
    "<b>x</b>",
    "<!-- x",
    "a|b",
    "[x](http://y)",
    "![x](y)",
    "`x`",
    "*x*",
    "_x_",
    "# x",
    "$x$",
    "\\x",
    "&lt;",
    "~~x~~",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown(name: str) -> None:
    markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for text in (markdown_paragraph(name), f"- {markdown_text(name)}", f"# {markdown_text(name)}", markdown_code(name)):
        inline = [token for block in markdown.parse(text) for token in block.children or ()]
        assert {token.type for token in inline} <= {"text", "code_inline", "text_special"}
        assert "".join(token.content for token in inline) == name
    rows = [token.content for token in markdown.parse(markdown_table(("name", "n"), [(name, "1")]))]
    cells = [token for token in markdown.parse(markdown_table(("name", "n"), [(name, "1")])) if token.type == "td_open"]
    assert len(cells) == 2, rows


@pytest.mark.parametrize(("line", "shown"), [("1. x", "1\\. x"), ("- x", "\\- x"), ("+ x", "\\+ x"), ("=", "\\=")])
def test_what_begins_a_line(line: str, shown: str) -> None:
    assert markdown_paragraph(line) == shown


@pytest.mark.parametrize("name", ["a\nb", "a\r\nb", "a\x0bb", "a\u2028b"])
def test_nothing_breaks_out_of_a_line(name: str) -> None:
    for text in (
        markdown_text(name),
        markdown_code(name),
        markdown_command(name),
        latex_text(name),
        latex_comment(name),
    ):
        assert len(text.splitlines()) == 1
    assert one_line("\x1b[31mred\x07\ud800") == "\ufffd[31mred\ufffd\ufffd"


def test_latex() -> None:
    assert latex_text("a_b & 50 % #{}~^ \\ |") == (
        r"a\_b \& 50 \% \#\{\}\textasciitilde{}\textasciicircum{} \textbackslash{} \textbar{}"
    )
    assert latex_text("\x1b") == "?"
    assert latex_row(["[1]", "*", "x"]) == r"{[1]} & {*} & x \\"
