"""A training run in progress: trains and scores epochs until a stopping criterion."""

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
from sdt.errors import InputError
from sdt.evaluation.calibration import cross_entropy
from sdt.evaluation.outputs import SplitOutputs, run_model
from sdt.evaluation.scores import Scores, caveat, score_classifiers
from sdt.models.config import FUSED
from sdt.training.checkpoint import (
    State,
    copy_parameters,
    load_checkpoint,
    save_checkpoint,
    share_checkpoint,
    trained,
)
from sdt.training.display import Display
from sdt.training.folder import RunFolder
from sdt.training.loop import NotFiniteError, Trainer, drop_modalities, epoch_seeds
from sdt.training.models import model_for
from sdt.training.optimizer import learning_rate, make_optimizer
from sdt.training.processes import ALONE, Processes
from sdt.training.protocol import protocol_for
from sdt.training.scoring import divided_outputs
from sdt.training.settings import Recipe
from sdt.training.test_monitor import TestMonitor
from sdt.training.trackers import Tracker
from sdt.training.weights import class_weights


class TrainingRun:
    """One run: model, optimizer and what has happened so far."""

    def __init__(
        self,
        recipe: Recipe,
        corpus: Corpus,
        device: torch.device,
        folder: RunFolder,
        display: Display,
        trackers: Sequence[Tracker] = (),
        processes: Processes = ALONE,
    ) -> None:
        self.recipe, self.corpus, self.folder, self.display, self.trackers = recipe, corpus, folder, display, trackers
        self.processes = processes
        self.protocol = protocol_for(recipe.training, corpus)
        self.test_monitor = TestMonitor(folder.sealed, corpus, self.protocol.monitored, processes)
        kind, config = model_for(recipe, corpus)
        weights = class_weights(recipe.training.class_weights, corpus.labels, self.protocol.train)
        torch.manual_seed(recipe.seed)
        self.model = kind(config).to(device)
        self.optimizer = make_optimizer(self.model, recipe.training)
        lengths = conversation_lengths(self.protocol.train)
        self.batches_per_epoch = len(
            batch_order(lengths, recipe.training.batch_conversations, recipe.training.batch_utterances, None)
        )
        steps = self.batches_per_epoch * recipe.training.epochs
        self.trainer = Trainer(
            self.model,
            self.optimizer,
            recipe.objective,
            recipe.training,
            weights,
            lambda step: learning_rate(recipe.training, step, steps),
            processes,
        )
        self.state = State()

    def train(self, ending: contextlib.ExitStack) -> None:
        """Train the epochs that are missing, writing metrics and checkpoints; `ending` will close the trackers."""
        training = self.recipe.training
        self.processes.by_first(partial(self._begin, ending))
        share_checkpoint(self.processes, self.state, self.model, self.optimizer)
        with self.display.running(training.epochs, self.state.epoch):
            while not self._enough():
                try:
                    line = self._epoch(self.state.epoch + 1)
                except NotFiniteError as error:
                    kept = self.folder.epochs_done
                    text = f"{error}. {self.folder.path} keeps the state after epoch {kept}"
                    self.processes.refuse(InputError(text))
                chosen_at = time.perf_counter()
                # Before the checkpoint, so that the sealed file never lacks an epoch from which a run goes on.
                self.test_monitor.record(line["epoch"], self.model)
                line["seconds"]["sealed"] = time.perf_counter() - chosen_at
                self.state.history.append(line)
                self.processes.by_first(partial(self._keep, line))

    def _begin(self, ending: contextlib.ExitStack) -> None:
        """Read the checkpoint if there is one, and tell everybody."""
        self.state = load_checkpoint(self.folder.checkpoint, self.model, self.optimizer)
        self.test_monitor.resume(self.state.epoch)
        self.folder.write_metrics(self.state.history)
        self._announce()
        for tracker in self.trackers:
            tracker.start(self.recipe, self.folder.path, self.state.history)
            ending.callback(tracker.close)

    def _keep(self, line: dict[str, Any]) -> None:
        """Write what is known after an epoch, and tell everybody."""
        training = self.recipe.training
        if self.state.epoch % training.checkpoint_every == 0 or self._enough():
            save_checkpoint(self.folder.checkpoint, self.state, self.model, self.optimizer)
        self.folder.write_metrics(self.state.history)
        self.display.epoch_done(line, self.state.best_score, training.epochs, self.protocol.chosen_on)
        for tracker in self.trackers:
            tracker.epoch(line)

    def outputs(self, conversations: Sequence[Conversation]) -> SplitOutputs:
        """What the model says of conversations; together."""
        return divided_outputs(
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
        batches = split_batches(
            self.corpus,
            protocol.train,
            training.batch_conversations,
            modalities=tuple(self.model.config.modalities),
            labels=self.corpus.labels,
            speakers=self.corpus.speakers,
            generator=generator,
            utterances=training.batch_utterances,
        )
        dropped = (drop_modalities(batch, training.modality_dropout, generator) for batch in batches)
        first_step = (number - 1) * self.batches_per_epoch
        self.display.epoch_begins(self.batches_per_epoch)
        epoch = self.trainer.epoch(
            number, dropped, first_step, lambda step: self.display.batch_done(step.utterances, step.losses["total"])
        )
        trained_at = time.perf_counter()
        outputs = self.outputs(protocol.choose)
        scores = score_classifiers(outputs, self.corpus.labels)
        score = self.processes.broadcast(lambda: scores[FUSED].weighted_f1)  # the first chooses
        better = score > self.state.best_score
        if better:
            self.state.best_epoch, self.state.best_score = number, score
            self.state.best = copy_parameters(self.model) if self.processes.first else {}
        return {
            "epoch": number,
            "best": better,
            "learning_rate": self.trainer.rate(first_step + self.batches_per_epoch - 1),
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
        """The terms of the objective that count."""
        objective = self.trainer.objective
        return (*(term for term in ("task", "hard", "soft") if getattr(objective, term) > 0), *objective.terms)

    def _branches(self, losses: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
        """What each branch adds to the terms that train it; branches that learn from the teacher are its students."""
        terms = [term for term in ("hard", "soft") if term in self.terms]
        if not (terms and losses):
            return {}
        key = "students" if "soft" in terms else "branches"
        return {key: {head: {term: of[term] for term in terms} for head, of in losses.items()}}

    def _enough(self) -> bool:
        training, state = self.recipe.training, self.state
        patience = training.early_stopping
        stale = patience is not None and state.epoch > 0 and state.epoch - state.best_epoch >= patience
        return state.epoch >= training.epochs or stale

    def _announce(self) -> None:
        parameters = sum(parameter.numel() for parameter in trained(self.model).values())
        device = self.trainer.device.type
        if self.processes.size > 1:
            device = f"{self.processes.size} processes ({device})"
        name = self.model.display_name()
        self.display.say(f"{self.folder.path}: {name} on {self.corpus.name}, {parameters:,} parameters, on {device}")
        idle = self.processes.size - self.recipe.training.batch_conversations
        if idle > 0 and self.recipe.training.batch_utterances is None:
            self.display.say(f"a batch has fewer conversations than there are processes: {idle} of them have none")
        if self.state.epoch:
            self.display.say(f"resuming after epoch {self.state.epoch}")
        if note := caveat(self.provenance()):
            self.display.say(note)
        elif self.recipe.training.test != "never" and "test" not in self.protocol.reported:
            self.display.say("the corpus has no labelled test split: only dev will be scored")

    def provenance(self) -> dict[str, Any]:
        """What the numbers of the run come from."""
        return {
            "protocol": self.protocol.name,
            "corpus": self.corpus.name,
            "corpus_sha256": self.corpus.fingerprint,
            "seed": self.recipe.seed,
            "epoch": self.state.best_epoch,
            "terms": list(self.terms),
        }

    def caveat(self) -> dict[str, str]:
        """What has to be said beside every score, if anything."""
        note = caveat({"protocol": self.protocol.name})
        return {"caveat": note} if note else {}


def _summary(scores: Mapping[str, Scores]) -> dict[str, dict[str, float]]:
    return {head: dict(of.metrics) for head, of in scores.items()}


def _with_losses(summary: dict[str, dict[str, float]], outputs: SplitOutputs) -> dict[str, dict[str, float]]:
    """The same with each head's mean cross-entropy, without class weights."""
    return {
        head: {**of_head, "cross_entropy": cross_entropy(outputs.probabilities[head], outputs.label)}
        for head, of_head in summary.items()
    }
