"""Pages of the documentation site that are generated when it is built (mkdocs.yml); none of them is stored.

- `<!-- commands -->` in docs/reference/command-line.md becomes the commands and options of `sdt.cli`,
  `<!-- settings -->` in docs/reference/configuration.md the settings of recipes and models, and `<!-- names -->` in
  docs/reference/api.md an entry of mkdocstrings for each name of `sdt.__all__`.
- Texts of the repository's root become pages: CHANGELOG.md is changelog.md.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import griffe

import sdt
from sdt.cli import COMMANDS, WITH_SETTINGS, build_parser
from sdt.models.registry import MODELS, SDT_NAME
from sdt.training.schema import Setting, settings, settings_of_model

ROOT = Path(__file__).resolve().parent.parent
ROOT_PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
CONSOLE = re.compile(r"^```console\n((?:\$ .*\n)+)```", re.MULTILINE)
OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+(?:benchmarks|examples|recipes|scripts|src|tests)\b[^)]*\)")


def on_files(files: Any, config: Any) -> Any:  # noqa: ANN401 - mkdocs calls it
    """Add the pages of the repository's root; links to docs/ and among them work on both."""
    from mkdocs.structure.files import File

    for name in ROOT_PAGES:
        text = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
        for other in ROOT_PAGES:
            text = text.replace(f"]({other}", f"]({other.lower()}")
        files.append(File.generated(config, name.lower(), content=text))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Replace the markers of generated parts.

    Links to files of the repository that are no pages become text. Commands lose the prompt, which would be copied.
    """
    markdown = OUTSIDE.sub(r"\1", markdown)
    for name in ROOT_PAGES:
        markdown = markdown.replace(f"../{name}", name.lower())
    markdown = CONSOLE.sub(
        lambda found: "```sh\n" + re.sub(r"^\$ ", "", found[1], flags=re.MULTILINE) + "```", markdown
    )
    for marker, lines in GENERATED.items():
        if marker in markdown:
            markdown = markdown.replace(marker, "\n".join(lines()))
    return markdown


def commands() -> Iterator[str]:
    """Every command: its description, usage and options."""
    parser = build_parser()
    for name in COMMANDS:
        command = _subparser(parser, name)
        yield f"\n## sdt {name}\n\n{_description(command.description or '')}\n"
        for group in command._action_groups:
            actions = [action for action in group._group_actions if action.help != argparse.SUPPRESS]
            if group.title == "settings" and name in WITH_SETTINGS:
                yield f"\nAll [settings](configuration.md) are options, too: `sdt {name} --training.epochs 10`.\n"
            elif actions and [action.dest for action in actions] != ["help"]:
                title = {"positional arguments": "argument", "options": "option"}.get(group.title or "", group.title)
                yield f"\n| {title} | |\n| --- | --- |"
                yield from (_option_row(action, command) for action in actions if action.dest != "help")


def _subparser(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    for word in name.split():
        (choices,) = (action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction))
        parser = choices[word]
    return parser


def _option_row(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    formatter = parser._get_formatter()
    value = "" if action.nargs == 0 else formatter._format_args(action, action.dest.upper())
    names = [f"`{name} {value}`" if value else f"`{name}`" for name in action.option_strings] or [f"`{value}`"]
    required = "required; " if action.required and action.option_strings else ""
    return f"| {', '.join(names)} | {required}{_cell(formatter._expand_help(action))} |"


def _description(text: str) -> str:
    """The description of a command as Markdown: indented blocks are commands, pages of the documentation are links."""
    blocks = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        lines = block.splitlines()
        if all(line.startswith("  ") for line in lines):
            blocks.append("\n".join(["```sh", *(line.strip() for line in lines), "```"]))
        else:
            blocks.append(re.sub(r"\bdocs/(\w+)\.md", r"[\1](../\1.md)", _escaped(block)))
    return "\n\n".join(blocks)


def recipe_settings() -> Iterator[str]:
    """The settings of all recipes by their groups, and those of the other models."""
    groups: dict[str, list[Setting]] = {}
    for setting in settings().values():
        groups.setdefault(setting.key.rpartition(".")[0], []).append(setting)
    titles = {"": "Run", "model": "SDT", "objective": "Objective", "training": "Training"}
    for group, members in groups.items():
        yield from _settings_table(titles.get(group, group), members)
    for model in MODELS:
        if model != SDT_NAME:
            yield from _settings_table(model, list(settings_of_model(model).values()))


def _settings_table(title: str, members: list[Setting]) -> Iterator[str]:
    yield f"\n## {title}\n\n| setting | value | default | |\n| --- | --- | --- | --- |"
    for setting in members:
        help = _cell(" ".join(setting.help.split()))
        yield f"| `{setting.key}` | `{setting.metavar}` | `{setting.shown_default}` | {help} |"


class ExampleSections(griffe.Extension):
    """Shows the section `Example` of docstrings as code, as it shows `Examples` (mkdocs.yml)."""

    def on_instance(self, *, obj: griffe.Object, **_: object) -> None:
        """Rename the section."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)


def public_names() -> Iterator[str]:
    """An entry for every public name of the package."""
    yield from (f"::: sdt.{name}\n" for name in sorted(sdt.__all__, key=str.lower) if not name.startswith("__"))


def _cell(text: str) -> str:
    return _escaped(text).replace("|", "\\|").replace("\n", " ")


def _escaped(text: str) -> str:
    """Text without the meaning of its signs in Markdown, except for code in backticks; names of options are code."""
    parts = text.split("`")
    for place in range(0, len(parts), 2):
        plain = re.sub(r"([*_\[])", r"\\\1", parts[place]).replace("<", "&lt;")
        parts[place] = re.sub(r"(?<![\w-])--[a-z][\w.\\-]*\w", lambda name: f"`{name[0]}`".replace("\\", ""), plain)
    return "`".join(parts)


GENERATED: dict[str, Callable[[], Iterator[str]]] = {
    "<!-- commands -->": commands,
    "<!-- settings -->": recipe_settings,
    "<!-- names -->": public_names,
}
