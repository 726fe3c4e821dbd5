"""The test scores of every epoch, recorded separately and never used for selection.

    sealed/test.jsonl         one line per epoch: scores by classifier, and the class number predicted per utterance
    sealed/predictions.jsonl  written at the end of the run: predictions of the epoch with the best test score

`TestMonitor` only writes the file while a run trains. It is read after the parameters are selected, so one run provides
its own result and the result of selecting the epoch on test; the difference is the gain of test selection. The protocol
`published` also trains on dev and may therefore give other scores.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sdt.conversation import Conversation
from sdt.corpus.store import Corpus
from sdt.evaluation.metrics import MAIN
from sdt.evaluation.outputs import SplitOutputs, run_model
from sdt.evaluation.scores import Scores, score_classifiers
from sdt.files import atomic_file
from sdt.models.base import Model
from sdt.models.config import FUSED
from sdt.training.folder import scores_from_dict
from sdt.training.processes import SINGLE_PROCESS, Processes
from sdt.training.scoring import distributed_outputs
from sdt.training.selection import Selection

CAVEAT = "epoch selected on test (trained on train only; the protocol 'published' also trains on dev)"


@dataclass(frozen=True)
class TestSelection:
    """The epoch with the best score on test: the result of a run that selects its epoch on test."""

    __test__ = False  # not a test, despite its name

    epoch: int
    """The first epoch with the best score."""
    scores: Mapping[str, Scores]
    """Classifier to its test scores."""
    selection: Selection = field(default_factory=Selection)
    """The metric that selects the epoch."""

    def describe_gain(self, reported: Mapping[str, Scores]) -> str:
        """Describe the gain of selecting the epoch on test.

        Args:
            reported: Test scores of the epoch selected on dev, by classifier.
        """
        metric, score = self.selection.metric, self.selection.of(self.scores)
        gain = score - self.selection.of(reported)
        return (
            f"selecting the epoch on test would have given a {metric.title} of {metric.text(score)} (epoch "
            f"{self.epoch}), "
            + (f"{metric.text(abs(gain))} points {'more' if gain > 0 else 'less'}" if gain else "the same score")
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values, including the caveat."""
        scores = {name: classifier.to_dict() for name, classifier in self.scores.items()}
        selection = {} if self.selection.name == MAIN else {"selection": self.selection.name}
        return {"caveat": CAVEAT, **selection, "epoch": self.epoch, "scores": scores}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TestSelection:
        """Create a `TestSelection` from the result of `to_dict`.

        Raises:
            KeyError, TypeError, AttributeError, ValueError: The values are damaged.
        """
        scores = {name: scores_from_dict(classifier) for name, classifier in values["scores"].items()}
        return cls(values["epoch"], scores, Selection(values.get("selection", MAIN)))


class TestMonitor:
    """Records the test scores of a run.

    Args:
        folder: `RUN/sealed`; None keeps the scores in memory.
        corpus: The corpus.
        conversations: The labelled test split; empty to record nothing.
        processes: The processes that score it; the first writes.
        selection: The metric of `select`.
    """

    __test__ = False  # not a test, despite its name

    def __init__(
        self,
        folder: Path | None,
        corpus: Corpus,
        conversations: Sequence[Conversation],
        processes: Processes = SINGLE_PROCESS,
        selection: Selection | None = None,
    ) -> None:
        self._folder, self._selection = folder, selection or Selection()
        self._memory: list[bytes] = []  # the lines of a run without a folder
        self._corpus = corpus
        self._conversations = conversations
        self._processes = processes
        self._known = 0  # number of lines of the file that belong to this run

    def resume(self, epoch: int) -> None:
        """Keep only the lines of epochs up to that of the checkpoint.

        A removed or changed file is not an error because nothing depends on it; `select` then returns None.
        """
        self._known = epoch

    def record(self, epoch: int, model: Model) -> None:
        """Score test with the parameters after an epoch and write the scores; collective."""
        if not self._conversations:
            return
        outputs = distributed_outputs(
            self._processes,
            self._conversations,
            lambda some: run_model(model, self._corpus, some, progress=self._processes.raise_if_stopping),
        )
        self._processes.run_on_first(partial(self._write, epoch, outputs))

    def _write(self, epoch: int, outputs: SplitOutputs) -> None:
        scores = score_classifiers(outputs, self._corpus.labels)
        line = {
            "epoch": epoch,
            "scores": {name: classifier.to_dict() for name, classifier in scores.items()},
            "predicted": outputs.probabilities[FUSED].argmax(axis=1).tolist(),  # [N]
        }
        text = json.dumps(line).encode() + b"\n"
        if self._folder is None:
            self._memory.append(text)
        else:
            with atomic_file(self._folder / "test.jsonl") as aside, aside.open("wb") as file:
                file.writelines(self._lines())
                file.write(text)
        self._known += 1

    def _lines(self) -> Iterator[bytes]:
        """The lines of this run, one at a time: a line has a few bytes per utterance of test."""
        if self._folder is None:
            yield from self._memory
            return
        with contextlib.suppress(OSError), (self._folder / "test.jsonl").open("rb") as file:
            yield from itertools.islice(file, self._known)

    def select(self, epochs: int) -> TestSelection | None:
        """Find the epoch with the best test score after the parameters are chosen, and write its predictions.

        Args:
            epochs: Number of epochs of the run.

        Returns:
            None if nothing was recorded or an epoch is missing in the file.
        """
        if not self._conversations:
            return None
        try:
            best, found = None, 0
            for found, text in enumerate(self._lines(), start=1):
                line = json.loads(text)
                if line["epoch"] != found:
                    return None
                if best is None or self._key(line) > self._key(best):
                    best = line
            if best is None or found != epochs:
                return None
            if self._folder is not None:
                self._write_predictions(self._folder / "predictions.jsonl", best["predicted"])
            return TestSelection.from_dict({**best, "selection": self._selection.name})
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):  # the file was changed
            return None

    def _key(self, line: Mapping[str, Any]) -> float:
        return self._selection.key(self._selection.of_line(line, "scores"))

    def _write_predictions(self, path: Path, predicted: Sequence[int]) -> None:
        utterances = ((c.id, utterance) for c in self._conversations for utterance in c.utterances)
        with atomic_file(path) as aside, aside.open("w", encoding="utf-8") as file:
            for (conversation, utterance), number in zip(utterances, predicted, strict=True):
                line = {"conversation": conversation, "utterance": utterance.id, "speaker": utterance.speaker}
                if utterance.label is not None:
                    line["label"] = utterance.label
                line["emotion"] = self._corpus.labels[number]
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
