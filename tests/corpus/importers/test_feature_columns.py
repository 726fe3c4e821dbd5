"""Which columns of a table become features, and where its header is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from sdt.corpus.importers.feature_columns import find_row_numbers, is_header
from sdt.corpus.importers.feature_tables import read_table
from sdt.errors import InputError

SIZE = 24
X = np.random.default_rng(0).standard_normal((SIZE, 3)).astype(np.float32)
FEATURES = pd.DataFrame(X, columns=["f0", "f1", "f2"])
KEYS = {"conversation": [f"c{n // 4}" for n in range(SIZE)], "utterance": [f"u{n % 4}" for n in range(SIZE)]}
KEYED = pd.DataFrame(KEYS).join(FEATURES)
COUNT = np.arange(SIZE)


def table(folder: Path, frame: pd.DataFrame, **options: object) -> Path:
    frame.to_csv(folder / "x.csv", **{"index": False, **options})
    return folder / "x.csv"


@pytest.mark.parametrize(
    ("columns", "left_out"),
    [
        ({"Label": 1, "EMOTION": "x", "start_time": 1.5, "End Time": 2.5}, "Label, EMOTION, start_time, End Time"),
        ({"speaker": "Ann", "text": "Hello", "Split": "train", "order": COUNT}, "speaker, text, Split, order"),
        ({"Unnamed: 0": COUNT[::-1]}, "Unnamed: 0"),
        ({"Unnamed: 0.1": COUNT[::-1], "label.1": 2, "label_x": 1}, "Unnamed: 0.1, label.1, label_x"),
        ({"split_name": 1, "emotion_code": 3, "polarity": 1}, "split_name, emotion_code, polarity"),
        ({"nr": COUNT + 1}, "nr (row numbers)"),
        ({"q": [*range(10), *range(8), *range(6)]}, "q (row numbers)"),
        ({"q": COUNT + 100}, "q (row numbers)"),
    ],
)
def test_annotation_and_numbers_of_rows_are_left_out(
    tmp_path: Path, columns: Mapping[str, object], left_out: str
) -> None:
    found = read_table(table(tmp_path, KEYED.assign(**columns)))
    assert found.columns == ("f0", "f1", "f2")
    np.testing.assert_allclose(found.features, X, rtol=1e-5)
    assert [note.split("not features: ")[1] for note in found.notes] == [left_out]


def test_features_that_are_called_similarly_stay(tmp_path: Path) -> None:
    names = [
        "label_entropy",
        "f0_start",
        "emotion_intensity",
        "text_length",
        "speaker_rate",
        "duration",
        "gaze_x",
        "mfcc.1",
    ]
    found = read_table(table(tmp_path, KEYED.assign(**dict.fromkeys(names, 0.5))))
    assert found.columns == ("f0", "f1", "f2", *names)


def test_keys_are_found_anywhere_and_by_other_names(tmp_path: Path) -> None:
    renamed = KEYED.rename(columns={"conversation": "Dialogue_ID", "utterance": "Utterance_ID"})
    found = read_table(table(tmp_path, renamed[["f0", "Utterance_ID", "f1", "Dialogue_ID", "f2"]]))
    assert found.keys is not None
    assert found.keys[:5] == ("c0/u0", "c0/u1", "c0/u2", "c0/u3", "c1/u0")
    assert found.width == 3


def test_rows_of_a_keyed_table_in_any_order(tmp_path: Path) -> None:
    shuffled = KEYED.assign(n=COUNT).sample(frac=1, random_state=1)
    found = read_table(table(tmp_path, shuffled, index=True))
    assert (found.width, found.shuffled) == (3, "'n'")
    assert found.keys == tuple(shuffled.conversation + "/" + shuffled.utterance)


@pytest.mark.parametrize("name", ["", "index", "id", "anything"])
def test_an_index_in_another_order_is_seen(tmp_path: Path, name: str) -> None:
    found = read_table(table(tmp_path, FEATURES.assign(**{name: COUNT}).sample(frac=1, random_state=1)))
    assert (found.keys, found.width, found.shuffled) == (None, 3, repr(name))


@pytest.mark.parametrize(
    ("options", "header", "width"),
    [
        ({"header": ["0", "1", "2"]}, "0, 1, 2", 3),
        ({"header": ["1", "2", "3"]}, "1, 2, 3", 3),
        ({"header": ["4", "17", "90"]}, "4, 17, 90", 3),
        ({"header": ["0", "1", "2"], "index": True}, "0, 1, 2", 3),
        ({"header": False}, "", 3),
        ({"header": False, "index": True}, "", 3),
        ({"header": ["a", "1", "2"]}, "", 3),
    ],
)
def test_headers_of_numbers(tmp_path: Path, options: Mapping[str, object], header: str, width: int) -> None:
    found = read_table(table(tmp_path, FEATURES, **options))
    assert (found.size, found.width, found.header) == (SIZE, width, header)


@pytest.mark.parametrize(
    ("first", "rows", "expected"),
    [
        (["0", "1", "2"], [["3", "4", "5"]], True),
        (["0", "1", "2"], [["0.5", "0", "1"]], True),
        (["0"], [["1"], ["0"]], False),
        (["0"], [["1.5"], ["0.5"]], True),
        (["5"], [["1.5"], ["0.5"]], False),
        (["3", "4", "5"], [["1", "2", "3"]], False),
        (["0.0", "1.0", "2.0"], [["0.5", "0.1", "1.5"]], False),
        (["0", "2", "1"], [["0.5", "0.1", "1.5"]], False),
        (["", "0.5", "0.7"], [["0.1", "0.2", "0.3"]], False),
        (["a/x", "1.5", "2.5"], [["a/y", "0.1", "0.2"]], False),
        (["name", "0", "1"], [["a/y", "0.1", "0.2"]], True),
        (["f0", "f1"], [["0.1", "0.2"]], True),
    ],
)
def test_what_is_a_header(first: list[str], rows: list[list[str]], expected: bool) -> None:
    assert is_header(first, rows, comma=False) is expected


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([0, 1, 2], False),  # three rows may do so by chance
        ([0, 1, 2, 3], True),
        ([1, 2, 3, 4], True),
        ([0, 1, 1, 2], False),
        ([0, 1, 2, 3, 5, 4], False),
        ([0, 1, 2, 3, 4, 5, 7, 6], True),
        ([0.5, 1.5, 2.5, 3.5], False),
        ([4, 2, 7, 1, 9, 9, 3, 5], False),
        ([0, 1, np.nan, 3], False),
    ],
)
def test_columns_that_number_the_rows(column: list[float], expected: bool) -> None:
    x: npt.NDArray[np.float64] = np.array(column, dtype=np.float64)[:, None]
    assert find_row_numbers(x) == ([0] if expected else [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("conversation,utterance,label\na,b,1\n", "no column of features"),
        ("conversation,utterance,n\n" + "".join(f"a,{n},{n}\n" for n in range(5)), "no column of features: 'n'"),
        ("a,b,f0\nx,y,1\n", "2 columns are not numbers"),
        ("conversation,utterance,mode,f0\na,b,x,1\n", "line 2, column 3: 'x' is not a number"),
    ],
)
def test_tables_without_features_or_with_other_text(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "x.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / "x.csv")


def test_a_wide_table(tmp_path: Path) -> None:
    width = 12_000  # more characters in a line than any transcript has
    table(tmp_path, pd.DataFrame(np.full((4, width), 1 / 3)))
    assert len((tmp_path / "x.csv").read_text().splitlines()[1]) > 100_000
    assert read_table(tmp_path / "x.csv").width == width
