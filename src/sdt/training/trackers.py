"""Experiment trackers: TensorBoard, MLflow and Weights & Biases.

Trackers receive the content of metrics.jsonl after every epoch and the final scores, but not the test scores of every
epoch, which must not be used for selection. Data leave the machine only if the trackers' own environment variables say
so (`MLFLOW_TRACKING_URI`, `WANDB_MODE`).
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
"""Split to classifier to scores."""


class Tracker(Protocol):
    """Receives the metrics of a run."""

    def start(self, recipe: Recipe, folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
        """Start or resume tracking a run.

        Args:
            recipe: The settings of the run.
            folder: The run folder.
            history: The lines of metrics.jsonl of epochs finished before the run was resumed.
        """

    def epoch(self, line: Mapping[str, Any]) -> None:
        """Log an epoch; `line` is its line of metrics.jsonl."""

    def finish(self, epoch: int, scores: FinalScores) -> None:
        """Log the final scores of the selected epoch."""

    def close(self) -> None:
        """Close the tracker, also after an error."""


def flatten_metrics(line: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Flatten a line of metrics.jsonl to pairs of path and number: `dev/fused/weighted_f1`."""
    for key, value in line.items():
        if isinstance(value, Mapping):
            yield from flatten_metrics(value, f"{prefix}{key}/")
        elif isinstance(value, int | float) and not isinstance(value, bool) and prefix + key != "epoch":
            yield prefix + key, float(value)


def flatten_scores(scores: FinalScores) -> Iterator[tuple[str, float]]:
    """Flatten final scores to pairs of path and number: `chosen/test/fused/weighted_f1`."""
    for split, classifiers in scores.items():
        for classifier, result in classifiers.items():
            for name, value in result.metrics.items():
                yield f"chosen/{split}/{classifier}/{name}", value


class TensorBoard:
    """Writes event files to `RUN/tensorboard`; view them with `tensorboard --logdir`."""

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise _missing("tensorboard", "tensorboard") from None
        self._writer_for = SummaryWriter

    def start(self, recipe: Recipe, folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
        """Write all previous epochs again, because epochs repeated after a kill would otherwise occur twice."""
        shutil.rmtree(folder / "tensorboard", ignore_errors=True)
        self._writer = self._writer_for(str(folder / "tensorboard"))
        self._writer.add_text("recipe", "\n".join(f"    {key}: {value}" for key, value in flat(recipe).items()))
        for line in history:
            self.epoch(line)

    def epoch(self, line: Mapping[str, Any]) -> None:
        """See `Tracker`."""
        for name, value in flatten_metrics(line):
            self._writer.add_scalar(name, value, line["epoch"])
        self._writer.flush()

    def finish(self, epoch: int, scores: FinalScores) -> None:
        """See `Tracker`."""
        for name, value in flatten_scores(scores):
            self._writer.add_scalar(name, value, epoch)

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


class MLflow:
    """Logs to an MLflow run; MLflow's environment variables set the server, by default the working directory."""

    def __init__(self) -> None:
        try:
            import mlflow
        except ImportError:
            raise _missing("mlflow", "mlflow") from None
        self._mlflow = mlflow

    def start(self, recipe: Recipe, folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
        """Start a run, or resume the one that RUN/mlflow-run names."""
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
        """See `Tracker`."""
        self._mlflow.log_metrics(dict(flatten_metrics(line)), step=line["epoch"])

    def finish(self, epoch: int, scores: FinalScores) -> None:
        """See `Tracker`."""
        self._mlflow.log_metrics(dict(flatten_scores(scores)), step=epoch)

    def close(self) -> None:
        """End the run."""
        self._mlflow.end_run()


class WeightsAndBiases:
    """Logs to a Weights & Biases run in `RUN/wandb`, offline unless `WANDB_MODE` is set."""

    def __init__(self) -> None:
        try:
            import wandb
        except ImportError:
            raise _missing("wandb", "wandb") from None
        self._wandb = wandb

    def start(self, recipe: Recipe, folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
        """Start a run, or resume the one that RUN/wandb-run names."""
        run_file = folder / "wandb-run"
        resuming = bool(history) and run_file.is_file()
        if not resuming:
            run_file.write_text(uuid.uuid4().hex, encoding="utf-8")
        self._run = self._wandb.init(
            mode=os.environ.get("WANDB_MODE", "offline"),
            project=os.environ.get("WANDB_PROJECT", "sdt"),
            name=folder.name,
            id=run_file.read_text(encoding="utf-8"),
            resume="allow",
            dir=str(folder),
            config=flat(recipe),
        )
        self._run.define_metric("*", step_metric="epoch")
        for line in [] if resuming else history:
            self.epoch(line)

    def epoch(self, line: Mapping[str, Any]) -> None:
        """See `Tracker`."""
        self._run.log({**dict(flatten_metrics(line)), "epoch": line["epoch"]})

    def finish(self, epoch: int, scores: FinalScores) -> None:
        """Write the final scores to the summary of the run."""
        self._run.summary.update({"chosen/epoch": epoch, **dict(flatten_scores(scores))})

    def close(self) -> None:
        """End the run."""
        self._run.finish()


TRACKERS: dict[str, type[Tracker]] = {"tensorboard": TensorBoard, "mlflow": MLflow, "wandb": WeightsAndBiases}
"""Trackers by their name for `--log`."""


def _missing(package: str, extra: str) -> MissingDependencyError:
    return MissingDependencyError(f"--log {extra} needs {package}; install it with: pip install 'sdt-erc[{extra}]'")
