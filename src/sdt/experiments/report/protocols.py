"""Section on both protocols: the price of selecting the epoch on test."""

from __future__ import annotations

from sdt.evaluation.metrics import MAIN, measure, metrics
from sdt.experiments.report.document import Kind, Note, Paragraph, Section, Table
from sdt.experiments.report.study import Study
from sdt.experiments.results import RowResult
from sdt.experiments.tables import measure_text, range_text, score_text
from sdt.training.test_monitor import CAVEAT

_RANGE: tuple[tuple[str, Kind], ...] = (("test-chosen, range", "number"),)
_TITLE = "Both protocols: the price of choosing on test"


def protocols(study: Study) -> Section | None:
    """None if no run is finished or says anything of it."""
    priced = [row for row in study.rows if row.test_selection_gain]
    if not study.rows:
        return None
    if not priced:
        text = "The runs kept no sealed scores of test, so that there is nothing to say of the other protocol."
        if all(row.group.caveat for row in study.rows):
            text = "The runs chose their epoch on test; what choosing it on dev would have given is not known of them."
        return Section(_TITLE, [Note(text)])
    explained = (
        "Every run chose its epoch on dev. After each epoch it scored test, too, under seal: the scores chose nothing. "
        "They tell what the field's usual way, the best epoch on test, would have given. Test-chosen scores are too "
        "good; they stand here to say by how much, and to be set beside numbers that were published so."
    )
    tables = [_rows(study, priced)] if len(priced) > 1 else []
    first = next((row for row in priced if row.name == study.reference_name), priced[0])
    return Section(_TITLE, [Paragraph(explained), *tables, _measures(first)])


def _rows(study: Study, rows: list[RowResult]) -> Table:
    lines = []
    for row in rows:
        measured, chosen, price = row.measured("test"), row.chosen_on_test, row.test_selection_gain
        assert measured
        assert chosen
        assert price
        name = f"{row.name} (reference)" if study.comparisons and row is study.reference else row.name
        lines.append(
            (
                name,
                score_text(row, measured[MAIN]),
                score_text(row, chosen[MAIN]),
                score_text(row, price[MAIN], "+"),
                *_epochs(row),
            )
        )
    return Table(
        "protocols",
        "Weighted F1 on test by both protocols",
        (
            ("row", "text"),
            ("chosen on dev", "number"),
            ("test-chosen", "number"),
            ("price", "number"),
            ("epoch, dev", "number"),
            ("epoch, test-chosen", "number"),
        ),
        tuple(lines),
        f"Test-chosen: {CAVEAT}. Price: what this adds to each run's score, mean ± standard deviation. Epochs: from "
        "the earliest to the latest of the runs.",
    )


def _measures(row: RowResult) -> Table:
    measured, chosen, price = row.measured("test"), row.chosen_on_test, row.test_selection_gain
    assert measured
    assert chosen
    assert price
    return Table(
        "price",
        f"{row.name}: all measures on test by both protocols",
        (
            ("measure", "text"),
            ("chosen on dev", "number"),
            ("test-chosen", "number"),
            *(_RANGE if row.group.size > 1 else ()),
            ("price", "number"),
        ),
        tuple(
            (
                measure(name).title,
                measure_text(row, "test", measured, name),
                text := measure_text(row, "test", chosen, name),
                *(["–" if text == "–" else range_text(chosen[name], name)] if row.group.size > 1 else []),
                measure_text(row, "test", price, name, "+"),
            )
            for name in (*metrics(), *(name for name in measured if name not in metrics()))
        ),
        f"Test-chosen: {CAVEAT}. The test-chosen epoch has the best weighted F1; other measures may lose by it.",
    )


def _epochs(row: RowResult) -> tuple[str, str]:
    found = [run.read_scores()[0] for run in row.group.runs]
    on_dev = [values.get("epoch") for values in found]
    on_test = [values["test_chosen"]["epoch"] for values in found]
    return _range(on_dev), _range(on_test)


def _range(epochs: list[int | None]) -> str:
    known = [epoch for epoch in epochs if epoch is not None]
    if not known:
        return "–"
    return f"{min(known)}" if min(known) == max(known) else f"{min(known)}–{max(known)}"
