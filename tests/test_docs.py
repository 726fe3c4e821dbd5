"""What the documentation names exists: commands with their options, settings, modules and files."""

from __future__ import annotations

import ast
import importlib
import itertools
import re
import shlex
from importlib.util import find_spec

import pytest
import yaml

from sdt.cli import COMMANDS, WITH_SETTINGS, _parsed, find_command
from sdt.training.options import overrides
from sdt.training.schema import setting_value
from tests.shared import ROOT

PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
}
VARIABLE = "VARIABLE"
"""Stands for the shell's variables."""
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def code(text: str) -> str:
    """The lines of a page's blocks of code; continued lines are one."""
    blocks = [block for kind, block in FENCE.findall(text) if kind in ("console", "sh", "")]
    blocks += [line[4:] for line in FENCE.sub("", text).splitlines() if line.startswith("    ")]
    lines = re.sub(r"\\\n\s*", " ", "\n".join(blocks))
    return re.sub(r"\$\w+", VARIABLE, lines.replace("$seed", "0"))


def commands(text: str) -> list[list[str]]:
    """The arguments of every `sdt` in a page's blocks of code, up to a pipe, a redirection or the end."""
    found = []
    for line in re.findall(r"(?:^|[|;] )(?:\$ )?\s*sdt (.*)", code(text), re.MULTILINE):
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&<>")
        lexer.whitespace_split = True
        words = list(itertools.takewhile(lambda word: not set(word) <= set("|;&<>"), lexer))
        if find_command(words):
            found.append(words)
    return found


ALL = [(page, words) for page, text in sorted(PAGES.items()) for words in commands(text)]


def test_commands_are_found() -> None:
    assert len(ALL) > 100
    assert len({find_command(words) for _, words in ALL}) >= len(COMMANDS) - 4


@pytest.mark.parametrize(("page", "words"), ALL, ids=[f"{page}: {shlex.join(words)[:60]}" for page, words in ALL])
def test_a_command_has_these_options(page: str, words: list[str]) -> None:
    options, unknown = _parsed(words)
    assert set(unknown) <= {VARIABLE}
    if find_command(words) in WITH_SETTINGS:
        for override in overrides(options):
            key, _, text = override.removeprefix("--").partition("=")
            if not key.startswith("my_model") and VARIABLE not in text:
                setting_value(key, yaml.safe_load(text))


def test_files_and_modules_exist() -> None:
    missing = []
    for page, text in PAGES.items():
        if page == "CHANGELOG.md":
            continue
        for path in re.findall(r"`((?:src|tests|benchmarks|scripts|recipes|docs)/[\w./-]*\w/?)`", text):
            if "NAME" not in path and not (ROOT / path).exists():
                missing.append(f"{page}: {path}")
        for module in re.findall(r"python -m ((?:benchmarks|tests)[\w.]*\w)", text):
            if find_spec(module) is None:
                missing.append(f"{page}: {module}")
    assert not missing


def test_python_imports_exist() -> None:
    for page, text in PAGES.items():
        for kind, block in FENCE.findall(text):
            for node in ast.walk(ast.parse(block if kind == "python" else "")):
                if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sdt":
                    module = importlib.import_module(node.module or "")
                    assert not [name.name for name in node.names if not hasattr(module, name.name)], page


def test_yaml_is_valid() -> None:
    for text in PAGES.values():
        for kind, block in FENCE.findall(text):
            if kind == "yaml":
                yaml.safe_load(block)


def test_scores_of_the_readme_are_in_the_results() -> None:
    scores = set(re.findall(r"\d+\.\d+ ± \d+\.\d+", PAGES["README.md"]))
    assert len(scores) > 5
    assert scores <= set(re.findall(r"\d+\.\d+ ± \d+\.\d+", PAGES["docs/results.md"]))
