"""Sections on the question, the conclusions, remarks and missing runs."""

from __future__ import annotations

from collections.abc import Iterator

from sdt.evaluation.metrics import MAIN, metrics
from sdt.experiments.plan import format_seeds
from sdt.experiments.report.document import Block, Items, Note, Paragraph, Section, Table
from sdt.experiments.report.study import Row, Study
from sdt.experiments.tables import conclusions, score_text
from sdt.experiments.tables import remarks as found_remarks


def answer(study: Study) -> Section:
    """What was asked, and what the runs say."""
    # A single folder's question is the title.
    asked = [f"{s.name}: {s.question}" for s in study.sources if s.kind == "experiment" and len(study.sources) > 1]
    blocks: list[Block] = [Items(tuple(asked))] if asked else []
    if not study.rows:
        return Section("Answer", [*blocks, Note("No run is finished yet; there is no answer.")])
    blocks += [Paragraph(_headline(study, row)) for row in study.leading if row.result]
    lines = list(conclusions(study))
    # Missing seeds and remarks have sections of their own.
    elsewhere = {remark.text for remark in found_remarks(study.rows)}
    lacking = tuple(f"{row.name} lacks the seeds" for row in study.rows)
    notes = [line.removeprefix("note: ") for line in lines if line.startswith("note: ")]
    caveats = {f"{row.name}: {row.group.caveat}" for row in study.rows}
    notes = [note for note in notes if not note.startswith(lacking) and note not in elsewhere | caveats]
    blocks += [Paragraph(line) for line in lines if not line.startswith("note: ")]
    if best := _best(study):
        blocks.append(Paragraph(best))
    if study.comparisons:
        blocks.append(Items(tuple(comparison.sentence(MAIN) for comparison in study.comparisons)))
    if study.not_compared:
        blocks.append(Note(f"Not everything is compared: {study.not_compared}."))
    blocks += [Note(f"{_begun(study, note)}.") for note in dict.fromkeys((*_caveats(study), *notes))]
    return Section("Answer", blocks)


def remarks(study: Study) -> Section | None:
    """What is odd about the scores; None if nothing is."""
    found = [Note(f"{_begun(study, remark.text)}.") for remark in found_remarks(study.rows)]
    return Section("Remarks", found) if found else None


def missing(study: Study) -> Section | None:
    """The runs that were asked for and are not finished."""
    lines = [(row, list(_states(row))) for row in study.planned if row.unfinished]
    if not lines:
        return None
    asked = sum(len(row.runs) for row in study.planned)
    lacking = sum(len(row.unfinished) for row in study.planned)
    table = Table(
        "missing",
        "Runs that are not finished",
        (("row", "text"), ("seeds", "text"), ("state", "text")),
        tuple((row.name, seeds, state) for row, states in lines for seeds, state in states),
        "A run stays unfinished while it goes on, when it was stopped, and when it failed; the command that made the "
        "experiment goes on with it.",
        paper=False,
    )
    text = f"{lacking} of {asked} runs are not finished; nothing of them is in the tables below."
    return Section("Missing runs", [Note(text), table])


def _headline(study: Study, row: Row) -> str:
    result = row.result
    assert result is not None
    measured = result.measured(study.split)
    if measured is None:
        return f"The runs of {row.name} have no scores of the split {study.split}."
    main = score_text(result, measured[MAIN])
    others = ", ".join(
        f"{metric.title} {score_text(result, measured[name], name=name)}"
        for name, metric in metrics().items()
        if name != MAIN
    )
    runs = (
        f"mean ± standard deviation over the seeds {format_seeds(result.group.seeds)}"
        if result.group.size > 1
        else f"one run, seed {result.group.seeds[0]}"
    )
    how = result.group.caveat or "epoch chosen on dev, test had no say in it"
    corpus = result.group.values["corpus"]
    return f"{row.name} has a weighted F1 of {main} on {study.split} of {corpus} ({others}; {runs}; {how})."


def _best(study: Study) -> str | None:
    """Which row is on top, and whether that says anything."""
    if study.best is None or study.reference is None:
        return None
    if study.best == study.reference.name:
        return f"No row has a higher mean weighted F1 than the reference {study.best}."
    return f"{study.best} has the highest mean weighted F1. The highest of several is partly luck; " + (
        "the comparison below says whether the difference is significant."
        if study.comparisons
        else "no row is compared with it."
    )


def _begun(study: Study, note: str) -> str:
    """A note as a sentence; a row's name at its beginning stays as it is."""
    return note if note.startswith(tuple(row.name for row in study.rows)) else note[0].upper() + note[1:]


def _caveats(study: Study) -> Iterator[str]:
    for row in study.rows:
        if row.group.caveat:
            yield f"{row.name}: {row.group.caveat}; the scores are too good"
    if study.split == "dev":
        yield (
            "the scores are those of dev, on which the epochs were chosen, since not every run has scores of test; "
            "they are too good"
        )


def _states(row: Row) -> Iterator[tuple[str, str]]:
    """Seeds that are in the same state."""
    by_state: dict[str, list[int]] = {}
    for run in row.unfinished:
        by_state.setdefault(run.state, []).append(run.seed)
    for state, seeds in by_state.items():
        yield format_seeds(seeds), state
