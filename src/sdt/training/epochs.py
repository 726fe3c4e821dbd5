"""A training run in progress: trains and scores epochs until a stopping criterion is met."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch

from sdt.conversation import Conversation
from sdt.corpus.batches import batch_order, split_batches
from sdt.corpus.selection import conversation_lengths
from sdt.corpus.store import Corpus
from sdt.device import precision_note
from sdt.errors import InputError
from sdt.evaluation.calibration import cross_entropy
from sdt.evaluation.metrics import MAIN
from sdt.evaluation.outputs import SplitOutputs, run_model
from sdt.evaluation.scores import Scores, caveat, score_classifiers
from sdt.models.balance import Balance
from sdt.training.averaging import weight_average
from sdt.training.callbacks import Callback, StartedRun
from sdt.training.checkpoint import (
    Stateful,
    TrainingState,
    copy_parameters,
    load_checkpoint,
    save_checkpoint,
    share_checkpoint,
    trainable_parameters,
)
from sdt.training.curriculum import Curriculum
from sdt.training.display import Display
from sdt.training.folder import RunFolder
from sdt.training.loop import NotFiniteError, Step, Trainer, add_noise, drop_modalities, epoch_seeds
from sdt.training.models import model_for
from sdt.training.optimizer import learning_rate, make_optimizer
from sdt.training.processes import SINGLE_PROCESS, Processes
from sdt.training.protocol import protocol_for
from sdt.training.sampling import Sampling
from sdt.training.scoring import distributed_outputs
from sdt.training.selection import Selection
from sdt.training.settings import Recipe
from sdt.training.terms import make_term_modules
from sdt.training.test_monitor import TestMonitor
from sdt.training.weights import balance_tensors, class_weights


class TrainingRun:
    """The model, the optimizer and the state of one run.

    Args:
        recipe: The settings, resolved.
        corpus: The corpus.
        device: The device of the model.
        folder: The run folder; None keeps everything in memory, and the run cannot be resumed.
        display: Progress display.
        callbacks: Receive the progress.
        processes: The processes of the run.
    """

    def __init__(
        self,
        recipe: Recipe,
        corpus: Corpus,
        device: torch.device,
        folder: RunFolder | None,
        display: Display,
        callbacks: Sequence[Callback] = (),
        processes: Processes = SINGLE_PROCESS,
    ) -> None:
        self.recipe, self.corpus, self.folder, self.display, self.callbacks = recipe, corpus, folder, display, callbacks
        self.processes = processes
        self.protocol = protocol_for(recipe.training, corpus)
        self.selection = Selection(recipe.training.selection)
        monitored = folder.test_monitor if folder else None
        self.test_monitor = TestMonitor(monitored, corpus, self.protocol.monitored, processes, self.selection)
        kind, config = model_for(recipe, corpus)
        weights = class_weights(recipe.training.class_weights, corpus.labels, self.protocol.train)
        balance = Balance.of(recipe.objective.balance)
        weights, offset = balance_tensors(balance, weights, corpus.labels, self.protocol.train)
        torch.manual_seed(recipe.seed)
        self.model = kind(config).to(device)
        term_modules = make_term_modules(
            recipe.objective,
            self.model,
            corpus,
            self.protocol.train,
            processes=processes.size,
            parts=recipe.training.accumulation,
        )
        self.average = weight_average(self.model, recipe.training)
        self.further: dict[str, Stateful] = {
            **({"terms": term_modules} if term_modules.names else {}),
            **({"average": self.average} if recipe.training.averaging != "none" else {}),
        }
        """Further state in checkpoints."""
        self.optimizer = make_optimizer(self.model, recipe.training, self.further)
        train = self.protocol.train
        self.order = (
            Sampling(recipe.training.sampling, recipe.seed, train)
            if recipe.training.sampling
            else Curriculum(recipe.training, corpus, train)
        )
        """The training conversations of each epoch."""
        self.first_steps = self._first_steps()
        """Epoch, from 0, to the number of steps before the next epoch."""
        steps = self.first_steps[-1]
        self.trainer = Trainer(
            self.model,
            self.optimizer,
            recipe.objective,
            recipe.training,
            weights,
            lambda step: learning_rate(recipe.training, step, steps, self._scores),
            processes,
            offset,
            self.average,
            term_modules,
        )
        self.state = TrainingState()

    def train(self, exit_stack: contextlib.ExitStack) -> None:
        """Train the remaining epochs and write metrics and checkpoints.

        Args:
            exit_stack: Closes the callbacks.
        """
        training = self.recipe.training
        self.processes.run_on_first(partial(self._begin, exit_stack))
        share_checkpoint(self.processes, self.state, self.model, self.optimizer, self.further)
        with self.display.running(training.epochs, self.state.epoch):
            while not self._is_complete():
                try:
                    line = self._epoch(self.state.epoch + 1)
                except NotFiniteError as error:
                    saved = (
                        self.folder and f". {self.folder.path} has a checkpoint after epoch {self.folder.epochs_done}"
                    )
                    self.processes.raise_once(InputError(f"{error}{saved or ''}"))
                selected_at = time.perf_counter()
                # Recorded before the checkpoint is written, so the file has every epoch from which a run can resume.
                with self.average.applied():
                    self.test_monitor.record(line["epoch"], self.model)
                line["seconds"]["sealed"] = time.perf_counter() - selected_at
                self.state.history.append(line)
                self.processes.run_on_first(partial(self._save_epoch, line))

    def _first_steps(self) -> list[int]:
        training, steps = self.recipe.training, [0]
        previous, batches = None, 0
        for epoch in range(1, training.epochs + 1):
            train = self.order.conversations(epoch)
            if train is not previous:  # in most epochs they are the same
                lengths = conversation_lengths(train)
                batches = len(batch_order(lengths, training.batch_conversations, training.batch_utterances, None))
            steps.append(steps[-1] + batches)
            previous = train
        return steps

    def _begin(self, exit_stack: contextlib.ExitStack) -> None:
        """Load the checkpoint, if there is one, and start the callbacks."""
        if self.folder:
            self.state = load_checkpoint(self.folder.checkpoint, self.model, self.optimizer, self.further)
            self.test_monitor.resume(self.state.epoch)
            self.folder.write_metrics(self.state.history)
        self._announce()
        path = self.folder.path if self.folder else None
        for callback in self.callbacks:
            callback.start(StartedRun(self.recipe, self.corpus, self.model, path, tuple(self.state.history)))
            exit_stack.callback(callback.close)

    def _save_epoch(self, line: dict[str, Any]) -> None:
        """Write checkpoint and metrics after an epoch, and update display and callbacks."""
        training = self.recipe.training
        if self.folder and (self.state.epoch % training.checkpoint_every == 0 or self._is_complete()):
            save_checkpoint(self.folder.checkpoint, self.state, self.model, self.optimizer, self.further)
        if self.folder:
            self.folder.write_metrics(self.state.history)
        self.display.finish_epoch(
            line, self.state.best_score, training.epochs, self.protocol.chosen_on, self.selection.name
        )
        for callback in self.callbacks:
            callback.epoch(line)

    def _finish_step(self, step: Step) -> None:
        self.display.finish_batch(step.utterances, step.losses["total"])
        for callback in self.callbacks:
            callback.step(step)

    @property
    def _scores(self) -> list[float]:
        """The selection score of each finished epoch; the highest is the best."""
        lines = self.state.history
        return [self.selection.key(self.selection.of_line(line, self.protocol.chosen_on)) for line in lines]

    def outputs(self, conversations: Sequence[Conversation]) -> SplitOutputs:
        """Run the model on conversations; collective."""
        return distributed_outputs(
            self.processes,
            conversations,
            lambda some: run_model(self.model, self.corpus, some, progress=self.processes.raise_if_stopping),
        )

    def _epoch(self, number: int) -> dict[str, Any]:
        """Train one epoch and score it; returns its line of metrics.jsonl."""
        started = time.perf_counter()
        training, protocol = self.recipe.training, self.protocol
        data_seed, dropout_seed = epoch_seeds(self.recipe.seed, number, self.processes.rank)
        generator = torch.Generator().manual_seed(data_seed)
        torch.manual_seed(dropout_seed)
        train = self.order.conversations(number)
        batches = split_batches(
            self.corpus,
            train,
            training.batch_conversations,
            modalities=tuple(self.model.config.modalities),
            labels=self.corpus.labels,
            speakers=self.corpus.speakers,
            generator=generator,
            utterances=training.batch_utterances,
        )
        noisy = (add_noise(batch, training.modality_noise, generator) for batch in batches)
        dropped = (drop_modalities(batch, training.modality_dropout, generator) for batch in noisy)
        first_step, next_step = self.first_steps[number - 1 : number + 1]
        self.display.start_epoch(next_step - first_step)
        epoch = self.trainer.epoch(number, dropped, first_step, self._finish_step)
        trained_at = time.perf_counter()
        with self.average.applied():
            outputs = self.outputs(protocol.choose)
            scores = score_classifiers(outputs, self.corpus.labels)
            score = self.processes.broadcast(lambda: self.selection.of(scores))  # processes select by the same score
            better = self.state.keep(
                number,
                score,
                lambda: copy_parameters(self.model) if self.processes.first else {},
                training.keep_best,
                self.selection.key,
            )
        return {
            "epoch": number,
            "best": better,
            "learning_rate": self.trainer.rate(next_step - 1),
            **({"conversations": len(train)} if training.curriculum != "none" or training.sampling else {}),
            "losses": {t: value for t, value in epoch.losses.items() if t not in ("hard", "soft") or t in self.terms},
            **self._branches(epoch.students),
            "gradient_norm": epoch.gradient_norm,
            "train": _summary(epoch.scores),
            protocol.chosen_on: _with_losses(_summary(scores), outputs),
            **self.caveat(),
            "seconds": {"training": trained_at - started, "scoring": time.perf_counter() - trained_at},
        }

    @property
    def terms(self) -> tuple[str, ...]:
        """The terms of the objective with a weight above 0."""
        objective = self.trainer.objective
        return (*(term for term in ("task", "hard", "soft") if getattr(objective, term) > 0), *objective.added)

    def _branches(self, losses: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
        """The loss terms of each branch; the key is `students` if they are distilled from the teacher."""
        terms = [term for term in ("hard", "soft") if term in self.terms]
        if not (terms and losses):
            return {}
        key = "students" if "soft" in terms else "branches"
        return {key: {classifier: {term: of[term] for term in terms} for classifier, of in losses.items()}}

    def _is_complete(self) -> bool:
        training, state = self.recipe.training, self.state
        patience = training.early_stopping
        stale = patience is not None and state.epoch > 0 and state.epoch - state.best_epoch >= patience
        return state.epoch >= training.epochs or stale

    def _announce(self) -> None:
        parameters = sum(parameter.numel() for parameter in trainable_parameters(self.model).values())
        device = self.trainer.device.type
        if self.processes.size > 1:
            device = f"{self.processes.size} processes ({device})"
        name = self.model.display_name()
        where = f"{self.folder.path}: " if self.folder else ""
        self.display.say(f"{where}{name} on {self.corpus.name}, {parameters:,} parameters, on {device}")
        idle = self.processes.size - self.recipe.training.batch_conversations
        if idle > 0 and self.recipe.training.batch_utterances is None:
            self.display.say(f"warning: batches have fewer conversations than there are processes; {idle} are idle")
        if slow := precision_note(self.trainer.device, self.recipe.training.precision):
            self.display.say(f"warning: {slow}")
        if self.state.epoch:
            self.display.say(f"resuming after epoch {self.state.epoch}")
        if note := caveat(self.provenance()):
            self.display.say(note)
        elif self.recipe.training.test != "never" and "test" not in self.protocol.reported:
            self.display.say("the corpus has no labelled test split; only dev will be scored")

    def provenance(self, epoch: int | None = None) -> dict[str, Any]:
        """The origin of the run's results: protocol, corpus, seed, epoch, loss terms and averaging, if any.

        Args:
            epoch: The epoch of the parameters; None for the best one.
        """
        return {
            "protocol": self.protocol.name,
            "corpus": self.corpus.name,
            "corpus_sha256": self.corpus.fingerprint,
            "seed": self.recipe.seed,
            "epoch": self.state.best_epoch if epoch is None else epoch,
            "terms": list(self.terms),
            **({"averaging": averaging} if (averaging := self.recipe.training.averaging) != "none" else {}),
            **({"selection": self.selection.name} if self.selection.name != MAIN else {}),
            **({"fold": self.corpus.division} if self.corpus.division else {}),
        }

    def caveat(self) -> dict[str, str]:
        """The caveat that accompanies every score, as a dictionary; empty if there is none."""
        note = caveat({"protocol": self.protocol.name})
        return {"caveat": note} if note else {}


def _summary(scores: Mapping[str, Scores]) -> dict[str, dict[str, float]]:
    return {classifier: dict(of.metrics) for classifier, of in scores.items()}


def _with_losses(summary: dict[str, dict[str, float]], outputs: SplitOutputs) -> dict[str, dict[str, float]]:
    """Add the mean cross-entropy of each classifier, without class weights."""
    return {
        classifier: {**of_classifier, "cross_entropy": cross_entropy(outputs.probabilities[classifier], outputs.label)}
        for classifier, of_classifier in summary.items()
    }
