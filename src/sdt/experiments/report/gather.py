"""Reads experiments and runs into a study."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sdt.errors import InputError, near_miss
from sdt.evaluation.bootstrap import Resampling
from sdt.experiments.failures import read_failures
from sdt.experiments.plan import FILE, read_plan
from sdt.experiments.report.study import PlannedRun, Row, Source, Study, check_names
from sdt.experiments.results import RowResult
from sdt.training.folder import RunFolder
from sdt.training.group import Group
from sdt.training.recipe import load_recipe


def gather(folders: Sequence[str], resampling: Resampling, reference: str | None = None) -> Study:
    """Read experiments, runs and groups of runs.

    Args:
        folders: Each `FOLDER` or `NAME=FOLDER`.
        resampling: The bootstrap of the intervals.
        reference: The row with which the others are compared; None for that of the first folder.

    Raises:
        InputError: A folder is not a run or an experiment, is damaged, or lacks the row.
    """
    named = _names([_asked(folder) for folder in folders])
    alone = len(named) == 1
    found = [_read(name, path, alone=alone) for name, path in named]
    rows = tuple(row for of_source, _ in found for row in of_source)
    check_names(rows)
    known = [row.name for row in rows]
    if reference is not None and reference not in known:
        raise InputError(f"--reference {reference}: unknown row{near_miss(reference, known)}")
    sources = tuple(dict.fromkeys(row.source for row in rows))
    return Study(sources, rows, reference or found[0][1], resampling)


def folder_of(argument: str) -> Path:
    """The folder that an argument names."""
    return _asked(argument)[1]


def _asked(argument: str) -> tuple[str | None, Path]:
    """Split `NAME=FOLDER`; the path of an existing folder may contain `=`."""
    name, equals, path = argument.partition("=")
    if not equals or not name or not path or "/" in name or Path(argument).exists():
        return None, Path(argument)
    return name, Path(path)


def _names(asked: Sequence[tuple[str | None, Path]]) -> list[tuple[str, Path]]:
    """The name of each folder: as given, else the last part of its path if that is unique, else its path."""
    last = [name or path.resolve().name for name, path in asked]
    count = Counter(last)
    return [
        (name or (short if count[short] == 1 else str(path)), path)
        for (name, path), short in zip(asked, last, strict=True)
    ]


def _read(name: str, path: Path, *, alone: bool) -> tuple[list[Row], str | None]:
    """The rows of a folder, and the name of its reference."""
    if not path.is_dir():
        raise InputError(f"{path}: {'not a folder' if path.exists() else 'folder not found'}; name experiments or runs")
    if (path / FILE).is_file():
        return _experiment(name, path, alone=alone)
    if (path / "recipe.yaml").is_file():
        rows = [_runs(name, path, "run", [path])]
    else:
        inside = sorted(at for at in path.iterdir() if (at / "recipe.yaml").is_file())
        if not inside:
            raise InputError(
                f"{path}: nothing to report on; expected an experiment (sdt experiment), a run (sdt train), or a "
                "folder of runs that differ in their seed"
            )
        rows = [_runs(name, path, "runs", inside)]
    return rows, rows[0].name


def _experiment(name: str, path: Path, *, alone: bool) -> tuple[list[Row], str | None]:
    plan, header = read_plan(path)
    environment = header.get("environment")
    source = Source(
        name,
        path,
        "experiment",
        plan.question,
        plan.recipe,
        plan.recipe_file,
        environment if isinstance(environment, dict) else {},
        header.get("command"),
    )
    titles = {
        row.name: row.name if alone else name if len(plan.rows) == 1 else f"{name}: {row.name}" for row in plan.rows
    }
    failures = read_failures(path)
    rows = []
    for row in plan.rows:
        runs = tuple(
            PlannedRun(seed, RunFolder(path / row.name / f"seed-{seed}"), failures.get(f"{row.name}/seed-{seed}"))
            for seed in plan.seeds
        )
        rows.append(Row(titles[row.name], source, row.overrides, runs, _result(titles[row.name], runs)))
    return rows, titles[plan.reference or plan.rows[0].name]


def _runs(name: str, path: Path, kind: str, folders: Sequence[Path]) -> Row:
    """One run, or runs that differ only in their seed."""
    recipes = {at: load_recipe(at / "recipe.yaml") for at in folders}
    runs = tuple(
        sorted((PlannedRun(recipe.seed, RunFolder(at)) for at, recipe in recipes.items()), key=lambda run: run.seed)
    )
    environment = _environment(runs[0].folder.path)
    command = environment.get("command") or None
    source = Source(name, path, kind, f"Results of {name}", recipes[runs[0].folder.path], None, environment, command)
    return Row(name, source, {}, runs, _result(name, runs))


def _result(name: str, runs: Sequence[PlannedRun]) -> RowResult | None:
    finished = [run for run in runs if run.folder.finished]
    if not finished:
        return None
    group = Group.of(name, [run.folder.path for run in finished])
    try:
        _ = group.test_selections
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        places = ", ".join(str(run.folder.path / "scores.json") for run in finished)
        raise InputError(f"{places}: test_chosen is damaged ({error}); train again with --overwrite") from None
    return RowResult(name, group, tuple(run.seed for run in runs if not run.folder.finished))


def _environment(run: Path) -> dict[str, Any]:
    """environment.json of a run; empty if it is missing.

    Raises:
        InputError: It is damaged.
    """
    path = run / "environment.json"
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: damaged ({error}); without the file, the report omits the environment") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: damaged (not a JSON object); without the file, the report omits the environment")
    return values
