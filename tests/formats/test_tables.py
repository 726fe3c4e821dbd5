from __future__ import annotations

import json
from pathlib import Path

import pytest

from sdt.conversation import Conversation, Utterance
from sdt.formats import read_transcript
from tests.formats.files import read, refused, said, times, utterances
from tests.shared import SHARED_DATA, needs_meld

FULL = Conversation(
    "c1",
    (
        Utterance("a", "Ann", "Hi, you", "joy", 0, 1.5),
        Utterance("b", "Bob", None, None, 61.25, 3600),
    ),
)
CSV = """conversation,order,utterance,speaker,text,start,end,label,media
c1,2,b,Bob,,"00:01:01,250",01:00:00,,
c1,1,a,Ann,"Hi,
 you",0,1.5,joy,clips/a.wav
c2,1,x,Cid,Oh,,,,/far/x.mp4
"""


def test_csv(tmp_path: Path) -> None:
    transcript = read(tmp_path, "a.csv", CSV)
    assert transcript.conversations == [FULL, Conversation("c2", (Utterance("x", "Cid", "Oh"),))]
    assert transcript.clips == {("c1", "a"): tmp_path / "clips/a.wav", ("c2", "x"): Path("/far/x.mp4")}
    assert transcript.notes == []


@pytest.mark.parametrize("delimiter", ["\t", ";"])
@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_other_delimiters(tmp_path: Path, delimiter: str, suffix: str) -> None:
    content = "speaker,text\nAnn,hi\nBob,oh\n".replace(",", delimiter)
    assert said(read(tmp_path, f"a.{suffix}", content)) == [("Ann", "hi"), ("Bob", "oh")]


def test_json_lines(tmp_path: Path) -> None:
    rows = [
        {"conversation": "c1", "utterance": "a", "speaker": "Ann", "text": "Hi,\n you", "start": -5e-17, "end": 1.5,
         "label": "joy", "media": "clips/a.wav"},
        {"conversation": "c1", "utterance": "b", "speaker": "Bob", "text": None, "start": "1:01.25", "end": 3600},
    ]  # fmt: skip
    transcript = read(tmp_path, "a.jsonl", "\n\n".join(map(json.dumps, rows)))
    assert transcript.conversations == [FULL]
    assert transcript.clips == {("c1", "a"): tmp_path / "clips/a.wav"}


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", "Speaker,TEXT,Start\nAnn,Hi,1.5\n"), ("a.jsonl", '{"Speaker": "Ann", "TEXT": "Hi", "Start": 1.5}\n')],
)
def test_capital_letters_in_names_of_columns(tmp_path: Path, name: str, content: str) -> None:
    transcript = read(tmp_path, name, content)
    assert said(transcript) == [("Ann", "Hi")]
    assert times(transcript) == [(1.5, None)]
    assert transcript.notes == []


def test_what_is_not_given(tmp_path: Path) -> None:
    transcript = read(tmp_path, "talk.csv", "text,mood\nHi,7\nOh,8\n")
    assert transcript.conversations == [
        Conversation(
            "talk",
            (
                Utterance("0", "Speaker 1", "Hi", extra={"mood": "7"}),
                Utterance("1", "Speaker 1", "Oh", extra={"mood": "8"}),
            ),
        )
    ]
    assert transcript.notes == [
        "talk.csv: columns kept, but not used: mood",
        "talk.csv: no speaker names found: all 2 utterances are assigned to one speaker",
    ]


def test_some_speakers_are_not_given(tmp_path: Path) -> None:
    content = "conversation,speaker,text\n1,,a\n1,Ann,b\n1,,c\n2,,d\n"
    transcript = read(tmp_path, "a.csv", content)
    speakers = [[utterance.speaker for utterance in c.utterances] for c in transcript.conversations]
    assert speakers == [["Speaker 1", "Ann", "Ann"], ["Speaker 1"]]
    assert transcript.notes == [
        "a.csv: 1 of 2 conversations have no speaker names: one speaker is assumed for each",
        "a.csv: 2 of 4 utterances have no speaker name: assigned to the previous speaker",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("speeker,text\nA,a\n", "unknown column 'speeker'; did you mean 'speaker'?"),
        ("speaker,words\nA,a\n", "column 'text' is missing; found are: speaker, words"),
        ("speaker,text,text\nA,a,a\n", "a.csv: column 'text'"),
        ("speaker,text\nA\n", "a.csv, line 2: 1 cells, but line 1 has 2"),
        ("speaker,text\n", "no utterances"),
        ('speaker,text\nA,"a\n', "a.csv, line 2: not CSV"),
        ("speaker,text,start\nA,a,1\nB,b,1:2:3:4\n", "a.csv, line 3: start '1:2:3:4' is not a time"),
        ("speaker,text,start\nA,a,-1\n", "a.csv, line 2: start '-1' is not a time"),
        ("speaker,text,start\nA,a,inf\n", "a.csv, line 2: start 'inf' is not a time"),
        ("text,label,review\na,joy,conf\n", "a.csv, line 2: review 'conf' is unknown; did you mean 'confirmed'?"),
        ("text,emotion,probability,label,corrected\na,b,1,c,ja\n", "line 2: corrected 'ja'"),
        ("speaker,text,start,end\nA,a,2,1\n", "a.csv, line 2: end 1.0 is before start 2.0"),
        ("speaker,text,order\nA,a,first\n", "a.csv, line 2: order 'first' is not a number"),
        ("speaker,text,order\nA,a,nan\n", "a.csv, line 2: order 'nan' is not a number"),
        ("utterance,text\n1,a\n1,b\n", "a.csv, line 3: utterance '1' repeats line 2"),
        ("utterance,text\n1,a\n,b\n", "a.csv, line 3: conversation 'a' has two utterances '1'"),
    ],
)
def test_mistakes_in_csv(tmp_path: Path, content: str, message: str) -> None:
    assert message in refused(tmp_path, "a.csv", content)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a"', "a.jsonl, line 2: not JSON"),
        ("[1]", "a.jsonl, line 2: expected an object"),
        ('{"text": ["a"]}', "a.jsonl, line 2: text is"),
        ('{"text": "a", "start": NaN}', "a.jsonl, line 2: start 'nan' is not a time"),
        ('{"text": "a", "start": true}', "a.jsonl, line 2: start is true"),
        ('{"text": "a", "start": 1e400}', "a.jsonl, line 2: start 'inf' is not a time"),
        ('{"text": "\\ud800"}', "a.jsonl, line 2: text contains an unpaired surrogate"),
        ('{"txt": "a"}', "unknown column 'txt'; did you mean 'text'?"),
        ("[" * 50_000, "a.jsonl, line 2: not JSON"),
    ],
)
def test_mistakes_in_json_lines(tmp_path: Path, line: str, message: str) -> None:
    start = "" if "txt" in line else '{"text": "x"}'
    assert message in refused(tmp_path, "a.jsonl", f"{start}\n{line}\n")


MELD = """Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime
2,Oh\x92s,Bob,anger,negative,0,1,8,21,"00:16:21,940","00:16:23,442"
1,Hi,Ann,joy,positive,0,0,8,21,"00:16:16,059","00:16:21,731"
1,Hi,Ann,joy,positive,0,0,8,21,"00:16:16,059","00:16:21,731"
3,No,Cid,fear,negative,1,0,8,21,"00:17:16,059","00:17:21,731"
"""


@pytest.mark.parametrize("name", ["meld.csv", "meld.txt"])
def test_melds_own_columns(tmp_path: Path, name: str) -> None:
    transcript = read(tmp_path, name, MELD)
    assert [conversation.id for conversation in transcript.conversations] == ["0", "1"]
    assert transcript.conversations[0].utterances == (
        Utterance("0", "Ann", "Hi", "joy", 976.059, 981.731),
        Utterance("1", "Bob", "Oh’s", "anger", 981.94, 983.442),
    )
    assert f"{name}: repeated lines ignored: 1" in transcript.notes


@needs_meld
def test_the_real_meld() -> None:
    assert SHARED_DATA
    transcript = read_transcript(SHARED_DATA / "meld" / "train_sent_emo.csv")
    assert len(transcript.conversations) == 1038
    assert sum(map(len, transcript.conversations)) == 9989
    assert not any("\x80" <= c < "\xa0" for c in "".join(u.text or "" for u in transcript.conversations[1].utterances))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json"])
def test_labels_and_reviews_of_people_alone(tmp_path: Path, kind: str) -> None:
    rows: list[dict[str, object]] = [
        {"text": "a", "label": "joy", "review": "corrected", "emotion": "anger", "probability": 0.5},
        {"text": "b", "label": "joy", "review": "Confirmed", "emotion": "joy", "probability": 0.5},
        {"text": "c", "label": "joy", "review": None, "emotion": "joy", "probability": 0.5},
        {"text": "d", "label": None, "review": None, "emotion": "joy", "probability": 0.5},
        {"text": "e", "label": None, "review": "confirmed", "emotion": "joy", "probability": 0.5},
    ]
    notes: list[str] = []
    assert reviews(tmp_path, kind, rows, notes) == [
        ("joy", "corrected"),
        ("joy", "confirmed"),
        ("joy", None),
        (None, None),
        (None, None),
    ]
    assert f"a.{kind}: reviews without a label ignored: 1" in notes


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize(("yes", "no"), [(True, False), ("TRUE", "FALSE")])
def test_what_older_pages_saved(tmp_path: Path, kind: str, yes: object, no: object) -> None:
    rows: list[dict[str, object]] = [
        {"text": "a", "label": "joy", "emotion": "anger", "probability": 0.5, "corrected": yes},
        {"text": "b", "label": "joy", "emotion": "joy", "probability": 0.5, "corrected": no},
        {"text": "c", "label": "joy", "emotion": "anger", "probability": 0.5, "corrected": no},
    ]
    notes: list[str] = []
    assert reviews(tmp_path, kind, rows, notes) == [("joy", "corrected"), (None, None), ("joy", None)]
    assert [note for note in notes if "label" in note] == [
        f"a.{kind}: labels ignored that only repeat the prediction: 1"
    ]


def reviews(
    folder: Path, kind: str, rows: list[dict[str, object]], notes: list[str] | None = None
) -> list[tuple[str | None, str | None]]:
    """Label and review of each row, read from a file of this kind."""
    if kind == "csv":
        names = list(rows[0])
        cells = [["" if row[name] is None else str(row[name]) for name in names] for row in rows]
        content = "\n".join(",".join(line) for line in [names, *cells])
    else:
        content = json.dumps(rows) if kind == "json" else "\n".join(map(json.dumps, rows))
    transcript = read(folder, f"a.{kind}", content)
    if notes is not None:
        notes += transcript.notes
    return [(u.label, u.review) for u in utterances(transcript)]


@pytest.mark.parametrize("value", ["5.674666666666667", "5.674666666666667e0", "567466.6666666667E-5"])
def test_times_with_many_decimals(tmp_path: Path, value: str) -> None:
    assert times(read(tmp_path, "a.csv", f"speaker,text,start\nA,a,{value}\n")) == [(5.674667, None)]
    for cell in (value, f'"{value}"'):
        assert times(read(tmp_path, "a.jsonl", f'{{"text": "a", "start": {cell}}}')) == [(5.674667, None)]


def test_predictions_are_left_aside(tmp_path: Path) -> None:
    content = "utterance,speaker,text,emotion,probability,p_order,text_weight\na,Ann,Hi,joy,0.9,0.1,1\n"
    transcript = read(tmp_path, "a.csv", content)
    assert utterances(transcript) == (Utterance("a", "Ann", "Hi"),)
    assert times(transcript) == [(None, None)]
    assert transcript.notes == []
