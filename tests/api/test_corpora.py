"""Corpora from arrays, data frames and folders are those of the importer, and go back to data frames."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import sdt
from sdt.corpus.importers import ImportOptions
from sdt.corpus.importing import import_corpus
from sdt.errors import InputError

SPLITS = ["train"] * 6 + ["dev"] * 3 + ["test"] * 3


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "conversation": [f"call-{number // 3}" for number in range(12)],
            "speaker": ["agent", "caller", "agent"] * 4,
            "label": ["calm", "cross", None, "glad"] * 3,
            "text": ["Hello.", "I have waited for an hour!", "Sorry.", np.nan] * 3,
            "split": SPLITS,
            "start": np.arange(12) % 3 * 2.5,
            "session": [f"day {number // 6}" for number in range(12)],
            "pitch": np.arange(12.0),
            "energy": np.arange(12.0) / 2,
        }
    )


@pytest.fixture
def audio() -> npt.NDArray[np.float64]:
    audio = np.random.default_rng(0).normal(size=(12, 4))
    audio[5] = np.nan
    return audio


def test_a_data_frame(frame: pd.DataFrame, audio: npt.NDArray[np.float64], tmp_path: Path) -> None:
    features: dict[str, Any] = {"audio": audio, "voice": ["pitch", "energy"]}
    corpus = sdt.Corpus.from_pandas(frame, features, keep=["session"], name="calls", folder=tmp_path / "corpus")
    corpus.verify()
    assert (corpus.folder, corpus.name, corpus.labels) == (tmp_path / "corpus", "calls", ("calm", "cross", "glad"))
    assert {split: len(ids) for split, ids in corpus.splits.items()} == {"train": 2, "dev": 1, "test": 1}
    np.testing.assert_allclose(corpus.features("audio"), audio.astype(np.float32))
    np.testing.assert_allclose(corpus.features("voice"), frame[["pitch", "energy"]])
    utterance = corpus.conversations["call-0"].utterances[1]
    assert (utterance.text, utterance.label, utterance.start) == ("I have waited for an hour!", "cross", 2.5)
    assert utterance.extra == {"session": "day 0"}
    again = corpus.to_pandas()
    for name in ("conversation", "speaker", "split", "start", "session"):
        assert again[name].tolist() == frame[name].tolist()
    assert (
        again.label.where(again.label.notna(), None).tolist() == frame.label.where(frame.label.notna(), None).tolist()
    )
    round_trip = sdt.Corpus.from_pandas(
        again, {name: corpus.features(name) for name in corpus.modalities}, keep=["session"], name="calls"
    )
    assert [*round_trip.conversations.values()] == [*corpus.conversations.values()]
    for name in corpus.modalities:
        np.testing.assert_array_equal(round_trip.features(name), corpus.features(name))


def test_arrays_are_a_data_frame(frame: pd.DataFrame, audio: npt.NDArray[np.float64]) -> None:
    options: dict[str, Any] = {"text_encoder": "words:16", "normalise": {"audio": "corpus"}}
    one = sdt.Corpus.from_pandas(frame.drop(columns=["session", "pitch", "energy"]), {"audio": audio}, **options)
    labels = [None if label is None else str(label) for label in frame.label]
    other = sdt.Corpus.from_arrays(
        labels, {"audio": audio}, conversations=frame.conversation.tolist(), speakers=frame.speaker.tolist(),
        text=frame.text.tolist(), splits=SPLITS, start=frame.start.tolist(), **options,
    )  # fmt: skip
    assert [*one.conversations.values()] == [*other.conversations.values()]
    assert one.modalities["text"].encoder == "words:16"
    for name in ("text", "audio"):
        np.testing.assert_array_equal(one.features(name), other.features(name))


def test_a_folder_is_imported_as_by_the_command(
    frame: pd.DataFrame, audio: npt.NDArray[np.float64], tmp_path: Path
) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    frame.drop(columns=["pitch", "energy"]).to_csv(folder / "utterances.csv", index=False)
    np.save(folder / "audio.npy", audio)
    corpus = sdt.Corpus.from_folder(folder, text_encoder="words:16")
    builder = import_corpus(
        [folder / "utterances.csv", folder / "audio.npy"], ImportOptions(name="calls", text_encoder="words:16")
    )
    assert corpus.name == "calls"
    assert [*corpus.conversations.values()] == list(builder.conversations)
    for name, table in builder.features.items():
        np.testing.assert_array_equal(np.nan_to_num(corpus.features(name)), table.features)
    assert any("session" in note for note in corpus.notes)  # an unknown column
    written = sdt.Corpus.from_folder(folder, output=tmp_path / "corpus")
    assert sdt.Corpus.from_folder(tmp_path / "corpus").fingerprint == written.fingerprint


def test_a_temporary_corpus_is_removed_with_its_last_user(audio: npt.NDArray[np.float64]) -> None:
    corpus = sdt.Corpus.from_arrays(["a", "b"] * 6, {"audio": audio}, conversations=[str(n // 3) for n in range(12)])
    folder, conversations = corpus.folder, corpus.split("train")
    assert corpus.notes
    assert folder.is_dir()
    del corpus
    gc.collect()
    assert len(conversations[0]) == 3
    assert folder.is_dir()
    del conversations
    gc.collect()
    assert not folder.exists()


def test_errors_name_the_row(frame: pd.DataFrame, audio: npt.NDArray[np.float64], tmp_path: Path) -> None:
    wrong = frame.assign(start=0.0, end=[1.0] * 4 + [-1.0] + [1.0] * 7)
    for given, features, message in (
        (wrong, {}, "data frame, row 5: "),
        (frame.rename(columns={"label": "lable"}), {}, "lable"),
        (frame, {"audio": audio[:3]}, r"features audio: the shape \[3, 4\]"),
        (frame, {"voice": ["pitch", "pitsch"]}, "pitsch"),
        (frame, {}, "text_encoder"),
    ):
        options: dict[str, Any] = {"text_encoder": ""} if message == "text_encoder" else {}
        with pytest.raises(InputError, match=message) as caught:
            sdt.Corpus.from_pandas(given, features, folder=tmp_path / "corpus", **options)
        assert "/tmp" not in str(caught.value)
    with pytest.raises(InputError, match="speaker: 2 values for 3 labels"):
        sdt.Corpus.from_arrays(["a"] * 3, {}, conversations=["c"] * 3, speakers=["s"] * 2)
    with pytest.raises(InputError, match="folder not found"):
        sdt.Corpus.from_folder(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty"):
        sdt.Corpus.from_folder(tmp_path / "empty")
    assert not (tmp_path / "corpus").exists()
    with pytest.raises(InputError, match="did you mean 'audio'"):
        sdt.Corpus.from_pandas(frame, {"audio": audio}).features("audoi")
