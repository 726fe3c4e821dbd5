"""Checks recipes with pydantic: types, unknown keys and the dataclasses' own rules, in one call for a whole recipe.

The dataclasses of settings stay plain, so that reading a saved model does not import pydantic. An error names the
place, the value, what was expected and the near miss.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from sdt.errors import InputError, near_miss, quoted
from sdt.models.config import check_fusion
from sdt.models.registry import SDT_NAME, group, is_named, settings_of_group
from sdt.training.settings import Recipe

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True)
class Given:
    """A value as the user wrote it."""

    value: object
    where: str = ""
    """What an error message begins with: file and line; empty for an option, whose name says it."""


@dataclass(frozen=True)
class Setting:
    """One setting that is not a group of others."""

    key: str
    """With dots: `training.epochs`."""
    type: Any
    default: object
    help: str
    expected: str
    """What a value may be, in a sentence."""
    metavar: str
    """What a value may be, in the help."""
    choices: tuple[str, ...]
    """The texts to choose from; empty if there are none."""

    @property
    def shown_default(self) -> str:
        """The default as one writes it in a recipe."""
        return self.default if isinstance(self.default, str) else json.dumps(self.default)


@cache
def settings() -> dict[str, Setting]:
    """Every setting that all recipes have, by its key, in order; those of other models than SDT are not among them."""
    return _settings_of(Recipe, "")


def settings_of_model(group: str) -> dict[str, Setting]:
    """The settings of another model than SDT by their keys, `bc_lstm.width`; imports the model's file.

    Args:
        group: What a recipe calls them, see `sdt.models.registry.group`; empty if no model that is known has it.
    """
    kind: Any = settings_of_group(group)
    return {} if kind is None else _settings_of(kind, f"{group}.")


def find_setting(key: str) -> Setting | None:
    """The setting of this key, of whichever model; None if there is none."""
    return settings().get(key) or settings_of_model(key.partition(".")[0]).get(key)


def is_group(name: str) -> bool:
    """Whether settings of SDT, of the training or of another known model stand under this name."""
    return (name in _groups() and name not in settings()) or settings_of_group(name) is not None


def near_key(key: str) -> str:
    """What a wrong key should have been: the same name in another group, or a name like it."""
    prefix, _, last = key.rpartition(".")
    if of_model := settings_of_model(prefix):
        return near_miss(key, of_model)
    for known in settings():
        if known.rpartition(".")[2] == last:
            return f"; did you mean {known!r}?"
    return near_miss(key, settings() if prefix else {**_groups(), **settings()})


def setting_value(key: str, value: object) -> object:
    """A value in the type of its setting; texts of numbers become numbers.

    Raises:
        InputError: The setting does not exist, or it has no such value; names the near miss.
    """
    from pydantic import ValidationError

    setting = find_setting(key)
    if setting is None:
        raise InputError(f"{key} is not a setting{near_key(key)}")
    try:
        found = _checker(((key, setting.type),)).validate_python({key: _prepared(setting, value)})[key]
    except ValidationError:
        raise _mismatch(setting, value) from None
    if key == "model.fusion":
        check_fusion(found)
    return found


def check_recipe(given: Mapping[str, Given], foreign: Collection[str] = (), source: str = "") -> Recipe:
    """The recipe of values by their keys; every setting of the model that it names is in it.

    Args:
        given: By key; what stands in place of a group has the group's name as its key.
        foreign: The groups of code that is not imported; their values are kept as they are.
        source: What the message begins with if no single value is wrong.

    Raises:
        InputError: A key or a value is wrong, or contradicts another; names the first in the order of `given`.
    """
    from pydantic import ValidationError

    nested: dict[str, Any] = {}
    for key, of in given.items():
        name, dot, last = key.partition(".")
        try:
            value = _prepared(find_setting(key), of.value)
        except InputError as error:
            raise InputError(f"{of.where}{error}") from None
        if not dot:
            nested[name] = value
        elif isinstance(nested.setdefault(name, {}), dict):
            nested[name][last] = value
    architecture = str(nested.get("architecture", SDT_NAME))
    if is_named(architecture) and architecture != SDT_NAME:
        nested.setdefault(group(architecture), {})
    kinds = {name: kind for name in nested if (kind := settings_of_group(name))}
    kinds |= dict.fromkeys(foreign, dict[str, Any])
    try:
        values = _checker((*_groups().items(), *kinds.items())).validate_python(nested)
        return Recipe(own={name: values.pop(name) for name in kinds if name in values}, **values)
    except ValidationError as error:
        places = list(given)
        found = [_explained(dict(of), given) for of in error.errors(include_url=False)]
        key, text = min(found, key=lambda at: places.index(at[0]) if at[0] in given else len(places))
    except InputError as error:
        key, text = str(error).partition(":")[0], str(error)
    raise InputError(f"{given[key].where if key in given else source}{text}")


def _explained(error: Mapping[str, Any], given: Mapping[str, Given]) -> tuple[str, str]:
    """The key that one of pydantic's errors is about, and the message."""
    loc = [str(name) for name in error["loc"]]
    key = ".".join(loc[:2]) if loc[0] not in settings() else loc[0]
    if isinstance(of := error.get("ctx", {}).get("error"), Exception):  # of a dataclass; it begins with its key
        return str(of).partition(":")[0], str(of)
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return key, f"{key} is not a setting{near_key(key)}"
    setting = find_setting(key)
    if setting is None:
        return key, f"{key} is a group of settings, not {quoted(error['input'])}"
    return key, str(_mismatch(setting, given[key].value if key in given else error["input"]))


def _prepared(setting: Setting | None, value: object) -> object:
    """A value as pydantic may have it.

    Raises:
        InputError: A switch stands for a number; pydantic takes true for 1.
    """
    if setting and setting.key == "modalities" and isinstance(value, str):
        return [name.strip() for name in value.split(",")]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    if setting and not _has_bool(setting.type) and any(isinstance(of, bool) for of in inside):
        raise _mismatch(setting, value)
    return value


def _has_bool(hint: Any) -> bool:  # noqa: ANN401
    return hint is bool or any(map(_has_bool, get_args(hint)))


def _mismatch(setting: Setting, value: object) -> InputError:
    hint = near_miss(value, setting.choices) if isinstance(value, str) and setting.choices else ""
    return InputError(f"{setting.key}: {quoted(value)} is not {setting.expected}{hint}")


@cache
def _settings_of(kind: type, prefix: str) -> dict[str, Setting]:
    """The settings of a dataclass; the docstrings of its attributes are their help."""
    schema = _checker((("settings", kind),)).json_schema()

    def walk(of: Mapping[str, Any], defaults: object, prefix: str) -> Iterator[Setting]:
        hints = get_type_hints(type(defaults))
        for name, value in schema["$defs"][of["$ref"].rpartition("/")[2]]["properties"].items():
            default = getattr(defaults, name)
            if dataclasses.is_dataclass(default):
                yield from walk(value, default, f"{prefix}{name}.")
            elif prefix + name != "own":
                words = [_described(member) for member in value.get("anyOf", [value])]
                yield Setting(
                    prefix + name,
                    hints[name],
                    default,
                    " ".join(value.get("description", "").split()),
                    " or ".join(expected for expected, _ in words),
                    "|".join(metavar for _, metavar in words if metavar != "null"),
                    tuple(choice for member in value.get("anyOf", [value]) for choice in member.get("enum", ())),
                )

    return {setting.key: setting for setting in walk(schema["properties"]["settings"], kind(), prefix)}


@cache
def _groups() -> dict[str, Any]:
    """Settings and groups at the top of a recipe, with their types."""
    return {name: hint for name, hint in get_type_hints(Recipe).items() if name != "own"}


@cache
def _checker(hints: tuple[tuple[str, Any], ...]) -> TypeAdapter[dict[str, Any]]:
    """Of mappings with values of these types, by name."""
    from pydantic import ConfigDict, TypeAdapter, with_config
    from typing_extensions import TypedDict  # the one that pydantic takes before Python 3.12

    make: Any = TypedDict  # a type checker reads it with literal names only
    config = ConfigDict(extra="forbid", use_attribute_docstrings=True)
    return TypeAdapter(with_config(config)(make("Values", dict(hints), total=False)))


def _described(schema: Mapping[str, Any]) -> tuple[str, str]:
    """A type in JSON schema, in a sentence and in the help."""
    if choices := schema.get("enum"):
        return " or ".join(map(repr, choices)), "|".join(choices)
    if schema.get("items", {}).get("type") == "string":
        return "a list of names", "NAME,..."
    return _WORDS.get(schema.get("type", ""), ("a value", "VALUE"))


_WORDS = {
    "integer": ("a whole number", "INT"),
    "number": ("a number", "NUMBER"),
    "boolean": ("true or false", "true|false"),
    "string": ("a text", "TEXT"),
    "null": ("null", "null"),
    "array": ("a list of numbers", "[NUMBER,...]"),
    "object": ("a mapping from name to number", "{NAME: NUMBER,...}"),
}
