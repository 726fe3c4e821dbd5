"""Transcription of recordings: errors of words, speakers and boundaries, time and memory.

For the recordings, see `benchmarks.recordings_corpus`. Each method of transcription runs in separate processes, whose
memory and time are measured; `senko` is skipped if its package is missing. The scores need pyannote.metrics, jiwer and
meeteval. SDT_SHARED_DATA is the folder of `ami`, `media` and `meld`.

    python -m benchmarks.recordings
    python -m benchmarks.recordings --methods sdt --transcriber base --minutes 0
    python -m benchmarks.recordings --methods --minutes 0 --settings
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import recordings_corpus as corpus
from benchmarks import report
from benchmarks.memory import watch_memory
from benchmarks.recordings_corpus import Recording
from benchmarks.recordings_scores import (
    TOLERANCES,
    Tally,
    add_boundaries,
    add_emotions,
    add_turns,
    add_words,
    emotion_times,
)
from benchmarks.recordings_settings import sweep_settings
from benchmarks.workers import ENVIRONMENT
from sdt.conversation import Conversation, Prediction, SpeakerTurn, Utterance
from sdt.escaping import markdown_table
from sdt.speech.recording import SpeechOptions

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
COLUMNS = {
    "DER": "DER",
    "DER without overlap": "DER, no overlap",
    "speaker count error": "speakers off by",
    "WER": "WER",
    "cpWER": "cpWER",
    **{f"boundary F1 {tolerance} s": f"F1 {tolerance} s" for tolerance in TOLERANCES},
    "emotion agreement": "emotions agree",
    "most frequent emotion": "most frequent emotion",
}
"""Score names to column headers."""


def groups(shared: Path, folder: Path, seed: int) -> dict[str, list[Recording]]:
    """The recordings of each row; the open ones include the sample."""
    recordings = corpus.open_recordings(shared)
    return {
        "sample": [one for one in recordings if one.name == "sample"],
        "open": recordings,
        "scene": [corpus.scene(shared, folder)],
        **{kind: corpus.make_talks(kind, folder / kind, seed) for kind in corpus.KINDS},
    }


def transcribe(method: str, options: argparse.Namespace, paths: Sequence[Path], folder: Path) -> dict[str, Any]:
    """Run `benchmarks.recordings_run`; returns its output and `peak_mib` of the fastest round."""
    found = []
    output = folder / f"{method}.json"
    program = [sys.executable, "-m", "benchmarks.recordings_run", method, options.transcriber, str(options.threads)]
    for _ in report.rounds(options.repeats, method):
        curve = watch_memory([*program, str(output), *map(str, paths)], {**os.environ, **ENVIRONMENT})
        found.append(json.loads(output.read_text()) | {"peak_mib": max(curve.resident) / 2**20})
    return min(found, key=lambda one: sum(seconds for seconds, _ in _stages(one)))


def _stages(found: Mapping[str, Any], stages: Sequence[str] = ("speakers", "words")) -> list[tuple[float, float]]:
    """Seconds of wall and processor time of all recordings and stages."""
    return [one["seconds"][stage] for one in found["recordings"].values() for stage in stages]


def score(recordings: Sequence[Recording], found: Mapping[str, Any], emotions: Emotions) -> dict[str, float]:
    """Compute the scores of a group of recordings."""
    tally, often = Tally(), Counter[str]()
    for one in recordings:
        result = found[str(one.path)]
        if one.turns:
            add_turns(tally, [SpeakerTurn(**turn) for turn in result["turns"]], one.turns, one.seconds)
        if one.utterances:
            utterances = [Utterance(**utterance) for utterance in result["utterances"]]
            add_words(tally, utterances, one.utterances)
            add_boundaries(tally, utterances, one.utterances)
            known = emotions.of(one, one.utterances)
            add_emotions(tally, emotions.of(one, utterances), known)
            often.update(emotion_times(known))
    if often:
        tally.add("most frequent emotion", max(often.values()), often.total())
    return tally.scores()


class Emotions:
    """Predicts emotions for transcripts of a recording with the bundled model."""

    def __init__(self) -> None:
        from sdt.models.hub import DEFAULT
        from sdt.prediction import Pipeline

        self._pipeline = Pipeline.from_pretrained(DEFAULT, device="cpu")

    def of(self, recording: Recording, utterances: Sequence[Utterance]) -> list[Prediction]:
        """Predict every utterance."""
        if not utterances:
            return []
        conversation = Conversation(recording.name, tuple(utterances))
        return list(self._pipeline([conversation], media=recording.path))


def costs(found: Mapping[str, Any], seconds: float) -> dict[str, float]:
    """Wall and processor time per second of sound, by stage, and memory."""
    of: dict[str, float] = {"load": found["load"][0], "peak_mib": found["peak_mib"]}
    for stage in ("speakers", "words"):
        of[f"{stage} wall"] = sum(wall for wall, _ in _stages(found, [stage])) / seconds
        of[f"{stage} processor"] = sum(processor for _, processor in _stages(found, [stage])) / seconds
    return of


def main() -> None:
    """Run the benchmark."""
    parser = report.parser(__doc__, repeats=1)
    parser.add_argument("--shared", type=Path, default=os.environ.get("SDT_SHARED_DATA", SHARED), metavar="FOLDER")
    parser.add_argument("--transcriber", default="tiny.en", help="default: %(default)s")
    parser.add_argument("--methods", nargs="*", choices=("sdt", "senko"), default=["sdt", "senko"], metavar="METHOD")
    parser.add_argument("--minutes", type=float, default=60.0, help="duration of the long recording; 0 for none")
    parser.add_argument("--settings", action="store_true", help="also measure other settings")
    options = parser.parse_args()
    where = report.machine(options.threads)
    if "senko" in options.methods and find_spec("senko") is None:
        print("senko: skipped; the package is not installed", file=sys.stderr)
        options.methods.remove("senko")
    with tempfile.TemporaryDirectory() as name:
        results = {"transcriber": options.transcriber, **measure(options, Path(name))}
    print(tables(results))
    print(f"Whisper {options.transcriber}; {report.caption(where)}")
    path = options.output or report.FOLDER / "recordings.json"
    report.write_json(path, "recordings", where, results)
    print(f"written to {path}", file=sys.stderr)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure `scores` by method and type of recordings, and `costs` by method."""
    recordings = groups(options.shared, folder, options.seed)
    everything = list({one.name: one for group in recordings.values() for one in group}.values())
    seconds, emotions = sum(one.seconds for one in everything), Emotions()
    scores: dict[str, dict[str, dict[str, float]]] = {}
    all_costs = {}
    for method in options.methods:
        found = transcribe(method, options, [one.path for one in everything], folder)
        scores[method] = {kind: score(group, found["recordings"], emotions) for kind, group in recordings.items()}
        all_costs[f"{method}, {len(everything)} recordings, {seconds / 60:.0f} minutes"] = costs(found, seconds)
    if options.minutes:
        path = folder / "long.wav"
        turns, length = corpus.write_long(path, recordings["open"], options.minutes, options.seed)
        found = transcribe("sdt", options, [path], folder)
        scores.setdefault("sdt", {})["long"] = score(
            [Recording("long", path, turns, seconds=length)], found["recordings"], emotions
        )
        all_costs[f"sdt, one recording of {length / 60:.0f} minutes"] = costs(found, length)
    chosen = SpeechOptions(transcriber=options.transcriber, threads=options.threads)
    tried = sweep_settings(recordings, chosen, folder) if options.settings else {}
    return {"scores": scores, "costs": all_costs, "choices": tried}


def tables(results: Mapping[str, Any]) -> str:
    """Format the results as Markdown."""
    rows = [
        [method, kind, *(_cell(name, of.get(name)) for name in COLUMNS)]
        for method, kinds in results["scores"].items()
        for kind, of in kinds.items()
    ]
    scores = markdown_table(("method", "recordings", *COLUMNS.values()), rows)
    heads = ("method", "load", "speakers", "words", "real-time factor", "processor", "memory")
    rows = [
        [
            name,
            f"{of['load']:.1f} s",
            f"{of['speakers wall']:.3f}",
            f"{of['words wall']:.3f}",
            f"{of['speakers wall'] + of['words wall']:.3f}",
            f"{of['speakers processor'] + of['words processor']:.3f}",
            f"{of['peak_mib']:,.0f} MiB",
        ]
        for name, of in results["costs"].items()
    ]
    parts = [scores, markdown_table(heads, rows)]
    for name, table in results["choices"].items():
        heads, rows = (name, *list(table[0])[1:]), [[_cell(*of) for of in row.items()] for row in table]
        parts.append(markdown_table(heads, rows))
    return "\n\n".join(parts) + "\n"


def _cell(name: str, value: float | str | None) -> str:
    if not isinstance(value, float):
        return value or ""
    plain = ("speaker count error", "speakers off by", "processor")
    return f"{value:.2f}" if name.endswith(plain) else f"{100 * value:.1f}"


if __name__ == "__main__":
    report.run(main)
