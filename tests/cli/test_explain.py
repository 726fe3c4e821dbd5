"""`sdt explain` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sdt.__main__ import main
from sdt.corpus.store import Corpus
from sdt.prediction import Pipeline
from tests.cli.test_evaluate import make_run
from tests.evaluation.small import small_corpus, small_model
from tests.prediction.models import TEXT_AUDIO, tiny_model


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    make_run(folder / "run", small_corpus(folder / "small"))
    tiny_model(TEXT_AUDIO).save_pretrained(folder / "tiny")
    (folder / "chat.txt").write_text("Ann: Hello!\nBob: Not [bold]now, please.\nAnn: Oh.\n", encoding="utf-8")
    talks = folder / "talks"
    talks.mkdir()
    for name in ("one", "two"):
        (talks / f"{name}.txt").write_text(f"Ann: I am {name}.\n", encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("COLUMNS", "80")


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    code = main(["explain", *map(str, arguments), "--device", "cpu"])
    out, err = capsys.readouterr()
    return code, out, err


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    code, out, err = outcome(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("sdt: ")
    assert err.count("\n") == 1
    return err


def test_a_conversation_of_the_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    code, out, err = outcome(capsys, "run", "--conversation", "test2", "--output", folder)
    assert (code, err) == (0, "")
    table = out[: out.index("Modality columns:")]
    assert max(map(len, table.splitlines())) <= 80
    assert [name in table for name in ("1 A", "6 B", "text", "audio", "other")] == [True] * 5
    assert "without text everywhere: " in out
    assert "note: audio: missing in 2 of 6 utterances" in out
    names = ["attention.png", "branches.png", "explanation.json", "occlusion.png", "weights.png"]
    assert sorted(path.name for path in folder.iterdir()) == names
    values = json.loads((folder / "explanation.json").read_text("utf-8"))
    assert values["conversation"] == "test2"
    assert [of["utterance"] for of in values["utterances"]] == [f"u{i}" for i in range(6)]
    assert len(values["attention"]) == 4
    assert "exists already" in refused(capsys, "run", "--conversation", "test2", "--output", folder)
    again = ("run", "--conversation", "test1", "--output", folder, "--overwrite")
    assert outcome(capsys, *again)[0] == 0
    assert json.loads((folder / "explanation.json").read_text("utf-8"))["conversation"] == "test1"


def test_the_predictions_are_those_of_evaluate_and_predict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome(capsys, "tiny", "--transcript", "chat.txt", "--output", tmp_path / "chat")
    values = json.loads((tmp_path / "chat" / "explanation.json").read_text("utf-8"))
    said = Pipeline.from_pretrained("tiny", device="cpu")("chat.txt")
    for of, prediction in zip(values["utterances"], said, strict=True):
        assert of["emotion"] == prediction.emotion
        assert of["probabilities"]["fused"] == pytest.approx(dict(prediction.probabilities), rel=1e-3)
        assert {name: weight and weight["mean"] for name, weight in of["weights"].items()} == pytest.approx(
            dict(prediction.weights)
        )
    assert set(said.notes) <= set(values["notes"])
    assert "audio: not used: no recording was given" in values["notes"]

    main(["evaluate", "run", "--output", str(tmp_path / "scores"), "--device", "cpu"])
    capsys.readouterr()
    lines = (tmp_path / "scores" / "predictions.jsonl").read_text("utf-8").splitlines()
    known = {(of["conversation"], of["utterance"]): of for of in map(json.loads, lines)}
    outcome(capsys, "run", "--conversation", "test0", "--output", tmp_path / "test0")
    for of in json.loads((tmp_path / "test0" / "explanation.json").read_text("utf-8"))["utterances"]:
        expected = known["test0", of["utterance"]]
        assert of["probabilities"]["fused"] == pytest.approx(expected["probabilities"], rel=1e-3)


def test_one_of_several_transcripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert "contains 2 conversations; name one with --conversation ID" in refused(
        capsys, "tiny", "--transcript", "talks"
    )
    assert "I am two." in outcome(capsys, "tiny", "--transcript", "talks", "--conversation", "two")[1]
    err = refused(capsys, "tiny", "--transcript", "talks", "--conversation", "tow")
    assert "no conversation 'tow' (--list shows all of them); did you mean 'two'?" in err


def test_listing(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outcome(capsys, "run", "--list")
    assert code == 0
    rows = [line.split() for line in out.splitlines() if line.strip()][2:]
    assert rows[0][:3] == ["train0", "train", "3"]
    assert [row[0] for row in rows] == list(Corpus.open("small").conversations)
    assert [
        line.split()[0] for line in outcome(capsys, "x", "--list", "--transcript", "talks")[1].splitlines()[3:5]
    ] == [
        "one",
        "two",
    ]


def test_conversations_of_one_utterance_and_models_of_one_modality(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(capsys, "run", "--conversation", "test1", "--output", tmp_path / "one")[0] == 0
    corpus = Corpus.open("small")
    small_model(corpus, ("audio",)).save_pretrained(tmp_path / "audio")
    code, out, _ = outcome(
        capsys, tmp_path / "audio", "--corpus", "small", "--conversation", "test2", "--output", tmp_path / "a"
    )
    assert code == 0
    assert "2 of 6 utterances have no modality" in out
    assert len(json.loads((tmp_path / "a" / "explanation.json").read_text("utf-8"))["attention"]) == 1


def test_what_the_model_has_seen(capsys: pytest.CaptureFixture[str]) -> None:
    assert "trained on this conversation (split train)" in outcome(capsys, "run", "--conversation", "train0")[1]
    assert "trained on this conversation" not in outcome(capsys, "run", "--conversation", "test0")[1]


def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    err = refused(capsys, "run", "--conversation", "tets2")
    assert "small: no conversation 'tets2' (--list shows all of them); did you mean 'test2'?" in err
    assert "name a conversation" in refused(capsys, "run")
    assert "contradict" in refused(capsys, "run", "--transcript", "chat.txt", "--corpus", "small")
    assert "--transcript FILE" in refused(capsys, "run", "--conversation", "test0", "--media", "talks")
    assert "neither a folder nor a bundled model" in refused(capsys, "nowhere", "--conversation", "test0")
    err = refused(capsys, "english-text-audio-small", "--conversation", "test0")
    assert "give one with --corpus FOLDER, or a transcript" in err
    mute = small_corpus(tmp_path / "mute", widths={"text": 5})
    assert "no modality 'audio'" in refused(capsys, "run", "--corpus", mute.folder, "--conversation", "test0")
    (tmp_path / "half" / "checkpoint").mkdir(parents=True)
    assert "not finished" in refused(capsys, tmp_path / "half", "--conversation", "test0")
    (tmp_path / "file").write_text("x")
    assert "is a file" in refused(capsys, "run", "--conversation", "test0", "--output", tmp_path / "file")
    (tmp_path / "empty.txt").write_text("")
    assert "empty.txt" in refused(capsys, "tiny", "--transcript", tmp_path / "empty.txt")


def test_an_encoding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "talk.txt").write_bytes("小明：你好\n小红：真的吗\n".encode("gb2312"))
    given: list[str | Path] = ["tiny", "--transcript", tmp_path / "talk.txt"]
    assert "--encoding" in refused(capsys, *given)
    code, out, _ = outcome(capsys, *given, "--encoding", "gb2312")
    assert code == 0
    assert "真的吗" in out
    assert outcome(capsys, *given, "--list", "--encoding", "gb2312")[0] == 0
    assert "--transcript" in refused(capsys, "run", "--conversation", "c0", "--encoding", "gb2312")
