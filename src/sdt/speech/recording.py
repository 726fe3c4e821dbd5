"""A recording to a transcript, in two passes: who speaks when, then who says which words.

Both passes read the sound in pieces and keep the results of every finished piece in a cache, so that memory does not
grow with the recording and a stopped transcription resumes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from sdt.conversation import Conversation, SpeakerTurn, Utterance, Word
from sdt.cores import usable_cores
from sdt.errors import InputError
from sdt.formats.transcript import Transcript
from sdt.media.audio import SILENCE, Audio
from sdt.media.blocks import audio_blocks
from sdt.media.clip import MediaProblem, container_seconds
from sdt.speech.acoustics import SHA256, WINDOW, Acoustics
from sdt.speech.engines import load_transcriber
from sdt.speech.given import Given
from sdt.speech.names import unknown_names_note
from sdt.speech.pieces import PieceStore
from sdt.speech.speakers import STEP, SpeakerCount, Window, diarize, hear, last_change
from sdt.speech.transcriber import RATE, Recognised, Samples, Transcriber, check_language
from sdt.speech.turns import speaker_name
from sdt.speech.utterances import attribute, cut, doubtful_note, nearest_speaker, spans

DEFAULT = "tiny.en"
"""The recogniser that `[speech]` brings along."""
BLOCK = 60.0
"""Seconds that are decoded at once."""
PIECE, CUT_FROM = 300.0, 240.0
"""Seconds: a piece of recognition is at most 300 s long, and ends in the longest pause after 240 s, or where it is
quietest."""
QUIET = 0.3
"""Seconds over which loudness is averaged to find the quietest place."""
SAME = 0.999
"""Two channels whose correlation is higher carry the same sound."""

Channels = Literal["mix", "speakers"]
Progress = Callable[[str, float, float], None]
"""Called with the stage (`speakers` or `words`), the seconds done, and all seconds (0 if unknown)."""


@dataclass(frozen=True)
class SpeechOptions:
    """How recordings are transcribed."""

    transcriber: str = DEFAULT
    """`tiny.en`, `base`, a size of Whisper, a folder, a hub id, or ENGINE:WEIGHTS."""
    language: str | None = None
    """ISO 639-1; None to detect it."""
    speakers: SpeakerCount | None = None
    """How many speakers there are; None to find it."""
    channels: Channels = "mix"
    """`speakers`: each channel is one speaker, as in most recordings of calls."""
    names: Mapping[str, str] = field(default_factory=dict)
    """The name of a speaker to what replaces it."""
    download: bool = False
    """Whether weights may be downloaded."""
    threads: int | None = None
    """CPU threads; None for all cores."""


class RecordingTranscriber:
    """Transcribes recordings with the same options; the models are loaded at first use.

    Args:
        options: How to transcribe.
        cache: A folder for the results of finished pieces; None to keep none.

    Example:
        >>> transcriber = RecordingTranscriber(SpeechOptions(speakers=SpeakerCount(2, 2)))  # doctest: +SKIP
        >>> [conversation] = transcriber(Path("call.wav")).conversations  # doctest: +SKIP
    """

    def __init__(self, options: SpeechOptions | None = None, cache: Path | None = None) -> None:
        self.options = options or SpeechOptions()
        self._store = PieceStore(cache)
        self._threads = self.options.threads or usable_cores()
        self._transcriber: Transcriber | None = None
        self._acoustics: Acoustics | None = None

    def load(self) -> Transcriber:
        """Load the recogniser.

        Raises:
            InputError: It does not exist, or does not know the language.
            MissingDependencyError: A package or the weights are not installed.
        """
        if self._transcriber is None:
            wanted, download = self.options.transcriber, self.options.download
            self._transcriber = load_transcriber(wanted, threads=self._threads, download=download)
        check_language(self._transcriber, self.options.language)
        return self._transcriber

    def __call__(self, path: Path, given: Given | None = None, progress: Progress | None = None) -> Transcript:
        """Transcribe a recording.

        Args:
            path: The recording.
            given: What is known of it; that is not done again.
            progress: Called when a part of a stage is done.

        Returns:
            One conversation with the name of the file, whose utterances have `words`. The notes say which models did
            it, what is uncertain, and which of the names belong to no speaker.

        Raises:
            InputError: The recording cannot be decoded, nothing is said in it, or see `load`.
            MissingDependencyError: See `load`.
        """
        given = given or Given()
        if not (given.words or given.utterances):
            self.load()  # before the work
        try:
            seconds = container_seconds(path)
            self._store.open(path)
            utterances, turns, how = self._utterances(path, given, seconds, _bounded(progress, seconds))
        except MediaProblem as problem:
            raise InputError(f"{path}: {problem.reason}") from None
        if not utterances:
            raise InputError(f"{path}: no speech was recognised in this recording")
        names = self.options.names
        unknown = unknown_names_note(names, {one.speaker for one in utterances} | {one.speaker for one in turns})
        named = [
            replace(utterance, speaker=names.get(utterance.speaker, utterance.speaker)) for utterance in utterances
        ]
        conversation = Conversation(path.stem, tuple(named))
        return Transcript(
            [conversation],
            {(conversation.id, utterance.id): path for utterance in named},
            [f"{path.name}: {note}" for note in (how, *unknown, *doubtful_note(named))],
            [replace(turn, speaker=names.get(turn.speaker, turn.speaker)) for turn in turns],
        )

    def _utterances(
        self, path: Path, given: Given, seconds: float, tell: Callable[[str, float], None]
    ) -> tuple[list[Utterance], Sequence[SpeakerTurn], str]:
        """The utterances, the speaker turns, and a note on who found them."""
        if self.options.channels == "speakers":
            spoken, how = self._by_channel(path, seconds, tell)
            utterances = cut(spoken)
            return utterances, spans(utterances), f"{how}, speakers by channel"
        said = [pair for pair in given.words if pair[0] is not None]
        if given.words and len(said) == len(given.words):
            utterances = cut([(speaker, word) for speaker, word in said if speaker is not None])
            return utterances, spans(utterances), "words and speakers as given"
        if given.utterances and all(utterance.speaker for utterance in given.utterances):
            return list(given.utterances), spans(given.utterances), "utterances and speakers as given"
        turns, by = given.turns, "as given"
        if turns is None:
            turns = diarize(list(self._windows(path, tell)), self.options.speakers)
            by = f"by segmentation-3.0 and CAM++ ({len({turn.speaker for turn in turns})} found)"
        if given.utterances:
            named = [replace(one, speaker=nearest_speaker(one, turns)) for one in given.utterances]
            return named, turns, f"utterances as given, speakers {by}"
        words, how = [word for _, word in given.words], "words as given"
        if not words:
            words, how = self._words(path, turns, None, tell)
        return cut(attribute(words, turns)) if turns else [], turns, f"{how}, speakers {by}"

    def turns(self, path: Path, progress: Progress | None = None) -> list[SpeakerTurn]:
        """Who speaks when, without words.

        Raises:
            InputError: The recording cannot be decoded.
            MissingDependencyError: A package is not installed.
        """
        try:
            self._store.open(path)
            return diarize(
                list(self._windows(path, _bounded(progress, container_seconds(path)))), self.options.speakers
            )
        except MediaProblem as problem:
            raise InputError(f"{path}: {problem.reason}") from None

    def _windows(self, path: Path, tell: Callable[[str, float], None]) -> Iterator[Window]:
        """All windows of a recording; those of a block are cached together."""
        samples, begin = np.zeros(0, dtype=np.float32), 0.0  # what windows still need, and where it begins
        for block in audio_blocks(path, BLOCK):
            samples = np.concatenate([samples, _mono(block)])
            count = 1 + int((len(samples) / RATE - WINDOW) / STEP) if len(samples) >= WINDOW * RATE else 0
            if count:
                yield from self._heard(begin, samples, count)
                begin, samples = begin + STEP * count, samples[round(STEP * count * RATE) :]
                tell("speakers", begin)
        if begin == 0 or len(samples) / RATE > WINDOW - STEP:  # not all of it is in the windows before
            yield from self._heard(begin, samples, 1)
        tell("speakers", begin + len(samples) / RATE)

    def last_change(self, samples: Samples) -> float | None:
        """When the speaker last changes in live speech, in seconds; see `speakers.last_change`.

        Args:
            samples: [n] at 16 kHz; the last ten seconds are used.
        """
        skipped = max(0, len(samples) - round(WINDOW * RATE))
        found = last_change(self._networks().activity(samples[skipped:]))
        return None if found is None else found + skipped / RATE

    def _networks(self) -> Acoustics:
        """The networks of diarization, loaded once."""
        if self._acoustics is None:
            self._acoustics = Acoustics(threads=self._threads)
        return self._acoustics

    def _heard(self, begin: float, samples: Samples, count: int) -> list[Window]:
        """The first windows of these samples, which begin at `begin`."""
        key = ("speakers", *SHA256.values(), STEP, begin, count, len(samples))
        if (kept := self._store.windows(key)) is not None:
            return kept
        step, size = round(STEP * RATE), round(WINDOW * RATE)
        acoustics = self._networks()
        found = [hear(acoustics, samples[k * step : k * step + size], begin + STEP * k) for k in range(count)]
        self._store.keep_windows(key, found)
        return found

    def _by_channel(
        self, path: Path, seconds: float, tell: Callable[[str, float], None]
    ) -> tuple[list[tuple[str, Word]], str]:
        """(speaker, word) of all channels in order of time, and a note on who recognised them."""
        for first in audio_blocks(path, BLOCK):
            if np.abs(first.samples).max() >= SILENCE:
                break
        if len(first.samples) < 2:
            raise InputError(f"{path}: --channels speakers: the recording has one channel; use --channels mix")
        if _same(first):
            raise InputError(f"{path}: --channels speakers: the channels carry the same sound; use --channels mix")
        spoken: list[tuple[str, Word]] = []
        notes: list[str] = []
        count = len(first.samples)
        for channel in range(count):
            words, note = self._words(path, [], channel, _share(tell, channel, count, seconds))
            spoken += [(speaker_name(channel), word) for word in words]
            notes += [note] if words else []
        return sorted(spoken, key=lambda one: one[1].start), ", ".join(dict.fromkeys(notes)) or "no words"

    def _words(
        self, path: Path, turns: Sequence[SpeakerTurn], channel: int | None, tell: Callable[[str, float], None]
    ) -> tuple[list[Word], str]:
        """The words of the mixed channels, or of one, and a note on who recognised them."""
        transcriber = self.load()
        found: list[Word] = []
        language = self.options.language
        for begin, samples in _pieces(path, turns, channel):
            key = ("words", transcriber.key, language, channel, round(begin, 3), len(samples))
            recognised = self._store.words(key)
            if recognised is None:
                loud = len(samples) and float(np.abs(samples).max()) >= SILENCE
                recognised = transcriber.words(samples, language) if loud else Recognised([], language or "")
                self._store.keep_words(key, recognised)
            language = language or (recognised.language if recognised.words else None)
            found += [_later(word, begin) for word in recognised.words]
            tell("words", begin + len(samples) / RATE)
        return found, f"words by {transcriber.name} ({language or 'none'})"


def _pieces(path: Path, turns: Sequence[SpeakerTurn], channel: int | None) -> Iterator[tuple[float, Samples]]:
    """(start in seconds, samples at 16 kHz) of pieces that end in pauses."""
    samples, begin = np.zeros(0, dtype=np.float32), 0.0
    for block in audio_blocks(path, BLOCK):
        samples = np.concatenate([samples, _mono(block, channel)])
        while len(samples) >= PIECE * RATE:
            place = _pause(turns, begin + CUT_FROM, begin + PIECE)
            size = round((place - begin) * RATE) if place else _quietest(samples)
            yield begin, samples[:size]
            samples, begin = samples[size:], begin + size / RATE
    if len(samples):
        yield begin, samples


def _pause(turns: Sequence[SpeakerTurn], start: float, end: float) -> float | None:
    """The middle of the longest time between `start` and `end` in which nobody speaks; None if there is none."""
    if not turns:
        return None
    best, place, last = 0.0, None, start
    for turn in [*turns, SpeakerTurn("", end, end)]:
        if turn.end < start or turn.start > end:
            continue
        if turn.start - last > best:
            best, place = turn.start - last, (turn.start + last) / 2
        last = max(last, turn.end)
    return place


def _quietest(samples: Samples) -> int:
    """The sample in the middle of the quietest stretch between `CUT_FROM` and `PIECE`."""
    size = round(QUIET * RATE)
    late = samples[round(CUT_FROM * RATE) : round(PIECE * RATE)]
    power = np.square(late[: len(late) // size * size]).reshape(-1, size).mean(axis=1)
    return round(CUT_FROM * RATE) + int(power.argmin()) * size + size // 2


def _mono(block: Audio, channel: int | None = None) -> Samples:
    return (block if channel is None else Audio(block.samples[channel : channel + 1], block.rate)).mono(RATE)


def _same(block: Audio) -> bool:
    """Whether all channels carry the same sound."""
    first, *others = block.samples - block.samples.mean(axis=1, keepdims=True)
    power = float(first @ first)
    return power > 0 and all(first @ other > SAME * (power * float(other @ other)) ** 0.5 for other in others)


def _later(word: Word, begin: float) -> Word:
    return Word(word.text, round(word.start + begin, 3), round(word.end + begin, 3), word.probability)


def _bounded(progress: Progress | None, seconds: float) -> Callable[[str, float], None]:
    return lambda stage, done: progress(stage, min(done, seconds) if seconds else done, seconds) if progress else None


def _share(tell: Callable[[str, float], None], part: int, parts: int, seconds: float) -> Callable[[str, float], None]:
    """Progress of all parts of a stage from the progress of one."""
    return lambda stage, done: tell(stage, (part * seconds + done) / parts)
