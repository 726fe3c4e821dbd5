"""What the documentation names exists: commands with their options, settings, modules and files."""

from __future__ import annotations

import argparse
import ast
import importlib
import re
import shlex
from importlib.util import find_spec

import pytest
import yaml

from sdt.cli import COMMANDS, WITH_SETTINGS, _parsed, build_parser, find_command
from sdt.training.options import overrides
from sdt.training.schema import setting_value
from tests.pages import BLOCK, PAGES, SHELL, VARIABLE, blocks, commands, shell_lines
from tests.shared import ROOT

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


def test_commands_of_a_page_write_different_folders() -> None:
    """A reader who runs all of them is not refused because an earlier one has written there."""
    for page, text in PAGES.items():
        written: dict[str, list[str]] = {}
        for words in commands(text):
            if "--output" in words and words[0] not in ("predict", "convert", "transcribe"):
                output = words[words.index("--output") + 1]
                assert written.setdefault(output, words) == words, f"{page}: {shlex.join(words)}"


def options_of(command: str) -> set[str]:
    """The options of a command, without the settings of models, which its parser does not list."""
    parser = build_parser(command)
    for name in command.split():
        (groups,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
        parser = groups.choices[name]
    return {option for action in parser._actions for option in action.option_strings}


def test_commands_within_sentences_have_their_options() -> None:
    named = 0
    for page, text in PAGES.items():
        for inline in re.findall(r"`sdt ([^`]+)`", BLOCK.sub("", text)) if page != "CHANGELOG.md" else ():
            words = inline.split()
            if command := find_command(words):
                known = options_of(command)
                for word in words:
                    option = word.partition("=")[0]
                    if option.startswith("--"):
                        assert option in known or "." in option, f"{page}: sdt {inline}"
                        named += 1
    assert named > 20


def test_options_of_benchmarks_exist() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").rglob("*.py"))
    for page, text in PAGES.items():
        for kind, block in blocks(text):
            for line in shell_lines(block) if kind in SHELL else ():
                if "-m benchmarks." in line and page != "CHANGELOG.md":
                    missing = [option for option in re.findall(r" (--[\w-]+)", line) if f'"{option}"' not in sources]
                    assert not missing, f"{page}: {line}"


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
        for kind, block in blocks(text):
            for node in ast.walk(ast.parse(block if kind == "python" else "")):
                if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sdt":
                    module = importlib.import_module(node.module or "")
                    assert not [name.name for name in node.names if not hasattr(module, name.name)], page


def test_yaml_is_valid() -> None:
    for text in PAGES.values():
        for kind, block in blocks(text):
            if kind == "yaml":
                yaml.safe_load(block)


def test_scores_of_the_readme_are_in_the_results() -> None:
    scores = set(re.findall(r"\d+\.\d+ ± \d+\.\d+", PAGES["README.md"]))
    assert len(scores) > 5
    assert scores <= set(re.findall(r"\d+\.\d+ ± \d+\.\d+", PAGES["docs/results.md"]))
