from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from sdt.__main__ import main
from sdt.corpus.importers import ImportOptions
from sdt.corpus.importing import import_corpus
from sdt.errors import InputError
from tests.shared import SHARED_DATA, needs_shared

TRANSCRIPTS = [
    ("vid_b_10", "IT WAS FINE", "2", "1"),
    ("vid_a_2", "I LEFT EARLY", "1", "0"),
    ("vid_b_2", "THE CAST IS GREAT", "2", "1"),
    ("vid_a_1", "I HATED IT", "1", "0"),
    ("vid_c_3", "GO SEE IT", "3", "1"),
    ("vid_d_1", "NOT USED", "4", "1"),
]
ORDER = {"train": [0, 1, 2, 3], "test": [4]}
"""Rows of the transcripts."""


def rows(path: Path, lines: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(lines)


def write_mosi(
    place: Path, transcripts: Sequence[Sequence[str]] = TRANSCRIPTS, order: Mapping[str, Sequence[int]] = ORDER
) -> Path:
    """The first feature of every modality is the row of the transcripts."""
    place.mkdir()
    rows(place / "transcripts.csv", transcripts)
    for split, numbers in order.items():
        rows(place / f"text_{split}.csv", [[row, row, 0.5] for row in numbers])
        for name, width in (("text", 2), ("audio", 3), ("video", 4)):
            lines = [[row, *[0.25] * (width - 1), transcripts[row][3]] for row in numbers]
            rows(place / f"{name}_{split}0.csv", lines)
    return place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_mosi(tmp_path / "mosi")


def test_videos_become_conversations_in_spoken_order(folder: Path) -> None:
    builder = import_corpus([folder], ImportOptions())
    builder.check()
    assert builder.provenance["importer"] == "mosi"
    assert [c.id for c in builder.conversations] == ["vid_a", "vid_b", "vid_c"]
    assert builder.splits == {"train": ["vid_a", "vid_b"], "test": ["vid_c"]}
    utterances = [u for c in builder.conversations for u in c.utterances]
    assert [u.id for u in utterances] == ["1", "2", "2", "10", "3"]
    assert [u.text for u in utterances][:2] == ["I HATED IT", "I LEFT EARLY"]
    assert [u.label for u in utterances] == ["negative", "negative", "positive", "positive", "positive"]
    assert {u.speaker for u in builder.conversations[1].utterances} == {"vid_b"}
    assert {name: table.shape for name, table in builder.features.items()} == {
        "text": (5, 2),
        "audio": (5, 3),
        "visual": (5, 4),
    }
    for table in builder.features.values():
        assert table.features[:, 0].tolist() == [3, 1, 2, 0, 4]


def test_the_import_says_that_features_have_seen_their_labels(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = folder.parent / "c"
    assert main(["corpus", "import", str(folder), "--normalise", "audio=corpus", "--output", str(output)]) == 0
    assert "have seen its labels" in capsys.readouterr().out
    header = json.loads((output / "corpus.json").read_text(encoding="utf-8"))
    assert len(header["provenance"]["caveats"]) == 1
    assert len(header["provenance"]["files"]) == 9


def test_dev_is_held_out_on_demand(folder: Path) -> None:
    builder = import_corpus([folder], ImportOptions(dev="share", dev_share=0.5, text_encoder="words:8"))
    assert {split: len(ids) for split, ids in builder.splits.items()} == {"train": 1, "dev": 1, "test": 1}
    assert builder.features["text"].encoder == "words:8"
    with pytest.raises(InputError, match="dev 'session4'"):
        import_corpus([folder], ImportOptions(dev="session4"))


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("transcripts.csv", '"vid_a_2"', '"vida"', "line 2: 'vida' is not VIDEO_NUMBER"),
        ("transcripts.csv", '"1","0"', '"1","2"', "line 2: the label '2' is neither 0"),
        ("text_train.csv", '"3","3"', '"6","3"', "line 4: '6' is not a row of transcripts.csv; expected 0 to 5"),
        ("text_train.csv", '"3","3"', '"0","3"', "line 4: row 0 of transcripts.csv is already in line 1"),
        ("audio_train0.csv", '"0.25","0.25","0"', '"0.25","0.25","1"', "line 2: the label 1 is not that of vid_a_2"),
        ("video_test0.csv", '"0.25"', '"x"', "line 1, column 2: 'x' is not a number"),
        ("video_test0.csv", '"0.25",', "", "1 features, but"),
    ],
)
def test_files_that_contradict_each_other(folder: Path, name: str, old: str, new: str, message: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        import_corpus([folder], ImportOptions())
    assert name in str(caught.value)


def test_files_that_are_not_there_or_too_short(folder: Path) -> None:
    lines = (folder / "text_train0.csv").read_text(encoding="utf-8").splitlines()
    (folder / "text_train0.csv").write_text("\n".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(InputError, match=r"text_train0.csv: 3 rows, but the split has 4"):
        import_corpus([folder], ImportOptions())
    (folder / "text_train0.csv").unlink()
    with pytest.raises(InputError, match=r"text_train0.csv: file not found"):
        import_corpus([folder], ImportOptions())
    (folder / "text_train.csv").unlink()
    with pytest.raises(InputError, match="CMU-MOSI"):
        import_corpus([folder], ImportOptions())


@needs_shared("mosi")
def test_the_real_files() -> None:
    assert SHARED_DATA is not None
    builder = import_corpus([SHARED_DATA / "mosi"], ImportOptions(normalise={"audio": "corpus"}))
    builder.check()
    conversations = {c.id: c for c in builder.conversations}
    assert {split: len(ids) for split, ids in builder.splits.items()} == {"train": 62, "test": 31}
    labels = {
        split: Counter(u.label for id in ids for u in conversations[id].utterances)
        for split, ids in builder.splits.items()
    }
    assert labels == {"train": {"negative": 738, "positive": 709}, "test": {"negative": 285, "positive": 467}}
    assert [table.shape for table in builder.features.values()] == [(2199, 100), (2199, 73), (2199, 100)]
    train = np.array([id in builder.splits["train"] for id, _ in builder.utterance_keys()])
    np.testing.assert_allclose(builder.features["audio"].features[train].mean(axis=0), 0, atol=1e-3)
