"""The environment of a run: records versions, hardware and corpus, and enables deterministic algorithms."""

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
from sdt.training.processes import SINGLE_PROCESS, Processes


def environment(
    corpus: Corpus,
    device: torch.device,
    command: Sequence[str],
    threads: int | None = None,
    processes: Processes = SINGLE_PROCESS,
) -> dict[str, Any]:
    """Return the content of environment.json.

    Args:
        corpus: The corpus.
        device: The device of the model.
        command: The command line.
        threads: Number of CPU threads; None for the number of this process.
        processes: The processes of the run.
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
    """Return the git commit of the checkout that the program runs from, with `-dirty` if files have changed.

    Returns:
        None if the program does not run from its own checkout or git is not installed.
    """
    package = Path(sdt.__file__).parent
    root = package.parent.parent
    git = shutil.which("git")
    # An installed package may be inside another repository.
    if git is None or not (root / ".git").exists() or package != root / "src" / "sdt":
        return None
    command = [git, "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 - our own
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def hardware(device: torch.device, threads: int | None = None) -> str:
    """Return the name of the GPU, or the name of the CPU with the number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):  # only Linux has this file; Python does not report the CPU name there
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {threads or torch.get_num_threads()} threads"


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    """Context manager that enables deterministic algorithms of PyTorch where they exist."""
    # cuBLAS reads this variable at its first use; without it, sums may depend on the order of streams.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    warn_before = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    # By default, PyTorch then fills every new tensor with NaN to reveal reads of uninitialised memory; that takes time.
    options: Any = torch.utils.deterministic  # type checkers do not know its attributes
    fill_before, options.fill_uninitialized_memory = options.fill_uninitialized_memory, False
    try:
        yield
    finally:
        options.fill_uninitialized_memory = fill_before
        torch.use_deterministic_algorithms(before, warn_only=warn_before)
