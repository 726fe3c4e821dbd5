"""Section on scores: every row, class and classifier."""

from __future__ import annotations

from sdt.evaluation.metrics import MAIN, class_measure, metrics
from sdt.evaluation.seeds import Spread
from sdt.experiments.report.classes import class_figure
from sdt.experiments.report.document import Block, Kind, Section, Table
from sdt.experiments.report.study import Row, Study, head_name
from sdt.experiments.results import RowResult
from sdt.experiments.tables import measure_text, range_text, score_text
from sdt.models.config import FUSED

_HOW = "Percent; mean ± standard deviation over seeds."
_TAUGHT = " The teacher is the fused classifier; each student is the classifier of one modality."
_BESIDE = " Each branch is the classifier of one modality."
_NO_SUPPORT = " –: the class does not occur in the split; macro F1 counts it as 0."


def scores(study: Study) -> Section | None:
    """None while no run is finished."""
    if not study.rows:
        return None
    several = len(study.rows) > 1
    blocks: list[Block] = [_overview(study)] if several else []
    if several and any(row.group.branches for row in study.rows):
        blocks.append(_heads(study))
    parts = [_details(study, row, number) for number, row in enumerate(study.leading, start=1)]
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
        *((metric.title, "number") for metric in metrics().values()),
        *([("weighted F1, range", "number")] if several else []),  # type: ignore[list-item]
        ("weighted F1 on dev", "number"),
    ]
    lines = []
    for row in study.rows:
        measured, dev = row.measured(study.split), row.measured("dev")
        assert measured is not None
        lines.append(
            (
                study.label(row),
                *([str(row.group.values["corpus"])] if corpora else []),
                str(row.group.size),
                *(score_text(row, measured[name], name=name) for name in metrics()),
                *([range_text(measured[MAIN]) if row.group.size > 1 else "–"] if several else []),
                score_text(row, dev[MAIN]) if dev else "–",
            )
        )
    best = frozenset(n for n, row in enumerate(study.rows) if row.name == study.best)
    mark = " The row with the highest mean weighted F1 is highlighted; see Significance." if best else ""
    return Table(
        "scores",
        f"Scores of every row on {study.split}",
        tuple(columns),
        tuple(lines),
        f"{_HOW} Range: the lowest and the highest run. {_choice(study)}{mark}",
        best,
    )


def _heads(study: Study) -> Table:
    """The fused classifier and every trained branch; students only if all rows with branches are distilled."""
    summaries = {row.name: row.group.summary(study.split).classifiers for row in study.rows}
    heads = list(dict.fromkeys(head for row in study.rows for head in (FUSED, *row.group.branches)))
    distilled = all(row.group.distilled for row in study.rows if row.group.branches)
    return Table(
        "heads",
        f"Weighted F1 of {_whose(distilled=distilled)} on {study.split}",
        (("row", "text"), *((head_name(head, distilled=distilled), "number") for head in heads)),
        tuple(
            (
                study.label(row),
                *(
                    score_text(row, summaries[row.name][head][MAIN]) if head in (FUSED, *row.group.branches) else "–"
                    for head in heads
                ),
            )
            for row in study.rows
        ),
        f"{_HOW}{_TAUGHT if distilled else _BESIDE} –: the row has no such classifier, or did not train it.",
    )


def _whose(*, distilled: bool) -> str:
    return "teacher and students" if distilled else "the fused classifier and the branches"


def _by_class(study: Study) -> Table:
    first = study.rows[0]
    classes = first.group.runs[0].read_scores()[1][study.split][FUSED].classes
    lines = []
    for row in study.rows:
        measured = row.measured(study.split)
        assert measured is not None
        lines.append(
            (
                study.label(row),
                *(measure_text(row, study.split, measured, class_measure(label)) for label in classes),
            )
        )
    support = ("support", *(f"{of.support:,}" for of in classes.values()))
    return Table(
        "classes",
        f"F1 of every class on {study.split}",
        (("row", "text"), *((label, "number") for label in classes)),
        (*lines, support),
        f"Fused classifier. {_HOW} Support: annotated utterances of the class."
        + (_NO_SUPPORT if any(not of.support for of in classes.values()) else ""),
    )


def _details(study: Study, row: Row, number: int) -> Section:
    result = row.result
    assert result is not None
    suffix = "" if number == 1 else f"-{number}"
    summary = result.group.summary(study.split)
    group = result.group
    several, branches, distilled = group.size > 1, group.branches, group.distilled
    heads = Table(
        f"closely-heads{suffix}",
        f"{row.name}: {_whose(distilled=distilled) if branches else 'scores'} on {study.split}",
        (
            ("classifier" if branches else "row", "text"),
            *((metric.title, "number") for metric in metrics().values()),
            *((f"{metric.title}, range", "number") for metric in metrics().values() if several),
        ),
        tuple(
            (
                head_name(head, distilled=distilled) if branches else row.name,
                *(score_text(result, of, name=name) for name, of in spreads.items()),
                *(range_text(of, name) for name, of in spreads.items() if several),
            )
            for head, spreads in summary.classifiers.items()
            if head in (FUSED, *branches)
        ),
        f"{_how(result)} {_choice(study)}{(_TAUGHT if distilled else _BESIDE) if branches else ''}",
    )
    return Section(f"{row.name} in detail", [heads, _measures(study, row.name, result, suffix)])


def _measures(study: Study, name: str, row: RowResult, suffix: str) -> Table:
    """F1 of every class: mean, minimum and maximum, and those of the branches."""
    measured = row.measured(study.split)
    assert measured is not None
    runs = [run.read_scores()[1][study.split] for run in row.group.runs]
    branches, distilled = row.group.branches, row.group.distilled
    fused = ("teacher" if distilled else "fused") if branches else "F1"
    classes = runs[0][FUSED].classes

    def of_branch(head: str, label: str) -> str:
        return score_text(row, Spread.of([scores[head].classes[label].f1 for scores in runs]))

    return Table(
        f"closely-classes{suffix}",
        f"{name}: F1 of every class on {study.split}",
        (
            ("class", "text"),
            ("support", "number"),
            (fused, "number"),
            *((name, "number") for name in ("min", "max") if row.group.size > 1),
            *((head_name(head, distilled=distilled), "number") for head in branches),
        ),
        tuple(
            (
                label,
                f"{of.support:,}",
                *(_with_ends(row, measured[class_measure(label)]) if of.support else _blank(row)),
                *(of_branch(head, label) if of.support else "–" for head in branches),
            )
            for label, of in classes.items()
        ),
        _how(row)
        + (f" Minimum and maximum over the runs: of the column {fused}." if row.group.size > 1 else "")
        + (_NO_SUPPORT if any(not of.support for of in classes.values()) else ""),
    )


def _with_ends(row: RowResult, spread: Spread) -> tuple[str, ...]:
    ends = (f"{100 * spread.minimum:.2f}", f"{100 * spread.maximum:.2f}") if row.group.size > 1 else ()
    return (score_text(row, spread), *ends)


def _blank(row: RowResult) -> list[str]:
    return ["–"] * (3 if row.group.size > 1 else 1)


def _how(row: RowResult) -> str:
    return _HOW if row.group.size > 1 else "Percent; one run."


def _choice(study: Study) -> str:
    caveats = dict.fromkeys(row.group.caveat or "epoch selected on dev" for row in study.rows)
    text = "; ".join(caveats)
    return f"{text[0].upper()}{text[1:]}."
