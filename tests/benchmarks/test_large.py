from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks import large, large_steps, report
from benchmarks.large_corpus import WIDTHS, generate
from benchmarks.memory import MemoryCurve, watch_memory
from sdt.errors import InputError

SOME = 'held = bytearray(80 * 2**20); import time; time.sleep(1.5); print("said")'


def test_the_memory_of_a_process_is_sampled() -> None:
    nothing, something = (watch_memory([sys.executable, "-c", code]) for code in ("import time; time.sleep(1)", SOME))
    assert 75 * 2**20 < something.peak - nothing.peak < 90 * 2**20
    assert all(
        resident >= anonymous for resident, anonymous in zip(something.resident, something.anonymous, strict=True)
    )
    assert something.output == "said\n"
    assert 0 < something.processor < 20
    with pytest.raises(InputError, match="failed with exit code 3"):
        watch_memory([sys.executable, "-c", "raise SystemExit(3)"])


def test_a_downsampled_curve_keeps_the_peak() -> None:
    curve = MemoryCurve([0.1 * n for n in range(95)], [2**20 * n for n in range(95)], [2**21 * n for n in range(95)])
    thin = curve.downsample(10)
    assert [len(of) for of in thin.values()] == [10] * 3
    assert (max(thin["anonymous_mib"]), max(thin["resident_mib"])) == (94, 188)


def test_the_same_seed_makes_the_same_files(tmp_path: Path) -> None:
    one, other = (generate(tmp_path / name, 301, 20, 5) for name in "ab")
    assert one.utterances.read_bytes() == other.utterances.read_bytes()
    lines = [json.loads(line) for line in one.utterances.read_text().splitlines()]
    assert len(lines) == 301
    assert {line["split"] for line in lines} == {"train", "dev", "test"}
    for name, path in one.features.items():
        x = np.load(path)
        assert x.shape == (301, WIDTHS[name])
        np.testing.assert_array_equal(x, np.load(other.features[name]))
        assert 3 < x.std() < 6


def test_everything_is_measured_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Sequence[str]] = []

    def pretend(command: Sequence[str], _: object) -> MemoryCurve:
        asked.append(command)
        speed = {"seconds": 0.5, "seconds_to_first_step": 1.5, "utterances_per_processor_second": 900.0 + len(asked)}
        return MemoryCurve([0.1, 0.2], [2**20, 2**21], [2**21, 2**22], 0.2, "a note\n" + json.dumps(speed) + "\n")

    monkeypatch.setattr(large, "watch_memory", pretend)
    options = ["--folder", str(tmp_path / "files"), "--utterances", "2000", "--conversations", "200", "--threads", "1"]
    output, figure = tmp_path / "out.json", tmp_path / "out.svg"
    written = ["--output", str(output), "--figure", str(figure)]
    monkeypatch.setattr(sys, "argv", ["large.py", *options, *written])
    report.run(large.main)
    phases = json.loads(output.read_text())["phases"]
    assert list(phases) == ["import", "open", "check", "train", "evaluate"]
    assert [command[2:4] for command in asked[:2]] == [["sdt", "corpus"]] * 2
    assert len(asked) == 2 * 4 + 4
    assert phases["train"]["large"]["peak_anonymous_mib"] == 2
    assert len(phases["train"]["small"]["said"]) == 2
    assert "large / small: 1.00" in capsys.readouterr().out
    assert "| import | 0.2 | 0.2 | 2 | 2 | 4 |" in output.with_suffix(".md").read_text()
    assert "anonymous memory" in figure.read_text()
    assert not (tmp_path / "files").exists()


def test_existing_folders_are_not_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.setattr(sys, "argv", ["large.py", "--folder", str(tmp_path / "mine")])
    with pytest.raises(SystemExit) as ended:
        report.run(large.main)
    assert ended.value.code == 2
    assert (tmp_path / "mine").is_dir()


def test_the_steps_are_those_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = generate(tmp_path, 300, 30, 0)
    command = large.commands(files, tmp_path / "corpus", 14)
    from sdt.__main__ import main

    assert main(command["import"][3:]) == 0
    capsys.readouterr()
    opened = watch_memory(command["open"])
    assert json.loads(opened.output)["utterances"] == 300
    trained = large_steps.train(str(tmp_path / "corpus"), "14")
    assert trained["steps"] == 14
    assert trained["utterances_per_second"] > 0 < trained["seconds_to_first_step"]
    assert trained["utterances_per_processor_second"] > 0
    assert large_steps.score(str(tmp_path / "corpus"))["utterances"] == 10
