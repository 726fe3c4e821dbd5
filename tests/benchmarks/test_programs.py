"""The benchmarks of the model as programs, at toy size: what they measure, print and write."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import (
    baselines,
    bfloat16,
    gains,
    inference,
    long,
    points,
    precisions,
    report,
    roofline,
    scaling,
    settings,
    streaming,
    switches,
    training,
    windows,
)
from benchmarks.implementations import NAMES, Bench, Ours, Textbook
from sdt.device import Precision
from sdt.models import dropout
from sdt.models.sdt import block_attention, branches, threads
from sdt.models.sdt import model as sdt
from tests.benchmarks.small import small_setting
from tests.prediction.models import tiny_model

CPU = torch.device("cpu")


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, in_this_process: None) -> Callable[..., Any]:
    """Runs a benchmark with options, and returns the JSON that it wrote."""
    monkeypatch.setattr(settings, "published", lambda _: small_setting())
    monkeypatch.setattr(roofline, "BANDWIDTH_BYTES", 2**20)

    def run(main: Callable[[], None], *options: str) -> Any:
        path = tmp_path / "out.json"
        monkeypatch.setattr(sys, "argv", ["benchmark.py", "--threads", "1", "--output", str(path), *options])
        threads = torch.get_num_threads()
        try:
            report.run(main)
        finally:
            torch.set_num_threads(threads)
        return json.loads(path.read_text())

    return run


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_every_implementation_learns(name: str, precision: Precision) -> None:
    bench = Bench(name, small_setting(), "cpu", precision)
    implementation = bench.implementation
    assert isinstance(implementation, Ours | Textbook)
    before = {key: p.detach().clone() for key, p in implementation.model.named_parameters()}
    wall, processor = bench.train([[3, 5], [2, 4]], seed=1)
    assert wall > 0 < processor
    assert all(not torch.equal(p, before[key]) for key, p in implementation.model.named_parameters())
    assert len(bench.predict([[3, 5], [2, 4]], seed=1)) == 2


def test_training(program: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    written = program(training.main, "--repeats", "2", "--batches", "3")
    assert written["contenders"].keys() == set(NAMES)
    turns = written["turns"]
    assert [len(turns["seconds"][name]) for name in NAMES] == [2, 2, 2]
    for turn in range(2):
        gain = turns["seconds"]["textbook"][turn] / turns["seconds"]["ours"][turn]
        of = written["contenders"]["textbook"]["ours_times_faster"]
        assert of["min"] <= gain <= of["max"]
        assert turns["limits"][turn]["steps"] == 3
    speed = turns["utterances"][0] / turns["seconds"]["ours"][0]
    assert written["contenders"]["ours"]["utterances_per_second"]["max"] >= speed
    assert written["contenders"]["ours"]["ours_times_faster"]["median"] == 1
    assert {"date", "hardware", "cores", "torch", "threads", "command"} <= written["machine"].keys()
    output = capsys.readouterr().out
    assert "% of the roofline" in output
    assert "textbook" in output


def test_gains(
    program: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The benchmark patches these in a separate process; here, monkeypatch restores them after the test.
    for module, name in (
        (branches, "should_use_threads"),
        (sdt, "layout_of"),
        (dropout, "dropout_noise"),
        (block_attention, "dropout_noise"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name))
    written = program(gains.main, "--repeats", "2", "--batches", "2")
    assert list(written["seconds"]) == [gains.NONE, *gains.OPTIMIZATIONS]
    assert all(len(seconds) == 2 and min(seconds) > 0 for seconds in written["seconds"].values())
    assert "slowdown" in capsys.readouterr().out


def test_bfloat16(program: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    used = threads.should_use_threads
    monkeypatch.setattr(branches, "should_use_threads", used)  # restored after the test
    written = program(bfloat16.main, "--repeats", "2", "--batches", "2")
    assert list(written["seconds"]) == list(bfloat16.KINDS)
    for rounds in written["seconds"].values():
        assert len(rounds) == 2
        assert all(wall > 0 < processor for wall, processor in rounds)


def test_training_takes_real_lengths(program: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "train_sent_emo.csv"
    path.write_text("Dialogue_ID\n" + "0\n" * 7 + "1\n" * 7)
    written = program(training.main, "--repeats", "1", "--batches", "2", "--lengths", str(path))
    assert written["turns"]["utterances"] == [28]
    assert "train_sent_emo.csv" in written["lengths"]


def test_invalid_input_is_one_line_and_exit_code_2(
    program: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        program(training.main, "--lengths", "nowhere.csv")
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("benchmark.py: nowhere.csv: cannot be read")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--threads", "0"), "0 is less than 1"),
        (("--output", "."), "is a folder"),
        (("--device", "tpu"), "invalid choice"),
    ],
)
def test_wrong_options(options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        report.model_parser("", repeats=1).parse_args(options)
    assert message in capsys.readouterr().err


def test_inference(program: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "SINGLE", (1, 6))
    written = program(
        inference.main, "--repeats", "2", "--batches", "2", "--batch", "4", "--calls", "3", "--graphs", "float16"
    )
    assert list(written["cases"]) == ["4 conversations", "1 of 1 utterance", "1 of 6 utterances"]
    single = written["cases"]["1 of 6 utterances"]
    assert single["turns"]["utterances"] == [18, 18]
    assert [len(calls) for calls in single["turns"]["seconds"]["ours"]] == [3, 3]
    of = single["contenders"]["ours"]
    assert of["milliseconds"]["median"] <= of["milliseconds_95th_percentile"] <= of["milliseconds"]["max"]
    assert written["peak_memory_bytes"].keys() == {"ours", "textbook"}
    assert list(single["contenders"]) == ["ours", "textbook", "onnxruntime float16"]
    assert written["file_bytes"]["onnxruntime float16"] > 0


def test_sweeps_hold_everything_else_constant() -> None:
    found = points.sweeps(4096)
    assert {sum(point.lengths) for point in found if point.sweep == "length"} == {4096}
    assert [point.lengths[0] for point in found if point.sweep == "length"] == [2**power for power in range(3, 13)]
    assert {length for point in found if point.sweep == "conversations" for length in point.lengths} == {10}
    uneven, even = (point.lengths for point in found if point.sweep == "padding")
    assert (sum(uneven), len(uneven)) == (sum(even), len(even))
    assert max(uneven) == 80
    assert max(even) - min(even) <= 1


def test_scaling(
    program: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(scaling, "sweeps", lambda of: points.sweeps(of, lengths=(2, 4, 8), counts=(1, 2, 3)))
    picture = tmp_path / "scaling.svg"
    options = ("--repeats", "1", "--utterances", "16", "--textbook-longest", "4", "--figure", str(picture))
    written = program(scaling.main, *options)
    sweeps = [point["sweep"] for point in written["points"]]
    assert sweeps == ["length"] * 3 + ["conversations"] * 3 + ["padding"] * 2
    for point in written["points"]:
        names = points.NAMES if max(point["lengths"]) <= 4 else points.NAMES[:1]
        assert list(point["training"]) == list(point["prediction"]) == list(names)
        assert [len(point["training"][name]) for name in names] == [1] * len(names)
        for of in ("training", "prediction"):
            assert all(point[f"{of}_memory"][name] >= point[f"{of}_rest"][name] > 0 for name in names)
    powers = written["exponents"]["length"]["training step, ms"]
    assert powers["ours"] is not None
    assert powers["textbook"] is None  # of two points
    output = capsys.readouterr().out
    assert f"{powers['ours']:.2f}" in output
    assert scaling.NOT_MEASURED in output
    assert "utterances per conversation" in picture.read_text()


def test_exponents_of_growth() -> None:
    sizes = [8, 16, 32, 64, 128, 256]
    assert points.exponent(sizes, [3 * n**1.5 for n in sizes]) == pytest.approx(1.5)
    # What costs the same whatever the size is bends the line where sizes are small.
    flat = points.exponent(sizes, [1000 + n**2 for n in sizes])
    assert flat is not None
    assert 1.5 < flat < 2
    assert points.exponent([1, 2], [1, 2]) is None


def test_unknown_figure_formats_are_refused_before_measurements(
    program: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        program(scaling.main, "--figure", "scaling.gif")
    assert ended.value.code == 2
    assert "expected .png, .svg or .pdf" in capsys.readouterr().err


def test_baselines(program: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    models = "sdt,bc_lstm,utterance"
    written = program(baselines.main, "--repeats", "2", "--batches", "2", "--models", models)
    assert list(written["models"]) == models.split(",")
    # (6 + 5 + 4 features) * 256 + 256, and 3 classes.
    assert written["models"]["utterance"]["parameters"] == 15 * 256 + 256 + 256 * 3 + 3
    for of in written["models"].values():
        turns = of["turns"]
        speeds = [n / s for n, s in zip(turns["utterances"], turns["training"], strict=True)]
        assert of["training_utterances_per_second"]["max"] == pytest.approx(max(speeds))
        assert len(turns["prediction"]) == 2
    assert "4,867" in capsys.readouterr().out


def test_unknown_models_are_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["baselines.py", "--models", "bc_lstn"])
    with pytest.raises(SystemExit) as ended:
        report.run(baselines.main)
    assert ended.value.code == 2
    assert "did you mean 'bc_lstm'" in capsys.readouterr().err


def test_streaming(program: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--repeats", "2", "--places", "9", "3", "--length", "30", "--contexts", "full", "window(4)")
    written = program(streaming.main, *options, "--history", "3")
    assert written["places"] == [3, 9]
    assert written["contexts"].keys() == {"full", "window(4)"}
    for of in written["contexts"].values():
        assert len(of["milliseconds"]) == 2
        assert min(*of["milliseconds"], of["seconds"]) > 0
    assert "window(4)" in capsys.readouterr().out


def test_precisions(program: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_model().save_pretrained(tmp_path / "model")
    (tmp_path / "talk.csv").write_text("speaker,text,label\nAnn,Yes!,joy\nBob,No,anger\nAnn,,joy\nBob,Hm,none\n")
    monkeypatch.setattr(precisions, "PRECISIONS", ("float32",))
    options = ("--model", str(tmp_path / "model"), "--transcript", str(tmp_path / "talk.csv"))
    written = program(precisions.main, *options)["precisions"]
    assert list(written) == ["torch", "float32"]
    assert written["float32"]["weighted_f1"] == written["torch"]["weighted_f1"]
    assert written["float32"]["largest"] < 1e-4
    assert written["float32"]["changed"] == 0


def test_windows(program: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_model().save_pretrained(tmp_path / "model")
    options = ("--model", str(tmp_path / "model"), "--length", "70", "--repeats", "2")
    written = program(windows.main, *options, "--windows", "16:0", "70:9")
    assert list(written["windows"]) == ["whole", "16:0", "70:9"]
    assert all(len(of["seconds"]) == 2 for of in written["windows"].values())
    for name in ("whole", "70:9"):
        assert (written["windows"][name]["largest"], written["windows"][name]["changed"]) == (0, 0)
    assert written["windows"]["16:0"]["largest"] >= written["windows"]["16:0"]["mean"] > 0
    assert "16:0" in capsys.readouterr().out
    without = program(windows.main, *options, "--windows", "16:0", "--without-positions")
    assert without["windows"]["16:0"]["mean"] < written["windows"]["16:0"]["mean"]


@pytest.mark.parametrize(("text", "message"), [("16:16", "less than the window"), ("16", "is not WINDOW:OVERLAP")])
def test_invalid_windows(
    text: str, message: str, capsys: pytest.CaptureFixture[str], program: Callable[..., Any]
) -> None:
    with pytest.raises(SystemExit) as ended:
        program(windows.main, "--windows", text)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_differences_of_logits() -> None:
    whole = np.array([[0.0, 1.0], [2.0, 1.0]], dtype=np.float32)
    found = windows.differences(whole, np.array([[0.0, 1.0], [2.0, 5.0]], dtype=np.float32))
    assert found == {"largest": 4.0, "mean": 1.0, "changed": 0.5}


def test_long(program: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--length", "40", "--contexts", "full", "window(4)", "--window", "16")
    written = program(long.main, *options)
    assert list(written["contexts"]) == ["full", "window(4)", "full, in windows of 16"]
    for of in written["contexts"].values():
        assert min(of["seconds"]) > 0
        assert of["peak_bytes"] >= of["before_bytes"] > 0
    assert "in windows of 16" in capsys.readouterr().out


def test_switches(program: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    written = program(switches.main, "--repeats", "2", "--batches", "2")
    assert list(written["seconds"]) == list(switches.SWITCHES)
    assert all(len(seconds) == 2 and min(seconds) > 0 for seconds in written["seconds"].values())
    assert "slowdown" in capsys.readouterr().out
