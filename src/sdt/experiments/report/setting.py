"""The settings of the runs: the recipe, and what each row changes."""

from __future__ import annotations

import json

from sdt.experiments.plan import option_text, spoken_seeds
from sdt.experiments.report.document import Block, Paragraph, Section, Table
from sdt.experiments.report.study import Study
from sdt.models.registry import known
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
        many = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {spoken_seeds(seeds)}"
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
    keys = [key for key in values[0] if key not in (*_PLACES, *_unused(study)) and values[0][key] != {}]
    rows = [(key, *(_shown(of[key]) for of in values)) for key in keys]
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
        kind = known(str(row.changes.get("architecture", row.source.recipe.architecture)))
        terms |= set(row.result.group.terms if row.result and not kind else kind.terms if kind else _OF_TERM)
    return [f"objective.{key}" for term, keys in _OF_TERM.items() if term not in terms for key in keys]


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
