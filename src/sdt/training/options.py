"""The settings of recipes as a flat list, and as options of the command line."""

from __future__ import annotations

import argparse
import dataclasses
import re
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from sdt.errors import InputError, near_miss
from sdt.models.registry import settings_of_group
from sdt.training.settings import Recipe

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser


@dataclass(frozen=True)
class Setting:
    """One setting that is not a group of others."""

    key: str
    """With dots: `training.epochs`."""
    type: Any
    default: object
    help: str


@cache
def settings() -> dict[str, Setting]:
    """Every setting that all recipes have, by its key, in order; those of other models than SDT are not among them."""
    return {setting.key: setting for setting in _settings_of(Recipe, "")}


def settings_of_model(group: str) -> dict[str, Setting]:
    """The settings of another model than SDT by their keys, `bc_lstm.width`; imports the model's file.

    Args:
        group: What a recipe calls them, see `sdt.models.registry.group`; empty if no model that is known has it.
    """
    kind = settings_of_group(group)
    return {} if kind is None else {setting.key: setting for setting in _settings_of(kind, f"{group}.")}


def find_setting(key: str) -> Setting | None:
    """The setting of this key, of whichever model; None if there is none."""
    return settings().get(key) or settings_of_model(key.partition(".")[0]).get(key)


def _settings_of(group: type, prefix: str) -> Iterator[Setting]:
    from docstring_parser import parse_from_object  # comes with jsonargparse[signatures]

    hints = get_type_hints(group)
    help_of = {param.arg_name: param.description or "" for param in parse_from_object(group).params}
    for field in dataclasses.fields(group):
        hint = hints[field.name]
        if not field.metadata.get("setting", True):
            continue
        if dataclasses.is_dataclass(hint):
            assert isinstance(hint, type)
            yield from _settings_of(hint, f"{prefix}{field.name}.")
        else:
            yield Setting(prefix + field.name, hint, field.default, " ".join(help_of.get(field.name, "").split()))


def typed(setting: Setting, value: object) -> object:
    """A value in the setting's type; the text `1e-4`, which YAML takes for a string, becomes a number.

    Raises:
        InputError: It cannot be; names the setting, what was expected and the near miss.
    """
    from jsonargparse import ArgumentError

    if isinstance(value, str) and str in _members(setting.type):
        return value  # jsonargparse would take the text '#1', which as YAML is nothing, for null
    try:
        return _parser(setting.type).parse_object({"value": value}, defaults=False)["value"]
    except (ArgumentError, ValueError, TypeError):
        choices = [choice for member in _members(setting.type) for choice in _choices(member)]
        hint = near_miss(value, choices) if isinstance(value, str) and choices else ""
        expected = " or ".join(_described(member) for member in _members(setting.type))
        raise InputError(f"{setting.key}: {value!r} is not {expected}{hint}") from None


@cache
def _parser(kind: object) -> ArgumentParser:
    """A parser of one value; to make one takes several times as long as to use it."""
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--value", type=kind)
    return parser


def add_options(parser: argparse.ArgumentParser, without: Sequence[str] = ()) -> None:
    """Declare an option for every setting but some; `overrides` collects those that were used."""
    parser.set_defaults(**{_OF_MODELS: ()})
    group = parser.add_argument_group(
        "settings",
        "each overrides the recipe; shown are the defaults of an empty recipe. Models other than SDT have settings of "
        "their own, such as --bc_lstm.width 64: see sdt models",
    )
    for setting in settings().values():
        if setting.key in without:
            continue
        short = _SHORT.get(setting.key, [])
        group.add_argument(
            f"--{setting.key}",
            *short,
            dest=f"setting {setting.key}",
            metavar="|".join(_metavar(member) for member in _members(setting.type) if member is not type(None)),
            default=argparse.SUPPRESS,
            help=f"{setting.help} (default: {_shown(setting.default)})".replace("%", "%%"),
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


_OF_MODELS = "settings of models"
"""The attribute of the parsed options where a command that takes settings keeps them."""
_SHORT = {"training.device": ["--device"], "architecture": ["--model"]}
"""Further names of options."""
_GROUPS = ("model", "objective", "training")


_WORDS: dict[Any, tuple[str, str]] = {
    int: ("a whole number", "INT"),
    float: ("a number", "NUMBER"),
    bool: ("true or false", "true|false"),
    str: ("a text", "TEXT"),
    type(None): ("null", "null"),
    list: ("a list of numbers", "[NUMBER,...]"),
    dict: ("a mapping from label to number", "{LABEL: NUMBER,...}"),
    tuple: ("a list of names", "NAME,..."),
}
"""For each type that a setting has: in a sentence, and in the help."""


def _members(hint: Any) -> tuple[Any, ...]:  # noqa: ANN401 - types have no common type
    """The members of a union, or the type alone."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _choices(member: Any) -> tuple[str, ...]:  # noqa: ANN401
    return get_args(member) if get_origin(member) is Literal else ()


def _described(member: Any) -> str:  # noqa: ANN401
    return " or ".join(map(repr, _choices(member))) or _WORDS[get_origin(member) or member][0]


def _metavar(member: Any) -> str:  # noqa: ANN401
    return "|".join(_choices(member)) or _WORDS[get_origin(member) or member][1]


def _shown(default: object) -> str:
    return "null" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
