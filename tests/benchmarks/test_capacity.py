from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import capacity
from benchmarks.capacity import Scenario, Task
from sdt.errors import InputError

MACHINE = {"threads": 2}
MEASURED: dict[str, dict[str, Any]] = {
    "features": {
        "encoders": [
            {"encoder": "words", "width": 250, "utterances": 100, "media_seconds": 0.0, "seconds": [2], "problem": ""},
            {
                "encoder": "sound",
                "width": 8,
                "utterances": 10,
                "media_seconds": 36.0,
                "seconds": [9, 1, 2],
                "problem": "",
            },
            {"encoder": "none", "width": 0, "utterances": 0, "media_seconds": 0.0, "seconds": [], "problem": "gone"},
        ]
    },
    "inference": {
        "setting": "meld",
        "cases": {
            "1 of 1 utterance": {},
            "32 conversations": {
                "contenders": {"ours": {"utterances_per_second": {"median": 500.0}}},
                "turns": {
                    "utterances": [100, 100],
                    "limits": [{"seconds": 2.0, "peak": 1e9}, {"seconds": 1.0, "peak": 2e9}],
                },
            },
        },
    },
    "training": {"setting": "meld", "contenders": {"ours": {"utterances_per_second": {"median": 100.0}}}},
}


def test_the_arithmetic() -> None:
    words, sound = capacity.encoding_tasks({**MEASURED["features"], "machine": MACHINE}, 1000)
    # 100 texts take 2 threads 2 s; an hour has ten times as many.
    assert (words.core_seconds, words.bytes) == (40, 1000)
    # 36 s of sound take 2 threads 2 s, the median; an hour has 3600 s of speech.
    assert sound.core_seconds == pytest.approx(400)
    predicting = capacity.prediction_task({**MEASURED["inference"], "machine": MACHINE}, 1000, tflops=0.001)
    assert predicting.core_seconds == 4
    assert predicting.gpu_seconds == pytest.approx(1000 * 4e9 / 200 / 1e9)  # 20 MFLOP an utterance at 1 GFLOP/s
    assert capacity.training_task({**MEASURED["training"], "machine": MACHINE}, 1000).core_seconds == 20
    [row] = capacity.estimate([Task("t", 40, 1000, 9)], Scenario(hours=900, cores=10, machines=2, utilization=0.5))
    assert row["core_hours"] == 10
    assert row["days"] == pytest.approx({"core": 10 / 12, "machine": 1 / 12, "cluster": 1 / 24})
    assert row["hours_per_core_day"] == 1080
    assert row["gpu_days_at_least"] == pytest.approx(900 * 9 / 86400)
    assert row["terabytes"] == pytest.approx(900 * 1000 * 1000 / 1e12)


def test_the_table_from_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["capacity.py", "--seconds", "0.05", "--hours", "1000", "--output", str(tmp_path / "out.json")]
    for name, values in MEASURED.items():
        (tmp_path / name).write_text(json.dumps({"benchmark": name, "machine": MACHINE, **values}), encoding="utf-8")
        arguments += [f"--{name}", str(tmp_path / name)]
    monkeypatch.setattr(sys, "argv", arguments)
    capacity.main()
    shown = capsys.readouterr().out
    assert "features, sound" in shown
    assert "none" not in shown
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert [row["task"] for row in written["rows"]][2:] == [
        "prediction, meld setting",
        "training, meld setting, an epoch",
    ]
    assert written["intake_utterances_per_second"] > 0
    monkeypatch.setattr(sys, "argv", [*arguments, "--training", str(tmp_path / "features")])
    with pytest.raises(InputError, match=r"not a result of benchmarks\.training \(written by benchmarks\.features\)"):
        capacity.main()
