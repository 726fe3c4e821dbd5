"""Section on the differences between each row and the reference, and their significance."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from sdt.evaluation.figure import fitted, inches, rows_of
from sdt.evaluation.metrics import MAIN, class_measure, measure, metrics
from sdt.evaluation.significance import NO_UTTERANCE, Comparison
from sdt.evaluation.verdict import ALPHA, corrected_for, interval_text, p_value
from sdt.experiments.report.document import Figure, Section, Table
from sdt.experiments.report.study import Study
from sdt.experiments.report.svg import FAINT, GROUND, INK, SERIES, plain, render, style

_HOW_TO_READ = (
    "Points, row minus reference. Interval and p: paired bootstrap over the {} conversations of the test set, with "
    "fixed models. t-test and Wilcoxon test: over seeds{}. –: not estimable or undefined, {}."
)


def significance(study: Study) -> Section | None:
    """None if nothing is compared."""
    found = study.comparisons
    if not found:
        return None
    tables = [_measure(found, name) for name in (MAIN, *(name for name in metrics() if name != MAIN))]
    return Section("Significance", [forest_figure(study), *tables, _classes(found)])


def _measure(found: list[Comparison], name: str) -> Table:
    first, metric = found[0], measure(name)
    corrected = corrected_for(first.differences[name].family)
    tests = f"; p (Holm) are corrected for {corrected}" if corrected else ""
    return Table(
        f"differences-{name.replace('_', '-')}",
        f"Difference in {metric.title} to {first.reference.name}",
        (
            ("row", "text"),
            ("difference", "number"),
            (f"{100 * first.level:g} % interval", "number"),
            ("p", "number"),
            ("p (Holm)", "number"),
            ("t-test (Holm)", "number"),
            ("Wilcoxon (Holm)", "number"),
        ),
        tuple(
            (
                of.other.name,
                metric.text((d := of.differences[name]).value, "+"),
                interval_text(d, f"+.{metric.decimals}f", scale=metric.scale) if not d.note else "–",
                *(p_value(p).replace("-", "–") for p in (d.p, d.p_holm, d.t_holm, d.wilcoxon_holm)),
            )
            for of in found
        ),
        _HOW_TO_READ.format(first.reference.conversations, tests, _reasons(found, name))
        if name == MAIN
        else f"Columns as in the table of weighted F1{tests}.",
    )


def _classes(found: list[Comparison]) -> Table:
    labels = found[0].reference.labels
    return Table(
        "differences-classes",
        f"Difference in F1 of every class to {found[0].reference.name}",
        (("row", "text"), *((label, "number") for label in labels)),
        tuple((of.other.name, *(_starred(of, label) for label in labels)) for of in found),
        f"Points, row minus reference. *: p < {ALPHA:g} by the bootstrap over conversations, corrected (Holm) for all "
        f"{found[0].differences[class_measure(labels[0])].family.bootstrap} differences of this table that have a p. "
        "–: the class does not occur in the test set.",
    )


def _reasons(found: list[Comparison], name: str) -> str:
    """Why cells are empty; each reason once."""
    differences = [of.differences[name] for of in found]
    notes = dict.fromkeys(
        note for d in differences for p, note in ((None, d.note), (d.t.p, d.t.note)) if p is None and note
    )
    return "; ".join(notes) or "with too few conversations or runs"


def _starred(of: Comparison, label: str) -> str:
    difference = of.differences[class_measure(label)]
    if difference.note == NO_UTTERANCE:
        return "–"
    return f"{100 * difference.value:+.2f}{'*' if difference.significant else ''}"


def forest_figure(study: Study) -> Figure:
    """A panel for each metric, a line for each row; the study has comparisons."""
    found = study.comparisons
    reference = found[0].reference.name
    level = f"{100 * found[0].level:g} %"
    with style():
        names = [fitted(of.other.name, 28, 2) for of in found]
        height = 0.95 + (0.14 + 0.16 * rows_of(names)) * len(found)
        drawing = Drawing(figsize=(7.4 + inches(names), height), layout="constrained")
        names_of = [MAIN, *(name for name in metrics() if name != MAIN)]
        for axes, name in zip(drawing.subplots(1, len(names_of), sharey=True), names_of, strict=True):
            _panel(axes, found, name)
            axes.set_yticks(range(len(found)), names)
    return Figure(
        "forest",
        f"Differences to {reference}",
        f"Points of the measure, row minus {reference}, with the {level} interval by the bootstrap over conversations. "
        f"Filled points: p < {ALPHA:g} after Holm's correction. Hollow points: not significant.",
        f"Difference in weighted F1 to {reference}: "
        + "; ".join(
            f"{of.other.name} {100 * (d := of.differences[MAIN]).value:+.1f}, "
            + (f"no interval ({d.note})" if d.note else f"from {interval_text(d, '+.1f')}")
            for of in found
        ),
        render(drawing, "forest"),
    )


def _panel(axes: Axes, found: list[Comparison], name: str) -> None:
    metric = measure(name)
    axes.axvline(0, color=INK, linewidth=1)
    for y, of in enumerate(found):
        difference = of.differences[name]
        sure = difference.significant
        worse = difference.value < 0 if metric.higher_is_better else difference.value > 0
        shade = SERIES[1] if worse else SERIES[0]
        shade = shade if sure else FAINT
        axes.hlines(y, metric.scale * difference.low, metric.scale * difference.high, color=shade, linewidth=1.8)
        face = shade if sure else GROUND
        value = metric.scale * difference.value
        axes.plot(value, y, "o", markersize=6, color=face, markeredgecolor=shade, markeredgewidth=1.5)
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_title(metric.title)
    axes.set_xlabel("points" if metric.scale == 100 else "difference")
    plain(axes)
