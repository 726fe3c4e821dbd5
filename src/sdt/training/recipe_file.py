"""Finds recipe files by name and reads their settings with line numbers."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from sdt.errors import InputError, near_miss, quoted
from sdt.training.schema import Given, is_group, settings


def shipped_recipe(name: str) -> Path:
    """The path of a recipe that the package brings along: `iemocap.yaml`, say."""
    return _shipped() / name


def find_recipe(name: Path) -> Path:
    """The path of a recipe that a user names: a file, or a shipped recipe with or without its folder and suffix.

    `puppets`, `puppets.yaml` and `recipes/puppets.yaml` all name the shipped recipe if no file has that name.

    Raises:
        InputError: It is neither.
    """
    # Not the methods of Path, which raise an error for names that no file can have.
    if os.path.isfile(name):  # noqa: PTH113
        return name
    shipped = {path.stem: path for path in sorted(_shipped().glob("*.yaml"))}
    if name.parent in (Path(), Path("recipes")) and name.suffix in ("", ".yaml") and name.stem in shipped:
        return shipped[name.stem]
    if os.path.exists(name):  # noqa: PTH110
        raise InputError(f"{name}: a folder; name a recipe file")
    raise InputError(f"{quoted(str(name))}: no such file, and no shipped recipe{near_miss(name.stem, shipped)}")


def _shipped() -> Path:
    package = Path(__file__).parents[1]
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parents[1] / "recipes"  # a checkout


def read_settings(path: Path) -> dict[str, Given]:
    """The settings in a file, by their keys, with their lines.

    Raises:
        InputError: The file cannot be read, is not YAML, or names a setting twice.
    """
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        if node is None or node.tag == "tag:yaml.org,2002:null":
            return {}
        if not isinstance(node, yaml.MappingNode):
            raise InputError(f"{path}: a recipe is a mapping of settings, such as 'seed: 1'")
        return _flatten(loader, node, path)
    except InputError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}{line}: not YAML ({getattr(error, 'problem', None) or error})") from None


def _flatten(loader: yaml.SafeLoader, node: yaml.MappingNode, path: Path, prefix: str = "") -> dict[str, Given]:
    """The settings in a mapping: the whole recipe or, with a prefix, a group of it.

    Raises:
        InputError: A setting is named twice.
    """
    found: dict[str, Given] = {}
    seen: set[str] = set()
    for key_node, value_node in node.value:
        where = f"{path}, line {key_node.start_mark.line + 1}: "
        if not isinstance(key_node, yaml.ScalarNode):
            raise InputError(f"{where}the name of a setting is a text")
        key = f"{prefix}{key_node.value}"
        if key in seen:
            raise InputError(f"{where}{key} is set twice")
        seen.add(key)
        if prefix or key in settings() or not isinstance(value_node, yaml.MappingNode):
            value = loader.construct_object(value_node, deep=True)
            if value is not None or prefix or not is_group(key):  # `training:` alone says nothing
                found[key] = Given(value, where)
            continue
        inside = _flatten(loader, value_node, path, f"{key}.")
        if is_group(key):
            found |= inside
        else:  # of code that is not imported, or a mistake: one value, at the line of its name
            found[key] = Given({name.removeprefix(f"{key}."): of.value for name, of in inside.items()}, where)
    return found
