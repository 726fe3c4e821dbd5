"""Callbacks, which receive the progress of a training run.

Subclass `Callback` and override what you need. Methods are called in the first process of a run only, in the order of
the callbacks. An exception stops the run, which can be resumed from its last checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdt.evaluation.scores import Scores
from sdt.training.settings import Recipe

if TYPE_CHECKING:
    from sdt.corpus.store import Corpus
    from sdt.models.base import Model
    from sdt.training.loop import Step

FinalScores = Mapping[str, Mapping[str, Scores]]
"""Split to classifier to scores."""


@dataclass(frozen=True, eq=False)
class StartedRun:
    """A run that starts or resumes."""

    recipe: Recipe
    corpus: Corpus
    model: Model
    """The model in training; its parameters change with every step."""
    folder: Path | None
    """The run folder; None for a run in memory."""
    history: Sequence[Mapping[str, Any]]
    """The lines of metrics.jsonl of epochs that were finished before the run was resumed."""


class Callback:
    """Receives the progress of a run.

    Example:
        >>> class Losses(Callback):
        ...     def step(self, step):
        ...         print(step.losses["total"], step.gradient_norm)
    """

    def start(self, run: StartedRun) -> None:
        """The run starts or resumes."""

    def step(self, step: Step) -> None:
        """A training step is done; on a GPU this is called with a delay of up to 8 steps."""

    def epoch(self, line: Mapping[str, Any]) -> None:
        """An epoch is trained, scored and saved; `line` is its line of metrics.jsonl."""

    def finish(self, epoch: int, scores: FinalScores) -> None:
        """The run is finished: the selected epoch, and its scores."""

    def close(self) -> None:
        """The run ends, also after an error."""
