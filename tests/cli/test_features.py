from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")

from sdt.__main__ import main
from sdt.corpus.builder import write_corpus
from sdt.corpus.store import Corpus
from sdt.encoders.text import text_encoder
from sdt.prediction.inputs import read_input, recordings_of
from tests.encoders.clips import noise, write_clip
from tests.encoders.tiny_bert import make_spoken, write_bert


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a corpus, a small BERT and three clips."""
    write_corpus(make_spoken(), tmp_path / "spoken")
    write_bert(tmp_path / "bert")
    (tmp_path / "clips").mkdir()
    for name in ("dia1_utt10", "dia1_utt2", "alone"):
        write_clip(tmp_path / "clips" / f"{name}.wav", noise(0.5))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_fine_tune_then_extract(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tune = ["features", "finetune-text", "spoken", "--encoder", "bert", "--epochs", "2", "--device", "cpu"]
    assert main([*tune, "--output", "tuned", "--batch", "4", "--learning-rate", "0.01"]) == 0
    shown = capsys.readouterr().out
    for expected in ("epoch 1/2", "dev: the encoder alone, epoch", "test: the encoder alone", "weighted F1", "glad"):
        assert expected in shown
    assert "name of the encoder: tuned" in shown
    assert main([*tune, "--output", "adapter", "--lora", "--rank", "2"]) == 0
    assert "name of the encoder: bert+adapter" in capsys.readouterr().out

    command = ["features", "extract", "spoken", "--encoder", "tuned", "--encoder", "adapted=bert+adapter"]
    assert main([*command, "--output", "new"]) == 0
    shown = capsys.readouterr().out
    assert "text: tuned@" in shown
    corpus = Corpus.open("new")
    corpus.verify()
    assert list(corpus.modalities) == ["voice", "text", "adapted"]
    for modality, name in (("text", "tuned"), ("adapted", "bert+adapter")):
        assert corpus.modalities[modality].encoder == text_encoder(name).name
    missing = sum(not u.text for c in corpus.conversations.values() for u in c.utterances)
    assert f"text: missing for {missing} of {corpus.size} utterances" in shown
    assert main([*command, "--output", "new"]) == 2
    assert "exists already" in capsys.readouterr().err


def test_fine_tune_in_context_then_import(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_bert(place / "bert", positions=40)
    tune = ["features", "finetune-text", "spoken", "--encoder", "bert", "--epochs", "1", "--device", "cpu"]
    assert main([*tune, "--output", "zero", "--context", "0"]) == 0
    assert main([*tune, "--output", "plain"]) == 0
    assert (place / "zero" / "finetune.json").read_text() == (place / "plain" / "finetune.json").read_text()
    assert main([*tune, "--output", "tuned", "--context", "2,1", "--speaker-names"]) == 0
    record = json.loads((place / "tuned" / "finetune.json").read_text())
    assert record["settings"]["context"] == {"before": 2, "after": 1, "speaker_names": True, "window": 0}
    lines = ["a,Ann,oh my !,glad", "a,Bob,what ?,calm", "b,Ann,what ?,calm", "c,Ann,oh,glad"]
    (place / "talk.csv").write_text("\n".join(["conversation,speaker,text,label", *lines, ""]))
    assert main(["corpus", "import", "talk.csv", "--text-encoder", "tuned", "--output", "c"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "2 utterances before and 1 after" in shown
    corpus = Corpus.open("c")
    after, alone = (corpus.modalities["text"].rows(corpus.rows(id))[row] for id, row in (("a", 1), ("b", 0)))
    assert not np.allclose(after, alone, atol=1e-4)
    for wrong in ("x", "1,x", "-1", "1,2,3"):
        with pytest.raises(SystemExit, match="2"):
            main([*tune, "--output", "x", f"--context={wrong}"])
        assert "--context" in capsys.readouterr().err


def test_mistakes_are_one_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "empty").mkdir()
    extract = ["features", "extract"]
    cases = [
        (["features", "finetune-text", "spoken", "--output", "x", "--epochs", "0"], "epochs 0"),
        (["features", "finetune-text", "nowhere", "--output", "x"], "not a corpus folder"),
        (["features", "finetune-text", "spoken", "--output", "x", "--encoder", "robert"], "robert"),
        (["features", "finetune-text", "spoken", "--output", "x", "--epoch", "1"], "did you mean '--epochs'"),
        (["features", "finetune-text", "spoken", "--output", "x", "--speaker-names"], "needs --context"),
        (["features", "finetune-text", "spoken", "--output", "x", "--context", "65"], "give 0 to 64"),
        ([*extract, "nowhere", "--encoder", "words", "--output", "x"], "no such file or folder"),
        ([*extract, "empty", "--encoder", "words", "--output", "x"], "neither transcripts nor recordings"),
        ([*extract, "spoken", "--encoder", "prosodi", "--output", "x"], "did you mean 'prosody'"),
        ([*extract, "spoken", "--encoder", "prosody", "--output", "x"], "needs recordings"),
        ([*extract, "spoken", "--encoder", "words", "--encoder", "words:8", "--output", "x"], "duplicate modality"),
        ([*extract, "clips", "--encoder", "words", "--output", "x"], "no utterance could be encoded"),
    ]
    for arguments, message in cases:
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (place / "x").exists()


def test_clips_become_features_that_can_be_imported(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "clips" / "dia1_utt3.wav").write_bytes(b"RIFF, but no more")
    command = ["features", "extract", "clips", "--encoder", "prosody", "--output", "made", "--cache", "kept"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "audio: prosody," in shown
    assert "audio: missing for 1 of 4 utterances: " in shown
    lines = [json.loads(line) for line in (place / "made" / "utterances.jsonl").read_text().splitlines()]
    assert [(line["conversation"], line["utterance"]) for line in lines] == [
        ("alone", "0"),
        ("dia1", "utt2"),
        ("dia1", "utt3"),
        ("dia1", "utt10"),
    ]
    with np.load(place / "made" / "audio.npz") as made:
        assert set(made.files) == {"encoder", "alone/0", "dia1/utt2", "dia1/utt10"}
        assert str(made["encoder"]) == "prosody"
    assert (place / "made" / "problems.txt").read_text().startswith("audio: dia1/utt3: ")
    assert (place / "kept" / "features.sqlite").is_file()
    assert main(["corpus", "import", "made/utterances.jsonl", "made/audio.npz", "--output", "c"]) == 2
    assert "column 'label' is empty" in capsys.readouterr().err


def test_several_utterances_at_a_time_make_the_same_features(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = []
    for jobs in ("1", "2"):
        command = ["features", "extract", "clips", "--encoder", "prosody", "--cache", f"cache{jobs}", "--jobs", jobs]
        assert main([*command, "--output", f"jobs{jobs}"]) == 0
        with np.load(place / f"jobs{jobs}" / "audio.npz") as file:
            made.append({key: file[key] for key in file.files})
    assert made[0].keys() == made[1].keys()
    for key, row in made[0].items():
        np.testing.assert_array_equal(row, made[1][key])
    with pytest.raises(SystemExit, match="2"):
        main(["features", "extract", "clips", "--encoder", "prosody", "--output", "x", "--jobs", "none"])
    assert "--jobs: 'none'" in capsys.readouterr().err


def test_a_transcript_with_its_recording(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_clip(place / "talk.wav", noise(3.0))
    (place / "talk.srt").write_text(
        "1\n00:00:00,000 --> 00:00:01,000\nAnn: Oh my god!\n\n2\n00:00:01,000 --> 00:00:02,500\nBob: What?\n"
    )
    command = ["features", "extract", "talk.srt", "--media", "talk.wav", "--output", "made", "--jobs", "1"]
    assert main([*command, "--encoder", "prosody", "--encoder", "words:32"]) == 0
    assert "audio: prosody, " in capsys.readouterr().out
    importing = ["corpus", "import", "made/utterances.jsonl", "made/audio.npz", "made/text.npz", "--output", "c"]
    assert main([*importing, "--labels", "a,b", "--dev-share", "0.5"]) == 2  # one conversation cannot be split
    assert "cannot be split" in capsys.readouterr().err


def test_an_interruption_says_how_to_go_on(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sdt.encoders.audio_prosody.Prosody.encode", stop)
    command = ["features", "extract", "clips", "--encoder", "prosody", "--jobs", "1", "--output", "made"]
    assert main(command) == 130
    assert "resume with the cache" in capsys.readouterr().err
    assert not (place / "made").exists()
    monkeypatch.setattr("sdt.training.display.Display.finish_batch", stop)
    tune = ["features", "finetune-text", "spoken", "--encoder", "bert", "--output", "t", "--device", "cpu"]
    assert main(tune) == 130
    assert "--resume" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.chdir(place)
    assert main([*tune, "--resume"]) == 0
    assert (place / "t" / "finetune.json").is_file()


def test_sound_and_film_of_an_utterance_may_be_two_files(place: Path) -> None:
    film = write_clip(place / "clips" / "alone.mp4", pictures=[np.zeros((48, 64, 3), np.uint8)] * 3)
    transcript = read_input(place / "clips")
    recordings = recordings_of(transcript, transcript.conversations, None)
    assert len(transcript.conversations) == 2
    for modality, path in (("visual", film), ("audio", film.with_suffix(".wav"))):
        clip = recordings.clip("alone", "0", modality)
        assert clip is not None
        assert clip.path == path


def test_transcripts_beside_recordings_are_what_is_read(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "clips" / "alone.txt").write_text("Ann: Hi\n")
    command = ["features", "extract", "clips", "--encoder", "prosody", "--output", "made", "--jobs", "1"]
    assert main(command) == 2
    assert "name them with --media" in capsys.readouterr().err
    assert main([*command, "--media", "clips"]) == 0
    line = json.loads((place / "made" / "utterances.jsonl").read_text())
    assert (line["conversation"], line["speaker"], line["text"]) == ("alone", "Ann", "Hi")
