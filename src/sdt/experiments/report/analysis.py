"""Sections on calibration, on subgroups of the test set, and on representations (optional: it runs the model)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from sdt.analysis.explanation.embeddings import embed
from sdt.analysis.explanation.representations import figure, grid
from sdt.analysis.subgroups.report import Analysis, analyse
from sdt.errors import InputError
from sdt.evaluation.calibration import BINS, Reliability, calibration_error, cross_entropy, reliability
from sdt.evaluation.seeds import Spread
from sdt.evaluation.system import System
from sdt.evaluation.table import Grid
from sdt.experiments.report.document import Block, Figure, Items, Note, Paragraph, Section, Table
from sdt.experiments.report.study import Row, Study
from sdt.experiments.report.svg import FAINT, GROUND, SERIES, plain, render, style
from sdt.models.base import Model
from sdt.training.probabilities import SplitProbabilities

Probabilities = npt.NDArray[np.float32]
_MAX_POINTS = 1000
"""Maximum number of utterances in a plot of embeddings, so that the page stays small."""


@dataclass(frozen=True, eq=False)
class _Row:
    """The runs of a row, before and after temperature scaling."""

    name: str
    runs: list[SplitProbabilities]

    @property
    def before(self) -> list[Probabilities]:
        return [run.uncalibrated for run in self.runs]

    @property
    def after(self) -> list[Probabilities]:
        return [run.probabilities for run in self.runs]

    @property
    def calibrated(self) -> bool:
        return any(run.temperature != 1 for run in self.runs)

    def reliability(self, probabilities: list[Probabilities]) -> Reliability:
        """Of the utterances of all runs together."""
        return reliability(np.concatenate(probabilities), np.concatenate([run.label for run in self.runs]))

    def errors(self, probabilities: list[Probabilities]) -> Spread:
        """The expected calibration error of each run."""
        return Spread.of([calibration_error(p, r.label) for p, r in zip(probabilities, self.runs, strict=True)])

    def entropies(self, probabilities: list[Probabilities]) -> Spread:
        """The cross-entropy of each run."""
        return Spread.of([cross_entropy(p, r.label) for p, r in zip(probabilities, self.runs, strict=True)])

    def cell(self, spread: Spread, factor: float = 100) -> str:
        """A spread as text, with its deviation if there are several runs."""
        deviation = f" ± {factor * spread.deviation:.2f}" if len(self.runs) > 1 else ""
        return f"{factor * spread.mean:.2f}{deviation}"


def calibration(study: Study) -> Section | None:
    """None while no run is finished."""
    if not study.rows:
        return None
    rows, notes = [], []
    for row in study.rows:
        try:
            rows.append(_Row(row.name, row.group.probabilities(study.split)))
        except InputError as error:
            notes.append(Note(f"{row.name} is left out: {error}."))
    leading = [row.name for row in study.leading]
    shown = [row for row in rows if row.name in leading]
    figures = [_reliability_figure(row, study.split, _suffix(n)) for n, row in enumerate(shown, start=1)]
    explained = Paragraph(
        "A model is calibrated if, for example, 70 % of its predictions with a confidence of 70 % are right. The "
        "expected calibration error (ECE) is the mean absolute difference between confidence and accuracy. Each run's "
        "temperature was fitted on dev; it changes the confidence and no prediction."
    )
    blocks: list[Block] = [explained, *notes, *figures]
    return Section("Calibration", [*blocks, _calibration_table(rows, study.split)] if rows else blocks)


def _calibration_table(rows: list[_Row], split: str) -> Table:
    columns = ("temperature", "ECE before, %", "ECE after, %", "cross-entropy before", "after")
    return Table(
        "calibration",
        f"Calibration of the fused classifier on {split}",
        (("row", "text"), *((column, "number") for column in columns)),
        tuple(
            (
                row.name,
                row.cell(Spread.of([run.temperature for run in row.runs]), 1),
                row.cell(row.errors(row.before)),
                row.cell(row.errors(row.after)),
                row.cell(row.entropies(row.before), 1),
                row.cell(row.entropies(row.after), 1),
            )
            for row in rows
        ),
        f"Before and after temperature scaling; mean ± standard deviation over runs. ECE: {BINS} bins of equal width. "
        "Cross-entropy in nats.",
    )


def _reliability_figure(row: _Row, split: str, suffix: str) -> Figure:
    panels = {"before": row.before, "after": row.after} if row.calibrated else {"as predicted": row.after}
    name = f"reliability{suffix}"
    with style():
        drawing = Drawing(figsize=(4.4 * len(panels) + 0.4, 4.4), layout="constrained")
        axes = drawing.subplots(2, len(panels), squeeze=False, sharex=True, height_ratios=[3.4, 1])
        for column, (title, probabilities) in enumerate(panels.items()):
            found = row.reliability(probabilities)
            _diagram(axes[0, column], found)
            error = 100 * row.errors(probabilities).mean
            heading = title if title == "as predicted" else f"{title} the temperature"
            axes[0, column].set_title(f"{heading[0].upper()}{heading[1:]}: ECE {error:.2f} %")
            _counts(axes[1, column], found)
        axes[0, 0].set_ylabel("accuracy, percent")
        axes[1, 0].set_ylabel("utterances")
    several = f" of {len(row.runs)} runs together" if len(row.runs) > 1 else ""
    return Figure(
        name,
        f"{row.name}: reliability on {split}",
        f"Above: accuracy of the utterances{several} in {BINS} bins of confidence, the highest probability. On the "
        "diagonal, accuracy equals confidence; below it, the model is overconfident. The area of a point shows its "
        "number of utterances; bars connect it to the diagonal. Below: utterances per bin"
        + (" (ECE: mean over the runs)." if len(row.runs) > 1 else "."),
        ", ".join(f"expected calibration error {t} {100 * row.errors(p).mean:.2f} %" for t, p in panels.items()),
        render(drawing, name),
    )


def _diagram(axes: Axes, found: Reliability) -> None:
    some = found.count > 0
    x, y = 100 * found.confidence[some], 100 * found.accuracy[some]
    axes.plot([0, 100], [0, 100], color=FAINT, linewidth=1, linestyle=":")
    axes.vlines(x, np.minimum(x, y), np.maximum(x, y), color=SERIES[1], linewidth=1.8, alpha=0.6)
    size = 18 + 140 * found.count[some] / found.count.max()
    axes.scatter(x, y, s=size, color=SERIES[0], edgecolors=GROUND, linewidths=0.8, zorder=3, clip_on=False)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 102)
    axes.tick_params(labelcolor=FAINT)
    plain(axes)


def _counts(axes: Axes, found: Reliability) -> None:
    left = np.arange(BINS) * 100 / BINS
    axes.bar(left, found.count, width=100 / BINS * 0.92, align="edge", color=SERIES[0], alpha=0.55)
    axes.set_xlabel("confidence, percent")
    axes.tick_params(labelcolor=FAINT)
    plain(axes, "y")


def subgroups(study: Study) -> Section | None:
    """Scores of subgroups of the leading rows; None if no row has predictions. See `sdt.analysis.subgroups`."""
    parts = [
        _subgroups_of(study, row, system, _suffix(number))
        for number, row in enumerate(study.leading, start=1)
        if isinstance(system := study.systems.get(row.name), System)
    ]
    explained = Paragraph(
        "Scores on subgroups of the test set, with intervals by the bootstrap over conversations. Class frequencies "
        "differ between subgroups, which also changes scores."
    )
    return _one_or_more("Error analysis", parts, explained)


def _subgroups_of(study: Study, row: Row, system: System, suffix: str) -> Section:
    assert row.result is not None
    try:
        (analysis,) = analyse([system], [row.result.group.corpus()], study.resampling)
    except InputError as error:
        return Section(row.name, [Note(f"The subgroups need the corpus, which cannot be read: {error}.")])
    sentences = [s for s in analysis.sentences() if not s.startswith("note: ")]
    blocks: list[Block] = [Items(tuple(sentences))] if sentences else []
    return Section(row.name, [*blocks, *_subgroup_tables(analysis, suffix)])


def _subgroup_tables(analysis: Analysis, suffix: str) -> list[Table]:
    names = [*(division.name for division in analysis.divisions), "classes", "similar classes"]
    found = []
    for name, of in zip(names, analysis.grids(), strict=True):
        title = of.title[0].upper() + of.title[1:] if not analysis.system.name else of.title
        columns = [f"{column} interval" if column.endswith(" %") else column for column in of.columns]
        table = Grid(title, columns, of.rows)
        found.append(Table.of(f"part-{name.replace(' ', '-')}{suffix}", table, paper=False))
    return found


def spaces(study: Study) -> Section | None:
    """Embeddings of the first run of each leading row; runs the model. None if no row has a run."""
    rows = [row for row in study.leading if row.result]
    parts = [_spaces_of(row, _suffix(number)) for number, row in enumerate(rows, start=1)]
    return _one_or_more("Representations before and after fusion", parts)


def _spaces_of(row: Row, suffix: str) -> Section:
    assert row.result is not None
    run = row.result.group.runs[0]
    try:
        corpus = row.result.group.corpus()
        found = embed(Model.from_pretrained(run.path), corpus, corpus.split("test"), at_most=_MAX_POINTS)
    except InputError as error:
        return Section(row.name, [Note(f"The model cannot be run: {error}.")])
    with style():
        svg = render(figure(found), f"spaces{suffix}")
    return Section(
        row.name,
        [
            Figure(
                f"spaces{suffix}",
                f"{row.name}: representations before and after fusion, run {run.path.name}",
                f"{len(found.utterance_keys):,} annotated utterances of test by t-SNE, coloured by emotion: for each "
                "modality the features and the embeddings before fusion, and the fused embeddings. Distances in a "
                "t-SNE plot are not meaningful; the numbers are measured in the original spaces.",
                "A panel for each space; the table below has the numbers.",
                svg,
            ),
            Table.of(f"spaces-in-numbers{suffix}", grid(found, f"{row.name}: separation of emotions:"), paper=False),
        ],
    )


def _suffix(number: int) -> str:
    """What distinguishes the names of the tables and figures of several rows."""
    return "" if number == 1 else f"-{number}"


def _one_or_more(title: str, parts: list[Section], *before: Block) -> Section | None:
    """A section of one row without a heading of its own, or with a part for each row; None without rows."""
    if len(parts) == 1:
        return Section(title, [*before, *parts[0].blocks])
    return Section(title, list(before), parts) if parts else None
