from __future__ import annotations

import re
import shlex
import signal
from pathlib import Path

import pytest

import sdt.cli.train as cli
import sdt.training.display as display_module
import sdt.training.epochs as epochs_module
from sdt.__main__ import main
from sdt.corpus.builder import write_corpus
from sdt.prediction.engine import load_engine
from sdt.prediction.onnx_engine import OnnxEngine
from sdt.prediction.torch_engine import TorchEngine
from sdt.training.recipe import dump_recipe
from tests.training.conftest import make_builder, make_recipe
from tests.training.test_run import PUBLISHED, assert_same_run, metrics


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the tiny corpus and `tiny.yaml`."""
    write_corpus(make_builder(), tmp_path / "tiny")
    (tmp_path / "tiny.yaml").write_text(dump_recipe(make_recipe(Path("tiny"), epochs=2)), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "_write_graphs", lambda _: [])  # takes ten seconds
    return tmp_path


WRITE_GRAPHS = cli._write_graphs


@pytest.mark.slow
def test_graphs_are_written_at_the_end(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_write_graphs", WRITE_GRAPHS)
    for name, options in (("with", []), ("without", ["--no-onnx"])):
        command = ["train", "tiny.yaml", "--training.epochs", "1", "--output", name, *options]
        assert main(command) == 0
        assert (place / name / "model" / "sdt.onnx").is_file() == (name == "with")
    assert isinstance(load_engine(place / "with"), OnnxEngine)
    assert isinstance(load_engine(place / "without"), TorchEngine)


def test_a_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "tiny.yaml", "--seed", "3", "--model.width=8"]) == 0
    shown = capsys.readouterr().out
    for expected in ("epoch 1/2", "epoch 2/2", "dev: epoch", "test: epoch", "fused", "words", "voice", "weighted F1"):
        assert expected in shown
    assert re.search(r"selecting the epoch on test would have given a weighted F1 of \d+\.\d\d \(epoch [12]\)", shown)
    assert "run folder: runs/tiny-seed3" in shown
    saved = (place / "runs" / "tiny-seed3" / "recipe.yaml").read_text(encoding="utf-8")
    assert "width: 8" in saved

    # What was saved can be fed back, and gives the same run.
    assert main(["train", "runs/tiny-seed3/recipe.yaml", "--output", "again"]) == 0
    assert_same_run(place / "runs" / "tiny-seed3", place / "again")
    capsys.readouterr()

    assert main(["train", "tiny.yaml", "--seed", "3", "--model.width=8"]) == 2
    assert "contains a finished run; resume it with --resume" in capsys.readouterr().err

    assert main(["train", "tiny.yaml", "--seed", "3", "--model.width=8", "--resume"]) == 0
    shown = capsys.readouterr().out
    assert "this run is finished; its scores:" in shown
    assert "test: epoch" in shown
    assert "epoch 1/2" not in shown


def test_published_says_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for again in ([], ["--resume"]):
        assert main(["train", "tiny.yaml", "--training.protocol", "published", *again]) == 0
        shown = capsys.readouterr().out
        assert re.search(f"test: epoch [12], {re.escape(PUBLISHED)}", shown)


@pytest.mark.parametrize(("number", "batch"), [(signal.SIGINT, 5), (signal.SIGTERM, 2)])
def test_a_signal_stops_cleanly_and_the_shown_command_goes_on(
    number: signal.Signals,
    batch: int,
    place: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(["train", "tiny.yaml", "--output", "whole"]) == 0
    seen: list[int] = []

    def finish_batch(display: object, utterances: int, loss: float) -> None:
        seen.append(utterances)
        if len(seen) == batch:
            signal.raise_signal(number)

    with monkeypatch.context() as patch:
        patch.setattr(display_module.Display, "finish_batch", finish_batch)
        assert main(["train", "tiny.yaml", "--output", "a run", "--overwrite"]) == 128 + number
    captured = capsys.readouterr()
    last = captured.err.splitlines()[-1]
    assert last.startswith("sdt: stopped after epoch 1 of 2" if batch == 5 else "sdt: stopped before the first epoch")
    assert "Traceback" not in captured.err
    assert not [path.name for path in (place / "a run").rglob(".*")]
    command = shlex.split(last.partition("resume with: ")[2])
    assert command[0] == "sdt"
    assert "--overwrite" not in command
    assert main(command[1:]) == 0
    assert_same_run(place / "whole", place / "a run")
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["none.yaml"], "no such file"),
        (["tiny.yaml", "--training.epoch", "3"], "did you mean '--training.epochs'?"),
        (["tiny.yaml", "--training.epochs", "0"], "training.epochs: 0 is less than 1"),
        (["tiny.yaml", "--training.schedule", "cosin"], "did you mean 'cosine'?"),
        (["tiny.yaml", "--corpus", "nowhere"], "nowhere: not a corpus folder"),
        (["tiny.yaml", "--modalities", "word"], "did you mean 'words'?"),
        (["tiny.yaml", "--training.learning_rate", "1e38"], "has a checkpoint after epoch"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], expected: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *arguments]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


def test_after_a_loss_that_is_not_finite_the_last_epoch_is_kept(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Asked three times for the steps and once for the line of metrics: the first step of epoch 2 ruins the parameters.
    rates = iter([1e-3] * 4 + [float("inf")] * 3)
    monkeypatch.setattr(epochs_module, "learning_rate", lambda *_: next(rates))
    assert main(["train", "tiny.yaml"]) == 2
    error = capsys.readouterr().err
    assert "epoch 2, batch 2: the loss is nan; conversations train" in error
    assert "runs/tiny-seed0 has a checkpoint after epoch 1" in error
    assert len(metrics(place / "runs" / "tiny-seed0")) == 1


def test_a_disk_that_is_full(place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(epochs_module, "save_checkpoint", full)
    assert main(["train", "tiny.yaml"]) == 2
    error = capsys.readouterr().err
    assert "runs/tiny-seed0: cannot be written ([Errno 28] No space left on device); then resume with --resume" in error


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_device_has_a_short_name(device: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "tiny.yaml", "--device", device, "--training.epochs", "1"]) == 0


def test_help_lists_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    from sdt.training.schema import settings

    with pytest.raises(SystemExit):
        main(["train", "--help"])
    shown = capsys.readouterr().out
    for key in settings():
        assert f"--{key} " in shown
    assert "(default: 0.0001)" in " ".join(shown.split())
