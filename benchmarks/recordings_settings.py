"""Sweeps over settings of `sdt.speech`: the tables from which their values were chosen."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from benchmarks.recordings_corpus import Recording
from benchmarks.recordings_scores import Tally, add_boundaries, add_turns, add_words
from sdt.conversation import SpeakerTurn, Utterance
from sdt.errors import InputError
from sdt.speech import recording, speakers, utterances, whisper
from sdt.speech.given import Given
from sdt.speech.recording import RecordingTranscriber, SpeechOptions

Groups = Mapping[str, Sequence[Recording]]
Table = list[dict[str, str | float]]
"""Rows with `setting` and scores."""

SPEAKERS = ("sample", "open", "talks", "similar", "telephone", "noise")
WORDS = ("sample", "scene", "talks")
THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65)
STEPS = (1.25, 2.5, 5.0)
REGIONS = tuple(
    {"threshold": threshold, "speech_pad_ms": pad}
    for threshold, pad in ((0.35, 100), (0.35, 200), (0.35, 400), (0.5, 400))
)
"""The last item has the defaults of faster-whisper."""
PAUSES = tuple((pause, after) for pause in (0.4, 0.6, 0.8) for after in (0.0, 0.05, 0.2))


@contextmanager
def patched(module: ModuleType, **values: object) -> Iterator[None]:
    """Set constants of a module temporarily."""
    before = {name: getattr(module, name) for name in values}
    try:
        for name, value in values.items():
            setattr(module, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


def sweep_settings(groups: Groups, options: SpeechOptions, folder: Path) -> dict[str, Table]:
    """Create a table for each setting.

    Args:
        groups: Recordings by type.
        options: Options of the transcription.
        folder: Folder of the cache.
    """
    cached = RecordingTranscriber(options, folder / "cache")
    known = {one.path: cached.turns(one.path) for one in _all(groups, WORDS)}
    found: dict[str, Table] = {"STEP": _steps(groups, options, folder), "THRESHOLD": [], "REGIONS": []}
    for threshold in THRESHOLDS:
        with patched(speakers, THRESHOLD=threshold):
            found["THRESHOLD"].append({"setting": f"{threshold}", **_speakers(groups, cached)})
    for regions in REGIONS:
        with patched(whisper, REGIONS=regions):
            row = {"setting": f"{regions['threshold']}, {regions['speech_pad_ms']} ms"}
            found["REGIONS"].append(row | _words(groups, options, known))
    return found | {"PAUSE, SENTENCE_PAUSE": _pauses(groups, cached, known)}


def _all(groups: Groups, kinds: Sequence[str]) -> list[Recording]:
    return [one for kind in kinds for one in groups[kind]]


def _speakers(groups: Groups, transcriber: RecordingTranscriber, kinds: Sequence[str] = SPEAKERS) -> dict[str, float]:
    found: dict[str, float] = {}
    for kind in kinds:
        tally = Tally()
        for one in groups[kind]:
            add_turns(tally, transcriber.turns(one.path), one.turns, one.seconds)
        found[kind] = tally.scores()["DER"]
        found[f"{kind}: speakers off by"] = tally.scores()["speaker count error"]
    return found


def _steps(groups: Groups, options: SpeechOptions, folder: Path) -> Table:
    table: Table = []
    for step in STEPS:
        with patched(speakers, STEP=step), patched(recording, STEP=step):
            transcriber = RecordingTranscriber(options, folder / f"{step}")
            begun = time.process_time()
            for one in groups["open"]:
                transcriber.turns(one.path)
            taken = (time.process_time() - begun) / sum(one.seconds for one in groups["open"])
            table.append({"setting": f"{step}", **_speakers(groups, transcriber, SPEAKERS[:3]), "processor": taken})
    return table


def _transcribed(transcriber: RecordingTranscriber, one: Recording, turns: Sequence[SpeakerTurn]) -> list[Utterance]:
    try:
        [conversation] = transcriber(one.path, Given(turns=turns)).conversations
    except InputError:  # no speech was recognised
        return []
    return list(conversation.utterances)


def _words(groups: Groups, options: SpeechOptions, known: Mapping[Path, list[SpeakerTurn]]) -> dict[str, float]:
    transcriber = RecordingTranscriber(options)
    found: dict[str, float] = {}
    for kind in WORDS:
        tally = Tally()
        for one in groups[kind]:
            add_words(tally, _transcribed(transcriber, one, known[one.path]), one.utterances)
        found |= {f"{kind}: {name}": value for name, value in tally.scores().items()}
    return found


def _pauses(groups: Groups, cached: RecordingTranscriber, known: Mapping[Path, list[SpeakerTurn]]) -> Table:
    table: Table = []
    spoken = {one.path: _transcribed(cached, one, known[one.path]) for one in _all(groups, WORDS)}
    for pause, after in PAUSES:
        row: dict[str, str | float] = {"setting": f"{pause}, {after}"}
        with patched(utterances, PAUSE=pause, SENTENCE_PAUSE=after):
            for kind in WORDS:
                tally = Tally()
                for one in groups[kind]:
                    words = [(part.speaker, word) for part in spoken[one.path] for word in part.words]
                    add_boundaries(tally, utterances.cut(words), one.utterances)
                row |= {f"{kind}: {name.removeprefix('boundary ')}": value for name, value in tally.scores().items()}
        table.append(row)
    return table
