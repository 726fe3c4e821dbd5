"""The scores: every row, every class, every head."""

from __future__ import annotations

from collections.abc import Mapping

from sdt.evaluation.counts import MEASURES, of_class
from sdt.evaluation.seeds import Spread
from sdt.evaluation.verdict import spoken
from sdt.experiments.results import RowResult
from sdt.experiments.tables import MAIN, score_text
from sdt.model.config import FUSED
from sdt.report.document import Block, Kind, Section, Table
from sdt.report.figure_classes import class_figure
from sdt.report.study import Row, Study

_HOW = "Percent; mean ± standard deviation over runs that differ in their seed."
_WHO = " The teacher is the fused prediction; each student predicts from one modality's branch."
_ENDS = " Minimum and maximum over the runs are the teacher's."


def scores(study: Study) -> Section | None:
    """None while no run is finished."""
    if not study.rows:
        return None
    several = len(study.rows) > 1
    blocks: list[Block] = [_overview(study)] if several else []
    if several and any(_students(row, study.split) for row in study.rows):
        blocks.append(_teacher_and_students(study))
    parts = [_closely(study, row, number) for number, row in enumerate(study.leading, start=1)]
    if several and len(study.corpora) == 1:
        blocks += [_by_class(study), class_figure(study)]
    if len(parts) == 1 and not several:
        return Section("Scores", parts[0].blocks)
    return Section("Scores", blocks, parts)


def _overview(study: Study) -> Table:
    corpora, several = len(study.corpora) > 1, any(row.group.size > 1 for row in study.rows)
    columns: list[tuple[str, Kind]] = [
        ("row", "text"),
        *([("corpus", "text")] if corpora else []),  # type: ignore[list-item]
        ("runs", "number"),
        *((spoken(measure), "number") for measure in MEASURES),
        *([("weighted F1, range", "number")] if several else []),  # type: ignore[list-item]
        ("weighted F1 on dev", "number"),
    ]
    lines = []
    for row in study.rows:
        measured, dev = row.measured(study.split), row.measured("dev")
        assert measured is not None
        lines.append(
            (
                _named(study, row),
                *([str(row.group.values["corpus"])] if corpora else []),
                str(row.group.size),
                *(score_text(row, measured[measure]) for measure in MEASURES),
                *([_range(measured[MAIN]) if row.group.size > 1 else "–"] if several else []),
                score_text(row, dev[MAIN]) if dev else "–",
            )
        )
    best = frozenset(n for n, row in enumerate(study.rows) if row.name == study.best)
    mark = " The row with the highest mean weighted F1 stands out; that alone does not make it better." if best else ""
    return Table(
        "scores",
        f"Scores of every row on {study.split}",
        tuple(columns),
        tuple(lines),
        f"{_HOW} Range: the lowest and the highest run. {_choice(study)}{mark}",
        best,
    )


def _teacher_and_students(study: Study) -> Table:
    summaries = {row.name: row.group.summary(study.split).heads for row in study.rows}
    heads = list(dict.fromkeys(head for of in summaries.values() for head in of))
    return Table(
        "heads",
        f"Weighted F1 of teacher and students on {study.split}",
        (("row", "text"), *((_head(head), "number") for head in heads)),
        tuple(
            (
                _named(study, row),
                *(score_text(row, summaries[row.name][h][1]) if h in summaries[row.name] else "–" for h in heads),
            )
            for row in study.rows
        ),
        f"{_HOW}{_WHO}",
    )


def _by_class(study: Study) -> Table:
    first = study.rows[0]
    classes = first.group.runs[0].read_scores()[1][study.split][FUSED].classes
    lines = []
    for row in study.rows:
        measured = row.measured(study.split)
        assert measured is not None
        lines.append((_named(study, row), *(score_text(row, measured[of_class(label)]) for label in classes)))
    support = ("support", *(f"{of.support:,}" for of in classes.values()))
    return Table(
        "classes",
        f"F1 of every class on {study.split}",
        (("row", "text"), *((label, "number") for label in classes)),
        (*lines, support),
        f"Of the fused prediction. {_HOW} Support: annotated utterances of the class.",
    )


def _closely(study: Study, row: Row, number: int) -> Section:
    result = row.result
    assert result is not None
    suffix = "" if number == 1 else f"-{number}"
    summary = result.group.summary(study.split)
    several, students = result.group.size > 1, bool(_students(result, study.split))
    heads = Table(
        f"closely-heads{suffix}",
        f"{row.name}: {'teacher and students' if students else 'scores'} on {study.split}",
        (
            ("head" if students else "row", "text"),
            *((spoken(measure), "number") for measure in MEASURES),
            *((f"{spoken(measure)}, range", "number") for measure in MEASURES if several),
        ),
        tuple(
            (
                _head(head) if students else row.name,
                *(score_text(result, of) for of in spreads),
                *(_range(of) for of in spreads if several),
            )
            for head, spreads in summary.heads.items()
        ),
        f"{_how(result)} {_choice(study)}{_WHO if students else ''}",
    )
    return Section(f"A closer look at {row.name}", [heads, _measures(study, row.name, result, suffix)])


def _measures(study: Study, name: str, row: RowResult, suffix: str) -> Table:
    """Every class; minimum and maximum, and the F1 of the students."""
    measured = row.measured(study.split)
    assert measured is not None
    runs = [run.read_scores()[1][study.split] for run in row.group.runs]
    students = [head for head in runs[0] if head != FUSED]
    classes = runs[0][FUSED].classes

    def of_student(head: str, label: str) -> str:
        return score_text(row, Spread.of([scores[head].classes[label].f1 for scores in runs]))

    return Table(
        f"closely-classes{suffix}",
        f"{name}: F1 of every class on {study.split}",
        (
            ("class", "text"),
            ("support", "number"),
            ("teacher" if students else "F1", "number"),
            *((name, "number") for name in ("min", "max") if row.group.size > 1),
            *((f"student {head}", "number") for head in students),
        ),
        tuple(
            (
                label,
                f"{of.support:,}",
                *_with_ends(row, measured, of_class(label)),
                *(of_student(head, label) for head in students),
            )
            for label, of in classes.items()
        ),
        _how(row)
        + (" Minimum and maximum over the runs are the teacher's." if students and row.group.size > 1 else ""),
    )


def _with_ends(row: RowResult, measured: Mapping[str, Spread], measure: str) -> tuple[str, ...]:
    spread = measured[measure]
    ends = (f"{100 * spread.minimum:.2f}", f"{100 * spread.maximum:.2f}") if row.group.size > 1 else ()
    return (score_text(row, spread), *ends)


def _range(spread: Spread) -> str:
    return f"{100 * spread.minimum:.2f}–{100 * spread.maximum:.2f}"


def _how(row: RowResult) -> str:
    return _HOW if row.group.size > 1 else "Percent; one run."


def _choice(study: Study) -> str:
    caveats = dict.fromkeys(row.group.caveat or "epoch chosen on dev" for row in study.rows)
    text = "; ".join(caveats)
    return f"{text[0].upper()}{text[1:]}."


def _students(row: RowResult, split: str) -> list[str]:
    """The heads beside the one that predicts; not every model has any."""
    return [head for head in row.group.summary(split).heads if head != FUSED]


def _head(head: str) -> str:
    return "teacher (fused)" if head == FUSED else f"student {head}"


def _named(study: Study, row: RowResult) -> str:
    return f"{row.name} (reference)" if study.comparisons and row is study.reference else row.name
