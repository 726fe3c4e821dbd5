from __future__ import annotations

import csv
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from sdt.corpus.importers import ImportOptions
from sdt.corpus.importers.meld import LABELS
from sdt.corpus.importing import import_corpus
from sdt.errors import InputError
from tests.shared import SHARED_DATA, needs_meld

HEADER = [
    *("Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID"),
    *("Season", "Episode", "StartTime", "EndTime"),
]

Line = tuple[int, int, str, str, str]
"""Dialogue, utterance, speaker, emotion, text."""

TRAIN: list[Line] = [
    (0, 0, "Joey", "joy", "Hey!"),
    (0, 1, "Ross", "neutral", "You\x92re late."),
    (0, 3, "Joey", "sadness", "I know."),  # the numbering has gaps
    (2, 0, "Monica", "anger", "Stop that, “now”!"),
    (2, 1, "Rachel", "fear", "Sorry, sorry"),
]
DEV: list[Line] = [(0, 0, "Ross", "surprise", "Really?"), (1, 0, "Phoebe", "disgust", "Ew.")]


def annotation(folder: Path, split: str, lines: Sequence[Line]) -> Path:
    path = folder / f"{split}_sent_emo.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number, (dialogue, utterance, speaker, emotion, text) in enumerate(lines, start=1):
            times = ("00:16:16,059", "00:16:21,731")
            writer.writerow([number, text, speaker, emotion, "neutral", dialogue, utterance, 8, 21, *times])
    return path


def table(path: Path, rows: Mapping[str, Sequence[object]], header: Sequence[str] = ("filename", "f0", "f1")) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *([key, *values] for key, values in rows.items())])
    return path


@pytest.fixture
def csvs(tmp_path: Path) -> list[Path]:
    return [annotation(tmp_path, "train", TRAIN), annotation(tmp_path, "dev", DEV)]


def test_dialogues_become_conversations_of_their_split(csvs: list[Path]) -> None:
    builder = import_corpus(csvs, ImportOptions(text_encoder="words:8"))
    builder.check()
    assert [c.id for c in builder.conversations] == ["train_0", "train_2", "dev_0", "dev_1"]
    assert builder.splits == {"train": ["train_0", "train_2"], "dev": ["dev_0", "dev_1"]}
    assert builder.labels == LABELS
    assert builder.licence == "GPL-3.0"
    assert (builder.speakers.mode, builder.speakers.count) == ("appearance", 2)
    first = builder.conversations[0]
    assert [u.id for u in first.utterances] == ["0", "1", "3"]
    assert first.utterances[1].text == "You’re late."
    assert (first.utterances[0].start, first.utterances[0].end) == (976.059, 981.731)
    assert any("Windows-1252 control characters repaired: 1" in note for note in builder.notes)


def test_lines_in_any_order_and_repeated_ones(tmp_path: Path) -> None:
    path = annotation(tmp_path, "train", [*reversed(TRAIN), TRAIN[0]])
    # The running number is no part of an utterance.
    builder = import_corpus([path], ImportOptions(text_encoder="words:8"))
    assert [u.id for u in builder.conversations[0].utterances] == ["0", "1", "3"]
    assert any("1 repeated" in note for note in builder.notes)


def test_a_repeated_line_that_says_something_else_is_refused(tmp_path: Path) -> None:
    path = annotation(tmp_path, "train", [*TRAIN, (0, 0, "Joey", "anger", "Hey!")])
    with pytest.raises(InputError, match=r"train_sent_emo.csv, line 7: .*dialogue 0, utterance 0"):
        import_corpus([path], ImportOptions(text_encoder="words:8"))


def test_tables_in_every_form_give_the_same(csvs: list[Path], tmp_path: Path) -> None:
    values = {(0, 3): [1.0, 2.0], (0, 0): [3.0, 4.0], (2, 1): [5.0, 6.0], (9, 9): [7.0, 8.0]}
    wav = {f"dia{d}_utt{u}.wav": row for (d, u), row in values.items()}
    paths = [table(tmp_path / "a_train.csv", wav), tmp_path / "b_train.npz", tmp_path / "c_train.pkl"]
    np.savez(paths[1], **{f"dia{d}_utt{u}": np.array(row) for (d, u), row in values.items()})  # type: ignore[arg-type]
    paths[2].write_bytes(pickle.dumps({f"{d}_{u}": np.array(row) for (d, u), row in values.items()}))
    tuples = tmp_path / "d_train.pickle"
    tuples.write_bytes(pickle.dumps(values))
    for path in (*paths, tuples):
        builder = import_corpus(csvs, ImportOptions(), features={"audio": [path]})
        builder.check()
        found = builder.features["audio"]
        assert found.present.tolist() == [True, False, True, False, True, False, False], path
        np.testing.assert_array_equal(found.features[[0, 2, 4]], [[3, 4], [1, 2], [5, 6]])
        assert not found.features[[1, 3, 5, 6]].any()
        assert any("1 rows without an annotated utterance" in note for note in builder.notes)
        assert any("2 utterances have no row, first dia0_utt1" in note for note in builder.notes)
        assert any("no table for the dev split" in note for note in builder.notes)


def test_the_keys_tell_the_split_where_the_name_does_not(csvs: list[Path], tmp_path: Path) -> None:
    rows = {f"dia{d}_utt{u}.wav": [d, u] for d, u, *_ in TRAIN}
    builder = import_corpus(csvs, ImportOptions(), features={"x": [table(tmp_path / "x.csv", rows)]})
    assert builder.features["x"].present.tolist() == [True] * 5 + [False] * 2
    ambiguous = table(tmp_path / "y.csv", {"dia0_utt0.wav": [1, 2]})
    dev_like = table(tmp_path / "z.csv", {"dia0_utt0.wav": [1, 2], "dia2_utt0.wav": [1, 2]})
    builder = import_corpus(csvs, ImportOptions(), features={"x": [ambiguous]})  # half of dev, but a fifth of train
    assert builder.features["x"].present.tolist() == [False] * 5 + [True, False]
    with pytest.raises(InputError, match="add train, dev or test to the file name"):
        import_corpus(csvs, ImportOptions(), features={"x": [dev_like]})


def test_missing_values_count_and_name_the_first(csvs: list[Path], tmp_path: Path) -> None:
    path = table(tmp_path / "train.csv", {"dia0_utt0.wav": [1, 2], "dia0_utt1.wav": ["", 2], "dia0_utt3.wav": ["", ""]})
    builder = import_corpus(csvs, ImportOptions(), features={"x": [path]})
    assert builder.features["x"].present.tolist()[:3] == [True, True, False]  # a row of nothing is a missing one
    with pytest.raises(InputError, match=r"1 NaN or infinite values in 1 utterances.*'train_0', utterance '1'"):
        builder.check()
    builder.check(treat_as_missing=True)
    assert builder.features["x"].present.tolist()[:3] == [True, False, False]


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("test.csv", {"dia0_utt0.wav": [1, 2]}, "is of the test split by its name"),
        ("train.csv", {"clip": [1, 2]}, "no key is an utterance of the train split"),
        ("train.csv", {"dia0_utt0.wav": [1, "x"]}, "columns are not numbers"),
        ("train.csv", {"dia0_utt0.wav": [1, 2], "dia0_utt1.wav": [1, "x"]}, r"line 3, column 3: 'x' is not a number"),
        ("train.csv", {"dia0_utt0.wav": [1, 2], "dia0_utt0.mp4": [1, 3]}, r"line 3: .* line 2"),
        ("train.csv", {"dia0_utt0.wav": [1, 2], "dia0_utt1.wav": [1]}, "line 3: 2 cells, but line 1 has 3"),
        ("train.csv", {"1": [1, 2]}, "the rows have no keys"),
    ],
)
def test_a_table_that_does_not_fit(
    csvs: list[Path], tmp_path: Path, name: str, rows: Mapping[str, Sequence[object]], message: str
) -> None:
    path = table(tmp_path / name, rows)
    with pytest.raises(InputError, match=message) as caught:
        import_corpus(csvs, ImportOptions(), features={"x": [path]})
    assert str(path) in str(caught.value)


def test_one_table_for_each_split_and_all_of_one_width(csvs: list[Path], tmp_path: Path) -> None:
    train = table(tmp_path / "x_train.csv", {"dia0_utt0.wav": [1, 2]})
    again = table(tmp_path / "y_train.csv", {"dia0_utt0.wav": [1, 2]})
    narrow = table(tmp_path / "x_dev.csv", {"dia0_utt0.wav": [1]}, header=("filename", "f0"))
    with pytest.raises(InputError, match="second table of 'x' for the train split"):
        import_corpus(csvs, ImportOptions(), features={"x": [train, again]})
    with pytest.raises(InputError, match="1 features"):
        import_corpus(csvs, ImportOptions(), features={"x": [train, narrow]})
    with pytest.raises(InputError, match="--features NAME="):
        import_corpus([*csvs, train], ImportOptions())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Emotion", "Emotions", "column 'Emotion' is missing"),
        (",0,3,8", ",0,x,8", "line 4: Utterance_ID 'x' is not a whole number"),
        ("00:16:16,059", "later", "line 2: 'later' is not a time"),
        ("fear", "feer", "label 'feer' is not in the label set; did you mean 'fear'"),
    ],
)
def test_annotation_that_is_wrong(csvs: list[Path], old: str, new: str, message: str) -> None:
    csvs[0].write_text(csvs[0].read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        import_corpus(csvs, ImportOptions(text_encoder="words:8")).check()


def test_files_of_no_split_or_of_one_twice(csvs: list[Path], tmp_path: Path) -> None:
    renamed = csvs[0].rename(tmp_path / "sent_emo.csv")
    with pytest.raises(InputError, match="unknown split"):
        import_corpus([renamed], ImportOptions(text_encoder="words:8"))
    twice = tmp_path / "dev2"
    twice.mkdir()
    with pytest.raises(InputError, match="second file of the dev split"):
        import_corpus([csvs[1], annotation(twice, "dev", DEV)], ImportOptions(text_encoder="words:8"))


@needs_meld
def test_the_real_files() -> None:
    assert SHARED_DATA is not None
    meld = SHARED_DATA / "meld"
    builder = import_corpus(
        [meld / f"{split}_sent_emo.csv" for split in ("test", "train", "dev")],
        ImportOptions(normalise={"audio": "conversation"}),
        features={
            "audio": [meld / f"meld_{split}_audio_features.csv" for split in ("train", "dev", "test")],
            "aus": [meld / "meld_dev_openface_aus.pickle"],
        },
    )
    with pytest.raises(InputError, match="--treat-as-missing"):
        builder.check()
    builder.check(treat_as_missing=True)
    lengths = {c.id: len(c) for c in builder.conversations}
    assert {split: len(ids) for split, ids in builder.splits.items()} == {"train": 1038, "dev": 114, "test": 280}
    counts = {split: sum(lengths[c] for c in ids) for split, ids in builder.splits.items()}
    assert counts == {"train": 9989, "dev": 1109, "test": 2610}
    assert (min(lengths.values()), max(lengths.values())) == (1, 33)
    assert builder.speakers.count == 9
    assert builder.features["audio"].encoder == "praat8|z:conversation"
    assert builder.features["audio"].features.shape == (13708, 8)
    missing = dict(zip(builder.utterance_keys(), builder.features["audio"].present.tolist(), strict=True))
    assert not missing["train_125", "3"]
    assert not missing["dev_110", "7"]
    assert "train_60" not in lengths
    assert builder.features["aus"].features.shape == (13708, 105)
    assert int(builder.features["aus"].present.sum()) == 1102
