"""The program of a worker process: it initialises itself once, and then processes one unit after the other."""

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
"""Packages whose versions must be equal on all machines, so that results are reproducible."""
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

_ready: tuple[str, Callable[[Any], Any]] | None = None
"""The job that this process is initialised for, and its function for units."""


@dataclass(frozen=True)
class Job:
    """The instructions for a worker."""

    id: str
    make: Callable[..., Callable[[Any], Any]]
    """Called once with `arguments`; returns the function that processes the content of each unit."""
    arguments: tuple[Any, ...]
    threads: int
    folder: str
    """The working directory of the command, which file names are relative to."""
    versions: Mapping[str, str]


@dataclass(frozen=True)
class ReportedInputError:
    """An `InputError` of a worker."""

    message: str
    dependency: bool
    """Whether it is a `MissingDependencyError`."""

    def error(self) -> InputError:
        """The exception to raise."""
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


def serve(job: Job, content: object) -> object:
    """Process one unit of a job; returns its result, or a `ReportedInputError`."""
    global _ready
    try:
        if _ready is None or _ready[0] != job.id:
            _ready = None  # free the previous job before loading the next
            _ready = (job.id, _initialise(job))
        return _ready[1](content)
    except InputError as error:
        return ReportedInputError(str(error), isinstance(error, MissingDependencyError))


def _initialise(job: Job) -> Callable[[Any], Any]:
    here = versions()
    for package, version in job.versions.items():
        if here[package] != version:
            raise InputError(
                f"{socket.gethostname()}: has {package} {here[package]}, and the command runs with {version}; install "
                "the same versions on all machines of the cluster"
            )
    try:
        os.chdir(job.folder)
    except OSError as error:
        raise InputError(
            f"{socket.gethostname()}: the folder {job.folder}, the working directory of the command, cannot be used "
            f"({error.strerror}); start it in a folder that all machines of the cluster share"
        ) from None
    os.environ.update(dict.fromkeys(_THREADS, str(job.threads)), OMP_WAIT_POLICY="PASSIVE", GOMP_SPINCOUNT="0")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a cluster started in the background can ignore it
    work = job.make(*job.arguments)
    if "torch" in sys.modules:  # it can be imported before the variables are set
        import torch

        torch.set_num_threads(job.threads)
    return work
