"""Extensions in third-party packages, registered by entry points.

A package adds an encoder, a metric or a model to this program with one line of its `pyproject.toml`:

    [project.entry-points."sdt.encoders"]
    heartbeat = "heartbeat_package.sdt:ENTRY"

The group names the table, the name is the one that users type, and the object is an entry of that table. Entry points
are read only when a name is not built in or when a table is listed; a package's code is imported only when its entry is
used.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from sdt.errors import InputError, describe_error, printable, quoted

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plugin:
    """An extension that is registered but not yet imported."""

    name: str
    """The name that users type."""
    package: str
    """The distribution that registers it, as pip names it."""
    point: EntryPoint

    def load(self, kind: type[T]) -> T:
        """Import the extension.

        Args:
            kind: The class that the table's entries have; `object` accepts anything.

        Returns:
            The registered object.

        Raises:
            InputError: The import fails, or the object has another type; the message names the package.
        """
        where = f"package {printable(self.package)}: entry point {quoted(self.name)} of {self.point.group}"
        try:
            value = self.point.load()
        except Exception as error:  # a third-party module can raise anything when it is imported
            raise InputError(
                f"{where} cannot be loaded ({describe_error(error)}); update or uninstall the package"
            ) from error
        if not isinstance(value, kind):
            raise InputError(f"{where} is a {type(value).__name__}, not a {kind.__name__}; update the package")
        return value


def plugins(group: str) -> Mapping[str, Plugin]:
    """List the extensions that installed packages register in a group, without importing them.

    The packages are read once for each value of `sys.path`; one that is installed later is found after a restart.

    Args:
        group: The group's name, such as `sdt.encoders`.

    Returns:
        The extensions by name, in the order of their names.

    Raises:
        InputError: Two packages register the same name.
    """
    return _registered(group, tuple(sys.path))


@lru_cache
def _registered(group: str, path: tuple[str, ...]) -> Mapping[str, Plugin]:  # noqa: ARG001 - the key
    """Read the entry points of all packages in these folders; cached, because it takes about 20 ms."""
    found: dict[str, Plugin] = {}
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        plugin = Plugin(point.name, point.dist.name if point.dist else "unknown", point)
        other = found.setdefault(point.name, plugin)
        if other.package != plugin.package:
            packages = f"{printable(other.package)} and {printable(plugin.package)}"
            raise InputError(
                f"packages {packages} both register {quoted(point.name)} in {group}; uninstall one of them"
            )
    return found


class Registry(Mapping[str, T], Generic[T]):
    """A table of named entries: the built-in ones, and those that packages register in a group.

    Access to a built-in entry reads no entry points, and packages cannot replace built-in entries.

    Example:
        >>> metrics = Registry("example.metrics", object, {"accuracy": max})
        >>> "accuracy" in metrics, list(metrics)
        (True, ['accuracy'])
    """

    def __init__(self, group: str, kind: type[T], builtin: Mapping[str, T]) -> None:
        """Create a table.

        Args:
            group: The group of entry points that extends the table.
            kind: The class of the entries; a registered object of another class is refused.
            builtin: The built-in entries by name.
        """
        self.group = group
        self.builtin = dict(builtin)
        self._kind = kind
        self._added: dict[str, T] = {}

    def add(self, name: str, entry: T) -> None:
        """Add an entry for this process, such as one of a script or a notebook; it replaces an added one of this name.

        Raises:
            InputError: The name is that of a built-in entry, or the entry has the wrong class.
        """
        if name in self.builtin:
            raise InputError(f"{self.group}: {quoted(name)} is built in; choose another name")
        if not isinstance(entry, self._kind):
            raise InputError(f"{self.group}: {quoted(name)} is a {type(entry).__name__}, not a {self._kind.__name__}")
        self._added[name] = entry

    def __getitem__(self, name: str) -> T:
        """The entry with a name; an extension is imported on access."""
        if name in self.builtin:
            return self.builtin[name]
        if name in self._added:
            return self._added[name]
        return plugins(self.group)[name].load(self._kind)

    def __contains__(self, name: object) -> bool:
        return name in self.builtin or name in self._added or name in plugins(self.group)

    def __iter__(self) -> Iterator[str]:
        yield from self.builtin
        yield from self._extensions()

    def __len__(self) -> int:
        return len(self.builtin) + len(self._extensions())

    def _extensions(self) -> list[str]:
        return [name for name in {**self._added, **plugins(self.group)} if name not in self.builtin]
