from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from sdt.corpus.importers import ImportOptions
from sdt.corpus.importers.emorynlp import LABELS, join_speakers
from sdt.corpus.importing import import_corpus
from sdt.errors import InputError
from tests.corpus.importers.test_meld import table
from tests.shared import SHARED_DATA, needs_shared

HEADER = ("Utterance", "Speaker", "Emotion", "Scene_ID", "Utterance_ID", "Season", "Episode", "Start_Time", "End_Time")

Line = tuple[str, str, str, int, int, int, int]
"""Text, speakers, emotion, scene, utterance, season, episode."""

TRAIN: list[Line] = [
    ("We moved in!", "['Ann Lee']", "Joyful", 1, 1, 1, 2),
    ("Already?", "['Bob Ray', \"Ann's friend\"]", "Scared", 1, 3, 1, 2),  # the numbering has gaps
    ("Sit down.", "['Ann Lee']", "Powerful", 12, 1, 1, 2),
    ("Out.", "['Bob Ray']", "Mad", 1, 1, 10, 2),
]
DEV: list[Line] = [("Hm.", "['Ann Lee']", "Neutral", 2, 1, 1, 2)]
SCENES = ["s01_e02_c01", "s01_e02_c12", "s10_e02_c01", "s01_e02_c02"]


def annotation(folder: Path, split: str, lines: Sequence[Line]) -> Path:
    path = folder / f"emorynlp_{split}_final.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *([*line, "00:00:02.877", "00:00:07.548"] for line in lines)])
    return path


@pytest.fixture
def csvs(tmp_path: Path) -> list[Path]:
    return [annotation(tmp_path, "dev", DEV), annotation(tmp_path, "train", TRAIN)]


def test_scenes_become_conversations_of_their_split(csvs: list[Path]) -> None:
    builder = import_corpus(csvs, ImportOptions(text_encoder="words:8"))
    builder.check()
    assert builder.provenance["importer"] == "emorynlp-csv"
    assert [c.id for c in builder.conversations] == SCENES
    assert builder.splits == {"train": SCENES[:3], "dev": SCENES[3:]}
    assert (builder.name, builder.labels) == ("emorynlp", LABELS)
    one, two = builder.conversations[0].utterances
    assert (one.id, one.speaker, one.label, one.text) == ("1", "Ann Lee", "joyful", "We moved in!")
    assert (one.start, one.end) == (2.877, 7.548)
    assert (two.id, two.speaker) == ("3", "Bob Ray, Ann's friend")


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("['Ann Lee']", "Ann Lee"),
        ("""["Ann's sister", 'Bob']""", "Ann's sister, Bob"),
        (r"['Ann\'s sister']", "Ann's sister"),
        ("Ann", "Ann"),
        ("[Ann]", "[Ann]"),
        ("['#ALL#']", "#ALL#"),
    ],
)
def test_lists_of_speakers(cell: str, name: str) -> None:
    assert join_speakers(cell) == name


def test_tables_of_features_have_keys(csvs: list[Path], tmp_path: Path) -> None:
    audio = table(tmp_path / "a.csv", {"s01_e02_c01/1": [1, 2], "s01_e02_c02_1.wav": [3, 4], "s09_e09_c09/1": [5, 6]})
    builder = import_corpus(csvs, ImportOptions(), features={"audio": [audio]})
    builder.check()
    assert builder.features["audio"].present.tolist() == [True, False, False, False, True]
    np.testing.assert_array_equal(builder.features["audio"].features[[0, 4]], [[1, 2], [3, 4]])
    rows = tmp_path / "b.npy"
    np.save(rows, np.ones((5, 2)))
    with pytest.raises(InputError, match=r"b.npy: the rows have no keys"):
        import_corpus(csvs, ImportOptions(), features={"audio": [rows]})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Episode", "Part", "column 'Episode' is missing"),
        (",1,1,10,2", ",1,1,ten,2", "line 5: Season 'ten' is not a whole number"),
        (",1,1,10,2", ",1,1,1,2", "line 5: duplicate row of scene 1/2/1, utterance 1"),
        ("Scared", "Scary", "label 'scary' is not in the label set; did you mean 'scared'"),
        ("00:00:02.877", "soon", "line 2: 'soon' is not a time"),
    ],
)
def test_annotation_that_is_wrong(csvs: list[Path], old: str, new: str, message: str) -> None:
    csvs[1].write_text(csvs[1].read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        import_corpus(csvs, ImportOptions(text_encoder="words:8")).check()


def test_options_that_do_not_apply(csvs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="EmoryNLP's own files, which include a dev split"):
        import_corpus(csvs, ImportOptions(dev="share", text_encoder="words:8"))
    with pytest.raises(InputError, match="unknown split"):
        import_corpus([csvs[0].rename(tmp_path / "emorynlp.csv")], ImportOptions(text_encoder="words:8"))


@needs_shared("emorynlp")
def test_the_real_files() -> None:
    assert SHARED_DATA is not None
    files = [SHARED_DATA / "emorynlp" / f"emorynlp_{split}_final.csv" for split in ("test", "train", "dev")]
    builder = import_corpus(files, ImportOptions(text_encoder="words:8"))
    builder.check()
    conversations = {c.id: c for c in builder.conversations}
    assert {split: len(ids) for split, ids in builder.splits.items()} == {"train": 659, "dev": 89, "test": 79}
    labels = {
        split: Counter(u.label for id in ids for u in conversations[id].utterances)
        for split, ids in builder.splits.items()
    }
    assert {split: of.total() for split, of in labels.items()} == {"train": 7551, "dev": 954, "test": 984}
    assert [labels["train"][label] for label in LABELS] == [2485, 1677, 638, 551, 941, 785, 474]
    assert [labels["dev"][label] for label in LABELS] == [322, 205, 82, 70, 127, 97, 51]
    assert [labels["test"][label] for label in LABELS] == [288, 217, 111, 96, 116, 86, 70]
    utterances = [u for c in builder.conversations for u in c.utterances]
    assert all(u.text and u.start is not None and u.end is not None and u.start <= u.end for u in utterances)
    assert not any(u.speaker.startswith("[") for u in utterances)
    assert sum(", " in u.speaker for u in utterances) >= 60
