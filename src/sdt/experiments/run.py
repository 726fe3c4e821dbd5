"""Execution of an experiment: keeps finished runs, resumes interrupted ones, and lists failures at the end."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from sdt.cluster.work import Cluster
from sdt.corpus.store import Corpus
from sdt.device import choose_device
from sdt.errors import InputError
from sdt.experiments.clustered import train_runs_on_cluster
from sdt.experiments.display import ProgressBoard
from sdt.experiments.failures import FailureRecorder
from sdt.experiments.plan import FILE, Plan, read_plan
from sdt.experiments.results import Results
from sdt.experiments.workers import Failure, train_runs
from sdt.training.division import divided
from sdt.training.environment import environment
from sdt.training.folder import RunFolder
from sdt.training.models import model_for
from sdt.training.protocol import protocol_for
from sdt.training.trackers import TRACKERS
from sdt.training.weights import class_weights

_LOCK = ".lock"


def begin(plan: Plan, folder: Path, corpus: Corpus, command: str) -> Plan:
    """Write experiment.json, or check that the folder contains this experiment and add new rows and seeds.

    Args:
        plan: The plan.
        folder: The experiment's folder.
        corpus: The corpus.
        command: The command line.

    Returns:
        The plan, including the previous rows and seeds.

    Raises:
        InputError: The folder contains another experiment.
    """
    if (folder / FILE).is_file():
        before, values = read_plan(folder)
        plan = before.merged(plan, folder)
        surroundings = values["environment"]
        if surroundings["corpus_sha256"] != corpus.fingerprint:
            raise InputError(
                f"{folder}: cannot resume with another corpus: the fingerprint of the experiment's corpus is "
                f"{surroundings['corpus_sha256'][:12]}, that of {corpus.folder} is {corpus.fingerprint[:12]}"
            )
        if plan == before:
            return plan
    else:
        device = choose_device(plan.recipe.training.device)
        surroundings = environment(corpus, device, shlex.split(command), plan.threads)
    plan.write(folder, {"command": command, "environment": surroundings})
    return plan


def run(
    plan: Plan,
    folder: Path,
    at_once: int,
    console: Console,
    log: Sequence[str] = (),
    cluster: Cluster | None = None,
) -> list[Failure]:
    """Train the unfinished runs of an experiment, and write the results.

    Args:
        plan: The plan as returned by `begin`.
        folder: The experiment's folder.
        at_once: Maximum number of concurrent runs.
        console: Console of the progress display.
        log: Trackers of each run.
        cluster: The cluster that trains the runs and limits their number; None for this machine.

    Returns:
        The failed runs.

    Raises:
        KeyboardInterrupt: Ctrl-C; the same command resumes the experiment.
    """
    for name in log:
        TRACKERS[name]()  # reports missing packages before any run starts
    jobs = [job for job in plan.jobs(folder) if not RunFolder(job.folder).finished]
    board = ProgressBoard(console, jobs, len(plan.rows) * len(plan.seeds) - len(jobs))
    try:
        with board.showing():
            if cluster is None:
                return train_runs(jobs, at_once, plan.threads, FailureRecorder(board, folder), log=log)
            return train_runs_on_cluster(cluster, jobs, FailureRecorder(board, folder), log)
    finally:
        Results(folder).write()


@contextmanager
def lock_folder(folder: Path, file: str = FILE) -> Iterator[None]:
    """Create a folder and lock it for other processes until the end of the block.

    Args:
        folder: A new or empty folder, or one that contains `file`.
        file: The file that identifies a folder of this kind.

    Raises:
        InputError: The folder has other content, or another process has locked it.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; name a folder with --output")
    if folder.is_dir() and not (folder / file).is_file() and any(path.name != _LOCK for path in folder.iterdir()):
        raise InputError(f"{folder}: is not empty and has no {file}; name another folder with --output")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / _LOCK, timeout=0):
            yield
    except Timeout:
        raise InputError(f"{folder}: in use by another sdt process; wait until it ends, or stop it") from None


def check(plan: Plan, corpus: Corpus) -> None:
    """Check all rows before any run starts.

    Raises:
        InputError: The settings of a row contradict each other or do not match the corpus.
    """
    for row in plan.rows:
        recipe = plan.recipe_of(row)
        try:
            of_row = divided(corpus, recipe)
            model_for(recipe, of_row)
            class_weights(recipe.training.class_weights, corpus.labels, protocol_for(recipe.training, of_row).train)
        except InputError as error:
            raise InputError(f"row {row.name}: {error}") from None
