"""What runs in a worker process of a cluster: it makes itself ready once, and then takes one unit after the other."""

from __future__ import annotations

import importlib.metadata
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sdt.errors import InputError, MissingDependencyError

PACKAGES = ("sdt-erc", "torch", "numpy")
"""What must be of the same version everywhere, if the same numbers are to come out."""
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

_ready: tuple[str, Callable[[Any], Any]] | None = None
"""Of this process: the order that it is ready for, and what it does with a unit."""


@dataclass(frozen=True)
class Order:
    """What every worker is told once."""

    id: str
    make: Callable[..., Callable[[Any], Any]]
    """Called with `arguments` where the worker begins; returns what is then called with each unit's content."""
    arguments: tuple[Any, ...]
    threads: int
    folder: str
    """The working directory of the command, in which names of files begin."""
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Mistake:
    """A user's mistake, which a worker has found."""

    message: str
    dependency: bool
    """Whether it is a package that is missing."""

    def error(self) -> InputError:
        """As it would have been raised in one process."""
        return MissingDependencyError(self.message) if self.dependency else InputError(self.message)


def versions() -> dict[str, str]:
    """The versions of `PACKAGES` on this machine."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "none"
    return found


def serve(order: Order, content: object) -> object:
    """Do one unit of an order: what came of it, or a `Mistake`."""
    global _ready
    try:
        if _ready is None or _ready[0] != order.id:
            _ready = None  # what is there is let go before more is loaded
            _ready = (order.id, _made(order))
        return _ready[1](content)
    except InputError as error:
        return Mistake(str(error), isinstance(error, MissingDependencyError))


def _made(order: Order) -> Callable[[Any], Any]:
    here = versions()
    for package, version in order.versions.items():
        if here[package] != version:
            raise InputError(
                f"{socket.gethostname()}: has {package} {here[package]}, and the command runs with {version}; install "
                "the same versions on all machines of the cluster"
            )
    try:
        os.chdir(order.folder)
    except OSError as error:
        raise InputError(
            f"{socket.gethostname()}: the folder {order.folder}, in which the command was started, cannot be used "
            f"({error.strerror}); start it in a folder that all machines of the cluster share"
        ) from None
    os.environ.update(dict.fromkeys(_THREADS, str(order.threads)), OMP_WAIT_POLICY="PASSIVE", GOMP_SPINCOUNT="0")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a cluster begun in the background may have it ignored
    work = order.make(*order.arguments)
    if "torch" in sys.modules:  # it may have been there before the variables were
        import torch

        torch.set_num_threads(order.threads)
    return work
