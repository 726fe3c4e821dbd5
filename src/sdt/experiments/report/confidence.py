"""Section on calibration, before and after temperature scaling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from sdt.errors import InputError
from sdt.evaluation.calibration import BINS, Reliability, calibration_error, cross_entropy, reliability
from sdt.evaluation.seeds import Spread
from sdt.experiments.report.document import Block, Figure, Note, Paragraph, Section, Table
from sdt.experiments.report.study import Study
from sdt.experiments.report.svg import FAINT, GROUND, SERIES, plain, render, style
from sdt.training.probabilities import SplitProbabilities

Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Row:
    """The runs of a row, before and after their temperatures."""

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


def confidence(study: Study) -> Section | None:
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
    figures = [_figure(row, study.split, "" if n == 1 else f"-{n}") for n, row in enumerate(shown, start=1)]
    explained = Paragraph(
        "A model is calibrated where of the utterances that it predicts with 70 % every 70 in 100 are right. The "
        "expected calibration error (ECE) is the mean distance from that. Each run's temperature was fitted on dev; "
        "it changes no prediction, only the confidence."
    )
    blocks: list[Block] = [explained, *notes, *figures]
    return Section("Calibration", [*blocks, _table(rows, study.split)] if rows else blocks)


def _table(rows: list[_Row], split: str) -> Table:
    def cell(row: _Row, spread: Spread, factor: float = 100) -> str:
        deviation = f" ± {factor * spread.deviation:.2f}" if len(row.runs) > 1 else ""
        return f"{factor * spread.mean:.2f}{deviation}"

    return Table(
        "calibration",
        f"Calibration of the fused prediction on {split}",
        (
            ("row", "text"),
            ("temperature", "number"),
            ("ECE before, %", "number"),
            ("ECE after, %", "number"),
            ("cross-entropy before", "number"),
            ("after", "number"),
        ),
        tuple(
            (
                row.name,
                cell(row, Spread.of([run.temperature for run in row.runs]), 1),
                cell(row, row.errors(row.before)),
                cell(row, row.errors(row.after)),
                cell(row, row.entropies(row.before), 1),
                cell(row, row.entropies(row.after), 1),
            )
            for row in rows
        ),
        f"Mean ± standard deviation over runs. ECE: {BINS} bins of equal width. Cross-entropy in nats.",
    )


def _figure(row: _Row, split: str, suffix: str) -> Figure:
    panels = {"before": row.before, "after": row.after} if row.calibrated else {"as predicted": row.after}
    name = f"reliability{suffix}"
    with style():
        drawing = Drawing(figsize=(4.4 * len(panels) + 0.4, 4.4), layout="constrained")
        grid = drawing.subplots(2, len(panels), squeeze=False, sharex=True, height_ratios=[3.4, 1])
        for column, (title, probabilities) in enumerate(panels.items()):
            found = row.reliability(probabilities)
            _diagram(grid[0, column], found)
            error = 100 * row.errors(probabilities).mean
            heading = title if title == "as predicted" else f"{title} the temperature"
            grid[0, column].set_title(f"{heading[0].upper()}{heading[1:]}: ECE {error:.2f} %")
            _counts(grid[1, column], found)
        grid[0, 0].set_ylabel("accuracy, percent")
        grid[1, 0].set_ylabel("utterances")
    several = f" of {len(row.runs)} runs together" if len(row.runs) > 1 else ""
    return Figure(
        name,
        f"{row.name}: reliability on {split}",
        f"Above: accuracy of the utterances{several} in {BINS} bins of confidence, the highest probability; on the "
        "diagonal a prediction is as often right as it says, below it the model is too sure. The area of a point goes "
        "with its utterances, the bars tie it to the diagonal. Below: how many utterances each bin has"
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
