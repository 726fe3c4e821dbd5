"""From recordings to transcripts, with a recogniser that hears one word a second."""

from __future__ import annotations

import tracemalloc
import wave
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sdt.conversation import SpeakerTurn, Word
from sdt.errors import InputError
from sdt.speech import recording as module
from sdt.speech.given import Given
from sdt.speech.recording import RecordingTranscriber, SpeechOptions
from sdt.speech.speakers import Window
from sdt.speech.transcriber import RATE, Recognised, Samples
from tests.encoders.clips import noise, numbered, write_clip

pytest.importorskip("onnxruntime")
pytest.importorskip("kaldi_native_fbank")

ANN, BEN = SpeakerTurn("Ann", 0.0, 2.0), SpeakerTurn("Ben", 2.0, 4.0)


class Loud:
    """Hears a word in each second that is loud enough: the number of that second in the piece."""

    name = key = "loud 1"
    languages: Sequence[str] = ("en", "de")

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.stop_after = 10**9

    def words(self, samples: Samples, language: str | None, *, quick: bool = False) -> Recognised:  # noqa: ARG002 - the protocol
        if len(self.heard) == self.stop_after:
            raise KeyboardInterrupt
        self.heard.append(len(samples))
        seconds = samples[: len(samples) // RATE * RATE].reshape(-1, RATE)
        loud = np.flatnonzero(np.abs(seconds).max(axis=1) > 0.05)
        return Recognised([Word(f"w{n}", float(n) + 0.1, n + 0.9, 0.9) for n in loud], language or "en")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Loud:
    made = Loud()
    monkeypatch.setattr(module, "load_transcriber", lambda *_, **__: made)
    return made


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    """16 bits; [channels, n]."""
    with wave.open(str(path), "wb") as file:
        file.setparams((len(samples), 2, rate, 0, "NONE", ""))
        file.writeframes((samples.T * 32767).astype("<i2").tobytes())
    return path


def loud(seconds: float, seed: int = 0) -> Samples:
    return np.float32(0.3) * noise(seconds, seed=seed)


@pytest.mark.parametrize("kind", [".wav", ".mp3", ".opus", ".mp4"])
def test_a_recording_becomes_a_conversation(tmp_path: Path, engine: Loud, kind: str) -> None:
    path = write_clip(tmp_path / f"talk{kind}", noise(4, 48000), rate=48000)
    found = RecordingTranscriber()(path, Given(turns=[ANN, BEN]))
    [conversation] = found.conversations
    assert conversation.id == "talk"
    assert {(one.speaker, one.words[0].text) for one in conversation.utterances} == {("Ann", "w0"), ("Ben", "w2")}
    assert set(found.clips.values()) == {path}
    assert found.clips.keys() == {("talk", one.id) for one in conversation.utterances}
    assert "loud 1" in found.notes[0]


def test_speakers_can_be_renamed(tmp_path: Path, engine: Loud) -> None:
    path = write(tmp_path / "a.wav", loud(4))
    given = Given(turns=[ANN, BEN])
    [conversation] = RecordingTranscriber(SpeechOptions(names={"Ben": "Sam"}))(path, given).conversations
    assert [one.speaker for one in conversation.utterances] == ["Ann", "Sam"]
    found = RecordingTranscriber(SpeechOptions(names={"Bob": "Sam"}))(path, given)
    assert [one.speaker for one in found.conversations[0].utterances] == ["Ann", "Ben"]
    [note] = [note for note in found.notes if "Bob=Sam" in note]
    assert "Ann, Ben" in note


def test_other_names_need_no_second_transcription(tmp_path: Path, engine: Loud) -> None:
    path, given = write(tmp_path / "a.wav", loud(4)), Given(turns=[ANN, BEN])
    for names in ({"Bob": "Sam"}, {"Ben": "Sam"}):
        found = RecordingTranscriber(SpeechOptions(names=names), tmp_path / "cache")(path, given)
    assert len(engine.heard) == 1
    assert [one.speaker for one in found.conversations[0].utterances] == ["Ann", "Sam"]


def test_an_unknown_language_is_refused_before_the_work(tmp_path: Path, engine: Loud) -> None:
    with pytest.raises(InputError, match=r"--language fr.*en, de"):
        RecordingTranscriber(SpeechOptions(language="fr")).load()
    found = RecordingTranscriber(SpeechOptions(language="de"))(write(tmp_path / "a.wav", loud(2)), Given(turns=[ANN]))
    assert "(de)" in found.notes[0]


def test_words_far_from_all_turns_are_dropped(tmp_path: Path, engine: Loud) -> None:
    path = write(tmp_path / "a.wav", loud(10))
    [conversation] = RecordingTranscriber()(path, Given(turns=[ANN])).conversations
    assert [word.text for one in conversation.utterances for word in one.words] == ["w0", "w1", "w2"]


def nothing(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / f"{kind}.wav"
    if kind == "film":
        return write_clip(tmp_path / "film.mp4", pictures=numbered(10))
    if kind == "text":
        path.write_text("hello")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "none":
        write(path, np.zeros((1, 0)))
    elif kind == "silence":
        write(path, np.zeros((2, 30 * RATE)))
    elif kind == "hum":
        write(path, 0.3 * np.sin(2 * np.pi * 50 * np.arange(12 * RATE) / RATE)[None])
    return path


@pytest.mark.parametrize("kind", ["film", "text", "empty", "none", "silence", "hum", "missing"])
@pytest.mark.parametrize("channels", ["mix", "speakers"])
def test_recordings_without_speech_end_with_a_sentence(
    tmp_path: Path, engine: Loud, kind: str, channels: module.Channels
) -> None:
    path = nothing(tmp_path, kind)
    with pytest.raises(InputError, match=path.name):
        RecordingTranscriber(SpeechOptions(channels=channels))(path)
    assert kind == "hum" or not engine.heard


def test_a_very_short_recording_ends_with_a_sentence(tmp_path: Path, engine: Loud) -> None:
    transcriber = RecordingTranscriber()
    for size in (1, 100, 1600):
        path = write(tmp_path / f"{size}.wav", loud(1)[:, :size])
        with pytest.raises(InputError, match=path.name):
            transcriber(path)


def test_a_cut_file_is_transcribed_as_far_as_it_goes(tmp_path: Path, engine: Loud) -> None:
    path = write(tmp_path / "a.wav", loud(9))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    [conversation] = RecordingTranscriber()(path, Given(turns=[SpeakerTurn("Ann", 0, 9)])).conversations
    assert [word.text for one in conversation.utterances for word in one.words] == ["w0", "w1", "w2", "w3"]


def test_each_channel_is_a_speaker(tmp_path: Path, engine: Loud) -> None:
    left, right = loud(6), loud(6, seed=1)
    left[:, 2 * RATE :] = 0
    right[:, : 3 * RATE] = 0
    path = write(tmp_path / "call.wav", np.concatenate([left, right]))
    seen: list[tuple[str, float, float]] = []
    found = RecordingTranscriber(SpeechOptions(channels="speakers"))(path, progress=lambda *of: seen.append(of))
    [conversation] = found.conversations
    assert [(one.speaker, one.text) for one in conversation.utterances] == [
        ("SPEAKER_00", "w0 w1"),
        ("SPEAKER_01", "w3 w4 w5"),
    ]
    assert [stage for stage, _, _ in seen] == ["words", "words"]
    assert [done for _, done, _ in seen] == [3.0, 6.0]


def test_a_silent_channel_says_nothing(tmp_path: Path, engine: Loud) -> None:
    path = write(tmp_path / "call.wav", np.concatenate([np.zeros((1, 3 * RATE)), loud(3)]))
    found = RecordingTranscriber(SpeechOptions(channels="speakers"))(path)
    assert {one.speaker for one in found.conversations[0].utterances} == {"SPEAKER_01"}
    assert "(en)" in found.notes[0]


@pytest.mark.parametrize(
    "samples", [loud(2), np.repeat(loud(2), 2, axis=0), np.repeat(loud(2), 2, axis=0) * [[1], [0.5]]]
)
def test_one_sound_in_all_channels_is_refused_as_speakers(tmp_path: Path, engine: Loud, samples: np.ndarray) -> None:
    path = write(tmp_path / "call.wav", samples)
    with pytest.raises(InputError, match=r"call\.wav: --channels speakers.*--channels mix"):
        RecordingTranscriber(SpeechOptions(channels="speakers"))(path)


def test_one_sound_after_a_silent_minute_is_refused_as_speakers(
    tmp_path: Path, engine: Loud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 1.0)
    samples = np.concatenate([np.zeros((1, 2 * RATE)), loud(1)], axis=1)
    path = write(tmp_path / "call.wav", np.repeat(samples, 2, axis=0))
    with pytest.raises(InputError, match="same sound"):
        RecordingTranscriber(SpeechOptions(channels="speakers"))(path)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of at most ten seconds, from eight on."""
    monkeypatch.setattr(module, "BLOCK", 6.0)
    monkeypatch.setattr(module, "CUT_FROM", 8.0)
    monkeypatch.setattr(module, "PIECE", 10.0)


def test_pieces_end_in_pauses(tmp_path: Path, engine: Loud, small_pieces: None) -> None:
    path = write(tmp_path / "a.wav", loud(25))
    turns = [SpeakerTurn("Ann", 0, 8.5), SpeakerTurn("Ben", 9.5, 17.5), SpeakerTurn("Ann", 18.5, 25)]
    found = RecordingTranscriber()(path, Given(turns=turns))
    assert [size / RATE for size in engine.heard] == [9.0, 9.0, 7.0]
    starts = [word.start for one in found.conversations[0].utterances for word in one.words]
    assert starts == [pytest.approx(n + 0.1) for n in range(25)]


def test_pieces_without_pauses_end_where_it_is_quiet(tmp_path: Path, engine: Loud, small_pieces: None) -> None:
    samples = loud(12)
    samples[:, round(8.7 * RATE) : round(9.3 * RATE)] *= 0.01
    RecordingTranscriber()(write(tmp_path / "a.wav", samples), Given(turns=[SpeakerTurn("Ann", 0, 12)]))
    assert engine.heard[0] / RATE == pytest.approx(9.0, abs=0.3)
    assert sum(engine.heard) == 12 * RATE


def test_progress_reaches_the_end_of_both_stages(tmp_path: Path, engine: Loud, small_pieces: None) -> None:
    path = write(tmp_path / "a.wav", loud(23))
    seen: list[tuple[str, float, float]] = []
    with pytest.raises(InputError):  # noise has no speakers
        RecordingTranscriber()(path, progress=lambda *of: seen.append(of))
    for stage in ("speakers", "words"):
        done = [seconds for name, seconds, _ in seen if name == stage]
        assert done == sorted(done)
        assert len(done) > 2
        assert done[-1] == pytest.approx(23)
    assert {whole for _, _, whole in seen} == {23.0}


def test_a_stopped_transcription_resumes(tmp_path: Path, engine: Loud, small_pieces: None) -> None:
    path = write(tmp_path / "a.wav", loud(25))
    turns = [SpeakerTurn("Ann", 0, 25)]
    whole = RecordingTranscriber()(path, Given(turns=turns))
    pieces, engine.heard[:] = len(engine.heard), []
    assert pieces == 3
    engine.stop_after = 2
    with pytest.raises(KeyboardInterrupt):
        RecordingTranscriber(cache=tmp_path / "cache")(path, Given(turns=turns))
    engine.stop_after = 10**9
    engine.heard[:] = []
    assert RecordingTranscriber(cache=tmp_path / "cache")(path, Given(turns=turns)) == whole
    assert len(engine.heard) == 1
    assert RecordingTranscriber(cache=tmp_path / "cache")(path, Given(turns=turns)) == whole
    assert len(engine.heard) == 1
    RecordingTranscriber(SpeechOptions(language="de"), cache=tmp_path / "cache")(path, Given(turns=turns))
    assert len(engine.heard) == 4


def test_windows_that_were_heard_are_not_heard_again(
    tmp_path: Path, engine: Loud, small_pieces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.wav", loud(23))
    first = RecordingTranscriber(cache=tmp_path / "cache").turns(path)
    monkeypatch.setattr(module, "hear", lambda *_: pytest.fail("heard again"))
    assert RecordingTranscriber(cache=tmp_path / "cache").turns(path) == first
    with pytest.raises(pytest.fail.Exception):
        RecordingTranscriber().turns(path)


def test_windows_cover_the_recording(
    tmp_path: Path, engine: Loud, small_pieces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[float, int]] = []

    def hear(_: object, samples: Samples, start: float) -> Window:
        heard.append((start, len(samples)))
        return Window(start, np.zeros((589, 3), bool), np.full((3, 192), np.nan, np.float32), np.zeros(3, np.float32))

    monkeypatch.setattr(module, "hear", hear)
    transcriber = RecordingTranscriber()
    for seconds in (3.0, 10.0, 10.5, 12.5, 14.0, 23.0):
        heard.clear()
        transcriber.turns(write(tmp_path / f"{seconds}.wav", loud(seconds)))
        assert [start for start, _ in heard] == [2.5 * n for n in range(len(heard))]
        assert all(size == 10 * RATE for _, size in heard[:-1])
        start, size = heard[-1]
        assert start + size / RATE == pytest.approx(seconds)
        assert size <= 10 * RATE


def test_memory_does_not_grow_with_the_recording(tmp_path: Path, engine: Loud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 10.0)
    monkeypatch.setattr(module, "CUT_FROM", 20.0)
    monkeypatch.setattr(module, "PIECE", 30.0)
    silent = Window(0, np.zeros((589, 3), bool), np.full((3, 192), np.nan, np.float32), np.zeros(3, np.float32))
    monkeypatch.setattr(module, "hear", lambda _, __, start: replace(silent, start=start))
    block = loud(30)

    transcriber = RecordingTranscriber()

    def peak(count: int) -> int:
        path = tmp_path / f"{count}.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            for _ in range(count):
                file.writeframes((block[0] * 32767).astype("<i2").tobytes())
        tracemalloc.start()
        try:
            with pytest.raises(InputError):
                transcriber(path)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)  # loads the networks
    assert peak(12) < 1.1 * peak(4)
