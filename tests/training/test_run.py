from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

import sdt.training.epochs as epochs_module
from sdt.conversation import Conversation
from sdt.corpus.builder import write_corpus
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.calibration import fit_temperatures
from sdt.evaluation.outputs import SplitOutputs, run_model
from sdt.evaluation.scores import score_classifiers
from sdt.models.sdt.model import SDT
from sdt.prediction import StreamingPredictor
from sdt.training.display import Display
from sdt.training.folder import RunFolder
from sdt.training.recipe import load_recipe
from sdt.training.run import train
from sdt.training.settings import Recipe
from tests.training.conftest import make_builder

PUBLISHED = "epoch selected on test (protocol 'published')"


def quiet() -> Display:
    return Display(Console(file=io.StringIO()))


def with_training(recipe: Recipe, **changes: object) -> Recipe:
    return dataclasses.replace(recipe, training=dataclasses.replace(recipe.training, **changes))  # type: ignore[arg-type]


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl without the times."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    for line in lines:
        assert set(line.pop("seconds")) == {"training", "scoring", "sealed"}
    return lines


def train_interrupted(recipe: Recipe, folder: Path, *, scoring: int) -> None:
    """Train until this scoring, the first of which is that of epoch 1, is interrupted."""
    calls = []

    def interrupt(*args: Any, **options: Any) -> SplitOutputs:
        calls.append(args)
        if len(calls) == scoring:
            raise KeyboardInterrupt
        return run_model(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(epochs_module, "run_model", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, folder, display=quiet())


def assert_same_run(one: Path, other: Path) -> None:
    """Bit for bit, times apart."""
    assert metrics(one) == metrics(other)
    for name in ("scores.json", "model/config.json", "model/model.safetensors"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    for name in ("sealed/test.jsonl", "sealed/predictions.jsonl"):
        assert (one / name).exists() == (other / name).exists()
        if (one / name).exists():
            assert (one / name).read_bytes() == (other / name).read_bytes(), name
    for split in ("train", "dev", "test"):
        name = f"predictions/{split}.jsonl"
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> Path:
    """A finished run of the recipe."""
    from tests.training.conftest import make_recipe

    folder = tmp_path_factory.mktemp("runs") / "finished"
    train(make_recipe(corpus.folder), folder, display=quiet(), command=["sdt", "train", "x.yaml"])
    return folder


def test_the_run_folder(finished: Path, corpus: Corpus, recipe: Recipe) -> None:
    names = {"recipe.yaml", "environment.json", "metrics.jsonl", "scores.json", "model", "predictions", "sealed"}
    assert {path.name for path in finished.iterdir()} == names
    assert load_recipe(finished / "recipe.yaml") == recipe
    surroundings = json.loads((finished / "environment.json").read_text(encoding="utf-8"))
    assert surroundings["corpus"] == str(corpus.folder.resolve())
    assert surroundings["corpus_sha256"] == corpus.fingerprint
    assert surroundings["torch"] == torch.__version__
    assert surroundings["command"] == "sdt train x.yaml"
    for split, ids in corpus.splits.items():
        lines = (finished / "predictions" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        assert [json.loads(line)["conversation"] for line in lines] == [
            id for id in ids for _ in corpus.conversations[id].utterances
        ]


def test_a_line_of_metrics(finished: Path) -> None:
    lines = metrics(finished)
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    for line in lines:
        assert line.keys() == {"epoch", "best", "learning_rate", "losses", "students", "gradient_norm", "train", "dev"}
        assert line["losses"].keys() == {"task", "hard", "soft", "total"}
        assert line["students"].keys() == {"words", "voice"}
        for term in ("hard", "soft"):
            by_student = sum(of_student[term] for of_student in line["students"].values())
            assert by_student == pytest.approx(line["losses"][term], rel=1e-5)
        for split in ("train", "dev"):
            assert line[split].keys() == {"fused", "words", "voice"}
            assert line[split]["fused"].keys() >= {"accuracy", "weighted_f1", "macro_f1"}
            assert ("cross_entropy" in line[split]["voice"]) == (split == "dev")
    best = max(lines, key=lambda line: (line["dev"]["fused"]["weighted_f1"], -line["epoch"]))
    values, _ = RunFolder(finished).read_scores()
    assert values["epoch"] == best["epoch"] == [line["epoch"] for line in lines if line["best"]][-1]


def test_the_saved_model_is_the_best_and_has_the_saved_scores(finished: Path, corpus: Corpus) -> None:
    model = SDT.from_pretrained(finished)
    values, splits = RunFolder(finished).read_scores()
    assert splits.keys() == {"dev", "test"}
    for split, heads in splits.items():
        again = score_classifiers(run_model(model, corpus, corpus.split(split)), corpus.labels)
        assert {h: s.to_dict() for h, s in again.items()} == {h: s.to_dict() for h, s in heads.items()}
    best = next(line for line in metrics(finished) if line["epoch"] == values["epoch"])
    assert splits["dev"]["fused"].weighted_f1 == best["dev"]["fused"]["weighted_f1"]
    expected = {"protocol": "validation", "corpus": "tiny", "corpus_sha256": corpus.fingerprint, "seed": 0}
    assert model.config.provenance == {**expected, "epoch": values["epoch"], "terms": ["task", "hard", "soft"]}


@pytest.mark.parametrize("confusion", [[], [[0, 0, 0]] * 3, [[1, 0], [0, 1]], "x"])
def test_a_damaged_confusion_matrix(finished: Path, tmp_path: Path, confusion: object) -> None:
    values = json.loads((finished / "scores.json").read_text(encoding="utf-8"))
    values["scores"]["test"]["fused"]["confusion"] = confusion
    (tmp_path / "scores.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(InputError, match=r"scores\.json: missing or damaged"):
        RunFolder(tmp_path).read_scores()


def test_temperatures_are_fitted_on_dev(finished: Path, corpus: Corpus) -> None:
    model = SDT.from_pretrained(finished)
    assert model.config.temperatures.keys() == {"fused", "words", "voice"}
    uncalibrated = SDT.from_pretrained(finished)
    uncalibrated.config = dataclasses.replace(model.config, temperatures={})
    assert model.config.temperatures == fit_temperatures(run_model(uncalibrated, corpus, corpus.split("dev")))
    assert f"fused {model.config.temperature:.2f}" in (finished / "model" / "README.md").read_text(encoding="utf-8")


def test_the_model_card(finished: Path, corpus: Corpus) -> None:
    card = (finished / "model" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense:")
    for expected in (
        "CC0-1.0", corpus.fingerprint, "validation", "Seed 0", "`model.width`: 16", "### dev", "### test", "| cross |",
        "made-words", torch.__version__, "SDT.from_pretrained", "## Limits", "sdt train x.yaml",
    ):  # fmt: skip
        assert expected in card
    assert "published" not in card


def test_a_causal_run(recipe: Recipe, corpus: Corpus, tmp_path: Path) -> None:
    """It is evaluated as it will be used: its predictions on test are those of running conversations."""
    causal = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, context="window(2)"))
    train(with_training(causal, epochs=1), tmp_path / "run", display=quiet())
    assert load_recipe(tmp_path / "run" / "recipe.yaml").model.context == "window(2)"
    card = (tmp_path / "run" / "model" / "README.md").read_text(encoding="utf-8")
    assert "- `model.context`: window(2)" in card
    assert "the 1 before it" in card
    stream = StreamingPredictor.from_pretrained(tmp_path / "run", device="cpu")
    lines = (tmp_path / "run" / "predictions" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    expected = {(line["conversation"], line["utterance"]): line["probabilities"] for line in map(json.loads, lines)}
    for conversation in corpus.split("test"):
        rows = corpus.rows(conversation.id)
        made = {name: (of.rows(rows), of.present[rows]) for name, of in corpus.modalities.items()}
        for i, said in enumerate(conversation.utterances):
            features = {name: x[i] if present[i] else None for name, (x, present) in made.items()}
            found = stream.add(said, conversation.id, features=features)
            assert found.probabilities == pytest.approx(expected.pop((conversation.id, said.id)), abs=1e-5)
    assert not expected


def test_the_same_again_bit_for_bit(finished: Path, recipe: Recipe, tmp_path: Path) -> None:
    torch.rand(3)  # the state of the process does not matter
    train(recipe, tmp_path / "run", display=quiet())
    assert_same_run(finished, tmp_path / "run")
    train(dataclasses.replace(recipe, seed=1), tmp_path / "other", display=quiet())
    assert metrics(tmp_path / "other") != metrics(finished)


def test_settings_of_the_process_are_restored(finished: Path) -> None:
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("every", [1, 2])
def test_stopped_and_resumed(
    every: int, finished: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = with_training(recipe, checkpoint_every=every)

    def interrupt(*args: object, **kwargs: object) -> SplitOutputs:
        calls.append(1)
        if len(calls) == 4:  # the fourth epoch is trained, but not scored
            raise KeyboardInterrupt
        return run_model(*args, **kwargs)  # type: ignore[arg-type]

    calls: list[int] = []
    monkeypatch.setattr(epochs_module, "run_model", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", display=quiet())
    assert RunFolder(tmp_path / "run").epochs_done == 3 // every * every
    assert len(metrics(tmp_path / "run")) == 3
    train(recipe, tmp_path / "run", resume=True, display=quiet())
    assert_same_run(finished, tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoint").exists()
    surroundings = json.loads((tmp_path / "run" / "environment.json").read_text(encoding="utf-8"))
    assert [(again["after_epoch"], again["torch"]) for again in surroundings["resumed"]] == [
        (3 // every * every, torch.__version__)
    ]


def test_resumed_in_bfloat16_with_threads(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdt.models.sdt.branches.PARALLEL_SIZE", 0)
    recipe = with_training(recipe, epochs=3, precision="bfloat16")
    calls: list[int] = []

    def interrupt(*args: object, **kwargs: object) -> SplitOutputs:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return run_model(*args, **kwargs)  # type: ignore[arg-type]

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        train(recipe, tmp_path / "whole", display=quiet())
        monkeypatch.setattr(epochs_module, "run_model", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path / "run", display=quiet())
        monkeypatch.setattr(epochs_module, "run_model", run_model)
        train(recipe, tmp_path / "run", resume=True, display=quiet())
    finally:
        torch.set_num_threads(threads)
    assert_same_run(tmp_path / "whole", tmp_path / "run")


def test_resume_with_nothing_there_starts(finished: Path, recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run", resume=True, display=quiet())
    assert_same_run(finished, tmp_path / "run")


def test_resume_of_a_finished_run_leaves_it(finished: Path, recipe: Recipe) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    train(recipe, finished, resume=True, display=quiet())
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before


def test_a_folder_that_is_taken(finished: Path, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a finished run; resume it with --resume, replace it with --overwrite"):
        train(recipe, finished, display=quiet())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="is not empty and not a run folder"):
            train(recipe, tmp_path / "mine", overwrite=overwrite, display=quiet())
    assert (tmp_path / "mine" / "thesis.txt").exists()
    with pytest.raises(InputError, match="is a file"):
        train(recipe, tmp_path / "mine" / "thesis.txt", display=quiet())


def test_overwrite(recipe: Recipe, tmp_path: Path) -> None:
    short = with_training(recipe, epochs=1)
    train(short, tmp_path / "run", display=quiet())
    train(with_training(recipe, epochs=2), tmp_path / "run", overwrite=True, display=quiet())
    assert len(metrics(tmp_path / "run")) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_resume_with_other_settings_names_them(finished: Path, recipe: Recipe, tmp_path: Path) -> None:
    other = with_training(recipe, learning_rate=1.0)
    with pytest.raises(InputError, match=r"training\.learning_rate is 0\.003 in the run, but 1\.0 now"):
        train(other, finished, resume=True, display=quiet())
    write_corpus(make_builder(seed=9), tmp_path / "other")
    with pytest.raises(InputError, match="cannot resume with another corpus"):
        train(dataclasses.replace(recipe, corpus=str(tmp_path / "other")), finished, resume=True, display=quiet())


def test_resume_with_the_corpus_moved(recipe: Recipe, corpus: Corpus, finished: Path, tmp_path: Path) -> None:
    moved = write_corpus(make_builder(), tmp_path / "moved")
    assert moved.fingerprint == corpus.fingerprint
    train(dataclasses.replace(recipe, corpus=str(moved.folder)), finished, resume=True, display=quiet())


def test_batches_by_utterances_learn_and_keep_the_schedule(recipe: Recipe, tmp_path: Path) -> None:
    by_utterances = with_training(recipe, batch_utterances=24, schedule="linear", epochs=6)
    run = train(by_utterances, tmp_path / "run", display=quiet())
    lines = metrics(tmp_path / "run")
    assert lines[-1]["losses"]["total"] < lines[0]["losses"]["total"]
    rates = [line["learning_rate"] for line in lines]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < rates[0] / 4
    assert run.finished


def test_early_stopping(recipe: Recipe, tmp_path: Path) -> None:
    stalled = with_training(recipe, epochs=50, early_stopping=3, learning_rate=1e-30)
    train(stalled, tmp_path / "run", display=quiet())
    assert [line["best"] for line in metrics(tmp_path / "run")] == [True, False, False, False]


def test_what_chooses_never_runs_on_test_before_the_end(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []

    def spy(model: SDT, corpus: Corpus, conversations: list[Conversation], **options: Any) -> SplitOutputs:
        seen.append({conversation.id.rstrip("0123456789") for conversation in conversations})
        return run_model(model, corpus, conversations, **options)

    monkeypatch.setattr(epochs_module, "run_model", spy)
    train(recipe, tmp_path / "run", display=quiet())
    epochs_and_calibration = [{"dev"}] * (4 + 1)
    assert seen == [*epochs_and_calibration, {"train"}, {"dev"}, {"test"}]


def test_test_features_have_no_influence_on_training(
    finished: Path, recipe: Recipe, corpus: Corpus, tmp_path: Path
) -> None:
    builder = make_builder()
    first = sum(len(conversation) for conversation in corpus.split("train") + corpus.split("dev"))
    for table in builder.features.values():
        table.features[first:] = np.where(table.present[first:, None], 100.0, 0.0)
    changed = write_corpus(builder, tmp_path / "changed")
    train(dataclasses.replace(recipe, corpus=str(changed.folder)), tmp_path / "run", display=quiet())
    assert metrics(tmp_path / "run") == metrics(finished)
    model = "model/model.safetensors"
    assert (tmp_path / "run" / model).read_bytes() == (finished / model).read_bytes()


def test_published_says_so_everywhere(recipe: Recipe, tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=200)
    train(with_training(recipe, protocol="published"), tmp_path / "run", display=Display(console))
    lines = metrics(tmp_path / "run")
    assert all(line["caveat"] == PUBLISHED and "dev" not in line and "test" in line for line in lines)
    values, splits = RunFolder(tmp_path / "run").read_scores()
    assert values["caveat"] == PUBLISHED
    assert values["protocol"] == "published"
    assert splits.keys() == {"test"}
    best = max(line["test"]["fused"]["weighted_f1"] for line in lines)
    assert splits["test"]["fused"].weighted_f1 == best
    card = (tmp_path / "run" / "model" / "README.md").read_text(encoding="utf-8")
    assert f"### test ({PUBLISHED})" in card
    config = SDT.from_pretrained(tmp_path / "run").config
    assert config.provenance["protocol"] == "published"
    assert config.temperatures == {}  # there is no split left to fit them on
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert PUBLISHED in shown
    assert "dev" not in shown


def test_a_corpus_without_test(recipe: Recipe, tmp_path: Path) -> None:
    small = write_corpus(make_builder(test=0), tmp_path / "corpus")
    console = Console(file=io.StringIO(), width=200)
    train(dataclasses.replace(recipe, corpus=str(small.folder)), tmp_path / "run", display=Display(console))
    assert "only dev will be scored" in console.file.getvalue()  # type: ignore[attr-defined]
    _, splits = RunFolder(tmp_path / "run").read_scores()
    assert splits.keys() == {"dev"}


def test_a_loss_that_is_not_finite(recipe: Recipe, tmp_path: Path) -> None:
    builder = make_builder()
    table = builder.features["words"]
    table.features[5], table.present[5] = 1e38, True
    write_corpus(builder, tmp_path / "corpus")
    with pytest.raises(InputError, match=r"epoch 1, batch \d: .*conversations train.* has a checkpoint after epoch 0"):
        train(dataclasses.replace(recipe, corpus=str(tmp_path / "corpus")), tmp_path / "run", display=quiet())


def test_every_setting_of_the_training_can_be_used(recipe: Recipe, tmp_path: Path) -> None:
    full = with_training(
        recipe, epochs=2, optimizer="adamw", schedule="cosine", warmup=0.2, clip=1.0, early_stopping=2,
        class_weights="inverse", modality_dropout=0.5, precision="bfloat16",
    )  # fmt: skip
    full = dataclasses.replace(full, modalities=("voice",), model=dataclasses.replace(full.model, layers=2))
    train(full, tmp_path / "run", display=quiet())
    assert list(SDT.from_pretrained(tmp_path / "run").config.modalities) == ["voice"]


def test_what_does_not_fit_the_corpus_leaves_nothing(recipe: Recipe, tmp_path: Path) -> None:
    for wrong, message in (
        (dataclasses.replace(recipe, corpus=None), "name one with --corpus"),
        (dataclasses.replace(recipe, corpus=str(tmp_path / "none")), "not a corpus folder"),
        (dataclasses.replace(recipe, modalities=("voic",)), "did you mean 'voice'"),
        (with_training(recipe, class_weights=[1.0]), "1 numbers for 3 labels"),
    ):
        with pytest.raises(InputError, match=message):
            train(wrong, tmp_path / "run", display=quiet())
    assert not list(tmp_path.iterdir())


def test_a_corpus_that_was_changed_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    changed = write_corpus(make_builder(), tmp_path / "corpus")
    with changed.modalities["voice"].path.open("rb+") as file:
        file.seek(-1, io.SEEK_END)
        file.write(b"\x7f")
    with pytest.raises(InputError, match="voice"):
        train(dataclasses.replace(recipe, corpus=str(changed.folder)), tmp_path / "run", display=quiet())
    assert not (tmp_path / "run").exists()


def test_a_terminal_gets_bars(recipe: Recipe, tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    train(with_training(recipe, epochs=2), tmp_path / "run", display=Display(console))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "epochs" in shown
    assert "utterances/s" in shown
    assert "dev weighted F1" in shown
