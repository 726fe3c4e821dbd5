from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from sdt.conversation import Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.store import Corpus
from sdt.corpus.summary import summarise
from sdt.errors import InputError
from sdt.feature_table import FeatureTable
from sdt.files import sha256
from sdt.models.config import Architecture, SDTConfig
from sdt.speakers import Speakers


def small_builder() -> CorpusBuilder:
    """Three conversations of 2, 1 and 3 utterances, two modalities, some of it missing."""
    conversations = [
        Conversation("a", (Utterance("0", "Ann", "Hi", "glad", 0.0, 1.5), Utterance("1", "Bob", None, None))),
        Conversation("b", (Utterance("0", "Cid", "“Naïve”", "calm"),)),
        Conversation("c", tuple(Utterance(str(n), "AnnBob"[n % 2], f"T{n}", "calm") for n in range(3))),
    ]
    random = np.random.default_rng(0)
    present = np.array([True, False, True, True, True, True])
    features = {
        "text": FeatureTable(random.standard_normal((6, 4)).astype(np.float32), present, "words:4"),
        "audio": FeatureTable(random.standard_normal((6, 3)).astype(np.float32), np.ones(6, dtype=np.bool_), "praat8"),
    }
    splits = {"train": ["a", "c"], "test": ["b"]}
    return CorpusBuilder(
        "small", conversations, ("calm", "glad"), splits, features, Speakers("appearance", 2), "CC0-1.0", {"by": "me"}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_corpus(small_builder(), tmp_path / "corpus")
    return tmp_path / "corpus"


def test_what_is_written_comes_back(folder: Path) -> None:
    builder, corpus = small_builder(), Corpus.open(folder)
    corpus.verify()
    assert list(corpus.conversations.values()) == builder.conversations
    assert (corpus.name, corpus.labels, corpus.licence) == ("small", ("calm", "glad"), "CC0-1.0")
    assert corpus.speakers == builder.speakers
    assert corpus.provenance == {"by": "me"}
    assert [c.id for c in corpus.split("train")] == ["a", "c"]
    assert corpus.size == 6
    assert corpus.rows("c") == slice(3, 6)
    np.testing.assert_array_equal(corpus.modalities["audio"].rows(slice(3, 6)), builder.features["audio"].features[3:])
    assert corpus.modalities["text"].present.tolist() == [True, False, True, True, True, True]
    assert not corpus.modalities["text"].rows(slice(1, 2)).any()  # whatever lay in a missing row


def test_the_same_corpus_makes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_corpus(small_builder(), tmp_path / "again")
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
    assert Corpus.open(folder).fingerprint == Corpus.open(tmp_path / "again").fingerprint


def test_a_folder_is_replaced_only_when_asked(folder: Path) -> None:
    other = small_builder()
    other.name = "other"
    with pytest.raises(InputError, match="exists already"):
        write_corpus(other, folder)
    assert Corpus.open(folder).name == "small"
    assert write_corpus(other, folder, overwrite=True).name == "other"
    assert [path.name for path in folder.parent.iterdir()] == ["corpus"]


def test_an_invalid_corpus_leaves_nothing_behind(tmp_path: Path) -> None:
    builder = small_builder()
    builder.features["my audio"] = builder.features["audio"]
    with pytest.raises(InputError, match="modality name 'my audio'"):
        write_corpus(builder, tmp_path / "corpus")
    builder = small_builder()
    builder.features["audio"].features[2, 1] = np.nan
    with pytest.raises(InputError, match=r"'b', utterance '0', column 1 \(nan\)"):
        write_corpus(builder, tmp_path / "corpus")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conversations": []}, "no conversations"),
        ({"conversations": [Conversation("a", ())]}, "'a' has no utterances"),
        ({"conversations": [Conversation("a", (Utterance("0", "A"),))] * 2}, "'a' occurs twice"),
        (
            {"conversations": [Conversation("a", (Utterance("0", "A"),) * 2)]},
            "utterance '0': this utterance id occurs twice",
        ),
        ({"labels": ("glad",)}, "2 to 1000 different labels"),
        ({"labels": ("glad", "clam")}, "label 'calm' is not in the label set; did you mean 'clam'"),
        ({"splits": {"train": ["z"]}}, "names conversation 'z', which is not in the corpus"),
        ({"splits": {"train": ["a"], "test": ["a"]}}, "'a' is in the splits 'train' and 'test'"),
        ({"splits": {"tain": ["a"]}}, "split 'tain' is unknown; did you mean 'train'"),
    ],
)
def test_invalid_corpora_are_refused(change: dict[str, Any], message: str) -> None:
    builder = small_builder()
    for name, value in change.items():
        setattr(builder, name, value)
    with pytest.raises(InputError, match=message):
        builder.check()


def test_tables_of_the_wrong_size() -> None:
    builder = small_builder()
    builder.features["audio"].features = np.zeros((5, 3), dtype=np.float32)
    with pytest.raises(InputError, match="5 rows for 6 utterances"):
        builder.check()
    builder.features["audio"].features = np.zeros((6, 0), dtype=np.float32)
    with pytest.raises(InputError, match="expected a matrix"):
        builder.check()


def test_no_such_folder_or_split(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a corpus folder"):
        Corpus.open(tmp_path)
    with pytest.raises(InputError, match="no split 'tset'; did you mean 'test'"):
        Corpus.open(folder).split("tset")


@pytest.mark.parametrize("name", ["utterances.jsonl", "text.safetensors", "audio.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"{name}: missing"):
        Corpus.open(folder).verify()


def read_all(folder: Path) -> None:
    """All that reading a corpus can be."""
    corpus = Corpus.open(folder)
    summarise(corpus)
    corpus.verify()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["utterances.jsonl", "text.safetensors", "audio.safetensors"]), st.data())
def test_every_damaged_byte_is_found(folder: Path, name: str, data: st.DataObject) -> None:
    path = folder / name
    good = path.read_bytes()
    place = data.draw(st.integers(0, len(good) - 1))
    if data.draw(st.booleans()):
        bad = good[:place]
    else:
        bad = (
            good[:place]
            + bytes([data.draw(st.integers(0, 255).filter(lambda b: b != good[place]))])
            + good[place + 1 :]
        )
    path.write_bytes(bad)
    try:
        with pytest.raises(InputError) as caught:
            read_all(folder)
        assert "\n" not in str(caught.value)
    finally:
        path.write_bytes(good)


def keys(value: object, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    if isinstance(value, dict):
        for key, item in value.items():
            yield from keys(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from keys(item, (*at, index))


def test_a_header_with_anything_else_in_it_is_refused_or_harmless(folder: Path) -> None:
    header = json.loads((folder / "corpus.json").read_text())
    junks: list[object] = [None, -1, "x", "../x", [], {}, [[1]], True]
    refused = 0
    for at in keys(header):
        for junk in junks:
            changed = copy.deepcopy(header)
            if at:
                inside = changed
                for key in at[:-1]:
                    inside = inside[key]
                inside[at[-1]] = junk
            (folder / "corpus.json").write_text(json.dumps(changed if at else junk))
            try:
                read_all(folder)
            except InputError as error:
                assert "\n" not in str(error)  # noqa: PT017 - what is tested is that nothing else is raised
                refused += 1
    assert refused > 150


@pytest.mark.parametrize(
    "change",
    [
        {"speakers": {"mode": "appearance", "count": 2**31 - 1, "names": []}},
        {"speakers": {"mode": "appearance", "count": 10**30, "names": []}},
        {"labels": [str(number) for number in range(200_000)]},
        {"labels": ["\ud800", "calm"]},
        {"splits": {"train": 10**9}},
        {"modalities": {f"m{number}": {"width": 3, "encoder": ""} for number in range(10_000)}},
        {"provenance": {"normalisation": {"text": {"mean": [float("nan")], "deviation": [1]}}}},
        {"provenance": {"normalisation": 5}},
        {"format": 10**4000},
        {"x" * 10**6: 1, "name": 5},
    ],
    ids=range(10),
)
def test_a_hostile_header_is_refused_in_one_short_line(folder: Path, change: dict[str, object]) -> None:
    path = folder / "corpus.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError) as error:
        Corpus.open(folder)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


def test_a_width_that_no_features_have_builds_no_model(folder: Path) -> None:
    path = folder / "corpus.json"
    header = json.loads(path.read_text())
    header["modalities"]["audio"]["width"] = 10**9
    path.write_text(json.dumps(header))
    with pytest.raises(InputError, match="does not fit the width"):
        SDTConfig.for_corpus(Corpus.open(folder), Architecture())


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"features": np.zeros((5, 3), np.float32)}, r"shape \(5, 3\) does not fit 6 utterances of width 3"),
        ({"features": np.zeros((6, 2), np.float32)}, r"shape \(6, 2\) does not fit"),
        ({"features": np.full((6, 3), np.inf, np.float32)}, "NaN or infinite values in conversation 'a'"),
        ({"present": np.ones(6, np.float32)}, "'present' has type float32"),
        ({"present": np.ones(5, np.bool_)}, "does not fit"),
    ],
)
def test_a_crafted_file_with_the_right_hash_is_found(folder: Path, tensors: dict[str, Any], message: str) -> None:
    path = folder / "audio.safetensors"
    save_file({**load_file(path), **tensors}, path)
    header = json.loads((folder / "corpus.json").read_text())
    header["sha256"][path.name] = sha256(path)
    (folder / "corpus.json").write_text(json.dumps(header))
    with pytest.raises(InputError, match=message):
        Corpus.open(folder).verify()


def test_summary(folder: Path) -> None:
    summary = summarise(Corpus.open(folder))
    assert json.loads(json.dumps(summary)) == summary
    assert summary["splits"]["train"] == {
        "conversations": 2,
        "utterances": 5,
        "labels": {"calm": 3, "glad": 1},
        "unlabelled": 1,
    }
    assert summary["modalities"]["text"]["missing_by_split"] == {"train": 0.2, "test": 0.0}
    assert summary["modalities"]["text"]["missing"] == pytest.approx(1 / 6)
    assert summary["lengths"] == {"min": 1, "median": 2, "max": 3}
    assert "none" not in summary["splits"]


def test_summary_counts_what_is_in_no_split(tmp_path: Path) -> None:
    builder = small_builder()
    builder.splits = {"train": ["a"]}
    summary = summarise(write_corpus(builder, tmp_path / "c"))
    assert summary["splits"]["none"]["conversations"] == 2
