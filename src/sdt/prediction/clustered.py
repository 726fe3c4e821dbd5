"""Prediction on a cluster: workers keep the model loaded and predict batches; the results become one output.

A worker computes a whole batch, and all workers use the same number of threads. The predictions therefore depend
neither on the worker nor on the number of workers.

Completed batches are stored in a folder next to the output, one file each. The name of a file is the SHA-256 of
everything that the predictions depend on: text, recordings, model and versions. If the same command is run again, it
predicts only batches that are missing or whose input has changed.
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
from sdt.formats.write import write_batches
from sdt.media.problems import Tally
from sdt.media.recordings import Recordings
from sdt.models.hub import FILES, find_model
from sdt.models.registry import find
from sdt.prediction.engine import EngineName
from sdt.prediction.extraction import Missing
from sdt.prediction.pipeline import (
    BatchResult,
    Pipeline,
    Progress,
    count_without_input,
    missing_input_notes,
    unknown_speaker_notes,
)
from sdt.prediction.readability import Readability
from sdt.prediction.scan import InputScan, batch_content

_FIELDS = [field.name for field in dataclasses.fields(Prediction)]


class BatchResults:
    """The stored results of the batches of one output.

    Args:
        output: The file or folder of the output.
        origin: Everything that all predictions depend on, as JSON values.
    """

    def __init__(self, output: Path, origin: Mapping[str, object]) -> None:
        self.folder = output.with_name(f".{output.name}.parts")
        self._origin = origin

    def key(self, content: Sequence[object]) -> str:
        """The key of a batch with this content."""
        return hashlib.sha256(json.dumps([self._origin, content]).encode()).hexdigest()

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    def put(self, key: str, part: BatchResult) -> None:
        """Store the result of a batch."""
        values = {
            "predictions": [[getattr(of, name) for name in _FIELDS] for of in part.predictions],
            "missing": {modality: dataclasses.asdict(of) for modality, of in part.missing.items()},
        }
        write_text(self._path(key), json.dumps(values))

    def get(self, key: str) -> BatchResult:
        """Read the result of a batch; it is bit-identical to the stored one.

        Raises:
            InputError: The file is missing or damaged.
        """
        path = self._path(key)
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            missing = {modality: Missing(**of) for modality, of in values["missing"].items()}
            return BatchResult([Prediction(*of) for of in values["predictions"]], missing)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}: damaged ({type(error).__name__}); remove the folder {self.folder} and run the same command "
                "again"
            ) from None

    def remove(self) -> None:
        """Remove the results, after the output is complete."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"  # many files in one folder are slow to find


Batch = tuple[Sequence[Conversation], Recordings]


@dataclass(frozen=True)
class ModelLoading:
    """The settings with which every worker loads the model."""

    model: str
    code: tuple[str, ...] = ()
    """The files of custom models; see `--code`."""
    device: DeviceName = "cpu"
    engine: EngineName = "auto"
    window: int | None = None
    overlap: int | None = None
    """The windows of longer conversations; see `Pipeline`."""

    def pipeline(self) -> Pipeline:
        """Load the model with its encoders."""
        for reference in self.code:
            find(reference)
        return Pipeline.from_pretrained(
            self.model, device=self.device, engine=self.engine, window=self.window, overlap=self.overlap
        )

    def sums(self) -> dict[str, str]:
        """The SHA-256 of the files of the model and its code, which must be equal on all machines."""
        folder = find_model(self.model)
        files = [folder / name for name in FILES if name != "README.md"]
        files += [path for reference in self.code if (path := Path(reference.rpartition(":")[0])).is_file()]
        return {path.name: sha256(path) for path in files if path.is_file()}


def predict_on_cluster(
    cluster: Cluster, loading: ModelLoading, scan: InputScan, output: Path, format_: str, progress: Progress
) -> list[str]:
    """Predict the emotion of every utterance on a cluster; the output is the same as without a cluster.

    Args:
        cluster: The connected cluster.
        loading: The model.
        scan: The input.
        output: The file; for subtitles of several conversations, the folder.
        format_: See `write_batches`.
        progress: Called with (utterances done, total).

    Returns:
        Notes for the user, one line each; see `Predictions.notes`.

    Raises:
        InputError: See `Pipeline`; or a machine of the cluster has another model.
        LostUnitsError: Some batches repeatedly crashed their workers. The others are stored, so that the same call
            resumes.
    """
    pipeline = replace(loading, device="cpu").pipeline()
    encoder_notes = pipeline.prepare(has_recordings=scan.has_recordings, has_video=scan.has_video)
    sums = loading.sums()
    origin = {"loading": asdict(loading), "sums": sums, "versions": versions(), "recorded": scan.has_recordings}
    parts = BatchResults(output, origin)
    done = 0

    def units() -> Iterator[WorkUnit[tuple[str, Batch]]]:
        nonlocal done
        for batch, recordings in scan.batches():
            key = parts.key(batch_content(batch, recordings))
            if key in parts:
                done += sum(map(len, batch))
                progress(done, scan.utterances)
            else:
                yield WorkUnit(_unit_name(batch), (key, (batch, recordings)))

    arguments = (loading, scan.has_recordings, encoder_notes, sums)
    for unit, part in cluster.run(make_predictor, arguments, units()):
        key, (batch, _) = unit.content
        parts.put(key, part)
        done += sum(map(len, batch))
        progress(done, scan.utterances)
    notes = scan.notes + encoder_notes + unknown_speaker_notes(pipeline.config.speakers, scan.speakers)
    notes += _closing_notes(parts, scan, Readability(pipeline.config.languages) if pipeline.reads_text else None)
    write_batches(output, lambda: _predicted(parts, scan), format_, folder=scan.conversations > 1)
    parts.remove()
    return notes


def make_predictor(
    loading: ModelLoading, has_recordings: bool, encoder_notes: Sequence[str], sums: Mapping[str, str]
) -> Callable[[tuple[str, Batch]], BatchResult]:
    """In a worker: load the model, and return a function that predicts a batch.

    Raises:
        InputError: This machine has another model, or lacks some of its encoders.
    """
    host = socket.gethostname()
    if loading.sums() != sums:
        raise InputError(
            f"{host}: the model {loading.model!r} differs from that of the machine on which the command was started"
        )
    pipeline = loading.pipeline()
    for note in pipeline.prepare(has_recordings=has_recordings):
        if note not in encoder_notes:
            raise InputError(f"{host}: {note}; this differs from the machine on which the command was started")

    def predict(given: tuple[str, Batch]) -> BatchResult:
        _, (batch, recordings) = given
        return pipeline.predict_batch(batch, recordings)

    return predict


def _predicted(parts: BatchResults, scan: InputScan) -> Iterator[tuple[Sequence[Conversation], Sequence[Prediction]]]:
    for batch, part in _results(parts, scan):
        yield batch, part.predictions


def _results(parts: BatchResults, scan: InputScan) -> Iterator[tuple[Sequence[Conversation], BatchResult]]:
    """Yield every batch and its result, in order."""
    for batch, recordings in scan.batches():
        yield batch, parts.get(parts.key(batch_content(batch, recordings)))


def _closing_notes(parts: BatchResults, scan: InputScan, readability: Readability | None) -> list[str]:
    """The notes that depend on all results.

    Args:
        parts: The results.
        scan: The input.
        readability: Collects unreadable text; None if the model does not read text.
    """
    tallies: dict[str, Tally] = {}
    totals: dict[str, int] = {}
    without = 0
    for batch, part in _results(parts, scan):
        if readability:
            readability.add(batch)
        without += count_without_input(part.predictions)
        for modality, of in part.missing.items():
            tallies.setdefault(modality, Tally()).add(of.problems)
            totals[modality] = totals.get(modality, 0) + of.utterances
    first = {modality: tally.first for modality, tally in tallies.items() if tally.count}
    missing = [tally.line(modality, totals[modality]) for modality, tally in tallies.items() if tally.count]
    notes = missing_input_notes(scan.utterances, without, first)
    return [*(readability.notes if readability else ()), *notes, *missing]


def _unit_name(batch: Sequence[Conversation]) -> str:
    if len(batch) == 1:
        return f"conversation {batch[0].id!r}"
    return f"conversations {batch[0].id!r} to {batch[-1].id!r}"
