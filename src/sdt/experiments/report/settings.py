"""How the runs were made: the recipe, the changes of each row, the environment and the commands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sdt.experiments.plan import format_seeds, option_text
from sdt.experiments.report.document import Block, Code, Note, Paragraph, Section, Table
from sdt.experiments.report.study import PlannedRun, Source, Study
from sdt.models.registry import find_imported
from sdt.training.recipe import flat

_OF_TERM = {"hard": ("hard",), "soft": ("soft", "temperature", "detach_teacher", "tau_squared")}
"""Settings of the objective that only a model with such a term has a use for."""
_PLACES = ("corpus", "output", "seed")
"""What says nothing about the numbers, or is another in every run."""


def settings(study: Study) -> Section:
    """The rows first, since they are what is compared."""
    blocks: list[Block] = []
    if len(study.planned) > 1:
        blocks.append(_rows(study))
    for source in study.sources:
        seeds = sorted({run.seed for row in study.planned if row.source is source for run in row.runs})
        recipe = f"the recipe {source.recipe_file}" if source.recipe_file else "its recipe"
        many = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {format_seeds(seeds)}"
        blocks.append(Paragraph(f"{source.name}: {recipe}, {many}."))
    blocks.append(_recipe(study))
    return Section("Settings", blocks)


def _rows(study: Study) -> Table:
    return Table(
        "rows",
        "Rows and what they change",
        (("row", "text"), ("settings that differ from the recipe", "code"), ("runs", "number")),
        tuple(
            (
                row.name + (" (reference)" if row.name == study.reference_name else ""),
                ", ".join(f"{key}: {option_text(value)}" for key, value in row.changes.items()) or "–",
                f"{row.result.group.size if row.result else 0} of {len(row.runs)}",
            )
            for row in study.planned
        ),
        "Runs: finished, of those that were asked for.",
    )


def _recipe(study: Study) -> Table:
    values = [flat(source.recipe) for source in study.sources]
    hidden = {*_PLACES, *_unused(study)}
    every = dict.fromkeys(key for of in values for key in of)  # models have settings of their own
    keys = [key for key in every if key not in hidden and any(of.get(key, {}) != {} for of in values)]
    rows = [(key, *(_shown(of[key]) if key in of else "–" for of in values)) for key in keys]
    several = len(values) > 1
    return Table(
        "recipe",
        "The recipe" if not several else "The recipes",
        (("setting", "code"), *((s.name if several else "value", "code") for s in study.sources)),
        tuple(rows),
        "Settings in which the folders differ stand out."
        if several
        else "Every setting; the rows change some of them.",
        best=frozenset(n for n, (_, *of) in enumerate(rows) if len(set(of)) > 1),
        paper=False,
    )


def _unused(study: Study) -> list[str]:
    """Settings of terms of the objective by which no row can be trained."""
    terms: set[str] = set()
    for row in study.planned:
        kind = find_imported(str(row.changes.get("architecture", row.source.recipe.architecture)))
        terms |= set(row.result.group.terms if row.result and not kind else kind.terms if kind else _OF_TERM)
    return [f"objective.{key}" for term, keys in _OF_TERM.items() if term not in terms for key in keys]


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


_ENVIRONMENT = {
    "hardware": "hardware",
    "device": "device",
    "processes": "processes that trained together",
    "platform": "platform",
    "python": "Python",
    "torch": "PyTorch",
    "numpy": "NumPy",
    "sdt": "sdt",
    "commit": "git commit of sdt",
}


def environment(study: Study, command: str) -> Section:
    """Environment of the runs, and commands.

    Args:
        study: What the report is about.
        command: The one that wrote the report.
    """
    blocks: list[Block] = [_table(study)]
    resumed = sorted({name for name, values in _environments(study) if values.get("resumed")})
    if resumed:
        blocks.append(Note(f"Were broken off and went on later, perhaps elsewhere: {', '.join(resumed)}."))
    commands = [source.command for source in study.sources if source.command]
    blocks.append(Paragraph("The commands that make it all again, in the folder in which they were given:"))
    blocks.append(Code("\n".join([*dict.fromkeys(commands), command])))
    return Section("Environment and commands", blocks)


def _table(study: Study) -> Table:
    lines = []
    for source in study.sources:
        found = [values for name, values in _environments(study, source)] or [dict(source.environment)]
        dates = sorted(str(values["started"])[:10] for values in found if values.get("started"))
        days = "–" if not dates else dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
        lines.append((days, *("; ".join(_values(found, key)) or "not recorded" for key in _ENVIRONMENT)))
    several = len(study.sources) > 1
    columns = [("trained", "text"), *((spoken, "text") for spoken in _ENVIRONMENT.values())]
    return Table(
        "environment",
        "With what the runs were made",
        (("what", "text"), *((source.name if several else "value", "text") for source in study.sources)),
        tuple((name, *(line[number] for line in lines)) for number, (name, _) in enumerate(columns)),
        "Where runs differ, every value is named. Sums depend on the number of threads in their last bits.",
        paper=False,
    )


def _values(found: list[dict[str, Any]], key: str) -> Iterator[str]:
    yield from dict.fromkeys(str(values[key]) for values in found if values.get(key))


def _environments(study: Study, source: Source | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """The environment of every run that was begun, with the run's name."""
    for row in study.planned:
        for run in row.runs:
            if source in (None, row.source) and (values := _read(run)):
                yield f"{row.name}, seed {run.seed}", dict(values)


def _read(run: PlannedRun) -> Mapping[str, Any]:
    try:
        values = json.loads((run.folder.path / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
