"""Section on training curves: losses and scores over the epochs.

Shapes: R runs, E epochs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from sdt.evaluation.figure import fitted, legend_columns
from sdt.experiments.report.document import Block, Figure, Note, Paragraph, Section
from sdt.experiments.report.study import Row, Study, head_name
from sdt.experiments.report.svg import FAINT, GROUND, INK, colour, plain, render, style
from sdt.models.config import FUSED

_TOO_MANY = 6
"""Number of rows from which on one panel is too crowded."""
_ALONE = "Left: cross-entropy on train, with dropout."
_BRANCHES = (
    "Left: cross-entropy on train of {fused} (task term) and of each {branch} (its part of the hard term), before "
    "weighting, with dropout."
)
_SOFT = " Middle: divergence of each student from the teacher (soft term)."


@dataclass(frozen=True)
class Classifiers:
    """The trained classifiers of a row, and their names."""

    branches: tuple[str, ...]
    """Those of the modalities."""
    terms: tuple[str, ...]
    """The terms of the objective that train them, out of `hard` and `soft`."""
    key: str
    """The key of their terms in metrics.jsonl."""

    @classmethod
    def of(cls, row: Row, split: str) -> Classifiers:
        """From the first line of metrics.jsonl and the finished runs."""
        line = row.histories[0][0]
        trained = row.result.group.terms if row.result else ("hard", "soft")
        terms = tuple(term for term in ("hard", "soft") if term in trained and term in line.get("losses", {}))
        found = [head for head in line.get(split, {}) if head != FUSED] if terms else []
        return cls(tuple(found), terms if found else (), "students" if "students" in line else "branches")

    @property
    def distilled(self) -> bool:
        """Whether the branches are students of the fused classifier."""
        return "soft" in self.terms

    def name(self, head: str) -> str:
        """The name of a classifier."""
        if not self.branches:
            return "prediction"
        return head_name(head, distilled=self.distilled)


@dataclass(frozen=True, eq=False)
class Band:
    """A number by epoch: mean, minimum and maximum over the runs that reached the epoch."""

    epoch: npt.NDArray[np.int64]
    """[E], from 1."""
    mean: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]

    @classmethod
    def of(cls, histories: Sequence[Sequence[dict[str, Any]]], *keys: str) -> Band | None:
        """From the lines of metrics.jsonl.

        Args:
            histories: R runs.
            keys: The path of the number in a line.

        Returns:
            None if a line does not have it.
        """
        try:
            runs = [[_number(line, keys) for line in history] for history in histories]
        except (KeyError, TypeError, ValueError):
            return None
        longest = max(map(len, runs), default=0)
        if not longest:
            return None
        table = np.full((len(runs), longest), np.nan)  # [R, E]
        for row, values in zip(table, runs, strict=True):
            row[: len(values)] = values
        return cls(np.arange(1, longest + 1), np.nanmean(table, 0), np.nanmin(table, 0), np.nanmax(table, 0))


def curves(study: Study) -> Section | None:
    """None if no run has finished an epoch."""
    rows = study.leading or list(study.planned[:1])
    parts = []
    for number, row in enumerate(rows, start=1):
        if row.histories:
            parts.append(Section(row.name, list(_of_row(row, number))))
    if not parts:
        return None
    further = list(_distillation(study))
    if len(parts) == 1:
        return Section("Training curves", [*parts[0].blocks, *further])
    return Section("Training curves", further, parts)


def selected(row: Row) -> list[tuple[int, dict[str, Any]]]:
    """The selected epoch of each finished run, with its line of metrics.jsonl; without runs that lack either."""
    found = []
    for run in row.result.group.runs if row.result else ():
        epoch = run.read_scores()[0].get("epoch")
        line = next((line for line in run.read_metrics() if line.get("epoch") == epoch), None)
        if isinstance(epoch, int) and line:
            found.append((epoch, line))
    return found


def _of_row(row: Row, number: int) -> Iterator[Block]:
    suffix = "" if number == 1 else f"-{number}"
    split = _scored(row)
    heads = Classifiers.of(row, split)
    if not row.result:
        yield Note(f"{row.name} is not finished; the curves show the finished epochs.")
    elif heads.branches and (gain := row.result.group.fusion_gain):
        yield Paragraph(f"With the selected parameters of {gain.text}.")
    yield _scores(row, split, heads, suffix)
    losses = _losses(row, split, heads, suffix)
    if losses:
        yield losses


def _scores(row: Row, split: str, heads: Classifiers, suffix: str) -> Figure:
    with style():
        drawing = Drawing(figsize=(9.2, 3.7), layout="constrained")
        axes = drawing.add_subplot()
        for number, head in enumerate((FUSED, *heads.branches)):
            band = Band.of(row.histories, split, head, "weighted_f1")
            if band:
                _draw(axes, band, number, heads.name(head), 100)
        for at, (epoch, line) in enumerate(selected(row)):
            value = 100 * line[split][FUSED]["weighted_f1"]
            label = "selected epoch" if at == 0 else None
            axes.plot(epoch, value, "D", markersize=6, color=GROUND, markeredgecolor=INK, markeredgewidth=1.3,
                      label=label, linestyle="none", zorder=5)  # fmt: skip
        axes.set_ylabel(f"weighted F1 on {split}, percent")
        _finish(axes)
        drawing.legend(
            loc="outside upper left",
            ncols=legend_columns([*map(heads.name, heads.branches), "teacher (fused)", "selected epoch"], 9),
        )
    name = f"curves-scores{suffix}"
    last = {h: Band.of(row.histories, split, h, "weighted_f1") for h in (FUSED, *heads.branches)}
    return Figure(
        name,
        f"{row.name}: weighted F1{_of_whom(heads)} on {split} by epoch",
        f"{_bands(row)} Diamonds: the selected epoch of each run.",
        f"Weighted F1 on {split} at the last epoch: "
        + ", ".join(f"{heads.name(head)} {100 * band.mean[-1]:.1f}" for head, band in last.items() if band),
        render(drawing, name),
    )


def _losses(row: Row, split: str, heads: Classifiers, suffix: str) -> Figure | None:
    """Task, hard and soft terms on train, and the cross-entropy on dev."""
    histories = row.histories
    task = Band.of(histories, "losses", "task")
    if task is None:
        return None
    with style():
        drawing = Drawing(figsize=(9.6, 3.5), layout=ConstrainedLayoutEngine(h_pad=0.09, w_pad=0.08))
        train, *soft, dev = drawing.subplots(1, 3 if heads.distilled else 2)
        _draw(train, task, 0, heads.name(FUSED))
        for number, head in enumerate(heads.branches, start=1):
            if band := Band.of(histories, heads.key, head, "hard"):
                _draw(train, band, number, heads.name(head))
            if soft and (band := Band.of(histories, heads.key, head, "soft")):
                _draw(soft[0], band, number, None)
        for number, head in enumerate((FUSED, *heads.branches)):
            if band := Band.of(histories, split, head, "cross_entropy"):
                _draw(dev, band, number, None)
        first = "Train: task and hard terms" if "hard" in heads.terms else "Train: cross-entropy"
        terms = (first, *(["Train: soft term"] if soft else []))
        for axes, title in zip((train, *soft, dev), (*terms, f"{split.capitalize()}: cross-entropy"), strict=True):
            axes.set_title(title)
            _finish(axes)
        drawing.legend(
            loc="outside upper left", ncols=legend_columns([*map(heads.name, heads.branches), "teacher (fused)"], 9)
        )
    name = f"curves-losses{suffix}"
    return Figure(
        name,
        f"{row.name}: losses{_of_whom(heads)} by epoch",
        f"{_explained(heads)} Right: cross-entropy on {split} without class weights; if it rises while the left one "
        f"falls, the model overfits the training set. {_bands(row)}",
        f"The task term falls from {task.mean[0]:.2f} at the first to {task.mean[-1]:.2f} at the last epoch",
        render(drawing, name),
    )


def _distillation(study: Study) -> Iterator[Block]:
    """The reference and the rows that differ in their objective; without such rows, all rows if they are few."""
    first = next((row for row in study.finished if row.name == study.reference_name), None)
    if first is None or len(study.corpora) > 1:
        return
    others = [row for row in study.finished if row.changes and all(k.startswith("objective.") for k in row.changes)]
    about = "with each objective" if others else "of all rows"
    others = others or [row for row in study.finished if row is not first]
    if not others or len(others) >= _TOO_MANY:
        return
    split = _scored(first)
    with style():
        drawing = Drawing(figsize=(9.2, 3.5), layout="constrained")
        axes = drawing.add_subplot()
        for number, row in enumerate((first, *others)):
            if band := Band.of(row.histories, split, FUSED, "weighted_f1"):
                _draw(axes, band, number, fitted(row.name, 40), 100)
        axes.set_ylabel(f"weighted F1 on {split}, percent")
        _finish(axes)
        drawing.legend(
            loc="outside upper left", ncols=legend_columns([fitted(row.name, 40) for row in (first, *others)], 9)
        )
    yield Figure(
        "curves-rows",
        f"Weighted F1 of the prediction on {split} by epoch, {about}",
        "Lines: means over the runs of a row; bands: the range of the runs that reached the epoch. For the "
        "significance of the differences, see the comparisons on test.",
        f"Weighted F1 of the prediction on {split} for {', '.join(row.name for row in (first, *others))}",
        render(drawing, "curves-rows"),
    )


def _draw(axes: Axes, band: Band, number: int, label: str | None, factor: float = 1) -> None:
    shade = colour(number)
    axes.plot(band.epoch, factor * band.mean, color=shade, linewidth=2 if number == 0 else 1.5, label=label,
              marker="o" if len(band.epoch) == 1 else None, zorder=3 if number == 0 else 2)  # fmt: skip
    if (band.low < band.high).any():
        axes.fill_between(band.epoch, factor * band.low, factor * band.high, color=shade, alpha=0.16, linewidth=0)


def _finish(axes: Axes) -> None:
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.margins(x=0.02)
    axes.tick_params(labelcolor=FAINT)
    plain(axes)


def _scored(row: Row) -> str:
    """The split that was scored after every epoch: dev, or test with the protocol `published`."""
    line = row.histories[0][0]
    return "dev" if "dev" in line else "test"


def _bands(row: Row) -> str:
    count = len(row.histories)
    if count == 1:
        return "One run."
    return f"Lines: means over {count} runs; bands: the range of the runs that reached the epoch."


def _of_whom(heads: Classifiers) -> str:
    if not heads.branches:
        return ""
    return " of teacher and students" if heads.distilled else " of the fused classifier and the branches"


def _explained(heads: Classifiers) -> str:
    """The caption of the panels on train."""
    if "hard" not in heads.terms:
        return _ALONE + (_SOFT if heads.distilled else "")
    names = ("the teacher", "student") if heads.distilled else ("the fused classifier", "branch")
    return _BRANCHES.format(fused=names[0], branch=names[1]) + (_SOFT if heads.distilled else "")


def _number(line: dict[str, Any], keys: Sequence[str]) -> float:
    value: Any = line
    for key in keys:
        value = value[key]
    if not np.isfinite(value):
        raise ValueError(f"{value} is not finite")
    return float(value)
