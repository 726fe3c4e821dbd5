"""The command predict, as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sdt.__main__ import main
from sdt.cli import predict
from sdt.formats import read_transcript
from sdt.models import hub
from sdt.prediction.display import LEGEND, style
from tests.encoders.clips import noise, write_clip
from tests.faults import FAULTS
from tests.prediction.models import LABELS, TEXT_AUDIO, tiny_model


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, transcripts with and without times, and a recording."""
    folder = tmp_path_factory.mktemp("home")
    tiny_model(TEXT_AUDIO).save_pretrained(folder / "model")
    talks = folder / "talks"
    talks.mkdir()
    for name in ("one", "two"):
        (talks / f"{name}.srt").write_text(
            "1\n00:00:00,000 --> 00:00:00,700\nANN: Hello!\n\n2\n00:00:00,700 --> 00:00:01,500\nBOB: Not [bold]now.\n",
            encoding="utf-8",
        )
    (folder / "chat.txt").write_text("Ann: Hello!\nBob: " + "Not now, please. " * 12 + "\n", encoding="utf-8")
    write_clip(talks / "one.wav", noise(1.5))
    return folder


def outcome(capsys: pytest.CaptureFixture[str], home: Path, *arguments: str | Path) -> tuple[int, str, str]:
    code = main(["predict", *map(str, arguments), "--model", str(home / "model"), "--device", "cpu"])
    out, err = capsys.readouterr()
    return code, out, err


def refused(capsys: pytest.CaptureFixture[str], home: Path, *arguments: str | Path) -> str:
    code, out, err = outcome(capsys, home, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("sdt: ")
    assert err.count("\n") == 1
    return err


def test_a_table_of_80_columns(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = outcome(capsys, home, home / "talks" / "one.srt", "--media", home / "talks" / "one.wav")
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert [name in out for name in ("ANN", "Hello!", "Not [bold]now.", "text", "audio", LEGEND)] == [True] * 6
    assert out.count("%") == 2 * 3
    assert "note:" not in out


def test_long_texts_and_missing_sound(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outcome(capsys, home, home / "chat.txt")
    assert code == 0
    lines = out.splitlines()
    assert max(len(line) for line in lines if not line.startswith("note:")) <= 80
    assert out.count("please.") == 12
    assert "–" in out
    assert lines[-1] == "note: audio: not used: no recording was given"


def test_json_lines(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "deep" / "emotions.jsonl"
    code, out, _ = outcome(capsys, home, home / "chat.txt", "--output", file)
    assert code == 0
    assert f"written to {file}: 2 utterances" in out
    first, _ = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert (first["speaker"], first["text"]) == ("Ann", "Hello!")
    assert first["emotion"] in LABELS
    assert first["probability"] == first["probabilities"][first["emotion"]]
    assert first["branches"].keys() == first["weights"].keys() == {"text", "audio"}


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "json", "vtt", "srt"])
def test_formats_by_suffix(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str) -> None:
    file = tmp_path / f"emotions.{suffix}"
    assert outcome(capsys, home, home / "talks" / "one.srt", "--output", file)[0] == 0
    (again,) = read_transcript(file).conversations
    assert [(u.speaker, u.text, u.start) for u in again.utterances] == [
        ("ANN", "Hello!", 0.0),
        ("BOB", "Not [bold]now.", 0.7),
    ]


def test_an_unknown_suffix_is_refused_before_the_work(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("out.odt", "out.xlsm", "out.txt", "out", "jsonl"):
        for more in ([], ["--cluster", "local"]):
            error = refused(capsys, home, tmp_path / "absent.txt", "--output", tmp_path / name, *more)
            assert [known in error for known in (".jsonl", ".json,", ".csv", ".vtt", ".srt", "--format")] == [True] * 6
    assert outcome(capsys, home, home / "chat.txt", "--output", tmp_path / "out.xlsx", "--format", "json")[0] == 0
    assert len(json.loads((tmp_path / "out.xlsx").read_text(encoding="utf-8"))) == 2


def test_printed_in_a_format(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = outcome(capsys, home, home / "chat.txt", "--format", "jsonl")
    assert code == 0
    assert [json.loads(line)["utterance"] for line in out.splitlines()] == ["0", "1"]
    assert err == "note: audio: not used: no recording was given\n"


def test_a_folder_of_transcripts(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talks = home / "talks"
    code, out, _ = outcome(capsys, home, talks, "--media", talks, "--output", tmp_path / "all.csv")
    assert code == 0
    assert "note: audio: missing for 2 of 4 utterances: no recording (two/" in out
    conversations = read_transcript(tmp_path / "all.csv").conversations
    assert [c.id for c in conversations] == ["one", "two"]
    assert outcome(capsys, home, talks, "--output", tmp_path / "cues", "--format", "vtt")[0] == 0
    assert sorted(path.name for path in (tmp_path / "cues").iterdir()) == ["one.vtt", "two.vtt"]
    code, out, _ = outcome(capsys, home, talks)
    assert code == 0
    assert out.index("one") < out.index("two")


def test_conversations_whose_names_are_no_file_names(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("conversation,text,start,end\na/b,Hi,0,1\na b,Ho,0,1\n..,Ha,0,1\n", encoding="utf-8")
    assert outcome(capsys, home, table, "--output", tmp_path / "cues", "--format", "srt")[0] == 0
    assert sorted(path.name for path in (tmp_path / "cues").iterdir()) == ["a-b-1.srt", "a-b.srt", "conversation.srt"]


def test_refusals(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat, talks = home / "chat.txt", home / "talks"
    assert "file or folder not found" in refused(capsys, home, tmp_path / "absent.txt")
    assert "vtt needs times, and utterance '0'" in refused(capsys, home, chat, "--output", tmp_path / "x.vtt")
    assert "several conversations" in refused(capsys, home, talks, "--format", "srt")
    assert "is a folder; name a file" in refused(capsys, home, chat, "--output", tmp_path)
    assert "is a file; name a folder" in refused(capsys, home, talks, "--format", "vtt", "--output", chat)
    assert "file or folder not found" in refused(capsys, home, chat, "--media", tmp_path / "absent.wav")
    assert "has no times" in refused(capsys, home, chat, "--media", talks / "one.wav")
    assert "cannot be written" in refused(capsys, home, chat, "--output", "/proc/nowhere/x.jsonl")
    assert "chat.txt is not a folder" in refused(capsys, home, chat, "--output", chat / "x.jsonl")
    assert not (tmp_path / "x.vtt").exists()


def test_models_that_are_not_there(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hub, "bundled_models", dict)
    for options, message in (
        ([], "model 'english-text-audio-small': not part of this installation"),
        (["--model", "meld-text"], "model 'meld-text': neither a folder nor a bundled model"),
        (["--model", str(tmp_path)], "neither a model folder"),
    ):
        assert main(["predict", str(home / "chat.txt"), *options]) == 2
        assert message in capsys.readouterr().err


def test_the_model_in_the_box_is_the_default(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hub, "bundled_models", lambda: {hub.DEFAULT: home / "model"})
    assert main(["predict", str(home / "chat.txt")]) == 0
    assert "Hello!" in capsys.readouterr().out


def test_every_label_has_a_colour() -> None:
    assert style("Joy") == style("joy")
    assert style("bored") == style("bored")


def test_the_help_loads_no_torch(capsys: pytest.CaptureFixture[str]) -> None:
    assert "torch" not in vars(predict)
    with pytest.raises(SystemExit):
        main(["predict", "--help"])
    assert "--media" in capsys.readouterr().out


def test_a_mistake_in_the_transcript_is_told_before_pytorch_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("speaker,text\nAnn\n")
    code = (
        "import sys; from sdt.__main__ import main; "
        f"assert main(['predict', {str(tmp_path / 'a.csv')!r}]) == 2; assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"sdt: {tmp_path / 'a.csv'}, line 2: 1 cells, but line 1 has 2\n"


def test_an_interruption_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sdt.prediction.pipeline.Pipeline.__call__", stop)
    assert main(["predict", str(home / "chat.txt")]) == 130
    assert capsys.readouterr().err == "sdt: stopped\n"


def test_windows(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long, short = tmp_path / "long.txt", tmp_path / "short.txt"
    long.write_text("".join(f"{'AB'[i % 2]}nn: Number {i}!\n" for i in range(30)), encoding="utf-8")
    short.write_text("".join(f"{'AB'[i % 2]}nn: Number {i}!\n" for i in range(8)), encoding="utf-8")
    said = {}
    for path in (long, short):
        for options in ((), ("--window", "8", "--overlap", "4"), ("--window", "8", "--overlap", "0")):
            code, out, _ = outcome(capsys, home, path, "--format", "jsonl", *options)
            assert code == 0
            said[path, options[-1:]] = [json.loads(line) for line in out.splitlines()]
    assert said[short, ()] == said[short, ("4",)] == said[short, ("0",)]
    whole, cut, apart = (said[long, of] for of in ((), ("4",), ("0",)))
    assert [line["utterance"] for line in cut] == [line["utterance"] for line in whole]
    for i in range(8):  # the first window holds what the short conversation holds
        assert apart[i]["probabilities"] == pytest.approx(said[short, ()][i]["probabilities"], abs=1e-5)
    for i in range(6):  # so it does with an overlap, and the middle of the overlap is after the sixth
        assert cut[i]["probabilities"] == pytest.approx(apart[i]["probabilities"], abs=1e-5)
    assert cut[6]["probabilities"] != pytest.approx(apart[6]["probabilities"], abs=1e-4)
    assert [line["branches"] == other["branches"] for line, other in zip(cut, whole, strict=True)].count(True) < 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--window", "8", "--overlap", "8"), "overlap: 8 of a window of 8"),
        (("--window", "8", "--overlap", "-1"), "overlap: -1 of a window of 8"),
        (("--overlap", "2"), "overlap: 2 is given without a window"),
    ],
)
def test_windows_that_cannot_be(
    home: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    assert message in refused(capsys, home, "nowhere.txt", *options)


def test_an_encoding(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk = tmp_path / "gb.srt"
    talk.write_bytes((FAULTS / "transcripts" / "gb.srt").read_bytes())
    assert "--encoding" in refused(capsys, home, talk)
    for given in (talk, tmp_path):
        code, out, _ = outcome(capsys, home, given, "--encoding", "gb2312", "--format", "jsonl")
        assert code == 0
        assert [json.loads(line)["text"] for line in out.splitlines()] == ["你好，我得到了工作！", "真的吗？"]
    with pytest.raises(SystemExit, match="2"):
        outcome(capsys, home, talk, "--encoding", "gbk2")
    assert "'gbk2' is unknown" in capsys.readouterr().err


def test_annotation_is_not_replaced(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat = tmp_path / "talk.cha"
    chat.write_text("@UTF8\n@Begin\n*CHI:\t<I want> [/] I want (.) more .\n*MOT:\tno .\n@End\n", encoding="utf-8")
    before = chat.read_bytes()
    assert "annotation itself" in refused(capsys, home, chat, "--output", chat)
    assert outcome(capsys, home, chat, "--output", tmp_path / "talk.eaf")[0] == 0
    assert chat.read_bytes() == before
    eaf = tmp_path / "talk.eaf"
    assert "--cluster" in refused(capsys, home, eaf, "--output", eaf, "--cluster", "local")
    assert outcome(capsys, home, eaf, "--output", tmp_path / "other.eaf")[0] == 0
    (again,) = read_transcript(tmp_path / "other.eaf").conversations
    assert [(u.speaker, u.text) for u in again.utterances] == [("CHI", "I want I want more."), ("MOT", "no.")]


def test_losses_are_notes_or_refused(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "talk.csv"
    table.write_text("speaker,text,start,end,mood\nANN,Hello!,0,1,7\nBOB,No.,1,2,\n", encoding="utf-8")
    code, out, _ = outcome(capsys, home, table, "--output", tmp_path / "talk.srt")
    assert (code, "extra: 1, first talk/0" in out) == (0, True)
    assert "extra: 1" in refused(capsys, home, table, "--output", tmp_path / "strict.srt", "--strict")
    assert not (tmp_path / "strict.srt").exists()
    assert outcome(capsys, home, table, "--output", tmp_path / "talk.TextGrid", "--strict")[0] == 0
