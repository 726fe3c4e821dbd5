"""Prediction on a cluster writes the bytes of one process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("av")

from sdt.__main__ import main
from sdt.prediction import clustered, pipeline
from tests.cluster.units import ALWAYS, ASKED, killing, make_dying_predictor
from tests.features.clips import noise, write_clip
from tests.prediction.models import TEXT_AUDIO, tiny_model

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]

NAMES = ("a", "b", "c", "d", "e")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a model and five conversations, which are four batches."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pipeline, "UTTERANCES", 8)
    tiny_model(TEXT_AUDIO).save_pretrained(tmp_path / "model")
    (tmp_path / "talks").mkdir()
    for number, name in enumerate(NAMES):
        lines = [
            json.dumps({"speaker": "AB"[i % 2], "text": f"{name} says {i}!", "start": 0.3 * i, "end": 0.3 * i + 0.3})
            for i in range(4 + number)
        ]
        (tmp_path / "talks" / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        if name != "c":
            write_clip(tmp_path / "talks" / f"{name}.wav", noise(2.5, seed=number))
    (tmp_path / "talks" / "d.wav").write_bytes(b"RIFF, but no more")
    return tmp_path


def predicted(capsys: pytest.CaptureFixture[str], output: str, *options: str) -> tuple[int, str, str]:
    talks = ["predict", "talks", "--media", "talks", "--model", "model", "--device", "cpu"]
    code = main([*talks, "--output", output, *options])
    out, err = capsys.readouterr()
    return code, out.replace(output, "OUTPUT"), err


def bytes_of(path: Path) -> dict[str, bytes]:
    """A file's, or those of a folder's files."""
    return {file.name: file.read_bytes() for file in (sorted(path.iterdir()) if path.is_dir() else [path])}


@pytest.mark.parametrize(("format_", "workers"), [("jsonl", "1"), ("csv", "2"), ("vtt", "2")])
def test_the_same_bytes_and_notes(
    format_: str, workers: str, head: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "one").mkdir()
    (place / "two").mkdir()
    one = predicted(capsys, f"one/said.{format_}", "--format", format_)
    two = predicted(capsys, f"two/said.{format_}", "--format", format_, "--cluster", head, "--workers", workers)
    one, two = ((code, out.replace("one/", "").replace("two/", ""), err) for code, out, err in (one, two))
    assert one == two
    assert one[0] == 0
    assert "note: audio: missing for " in one[1]
    assert bytes_of(place / f"one/said.{format_}") == bytes_of(place / f"two/said.{format_}")
    assert [path.name for path in (place / "two").iterdir()] == [f"said.{format_}"]


def test_a_worker_killed_in_the_middle_of_a_batch(
    head: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = predicted(capsys, "one.jsonl")
    monkeypatch.setattr(clustered, "make_predictor", make_dying_predictor)
    with killing("c") as killed:
        again, out_again, err = predicted(capsys, "two.jsonl", "--cluster", head)
    assert len(killed) == 1
    assert (code, out) == (again, out_again)
    assert err.endswith("conversation 'c': its worker died, perhaps for lack of memory; begun again\n")
    assert (place / "one.jsonl").read_bytes() == (place / "two.jsonl").read_bytes()
    assert ASKED.read_text().split().count("c") == 2


def test_a_batch_that_ends_every_worker_and_going_on_without_it(
    head: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clustered, "make_predictor", make_dying_predictor)
    ALWAYS.write_text("e")
    code, out, err = predicted(capsys, "two.jsonl", "--cluster", head)
    assert (code, out) == (1, "")
    assert err.splitlines()[-1] == (
        "sdt: given up after 3 tries: conversation 'e': its worker died, perhaps for lack of memory; the rest is done "
        "and kept: the same command goes on"
    )
    assert "Traceback" not in err
    assert not Path("two.jsonl").exists()
    assert Path(".two.jsonl.parts").is_dir()
    ALWAYS.unlink()
    ASKED.unlink()
    assert predicted(capsys, "two.jsonl", "--cluster", head)[0] == 0
    assert ASKED.read_text() == "e\n"  # what was done was kept
    assert not Path(".two.jsonl.parts").exists()
    assert predicted(capsys, "one.jsonl")[0] == 0
    assert Path("one.jsonl").read_bytes() == Path("two.jsonl").read_bytes()


def test_parts_of_other_words_or_another_model_are_not_taken(
    head: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clustered, "make_predictor", make_dying_predictor)
    monkeypatch.setattr("sdt.prediction.parts.Parts.remove", lambda _: None)
    options = ("--cluster", head)
    assert predicted(capsys, "two.jsonl", *options)[0] == 0
    ASKED.unlink()
    file = place / "talks" / "b.jsonl"
    file.write_text(file.read_text(encoding="utf-8").replace("b says", "b asks"), encoding="utf-8")
    assert predicted(capsys, "two.jsonl", *options)[0] == 0
    assert "b" in ASKED.read_text()
    assert "e" not in ASKED.read_text()
    ASKED.unlink()
    tiny_model(TEXT_AUDIO, seed=1).save_pretrained(place / "model")
    assert predicted(capsys, "two.jsonl", *options)[0] == 0
    assert sorted(ASKED.read_text().split()) == list(NAMES)


def test_mistakes_are_those_of_one_process(head: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = place / "talks" / "b.jsonl"
    whole = broken.read_text(encoding="utf-8")
    for text in ('{"speaker": "A"\n', '{"speaker": "A", "text": "?", "conversation": "a"}\n'):
        broken.write_text(text, encoding="utf-8")
        one = predicted(capsys, "x.jsonl")
        assert one[0] == 2
        assert one == predicted(capsys, "x.jsonl", "--cluster", head)
    broken.write_text(whole, encoding="utf-8")
    for options in (["--media", "absent"], ["--media", "model"], ["--format", "srt", "--output", "model/config.json"]):
        one = predicted(capsys, "x.jsonl", *options)
        assert one[0] == 2
        assert one == predicted(capsys, "x.jsonl", *options, "--cluster", head)
    for file in (place / "talks").glob("*.jsonl"):  # nothing that the model could look at
        file.write_text('{"speaker": "A", "text": ""}\n', encoding="utf-8")
    for file in (place / "talks").glob("*.wav"):
        file.write_bytes(b"RIFF, but no more")
    one = predicted(capsys, "x.jsonl")
    assert one[0] == 2
    assert one == predicted(capsys, "x.jsonl", "--cluster", head)
