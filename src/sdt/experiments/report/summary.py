"""Sections on the conclusions, remarks, unfinished runs, and test-selected scores."""

from __future__ import annotations

from collections.abc import Iterator

from sdt.evaluation.metrics import MAIN, measure, metrics
from sdt.experiments.plan import format_seeds
from sdt.experiments.report.document import Block, Items, Note, Paragraph, Section, Table
from sdt.experiments.report.study import Row, Study
from sdt.experiments.results import Measured, RowResult
from sdt.experiments.tables import conclusions, measure_text, range_text, score_text
from sdt.experiments.tables import remarks as found_remarks
from sdt.training.test_monitor import CAVEAT


def summary(study: Study) -> Section:
    """The main scores and comparisons, with warnings."""
    # A single folder's question is the title.
    asked = [f"{s.name}: {s.question}" for s in study.sources if s.kind == "experiment" and len(study.sources) > 1]
    blocks: list[Block] = [Items(tuple(asked))] if asked else []
    if not study.rows:
        return Section("Summary", [*blocks, Note("No run is finished yet.")])
    blocks += [Paragraph(_headline(study, row.result)) for row in study.leading if row.result]
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
        blocks.append(Note(f"Not all rows are compared: {study.not_compared}."))
    blocks += [Note(f"{_sentence(study, note)}.") for note in dict.fromkeys((*_caveats(study), *notes))]
    return Section("Summary", blocks)


def remarks(study: Study) -> Section | None:
    """Unusual scores; None if there are none."""
    found = [Note(f"{_sentence(study, remark.text)}.") for remark in found_remarks(study.rows)]
    return Section("Remarks", found) if found else None


def unfinished(study: Study) -> Section | None:
    """The planned runs that are not finished; None if all are."""
    lines = [(row, list(_states(row))) for row in study.planned if row.unfinished]
    if not lines:
        return None
    planned = sum(len(row.runs) for row in study.planned)
    lacking = sum(len(row.unfinished) for row in study.planned)
    table = Table(
        "missing",
        "Unfinished runs",
        (("row", "text"), ("seeds", "text"), ("state", "text")),
        tuple((row.name, seeds, state) for row, states in lines for seeds, state in states),
        "An unfinished run is still running, was stopped, or failed. The command that made the experiment resumes it.",
        paper=False,
    )
    text = f"{lacking} of {planned} runs are not finished. The tables below do not include them."
    return Section("Unfinished runs", [Note(text), table])


def selected_on_test(study: Study) -> Section | None:
    """Scores with the epoch selected on test, next to those selected on dev; None while no run is finished."""
    if not study.rows:
        return None
    title = "Test-selected scores"
    both = [(row, *found) for row in study.rows if (found := _both(row))]
    if not both:
        text = "The runs recorded no test scores during training, so their test-selected scores are unknown."
        if all(row.group.caveat for row in study.rows):
            text = "The runs selected their epoch on test; their dev-selected scores are unknown."
        return Section(title, [Note(text)])
    explained = (
        "Every run selected its epoch on dev. It also scored test after every epoch, and recorded these scores "
        "separately; they selected nothing. Test-selected scores are those of the best epoch on test, as is usual in "
        "the field. They are optimistic: use them only to compare with published numbers that were selected the same "
        "way."
    )
    tables = [_main_by_row(study, both)] if len(both) > 1 else []
    first = next((of for of in both if of[0].name == study.reference_name), both[0])
    return Section(title, [Paragraph(explained), *tables, _metrics_of_row(*first)])


def _both(row: RowResult) -> tuple[Measured, Measured, Measured] | None:
    """Dev-selected scores on test, test-selected scores, and test-selection gains; None if a run lacks some."""
    selected, optimistic, gain = row.measured("test"), row.chosen_on_test, row.test_selection_gain
    return (selected, optimistic, gain) if selected and optimistic and gain else None


def _main_by_row(study: Study, rows: list[tuple[RowResult, Measured, Measured, Measured]]) -> Table:
    columns = ("dev-selected", "test-selected", "test-selection gain", "dev-selected epoch", "test-selected epoch")
    return Table(
        "protocols",
        "Weighted F1 on test, dev-selected and test-selected",
        (("row", "text"), *((column, "number") for column in columns)),
        tuple(
            (
                study.label(row),
                score_text(row, selected[MAIN]),
                score_text(row, optimistic[MAIN]),
                score_text(row, gain[MAIN], "+"),
                *_epochs(row),
            )
            for row, selected, optimistic, gain in rows
        ),
        f"Test-selected: {CAVEAT}. Test-selection gain: test-selected minus dev-selected score of each run, mean ± "
        "standard deviation. Epochs: the earliest to the latest of the runs.",
    )


def _metrics_of_row(row: RowResult, selected: Measured, optimistic: Measured, gain: Measured) -> Table:
    several = row.group.size > 1
    columns = ("dev-selected", "test-selected", *(("test-selected, range",) if several else ()), "test-selection gain")

    def cells(name: str) -> Iterator[str]:
        yield measure(name).title
        yield measure_text(row, "test", selected, name)
        text = measure_text(row, "test", optimistic, name)
        yield text
        if several:
            yield "–" if text == "–" else range_text(optimistic[name], name)
        yield measure_text(row, "test", gain, name, "+")

    return Table(
        "test-selection",
        f"{row.name}: all metrics on test, dev-selected and test-selected",
        (("metric", "text"), *((column, "number") for column in columns)),
        tuple(tuple(cells(name)) for name in dict.fromkeys((*metrics(), *selected))),
        f"Test-selected: {CAVEAT}. The test-selected epoch has the best weighted F1; other metrics may be lower.",
    )


def _epochs(row: RowResult) -> Iterator[str]:
    found = [run.read_scores()[0] for run in row.group.runs]
    for epochs in ([of.get("epoch") for of in found], [of["test_chosen"]["epoch"] for of in found]):
        known = [epoch for epoch in epochs if epoch is not None]
        yield "–" if not known else f"{known[0]}" if len(set(known)) == 1 else f"{min(known)}–{max(known)}"


def _headline(study: Study, row: RowResult) -> str:
    measured = row.measured(study.split)
    if measured is None:
        return f"The runs of {row.name} have no scores on {study.split}."
    others = ", ".join(
        f"{metric.title} {score_text(row, measured[name], name=name)}"
        for name, metric in metrics().items()
        if name != MAIN
    )
    runs = (
        f"mean ± standard deviation over the seeds {format_seeds(row.group.seeds)}"
        if row.group.size > 1
        else f"one run, seed {row.group.seeds[0]}"
    )
    how = row.group.caveat or "epoch selected on dev"
    corpus = row.group.values["corpus"]
    main = score_text(row, measured[MAIN])
    return f"{row.name} has a weighted F1 of {main} on {study.split} of {corpus} ({others}; {runs}; {how})."


def _best(study: Study) -> str | None:
    """Which row has the highest score, and whether the difference is tested."""
    if study.best is None or study.reference is None:
        return None
    if study.best == study.reference.name:
        return f"No row has a higher mean weighted F1 than the reference {study.best}."
    return f"{study.best} has the highest mean weighted F1. The highest of several scores is optimistic; " + (
        "the comparison below tests the difference." if study.comparisons else "no row is compared with it."
    )


def _sentence(study: Study, note: str) -> str:
    """A note with a capital letter, unless it begins with the name of a row."""
    return note if note.startswith(tuple(row.name for row in study.rows)) else note[0].upper() + note[1:]


def _caveats(study: Study) -> Iterator[str]:
    for row in study.rows:
        if row.group.caveat:
            yield f"{row.name}: {row.group.caveat}; the scores are optimistic"
    if study.split == "dev":
        yield (
            "the scores are those on dev, on which the epochs were selected, because not every run has scores on test; "
            "they are optimistic"
        )


def _states(row: Row) -> Iterator[tuple[str, str]]:
    """Seeds that are in the same state, and the state."""
    by_state: dict[str, list[int]] = {}
    for run in row.unfinished:
        by_state.setdefault(run.state, []).append(run.seed)
    for state, seeds in by_state.items():
        yield format_seeds(seeds), state
