"""Recordings with references: public recordings, and synthetic conversations by the program espeak-ng.

- `sample`: 30 s of a telephone conversation with words (CALLHOME, from the repository of pyannote.audio).
- `trn01` to `trn09`: 30 s of AMI meetings with speaker turns, without words: short turns, overlap, distant microphones.
- `scene`: seven clips of a dialogue of MELD in sequence, with words: a television series, 17 s.
- `talks`: conversations of four espeak-ng voices, with the sentences below. Synthetic voices vary less than human
  ones: scores on them test the program, and do not transfer to people.
"""

from __future__ import annotations

import itertools
import random
import shutil
import subprocess
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, resample_poly, sosfilt

from sdt.conversation import SpeakerTurn, Utterance
from sdt.errors import InputError
from sdt.formats import read_transcript
from sdt.formats.rttm import read_rttm
from sdt.media.audio import Audio
from sdt.media.blocks import audio_blocks
from sdt.speech.speakers import PAUSE
from sdt.speech.turns import joined

Samples = npt.NDArray[np.float32]

RATE = 16_000
"""Sampling rate of the generated recordings in Hz, except for telephone sound."""
SPEED = 150
"""Words per minute of the voices."""
QUIET = 0.002
"""Amplitude of silence, relative to full scale."""


@dataclass(frozen=True)
class Recording:
    """A recording with its reference."""

    name: str
    path: Path
    turns: Sequence[SpeakerTurn]
    """Speaker turns; empty if unknown."""
    utterances: Sequence[Utterance] = ()
    """Utterances with words and times; empty if unknown."""
    seconds: float = 30.0


@dataclass(frozen=True)
class Voice:
    """A voice of espeak-ng."""

    name: str
    """Language and variant."""
    pitch: int
    """0 to 99; 50 is the middle."""
    size: float = 1.0
    """Factor by which the sound is played faster, which simulates a shorter vocal tract."""


VOICES = (
    Voice("en-us+m1", 20, 0.90),
    Voice("en-us+klatt2", 70, 1.12),
    Voice("en-us+f3", 70, 1.15),
    Voice("en-us+m7", 60, 1.15),
)
"""Networks trained on human voices cannot distinguish most voices of espeak-ng. They distinguish each pair of these."""
SIMILAR = (Voice("en-us+m1", 30), Voice("en-us+m7", 40), Voice("en-us+max", 50), Voice("en-us+john", 40))
"""Four male voices that these networks hardly distinguish."""
KINDS: Mapping[str, tuple[Sequence[Voice], bool, bool]] = {
    "talks": (VOICES, False, False),
    "similar": (SIMILAR, False, False),
    "telephone": (VOICES, True, False),
    "noise": (VOICES, False, True),
}
"""Types of talks: voices; whether they are 8 kHz telephone sound (300 to 3,400 Hz); whether they have white noise at a
signal-to-noise ratio of 10 dB."""
SENTENCES = (
    "I looked everywhere for the keys, and they were in my coat the whole time.",
    "That is wonderful news, I am so happy for you!",
    "Please do not shout at me, I only wanted to help.",
    "Nobody told us that the train would be so late again.",
    "Are you sure that you closed the kitchen window?",
    "My sister has a new job in a small town by the sea.",
    "I can not believe that he said this to your face.",
    "We should leave before it gets dark outside.",
    "The doctor called this morning, and it is nothing serious.",
    "What a strange noise, did you hear that too?",
    "I miss the old house and the big garden behind it.",
    "Let me think about it until tomorrow.",
    "She was so angry that she walked out of the room.",
    "There is some soup on the stove if you are hungry.",
    "Who left all these wet towels on the floor?",
    "I am afraid that we have lost the game.",
    "You always find the right words for everybody.",
    "The neighbors have bought a huge yellow dog.",
    "Stop it, that is not funny at all!",
    "My father never learned how to swim.",
    "Could you bring me a glass of water, please?",
    "It rained every day of our holiday, but we still had a good time.",
    "I have no idea what you are talking about.",
    "The meeting was moved to the afternoon, so we have time for lunch.",
    "Thank you for the flowers, they smell lovely.",
    "I was scared to death when the lights went out.",
    "Perhaps we can meet at the market on Friday.",
    "He forgot my birthday, and that made me sad.",
    "This is the best cake that I have ever tasted!",
    "Why did you not tell me the truth?",
)
TALKS, TURNS = 6, 10
"""The number of talks, and of turns in each."""


def open_recordings(folder: Path) -> list[Recording]:
    """Find the recordings in `ami/` of the shared data that have a reference.

    Raises:
        InputError: The folder is missing.
    """
    folder = folder / "ami"
    if not folder.is_dir():
        raise InputError(f"{folder}: folder not found; set SDT_SHARED_DATA to the folder that contains ami/")
    turns = {**read_rttm(folder / "train.rttm"), **read_rttm(folder / "sample.rttm")}
    words = {"sample": _read_stm(folder / "sample.stm")}
    return [
        Recording(path.stem, path, turns[path.stem], words.get(path.stem, ()))
        for path in sorted(folder.glob("*.wav"))
        if path.stem in turns
    ]


def scene(shared: Path, folder: Path) -> Recording:
    """Concatenate clips of a training dialogue of MELD, with a second of silence between them."""
    [conversation] = [
        one for one in read_transcript(shared / "meld" / "train_sent_emo.csv").conversations if one.id == "1"
    ]
    pieces, utterances, place = list[Samples](), list[Utterance](), 0
    for one in conversation.utterances:
        path = shared / "media" / f"dia1_utt{one.id}.wav"
        if path.exists():
            samples = np.concatenate([block.mono(RATE) for block in audio_blocks(path, 60.0)])
            utterances.append(replace(one, start=place / RATE, end=(place + len(samples)) / RATE))
            pieces += [samples, np.zeros(RATE, np.float32)]
            place += len(samples) + RATE
    write_wav(folder / "scene.wav", np.concatenate(pieces))
    return Recording("scene", folder / "scene.wav", (), utterances, place / RATE)


def _read_stm(path: Path) -> list[Utterance]:
    """Read lines of `file channel speaker start end words`."""
    found = []
    for number, line in enumerate(filter(str.strip, path.read_text(encoding="utf-8").splitlines())):
        _, _, speaker, start, end, text = line.split(maxsplit=5)
        found.append(Utterance(str(number), speaker, text, start=float(start), end=float(end)))
    return found


def make_talks(kind: str, folder: Path, seed: int = 0, count: int = TALKS) -> list[Recording]:
    """Generate synthetic talks of a type of `KINDS`; the same seed gives the same talks.

    Raises:
        InputError: espeak-ng is not installed.
    """
    voices, telephone, noisy = KINDS[kind]
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for number in range(count):
        drawn = random.Random(f"{seed} {number}")
        sound, utterances = _talk(drawn, drawn.sample(voices, 2 + number % (len(voices) - 1)), folder)
        turns = joined(_voiced_turns(sound, utterances), PAUSE)
        name, rate = f"{kind}{number + 1:02}", RATE
        if noisy:
            power = np.square(sound[np.abs(sound) > QUIET]).mean() / 10  # 10 dB below the voices
            sound += np.random.default_rng(number).normal(0, power**0.5, len(sound)).astype(np.float32)
        if telephone:
            sound, rate = _telephone(sound), 8000
        path = folder / f"{name}.wav"
        write_wav(path, sound, rate)
        found.append(Recording(name, path, turns, utterances, len(sound) / rate))
    return found


def _talk(drawn: random.Random, voices: Sequence[Voice], folder: Path) -> tuple[Samples, list[Utterance]]:
    """Generate turns of one or two sentences; a third of the sentences follow the previous one after 50 ms."""
    pieces, utterances, place = [np.zeros(RATE // 2, np.float32)], list[Utterance](), RATE // 2
    sentences = iter(drawn.sample(SENTENCES, 2 * TURNS))
    speaker = voices[0]
    for _ in range(TURNS):
        for text in itertools.islice(sentences, drawn.choice((1, 1, 2))):
            samples = say(text, speaker, folder)
            where = (place / RATE, (place + len(samples)) / RATE)
            utterances.append(Utterance(str(len(utterances)), speaker.name + str(speaker.pitch), text, None, *where))
            pause = np.zeros(round(RATE * drawn.choice((0.05, drawn.uniform(0.15, 0.5), drawn.uniform(0.5, 1.5)))))
            pieces += [samples, pause.astype(np.float32)]
            place += len(samples) + len(pause)
        speaker = drawn.choice([voice for voice in voices if voice != speaker])
    return np.concatenate(pieces), utterances


def say(text: str, voice: Voice, folder: Path) -> Samples:
    """Synthesise a sentence at 16 kHz, without the silence around it.

    Raises:
        InputError: espeak-ng is not installed.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise InputError("synthetic talks need the program espeak-ng; install it with: apt-get install espeak-ng")
    path = folder / "sentence.wav"
    command = [program, "-v", voice.name, "-p", str(voice.pitch), "-s", str(SPEED), "-w", str(path), text]
    subprocess.run(command, check=True)
    whole = np.concatenate([block.mono(RATE) for block in audio_blocks(path, 600.0)])
    sound: Samples = resample_poly(whole, 100, round(100 * voice.size)).astype(np.float32)
    path.unlink()
    loud = np.flatnonzero(np.abs(sound) > QUIET)
    return sound[loud[0] : loud[-1] + 1]


def _voiced_turns(sound: Samples, utterances: Sequence[Utterance]) -> list[SpeakerTurn]:
    """The voiced intervals of each utterance, because voices pause after commas."""
    turns = []
    for utterance in utterances:
        assert utterance.start is not None
        assert utterance.end is not None
        first, last = round(utterance.start * RATE), round(utterance.end * RATE)
        loud = first + np.flatnonzero(np.abs(sound[first:last]) > QUIET)
        for interval in np.split(loud, np.flatnonzero(np.diff(loud) > PAUSE * RATE) + 1):
            turns.append(SpeakerTurn(utterance.speaker, interval[0] / RATE, (interval[-1] + 1) / RATE))
    return turns


def _telephone(sound: Samples) -> Samples:
    """Filter sound like a telephone: 300 to 3,400 Hz, at 8 kHz."""
    narrow = sosfilt(butter(4, (300, 3400), "bandpass", fs=RATE, output="sos"), sound)
    return Audio(narrow[None].astype(np.float32), RATE).mono(8000)


def write_wav(path: Path, sound: Samples, rate: int = RATE) -> None:
    """Write a mono file with 16 bits per sample."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(_integers(sound))


def _integers(sound: Samples) -> bytes:
    return (np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes()


def write_long(
    path: Path, recordings: Sequence[Recording], minutes: float, seed: int = 0
) -> tuple[list[SpeakerTurn], float]:
    """Concatenate recordings in random order with random gains, up to a duration.

    Returns:
        Speaker turns, and the duration in seconds.
    """
    drawn = random.Random(seed)
    turns, place, row = list[SpeakerTurn](), 0.0, list[Recording]()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        while place < 60 * minutes:
            row = row or drawn.sample(recordings, len(recordings))
            one, gain = row.pop(), 10 ** (drawn.uniform(-20, 0) / 20)
            for block in audio_blocks(one.path, 60.0):
                file.writeframes(_integers(block.mono(RATE) * np.float32(gain)))
            turns += [SpeakerTurn(turn.speaker, turn.start + place, turn.end + place) for turn in one.turns]
            place = file.tell() / RATE
    return turns, place
