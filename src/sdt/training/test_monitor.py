"""The test scores of every epoch, recorded separately and never used for selection.

    sealed/test.jsonl         one line per epoch: scores by head, and the class number predicted for each utterance
    sealed/predictions.jsonl  written at the end of the run: the predictions of the epoch with the best test score

`TestMonitor` only writes the file while a run trains. It is read after the parameters are chosen, so one run gives both
its own result and the result of selecting the epoch on test; the difference is the price of selecting on test. The
protocol `published` also trains on dev and may therefore score differently.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sdt.conversation import Conversation
from sdt.corpus.store import Corpus
from sdt.evaluation.outputs import SplitOutputs, run_model
from sdt.evaluation.scores import Scores, score_classifiers
from sdt.evaluation.table import percent
from sdt.files import atomic_file
from sdt.models.base import Model
from sdt.models.config import FUSED
from sdt.training.folder import scores_from_dict
from sdt.training.processes import ALONE, Processes
from sdt.training.scoring import divided_outputs

CAVEAT = "epoch chosen on test (sealed scores; trained on train alone, where the protocol 'published' adds dev)"


@dataclass(frozen=True)
class TestSelection:
    """The epoch with the best weighted F1 on test: the result of a run that selects its epoch on test."""

    __test__ = False  # not a test, despite its name

    epoch: int
    """The first of the best."""
    scores: Mapping[str, Scores]
    """By head."""

    def price(self, honest: Mapping[str, Scores]) -> str:
        """What choosing on test would have gained, in words; `honest` are the test scores of the chosen parameters."""
        chosen, gained = self.scores[FUSED].weighted_f1, self.scores[FUSED].weighted_f1 - honest[FUSED].weighted_f1
        return (
            f"choosing the epoch on test would have given a weighted F1 of {percent(chosen)} (epoch {self.epoch}): "
            + (f"{percent(gained)} too much" if gained else "no other score")
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON values, the caveat among them."""
        scores = {head: of_head.to_dict() for head, of_head in self.scores.items()}
        return {"caveat": CAVEAT, "epoch": self.epoch, "scores": scores}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TestSelection:
        """The opposite of `to_dict`.

        Raises:
            KeyError, TypeError, AttributeError, ValueError: The values are damaged.
        """
        scores = {head: scores_from_dict(of_head) for head, of_head in values["scores"].items()}
        return cls(values["epoch"], scores)


class TestMonitor:
    """Records the test scores of a run.

    Args:
        folder: `RUN/sealed`.
        corpus: The corpus.
        conversations: The labelled test split; empty to record nothing.
        processes: The processes that score it; the first writes.
    """

    __test__ = False  # not a test, despite its name

    def __init__(
        self, folder: Path, corpus: Corpus, conversations: Sequence[Conversation], processes: Processes = ALONE
    ) -> None:
        self._path = folder / "test.jsonl"
        self._predictions = folder / "predictions.jsonl"
        self._corpus = corpus
        self._conversations = conversations
        self._processes = processes
        self._known = 0  # lines of the file that are of this run

    def resume(self, epoch: int) -> None:
        """Keep the lines of the first epochs, those that the checkpoint knows of.

        A file that was removed or changed is no error: it decides nothing. The run is then without its result.
        """
        self._known = epoch

    def record(self, epoch: int, model: Model) -> None:
        """Score test with the parameters after an epoch and write the scores; called in all processes."""
        if not self._conversations:
            return
        outputs = divided_outputs(
            self._processes,
            self._conversations,
            lambda some: run_model(model, self._corpus, some, progress=self._processes.raise_if_stopping),
        )
        self._processes.by_first(partial(self._write, epoch, outputs))

    def _write(self, epoch: int, outputs: SplitOutputs) -> None:
        scores = score_classifiers(outputs, self._corpus.labels)
        line = {
            "epoch": epoch,
            "scores": {head: of_head.to_dict() for head, of_head in scores.items()},
            "predicted": outputs.probabilities[FUSED].argmax(axis=1).tolist(),  # [N]
        }
        with atomic_file(self._path) as aside, aside.open("wb") as file:
            for before in self._lines():
                file.write(before)
            file.write(json.dumps(line).encode() + b"\n")
        self._known += 1

    def _lines(self) -> Iterator[bytes]:
        """Those of the file, if it is there: an epoch's has some bytes for every utterance of test."""
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            yield from itertools.islice(file, self._known)

    def select(self, epochs: int) -> TestSelection | None:
        """Find the epoch with the best test score after the parameters are chosen, and write its predictions.

        Args:
            epochs: Number of epochs of the run.

        Returns:
            None if nothing was recorded, or if the file lacks an epoch.
        """
        if not self._conversations:
            return None
        try:
            best, found = None, 0
            for found, text in enumerate(self._lines(), start=1):
                line = json.loads(text)
                if line["epoch"] != found:
                    return None
                if best is None or line["scores"][FUSED]["weighted_f1"] > best["scores"][FUSED]["weighted_f1"]:
                    best = line
            if best is None or found != epochs:
                return None
            self._write_predictions(best["predicted"])
            return TestSelection.from_dict(best)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):  # somebody changed it
            return None

    def _write_predictions(self, predicted: Sequence[int]) -> None:
        places = ((c.id, utterance) for c in self._conversations for utterance in c.utterances)
        with atomic_file(self._predictions) as aside, aside.open("w", encoding="utf-8") as file:
            for (conversation, utterance), number in zip(places, predicted, strict=True):
                line = {"conversation": conversation, "utterance": utterance.id, "speaker": utterance.speaker}
                if utterance.label is not None:
                    line["label"] = utterance.label
                line["emotion"] = self._corpus.labels[number]
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
