"""The sealed test scores: right, and without a say in anything."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sdt.training.epochs as epochs_module
import sdt.training.test_monitor as sealed_module
from sdt.conversation import Conversation
from sdt.corpus.builder import write_corpus
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.outputs import SplitOutputs, run_model
from sdt.evaluation.scores import score
from sdt.models.sdt.model import SDT
from sdt.training.checkpoint import save_checkpoint
from sdt.training.folder import RunFolder
from sdt.training.run import train
from sdt.training.settings import Recipe
from sdt.training.test_monitor import CAVEAT
from tests.training.conftest import LABELS, make_builder, make_recipe
from tests.training.test_run import assert_same_run, metrics, quiet, with_training


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "finished"
    train(make_recipe(corpus.folder), folder, display=quiet())
    return folder


def sealed_lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "sealed" / "test.jsonl").read_text(encoding="utf-8").splitlines()]


def assert_same_choice(one: Path, other: Path) -> None:
    assert metrics(one) == metrics(other)
    assert (one / "model/model.safetensors").read_bytes() == (other / "model/model.safetensors").read_bytes()


def test_every_epoch_is_scored_as_if_it_were_the_last(finished: Path, recipe: Recipe, tmp_path: Path) -> None:
    lines = sealed_lines(finished)
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    for epochs in (1, 3):
        shorter = with_training(recipe, epochs=epochs)
        train(shorter, tmp_path / str(epochs), display=quiet())
        assert sealed_lines(tmp_path / str(epochs)) == lines[:epochs]  # constant rate: the same first epochs
    values, splits = RunFolder(finished).read_scores()
    chosen = lines[values["epoch"] - 1]["scores"]
    assert chosen == {head: of_head.to_dict() for head, of_head in splits["test"].items()}


def test_the_unsealed_result_is_the_best_on_test(finished: Path, corpus: Corpus) -> None:
    lines = sealed_lines(finished)
    values, splits = RunFolder(finished).read_scores()
    selected = values["test_chosen"]
    by_epoch = [line["scores"]["fused"]["weighted_f1"] for line in lines]
    assert selected["epoch"] == by_epoch.index(max(by_epoch)) + 1
    assert selected["scores"]["fused"]["weighted_f1"] == max(by_epoch) >= splits["test"]["fused"].weighted_f1
    assert selected["caveat"] == CAVEAT
    text = (finished / "sealed" / "predictions.jsonl").read_text(encoding="utf-8")
    said = [json.loads(line) for line in text.splitlines()]
    assert [(line["conversation"], line["utterance"], line["label"]) for line in said] == [
        (c.id, u.id, u.label) for c in corpus.split("test") for u in c.utterances
    ]
    true, predicted = ([LABELS.index(line[key]) for line in said] for key in ("label", "emotion"))
    assert score(true, predicted, LABELS).to_dict() == selected["scores"]["fused"]


def test_labels_and_features_of_test_choose_nothing(finished: Path, recipe: Recipe, tmp_path: Path) -> None:
    builder = make_builder()
    test = set(builder.splits["test"])
    conversations = list(builder.conversations)
    for index, conversation in enumerate(conversations):
        if conversation.id in test:
            changed = tuple(dataclasses.replace(u, label="calm") for u in conversation.utterances)
            conversations[index] = dataclasses.replace(conversation, utterances=changed)
    builder.conversations = conversations
    first = sum(len(c) for c in builder.conversations if c.id not in test)
    for table in builder.features.values():
        table.features[first:] = np.where(table.present[first:, None], 100.0, 0.0)
    write_corpus(builder, tmp_path / "changed")
    train(dataclasses.replace(recipe, corpus=str(tmp_path / "changed")), tmp_path / "run", display=quiet())
    assert sealed_lines(tmp_path / "run") != sealed_lines(finished)
    assert_same_choice(tmp_path / "run", finished)


@pytest.mark.parametrize("when", ["once", "never"])
def test_when_test_is_scored_changes_nothing_else(when: str, finished: Path, recipe: Recipe, tmp_path: Path) -> None:
    train(with_training(recipe, test=when), tmp_path / "run", display=quiet())
    assert_same_choice(tmp_path / "run", finished)
    assert not (tmp_path / "run" / "sealed").exists()
    values, splits = RunFolder(tmp_path / "run").read_scores()
    assert "test_chosen" not in values
    assert ("test" in splits) == (tmp_path / "run" / "predictions" / "test.jsonl").exists() == (when == "once")


def test_never_means_that_nothing_of_test_is_read(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spy(model: SDT, corpus: Corpus, conversations: list[Conversation], **options: Any) -> SplitOutputs:
        assert not any(conversation.id.startswith("test") for conversation in conversations)
        return run_model(model, corpus, conversations, **options)

    monkeypatch.setattr(epochs_module, "run_model", spy)
    monkeypatch.setattr(sealed_module, "run_model", spy)
    train(with_training(recipe, test="never"), tmp_path / "run", display=quiet())


def test_never_contradicts_published(recipe: Recipe) -> None:
    with pytest.raises(InputError, match=r"training\.test: never, but the protocol published"):
        with_training(recipe, test="never", protocol="published")


@pytest.mark.parametrize("damage", ["remove", "change", "garble"])
def test_what_happens_to_the_sealed_file_changes_no_choice(
    damage: str, finished: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after_checkpoint(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", display=quiet())
    monkeypatch.undo()
    file = tmp_path / "run" / "sealed" / "test.jsonl"
    if damage == "remove":
        file.unlink()
    elif damage == "garble":
        file.write_bytes(b"\xff{\n[]\n")
    else:
        lines = sealed_lines(tmp_path / "run")
        for line in lines:
            line["scores"]["fused"]["weighted_f1"] = 1.0
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    train(recipe, tmp_path / "run", resume=True, display=quiet())
    assert_same_choice(tmp_path / "run", finished)
    values, splits = RunFolder(tmp_path / "run").read_scores()
    expected, expected_splits = RunFolder(finished).read_scores()
    assert splits["test"]["fused"].to_dict() == expected_splits["test"]["fused"].to_dict()
    assert values["epoch"] == expected["epoch"]
    assert ("test_chosen" in values) == (damage == "change")


@pytest.mark.parametrize("every", [1, 3])
def test_epochs_after_the_checkpoint_are_sealed_anew(
    every: int, finished: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = with_training(recipe, checkpoint_every=every)
    stop_after_checkpoint(4, monkeypatch, write=False)  # the fourth epoch is sealed, its checkpoint is not written
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", display=quiet())
    monkeypatch.undo()
    assert len(sealed_lines(tmp_path / "run")) == 4
    train(recipe, tmp_path / "run", resume=True, display=quiet())
    assert_same_run(tmp_path / "run", finished)


def stop_after_checkpoint(epoch: int, monkeypatch: pytest.MonkeyPatch, *, write: bool = True) -> None:
    """Let the run be interrupted when it writes the checkpoint of an epoch."""

    def stopping(folder: Path, state: Any, *rest: Any) -> None:
        if state.epoch < epoch or write:
            save_checkpoint(folder, state, *rest)
        if state.epoch == epoch:
            raise KeyboardInterrupt

    monkeypatch.setattr(epochs_module, "save_checkpoint", stopping)
