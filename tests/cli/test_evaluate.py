from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import torch

from sdt.__main__ import main
from sdt.corpus.store import Corpus
from sdt.evaluation.calibration import calibration_error
from sdt.evaluation.outputs import run_model
from sdt.evaluation.scores import score, score_classifiers
from sdt.models.sdt.model import SDT
from sdt.training.models import model_for
from sdt.training.settings import Recipe
from tests.evaluation.small import small_corpus, small_model
from tests.test_files import full_disk

CAVEAT = "epoch selected on test (protocol 'published')"


@dataclass
class Home:
    corpus: Path
    run: Path
    """As training leaves it: model/ and environment.json."""


def make_run(folder: Path, corpus: Corpus, /, **provenance: Any) -> Path:
    known = {"protocol": "validation", "corpus": corpus.name, "corpus_sha256": corpus.fingerprint}
    small_model(corpus, **{**known, **provenance}).save_pretrained(folder / "model")
    (folder / "environment.json").write_text(json.dumps({"corpus": str(corpus.folder)}), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("home")
    corpus = small_corpus(folder / "small")
    return Home(corpus.folder, make_run(folder / "run", corpus))


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    code = main(["evaluate", *map(str, arguments), "--device", "cpu"])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_full_disk(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with full_disk():
        code, out, error = outcome(capsys, home.run, "--output", tmp_path / "scores")
    assert (code, out) == (2, "")
    assert error == f"sdt: {tmp_path / 'scores'}: File too large\n"
    assert list(tmp_path.iterdir()) == []


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The one line that a refusal prints."""
    code, out, err = outcome(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("sdt: ")
    assert err.count("\n") == 1
    return err


def test_tables(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = outcome(capsys, home.run)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert max(len(line) for line in lines if not line.startswith("note: ")) <= max(80, len(str(home.run)) + 6)
    # 13 utterances, of which the first of each of four conversations and one sixth have no label
    assert lines[0] == "small, split test, 8 utterances (and 5 without a label)"
    assert [line.split()[0] for line in lines if line.strip()][3:7] == [
        "─" * len(lines[4].strip()),
        *("fused", "text", "audio"),
    ]
    assert "fused prediction by class" in out
    assert "mean weight in the fusion: text " in out
    assert CAVEAT not in out


def test_json_is_all_that_is_printed_and_holds_the_scores(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = outcome(capsys, home.run / "model", "--corpus", home.corpus, "--split", "test", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    corpus = Corpus.open(home.corpus)
    model = small_model(corpus)
    expected = score_classifiers(run_model(model, corpus, corpus.split("test")), corpus.labels)
    assert found["scores"] == {head: scores.to_dict() for head, scores in expected.items()}
    assert (found["corpus"], found["corpus_sha256"], found["split"]) == ("small", corpus.fingerprint, "test")
    assert sum(found["weights"].values()) == pytest.approx(1)
    assert "caveat" not in found


def test_output_folder(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "scores"
    code, out, _ = outcome(capsys, home.run, "--output", folder)
    assert code == 0
    assert f"written to {folder}" in out
    names = ["confusion-audio.png", "confusion-text.png", "confusion.png", "predictions.jsonl", "scores.json"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert json.loads((folder / "scores.json").read_text("utf-8"))["scores"]["fused"]["utterances"] == 8
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text("utf-8").splitlines()]
    assert [line["conversation"] for line in lines] == ["test0"] * 4 + ["test1"] + ["test2"] * 6 + ["test3"] * 2
    assert all(line["speaker"] in ("A", "B") for line in lines)

    assert "exists already" in refused(capsys, home.run, "--output", folder)
    assert outcome(capsys, home.run, "--output", folder, "--overwrite")[0] == 0
    (folder / "thesis.tex").write_text("precious")
    assert "'thesis.tex'" in refused(capsys, home.run, "--output", folder, "--overwrite")
    assert (folder / "thesis.tex").read_text() == "precious"
    assert "is a file" in refused(capsys, home.run, "--output", folder / "thesis.tex")


def test_the_published_protocol_is_named_wherever_a_score_is(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run", Corpus.open(home.corpus), protocol="published")
    _, out, _ = outcome(capsys, run)
    assert out.count(CAVEAT) == 2  # one for each table
    _, out, _ = outcome(capsys, run, "--json")
    assert json.loads(out)["caveat"] == CAVEAT
    _, out, _ = outcome(capsys, run, "--split", "dev")
    assert "note: the model was trained on this split (dev)" in out


def test_notes_on_what_the_model_has_seen(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "note: the model was trained on this split (train)" in outcome(capsys, home.run, "--split", "train")[1]
    assert "note: the epoch of the model was selected on this split" in outcome(capsys, home.run, "--split", "dev")[1]
    other = make_run(tmp_path / "other", Corpus.open(home.corpus), corpus="MELD", corpus_sha256="0" * 64)
    assert "trained on another corpus (MELD)" in outcome(capsys, other)[1]
    small_model(Corpus.open(home.corpus)).save_pretrained(tmp_path / "bare")
    assert (
        "the training corpus of the model is unknown" in outcome(capsys, tmp_path / "bare", "--corpus", home.corpus)[1]
    )


def test_places_that_hold_no_model(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nowhere" in refused(capsys, tmp_path / "nowhere")
    assert "model" in refused(capsys, home.corpus, "--corpus", home.corpus)
    (tmp_path / "half" / "checkpoint").mkdir(parents=True)
    assert "not finished" in refused(capsys, tmp_path / "half")
    half = copytree(home.run, tmp_path / "nearly")
    (half / "checkpoint").mkdir()
    assert "not finished" in refused(capsys, half)
    (half / "scores.json").write_text("{}")  # all that was left to do is to remove the checkpoint
    assert outcome(capsys, half)[0] == 0


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("keep", [0, 60, 400])
def test_damaged_models(file: str, keep: int, home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = copytree(home.run, tmp_path / "run")
    path = run / "model" / file
    path.write_bytes(path.read_bytes()[:keep])
    assert file in refused(capsys, run)


def test_corpora_that_are_not_there(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "corpus.json" in refused(capsys, home.run, "--corpus", tmp_path)
    assert "--corpus FOLDER" in refused(capsys, home.run / "model")
    run = copytree(home.run, tmp_path / "run")
    (run / "environment.json").write_text('{"corpus": "gone"}')
    assert "the corpus gone does not exist" in refused(capsys, run)
    for text in ("{", "[]", "{}", '{"corpus": 3}'):
        (run / "environment.json").write_text(text)
        assert "environment.json: damaged" in refused(capsys, run)


def test_corpora_that_do_not_fit(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wide = small_corpus(tmp_path / "wide", widths={"text": 6, "audio": 4})
    assert "'text' has width 6" in refused(capsys, home.run, "--corpus", wide.folder)
    mute = small_corpus(tmp_path / "mute", widths={"text": 5})
    assert "no modality 'audio'" in refused(capsys, home.run, "--corpus", mute.folder)
    foreign = small_corpus(tmp_path / "foreign", labels=("calm", "proud"))
    assert "unknown to the model: proud" in refused(capsys, home.run, "--corpus", foreign.folder)
    unlabelled = small_corpus(tmp_path / "unlabelled", labelled=False)
    assert "split 'test' has no labelled" in refused(capsys, home.run, "--corpus", unlabelled.folder)


def test_a_split_that_is_not_there(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no split 'tset'; did you mean 'test'?" in refused(capsys, home.run, "--split", "tset")


@pytest.mark.parametrize("size", ["0", "-1", "many", "1.5"])
def test_batch_sizes_that_are_none(size: str, home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["evaluate", str(home.run), f"--batch-conversations={size}"])
    assert f"--batch-conversations: {size!r}" in capsys.readouterr().err


def test_cuda_where_there_is_none(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(["evaluate", str(home.run), "--device", "cuda"]) == 2
    assert "PyTorch finds no CUDA device" in capsys.readouterr().err


def test_a_model_in_the_box_is_found_by_its_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["evaluate", "english-text-audio-small", "--corpus", str(tmp_path)]) == 2
    assert "not a corpus folder" in capsys.readouterr().err


def test_the_model_can_be_an_option(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(capsys, "--model", home.run) == outcome(capsys, home.run)
    neither: list[str | Path] = []
    for both_or_none in (neither, [home.run, "--model", home.run]):
        assert "name one model" in refused(capsys, *both_or_none)


def test_a_model_without_weights_and_branches(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = Corpus.open(home.corpus)
    kind, config = model_for(Recipe(architecture="utterance"), corpus)
    kind(config).save_pretrained(tmp_path / "model", "# A card\n")
    code, out, err = outcome(capsys, tmp_path / "model", "--corpus", home.corpus)
    assert (code, err) == (0, "")
    assert "fused" in out
    assert "mean weight" not in out
    assert not any(line.split()[:1] == ["audio"] for line in out.splitlines())
    code, out, _ = outcome(capsys, tmp_path / "model", "--corpus", home.corpus, "--json")
    found = json.loads(out)
    assert list(found["scores"]) == ["fused"]
    assert "weights" not in found


def test_windows(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    found = {}
    for options in ((), ("--window", "99"), ("--window", "2", "--overlap", "1")):
        code, out, err = outcome(capsys, home.run, "--json", *options)
        assert (code, err) == (0, "")
        found[options[1:2]] = json.loads(out)
    assert found[()] == found["99",]
    lengths = [len(conversation) for conversation in Corpus.open(home.corpus).split("test")]
    cut = sum(length > 2 for length in lengths)
    assert found["2",]["notes"] == [
        f"{cut} of {len(lengths)} conversations were split into windows of 2 utterances with an overlap of 1"
    ]
    assert found["2",]["weights"] != found[()]["weights"]
    assert "overlap: 2 of a window of 2" in refused(capsys, home.run, "--window", "2", "--overlap", "2")


@pytest.fixture(scope="module")
def others(home: Home, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two more runs with other parameters and temperatures."""
    corpus, folders = Corpus.open(home.corpus), []
    for seed in (1, 2):
        folder = make_run(tmp_path_factory.mktemp("runs") / f"seed-{seed}", corpus)
        model = SDT.from_pretrained(folder)
        model.config = dataclasses.replace(model.config, temperatures={"fused": 0.5 + seed})
        torch.manual_seed(seed)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        model.save_pretrained(folder / "model")
        folders.append(folder)
    return folders


def test_an_ensemble_scores_the_mean_of_the_probabilities(
    home: Home, others: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [home.run, *others]
    code, out, err = outcome(capsys, *runs, "--ensemble", "--json", "--output", tmp_path / "scores")
    assert (code, err) == (0, "")
    found = json.loads(out)
    corpus = Corpus.open(home.corpus)
    outputs = [run_model(SDT.from_pretrained(run), corpus, corpus.split("test")) for run in runs]
    for head in ("fused", "text", "audio"):
        mean = np.mean([of.probabilities[head] for of in outputs], axis=0)
        assert found["scores"][head] == score(outputs[0].label, mean.argmax(axis=1), corpus.labels).to_dict()
    fused = np.mean([of.probabilities["fused"] for of in outputs], axis=0)
    assert found["expected_calibration_error"] == pytest.approx(calibration_error(fused, outputs[0].label))
    assert found["temperature"] == 1
    assert found["ensemble"] == [str(run) for run in runs]
    assert sum(found["weights"].values()) == pytest.approx(1)
    lines = (tmp_path / "scores/predictions.jsonl").read_text("utf-8").splitlines()
    written = [list(json.loads(line)["probabilities"].values()) for line in lines]
    np.testing.assert_allclose(written, fused, atol=1e-6)
    alone = [outcome(capsys, run, "--json")[1] for run in runs]
    assert all(json.loads(text)["scores"] != found["scores"] for text in alone[1:])
    assert all("ensemble" not in json.loads(text) for text in alone)
    assert outcome(capsys, *reversed(runs), "--ensemble", "--json")[0] == 0


def test_an_ensemble_with_a_run_of_the_published_protocol_says_so(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run", Corpus.open(home.corpus), protocol="published")
    assert json.loads(outcome(capsys, home.run, run, "--ensemble", "--json")[1])["caveat"] == CAVEAT
    assert outcome(capsys, home.run, run, "--ensemble")[1].count(CAVEAT) == 2


def test_an_ensemble_of_models_with_other_classifiers_keeps_the_common_ones(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind, config = model_for(Recipe(architecture="utterance"), Corpus.open(home.corpus))
    kind(config).save_pretrained(tmp_path / "model")
    found = json.loads(outcome(capsys, home.run, tmp_path / "model", "--ensemble", "--json")[1])
    assert list(found["scores"]) == ["fused"]
    assert "weights" not in found


def test_ensembles_that_are_refused(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = Corpus.open(home.corpus)
    small_model(corpus, ("text",)).save_pretrained(tmp_path / "text")
    assert "at least two" in refused(capsys, home.run, "--ensemble")
    assert "--ensemble" in refused(capsys, home.run, tmp_path / "text")
    assert "duplicate" in refused(capsys, home.run, home.run, "--ensemble")
    assert "modalities text, but text, audio" in refused(capsys, home.run, tmp_path / "text", "--ensemble")
    model = small_model(corpus)
    model.config = dataclasses.replace(model.config, labels=("cross", "calm", "glad"))
    model.save_pretrained(tmp_path / "labels")
    assert "labels cross, calm, glad" in refused(capsys, home.run, tmp_path / "labels", "--ensemble")
