"""What trackers get: TensorBoard's own files read back, and stand-ins for the packages that tests do without."""

from __future__ import annotations

import io
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import sdt.training.epochs as epochs_module
from sdt.__main__ import main
from sdt.errors import MissingDependencyError
from sdt.training.callbacks import Callback
from sdt.training.checkpoint import save_checkpoint
from sdt.training.display import Display
from sdt.training.folder import RunFolder
from sdt.training.run import train
from sdt.training.settings import Recipe
from sdt.training.trackers import TRACKERS, MLflow, TensorBoard, WeightsAndBiases, flatten_metrics
from tests.training.test_run import metrics, quiet


def interrupted(recipe: Recipe, folder: Path, tracker: Callback, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train until epoch 3 is done, but its checkpoint is not written."""

    def stopping(path: Path, state: Any, *rest: Any) -> None:
        if state.epoch == 3:
            raise KeyboardInterrupt
        save_checkpoint(path, state, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(epochs_module, "save_checkpoint", stopping)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, folder, display=quiet(), callbacks=[tracker])


class Stopping(Display):
    """Interrupts a run after its first epoch."""

    def finish_epoch(self, *_: Any) -> None:
        raise KeyboardInterrupt


def expected_curve(folder: Path) -> list[tuple[int, float]]:
    return [(line["epoch"], line["dev"]["fused"]["weighted_f1"]) for line in metrics(folder)]


def test_numbers() -> None:
    line = {"epoch": 3, "best": True, "caveat": "no", "losses": {"task": 1, "hard": 0.5}, "gradient_norm": 2.0}
    assert dict(flatten_metrics(line)) == {"losses/task": 1.0, "losses/hard": 0.5, "gradient_norm": 2.0}


def test_tensorboard_has_every_epoch_once(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    interrupted(recipe, tmp_path / "run", TensorBoard(), monkeypatch)
    train(recipe, tmp_path / "run", resume=True, display=quiet(), callbacks=[TensorBoard()])
    read = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    read.Reload()
    curve = [(event.step, event.value) for event in read.Scalars("dev/fused/weighted_f1")]
    assert [step for step, _ in curve] == [1, 2, 3, 4]
    assert [value for _, value in curve] == pytest.approx([value for _, value in expected_curve(tmp_path / "run")])
    values, splits = RunFolder(tmp_path / "run").read_scores()
    [final] = read.Scalars("chosen/test/fused/weighted_f1")
    assert (final.step, final.value) == (values["epoch"], pytest.approx(splits["test"]["fused"].weighted_f1))
    curves = read.Tags()["scalars"]
    assert {"students/voice/soft", "dev/voice/cross_entropy", "learning_rate"} <= set(curves)
    assert not [name for name in curves if "test" in name and not name.startswith("chosen/")]


class Recorder:
    """Stands for `mlflow` and for `wandb`: the calls in the order in which they came."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.info = types.SimpleNamespace(run_id="run-7")
        self.summary: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Callable[..., Recorder]:
        def called(*arguments: Any, **options: Any) -> Recorder:
            self.calls.append((name, arguments, options))
            return self

        return called

    def named(self, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        return [(arguments, options) for called, arguments, options in self.calls if called == name]


def test_mlflow(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Recorder()
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    interrupted(recipe, tmp_path / "run", MLflow(), monkeypatch)
    [((), started)] = fake.named("start_run")
    assert started == {"run_name": "run"}
    [((parameters,), _)] = fake.named("log_params")
    assert parameters["training.epochs"] == 4
    assert len(fake.named("end_run")) == 1  # though the run was interrupted

    train(recipe, tmp_path / "run", resume=True, display=quiet(), callbacks=[MLflow()])
    assert fake.named("start_run")[1] == ((), {"run_id": "run-7"})
    *curve, ((final,), at) = fake.named("log_metrics")
    assert [options["step"] for _, options in curve] == [1, 2, 3, 4]
    logged = [of["dev/fused/weighted_f1"] for (of,), _ in curve]
    assert logged == [value for _, value in expected_curve(tmp_path / "run")]
    values, splits = RunFolder(tmp_path / "run").read_scores()
    assert at == {"step": values["epoch"]}
    assert final["chosen/test/fused/accuracy"] == splits["test"]["fused"].accuracy


def test_wandb_is_offline_unless_asked(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Recorder()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    for variable in ("WANDB_MODE", "WANDB_PROJECT"):
        monkeypatch.delenv(variable, raising=False)
    interrupted(recipe, tmp_path / "run", WeightsAndBiases(), monkeypatch)
    train(recipe, tmp_path / "run", resume=True, display=quiet(), callbacks=[WeightsAndBiases()])
    (_, first), (_, second) = fake.named("init")
    assert first["mode"] == "offline"
    assert (first["id"], first["dir"]) == (second["id"], str(tmp_path / "run"))
    assert [(of["epoch"], of["dev/fused/weighted_f1"]) for (of,), _ in fake.named("log")] == expected_curve(
        tmp_path / "run"
    )
    values, splits = RunFolder(tmp_path / "run").read_scores()
    assert fake.summary["chosen/epoch"] == values["epoch"]
    assert fake.summary["chosen/test/fused/weighted_f1"] == splits["test"]["fused"].weighted_f1
    assert len(fake.named("finish")) == 2

    monkeypatch.setenv("WANDB_MODE", "online")
    train(recipe, tmp_path / "asked", display=quiet(), callbacks=[WeightsAndBiases()])
    assert fake.named("init")[-1][1]["mode"] == "online"


@pytest.mark.parametrize("tracker", [MLflow, WeightsAndBiases])
def test_a_tracker_that_joins_late_gets_the_epochs_before(
    tracker: Callable[[], Callback], recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Recorder()
    for name in ("mlflow", "wandb"):
        monkeypatch.setitem(sys.modules, name, fake)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    monkeypatch.setattr(fake, "log", lambda of: fake.log_metrics(of, step=of["epoch"]), raising=False)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", display=Stopping(Console(file=io.StringIO())))
    train(recipe, tmp_path / "run", resume=True, display=quiet(), callbacks=[tracker()])
    steps = [options["step"] for (of,), options in fake.named("log_metrics") if "gradient_norm" in of]
    assert steps == [1, 2, 3, 4]
    assert not fake.named("set_experiment")  # its own variable says which


@pytest.mark.parametrize("name", TRACKERS)
def test_a_package_that_is_not_there_is_named_before_anything_is_written(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("torch.utils.tensorboard", "mlflow", "wandb"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=rf"pip install 'sdt-erc\[{name}\]'"):
        TRACKERS[name]()
    (tmp_path / "r.yaml").write_text("seed: 1\n", encoding="utf-8")
    assert main(["train", str(tmp_path / "r.yaml"), "--output", str(tmp_path / "run"), "--log", name]) == 2
    assert f"--log {name} needs {name}" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
