"""Tables that were once misread: through the command, with the widths, labels and rows that are right."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sdt.__main__ import main
from sdt.corpus.store import Corpus

FAULTS = Path(__file__).resolve().parents[2] / "data" / "faults" / "import"
EMOTIONS = ("anger", "fear", "joy", "surprise")
TEXT = ("--text-encoder", "words:8")


def imported(output: Path, *arguments: str | Path) -> Corpus:
    assert main(["corpus", "import", *map(str, arguments), "--output", str(output)]) == 0
    return Corpus.open(output)


def numbers(name: str, columns: slice) -> np.ndarray:
    """Some columns of a file that has a header."""
    lines = (FAULTS / name).read_text().splitlines()[1:]
    return np.array([line.split(",")[columns] for line in lines], dtype=np.float64).astype(np.float32)


@pytest.mark.parametrize(
    ("utterances", "table", "columns", "said"),
    [
        ("ok.csv", "keyed_label.csv", slice(5, 10), "not features: label, start, end\n"),
        ("u.csv", "audio_label.csv", slice(3, 8), "not features: label\n"),
        ("ok.csv", "pd_index.csv", slice(1, 6), "not features: a column without a name\n"),
        ("shuf.csv", "idxnamed.csv", slice(1, 4), "not features: a column without a name\n"),
        ("ok.csv", "pd_noindex.csv", slice(0, 5), "line 1: read as a header: 0, 1, 2, 3, ...\n"),
        ("shuf.csv", "numhead.csv", slice(0, 3), "line 1: read as a header: 0, 1, 2\n"),
    ],
)
def test_only_features_become_features(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], utterances: str, table: str, columns: slice, said: str
) -> None:
    corpus = imported(tmp_path / "corpus", FAULTS / utterances, "--features", f"audio={FAULTS / table}")
    expected = numbers(table, columns)
    if utterances == "shuf.csv":
        expected = expected[[1, 0, 3, 2, 5, 4, 7, 6]]  # by the column order
    audio = corpus.modalities["audio"]
    assert audio.width == columns.stop - columns.start
    np.testing.assert_array_equal(audio.rows(slice(0, corpus.size)), expected)
    assert said in capsys.readouterr().out


def test_one_row_too_few_under_a_header_of_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(FAULTS / "shuf.csv"), str(FAULTS / "numhead7.csv")]
    assert main(["corpus", "import", *files, "--output", str(tmp_path / "corpus")]) == 2
    error = capsys.readouterr().err
    assert "7 rows" in error
    assert "8 utterances" in error


@pytest.mark.parametrize("kind", ["safetensors", "npy"])
def test_the_features_of_a_corpus_imported_again(tmp_path: Path, kind: str) -> None:
    first = imported(tmp_path / "first", FAULTS / "shuf.csv", FAULTS / "fx.npy")
    rows = first.modalities["fx"].rows(slice(0, 8))
    assert rows[:, 0].tolist() == [1, 0, 3, 2, 5, 4, 7, 6]
    if kind == "npy":
        np.save(tmp_path / "first" / "fx.npy", rows)
    second = imported(tmp_path / "second", FAULTS / "shuf.csv", tmp_path / "first" / f"fx.{kind}")
    np.testing.assert_array_equal(second.modalities["fx"].rows(slice(0, 8)), rows)
    # Lines in another order, without some of the utterances.
    header, *lines = (FAULTS / "shuf.csv").read_text().splitlines()
    (tmp_path / "some.csv").write_text("\n".join([header, *lines[:1:-1]]))
    third = imported(tmp_path / "third", tmp_path / "some.csv", tmp_path / "first" / f"fx.{kind}", "--dev", "share")
    found = {id: third.modalities["fx"].rows(third.rows(id))[:, 0].tolist() for id in third.conversations}
    assert found == {"d": [7, 6], "c": [5, 4], "b": [3, 2]}


def test_the_features_of_another_corpus_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imported(tmp_path / "first", FAULTS / "shuf.csv", FAULTS / "fx.npy")
    text = (FAULTS / "shuf.csv").read_text()
    (tmp_path / "other.csv").write_text(text.replace("u3", "x3"))
    files = [str(tmp_path / "other.csv"), str(tmp_path / "first" / "fx.safetensors")]
    assert main(["corpus", "import", *files, "--output", str(tmp_path / "second")]) == 2
    assert "utterance 'x3' of conversation 'b': not found" in capsys.readouterr().err
    shutil.copy(FAULTS / "audio_label.csv", tmp_path / "first" / "more.csv")
    assert main(["corpus", "import", files[0], str(tmp_path / "first" / "more.csv"), "--output", files[0] + "2"]) == 2


def test_a_modality_keeps_the_name_of_its_encoder(tmp_path: Path) -> None:
    imported(tmp_path / "first", FAULTS / "ok.csv", *TEXT)
    second = imported(tmp_path / "second", FAULTS / "ok.csv", tmp_path / "first" / "text.safetensors")
    assert second.modalities["text"].encoder == "words:8"


def test_labels_of_any_case_are_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = imported(tmp_path / "corpus", FAULTS / "case.csv", *TEXT)
    assert corpus.labels == EMOTIONS
    counts = np.bincount(corpus.index.label)
    assert counts.tolist() == [12, 12, 12, 12]
    assert "Joy as joy; Surprise as surprise; Fear as fear; Anger as anger" in capsys.readouterr().out


def test_scores_are_no_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpus", "import", str(FAULTS / "regr.csv"), "--output", str(tmp_path / "corpus"), *TEXT]) == 2
    assert "line 3: label '-1.6' is a score" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["semi.csv", "u16.csv", "winmedia.csv"])
def test_delimiters_and_encodings(tmp_path: Path, name: str) -> None:
    expected = imported(tmp_path / "expected", FAULTS / "ok.csv", *TEXT)
    corpus = imported(tmp_path / "corpus", FAULTS / name, *TEXT)
    assert (corpus.size, corpus.labels) == (48, EMOTIONS)
    assert dict(corpus.conversations) == dict(expected.conversations)
    assert json.loads((tmp_path / "corpus" / "corpus.json").read_text())["splits"] == {"train": 10, "dev": 1, "test": 1}
