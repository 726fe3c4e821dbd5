"""Recipes as YAML files: reading, overriding, writing.

The keys are checked here, so that a wrong one is named with its line and its near miss; jsonargparse checks the types.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from sdt.errors import InputError, near_miss
from sdt.training.options import settings, typed
from sdt.training.settings import Recipe, Training

__all__ = ["Recipe", "Training", "changed", "dump_recipe", "flat", "load_recipe", "setting_value", "unflat"]


@dataclass(frozen=True)
class _Given:
    """A value as the user wrote it."""

    value: object
    where: str
    """What an error message begins with: file and line; empty for an option, whose name says it."""


def shipped_recipe(name: str) -> Path:
    """The path of a recipe that the package brings along: `iemocap.yaml`, say."""
    package = Path(__file__).parents[1]
    installed = package / "recipes" / name
    return installed if installed.is_file() else package.parents[1] / "recipes" / name  # a checkout


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        path: A YAML file. What it leaves out has its default.
        overrides: Options that change settings: `["--training.epochs", "5"]` or `["--training.epochs=5"]`; the values
            are YAML.

    Raises:
        InputError: The file cannot be read, or a key or a value is wrong: names the place and the near miss.
    """
    given = _read(path)
    for option, text in _options(overrides):
        key = option.removeprefix("--")
        if key not in settings():
            raise InputError(f"{option} is no setting{_near_key(key)}")
        given[key] = _Given(_option_value(key, text), "")
    values = {}
    for key, at in given.items():
        try:
            values[key] = setting_value(key, at.value)
        except InputError as error:
            raise InputError(f"{at.where}{error}") from None
    try:
        recipe: Recipe = _build(Recipe, "", values)
    except InputError as error:
        # What the dataclasses refuse begins with the name of a setting; the place where it was set stands before.
        key = str(error).partition(":")[0]
        raise InputError(f"{given[key].where if key in given else f'{path}: '}{error}") from None
    return recipe


def dump_recipe(recipe: Recipe) -> str:
    """The whole recipe as YAML, defaults included; `load_recipe` reads it back."""
    values = dataclasses.asdict(recipe)
    values["modalities"] = None if recipe.modalities is None else list(recipe.modalities)
    # Escaped, since PyYAML writes some characters (U+0085, say) such that it reads others back.
    return yaml.safe_dump(values, sort_keys=False)


def flat(recipe: Recipe) -> dict[str, object]:
    """Every setting of a recipe by its key."""

    def value(key: str) -> object:
        at: Any = recipe
        for name in key.split("."):
            at = getattr(at, name)
        return at

    return {key: value(key) for key in settings()}


def unflat(values: Mapping[str, object]) -> Recipe:
    """The opposite of `flat`; also of what JSON made of it. Settings that are not named have their default.

    Raises:
        InputError: A key or a value is wrong.
    """
    recipe: Recipe = _build(Recipe, "", {key: setting_value(key, value) for key, value in values.items()})
    return recipe


def changed(recipe: Recipe, overrides: Mapping[str, object]) -> Recipe:
    """A recipe with some settings changed, given by their keys.

    Raises:
        InputError: A key or a value is wrong, or contradicts another.
    """
    values = flat(recipe) | {key: setting_value(key, value) for key, value in overrides.items()}
    new: Recipe = _build(Recipe, "", values)
    return new


def setting_value(key: str, value: object) -> object:
    """A value in the type of its setting.

    Raises:
        InputError: There is no such setting, or it has no such value.
    """
    if key not in settings():
        raise InputError(f"{key} is no setting{_near_key(key)}")
    return typed(settings()[key], _names(value) if key == "modalities" else value)


def _read(path: Path) -> dict[str, _Given]:
    """The settings in a file, flat, with their places."""
    try:
        text = path.read_text(encoding="utf-8")
        values, node = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except FileNotFoundError:
        raise InputError(f"{path}: no such recipe") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}{line}: not YAML ({getattr(error, 'problem', None) or error})") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InputError(f"{path}: a recipe is a mapping of settings, such as 'seed: 1'")
    return dict(_flatten(values, node, path, Recipe, ""))


def _flatten(values: Any, node: Any, path: Path, group: type, prefix: str) -> Iterator[tuple[str, _Given]]:  # noqa: ANN401
    """Walk the values beside YAML's node tree, which knows the lines."""
    hints = get_type_hints(group)
    seen: set[str] = set()
    for key_node, value_node in node.value:
        name = str(key_node.value)
        where = f"{path}, line {key_node.start_mark.line + 1}: "
        if name not in hints or name not in values:
            raise InputError(f"{where}{prefix}{name} is no setting{_near_key(prefix + name, hints)}")
        if name in seen:
            raise InputError(f"{where}{prefix}{name} is set twice")
        seen.add(name)
        value, hint = values[name], hints[name]
        if not dataclasses.is_dataclass(hint):
            yield prefix + name, _Given(value, where)
        elif isinstance(value, dict):
            assert isinstance(hint, type)
            yield from _flatten(value, value_node, path, hint, f"{prefix}{name}.")
        elif value is not None:
            raise InputError(f"{where}{prefix}{name} is a group of settings, not {value!r}")


def _near_key(key: str, siblings: Mapping[str, object] | None = None) -> str:
    """What a wrong key should have been: the same name in another group, or a name like it."""
    last = key.rpartition(".")[2]
    for known in settings():
        if known.rpartition(".")[2] == last:
            return f"; did you mean {known!r}?"
    return near_miss(last, siblings) if siblings else near_miss(key, settings())


def _options(overrides: Sequence[str]) -> Iterator[tuple[str, str]]:
    rest = iter(overrides)
    for option in rest:
        if not option.startswith("--"):
            raise InputError(f"{option!r} is no option; settings are given as --training.epochs 5")
        name, equals, value = option.partition("=")
        if not equals:
            following = next(rest, None)
            if following is None:
                raise InputError(f"{option}: the value is missing")
            value = following
        yield name, value


def _option_value(key: str, text: str) -> object:
    if settings()[key].type == str | None and text != "null":
        return text  # a folder may be called 2024
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _names(value: object) -> object:
    """The short form `text, audio` of a list of names."""
    return [name.strip() for name in value.split(",")] if isinstance(value, str) else value


def _build(kind: type, prefix: str, values: Mapping[str, object]) -> Any:  # noqa: ANN401 - one of the dataclasses
    arguments = {}
    for name, hint in get_type_hints(kind).items():
        if dataclasses.is_dataclass(hint):
            assert isinstance(hint, type)
            arguments[name] = _build(hint, f"{prefix}{name}.", values)
        elif prefix + name in values:
            arguments[name] = values[prefix + name]
    return kind(**arguments)
