"""Experiment trackers: TensorBoard, MLflow and Weights & Biases.

Trackers receive the content of metrics.jsonl after every epoch and the final scores, but not the test scores of every
epoch, which must not be used for selection. Data leave the machine only if the trackers' own environment variables say
so (`MLFLOW_TRACKING_URI`, `WANDB_MODE`).
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sdt.errors import InputError, MissingDependencyError
from sdt.training.callbacks import Callback, FinalScores, StartedRun
from sdt.training.recipe import flat


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


class TensorBoard(Callback):
    """Writes event files to `RUN/tensorboard`; view them with `tensorboard --logdir`."""

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise _missing("tensorboard", "tensorboard") from None
        self._writer_for = SummaryWriter

    def start(self, run: StartedRun) -> None:
        """Write all previous epochs again, because epochs repeated after a kill would otherwise occur twice."""
        events = _folder(run, "tensorboard") / "tensorboard"
        shutil.rmtree(events, ignore_errors=True)
        self._writer = self._writer_for(str(events))
        self._writer.add_text("recipe", "\n".join(f"    {key}: {value}" for key, value in flat(run.recipe).items()))
        for line in run.history:
            self.epoch(line)

    def epoch(self, line: Mapping[str, Any]) -> None:
        """See `Callback`."""
        for name, value in flatten_metrics(line):
            self._writer.add_scalar(name, value, line["epoch"])
        self._writer.flush()

    def finish(self, epoch: int, scores: FinalScores) -> None:
        """See `Callback`."""
        for name, value in flatten_scores(scores):
            self._writer.add_scalar(name, value, epoch)

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


class MLflow(Callback):
    """Logs to an MLflow run; MLflow's environment variables set the server, by default the working directory."""

    def __init__(self) -> None:
        try:
            import mlflow
        except ImportError:
            raise _missing("mlflow", "mlflow") from None
        self._mlflow = mlflow

    def start(self, run: StartedRun) -> None:
        """Start a run, or resume the one that RUN/mlflow-run names."""
        mlflow, folder = self._mlflow, _folder(run, "mlflow")
        known = folder / "mlflow-run"
        if run.history and known.is_file():
            mlflow.start_run(run_id=known.read_text(encoding="utf-8"))
            return
        if "MLFLOW_EXPERIMENT_NAME" not in os.environ and "MLFLOW_EXPERIMENT_ID" not in os.environ:
            mlflow.set_experiment("sdt")
        known.write_text(mlflow.start_run(run_name=folder.name).info.run_id, encoding="utf-8")
        mlflow.log_params(flat(run.recipe))
        for line in run.history:
            self.epoch(line)

    def epoch(self, line: Mapping[str, Any]) -> None:
        """See `Callback`."""
        self._mlflow.log_metrics(dict(flatten_metrics(line)), step=line["epoch"])

    def finish(self, epoch: int, scores: FinalScores) -> None:
        """See `Callback`."""
        self._mlflow.log_metrics(dict(flatten_scores(scores)), step=epoch)

    def close(self) -> None:
        """End the run."""
        self._mlflow.end_run()


class WeightsAndBiases(Callback):
    """Logs to a Weights & Biases run in `RUN/wandb`, offline unless `WANDB_MODE` is set."""

    def __init__(self) -> None:
        try:
            import wandb
        except ImportError:
            raise _missing("wandb", "wandb") from None
        self._wandb = wandb

    def start(self, run: StartedRun) -> None:
        """Start a run, or resume the one that RUN/wandb-run names."""
        folder = _folder(run, "wandb")
        run_file = folder / "wandb-run"
        resuming = bool(run.history) and run_file.is_file()
        if not resuming:
            run_file.write_text(uuid.uuid4().hex, encoding="utf-8")
        self._run = self._wandb.init(
            mode=os.environ.get("WANDB_MODE", "offline"),
            project=os.environ.get("WANDB_PROJECT", "sdt"),
            name=folder.name,
            id=run_file.read_text(encoding="utf-8"),
            resume="allow",
            dir=str(folder),
            config=flat(run.recipe),
        )
        self._run.define_metric("*", step_metric="epoch")
        for line in [] if resuming else run.history:
            self.epoch(line)

    def epoch(self, line: Mapping[str, Any]) -> None:
        """See `Callback`."""
        self._run.log({**dict(flatten_metrics(line)), "epoch": line["epoch"]})

    def finish(self, epoch: int, scores: FinalScores) -> None:
        """Write the final scores to the summary of the run."""
        self._run.summary.update({"chosen/epoch": epoch, **dict(flatten_scores(scores))})

    def close(self) -> None:
        """End the run."""
        self._run.finish()


TRACKERS: dict[str, Callable[[], Callback]] = {"tensorboard": TensorBoard, "mlflow": MLflow, "wandb": WeightsAndBiases}
"""Trackers by their name for `--log`."""


def _folder(run: StartedRun, tracker: str) -> Path:
    if run.folder is None:
        raise InputError(f"{tracker}: needs a run folder; give train(..., output=FOLDER)")
    return run.folder


def _missing(package: str, extra: str) -> MissingDependencyError:
    return MissingDependencyError(f"--log {extra} needs {package}; install it with: pip install 'sdt-erc[{extra}]'")
