"""Recipes: loading, overriding and writing them; see `sdt.training.schema` for how they are checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path

import yaml

from sdt.errors import InputError
from sdt.models.registry import SDT_NAME, find, group, settings_of_group
from sdt.training.recipe_file import find_recipe, read_settings
from sdt.training.schema import Given, check_recipe, find_setting, is_group, near_key, setting_value, settings
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
    given = read_settings(path)
    options = list(_options(overrides))
    references = [str(given["architecture"].value)] if "architecture" in given else []
    foreign = _foreign_groups([*references, *(text for key, text in options if key == "architecture")])
    for key, text in options:
        if find_setting(key) is None and key.partition(".")[0] not in foreign:
            raise InputError(f"--{key} is not a setting{near_key(key)}")
        given[key] = Given(_option_value(key, text))
    return check_recipe(given, foreign, f"{path}: ")


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
    own = {f"{name}.{key}": of for name, group in _own_settings(recipe).items() for key, of in group.items()}
    return {key: attrgetter(key)(recipe) for key in settings()} | own


def unflat(values: Mapping[str, object]) -> Recipe:
    """The opposite of `flat`; also of what JSON made of it. Settings that are not named have their default.

    Settings of groups that nobody knows are kept as they are: they may be of custom code that is not imported.

    Raises:
        InputError: A key or a value is wrong.
    """
    groups = {key.partition(".")[0] for key in values if "." in key}
    return check_recipe(
        {key: Given(value) for key, value in values.items()}, {name for name in groups if not is_group(name)}
    )


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
    foreign = _foreign_groups([str(overrides.get("architecture", recipe.architecture))])
    foreign |= {name for name in recipe.own if not is_group(name)}
    return check_recipe({key: Given(value) for key, value in {**flat(recipe), **overrides}.items()}, foreign)


def _own_settings(recipe: Recipe) -> dict[str, dict[str, object]]:
    """Group to the settings of models other than SDT, complete where the model is known."""
    own = dict(recipe.own)
    name = group(recipe.architecture)
    if recipe.architecture != SDT_NAME and name not in own and (kind := settings_of_group(name)):
        own[name] = kind()
    return {name: dict(of) if isinstance(of, Mapping) else dataclasses.asdict(of) for name, of in own.items()}


def _foreign_groups(references: Sequence[str]) -> set[str]:
    """The groups of settings of custom code that is not imported."""
    return {name for reference in references if ":" in reference and not is_group(name := group(reference))}


def _options(overrides: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Key and text of each option."""
    rest = iter(overrides)
    for option in rest:
        if not option.startswith("--"):
            raise InputError(f"{option!r} is not an option; settings are given as --training.epochs 5")
        name, equals, value = option.removeprefix("--").partition("=")
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
