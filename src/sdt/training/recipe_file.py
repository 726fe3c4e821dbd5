"""Finds recipe files by name and reads their settings with line numbers."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from sdt.errors import InputError, near_miss, quoted
from sdt.models.registry import SDT_NAME, group, settings_of_group
from sdt.training.options import settings, settings_of_model
from sdt.training.settings import Recipe


@dataclass(frozen=True)
class Given:
    """A value as the user wrote it."""

    value: object
    where: str
    """What an error message begins with: file and line; empty for an option, whose name says it."""


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


def own_groups(references: Sequence[str]) -> set[str]:
    """The groups of settings of custom code that is not imported."""
    groups = {group(reference) for reference in references if ":" in reference}
    return {name for name in groups if settings_of_group(name) is None}


def read_settings(path: Path, architectures: Sequence[str]) -> dict[str, Given]:
    """The settings in a file, flat, with their places.

    Args:
        path: The file.
        architectures: Which models are meant besides the one that the file names.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values, node = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
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
    own = own_groups([*architectures, str(values.get("architecture", SDT_NAME))])
    groups: dict[str, Any] = dict.fromkeys(own, Mapping)
    for name in values:
        if isinstance(name, str) and (kind := settings_of_group(name)):
            groups[name] = kind
    return dict(_flatten(values, node, path, get_type_hints(Recipe) | groups, ""))


def _flatten(
    values: Any,  # noqa: ANN401 - whatever YAML made
    node: Any,  # noqa: ANN401
    path: Path,
    hints: Mapping[str, Any],
    prefix: str,
) -> Iterator[tuple[str, Given]]:
    """Walk the values beside YAML's node tree, which knows the lines.

    Args:
        values: A mapping.
        node: Its node.
        path: The file.
        hints: Name to what is expected there: the type of a setting, the class of a group, or `Mapping` for a group
            that nobody knows.
        prefix: What the keys begin with.
    """
    seen: set[str] = set()
    for key_node, value_node in node.value:
        name = str(key_node.value)
        where = f"{path}, line {key_node.start_mark.line + 1}: "
        if name not in hints or name not in values:
            raise InputError(f"{where}{prefix}{name} is not a setting{near_key(prefix + name, hints)}")
        if name in seen:
            raise InputError(f"{where}{prefix}{name} is set twice")
        seen.add(name)
        value, hint = values[name], hints[name]
        if not (dataclasses.is_dataclass(hint) or hint is Mapping):
            yield prefix + name, Given(value, where)
        elif isinstance(value, dict):
            within = dict.fromkeys(map(str, value), object) if hint is Mapping else get_type_hints(hint)
            yield from _flatten(value, value_node, path, within, f"{prefix}{name}.")
        elif value is not None:
            raise InputError(f"{where}{prefix}{name} is a group of settings, not {value!r}")


def near_key(key: str, siblings: Mapping[str, object] | None = None) -> str:
    """What a wrong key should have been: the same name in another group, or a name like it."""
    name, _, last = key.rpartition(".")
    if of_model := settings_of_model(name):
        return near_miss(key, of_model)
    for known in settings():
        if known.rpartition(".")[2] == last:
            return f"; did you mean {known!r}?"
    return near_miss(last, siblings) if siblings else near_miss(key, settings())
