"""The pages of the documentation, and the code on them in the order in which a reader meets it."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator

from sdt.cli import find_command
from tests.shared import ROOT

PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src/sdt/models").rglob("README.md"))
}
VARIABLE = "VARIABLE"
"""Stands for the shell's variables."""
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```|((?:^ {4}[^\n]*\n)+)", re.DOTALL | re.MULTILINE)
"""A fenced block with its kind, or an indented one."""
SHELL = ("console", "sh", "")
TYPED = re.compile(r"^ *(sdt |for \w+ in|\w+=\S)", re.MULTILINE)
"""The first words of a block for the shell: others are tables, files and output."""


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Kind and code of every block; indented ones have the kind ''."""
    for kind, fenced, indented in BLOCK.findall(text):
        yield kind, re.sub("^ {4}", "", indented, flags=re.MULTILINE) or fenced


def shell_lines(code: str) -> list[str]:
    """The lines of a block for the shell, without prompts; continued lines are one."""
    return [line.removeprefix("$ ") for line in re.sub(r"\\\n\s*", " ", code).splitlines()]


def typed(kind: str, code: str) -> str:
    """What a reader types of a block; empty if it is not for the shell."""
    if kind == "console":
        return "\n".join(line.removeprefix("$ ") for line in code.splitlines() if line.startswith("$ "))
    return code if kind in SHELL and TYPED.search(code) else ""


def arguments(line: str) -> list[str]:
    """Everything after the program, up to a pipe, a redirection or the end."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split = True
    _, *words = itertools.takewhile(lambda word: not set(word) <= set("|;&<>"), lexer)
    return words


def commands(text: str) -> list[list[str]]:
    """The arguments of every `sdt` in a page's blocks of code; the shell's variables are replaced."""
    found = []
    for kind, code in blocks(text):
        for line in shell_lines(code) if kind in SHELL else ():
            for command in re.findall(r"(?:^|[|;] )\s*(sdt .*)", line):
                words = arguments(re.sub(r"\$\w+", VARIABLE, command.replace("$seed", "0")))
                if find_command(words):
                    found.append(words)
    return found
