"""Spreadsheets and datasets that other programs wrote, and damaged ones."""

from __future__ import annotations

import datetime
import importlib
import json
import re
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sdt.conversation import Annotation, Utterance
from sdt.errors import InputError, MissingDependencyError
from sdt.formats import Transcript, read_transcript, write_transcript
from sdt.formats.read import detect_file
from tests.shared import FAULTS, needs_faults

openpyxl = pytest.importorskip("openpyxl")
pa = pytest.importorskip("pyarrow")


def said(transcript: Transcript) -> list[tuple[str, str | None, str | None]]:
    return [(one.speaker, one.text, one.label) for of in transcript.conversations for one in of.utterances]


def utterances(transcript: Transcript) -> list[Utterance]:
    return [one for of in transcript.conversations for one in of.utterances]


def save(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


# Excel workbooks.

TALK = (("Speaker", "Text", "Label"), ("Ann", "Hi!", "joy"), ("Ben", None, None), ("Ben", "=SUM(1)", "anger"))


def workbook(path: Path, **sheets: Sequence[Sequence[object]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def edit(path: Path, member: str, pattern: str, replacement: str) -> None:
    """Replace text in a member of an archive."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    text, count = re.subn(pattern, replacement, parts[member].decode())
    assert count
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, text if name == member else content)


def test_a_workbook_of_a_person(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["speaker", "text", "start", "end", "order", "room", "note"],
        [
            "Ann",
            "Hi!",
            datetime.time(0, 0, 1, 500_000),
            datetime.timedelta(seconds=2.5),
            2,
            12,
            datetime.date(2026, 1, 2),
        ],
        ["Ann", True, 0.5, 1, 1, 1.5, True],
        [],
        [None, None, None],
    ]
    path = workbook(tmp_path / "talk.xlsx", About=[["made by", "Ann"]], Talk=rows)
    transcript = read_transcript(path)
    first, second = transcript.conversations[0].utterances
    assert transcript.conversations[0].id == "talk"
    assert (first.text, first.start, first.end, dict(first.extra)) == ("TRUE", 0.5, 1, {"room": 1.5, "note": True})
    assert (second.text, second.start, second.end) == ("Hi!", 1.5, 2.5)
    assert dict(second.extra) == {"room": 12, "note": "2026-01-02 00:00:00"}
    assert any("About" in note for note in transcript.notes)


def test_sheets_are_conversations(tmp_path: Path) -> None:
    path = workbook(tmp_path / "all.xlsx", one=TALK[:2], two=TALK[:2])
    assert [of.id for of in read_transcript(path).conversations] == ["one", "two"]
    (tmp_path / "renamed.txt").write_bytes(path.read_bytes())
    found = detect_file(tmp_path / "renamed.txt")
    assert found is not None
    assert found.name == "xlsx"


def test_formulas_are_not_evaluated(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", talk=TALK)
    with pytest.raises(InputError, match="B4"):
        read_transcript(path)
    edit(path, "xl/worksheets/sheet1.xml", "<f>SUM\\(1\\)</f><v ?/>|<f>SUM\\(1\\)</f><v></v>", "<f>SUM(1)</f><v>7</v>")
    assert said(read_transcript(path))[-1] == ("Ben", "7", "anger")


def test_text_that_looks_like_a_formula_is_text(tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl"
    save(source, {"speaker": "Ann", "text": "=1+1"})
    write_transcript(tmp_path / "a.xlsx", read_transcript(source))
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")
    assert utterances(read_transcript(tmp_path / "a.xlsx"))[0].text == "=1+1"
    save(source, {"speaker": "Ann", "text": "a" * 40_000})
    with pytest.raises(InputError, match="32,767"):
        write_transcript(tmp_path / "a.xlsx", read_transcript(source))
    assert utterances(read_transcript(tmp_path / "a.xlsx"))[0].text == "=1+1"  # the file is as it was


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        ("</sheetData>", ""),
        ("<sheetData>", '<!DOCTYPE a [<!ENTITY a "b">]><sheetData>'),
        ('t="inlineStr"|t="s"', 't="s" s="999"'),
        ("<row[^>]*>", '<row r="x">'),
    ],
)
def test_damaged_workbooks(tmp_path: Path, pattern: str, replacement: str) -> None:
    path = workbook(tmp_path / "a.xlsx", talk=TALK[:3])
    edit(path, "xl/worksheets/sheet1.xml", pattern, replacement)
    with pytest.raises(InputError, match=re.escape(str(path))):
        read_transcript(path)


def test_bad_workbooks(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    bad: tuple[Sequence[Sequence[object]], ...] = (
        [["a", "b"], [1, 2]],
        [["text", "text"], ["a", "b"]],
        [["text", "lable"], ["a", "b"]],
        [["text"]],
        [],
    )
    for rows in bad:
        with pytest.raises(InputError):
            read_transcript(workbook(path, talk=rows))
    path.write_bytes(b"PK\x03\x04" + b"0" * 100)
    with pytest.raises(InputError, match="damaged"):
        read_transcript(path)
    workbook(path, talk=TALK[:2])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/image1.png", bytes(200 * 2**20))
    assert path.stat().st_size < 2**20
    with pytest.raises(InputError, match="expands"):
        read_transcript(path)


@pytest.mark.slow
def test_a_sheet_that_claims_to_be_large(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", talk=TALK[:3])
    edit(path, "xl/worksheets/sheet1.xml", '<dimension ref="[^"]*" ?/>', '<dimension ref="A1:XFD1048576"/>')
    assert said(read_transcript(path)) == [("Ann", "Hi!", "joy"), ("Ben", None, None)]
    far = "".join(f'<row r="{row}"><c r="XFD{row}"><v>1</v></c></row>' for row in range(10, 3000))
    edit(path, "xl/worksheets/sheet1.xml", "</sheetData>", f"{far}</sheetData>")
    with pytest.raises(InputError, match="cells"):
        read_transcript(path)


# Arrow: Parquet files and folders of datasets.


def test_a_parquet_file_of_pandas(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "Speaker": pandas.Categorical(["Ann", "Ben"]),
            "Text": ["Hi!", None],
            "start": pandas.to_timedelta([0.5, 1.5], unit="s"),
            "end": pandas.to_timedelta([1.0, 2.0], unit="s"),
            "rating": [1, None],
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    first, second = utterances(read_transcript(tmp_path / "a.parquet"))
    assert (first.speaker, first.text, first.start, first.end, dict(first.extra)) == (
        "Ann",
        "Hi!",
        0.5,
        1,
        {"rating": 1},
    )
    assert (second.speaker, second.text, second.start) == ("Ben", None, 1.5)
    (tmp_path / "renamed").write_bytes((tmp_path / "a.parquet").read_bytes())
    assert len(utterances(read_transcript(tmp_path / "renamed"))) == 2
    (tmp_path / "a.parquet").write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(InputError, match="damaged"):
        read_transcript(tmp_path / "a.parquet")


def test_damaged_parquet_files(tmp_path: Path) -> None:
    """Damage raises no other errors, and does not end the process: that of the metadata of a column would."""
    table = pa.table({"speaker": ["Ann", "Ben"], "text": ["Hi!", None], "words": [[{"text": "Hi!"}], []]})
    path = tmp_path / "a.parquet"
    importlib.import_module("pyarrow.parquet").write_table(table, path)
    content = path.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    refused = 0
    for position in range(len(content) - footer, len(content) - 8):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x0F]) + content[position + 1 :])
        try:
            read_transcript(path)
        except InputError:
            refused += 1
    assert refused > 100


def dataset(folder: Path, **compression: Any) -> Path:
    folder.mkdir()
    table = pa.table({"speaker": ["Ann"] * 1000, "text": ["Hi!"] * 1000})
    options = pa.ipc.IpcWriteOptions(**compression)
    with (
        pa.OSFile(str(folder / "data.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema, options=options) as to,
    ):
        to.write_table(table)
    save(folder / "state.json", {"_data_files": [{"filename": "data.arrow"}]})
    save(folder / "dataset_info.json", {})
    return folder


def test_bad_datasets(tmp_path: Path) -> None:
    assert len(utterances(read_transcript(dataset(tmp_path / "good")))) == 1000
    for codec in ("lz4", "zstd"):
        with pytest.raises(InputError, match="compressed"):
            read_transcript(dataset(tmp_path / codec, compression=codec))
    folder = tmp_path / "good"
    states: tuple[object, ...] = (
        [],
        {},
        {"_data_files": []},
        {"_data_files": [{"filename": "../a"}]},
        {"_data_files": [{"filename": "b"}]},
    )
    for state in states:
        save(folder / "state.json", state)
        with pytest.raises(InputError):
            read_transcript(folder)
    save(folder / "state.json", {"_data_files": [{"filename": "data.arrow"}]})
    content = (folder / "data.arrow").read_bytes()
    for damaged in (
        content[: len(content) // 2],
        content[:100],
        b"",
        b"\0" * 64,
        content[:8] + b"\xff" * 200 + content[208:],
    ):
        (folder / "data.arrow").write_bytes(damaged)
        with pytest.raises(InputError, match=r"data\.arrow|no utterances|column"):
            read_transcript(folder)
    save(folder / "dataset_dict.json", {"splits": ["../.."]})
    with pytest.raises(InputError, match="not the name"):
        read_transcript(folder)


# ConvoKit.


def test_an_old_corpus_of_convokit(tmp_path: Path) -> None:
    lines = [
        {
            "id": "b",
            "root": "a",
            "text": "No.",
            "user": "Ben",
            "meta": {"n": 2, "v": "<##bin{0}&&@**>"},
            "timestamp": 7,
        },
        {"id": "a", "root": "a", "text": "Hi!", "user": "Ann", "meta": {"emotion": "joy", "tags": [1]}, "timestamp": 3},
    ]
    save(tmp_path / "utterances.json", lines)
    save(tmp_path / "users.json", {"Ann": {}, "Ben": {}})
    save(tmp_path / "conversations.json", {"a": {"topic": "work", "tags": [1]}})
    transcript = read_transcript(tmp_path)
    (conversation,) = transcript.conversations
    assert (conversation.id, dict(conversation.extra)) == ("a", {"topic": "work"})
    assert said(transcript) == [("Ann", "Hi!", "joy"), ("Ben", "No.", None)]
    assert [(one.id, dict(one.extra)) for one in conversation.utterances] == [("a", {}), ("b", {"n": 2})]
    assert any("pickled" in note for note in transcript.notes)


@needs_faults
def test_the_utterances_of_a_corpus_alone() -> None:
    assert FAULTS
    transcript = read_transcript(FAULTS / "transcripts" / "convokit.jsonl")
    assert said(transcript)[0] == ("Ann", "I got the job!", None)
    assert all("conversation_id" not in one.extra for one in utterances(transcript))


def test_bad_corpora_of_convokit(tmp_path: Path) -> None:
    save(tmp_path / "speakers.json", {})
    for lines in ("{", "[]", '{"id": "a"}', '{"id": 1, "conversation_id": 2}', ""):
        (tmp_path / "utterances.jsonl").write_text(lines)
        with pytest.raises(InputError, match="utterances"):
            read_transcript(tmp_path)
    save(tmp_path / "utterances.jsonl", {"id": "a", "conversation_id": "a", "speaker": "Ann", "text": "Hi!"})
    (tmp_path / "conversations.json").write_text("{")
    with pytest.raises(InputError, match="conversations"):
        read_transcript(tmp_path)


# audformat.


def test_a_database_of_files(tmp_path: Path) -> None:
    """One rater with a consensus, speakers and texts in another table, texts as codes; CSV."""
    audformat = pytest.importorskip("audformat")
    db = audformat.Database("emo", usage="research", source="here")
    db.schemes["emotion"] = audformat.Scheme(labels=["joy", "anger"])
    db.schemes["confidence"] = audformat.Scheme("float")
    db.schemes["speaker"] = audformat.Scheme("int", labels={3: {"gender": "female"}, 8: {"gender": "male"}})
    db.schemes["transcription"] = audformat.Scheme("str", labels={"a1": "Hi!", "a2": "No."})
    db.raters["gold"] = audformat.Rater()
    db.splits["test"] = audformat.Split("test")
    index = audformat.filewise_index(["wav/1.wav", "wav/2.wav"])
    db["emotion"] = audformat.Table(index, split_id="test")
    db["emotion"]["emotion"] = audformat.Column(scheme_id="emotion", rater_id="gold")
    db["emotion"]["emotion"].set(["joy", None])
    db["emotion"]["emotion.confidence"] = audformat.Column(scheme_id="confidence", rater_id="gold")
    db["emotion"]["emotion.confidence"].set([0.9, 1.0])
    db["files"] = audformat.Table(index)
    for name, values in (("speaker", [3, 8]), ("transcription", ["a1", "a2"])):
        db["files"][name] = audformat.Column(scheme_id=name)
        db["files"][name].set(values)
    db.save(str(tmp_path), storage_format="csv")
    transcript = read_transcript(tmp_path)
    assert said(transcript) == [("3", "Hi!", "joy"), ("8", "No.", None)]
    assert [of.id for of in transcript.conversations] == ["wav/1", "wav/2"]
    assert transcript.clips["wav/2", "0"] == tmp_path / "wav/2.wav"
    assert dict(utterances(transcript)[0].extra) == {"split": "test", "emotion.confidence": 0.9}
    db.save(str(tmp_path), storage_format="pkl", update_other_formats=False)
    for file in tmp_path.glob("*.csv"):
        file.unlink()
    with pytest.raises(InputError, match="pickled"):
        read_transcript(tmp_path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pandas, in audformat
@pytest.mark.parametrize("storage", ["csv", "parquet"])
def test_a_database_of_segments(tmp_path: Path, storage: str) -> None:
    """Two raters of the same segments, a machine, and a speaker of the file."""
    audformat = pytest.importorskip("audformat")
    db = audformat.Database("talks", usage="other", source="here")
    db.schemes["emotion"] = audformat.Scheme(labels=["joy", "anger"])
    db.schemes["speaker"] = audformat.Scheme("str")
    db.schemes["loud"] = audformat.Scheme("bool")
    for name, kind in (("ann", "human"), ("ben", "human"), ("net", "machine")):
        db.raters[name] = audformat.Rater(kind)
    index = audformat.segmented_index(["talk.wav"] * 2, ["1.5s", "0.5s"], ["2.5s", None])
    db["segments"] = audformat.Table(index)
    for rater, values in (("ann", ["joy", "joy"]), ("ben", [None, "anger"]), ("net", ["joy", "anger"])):
        db["segments"][f"emotion.{rater}"] = audformat.Column(scheme_id="emotion", rater_id=rater)
        db["segments"][f"emotion.{rater}"].set(values)
    db["segments"]["loud"] = audformat.Column(scheme_id="loud")
    db["segments"]["loud"].set([True, None])
    db["files"] = audformat.Table(audformat.filewise_index(["talk.wav"]))
    db["files"]["speaker"] = audformat.Column(scheme_id="speaker")
    db["files"]["speaker"].set("Eve")
    db.save(str(tmp_path), storage_format=storage)
    (conversation,) = read_transcript(tmp_path).conversations
    assert (conversation.id, conversation.media) == ("talk", "talk.wav")
    first, second = conversation.utterances
    assert [(one.speaker, one.start, one.end) for one in (first, second)] == [("Eve", 0.5, 1.5), ("Eve", 1.5, 2.5)]
    assert first.annotations == (Annotation("ann", "joy"), Annotation("ben", "anger"))
    assert (second.annotations, second.label) == ((Annotation("ann", "joy"),), None)
    assert dict(second.extra) == {"emotion.net": "joy", "loud": True}


@pytest.mark.parametrize(
    "header",
    [
        "[1]",
        "name: a",
        "a: [",
        "tables: {a: {type: filewise}}",
        "tables: {a: {type: filewise, columns: {b: {}}}}",
        'tables: {"../a": {type: filewise}}',
        "&a [*a]",
        "!!python/object/apply:os.system [ls]",
    ],
)
def test_bad_headers_of_audformat(tmp_path: Path, header: str) -> None:
    (tmp_path / "db.yaml").write_text(header)
    (tmp_path / "db.a.csv").write_text("file\n") if "b:" in header else None
    with pytest.raises(InputError, match="db"):
        read_transcript(tmp_path)


# Label Studio.


def region(id: str, kind: str, names: Sequence[str], name: str = "emotion", **value: Any) -> dict[str, Any]:
    return {"id": id, "type": kind, "from_name": name, "to_name": "x", "value": {kind: list(names), **value}}


def test_regions_of_a_recording(tmp_path: Path) -> None:
    """Speakers as labels, emotions as choices and texts of the same regions; one region of Ben only."""
    span: dict[str, Any] = {"start": 1.5, "end": 2.5, "channel": 0}
    early: dict[str, Any] = {"start": 0.5, "end": 1.25}
    ann = [
        region("r1", "labels", ["Eve"], "speaker", **span),
        region("r1", "choices", ["joy"], **span),
        {"id": "r1", "type": "textarea", "from_name": "t", "to_name": "x", "value": {"text": ["Hi", "there"], **span}},
        region("r2", "labels", ["Sam"], "speaker", **early),
    ]
    ben = [region("q", "labels", ["Eve"], "speaker", **span), region("q", "choices", ["anger", "joy"], **span)]
    annotations = [
        {"completed_by": 3, "result": ann},
        {"completed_by": {"id": 4, "email": "ben@here"}, "result": ben},
        {"completed_by": 5, "was_cancelled": True, "result": [region("z", "choices", ["sad"], **span)]},
    ]
    path = save(tmp_path / "export.json", [{"id": 9, "data": {"audio": "/data/talk.wav"}, "annotations": annotations}])
    transcript = read_transcript(path)
    (conversation,) = transcript.conversations
    assert (conversation.id, conversation.media) == ("export", "/data/talk.wav")
    assert said(transcript) == [("Sam", None, None), ("Eve", "Hi there", None)]
    second = conversation.utterances[1]
    assert second.annotations == (Annotation("3", "joy"), Annotation("ben@here", "anger"))
    assert (second.start, second.end) == (1.5, 2.5)
    annotations[1:] = []
    save(path, [{"data": {"audio": "/data/talk.wav"}, "annotations": annotations}] * 2)
    assert [of.id for of in read_transcript(path).conversations] == ["1", "2"]
    assert said(read_transcript(path))[1] == ("Eve", "Hi there", "joy")


def test_tasks_that_are_utterances(tmp_path: Path) -> None:
    def task(number: int, by: int, *labels: str, **data: object) -> dict[str, Any]:
        given = [
            {"completed_by": by + n, "result": [region("a", "choices", [label])]} for n, label in enumerate(labels)
        ]
        return {"id": number, "data": {"conversation": "c", "text": f"line {number}", **data}, "annotations": given}

    spans = [region("s", "labels", ["name"], start=0, end=4, text="line")]
    tasks = [
        task(1, 1, "joy", speaker="Ann", audio="/data/local-files/?d=clips/1.wav"),
        task(2, 1, "joy", "anger", speaker="Ben", topic="work", audio="https://here/2.wav"),
        task(3, 1) | {"annotations": [{"completed_by": 1, "result": spans}]},  # of characters, not of seconds
        task(4, 1) | {"predictions": [{"score": 0.75, "result": [region("p", "choices", ["joy"])]}]},
    ]
    transcript = read_transcript(save(tmp_path / "a.json", tasks))
    first, second, third, _ = utterances(transcript)
    assert (first.label, first.annotations) == ("joy", (Annotation("1", "joy"),))
    assert transcript.clips["c", first.id] == tmp_path / "clips/1.wav"
    assert (second.label, [of.label for of in second.annotations]) == (None, ["joy", "anger"])
    assert dict(second.extra) == {"topic": "work", "audio": "https://here/2.wav"}
    assert (third.label, third.text) == ("name", "line 3")
    (prediction,) = transcript.predictions
    assert (prediction.emotion, prediction.probability) == ("joy", 0.75)


def test_paragraphs_of_a_dialogue(tmp_path: Path) -> None:
    dialogue = [{"author": "Ann", "text": "Hi!", "start": 0.5, "end": 1.0}, {"author": "Ben", "text": "No."}]
    result = region("a", "paragraphlabels", ["joy"], start="0", end="1", startOffset=1, endOffset=2)
    of = {"completed_by": {"email": "eve@here"}, "result": [result]}
    task: dict[str, Any] = {"data": {"chat": dialogue}, "annotations": [of], "predictions": []}
    path = save(tmp_path / "a.json", task)
    assert said(read_transcript(path)) == [("Ann", "Hi!", "joy"), ("Ben", "No.", "joy")]
    assert utterances(read_transcript(path))[1].annotations == (Annotation("eve@here", "joy"),)
    task["annotations"].append(
        {"ground_truth": True, "result": [region("b", "paragraphlabels", ["sad"], start=1, end=1)]}
    )
    assert [one[2] for one in said(read_transcript(save(path, task)))] == [None, "sad"]
    for start, end in (("0", "2"), ("x", "1"), (None, "1"), ("1", "0")):
        result["value"] |= {"start": start, "end": end}
        with pytest.raises(InputError, match="task 1"):
            read_transcript(save(path, task))
    for value in ([{"data": {}}, 3], [{"data": {}}, {"data": 3}]):
        with pytest.raises(InputError, match="task 2"):
            read_transcript(save(path, value))


def test_labels_that_were_given_in_label_studio(tmp_path: Path) -> None:
    """Written tasks with predictions, as a person exports them: corrected labels, and the account of this person."""
    source = save(
        tmp_path / "a.jsonl",
        {"conversation": "c", "utterance": "u", "speaker": "Ann", "text": "Hi!", "emotion": "joy", "probability": 0.75},
    )
    write_transcript(tmp_path / "tasks.json", read_transcript(source), "labelstudio")
    (task,) = json.loads((tmp_path / "tasks.json").read_text())
    (prediction,) = task["predictions"]
    assert (prediction["score"], prediction["result"][0]["value"]["paragraphlabels"]) == (0.75, ["joy"])
    result = prediction["result"][0] | {"value": prediction["result"][0]["value"] | {"paragraphlabels": ["anger"]}}
    task["annotations"] = [{"id": 5, "completed_by": {"id": 1, "email": "eve@here"}, "result": [result]}]
    (one,) = utterances(transcript := read_transcript(save(tmp_path / "export.json", [task])))
    assert one.annotations == (Annotation("eve@here", "anger"),)
    assert (one.id, one.label, transcript.predictions[0].emotion) == ("u", "anger", "joy")


@pytest.mark.parametrize(("name", "module"), [("a.xlsx", "openpyxl"), ("a.parquet", "pyarrow")])
def test_a_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, module: str) -> None:
    source = read_transcript(save(tmp_path / "a.jsonl", {"speaker": "Ann", "text": "Hi!"}))
    write_transcript(tmp_path / name, source)
    monkeypatch.setitem(sys.modules, module, None)
    for use in (lambda: read_transcript(tmp_path / name), lambda: write_transcript(tmp_path / name, source)):
        with pytest.raises(MissingDependencyError, match=r"sdt-erc\["):
            use()
