"""Records versions, machine and corpus of a run, and makes runs repeatable."""

from __future__ import annotations

import contextlib
import datetime
import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import sdt
from sdt.corpus.store import Corpus
from sdt.training.processes import ALONE, Processes


def environment(
    corpus: Corpus,
    device: torch.device,
    command: Sequence[str],
    threads: int | None = None,
    processes: Processes = ALONE,
) -> dict[str, Any]:
    """What environment.json says.

    Args:
        corpus: The corpus.
        device: Where it is computed.
        command: The command line.
        threads: Of the processor; None for as many as this process has.
        processes: Those that train together.
    """
    return {
        "corpus": str(corpus.folder.resolve()),
        "corpus_name": corpus.name,
        "corpus_sha256": corpus.fingerprint,
        "command": shlex.join(command),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "device": device.type,
        "hardware": hardware(device, threads),
        "processes": processes.size,
        "backend": processes.backend,
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "sdt": sdt.__version__,
        "commit": commit(),
    }


def commit() -> str | None:
    """The git commit of the checkout that the program runs from, `-dirty` where files of it were changed since.

    Returns:
        None if it runs from no checkout of its own, or git is not there.
    """
    package = Path(sdt.__file__).parent
    root = package.parent.parent
    git = shutil.which("git")
    # An installed package may lie within somebody else's repository.
    if git is None or not (root / ".git").exists() or package != root / "src" / "sdt":
        return None
    command = [git, "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 - our own
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def hardware(device: torch.device, threads: int | None = None) -> str:
    """The name of the processor, with the number of threads, or of the GPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):  # Linux alone has this file, and Python knows no name there
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {threads or torch.get_num_threads()} threads"


@contextlib.contextmanager
def repeatable() -> Iterator[None]:
    """Let PyTorch compute the same numbers every time, as far as it can."""
    # cuBLAS reads it when it is first used; without it, its sums may depend on the order of streams.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    warn_before = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    # PyTorch would fill every new tensor with NaN, to show up reading what was never written; that takes time.
    deterministic: Any = torch.utils.deterministic  # its attributes are not known to type checkers
    fill_before, deterministic.fill_uninitialized_memory = deterministic.fill_uninitialized_memory, False
    try:
        yield
    finally:
        deterministic.fill_uninitialized_memory = fill_before
        torch.use_deterministic_algorithms(before, warn_only=warn_before)
