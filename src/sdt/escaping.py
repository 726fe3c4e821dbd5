"""Text as Markdown and LaTeX show it: whatever a user called a label, a corpus or an id, it means nothing there."""

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
    r"""Text in one line: white space becomes single spaces, control characters U+FFFD.

    Example:
        >>> one_line(" a\n\tb\x1b[2J")
        'a b�[2J'
    """
    return _CONTROL.sub("\ufffd", " ".join(text.split()))


def markdown_text(text: str) -> str:
    r"""Text within a line of Markdown, a heading or a table's cell.

    Example:
        >>> print(markdown_text("<b>a_b</b> | $x$"))
        &lt;b&gt;a\_b&lt;/b&gt; \| \$x\$
    """
    line = re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", one_line(text))
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def markdown_paragraph(text: str) -> str:
    """Text on a line of its own, at whose start some signs would begin a list or a rule."""
    return re.sub(r"^(\d+)([.)] )|^([+=-])", lambda m: f"{m[1]}\\{m[2]}" if m[1] else f"\\{m[3]}", markdown_text(text))


def markdown_code(text: str) -> str:
    """What is typed or hashed, within a line; as plain text where a sign would end the code or a table's cell."""
    line = one_line(text)
    return f"`{line}`" if line and not set(line) & set("`|") else markdown_text(line)


def markdown_command(command: str) -> str:
    """A command as a code block of one line."""
    return f"    {one_line(command)}"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table: the first column is text, the others are numbers, aligned to the right."""
    lines = [[markdown_text(cell) for cell in row] for row in (head, *rows)]
    lines.insert(1, ["---", *["---:"] * (len(head) - 1)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def latex_text(text: str) -> str:
    """Text as LaTeX shows it; the hyphen before a number becomes a minus sign."""
    escaped = "".join(_LATEX.get(character, character) for character in one_line(text))
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", escaped)


def latex_row(cells: Iterable[str]) -> str:
    r"""A row of a `tabular` from LaTeX; in braces what a `\\` before it would take for its argument or its star."""
    return " & ".join(f"{{{cell}}}" if cell.startswith(("[", "*")) else cell for cell in cells) + r" \\"


def latex_comment(text: str) -> str:
    """A comment, which ends with its line."""
    return f"% {one_line(text)}"
