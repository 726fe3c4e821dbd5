"""Spreadsheets and datasets: a transcript is the same after writing and reading, and other programs read the same.

Each test has 1,000 conversations; `SDT_FORMAT_EXAMPLES=10000 pytest tests/formats/test_convert_tables.py` has 10,000.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdt.conversation import Annotation, Conversation, Utterance
from sdt.formats import losses, read_transcript
from sdt.formats.format import Holds
from sdt.formats.records import flatten, transcript_records
from sdt.formats.table import FORMATS
from sdt.formats.transcript import Transcript
from tests.formats.conversations import EXAMPLES, LABELS, check_round_trip, many, render, transcripts


def examples(share: float) -> settings:
    """A share of the random conversations of a format, for containers that take longer to write."""
    return settings(many, max_examples=max(1, round(share * EXAMPLES)))


@st.composite
def tables(draw: st.DrawFn, several: tuple[int, int] = (1, 3)) -> Transcript:
    """Conversations with media files for some utterances, unless there are predictions."""
    transcript = draw(transcripts(several=several))
    if transcript.predictions:
        return transcript
    keys = [(of.id, one.id) for of, one, _ in transcript.rows()]
    seed = Random(draw(st.integers(0, 99)))
    return replace(
        transcript, clips={key: Path(f"/media/{seed.randint(0, 9)}.wav") for key in keys if seed.random() < 0.3}
    )


def check(folder: Path, transcript: Transcript, format: str) -> None:
    path = check_round_trip(folder, transcript, FORMATS[format])
    again = read_transcript(path)
    assert {key: clip.resolve() for key, clip in again.clips.items()} == transcript.clips
    # All that was read is held; the last utterance can be without an end.
    assert {loss.name for loss in losses(again, FORMATS[format], path)} <= {Holds.OPEN_ENDS.title}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@pytest.mark.slow
@pytest.mark.parametrize("format", ["parquet", "datasets", "convokit", "labelstudio"])
@examples(0.5)  # each has one to three conversations
@given(transcript=tables())
def test_round_trip(folder: Path, format: str, transcript: Transcript) -> None:
    check(folder, transcript, format)


@pytest.mark.slow
@pytest.mark.parametrize("format", ["xlsx", "audformat"])
@examples(0.1)  # each has ten conversations, because a file takes longer than its content
@given(transcript=tables((10, 10)))
def test_round_trip_of_slow_formats(folder: Path, format: str, transcript: Transcript) -> None:
    check(folder, transcript, format)


@pytest.mark.parametrize("format", ["parquet", "datasets", "convokit", "labelstudio", "audformat"])
def test_several_labels_of_an_annotator(tmp_path: Path, format: str) -> None:
    labels = (Annotation("Ann", "joy", 0.5), Annotation("Ann", "anger"), Annotation("Ben", "joy"))
    utterances = (
        Utterance("0", "Eve", "Hi!", annotations=labels),
        Utterance("1", "Eve", "No.", annotations=labels[1:2]),
    )
    check(tmp_path, Transcript([Conversation("talk", utterances)]), format)


def write(folder: Path, transcript: Transcript, format: str) -> Path:
    path = folder / f"other.{format}"
    render(path, transcript, FORMATS[format])
    return path


def flat(transcript: Transcript, path: Path) -> list[dict[str, Any]]:
    """The rows that tables have, without empty cells."""
    rows = [flatten(record) for record in transcript_records(transcript, path)]
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def same(found: object, expected: object) -> bool:
    """Whether a cell is as it was written; columns of several types are text in JSON."""
    if isinstance(found, str) and found != expected:
        return bool(json.loads(found) == expected)
    return bool(found == expected)


def check_rows(found: Sequence[Mapping[str, Any]], expected: Sequence[Mapping[str, Any]]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        cells = {
            name: value for name, value in one.items() if value is not None and name not in ("words", "annotations")
        }
        assert cells.keys() == other.keys()
        assert all(same(cells[name], value) for name, value in other.items())


@examples(0.02)
@given(transcript=tables())
def test_openpyxl_reads_xlsx(folder: Path, transcript: Transcript) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    path = write(folder, transcript, "xlsx")
    (sheet,) = openpyxl.load_workbook(path).worksheets
    header, *rows = sheet.iter_rows()
    expected = flat(transcript, path)
    assert not any(cell.data_type == "f" for row in rows for cell in row)
    names = [cell.value for cell in header]
    found = [dict(zip(names, (cell.value for cell in row), strict=True)) for row in rows]
    for row in expected:  # Excel's escape of an underscore, which openpyxl leaves
        for name, value in row.items():
            row[name] = value.replace("_x0041_", "_x005F_x0041_") if isinstance(value, str) else value
    assert [{name: value for name, value in row.items() if value is not None} for row in found] == expected


@examples(0.02)
@given(transcript=tables())
def test_pandas_reads_parquet(folder: Path, transcript: Transcript) -> None:
    pandas = pytest.importorskip("pandas")
    path = write(folder, transcript, "parquet")
    table = pandas.read_parquet(path)
    expected = flat(transcript, path)
    rows = [
        {name: value for name, value in row.items() if isinstance(value, np.ndarray) or not pandas.isna(value)}
        for row in table.to_dict("records")
    ]
    check_rows(rows, expected)


@examples(0.02)
@given(transcript=tables())
def test_datasets_reads_its_folder(folder: Path, transcript: Transcript) -> None:
    datasets = pytest.importorskip("datasets")
    path = write(folder, transcript, "datasets")
    rows = list(datasets.load_from_disk(str(path), keep_in_memory=True))
    expected = flat(transcript, path / "state.json")
    check_rows(rows, expected)
    for row, (_, utterance, _) in zip(rows, transcript.rows(), strict=True):
        assert [word["text"] for word in row.get("words") or ()] == [word.text for word in utterance.words]
        assert [of["label"] for of in row.get("annotations") or ()] == [of.label for of in utterance.annotations]


def test_a_folder_that_datasets_wrote(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    features = {
        "conversation": datasets.Value("string"),
        "speaker": datasets.Value("string"),
        "text": datasets.Value("string"),
        "label": datasets.ClassLabel(names=["anger", "joy"]),
        "topic": datasets.Value("int64"),
    }
    split = {name: [f"{name}-1"] * 2 for name in ("train", "test")}
    made = {
        name: datasets.Dataset.from_dict(
            {
                "conversation": ids,
                "speaker": ["Ann", "Ben"],
                "text": ["Hi!", "No."],
                "label": [1, None if name == "train" else -1],
                "topic": [3, None],
            },
            features=datasets.Features(features),
        )
        for name, ids in split.items()
    }
    datasets.DatasetDict(made).save_to_disk(str(tmp_path / "both"))
    read = read_transcript(tmp_path / "both")
    assert [of.id for of in read.conversations] == ["train-1", "test-1"]
    first, second = read.conversations[1].utterances
    assert (first.speaker, first.text, first.label, dict(first.extra)) == (
        "Ann",
        "Hi!",
        "joy",
        {"split": "test", "topic": 3},
    )
    assert (second.label, dict(second.extra)) == (None, {"split": "test"})
    made["train"].save_to_disk(str(tmp_path / "one"), num_shards=2)
    assert [one.text for one in read_transcript(tmp_path / "one").conversations[0].utterances] == ["Hi!", "No."]


@pytest.fixture(scope="module")
def convokit_corpus(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """ConvoKit's class of corpora, without the models and parsers that the whole package imports."""
    spec = importlib.util.find_spec("convokit")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("convokit is not installed")
    package = types.ModuleType("convokit")
    package.__path__ = list(spec.submodule_search_locations)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))  # it writes a file of settings
        patch.setitem(sys.modules, "convokit", package)
        yield importlib.import_module("convokit.model.corpus").Corpus


@pytest.mark.filterwarnings("ignore")
@examples(0.02)
@given(transcript=tables())
def test_convokit_reads_its_folder(folder: Path, convokit_corpus: Any, transcript: Transcript) -> None:
    corpus = convokit_corpus(filename=str(write(folder, transcript, "convokit")))
    assert set(corpus.get_conversation_ids()) == {of.id for of in transcript.conversations}
    for conversation in transcript.conversations:
        found = corpus.get_conversation(conversation.id)
        assert found.meta.get("media") == conversation.media
        utterances = found.get_chronological_utterance_list()
        assert [(of.speaker.id, of.text) for of in utterances] == [
            (of.speaker, of.text or "") for of in conversation.utterances
        ]
        for of, one in zip(utterances, conversation.utterances, strict=True):
            assert of.meta.get("label") == one.label
            for key, time in (("start", one.start), ("end", one.end)):
                assert of.meta.get(key) == (None if time is None else round(time, 3))
        assert [of.reply_to for of in utterances] == [None, *[of.id for of in utterances][:-1]]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pandas, in audformat
@examples(0.01)
@given(transcript=tables())
def test_audformat_reads_its_folder(folder: Path, transcript: Transcript) -> None:
    audformat = pytest.importorskip("audformat")
    path = write(folder, transcript, "audformat")
    db = audformat.Database.load(str(path), load_data=True)
    expected = {(row["conversation"], row["utterance"]): row for row in flat(transcript, path / "db.yaml")}
    seen = set()
    for table in ("utterances", "clips", "other"):
        if table not in db:
            continue
        frame = db[table].df
        for index, row in zip(frame.index, frame.to_dict("records"), strict=True):
            key = row["conversation"], row["utterance"]
            seen.add(key)
            assert row["speaker"] == expected[key]["speaker"]
            label = expected[key].get("label")
            assert row.get("emotion") == label or (label is None and row.get("emotion") is not label)
            if table == "utterances":
                assert index[1].total_seconds() == pytest.approx(expected[key]["start"])
            if table == "clips":
                assert index == expected[key]["media"]
    assert seen == set(expected)
    given = {(of.annotator, of.label) for _, one, _ in transcript.rows() for of in one.annotations}
    found = set()
    for table in db.tables.values():
        for name, column in table.columns.items():
            if (
                column.rater_id in db.raters
                and column.scheme_id == "emotion"
                and db.raters[column.rater_id].type == "human"
            ):
                found |= {(column.rater_id, label) for label in table.df[name].dropna()}
    assert found <= given


@examples(0.03)
@given(transcript=tables())
def test_the_structure_of_label_studio(folder: Path, transcript: Transcript) -> None:
    """As its documentation says: each region has a control and paragraphs, and the whole text of them."""
    tasks = json.loads(write(folder, transcript, "labelstudio").read_text(encoding="utf-8"))
    assert len(tasks) == len(transcript.conversations)
    for task, conversation in zip(tasks, transcript.conversations, strict=True):
        dialogue = task["data"]["dialogue"]
        assert [(of["author"], of["text"]) for of in dialogue] == [
            (of.speaker, of.text or "") for of in conversation.utterances
        ]
        given = [
            (
                of.get("completed_by", {}).get("email"),
                int(result["value"]["start"]),
                *result["value"]["paragraphlabels"],
            )
            for of in task["annotations"]
            for result in of["result"]
        ]
        expected = [
            (by, number, label)
            for number, one in enumerate(conversation.utterances)
            for by, label in [(None, one.label), *((of.annotator, of.label) for of in one.annotations)]
            if label
        ]
        assert sorted(given, key=repr) == sorted(expected, key=repr)
        for of in (*task["annotations"], *task["predictions"]):
            assert len({result["id"] for result in of["result"]}) == len(of["result"])
            for result in of["result"]:
                assert (result["from_name"], result["to_name"]) == ("emotion", "dialogue")
                value = result["value"]
                assert value["start"] == value["end"]
                text = dialogue[int(value["start"])]["text"]
                assert value["text"] == text
                assert value["endOffset"] - value["startOffset"] == len(text.encode("utf-16-le")) // 2
                assert set(value[result["type"]]) <= set(LABELS)
