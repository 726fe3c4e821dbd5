"""`sdt convert` and `sdt formats`: losses by name, refusals, folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdt.__main__ import main
from sdt.formats import read_transcript
from sdt.formats.table import FORMATS

TALK = (
    "conversation,utterance,speaker,text,start,end,label,mood\n"
    "talk,0,Ann,I got the job!,0,2.5,joy,9\n"
    "talk,1,Ben,You are kidding!,2,3,,\n"
)


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.csv"
    path.write_text(TALK, encoding="utf-8")
    return path


def convert(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["convert", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_losses_are_listed_by_name(talk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = convert(capsys, talk, talk.with_suffix(".srt"))
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("lost:")] == ["lost: extra: 1, first talk/0"]
    (conversation,) = read_transcript(talk.with_suffix(".srt")).conversations
    assert [(one.speaker, one.label) for one in conversation.utterances] == [("Ann", "joy"), ("Ben", None)]


def test_strict_refuses_before_it_writes(talk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = convert(capsys, talk, talk.with_suffix(".srt"), "--strict")
    assert (code, "extra: 1" in err) == (2, True)
    assert not talk.with_suffix(".srt").exists()
    assert convert(capsys, talk, talk.with_suffix(".eaf"), "--strict")[0] == 0
    assert read_transcript(talk.with_suffix(".eaf")).conversations == read_transcript(talk).conversations


def test_several_conversations_and_a_format_of_one(
    talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    talk.write_text(TALK + TALK.partition("\n")[2].replace("talk,", "chat,"), encoding="utf-8")
    assert convert(capsys, talk, tmp_path / "grids", "--format", "textgrid")[0] == 0
    assert sorted(path.name for path in (tmp_path / "grids").iterdir()) == ["chat.TextGrid", "talk.TextGrid"]
    assert convert(capsys, tmp_path / "grids", tmp_path / "all.jsonl")[0] == 0
    assert [one.id for one in read_transcript(tmp_path / "all.jsonl").conversations] == ["chat", "talk"]
    code, _, err = convert(capsys, talk, talk, "--format", "vtt")
    assert (code, "name a folder" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.txt", "a.srt"], "absent.txt"),
        (["talk.csv", "a.xyz"], "suffix"),
        (["talk.csv", "a.rttm", "--format", "ctm"], "'ctm'"),
        (["talk.csv", "a.srt", "--input-format", "cvs"], "'csv'"),
        (["untimed.txt", "a.srt"], "no time"),
        (["untimed.txt", "missing/folder/../a.eaf", "--encoding", "klingon"], "klingon"),
    ],
)
def test_mistakes(
    talk: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(talk.parent)
    Path("untimed.txt").write_text("Ann: Hi\nBen: Ho\nAnn: Ha\n", encoding="utf-8")
    try:
        code, _, err = convert(capsys, *arguments)
    except SystemExit as stopped:  # argparse
        code, err = int(stopped.code or 0), capsys.readouterr().err
    assert (code, message in err) == (2, True)
    assert not Path("a.srt").exists()


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["formats", "--markdown"]) == 0
    out = capsys.readouterr().out
    assert all(f"| {name} |" in out for name in FORMATS.builtin)
    assert main(["formats"]) == 0
    assert "ELAN" in capsys.readouterr().out
