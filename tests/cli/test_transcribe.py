from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from sdt.__main__ import main
from sdt.conversation import Word
from sdt.formats import read_transcript
from sdt.formats.rttm import read_rttm
from sdt.speech.engines import TRANSCRIBERS, Engine
from sdt.speech.transcriber import RATE, Recognised, Samples
from tests.encoders.clips import noise, write_clip

SAID = [("Who", 0.2), ("is", 0.5), ("there?", 0.8), ("Only", 2.1), ("me,", 2.4), ("Ben.", 2.7)]
RTTM = "SPEAKER {0} 1 0.100 1.200 <NA> <NA> ann <NA> <NA>\nSPEAKER {0} 1 2.000 1.500 <NA> <NA> ben <NA> <NA>\n"


class Fake:
    """Hears the same words at the same times in every piece."""

    name = key = "fake"
    languages: Sequence[str] = ("en", "de")

    def __init__(self) -> None:
        self.pieces: list[float] = []

    def words(self, samples: Samples, language: str | None, *, quick: bool = False) -> Recognised:  # noqa: ARG002 - the protocol
        self.pieces.append(len(samples) / RATE)
        words = [Word(text, start, start + 0.25, 0.2 if text == "me," else 0.9) for text, start in SAID]
        return Recognised(words, language or "en")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    transcriber = Fake()
    monkeypatch.setitem(TRANSCRIBERS.builtin, "fake", Engine(lambda *_: transcriber))
    return transcriber


@pytest.fixture
def call(tmp_path: Path) -> Path:
    (tmp_path / "call.rttm").write_text(RTTM.format("call"))
    return write_clip(tmp_path / "call.wav", noise(4.0))


def transcribe(*arguments: object) -> int:
    return main(["transcribe", *map(str, arguments), "--transcriber", "fake:"])


@pytest.mark.parametrize("suffix", ["vtt", "srt", "jsonl", "json", "csv", "txt"])
def test_every_format_is_read_again(fake: Fake, call: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"call.{suffix}"
    assert transcribe(call, "--turns", tmp_path / "call.rttm", "--names", "ann=Ann", "--output", output) == 0
    [conversation] = read_transcript(output).conversations
    said = [(one.speaker, one.text, one.start) for one in conversation.utterances]
    assert said == [("Ann", "Who is there?", 0.2), ("ben", "Only me, Ben.", 2.1)]
    if suffix in ("jsonl", "json"):
        assert [word.text for word in conversation.utterances[1].words] == ["Only", "me,", "Ben."]
        assert conversation.utterances[1].words[1].probability == 0.2
    if suffix != "txt":
        assert conversation.utterances[0].end == 1.05


def test_turns_are_written_as_rttm(fake: Fake, call: Path, tmp_path: Path) -> None:
    assert transcribe(call, "--turns", tmp_path / "call.rttm", "--output", tmp_path / "again.rttm") == 0
    assert read_rttm(tmp_path / "again.rttm") == read_rttm(tmp_path / "call.rttm")


def test_several_recordings_are_predicted_from_one_file(
    fake: Fake, call: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_clip(tmp_path / "other.wav", noise(4.0))
    turns = tmp_path / "both.rttm"
    turns.write_text(RTTM.format("call") + RTTM.format("other"))
    assert transcribe(call, other, "--turns", turns, "--output", tmp_path / "out" / "both.jsonl") == 0
    found = read_transcript(tmp_path / "out" / "both.jsonl")
    assert [conversation.id for conversation in found.conversations] == ["call", "other"]
    assert {clip.resolve() for clip in found.clips.values()} == {call, other}
    assert transcribe(call, other, "--turns", turns, "--format", "vtt", "--output", tmp_path / "vtt") == 0
    assert sorted(path.name for path in (tmp_path / "vtt").iterdir()) == ["call.vtt", "other.vtt"]


def test_channels_are_speakers(fake: Fake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two = write_clip(tmp_path / "two.wav", noise(4.0, channels=2), layout="stereo")
    assert transcribe(two, "--channels", "speakers", "--format", "jsonl") == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {record["speaker"] for record in records} == {"SPEAKER_00", "SPEAKER_01"}
    one = write_clip(tmp_path / "one.wav", noise(4.0))
    assert transcribe(one, "--channels", "speakers") == 2
    same = write_clip(tmp_path / "same.wav", np.repeat(noise(4.0), 2, axis=0), layout="stereo")
    assert transcribe(same, "--channels", "speakers") == 2
    assert "--channels mix" in capsys.readouterr().err


def test_words_of_another_tool_are_not_recognised_again(
    fake: Fake, call: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [{"word": "Hi", "start": 0.3, "end": 0.5, "score": 0.9}, {"word": "7", "score": None}]
    segments = [{"start": 0.3, "end": 1.0, "text": "Hi 7", "words": words, "speaker": "S1"}]
    (tmp_path / "whisperx.json").write_text(json.dumps({"segments": segments}))
    assert transcribe(call, "--turns", tmp_path / "whisperx.json", "--format", "jsonl") == 0
    [record] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (record["speaker"], record["text"], record["words"][1]["end"]) == ("S1", "Hi 7", 1.0)
    assert not fake.pieces


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--speakers", "0"], "--speakers 0:"),
        (["--speakers", "3-2"], "--speakers 3-2"),
        (["--speakers", "two"], "--speakers two"),
        (["--names", "Ann"], "--names Ann"),
        (["--names", "Ann="], "--names Ann="),
        (["--names", "SPEAKER_00=A", "--names", "SPEAKER_00=B"], "--names"),
        (["--names", "ann=Ann"], "SPEAKER_00"),
        (["--names", "SPEAKER_02=Ann", "--speakers", "1-2"], "SPEAKER_01"),
        (["--names", "cat=Cat", "--turns", "call.rttm"], "ann, ben"),
        (["--names", "SPEAKER_01=Ann", "--channels", "speakers"], "SPEAKER_00"),
        (["--language", "fr"], "--language fr"),
        (["--output", "x.docx"], ".docx"),
        (["--channels", "speakers", "--speakers", "2"], "--speakers"),
        (["--turns", "missing.rttm"], "missing.rttm"),
        (["--turns", "none.json"], "none.json"),
        (["--workers", "2"], "--workers"),
    ],
)
def test_wrong_options(
    fake: Fake,
    call: Path,
    arguments: list[str],
    named: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(call.parent)
    Path("none.json").write_text('{"segments": []}')
    assert transcribe(call, *arguments) == 2
    assert named in capsys.readouterr().err
    assert not fake.pieces


def test_recordings_that_cannot_be_transcribed(fake: Fake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "notes.txt").write_text("Ann: Hello.\n")
    for path in (tmp_path / "missing.wav", tmp_path / "empty.wav", tmp_path / "notes.txt", tmp_path):
        assert transcribe(path) == 2
        assert str(path) in capsys.readouterr().err


def test_predict_transcribes(fake: Fake, call: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "emotions.jsonl"
    given = ["--turns", str(tmp_path / "call.rttm"), "--transcriber", "fake:"]
    assert main(["predict", str(call), *given, "--output", str(output)]) == 0
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert [record["speaker"] for record in records] == ["ann", "ben"]
    assert all(record["emotion"] for record in records)
    assert [word["text"] for word in records[0]["words"]] == ["Who", "is", "there?"]
    for wrong in (["--speakers", "0"], ["--names", "cat=Cat"], ["--output", str(tmp_path)], ["--model", "missing"]):
        fake.pieces.clear()
        assert main(["predict", str(call), *given, *wrong]) == 2
        assert wrong[1] in capsys.readouterr().err
        assert not fake.pieces  # errors are reported before the transcription
    (tmp_path / "chat.txt").write_text("Ann: Hello.\n")
    assert main(["predict", str(tmp_path / "chat.txt"), "--speakers", "2"]) == 2
    assert "--speakers" in capsys.readouterr().err
