"""Escaping of labels, names and ids for Markdown and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "<": "$<$",
    ">": "$>$",
    "\ufffd": "?",
}


def one_line(text: str) -> str:
    r"""Text in one line: white space becomes single spaces, control characters become U+FFFD.

    Example:
        >>> one_line(" a\n\tb\x1b[2J")
        'a b�[2J'
    """
    return _CONTROL.sub("\ufffd", " ".join(text.split()))


def markdown_text(text: str) -> str:
    r"""Escape text within a paragraph, a heading or a table cell of Markdown.

    Example:
        >>> print(markdown_text("<b>a_b</b> | $x$"))
        &lt;b&gt;a\_b&lt;/b&gt; \| \$x\$
    """
    line = re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", one_line(text))
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def markdown_paragraph(text: str) -> str:
    """Escape a paragraph of Markdown, which must not begin like a list or a rule."""
    return re.sub(r"^(\d+)([.)] )|^([+=-])", lambda m: f"{m[1]}\\{m[2]}" if m[1] else f"\\{m[3]}", markdown_text(text))


def markdown_code(text: str) -> str:
    """Inline code of Markdown; plain text if a character would end the code or a table cell."""
    line = one_line(text)
    return f"`{line}`" if line and not set(line) & set("`|") else markdown_text(line)


def markdown_command(command: str) -> str:
    """A command as a Markdown code block."""
    return f"    {one_line(command)}"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers, aligned to the right."""
    lines = [[markdown_text(cell) for cell in row] for row in (head, *rows)]
    lines.insert(1, ["---", *["---:"] * (len(head) - 1)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def latex_text(text: str) -> str:
    """Escape text for LaTeX; a hyphen before a number becomes a minus sign."""
    escaped = "".join(_LATEX.get(character, character) for character in one_line(text))
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", escaped)


def latex_row(cells: Iterable[str]) -> str:
    r"""A row of a LaTeX `tabular`; braces protect cells that a preceding `\\` would parse as its argument."""
    return " & ".join(f"{{{cell}}}" if cell.startswith(("[", "*")) else cell for cell in cells) + r" \\"


def latex_comment(text: str) -> str:
    """A LaTeX comment of one line."""
    return f"% {one_line(text)}"
