"""Prediction in units writes what prediction in one process writes; without Ray, whose part is in tests/cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdt.__main__ import main
from sdt.cli import predict
from sdt.prediction.clustered import BatchResults
from tests.cluster.here import Here
from tests.prediction.conftest import NAMES
from tests.prediction.models import TEXT_AUDIO, tiny_model


@pytest.fixture(autouse=True)
def cluster(monkeypatch: pytest.MonkeyPatch) -> Here:
    here = Here()
    monkeypatch.setattr(predict, "connected_cluster", here.asked)
    return here


def predicted(capsys: pytest.CaptureFixture[str], output: str, *options: str) -> tuple[int, str, str]:
    command = ["predict", "talks", "--media", "talks", "--model", "model", "--device", "cpu", "--output", output]
    code = main([*command, *options])
    out, err = capsys.readouterr()
    return code, out.replace(output, "OUTPUT"), err.replace(output, "OUTPUT")


def bytes_of(path: Path) -> dict[str, bytes]:
    """A file's, or those of a folder's files."""
    return (
        {file.name: file.read_bytes() for file in sorted(path.iterdir())} if path.is_dir() else {"": path.read_bytes()}
    )


@pytest.mark.parametrize("format_", ["jsonl", "json", "csv", "vtt", "srt"])
def test_the_same_bytes_and_notes(format_: str, talks: Path, capsys: pytest.CaptureFixture[str], cluster: Here) -> None:
    one = predicted(capsys, "one", "--format", format_)
    assert one == predicted(capsys, "two", "--format", format_, "--cluster", "here")
    assert one[0] == 0
    assert "note: audio: missing for 13 of 30 utterances: no recording (c/0, c/1, c/2, c/3, c/4 and 1 more)" in one[1]
    assert bytes_of(Path("one")) == bytes_of(Path("two"))
    assert sorted(cluster.done) == [f"conversation '{name}'" for name in NAMES]
    assert not list(talks.glob(".*"))


def test_subtitles_of_one_conversation_are_a_file(talks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in NAMES[1:]:
        (talks / "talks" / f"{name}.jsonl").unlink()
    assert predicted(capsys, "one.srt") == predicted(capsys, "two.srt", "--cluster", "here")
    assert bytes_of(Path("one.srt")) == bytes_of(Path("two.srt"))


def test_a_table_that_names_recordings(talks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["conversation,text,start,end,media", "x,Hi,0,1,talks/a.wav", "x,Ho,1,2,talks/a.wav", "y,Ha,,,talks/b.wav"]
    Path("table.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = []
    for output, options in (("said-1.jsonl", []), ("said-2.jsonl", ["--cluster", "here"])):
        assert main(["predict", "table.csv", "--model", "model", "--output", output, *options]) == 0
        found.append(capsys.readouterr().out.replace(output, "OUTPUT"))
    assert found[0] == found[1]
    assert bytes_of(Path("said-1.jsonl")) == bytes_of(Path("said-2.jsonl"))


def test_what_is_done_is_taken_unless_words_sound_or_model_have_changed(
    talks: Path, capsys: pytest.CaptureFixture[str], cluster: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BatchResults, "remove", lambda _: None)  # as if it had been killed at the end

    def again() -> list[str]:
        cluster.done.clear()
        assert predicted(capsys, "two.jsonl", "--cluster", "here")[0] == 0
        return sorted(name[-2] for name in cluster.done)

    assert again() == list(NAMES)
    assert again() == []
    said = talks / "talks" / "b.jsonl"
    said.write_text(said.read_text(encoding="utf-8").replace("b says", "b asks"), encoding="utf-8")
    assert again() == ["b"]
    sound = talks / "talks" / "a.wav"
    sound.write_bytes(sound.read_bytes()[:-200])
    assert again() == ["a"]
    tiny_model(TEXT_AUDIO, seed=1).save_pretrained(talks / "model")
    assert again() == list(NAMES)
    assert predicted(capsys, "one.jsonl")[0] == 0
    assert bytes_of(Path("one.jsonl")) == bytes_of(Path("two.jsonl"))


def test_a_part_that_is_damaged_is_named(
    talks: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BatchResults, "remove", lambda _: None)
    assert predicted(capsys, "two.jsonl", "--cluster", "here")[0] == 0
    part = sorted(Path(".two.jsonl.parts").glob("*/*.json"))[0]
    part.write_text("{", encoding="utf-8")
    code, _, err = predicted(capsys, "two.jsonl", "--cluster", "here")
    assert code == 2
    assert f"{part}: damaged (JSONDecodeError); remove the folder .OUTPUT.parts".replace("two.jsonl", "OUTPUT") in err


def test_mistakes_are_those_of_one_process(talks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def same(*options: str) -> str:
        one = predicted(capsys, "x.jsonl", *options)
        assert one[0] == 2
        assert one == predicted(capsys, "x.jsonl", *options, "--cluster", "here")
        return one[2]

    broken = talks / "talks" / "b.jsonl"
    whole = broken.read_text(encoding="utf-8")
    broken.write_text('{"speaker": "A"\n', encoding="utf-8")
    assert "b.jsonl, line 1" in same()
    broken.write_text('{"speaker": "A", "text": "?", "conversation": "a"}\n', encoding="utf-8")
    assert "'a' also occurs in a.jsonl" in same()
    broken.write_text(whole, encoding="utf-8")
    assert "file or folder not found" in same("--media", "absent")
    assert "no recording of any utterance; expected names such as a_0.*" in same("--media", "model")
    assert "is a file; name a folder" in same("--format", "srt", "--output", "model/config.json")
    for file in (talks / "talks").iterdir():  # nothing that the model could look at
        file.write_bytes(b'{"speaker": "A", "text": ""}\n')
    assert "no utterance has a modality of the model" in same()
