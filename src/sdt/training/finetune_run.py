"""The epochs of fine-tuning: batches of one or several corpora, and the selection of the epoch on dev."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sdt.device import autocast
from sdt.encoders.text_pieces import Piece
from sdt.encoders.text_torch import padded_tensors
from sdt.errors import InputError
from sdt.evaluation.scores import Scores, score
from sdt.training.checkpoint import (
    TrainingState,
    copy_parameters,
    load_checkpoint,
    save_checkpoint,
    trainable_parameters,
)
from sdt.training.display import Display
from sdt.training.finetune_model import Classifier, Texts, parameter_groups
from sdt.training.finetune_settings import FineTuning, epoch_batches, rate_factor
from sdt.training.loop import epoch_seeds


@dataclass
class Part:
    """The texts of one corpus, for one of the classifiers."""

    texts: Mapping[str, Texts]
    """Split to its texts."""
    labels: tuple[str, ...]


class FineTuningRun:
    """Trains and evaluates the epochs.

    Args:
        model: The encoder with a classifier for each corpus.
        parts: The corpora; every batch is of one of them.
        settings: The settings.
        pad: The number of the token that pads.
        display: The display of the progress.
    """

    def __init__(
        self, model: Classifier, parts: Sequence[Part], settings: FineTuning, pad: int, display: Display
    ) -> None:
        self.model, self.parts, self.settings = model, parts, settings
        self.pad, self.display = pad, display
        self.device = model.head.weight.device
        self.optimizer = torch.optim.AdamW(
            parameter_groups(model, settings), weight_decay=settings.weight_decay, fused=True
        )
        self.losses = [self._loss(part) for part in parts]
        self.inputs = [part.texts["train"].inputs for part in parts]
        self.batches = [
            max(1, round(settings.batch * len(inputs) / len(part.texts["train"].pieces)))
            for part, inputs in zip(parts, self.inputs, strict=True)
        ]
        """Number of inputs per batch of each corpus."""
        counts = zip(self.inputs, self.batches, strict=True)
        self.steps = settings.epochs * sum(math.ceil(len(inputs) / batch) for inputs, batch in counts)

    def _loss(self, part: Part) -> nn.CrossEntropyLoss:
        weights = None
        if self.settings.class_weights:
            label = part.texts["train"].label
            counts = torch.bincount(label, minlength=len(part.labels)).clamp(min=1)
            weights = (len(label) / (len(part.labels) * counts)).to(self.device)  # [C]
        return nn.CrossEntropyLoss(weight=weights, label_smoothing=self.settings.label_smoothing)

    def train(self, checkpoints: Path) -> TrainingState:
        """Train the epochs that are left, with a checkpoint after each."""
        state = load_checkpoint(checkpoints, self.model, self.optimizer)
        if state.epoch:
            self.display.say(f"resuming after epoch {state.epoch} of {self.settings.epochs}")
        with self.display.running(self.settings.epochs, state.epoch):
            for epoch in range(state.epoch + 1, self.settings.epochs + 1):
                started = time.perf_counter()
                loss = self._epoch(epoch)
                found = [dict(self.evaluate(number, "dev").metrics) for number in range(len(self.parts))]
                mean = {name: sum(of[name] for of in found) / len(found) for name in found[0]}
                best = state.keep(epoch, mean["weighted_f1"], lambda: copy_parameters(self.model))
                each = {"each": found} if len(found) > 1 else {}
                state.history.append({"epoch": epoch, "loss": loss, "dev": mean} | each)
                save_checkpoint(checkpoints, state, self.model, self.optimizer)
                # The display shows the fused classifier; here it is the encoder's only classifier.
                shown = {"epoch": epoch, "losses": {"total": loss}, "dev": {"fused": mean}, "best": best}
                shown["seconds"] = {"all": time.perf_counter() - started}
                self.display.finish_epoch(shown, state.best_score, self.settings.epochs, "dev")
        return state

    def _epoch(self, epoch: int) -> float:
        """Train on every utterance once; returns the mean loss."""
        data_seed, dropout_seed = epoch_seeds(self.settings.seed, epoch)
        generator = np.random.default_rng(data_seed)
        batches = []
        drawn = []
        for corpus, (part, inputs) in enumerate(zip(self.parts, self.inputs, strict=True)):
            pieces = part.texts["train"].pieces
            lengths = [len(pieces[of[0]][0].tokens) for of in inputs]
            batches += [
                (corpus, [number for index in batch for number in inputs[index]])
                for batch in epoch_batches(lengths, self.batches[corpus], generator)
            ]
            drawn.append([x[generator.integers(len(x))] if len(x) > 1 else x[0] for x in pieces])
        if len(self.parts) > 1:
            batches = [batches[index] for index in generator.permutation(len(batches))]
        torch.manual_seed(dropout_seed)
        self.model.train()
        self.display.start_epoch(len(batches))
        parameters = list(trainable_parameters(self.model).values())
        total = 0.0
        for index, (corpus, chosen) in enumerate(batches):
            factor = rate_factor((epoch - 1) * len(batches) + index, self.steps, self.settings.warmup)
            for group in self.optimizer.param_groups:
                group["lr"] = factor * group["highest"]
            logits = self._logits([drawn[corpus][number] for number in chosen], corpus)
            target = self.parts[corpus].texts["train"].target[chosen].to(self.device)
            loss: Tensor = self.losses[corpus](logits, target)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, self.settings.clip)
            self.optimizer.step()
            value = loss.item()
            if not math.isfinite(value):
                raise InputError(f"epoch {epoch}, batch {index + 1}: the loss is {value}; lower --learning-rate")
            total += value * len(chosen)
            self.display.finish_batch(len(chosen), value)
        return total / sum(map(len, drawn))

    def evaluate(self, corpus: int, split: str) -> Scores:
        """Score the classifier of a corpus on one of its splits."""
        self.model.eval()
        texts, labels = self.parts[corpus].texts[split], self.parts[corpus].labels
        owner = [number for number, of in enumerate(texts.pieces) for _ in of]
        pieces = [piece for of in texts.pieces for piece in of]
        whole = torch.zeros(len(texts.pieces), len(labels))
        order = sorted(range(len(pieces)), key=lambda index: len(pieces[index].tokens))
        with torch.inference_mode():
            for first in range(0, len(order), 64):
                chosen = [pieces[index] for index in order[first : first + 64]]
                weights = [1 if self.model.pooling == "first" else piece.counted for piece in chosen]
                # The classifier is linear, so the mean of the logits is the logits of the mean vector.
                logits = self._logits(chosen, corpus).cpu() * torch.tensor(weights)[:, None]
                whole.index_add_(0, torch.tensor([owner[index] for index in order[first : first + 64]]), logits)
        return score(texts.label.numpy(), whole.argmax(dim=1).numpy(), labels)

    def _logits(self, pieces: Sequence[Piece], corpus: int) -> Tensor:
        windows = self.parts[corpus].texts["train"].windows
        with autocast(self.device, self.settings.precision, self.model):
            logits: Tensor = self.model(padded_tensors(pieces, self.pad, self.device, windows=windows), corpus)
        return logits.float()
