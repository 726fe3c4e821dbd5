"""With what the runs were made, and the commands that repeat everything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sdt.experiments.report.document import Block, Code, Note, Paragraph, Section, Table
from sdt.experiments.report.study import Run, Source, Study

_KEYS = {
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


def surroundings(study: Study, command: str) -> Section:
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
        lines.append((days, *("; ".join(_values(found, key)) or "not recorded" for key in _KEYS)))
    several = len(study.sources) > 1
    columns = [("trained", "text"), *((spoken, "text") for spoken in _KEYS.values())]
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


def _read(run: Run) -> Mapping[str, Any]:
    try:
        values = json.loads((run.folder.path / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
