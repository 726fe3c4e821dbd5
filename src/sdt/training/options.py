"""Settings as options of the command line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

from sdt.training.schema import settings

_OF_MODELS = "settings of models"
"""The attribute of the parsed options where a command that takes settings keeps them."""
_SHORT = {"training.device": ["--device"], "architecture": ["--model"]}
"""Further names of options."""
_GROUPS = ("model", "objective", "training", "cross_validation")


def add_options(parser: argparse.ArgumentParser, without: Sequence[str] = ()) -> None:
    """Declare an option for every setting but some; `overrides` collects those that were used."""
    parser.set_defaults(**{_OF_MODELS: ()})
    group = parser.add_argument_group(
        "settings",
        "each overrides the recipe; shown are the defaults of an empty recipe. Models other than SDT have settings of "
        "their own, such as --bc_lstm.width 64: see sdt models",
    )
    for setting in settings().values():
        if setting.key not in without:
            group.add_argument(
                f"--{setting.key}",
                *_SHORT.get(setting.key, []),
                dest=f"setting {setting.key}",
                metavar=setting.metavar,
                default=argparse.SUPPRESS,
                help=f"{setting.help} (default: {setting.shown_default})".replace("%", "%%"),
            )


def overrides(options: argparse.Namespace) -> list[str]:
    """The options of `add_options` that were given, as `load_recipe` takes them."""
    given = {name.removeprefix("setting "): text for name, text in vars(options).items() if name.startswith("setting ")}
    return [*(f"--{key}={text}" for key, text in given.items()), *getattr(options, _OF_MODELS, ())]


def joined(arguments: Sequence[str]) -> list[str]:
    """The arguments, where a setting of another model than SDT is one with its value: `--bc_lstm.width=64`.

    These settings are not declared, since that would import every model; so argparse does not know that they have a
    value, and would take it for something else.
    """
    rest, found = iter(arguments), []
    for argument in rest:
        value = next(rest, None) if _is_of_model(argument) and "=" not in argument else None
        found.append(argument if value is None else f"{argument}={value}")
    return found


def take_settings_of_models(options: argparse.Namespace, unknown: Sequence[str]) -> list[str]:
    """Keep the settings of models among the arguments that argparse does not know; `load_recipe` will judge them.

    Returns:
        The other arguments.
    """
    if not hasattr(options, _OF_MODELS):
        return list(unknown)
    setattr(options, _OF_MODELS, [argument for argument in unknown if _is_of_model(argument)])
    return [argument for argument in unknown if not _is_of_model(argument)]


def _is_of_model(argument: str) -> bool:
    match = re.fullmatch(r"--([A-Za-z_]\w*)\.\w+(=.*)?", argument, re.DOTALL)
    return match is not None and match[1] not in _GROUPS
