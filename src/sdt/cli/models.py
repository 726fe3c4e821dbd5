"""List the models that can be trained, or describe one with its settings.

  sdt models                          list all models and their publications
  sdt models bc_lstm                  describe a model and its settings with their defaults
  sdt models my_model.py:MyModel      describe a custom model; imports its code

`sdt train RECIPE --model NAME` trains a model; its settings are options such as `--bc_lstm.width 64`, or a group
`bc_lstm` in the recipe.
"""

from __future__ import annotations

import argparse
import inspect


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", nargs="?", metavar="MODEL", help="a name, FILE.py:CLASS or MODULE:CLASS")


def run(options: argparse.Namespace) -> int | None:
    """Print the list, or one model."""
    if options.name is None:
        _list()
    else:
        _describe(options.name)
    return None


def _list() -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sdt.models.registry import ENTRY_POINTS, MODELS, find
    from sdt.plugins import plugins

    table = Table("name", "model", "source", box=box.SIMPLE_HEAD)
    for name in [*MODELS, *plugins(ENTRY_POINTS)]:
        model = find(name)
        table.add_row(name, Text(model.display_name()), Text(model.source or "none"))
    Console(highlight=False, markup=False).print(table)


def _describe(name: str) -> None:
    from sdt.models.registry import SDT_NAME, find, group
    from sdt.training.schema import settings, settings_of_model

    model = find(name)
    module = inspect.getmodule(model)
    print(inspect.cleandoc((module and module.__doc__) or model.__doc__ or ""))
    of = group(name)
    found = settings_of_model(of) if name != SDT_NAME else settings()
    print("\nsettings:")
    for setting in found.values():
        if setting.key.startswith(f"{of}."):
            print(f"  --{setting.key} (default: {setting.shown_default})\n      {setting.help}")
