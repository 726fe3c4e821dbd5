"""Recipes as YAML files: reading, overriding and writing them.

The keys are checked here, so that a wrong one is named with its line and its near miss; jsonargparse checks the types.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from sdt.errors import InputError
from sdt.models.config import check_fusion
from sdt.models.registry import SDT_NAME, find, group, is_named, settings_of_group
from sdt.training.options import find_setting, settings, typed
from sdt.training.recipe_file import Given, find_recipe, near_key, own_groups, read_settings
from sdt.training.settings import Recipe, Training

__all__ = ["Recipe", "Training", "changed", "dump_recipe", "flat", "load_recipe", "resolved", "setting_value", "unflat"]


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    The settings of a custom model are kept as they are: its code is not imported for reading a recipe, which may
    be that of somebody else's run. `resolved` imports it and judges them.

    Args:
        path: A YAML file, or what names a shipped recipe (see `find_recipe`). What it leaves out has its default.
        overrides: Options that change settings: `["--training.epochs", "5"]` or `["--training.epochs=5"]`; the values
            are YAML.

    Raises:
        InputError: The file cannot be read, or a key or a value is wrong: names the place and the near miss.
    """
    path = find_recipe(path)
    options = list(_options(overrides))
    given = read_settings(path, [text for option, text in options if option == "--architecture"])
    own = own_groups([str(given["architecture"].value)] if "architecture" in given else [])
    own |= own_groups([text for option, text in options if option == "--architecture"])
    for option, text in options:
        key = option.removeprefix("--")
        if find_setting(key) is None and key.partition(".")[0] not in own:
            raise InputError(f"{option} is not a setting{near_key(key)}")
        given[key] = Given(_option_value(key, text), "")
    values = {}
    for key, at in given.items():
        try:
            values[key] = at.value if key.partition(".")[0] in own else setting_value(key, at.value)
        except InputError as error:
            raise InputError(f"{at.where}{error}") from None
    try:
        recipe = _recipe(values)
    except InputError as error:
        # What the dataclasses refuse begins with the name of a setting; the place where it was set stands before.
        key = str(error).partition(":")[0]
        raise InputError(f"{given[key].where if key in given else f'{path}: '}{error}") from None
    return recipe


def dump_recipe(recipe: Recipe) -> str:
    """The whole recipe as YAML, defaults included; `load_recipe` reads it back."""
    values = dataclasses.asdict(recipe)
    values["modalities"] = None if recipe.modalities is None else list(recipe.modalities)
    del values["own"]
    values |= _own_settings(recipe)
    # Escaped, since PyYAML writes some characters (U+0085, say) such that it reads others back.
    return yaml.safe_dump(values, sort_keys=False)


def flat(recipe: Recipe) -> dict[str, object]:
    """Every setting of a recipe by its key."""

    def value(key: str) -> object:
        at: Any = recipe
        for name in key.split("."):
            at = getattr(at, name)
        return at

    own = {f"{name}.{key}": of for name, group in _own_settings(recipe).items() for key, of in group.items()}
    return {key: value(key) for key in settings()} | own


def unflat(values: Mapping[str, object]) -> Recipe:
    """The opposite of `flat`; also of what JSON made of it. Settings that are not named have their default.

    Settings of groups that nobody knows are kept as they are: they may be of custom code that is not imported.

    Raises:
        InputError: A key or a value is wrong.
    """
    return _recipe({key: value if _foreign(key) else setting_value(key, value) for key, value in values.items()})


def resolved(recipe: Recipe) -> Recipe:
    """The recipe with its model imported, and the model's settings checked and complete.

    Whoever calls this runs the code that the recipe names, if it names custom code.

    Raises:
        InputError: The model does not exist, or a setting is unknown or has an invalid value.
    """
    find(recipe.architecture)
    return unflat(flat(recipe))


def changed(recipe: Recipe, overrides: Mapping[str, object]) -> Recipe:
    """A recipe with some settings changed, given by their keys.

    Raises:
        InputError: A key or a value is wrong, or contradicts another.
    """
    architecture = overrides.get("architecture", recipe.architecture)
    own = own_groups([str(architecture)]) | {name for name in recipe.own if settings_of_group(name) is None}
    new = {k: value if k.partition(".")[0] in own else setting_value(k, value) for k, value in overrides.items()}
    return _recipe(flat(recipe) | new)


def setting_value(key: str, value: object) -> object:
    """A value in the type of its setting.

    Raises:
        InputError: The setting does not exist, or it has no such value.
    """
    setting = find_setting(key)
    if setting is None:
        raise InputError(f"{key} is not a setting{near_key(key)}")
    found = typed(setting, _names(value) if key == "modalities" else value)
    if key == "model.fusion":
        check_fusion(found)
    return found


def _recipe(values: Mapping[str, object]) -> Recipe:
    """The recipe of typed values by their keys; every setting of the model that it names is there."""
    recipe: Recipe = _build(Recipe, "", {key: value for key, value in values.items() if key in settings()})
    own: dict[str, dict[str, object]] = {}
    for key, value in values.items():
        if key not in settings():
            name, _, last = key.partition(".")
            own.setdefault(name, {})[last] = value
    if is_named(recipe.architecture) and recipe.architecture != SDT_NAME:
        own.setdefault(group(recipe.architecture), {})
    kinds = {name: settings_of_group(name) for name in own}
    typed_ = {name: of if (kind := kinds[name]) is None else kind(**of) for name, of in own.items()}
    return dataclasses.replace(recipe, own=typed_)


def _own_settings(recipe: Recipe) -> dict[str, dict[str, object]]:
    """Group to the settings of models other than SDT, complete where the model is known."""
    own = dict(recipe.own)
    name = group(recipe.architecture)
    if recipe.architecture != SDT_NAME and name not in own and (kind := settings_of_group(name)):
        own[name] = kind()
    return {name: dict(of) if isinstance(of, Mapping) else dataclasses.asdict(of) for name, of in own.items()}


def _foreign(key: str) -> bool:
    """Whether a key is of a group that nobody knows."""
    name, dot, _ = key.partition(".")
    return bool(dot) and name not in get_type_hints(Recipe) and settings_of_group(name) is None


def _options(overrides: Sequence[str]) -> Iterator[tuple[str, str]]:
    rest = iter(overrides)
    for option in rest:
        if not option.startswith("--"):
            raise InputError(f"{option!r} is not an option; settings are given as --training.epochs 5")
        name, equals, value = option.partition("=")
        if not equals:
            following = next(rest, None)
            if following is None:
                raise InputError(f"{option}: the value is missing")
            value = following
        yield name, value


def _option_value(key: str, text: str) -> object:
    setting = find_setting(key)
    if setting is not None and setting.type == str | None and text != "null":
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
