"""A finished training run, in memory or in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from sdt.conversation import Prediction
from sdt.corpus.store import Corpus
from sdt.errors import InputError, near_miss
from sdt.evaluation.outputs import SplitOutputs, run_model
from sdt.evaluation.predicted import PredictionFile
from sdt.evaluation.scores import Scores, caveat
from sdt.evaluation.system import System, Truth
from sdt.models.base import Model
from sdt.training.checkpoint import KeptEpoch
from sdt.training.division import divided
from sdt.training.epochs import TrainingRun
from sdt.training.finish import Results
from sdt.training.folder import RunFolder
from sdt.training.group import open_corpus_of_run
from sdt.training.recipe import load_recipe
from sdt.training.settings import Recipe
from sdt.training.test_monitor import TestSelection


@dataclass(frozen=True, eq=False)
class Run:
    """A finished training run.

    Example:
        >>> run = sdt.train({"training.epochs": 5}, corpus)  # doctest: +SKIP
        >>> run.scores["test"]["fused"].weighted_f1  # doctest: +SKIP
        0.61
    """

    recipe: Recipe
    """Every setting."""
    corpus: Corpus
    model: Model
    """The model with the parameters of the selected epoch."""
    epoch: int
    """The selected epoch."""
    history: Sequence[Mapping[str, Any]]
    """Losses and scores of each epoch: the lines of metrics.jsonl."""
    scores: Mapping[str, Mapping[str, Scores]]
    """Split (`dev`, `test`) to classifier (`fused`, then the modalities) to scores of the selected epoch."""
    notes: Sequence[str] = ()
    """Notes on unusual scores, one line each."""
    test_selection: TestSelection | None = None
    """The result of selecting the epoch on test; None if test was not scored after every epoch."""
    folder: Path | None = None
    """The run folder; None for a run in memory."""
    kept: Sequence[KeptEpoch] = ()
    """The parameters of the best epochs of a run in memory, best first; see `training.keep_best`."""
    outputs: Mapping[str, SplitOutputs] = field(default_factory=dict)
    """Split to the outputs of the model, as far as they are known; see `predictions`."""

    @classmethod
    def open(cls, folder: str | Path, corpus: Corpus | None = None) -> Self:
        """Open the folder of a finished run.

        Args:
            folder: The run folder.
            corpus: The corpus of the run; None opens the one that the run recorded.

        Raises:
            InputError: The folder is not a finished run, or its corpus was moved; then give it.
        """
        files = RunFolder(Path(folder))
        values, scores = files.read_scores()
        recipe, selected = load_recipe(files.path / "recipe.yaml"), values.get("test_chosen")
        return cls(
            recipe=recipe,
            corpus=divided(corpus, recipe) if corpus else open_corpus_of_run(files.path),
            model=Model.from_pretrained(files.model),
            epoch=values["epoch"],
            history=files.read_metrics(),
            scores=scores,
            notes=[remark["text"] for remark in values.get("remarks", ())],
            test_selection=TestSelection.from_dict(selected) if selected else None,
            folder=files.path,
        )

    @classmethod
    def in_memory(cls, run: TrainingRun, results: Results) -> Self:
        """The result of `sdt.training.run.train_in_memory`."""
        return cls(
            recipe=run.recipe,
            corpus=run.corpus,
            model=run.model.eval(),
            epoch=run.state.best_epoch,
            history=run.state.history,
            scores=results.scores,
            notes=[remark.text for remark in results.remarks],
            test_selection=results.test_selection,
            kept=run.state.kept,
            outputs=results.outputs,
        )

    @property
    def name(self) -> str:
        """The name of the folder, or of the model."""
        return self.folder.name if self.folder else self.model.display_name()

    def predictions(self, split: str = "test") -> list[Prediction]:
        """The prediction of every utterance of a split, with its text and annotated label.

        Raises:
            InputError: The corpus has no such split.
        """
        utterances = [utterance for conversation in self.corpus.split(split) for utterance in conversation.utterances]
        found = self._outputs(split).predictions(self.model.config)
        return [one.with_utterance(utterance) for one, utterance in zip(found, utterances, strict=True)]

    def system(self, split: str = "test", name: str | None = None) -> System:
        """The predictions for `sdt.compare`.

        Raises:
            InputError: The split was not scored.
        """
        if split not in self.scores:
            raise InputError(f"{self.name}: no scores of split {split!r}{near_miss(split, self.scores)}")
        predictions = self._outputs(split).predictions(self.model.config)
        emotions = {(one.conversation, one.utterance): str(one.emotion) for one in predictions}
        file = PredictionFile(Path(self.name), emotions, {}, self.corpus.labels)
        truth = Truth.of_conversations(self.corpus.split(split), self.corpus.labels)
        system = System.of(name or self.name, [file], truth, [self.recipe.seed])
        note = caveat(self.model.config.provenance)
        return system.with_provenance(self.corpus.fingerprint, [note] if note else [])

    def save(self, folder: str | Path) -> None:
        """Write the model, for `Pipeline.from_pretrained` and `sdt predict --model`.

        Args:
            folder: A new folder.
        """
        self.model.save_pretrained(folder)

    def _outputs(self, split: str) -> SplitOutputs:
        return self.outputs.get(split) or run_model(self.model, self.corpus, self.corpus.split(split))

    def __repr__(self) -> str:
        scores = (f"{split} {of['fused'].weighted_f1:.3f}" for split, of in self.scores.items())
        return f"<Run {self.name}: epoch {self.epoch}, weighted F1 {', '.join(scores)}>"
