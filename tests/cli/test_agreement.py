from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sdt.__main__ import main
from sdt.conversation import Annotation, Conversation, Utterance
from sdt.formats import Transcript, write_transcript


def write(path: Path, text: str, *, conversation: str = "c", times: bool = False, shift: float = 0) -> Path:
    lines = [
        {"conversation": conversation, "utterance": str(n), "speaker": "Ann", "text": f"line {n}", "label": label}
        | ({"start": 2 * n + shift, "end": 2 * n + 2 + shift} if times else {})
        for n, label in enumerate(text.split())
        if label != "-"
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def found(tmp_path: Path, *files: Path) -> dict[str, Any]:
    output = tmp_path / "agreement.json"
    assert main(["agreement", *map(str, files), "--json", str(output), "--draws", "100"]) == 0
    values: dict[str, Any] = json.loads(output.read_text())
    return values


def test_two_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ann, ben = write(tmp_path / "ann.jsonl", "joy joy anger -"), write(tmp_path / "ben.jsonl", "joy anger anger joy")
    output = tmp_path / "different.csv"
    assert main(["agreement", str(ann), str(ben), "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    assert "0.67" in printed
    assert "0.40" in printed
    assert output.read_text().splitlines() == ["conversation,utterance,text,ann,ben", "c,1,line 1,joy,anger"]
    values = found(tmp_path, ann, ben)
    assert (values["annotators"], values["disagreements"]) == (["ann", "ben"], 1)
    assert "time" not in values
    by_utterance = values["utterances"]
    assert (by_utterance["compared"], by_utterance["missing"]) == (3, 1)
    assert by_utterance["agreement"]["value"] == pytest.approx(2 / 3)
    assert by_utterance["agreement"]["interval"] is None
    (pair,) = by_utterance["pairs"]
    assert pair["cohen_kappa"]["value"] == pytest.approx(0.4)
    assert by_utterance["labels"]["joy"]["agreement"]["value"] == pytest.approx(2 / 3)


def test_intervals_over_conversations(tmp_path: Path) -> None:
    for name, labels in (("ann", "jjjjaaaa"), ("ben", "jjajaaja")):
        for number in range(8):
            write(tmp_path / name / f"{number}.jsonl", f"{labels[number]} j a", conversation=f"c{number}")
    of = found(tmp_path, tmp_path / "ann", tmp_path / "ben")["utterances"]
    assert of["compared"] == 24
    for estimate in (of["agreement"], of["fleiss_kappa"], of["krippendorff_alpha"], of["pairs"][0]["cohen_kappa"]):
        low, high = estimate["interval"]
        assert low < estimate["value"] < high


def test_other_segments_are_compared_by_time(tmp_path: Path) -> None:
    ann = write(tmp_path / "ann.jsonl", "joy joy anger anger", times=True)
    ben = write(tmp_path / "ben.jsonl", "joy anger anger anger", times=True, shift=1.5)
    values = found(tmp_path, ann, ben)
    assert "utterances" not in values
    assert len(values["notes"]) >= 1
    # Common from 1.5 s to 8 s: joy until 4 s and until 3.5 s.
    assert values["time"]["compared"] == 6.5
    assert values["time"]["agreement"]["value"] == pytest.approx(6 / 6.5)


def test_files_without_the_name_of_the_conversation(tmp_path: Path) -> None:
    for name, labels in (("ann", ("joy", "anger")), ("ben", ("joy", "joy"))):
        lines = "".join(f"Ann,line,{label}\n" for label in labels)
        (tmp_path / f"{name}.csv").write_text(f"speaker,text,label\n{lines}")
    values = found(tmp_path, tmp_path / "ann.csv", tmp_path / "ben.csv")
    assert values["utterances"]["compared"] == 2
    assert len(values["notes"]) >= 1


def test_several_annotators_in_a_file(tmp_path: Path) -> None:
    given = (("joy", "joy"), ("joy", "anger"), ("anger",))  # by Ann, and by Ben
    rows: list[dict[str, Any]] = [
        {
            "conversation": "c",
            "utterance": str(n),
            "speaker": "Ann",
            "text": "Hi",
            "label": "sadness",  # the label that counts is of nobody
            "annotations": [
                {"annotator": name, "label": label} for name, label in zip(("Ann", "Ben"), labels, strict=False)
            ],
        }
        for n, labels in enumerate(given)
    ]
    rows[0]["annotations"].append({"annotator": "Ann", "label": "anger"})
    path = tmp_path / "all.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    values = found(tmp_path, path)
    assert values["annotators"] == ["Ann", "Ben"]
    assert (values["utterances"]["compared"], values["utterances"]["missing"]) == (2, 1)
    assert values["utterances"]["agreement"]["value"] == 0.5
    assert list(values["utterances"]["labels"]) == ["anger", "joy"]
    assert any("several labels" in note for note in values["notes"])


@pytest.mark.parametrize(("format", "name"), [("labelstudio", "a.json"), ("audformat", "a"), ("parquet", "a.parquet")])
def test_annotators_in_other_formats(tmp_path: Path, format: str, name: str) -> None:
    pytest.importorskip("pyarrow")
    given = [[Annotation(by, label) for by, label in (("Ann", "joy"), ("Ben", label))] for label in ("joy", "anger")]
    conversations = [
        Conversation(id, tuple(Utterance(str(n), "Eve", "Hi", annotations=tuple(of)) for n, of in enumerate(given)))
        for id in ("one", "two")
    ]
    write_transcript(tmp_path / name, Transcript(conversations), format)
    values = found(tmp_path, tmp_path / name)
    assert values["annotators"] == ["Ann", "Ben"]
    assert (values["utterances"]["compared"], values["utterances"]["agreement"]["value"]) == (4, 0.5)


def test_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ann = write(tmp_path / "ann.jsonl", "joy anger")
    assert main(["agreement", str(ann)]) == 2
    assert main(["agreement", str(ann), str(ann)]) == 2
    assert main(["agreement", str(ann), str(write(tmp_path / "ben.jsonl", "joy", conversation="other"))]) == 2
    assert main(["agreement", str(ann), str(tmp_path / "missing.jsonl")]) == 2
    capsys.readouterr()
    unlabelled = tmp_path / "chat.txt"
    unlabelled.write_text("Ann: Hi.\n")
    assert main(["agreement", str(ann), str(unlabelled)]) == 2
    assert str(unlabelled) in capsys.readouterr().err
