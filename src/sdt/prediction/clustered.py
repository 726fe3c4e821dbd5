"""Prediction on a cluster: workers keep the model loaded and predict batches; the results become one output.

One worker computes a batch as a whole, with the number of threads that every worker has, so the predictions depend
neither on the worker nor on the number of workers.

Finished batches are kept in a folder next to the output, one file each. The name of the file is the SHA-256 of
everything that its predictions depend on: text, recordings, model, versions. The same command started again reads the
finished batches and predicts only the others and those whose input has changed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from sdt.cluster.work import Cluster, WorkUnit
from sdt.cluster.worker import versions
from sdt.conversation import Conversation, Prediction
from sdt.device import DeviceName
from sdt.errors import InputError
from sdt.files import sha256, write_text
from sdt.formats.writers import write_batches
from sdt.media.problems import Tally
from sdt.media.recordings import Recordings
from sdt.models.hub import FILES, find_model
from sdt.models.registry import find
from sdt.prediction.extraction import Missing
from sdt.prediction.pipeline import BatchResult, Pipeline, Progress, bare_notes, count_bare, stranger_notes
from sdt.prediction.readability import Readability
from sdt.prediction.survey import Survey, content

_FIELDS = [field.name for field in dataclasses.fields(Prediction)]


class BatchResults:
    """The parts of one output.

    Args:
        output: The file or folder that is being made.
        origin: What all predictions follow from, as JSON values.
    """

    def __init__(self, output: Path, origin: Mapping[str, object]) -> None:
        self.folder = output.with_name(f".{output.name}.parts")
        self._origin = origin

    def key(self, content: Sequence[object]) -> str:
        """The name of a batch's part."""
        return hashlib.sha256(json.dumps([self._origin, content]).encode()).hexdigest()

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    def put(self, key: str, part: BatchResult) -> None:
        """Keep what came of a batch."""
        values = {
            "predictions": [[getattr(of, name) for name in _FIELDS] for of in part.predictions],
            "missing": {modality: dataclasses.asdict(of) for modality, of in part.missing.items()},
        }
        write_text(self._path(key), json.dumps(values))

    def get(self, key: str) -> BatchResult:
        """What came of a batch, to the last bit.

        Raises:
            InputError: It is not there, or damaged.
        """
        path = self._path(key)
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            missing = {modality: Missing(**of) for modality, of in values["missing"].items()}
            return BatchResult([Prediction(*of) for of in values["predictions"]], missing)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}: damaged ({type(error).__name__}); remove the folder {self.folder}, and give the same command "
                "again"
            ) from None

    def remove(self) -> None:
        """When the output is there."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"  # many files in one folder are slow to find


Batch = tuple[Sequence[Conversation], Recordings]


@dataclass(frozen=True)
class ModelLoading:
    """How every worker loads the model."""

    model: str
    code: tuple[str, ...] = ()
    """Of custom models, see `--code`."""
    device: DeviceName = "cpu"
    window: int | None = None
    overlap: int | None = None
    """How longer conversations are cut, see `Pipeline`."""

    def pipeline(self) -> Pipeline:
        """The model with its encoders."""
        for reference in self.code:
            find(reference)
        return Pipeline.from_pretrained(self.model, device=self.device, window=self.window, overlap=self.overlap)

    def sums(self) -> dict[str, str]:
        """The SHA-256 of the model's files and of the code, which tell whether two machines mean the same."""
        folder = find_model(self.model)
        files = [folder / name for name in FILES if name != "README.md"]
        files += [path for reference in self.code if (path := Path(reference.rpartition(":")[0])).is_file()]
        return {path.name: sha256(path) for path in files if path.is_file()}


def predict_on(
    cluster: Cluster, loading: ModelLoading, survey: Survey, output: Path, format_: str, progress: Progress
) -> list[str]:
    """Predict the emotion of every utterance, and write it as it would be without a cluster.

    Args:
        cluster: Connected.
        loading: The model.
        survey: The input.
        output: The file; for subtitles of several conversations, the folder.
        format_: See `write_batches`.
        progress: Called with (utterances done, utterances in all).

    Returns:
        Notes for the user, one line each; as `Pipeline` has it in its notes.

    Raises:
        InputError: See `Pipeline`; or a machine of the cluster has another model.
        LostUnitsError: Some batches have ended their workers again and again. The others are kept: the same call goes
            on.
    """
    pipeline = replace(loading, device="cpu").pipeline()
    begun = pipeline.begin(recorded=survey.recorded, filmed=survey.filmed)
    sums = loading.sums()
    origin = {"loading": asdict(loading), "sums": sums, "versions": versions(), "recorded": survey.recorded}
    parts = BatchResults(output, origin)
    done = 0

    def units() -> Iterator[WorkUnit[tuple[str, Batch]]]:
        nonlocal done
        for batch, recordings in survey.batches():
            key = parts.key(content(batch, recordings))
            if key in parts:
                done += sum(map(len, batch))
                progress(done, survey.utterances)
            else:
                yield WorkUnit(_named(batch), (key, (batch, recordings)))

    told = (loading, survey.recorded, begun, sums)
    for unit, part in cluster.run(make_predictor, told, units()):
        key, (batch, _) = unit.content
        parts.put(key, part)
        done += sum(map(len, batch))
        progress(done, survey.utterances)
    notes = survey.notes + begun + stranger_notes(pipeline.config.speakers, survey.speakers)
    notes += _closing_notes(parts, survey, Readability(pipeline.config.languages) if pipeline.reads else None)
    write_batches(output, lambda: _said(parts, survey), format_, folder=survey.conversations > 1)
    parts.remove()
    return notes


def make_predictor(
    loading: ModelLoading, recorded: bool, begun: Sequence[str], sums: Mapping[str, str]
) -> Callable[[tuple[str, Batch]], BatchResult]:
    """In a worker: load the model; returns what predicts on a batch.

    Raises:
        InputError: This machine has another model, or lacks some of its encoders.
    """
    host = socket.gethostname()
    if loading.sums() != sums:
        raise InputError(f"{host}: the model {loading.model!r} is another one there than where the command was started")
    pipeline = loading.pipeline()
    for note in pipeline.begin(recorded=recorded):
        if note not in begun:
            raise InputError(f"{host}: {note}; where the command was started it is not so")

    def predict(given: tuple[str, Batch]) -> BatchResult:
        _, (batch, recordings) = given
        return pipeline.predict_batch(batch, recordings)

    return predict


def _said(parts: BatchResults, survey: Survey) -> Iterator[tuple[Sequence[Conversation], Sequence[Prediction]]]:
    for batch, part in _finished(parts, survey):
        yield batch, part.predictions


def _finished(parts: BatchResults, survey: Survey) -> Iterator[tuple[Sequence[Conversation], BatchResult]]:
    """Every batch and what came of it, in order."""
    for batch, recordings in survey.batches():
        yield batch, parts.get(parts.key(content(batch, recordings)))


def _closing_notes(parts: BatchResults, survey: Survey, readability: Readability | None) -> list[str]:
    """What is known when all is done, and no sooner; `readability` is that of the words, if the model reads words."""
    tallies: dict[str, Tally] = {}
    looked: dict[str, int] = {}
    bare = 0
    for batch, part in _finished(parts, survey):
        if readability:
            readability.add(batch)
        bare += count_bare(part.predictions)
        for modality, of in part.missing.items():
            tallies.setdefault(modality, Tally()).add(of.problems)
            looked[modality] = looked.get(modality, 0) + of.utterances
    first = {modality: tally.first for modality, tally in tallies.items() if tally.count}
    lacking = [tally.line(modality, looked[modality]) for modality, tally in tallies.items() if tally.count]
    return [*(readability.notes if readability else ()), *bare_notes(survey.utterances, bare, first), *lacking]


def _named(batch: Sequence[Conversation]) -> str:
    if len(batch) == 1:
        return f"conversation {batch[0].id!r}"
    return f"conversations {batch[0].id!r} to {batch[-1].id!r}"
