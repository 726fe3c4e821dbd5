"""Runs an experiment: keeps finished runs, resumes interrupted ones, and lists failures at the end."""

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
from sdt.experiments.clustered import make_runs_on
from sdt.experiments.display import Board
from sdt.experiments.failures import FailureRecorder
from sdt.experiments.plan import FILE, Plan, read_plan
from sdt.experiments.results import Results
from sdt.experiments.workers import Failure, make_runs
from sdt.training.environment import environment
from sdt.training.folder import RunFolder
from sdt.training.models import model_for
from sdt.training.protocol import protocol_for
from sdt.training.trackers import TRACKERS
from sdt.training.weights import class_weights

_LOCK = ".lock"


def begin(plan: Plan, folder: Path, corpus: Corpus, command: str) -> Plan:
    """Write experiment.json, or check that the experiment in the folder is this one and add what is new.

    Args:
        plan: What is asked for.
        folder: The experiment's folder.
        corpus: Opened.
        command: The command line.

    Returns:
        The plan with what was there before.

    Raises:
        InputError: The folder holds another experiment.
    """
    if (folder / FILE).is_file():
        before, values = read_plan(folder)
        plan = before.joined(plan, folder)
        surroundings = values["environment"]
        if surroundings["corpus_sha256"] != corpus.fingerprint:
            raise InputError(
                f"{folder}: cannot resume with another corpus: the experiment's has the fingerprint "
                f"{surroundings['corpus_sha256'][:12]}, {corpus.folder} has {corpus.fingerprint[:12]}"
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
    """Make the runs of an experiment that are not finished, and write the results.

    Args:
        plan: As `begin` returned it.
        folder: The experiment's folder.
        at_once: How many runs go on at the same time.
        console: Where to show progress.
        log: Trackers of each run.
        cluster: Where they are made; None for here. It says itself how many runs go on at the same time.

    Returns:
        The runs that failed.

    Raises:
        KeyboardInterrupt: Ctrl-C; the same command goes on.
    """
    for name in log:
        TRACKERS[name]()  # a package that is missing is named before anything starts
    jobs = [job for job in plan.jobs(folder) if not RunFolder(job.folder).finished]
    board = Board(console, jobs, len(plan.rows) * len(plan.seeds) - len(jobs))
    try:
        with board.showing():
            if cluster is None:
                return make_runs(jobs, at_once, plan.threads, FailureRecorder(board, folder), log=log)
            return make_runs_on(cluster, jobs, FailureRecorder(board, folder), log)
    finally:
        Results(folder).write()


@contextmanager
def locked(folder: Path, file: str = FILE) -> Iterator[None]:
    """Make a folder, and keep others out of it meanwhile.

    Args:
        folder: New, empty, or one that holds `file`.
        file: What such a folder is known by.

    Raises:
        InputError: It holds something else, or somebody is in it already.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; name a folder with --output")
    if folder.is_dir() and not (folder / file).is_file() and any(path.name != _LOCK for path in folder.iterdir()):
        raise InputError(f"{folder}: not empty, and it has no {file}; name another folder with --output")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / _LOCK, timeout=0):
            yield
    except Timeout:
        raise InputError(f"{folder}: another sdt works in it at this moment; wait for it, or stop it") from None


def check(plan: Plan, corpus: Corpus) -> None:
    """Everything that a run would find wrong at its start, before any starts.

    Raises:
        InputError: A row contradicts itself, or does not fit the corpus.
    """
    for row in plan.rows:
        recipe = plan.recipe_of(row)
        try:
            model_for(recipe, corpus)
            class_weights(recipe.training.class_weights, corpus.labels, protocol_for(recipe.training, corpus).train)
        except InputError as error:
            raise InputError(f"row {row.name}: {error}") from None
