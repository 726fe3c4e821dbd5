from __future__ import annotations

from pathlib import Path

import pytest

from sdt.errors import InputError
from sdt.formats import read_transcripts
from tests.formats.files import read, refused, said

CONTENTS = {
    "txt": "Ann: Hi\nBob: Oh\n",
    "csv": "speaker,text\nAnn,Hi\nBob,Oh\n",
    "jsonl": '{"speaker": "Ann", "text": "Hi"}\n{"speaker": "Bob", "text": "Oh"}\n',
    "srt": "1\n00:00:01,000 --> 00:00:02,000\nAnn: Hi\n\n2\n00:00:03,000 --> 00:00:04,000\nBob: Oh\n",
    "vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann>Hi\n\n00:03.000 --> 00:04.000\n<v Bob>Oh\n",
}


@pytest.mark.parametrize("format", CONTENTS)
@pytest.mark.parametrize("name", ["{}", "a.txt", "a", "a.log"])
def test_the_format_is_recognised(tmp_path: Path, format: str, name: str) -> None:
    content = CONTENTS[format]
    assert said(read(tmp_path, name.format(f"a.{format}"), content)) == [("Ann", "Hi"), ("Bob", "Oh")]
    assert said(read(tmp_path, name.format(f"A.{format.upper()}"), content)) == [("Ann", "Hi"), ("Bob", "Oh")]
    assert said(read(tmp_path, "a.csv", content, format=format)) == [("Ann", "Hi"), ("Bob", "Oh")]


@pytest.mark.parametrize("content", ["Hello, Ann\nHi\n", "text\nwords\n", "[00:01] Hi", "2\nfast", "a, text\nb"])
def test_text_that_looks_like_something_else(tmp_path: Path, content: str) -> None:
    assert said(read(tmp_path, "a.txt", content))[0][0] == "Speaker 1"


@pytest.mark.parametrize("name", ["a.json", "a.txt"])
@pytest.mark.parametrize(
    "content",
    ['[\n {"speaker": "Ann", "text": "a"},\n {"text": "b"}\n]\n', '[{"speaker":"Ann","text":"a"},{"text":"b"}]'],
)
def test_a_json_array(tmp_path: Path, name: str, content: str) -> None:
    assert said(read(tmp_path, name, content)) == [("Ann", "a"), ("Ann", "b")]


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        '[\n{"text": "a"},\n{"text": "b"}',
        '[\n{"text": "a"},\n{"text": ',
        '[{"text": "a"},\n7]',
        '[{"text": "a"}]\n[]',
        '[{"text": "a"},\n{"text": "b", "start": "x"}]',
        '[{"text": ' + "[" * 50_000,
    ],
)
def test_damaged_json_arrays(tmp_path: Path, content: str) -> None:
    refused(tmp_path, "a.json", content)


def test_json_that_is_no_json_lines(tmp_path: Path) -> None:
    assert said(read(tmp_path, "a.json", '[\n {"text": "a", "speaker": "Ann"}, {"text": "b"}]')) == [
        ("Ann", "a"), ("Ann", "b"),
    ]  # fmt: skip
    assert "(an object with 'text')" in refused(tmp_path, "b.json", '{\n "text": "a"}')
    assert "b.json, line 1: not JSON" in refused(tmp_path, "b.json", '{"text": "a",\n')
    assert "b.json, line 1: " in refused(tmp_path, "b.json", '[{"text": "a"},\n')


def test_an_unknown_format(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Ann: Hi")
    with pytest.raises(InputError, match=r"format 'srtt' is unknown; did you mean 'srt'\?"):
        read(tmp_path, "a.txt", "Ann: Hi", format="srtt")


def test_a_folder(tmp_path: Path) -> None:
    for name, content in {
        "b.txt": CONTENTS["txt"],
        "a.srt": CONTENTS["srt"],
        "c.csv": "conversation,text,media\nx,Hi,hi.wav\ny,Oh,\n",
        ".hidden.txt": "no",
        "a.wav": "RIFF",
        "README.md": "# no",
    }.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "deeper.txt").mkdir()
    transcript = read_transcripts(tmp_path)
    assert [conversation.id for conversation in transcript.conversations] == ["a", "b", "x", "y"]
    assert transcript.clips == {("x", "0"): tmp_path / "hi.wav"}
    assert transcript.notes == [
        "c.csv: no speaker names found: all 2 utterances are assigned to one speaker per conversation"
    ]


def test_folders_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none: folder"):
        read_transcripts(tmp_path / "none")
    with pytest.raises(InputError, match="no transcripts in this folder"):
        read_transcripts(tmp_path)
    for name in ("a.txt", "a.srt"):
        (tmp_path / name).write_text(CONTENTS[name[-3:]])
    with pytest.raises(InputError, match=r"a\.txt: conversation 'a' also occurs in a\.srt"):
        read_transcripts(tmp_path)
