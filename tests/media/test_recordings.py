"""Which clip belongs to which utterance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError
from sdt.media.audio import decode_audio
from sdt.media.clip import Clip, MediaProblem
from sdt.media.recordings import Recordings, find_recordings, is_recording
from tests.encoders.clips import noise, write_clip
from tests.prediction.models import chat


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def found(recordings: Recordings, conversation: str, *, modality: str = "audio") -> dict[str, str]:
    """Utterance id to the name of its clip."""
    ids = [utterance for name, utterance in recordings.clips if name == conversation]
    clips = {id_: recordings.clip(conversation, id_, modality) for id_ in ids}
    return {id_: clip.path.name for id_, clip in clips.items() if clip}


def test_what_the_transcript_names(tmp_path: Path) -> None:
    named = {("chat", "1"): tmp_path / "one.wav"}
    recordings = find_recordings([chat()], named, None)
    assert recordings.clip("chat", "1", "audio") == Clip(tmp_path / "one.wav")
    assert recordings.clip("chat", "0", "audio") is None
    assert find_recordings([chat()], {}, None).clips == {}


def test_a_recording_that_several_utterances_name_is_cut_by_their_times(tmp_path: Path) -> None:
    talk, own = touch(tmp_path, "talk.mp4") / "talk.mp4", tmp_path / "own.wav"
    said = chat("c", 3, timed=True)
    recordings = find_recordings([said], {("c", "0"): talk, ("c", "1"): talk, ("c", "2"): own}, None)
    assert recordings.clip("c", "1", "visual") == Clip(talk, 0.5, 1.0)
    assert recordings.clip("c", "2", "audio") == Clip(own), "a clip of one utterance is all its own, whatever its times"
    with pytest.raises(
        InputError, match=r"talk\.mp4: is the recording of 2 utterances, but utterance '0' of.*no start"
    ):
        find_recordings([chat("c", 2)], {("c", "0"): talk, ("c", "1"): talk}, None)


def test_a_recording_is_cut_by_the_times(tmp_path: Path) -> None:
    file = touch(tmp_path, "talk.mp4") / "talk.mp4"
    said = Conversation("c", (*chat("c", 2, timed=True).utterances, Utterance("untimed", "Ann", "?")))
    recordings = find_recordings([said], {}, file)
    assert recordings.clip("c", "1", "visual") == Clip(file, 0.5, 1.0)
    assert recordings.clip("c", "untimed", "visual") is None


def test_a_transcript_without_times(tmp_path: Path) -> None:
    file = touch(tmp_path, "talk.mp4") / "talk.mp4"
    assert find_recordings([chat(length=1)], {}, file).clip("chat", "0", "audio") == Clip(file)
    with pytest.raises(InputError, match=r"cannot be cut into the 2 utterances of conversation 'chat'.*has no times"):
        find_recordings([chat(length=2)], {}, file)
    with pytest.raises(InputError, match="is one recording, but there are 2 conversations; give a folder"):
        find_recordings([chat("a"), chat("b")], {}, file)
    with pytest.raises(InputError, match=r"absent\.mp4: file or folder not found"):
        find_recordings([chat()], {}, tmp_path / "absent.mp4")


@pytest.mark.parametrize("conversation", ["1", "dia1", "train_dia1", "conversation 01"])
def test_melds_names(tmp_path: Path, conversation: str) -> None:
    touch(tmp_path, "dia1_utt0.wav", "dia1_utt2.mp4", "dia11_utt1.wav", "dia1_utt1.txt")
    recordings = find_recordings([chat(conversation)], {}, tmp_path)
    assert found(recordings, conversation) == {"0": "dia1_utt0.wav", "2": "dia1_utt2.mp4"}


def test_other_names(tmp_path: Path) -> None:
    touch(tmp_path, "a_0.wav", "a/1.FLAC", "2.ogg", "a.wav", "readme.md")
    assert found(find_recordings([chat("a")], {}, tmp_path), "a") == {"0": "a_0.wav", "1": "1.FLAC", "2": "2.ogg"}
    # With two conversations, 2.ogg could be either's.
    both = find_recordings([chat("a"), chat("b")], {}, tmp_path)
    assert found(both, "a") == {"0": "a_0.wav", "1": "1.FLAC"}
    assert found(both, "b") == {}


def test_sound_from_the_sound_file_and_pictures_from_the_film(tmp_path: Path) -> None:
    touch(tmp_path, "chat_0.mp4", "chat_0.wav", "chat_0.mp3", "chat_1.mkv", "chat_2.wav")
    recordings = find_recordings([chat()], {}, tmp_path)
    assert found(recordings, "chat") == {"0": "chat_0.wav", "1": "chat_1.mkv", "2": "chat_2.wav"}
    assert found(recordings, "chat", modality="visual") == {"0": "chat_0.mp4", "1": "chat_1.mkv", "2": "chat_2.wav"}


def test_one_recording_for_each_conversation(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.wav", "b_1.wav")
    recordings = find_recordings([chat("a", 2, timed=True), chat("b", 2)], {}, tmp_path)
    assert recordings.clip("a", "1", "audio") == Clip(tmp_path / "a.mp4", 0.5, 1.0)
    assert found(recordings, "b") == {"1": "b_1.wav"}  # clips of utterances win over that of the conversation


def test_a_folder_of_other_things(tmp_path: Path) -> None:
    touch(tmp_path, "holiday.mp4", "notes.txt")
    with pytest.raises(InputError, match=r"no recording of any utterance.*chat_0\.\*, chat/0\.\*, 0\.\*"):
        find_recordings([chat()], {}, tmp_path)


@pytest.mark.parametrize(
    "name", ["a.3gp", "a.mts", "a.M2TS", "a.mka", "a.mp2", "a.spx", "a.amr", "a.ac3", "a.wv", "a.vob", "a.3g2"]
)
def test_what_a_name_says_is_a_recording(name: str) -> None:
    assert is_recording(Path(name))  # the file need not exist


def test_a_recording_is_recognised_by_its_content(tmp_path: Path) -> None:
    for kind in (".wav", ".mp4", ".mkv", ".ts"):
        path = write_clip(tmp_path / f"whole{kind}", noise(0.2))
        assert is_recording(path.rename(tmp_path / f"recording{kind[1:]}"))
    (tmp_path / "words").write_text("Ann: Hi.\n" * 99)
    (tmp_path / "numbers.npy").write_bytes(np.random.default_rng(0).bytes(5000) + b"\0" * 99)
    (tmp_path / "archive.bin").write_bytes(b"PK\3\4" + b"\0" * 5000)
    for name in ("words", "numbers.npy", "archive.bin", "absent", "n" * 300):
        assert not is_recording(tmp_path / name)


def test_recordings_of_no_utterance_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "chat_0.wav", "chat_0.mp4", "chat_7.wav", "more/holiday.mp4", "notes.txt")
    (note,) = find_recordings([chat()], {}, tmp_path).notes
    assert "2 of 4" in note
    assert "chat_7.wav" in note
    assert "holiday.mp4" in note
    touch(tmp_path / "all", "chat_0.wav")
    assert find_recordings([chat()], {}, tmp_path / "all").notes == []


def test_a_name_that_no_file_can_have_is_a_missing_clip(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 300)
    recordings = find_recordings([chat()], {("chat", "0"): long, ("chat", "1"): long}, None)
    clip = recordings.clip("chat", "0", "audio")
    assert clip is not None
    with pytest.raises(MediaProblem, match="file not found in "):
        decode_audio(clip)
