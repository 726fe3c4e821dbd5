"""sdt reproduce, as a user types it, on files of the published structure."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sdt.__main__ import main
from sdt.experiments import published as published_module
from sdt.experiments.published import PUBLISHED, Published
from sdt.formats.parsing.pickles import reader as unpickle
from sdt.splits import IEMOCAP_DEV
from sdt.training.recipe import load_recipe
from sdt.training.recipe_file import shipped_recipe
from tests.corpus.importers import layouts
from tests.experiments.conftest import processes

__all__ = ["processes"]

SMALL = replace(
    PUBLISHED["iemocap"],
    splits={"train": (3, 9), "dev": (1, 2), "test": (1, 3)},
    widths=layouts.WIDTHS,
)
"""What `layouts.sdt_iemocap` holds."""


def _lengths(published: Published, names: dict[str, list[Any]]) -> dict[Any, int]:
    """As many utterances as published, one conversation of each split longer than the others."""
    lengths = {}
    for split, ids in names.items():
        conversations, utterances = published.splits[split]
        assert len(ids) == conversations
        each = utterances // conversations
        lengths.update(dict.fromkeys(ids, each))
        lengths[ids[0]] = utterances - each * (conversations - 1)
    return lengths


def _whole(corpus: str, change: dict[str, int] | None = None) -> layouts.Content:
    """A file with the published counts and widths; all utterances have the same vector, so that it is small."""
    published = PUBLISHED[corpus]
    if corpus == "iemocap":
        train = [f"Ses01F_made{number}" for number in range(108)]
        names: dict[str, list[Any]] = {
            "train": train,
            "dev": list(IEMOCAP_DEV),
            "test": [f"Ses05F_made{number}" for number in range(31)],
        }
    else:
        names = {
            "train": [number for number in range(1039) if number != 60],
            "dev": list(range(1039, 1153)),
            "test": list(range(1153, 1433)),
        }
    lengths = _lengths(published, names)
    vectors = {name: np.full(width, 0.5, np.float32) for name, width in {**published.widths, **(change or {})}.items()}

    def features(modality: str) -> dict[Any, list[Any]]:
        return {c: [vectors[modality]] * n for c, n in lengths.items()}

    speakers = layouts.letters(lengths) if corpus == "iemocap" else layouts.one_hots(lengths)
    trailing = () if corpus == "iemocap" else ("whatever",)
    return (
        *(layouts.ids(lengths), speakers, layouts.labels(lengths, len(published.labels)), *[features("text")] * 4),
        *(features("audio"), features("visual"), layouts.sentences(lengths)),
        *([*names["train"], *names["dev"]], names["test"], *trailing),
    )


@pytest.mark.parametrize("corpus", PUBLISHED)
def test_published_scores_agree_with_each_other(corpus: str) -> None:
    """The per-class scores weigh up to the weighted F1; so they are at the right labels."""
    support = {"iemocap": (144, 245, 384, 170, 299, 381), "meld": (1256, 281, 50, 208, 402, 68, 345)}[corpus]
    published = PUBLISHED[corpus]
    assert sum(support) == published.splits["test"][1]
    by_class = [published.scores[f"f1:{label}"] for label in published.labels]
    assert np.average(by_class, weights=support) == pytest.approx(published.scores["weighted_f1"], abs=0.02)
    recipe = load_recipe(shipped_recipe(published.recipe))
    assert recipe.modalities is not None
    assert set(recipe.modalities) == set(published.widths)


@pytest.mark.parametrize("corpus", PUBLISHED)
def test_a_file_with_the_published_counts_and_widths_is_recognised(
    corpus: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # One vector is shared by all utterances, so that the file expands far more than a real one.
    monkeypatch.setattr(unpickle, "max_expanded_bytes", lambda _: 2**40)
    layouts.write(tmp_path / PUBLISHED[corpus].file, _whole(corpus))
    assert main(["reproduce", corpus, str(tmp_path), "--check", "--output", str(tmp_path / "out")]) == 0
    train = "train 108 with 5163" if corpus == "iemocap" else "train 1038 with 9989"
    assert f"as expected: conversations with utterances: {train}, dev " in capsys.readouterr().out
    assert (tmp_path / "out/corpus/corpus.json").is_file()


def test_everything_that_is_not_as_published_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = layouts.write(tmp_path / "other.pkl", layouts.sdt_iemocap())
    assert main(["reproduce", "iemocap", str(path), "--output", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "other.pkl: not the features of the published experiment:\n" in error
    assert "  train: 3 conversations with 9 utterances instead of 108 with 5163\n" in error
    assert "  dev: 1 conversations with 2 utterances instead of 12 with 647\n" in error
    assert "  audio: width 7 instead of 1582\n" in error
    assert not (tmp_path / "out").exists()


def test_the_other_corpus_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = layouts.write(tmp_path / "meld.pkl", layouts.sdt_meld())
    assert main(["reproduce", "iemocap", str(path), "--output", str(tmp_path / "out")]) == 2
    assert "labels neutral, surprise, fear" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("made", "place", "expected"),
    [
        ("MELD_features_raw1.pkl", ".", "iemocap_multimodal_features.pkl, the feature file of the published"),
        ("notes.txt", ".", "the folder has no pickle"),
        ("notes.txt", "nowhere", "nowhere: file or folder not found"),
    ],
)
def test_the_file_is_not_there(
    made: str, place: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / made).write_bytes(b"")
    assert main(["reproduce", "iemocap", str(tmp_path / place), "--output", str(tmp_path / "out")]) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("processes")
def test_both_protocols_beside_the_published_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(published_module, "PUBLISHED", {"iemocap": SMALL})
    monkeypatch.chdir(tmp_path)
    layouts.write(tmp_path / SMALL.file, layouts.sdt_iemocap())
    command = ["reproduce", "iemocap", ".", "--seeds", "0", "--threads", "1", "--output", "out"]
    command += ["--training.epochs", "1", "--model.width", "16", "--model.heads", "2"]
    assert main(command) == 0
    table = (tmp_path / "out/reproduction.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.rstrip().endswith("written to out: reproduction.md; the runs are in out/runs")
    lines = [line for line in table.splitlines() if line.startswith("| weighted F1 |")]
    cells = [cell.strip() for cell in lines[0].strip("|").split("|")]
    scores = {
        row: json.loads((tmp_path / f"out/runs/{row}/seed-0/scores.json").read_text(encoding="utf-8"))
        for row in ("validation", "published")
    }
    measured = [100 * scores[row]["scores"]["test"]["fused"]["weighted_f1"] for row in ("validation", "published")]
    assert [cells[1], cells[3], cells[4]] == [*(f"{value:.2f}" for value in measured), "74.08"]
    assert scores["published"]["protocol"] == "published"
    recipe = load_recipe(tmp_path / "out/runs/published/seed-0/recipe.yaml")
    assert recipe.training.protocol == "published"
    assert recipe.training.batch_conversations == 16, "the published recipe"

    # Another file under the same output is refused; the same one is not read again.
    assert main(command) == 0
    layouts.write(tmp_path / SMALL.file, layouts.sdt_iemocap({**layouts.IEMOCAP_LENGTHS, "Ses05F_impro04": 4}))
    assert main(command) == 2
    assert "out/corpus: imported from another file than" in capsys.readouterr().err
