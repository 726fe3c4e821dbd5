"""Train many models for one experiment: seeds, grids of settings, the tables of the paper.

  sdt experiment recipes/puppets.yaml --seeds 0-9 --jobs 2
  sdt experiment recipes/puppets.yaml --seeds 0-4 --grid model.width=32,64 --grid training.learning_rate=1e-3,4e-3
  sdt experiment ablations recipes/puppets.yaml --seeds 0-4     remove each part of the model in turn
  sdt experiment modalities recipes/puppets.yaml --seeds 0-4    every subset of modalities
  sdt experiment fusion recipes/puppets.yaml --seeds 0-4        gated fusion, addition, concatenation
  sdt experiment switches recipes/puppets.yaml --seeds 0-4      each switch that the paper does not have
  sdt experiment folds recipes/puppets.yaml --folds 5           cross-validation; --leave-out session or speaker: groups

The same command resumes a stopped experiment, repeats failed runs, and adds seeds and rows. The results do not depend
on --jobs: the threads of a run are fixed when the experiment starts. With --cluster a Ray cluster trains; its machines
need the corpus and the experiment's folder under the same paths. Exit code 1: some runs failed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.exit_codes import FAILED, exit_code
from sdt.cli.options import add_cluster_options, check_cluster_options, connected_cluster, positive_int
from sdt.cli.train import add_tracker_option
from sdt.errors import InputError, near_miss
from sdt.training.options import add_options, overrides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from sdt.corpus.store import Corpus
    from sdt.experiments.plan import ExperimentRows, Plan
    from sdt.experiments.workers import Failure
    from sdt.training.settings import Recipe


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "what",
        nargs="+",
        metavar="[TABLE] RECIPE",
        help="a recipe, optionally after ablations, modalities, fusion, switches or folds",
    )
    parser.add_argument("--seeds", default="0-4", metavar="SEEDS", help="such as 0-9 or 1,2,5; default: 0-4")
    parser.add_argument(
        "--grid",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=V,V",
        help="train every combination of these values; the first one is the reference",
    )
    parser.add_argument("--folds", type=positive_int, metavar="K", help="with folds: the number of folds")
    parser.add_argument(
        "--leave-out",
        metavar="COLUMN",
        help="with folds: speaker, session or another column whose groups are kept together; without --folds, a fold "
        "per group",
    )
    parser.add_argument("--rows", metavar="NAME,...", help="only these rows of the table, and the reference")
    add_run_options(parser)
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: runs/RECIPE-TABLE")
    parser.add_argument("--question", metavar="TEXT", help="the research question, for the report")
    add_options(parser, without=("seed", "output"))


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options for the runs of an experiment."""
    parser.add_argument("--jobs", type=positive_int, metavar="J", help="concurrent runs; default: 1")
    parser.add_argument(
        "--threads",
        type=positive_int,
        metavar="T",
        help="threads of each run, fixed when the experiment starts; default: CPU cores / J; with --cluster: 1",
    )
    add_cluster_options(parser, "runs")
    add_tracker_option(parser)


def run(options: argparse.Namespace) -> int | None:
    """Plan the runs, train, and print the tables."""
    from sdt.experiments.folds import TABLE as FOLDS
    from sdt.experiments.named_tables import TABLES
    from sdt.experiments.plan import parse_seeds
    from sdt.training.recipe import load_recipe, resolved

    *table, file = options.what
    if len(table) > 1 or (table and table[0] not in (*TABLES, FOLDS)):
        raise InputError(f"unknown table {table[0]!r}{near_miss(table[0], (*TABLES, FOLDS))}")
    if table and options.grid:
        raise InputError(f"--grid: cannot be combined with {table[0]}; give one of them")
    seeds = parse_seeds(options.seeds)
    recipe = resolved(load_recipe(Path(file), _settings(options)))
    if (table == [FOLDS]) != recipe.cross_validation.enabled:
        raise InputError("cross-validation: sdt experiment folds RECIPE, with --folds K or --leave-out COLUMN, or both")
    kind = table[0] if table else "grid" if options.grid else "seeds"
    folder = options.output or Path(f"runs/{Path(file).stem}-{kind}")

    from sdt.corpus.store import Corpus

    if recipe.corpus is None:
        raise InputError("the recipe names no corpus: give --corpus FOLDER")
    corpus = Corpus.open(recipe.corpus)
    return carry_out(_plan(options, recipe, corpus, seeds, folder), corpus, folder, options)


def carry_out(plan: Plan, corpus: Corpus, folder: Path, options: argparse.Namespace) -> int | None:
    """Train the remaining runs of an experiment, print its tables and failures; returns the exit code."""
    from rich.console import Console

    from sdt.experiments.run import begin, check, lock_folder
    from sdt.experiments.run import run as make

    console = Console()
    check(plan, corpus)
    with connected_cluster(options, plan.threads) as cluster, lock_folder(folder):
        plan = begin(plan, folder, corpus, options.command_line)
        jobs = options.jobs or 1
        _announce(plan, folder, f"on the cluster {options.cluster}" if options.cluster else f"{jobs} at once", console)
        try:
            failures = make(plan, folder, jobs, console, options.log, cluster)
        except KeyboardInterrupt as stopped:
            print(f"sdt: stopped; resume with: {options.command_line}", file=sys.stderr)
            return exit_code(stopped)
    _print(folder, console)
    return _report(failures, folder)


def _plan(options: argparse.Namespace, recipe: Recipe, corpus: Corpus, seeds: Sequence[int], folder: Path) -> Plan:
    """The plan that the options describe."""
    from sdt.experiments.plan import Plan

    rows = _rows(options, recipe, corpus)
    return Plan(
        question=options.question or rows.question,
        recipe=recipe,
        rows=rows.rows,
        seeds=tuple(seeds),
        threads=threads_of_a_run(options, folder),
        reference=(rows.reference or None) if len(rows.rows) > 1 else None,
        recipe_file=options.what[-1],
        options=tuple(_settings(options)),
    )


def _settings(options: argparse.Namespace) -> list[str]:
    """The settings that the options override, as `load_recipe` takes them."""
    given = {"folds": options.folds, "leave_out": options.leave_out}
    return [
        *overrides(options),
        *(f"--cross_validation.{name}={value}" for name, value in given.items() if value is not None),
    ]


def threads_of_a_run(options: argparse.Namespace, folder: Path) -> int:
    """The given number of threads; else that of the existing experiment; else the CPU cores divided among the jobs.

    Raises:
        InputError: The options of a cluster contradict the others.
    """
    from sdt.experiments.plan import FILE, read_plan
    from sdt.experiments.workers import cores

    check_cluster_options(options)
    if options.cluster is not None and options.jobs is not None:
        raise InputError("--jobs: not with --cluster; use --workers")
    if options.threads is not None:
        return int(options.threads)
    if (folder / FILE).is_file():
        return read_plan(folder)[0].threads
    return 1 if options.cluster is not None else max(1, cores() // (options.jobs or 1))


def _rows(options: argparse.Namespace, recipe: Recipe, corpus: Corpus) -> ExperimentRows:
    """The rows of the table, of the grid, or the one row of the recipe itself."""
    from sdt.experiments.folds import folds
    from sdt.experiments.grid import grid
    from sdt.experiments.named_tables import TABLES
    from sdt.experiments.plan import ExperimentRows, Row

    if options.grid:
        rows = grid(options.grid)
    elif len(options.what) == 1:
        name = Path(options.what[0]).stem
        rows = ExperimentRows(f"What does {name} come to, over seeds?", (Row(name, {}),), name)
    elif recipe.cross_validation.enabled:
        rows = folds(recipe, corpus)
        if seen := [name for name, of in corpus.modalities.items() if of.encoder.endswith("|z:corpus")]:
            print(
                f"note: {', '.join(seen)}: normalised over the train split of the corpus, which has conversations that "
                "the folds test"
            )
    else:
        rows = TABLES[options.what[0]](recipe, recipe.modalities or tuple(corpus.modalities))
    for reason in rows.omitted:
        print(f"left out: {reason}")
    return rows.only(options.rows.split(",")) if options.rows else rows


def _announce(plan: Plan, folder: Path, how: str, console: Console) -> None:
    from sdt.experiments.plan import format_seeds

    def many(count: int, what: str) -> str:
        return f"{count} {what}" + ("" if count == 1 else "s")

    console.print(
        f"{folder}: {many(len(plan.rows), 'row')}, seeds {format_seeds(plan.seeds)}, "
        f"{many(len(plan.rows) * len(plan.seeds), 'run')}; {how}, {many(plan.threads, 'thread')} each "
        "(fixed in experiment.json, so that results do not depend on --jobs)",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _print(folder: Path, console: Console) -> None:
    from sdt.experiments.results import Results
    from sdt.experiments.tables import conclusions, overview

    results = Results(folder)
    if not results.rows:
        return
    for grid in overview(results):
        console.print(grid.rich())
    for line in [*conclusions(results), f"results: {folder}/results.md"]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _report(failures: Sequence[Failure], folder: Path) -> int:
    """Print the failures; returns the exit code."""
    for failure in failures:
        if failure.details:
            print(failure.details, file=sys.stderr)
    for failure in failures:
        print(f"sdt: {failure.job.name} failed: {failure.error}", file=sys.stderr)
    if failures:
        print(
            f"sdt: failed runs: {len(failures)}; run the same command to try again; remove a run's folder in {folder} "
            "to restart it",
            file=sys.stderr,
        )
    return FAILED if failures else 0
