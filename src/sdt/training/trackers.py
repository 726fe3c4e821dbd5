"""Experiment trackers: TensorBoard, MLflow and Weights & Biases.

They get what metrics.jsonl holds, epoch by epoch, and the final scores; never the sealed scores of test, by which
nobody should choose. Nothing leaves the machine unless their own variables say so (`MLFLOW_TRACKING_URI`,
`WANDB_MODE`).
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from sdt.errors import MissingDependencyError
from sdt.evaluation.scores import Scores
from sdt.training.recipe import flat
from sdt.training.settings import Recipe

FinalScores = Mapping[str, Mapping[str, Scores]]
"""Split to head to scores."""


class Tracker(Protocol):
    """Something that is told how a run goes."""

    def start(self, recipe: Recipe, folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
        """A run begins or goes on.

        Args:
            recipe: Its settings.
            folder: The run folder.
            history: The lines of metrics.jsonl of the epochs that a resumed run has behind it.
        """

    def epoch(self, line: Mapping[str, Any]) -> None:
        """An epoch is done; `line` is its line of metrics.jsonl."""

    def finish(self, epoch: int, scores: FinalScores) -> None:
        """The run is finished; these are the scores of the chosen epoch."""

    def close(self) -> None:
        """The run has ended, well or not."""


def numbers(line: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers in a line of metrics.jsonl by their path: `dev/fused/weighted_f1`."""
    for key, value in line.items():
        if isinstance(value, Mapping):
            yield from numbers(value, f"{prefix}{key}/")
        elif isinstance(value, int | float) and not isinstance(value, bool) and prefix + key != "epoch":
            yield prefix + key, float(value)


def final_numbers(scores: FinalScores) -> Iterator[tuple[str, float]]:
    """The final scores by their path: `chosen/test/fused/weighted_f1`."""
    for split, heads in scores.items():
        for head, of_head in heads.items():
            for name, value in of_head.metrics.items():
                yield f"chosen/{split}/{head}/{name}", value


class TensorBoard:
    """Event files in `RUN/tensorboard`; see them with `tensorboard --logdir`."""

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise _missing("tensorboard", "tensorboard") from None
        self._writer_for = SummaryWriter

    def start(self, recipe: Recipe, folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
        """Write the epochs so far anew: events of epochs that a killed run repeats would stand there twice."""
        shutil.rmtree(folder / "tensorboard", ignore_errors=True)
        self._writer = self._writer_for(str(folder / "tensorboard"))
        self._writer.add_text("recipe", "\n".join(f"    {key}: {value}" for key, value in flat(recipe).items()))
        for line in history:
            self.epoch(line)

    def epoch(self, line: Mapping[str, Any]) -> None:
        """One point of every curve."""
        for name, value in numbers(line):
            self._writer.add_scalar(name, value, line["epoch"])
        self._writer.flush()

    def finish(self, epoch: int, scores: FinalScores) -> None:
        """One point each, at the chosen epoch."""
        for name, value in final_numbers(scores):
            self._writer.add_scalar(name, value, epoch)

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


class MLflow:
    """A run of MLflow, where its own variables say; in the working directory if they say nothing."""

    def __init__(self) -> None:
        try:
            import mlflow
        except ImportError:
            raise _missing("mlflow", "mlflow") from None
        self._mlflow = mlflow

    def start(self, recipe: Recipe, folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
        """Begin a run, or go on with the one that RUN/mlflow-run names."""
        mlflow, known = self._mlflow, folder / "mlflow-run"
        if history and known.is_file():
            mlflow.start_run(run_id=known.read_text(encoding="utf-8"))
            return
        if "MLFLOW_EXPERIMENT_NAME" not in os.environ and "MLFLOW_EXPERIMENT_ID" not in os.environ:
            mlflow.set_experiment("sdt")
        run = mlflow.start_run(run_name=folder.name)
        known.write_text(run.info.run_id, encoding="utf-8")
        mlflow.log_params(flat(recipe))
        for line in history:
            self.epoch(line)

    def epoch(self, line: Mapping[str, Any]) -> None:
        """One point of every curve."""
        self._mlflow.log_metrics(dict(numbers(line)), step=line["epoch"])

    def finish(self, epoch: int, scores: FinalScores) -> None:
        """One point each, at the chosen epoch."""
        self._mlflow.log_metrics(dict(final_numbers(scores)), step=epoch)

    def close(self) -> None:
        """End the run."""
        self._mlflow.end_run()


class WeightsAndBiases:
    """A run of Weights & Biases in `RUN/wandb`, offline unless `WANDB_MODE` says otherwise."""

    def __init__(self) -> None:
        try:
            import wandb
        except ImportError:
            raise _missing("wandb", "wandb") from None
        self._wandb = wandb

    def start(self, recipe: Recipe, folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
        """Begin a run, or go on with the one that RUN/wandb-run names."""
        known = folder / "wandb-run"
        going_on = bool(history) and known.is_file()
        if not going_on:
            known.write_text(uuid.uuid4().hex, encoding="utf-8")
        self._run = self._wandb.init(
            mode=os.environ.get("WANDB_MODE", "offline"),
            project=os.environ.get("WANDB_PROJECT", "sdt"),
            name=folder.name,
            id=known.read_text(encoding="utf-8"),
            resume="allow",
            dir=str(folder),
            config=flat(recipe),
        )
        self._run.define_metric("*", step_metric="epoch")
        for line in [] if going_on else history:
            self.epoch(line)

    def epoch(self, line: Mapping[str, Any]) -> None:
        """One point of every curve."""
        self._run.log({**dict(numbers(line)), "epoch": line["epoch"]})

    def finish(self, epoch: int, scores: FinalScores) -> None:
        """The summary that its tables show."""
        self._run.summary.update({"chosen/epoch": epoch, **dict(final_numbers(scores))})

    def close(self) -> None:
        """End the run."""
        self._run.finish()


TRACKERS: dict[str, type[Tracker]] = {"tensorboard": TensorBoard, "mlflow": MLflow, "wandb": WeightsAndBiases}
"""By the name that `--log` takes."""


def _missing(package: str, extra: str) -> MissingDependencyError:
    return MissingDependencyError(f"--log {extra} needs {package}; install it with: pip install 'sdt-erc[{extra}]'")
