"""What can be predicted on from Python, and folders of clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError
from sdt.formats import Transcript, write_transcript
from sdt.prediction import Pipeline
from sdt.prediction.inputs import UtteranceInput, read_input, recordings_of
from sdt.prediction.scan import InputScan
from tests.encoders.clips import noise, write_clip
from tests.prediction.models import chat, tiny_model


def test_a_list_of_texts_is_a_conversation() -> None:
    found = Pipeline(tiny_model())(["I am happy", "Me,  too\n"])
    assert [(said.text, said.speaker, said.utterance) for said in found] == [
        ("I am happy", "Speaker 1", "0"),
        ("Me, too", "Speaker 1", "1"),
    ]
    assert all(said.emotion and said.start is None and said.end is None and said.label is None for said in found)
    (note,) = found.notes
    assert "no speaker names found" in note


def test_pairs_and_dictionaries() -> None:
    mixed: list[UtteranceInput] = [("Ann", "Hi"), ("Ben", "Hello"), (None, "Well"), "Bye"]
    pairs = read_input(mixed).conversations
    assert [(said.speaker, said.text) for said in pairs[0].utterances] == [
        ("Ann", "Hi"),
        ("Ben", "Hello"),
        ("Ben", "Well"),
        ("Ben", "Bye"),
    ]
    records: list[dict[str, object]] = [
        {"text": "Hi", "speaker": "Ann", "start": 0.5, "end": 1, "label": "joy", "conversation": "a", "utterance": 7},
        {"text": None, "speaker": "Ben", "conversation": "a"},
        {"text": "Ho", "conversation": "b"},
    ]
    found = Pipeline(tiny_model())(records)
    first, second, third = found
    assert (first.text, first.speaker, first.start, first.end, first.label) == ("Hi", "Ann", 0.5, 1.0, "joy")
    assert (first.utterance, second.emotion, third.conversation) == ("7", None, "b")
    assert list(found.to_pandas()["emotion"].isna()) == [False, True, False]


def test_what_pandas_and_numpy_hold() -> None:
    import pandas

    frame = pandas.DataFrame({"speaker": ["Ann", None], "text": ["Hi", float("nan")], "start": [0.5, 2.0]})
    for given in (frame, frame.convert_dtypes(), frame.to_dict("records")):
        (talk,) = read_input(given).conversations
        assert [(said.speaker, said.text, said.start) for said in talk.utterances] == [
            ("Ann", "Hi", 0.5),
            ("Ann", None, 2.0),
        ]
    number: dict[str, object] = {"text": "Hi", "utterance": np.int64(3), "end": np.float32(1.5)}
    (said,) = read_input([number]).conversations[0].utterances
    assert (said.id, said.end) == ("3", 1.5)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([3], "item 1 of the list is 3; give texts"),
        ([["Hi", "Ho"]], "item 1 of the list is"),
        (3, "3: give a path"),
        (["Hi", ("Ann", "Hi", "Ho")], "item 2 of the list is"),
        ([chat(), "Hi"], "item 1 of the list is"),
        ([{"txt": "Hi"}], "did you mean 'text'|column 'text' is missing"),
        ([{"text": "Hi", "start": "soon"}], "conversation, line 1: "),
        ([{"text": "Hi", "start": 2.0, "end": 1.0}], "line 1: "),
        ([{"text": "Hi", "utterance": "1"}, {"text": "Ho", "utterance": "1"}], "line 2: utterance '1'"),
        ([("Ann", 3.5)], "item 1 of the list is"),
    ],
)
def test_lists_that_cannot_be_used(items: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_input(items)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("given", ["I am happy", "I am " + "very " * 2000 + "happy", "nul\0byte"])
def test_words_that_are_no_path(given: str) -> None:
    with pytest.raises(InputError, match=r"file or folder not found .* in a list") as caught:
        read_input(given)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("given", [["I am happy"], "english-text-audio-small", None])
def test_a_pipeline_without_a_model(given: Any) -> None:
    with pytest.raises(InputError, match=r"Pipeline\.from_pretrained"):
        Pipeline(given)


def test_a_folder_of_recordings(tmp_path: Path) -> None:
    """As `sdt features extract` reads it: the names say conversation and utterance; two files may be one utterance."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("talk_2", "talk_10", "alone"):
        write_clip(folder / f"{name}.wav", noise(0.4))
    write_clip(folder / "alone.mp4", pictures=[np.zeros((48, 64, 3), np.uint8)] * 3)
    (folder / "notes.pdf").write_bytes(b"%PDF")
    transcript = read_input(folder)
    assert [(c.id, [u.id for u in c.utterances]) for c in transcript.conversations] == [
        ("alone", ["0"]),
        ("talk", ["2", "10"]),
    ]
    recordings = recordings_of(transcript, transcript.conversations, None)
    for modality, suffix in (("visual", ".mp4"), ("audio", ".wav")):
        clip = recordings.clip("alone", "0", modality)
        assert clip
        assert clip.path == folder / f"alone{suffix}"
    found = Pipeline(tiny_model({"text": "words:16", "audio": "prosody"}))(folder)
    assert [said.weights for said in found] == [{"text": None, "audio": 1.0}] * 3
    assert "video is not used: the model has no visual modality" in found.notes
    scan = InputScan(folder, None)
    assert (scan.has_recordings, scan.has_video, scan.utterances) == (True, True, 3)
    ((batch, clips),) = scan.batches()
    assert (batch, clips.clips) == (transcript.conversations, recordings.clips)
    with pytest.raises(InputError, match="neither transcripts nor recordings"):
        read_input(tmp_path)


def test_what_is_given_as_conversations_stays_as_it_is() -> None:
    talk = Conversation("x", (Utterance("0", "Ann", "  Hi\n"),))
    assert read_input([talk]).conversations == read_input(talk).conversations == [talk]
    assert read_input([]).conversations == []


@pytest.mark.parametrize(
    "name", ["talk.wav", "./talk.wav", "file:///elsewhere/talk.wav", "file:///Users/x/my%20talk.wav"]
)
def test_a_file_of_elan_names_its_recording(name: str, tmp_path: Path) -> None:
    """As ELAN itself does, the recording is looked for where it was, and beside the transcript."""
    recording = tmp_path / ("my talk.wav" if "%20" in name else "talk.wav")
    utterances = (Utterance("0", "Ann", "Hi", start=0.0, end=1.0), Utterance("1", "Ben", "Ho", start=1.0, end=2.0))
    path = tmp_path / "session" / "talk.eaf"
    path.parent.mkdir()
    write_transcript(path, Transcript([Conversation("talk", utterances, media=name)]))
    assert not read_input(path).clips
    assert not InputScan(path, None).has_recordings
    moved = path.parent / recording.name
    write_clip(moved, noise(2.0))
    for found in (read_input(path), read_input(path.parent)):
        assert set(found.clips.values()) == {moved}
        clips = recordings_of(found, found.conversations, None).clips
        assert [(clip.start, clip.end) for of in clips.values() for clip in of] == [(0.0, 1.0), (1.0, 2.0)]
    assert InputScan(path.parent, None).has_recordings


@pytest.mark.parametrize("name", ["https://host/talk.wav", "\0", "x" * 5000, "file://[", "/"])
def test_a_name_that_is_no_file(name: str, tmp_path: Path) -> None:
    write_clip(tmp_path / "talk.wav", noise(1.0))
    path = tmp_path / "talk.eaf"
    talk = Conversation("talk", (Utterance("0", "Ann", "Hi", start=0.0, end=1.0),), media=name)
    write_transcript(path, Transcript([talk]))
    read = read_input(path)
    assert read.conversations[0].media
    assert not read.clips
