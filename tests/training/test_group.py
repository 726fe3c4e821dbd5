"""Groups of runs, and what a user may call them."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.training.group import Group
from sdt.training.systems import find_systems
from tests.evaluation.runs import make_run


@pytest.fixture(scope="module")
def home(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`full/seed-1`, `full/seed-10`, `full/seed-2`."""
    folder = tmp_path_factory.mktemp("runs")
    for seed in (2, 1, 10):
        make_run(folder / "full" / f"seed-{seed}", corpus, seed)
    return folder


@pytest.mark.parametrize("name", ["full", "full/seed-*", "full/seed-1*"])
def test_folders_and_patterns(home: Path, name: str) -> None:
    group = Group.find(str(home / name))
    assert group.seeds == ((1, 10) if "1*" in name else (1, 2, 10))  # by number, not by name
    assert group.unfinished == ()
    assert group.summary("test").classifiers["fused"]["accuracy"].mean > 0


def test_one_run_is_a_group(home: Path) -> None:
    assert Group.find(str(home / "full" / "seed-2")).seeds == (2,)


def test_a_system_holds_the_predictions_of_all_runs(home: Path, corpus: Corpus) -> None:
    system = Group.find(str(home / "full")).system("test")
    assert system.predicted.shape == (3, sum(map(len, corpus.split("test"))))
    assert (system.labels, system.seeds, system.corpus_sha256) == (corpus.labels, (1, 2, 10), corpus.fingerprint)
    accuracy = json.loads((home / "full/seed-2/scores.json").read_text("utf-8"))["scores"]["test"]["fused"]["accuracy"]
    assert np.mean(system.predicted[1] == system.true) == pytest.approx(accuracy)


def test_unfinished_runs_are_left_out_and_named(home: Path, tmp_path: Path) -> None:
    copytree(home / "full", tmp_path / "full")
    (tmp_path / "full" / "seed-1" / "scores.json").unlink()
    group = Group.find(str(tmp_path / "full"))
    assert group.seeds == (2, 10)
    assert "unfinished runs are excluded" in group.system("test").caveats[0]
    with pytest.raises(InputError, match=r"seed-1: not a finished run"):
        Group.of("all", [tmp_path / "full" / "seed-1", tmp_path / "full" / "seed-2"])


def test_what_is_no_group(home: Path, corpus: Corpus, tmp_path: Path) -> None:
    for name in ("nowhere", "none-*", ""):
        with pytest.raises(InputError, match="expected a run folder, a folder of runs that differ only in their seed"):
            Group.find(str(tmp_path / name))
    with pytest.raises(InputError, match=r"contains several groups of runs; name one of .*full"):
        Group.find(str(home))
    copytree(home / "full" / "seed-1", tmp_path / "one")
    copytree(home / "full" / "seed-1", tmp_path / "two")
    with pytest.raises(InputError, match="contain duplicates"):
        Group.find(str(tmp_path))
    other = make_run(tmp_path / "other", corpus, 2, learning_rate=0.5)
    with pytest.raises(InputError, match=r"training\.learning_rate is 0\.5, but 0\.003 in .*one"):
        Group.of("mixed", [tmp_path / "one", other])
    published = make_run(tmp_path / "published", corpus, 3, protocol="published")
    with pytest.raises(InputError, match="protocol is published, but"):
        Group.of("mixed", [tmp_path / "one", published])
    assert Group.find(str(published)).system("test").caveats == ("epoch selected on test (protocol 'published')",)
    with pytest.raises(InputError, match="no predictions of split 'train'; available: dev, test"):
        Group.find(str(other)).system("train")
    with pytest.raises(InputError, match="no scores of split 'train'; available: dev, test"):
        Group.find(str(other)).summary("train")


def test_names_of_systems(home: Path, tmp_path: Path) -> None:
    full = home / "full"
    said = find_systems([str(full), f"one={full}/seed-1", f"{full}/seed-2"], "test")
    assert [system.name for system in said] == ["full", "one", "seed-2"]
    (tmp_path / "a=b").symlink_to(full)
    assert find_systems([str(tmp_path / "a=b")], "test")[0].name == "a=b"
    copytree(full / "seed-1", tmp_path / "seed-1")
    said = find_systems([f"{full}/seed-1", str(tmp_path / "seed-1")], "test")
    assert [system.name for system in said] == [f"{full}/seed-1", str(tmp_path / "seed-1")]
    with pytest.raises(InputError, match="x: duplicate system"):
        find_systems([f"x={full}", f"x={full}/seed-1"], "test")


def test_files_of_other_programs(home: Path, corpus: Corpus, tmp_path: Path) -> None:
    places = [(c.id, u.id, u.label) for c in corpus.split("test") for u in c.utterances]
    plain = "".join(f"{c},{u},{label}\n" for c, u, label in places)
    for seed in (1, 2):
        (tmp_path / f"mine-{seed}.csv").write_text("conversation,utterance,emotion\n" + plain, encoding="utf-8")
    run, mine = find_systems([str(home / "full"), str(tmp_path / "mine-*.csv")], "test")
    assert (mine.name, mine.seeds, mine.labels) == ("mine-*.csv", (1, 2), run.labels)
    assert (mine.predicted == mine.true).all()
    with pytest.raises(InputError, match="has no labels; add a column 'label'"):
        find_systems([str(tmp_path / "mine-1.csv")], "test")
    (mine,) = find_systems([str(tmp_path / "mine-1.csv")], "test", corpus)
    assert (mine.seeds, mine.labels) == ((None,), corpus.labels)
    (run,) = find_systems([f"{home}/full/seed-1/predictions/test.jsonl"], "test")
    assert run.labels == corpus.labels
