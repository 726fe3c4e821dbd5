"""Renders a document as an HTML page, as Markdown with its figures in a folder, and its tables as LaTeX.

The templates lie in `templates`. Whatever they insert is escaped for their format, unless it is `Markup`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from sdt.escaping import latex_comment, latex_row, latex_text, markdown_code, markdown_paragraph, markdown_text
from sdt.experiments.report.document import Document, Figure, Table
from sdt.experiments.report.svg import in_page

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
FIGURES = "figures"
"""The folder of the figures' files."""


def html_page(document: Document) -> str:
    """report.html."""
    environment = _environment(lambda text: escape(_legible(text)))
    environment.filters |= {"minus": _minus, "picture": _picture}
    return environment.get_template("page.html").render(document=document, numbers=document.numbers(), policy=POLICY)


def markdown_page(document: Document) -> str:
    """report.md."""
    environment = _environment(markdown_text)
    made = {"paragraph": markdown_paragraph, "code": markdown_code, "fenced": _fenced}
    environment.filters |= {name: _marked(function) for name, function in made.items()}
    return environment.get_template("page.md").render(document=document, numbers=document.numbers(), figures=FIGURES)


def latex_tables(document: Document) -> str:
    """tables.tex: every table that a paper may want, for the package booktabs."""
    head = [
        latex_comment(document.title),
        latex_comment(document.foot),
        r"% In the preamble: \usepackage{booktabs}. Each table is \ref{tab:NAME}.",
    ]
    tables = ("\n".join(["", *_latex_lines(table)]) for table in document.all(Table) if table.paper)
    return "\n".join([*head, *tables]) + "\n"


def _environment(escaped: Callable[[str], str]) -> Environment:
    """Templates of a format with an escape of its own."""

    def finalize(value: object) -> Markup:
        return value if isinstance(value, Markup) else Markup(escaped(str(value)))  # noqa: S704 - it is escaped

    environment = Environment(
        loader=PackageLoader("sdt.experiments.report"),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["kind"] = lambda block: type(block).__name__
    return environment


def _marked(function: Callable[[str], str]) -> Callable[[str], Markup]:
    """A function that escapes, as a filter."""
    return lambda text: Markup(function(text))  # noqa: S704


def _picture(figure: Figure) -> Markup:
    """The SVG with its description."""
    opened = Markup('<svg role="img" aria-label="{}" ').format(_legible(figure.alternative))
    return Markup(in_page(figure.svg).replace("<svg ", opened, 1))  # noqa: S704 - the library escapes its own labels


def _minus(number: str) -> str:
    """A hyphen before a digit as the minus sign, which is as wide as a plus."""
    return re.sub(r"(?<![\w-])-(?=\d)", "\u2212", number)


def _legible(text: str) -> str:
    """Text without the control characters that no page can contain."""
    return "".join(sign if sign >= " " or sign in "\n\t" else "\ufffd" for sign in text)


def _fenced(text: str) -> str:
    """A block of code between more backticks than it has in a row."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return f"{fence}text\n{text}\n{fence}"


def _latex_lines(table: Table) -> Iterator[str]:
    """No template: the braces of LaTeX are those of Jinja."""
    yield r"\begin{table}"
    yield r"\centering"
    yield rf"\caption{{{latex_text(table.title)}. {latex_text(table.caption)}".rstrip() + "}"
    yield rf"\label{{tab:{table.name}}}"
    yield rf"\begin{{tabular}}{{{''.join('r' if kind == 'number' else 'l' for _, kind in table.columns)}}}"
    yield r"\toprule"
    yield latex_row([latex_text(name) for name, _ in table.columns])
    yield r"\midrule"
    for number, cells in enumerate(table.rows):
        texts = [latex_text(cell) for cell in cells]
        yield latex_row([rf"\textbf{{{text}}}" if number in table.best and text else text for text in texts])
    yield r"\bottomrule"
    yield r"\end{tabular}"
    yield r"\end{table}"
