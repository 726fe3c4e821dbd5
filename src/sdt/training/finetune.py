"""Fine-tuning of a text encoder on single utterances, as for the published text features, or with context.

The encoder's pooled vector goes through dropout and a linear classifier; both are trained on the train split. The epoch
with the highest weighted F1 on dev is selected, and test is scored once with its weights. The output is the encoder
without the classifier, as a Hugging Face model folder or a low-rank adapter, and `finetune.json`.

A text longer than the encoder's maximum length is split into pieces (`text_pieces`): evaluation pools all pieces, an
epoch trains on one random piece, so that memory does not grow with the text. With a context, the encoder reads the
neighbouring utterances, too (`text_context`), and is pooled over the utterance's own tokens.

The output folder of an unfinished run contains `settings.json` and `checkpoint/`. Every epoch has its own seed, so on
the same machine with the same versions and number of threads, a resumed run is bit-identical to an uninterrupted one.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import sdt
from sdt.corpus.store import Corpus
from sdt.device import autocast
from sdt.encoders.pretrained import weights_sha256
from sdt.encoders.text import max_tokens
from sdt.encoders.text_model import RECORD, find_text_model
from sdt.encoders.text_pieces import Piece
from sdt.encoders.text_torch import model_positions, padded_tensors
from sdt.errors import InputError
from sdt.evaluation.scores import Scores, score
from sdt.files import atomic_folder
from sdt.training.checkpoint import (
    TrainingState,
    copy_parameters,
    load_checkpoint,
    save_checkpoint,
    trainable_parameters,
)
from sdt.training.display import Display
from sdt.training.environment import deterministic, hardware
from sdt.training.finetune_model import (
    Classifier,
    Texts,
    parameter_groups,
    save_encoder,
    split_texts,
    trainable_encoder,
)
from sdt.training.finetune_settings import FineTuning, epoch_batches, rate_factor
from sdt.training.loop import epoch_seeds

SETTINGS = "settings.json"


def finetune(
    corpus: Corpus,
    output: Path,
    settings: FineTuning,
    *,
    device: torch.device | None = None,
    resume: bool = False,
    overwrite: bool = False,
    display: Display | None = None,
) -> dict[str, Any]:
    """Fine-tune a text encoder and save it.

    Args:
        corpus: A corpus with the splits train and dev; test is scored if it exists.
        output: Output folder of the encoder or the adapter.
        settings: Settings of the training.
        device: Device; None for the CPU.
        resume: Resume the run in `output`, if there is one.
        overwrite: Replace the content of `output`.
        display: Progress display.

    Returns:
        The content of `finetune.json`.

    Raises:
        InputError: The corpus lacks a split, labels or text; the encoder does not exist; `output` is not empty; or the
            run to resume has other settings or another corpus.
        MissingDependencyError: `settings.lora` is set and peft is not installed.
    """
    display, device = display or Display(), device or torch.device("cpu")
    text_model = find_text_model(settings.encoder)
    if text_model.adapter is not None or text_model.pooling == "layers":
        raise InputError(
            f"--encoder {settings.encoder}: not supported; name a model with pooling 'mean' or 'first' and no adapter"
        )
    if settings.context and settings.context.window and text_model.pooling == "first":
        raise InputError(
            f"--encoder {settings.encoder}: windows need the pooling 'mean', because the utterances of a window have "
            f"one first token; give {settings.encoder}:mean"
        )
    base = {"encoder": settings.encoder, "sha256": weights_sha256(text_model.folder)}
    for split in ("train", "dev"):
        if not corpus.splits.get(split):
            raise InputError(f"{corpus.folder}: fine-tuning needs the split {split!r}; import the corpus with --dev")
    identity = {"settings": asdict(settings), "base": base, "corpus_sha256": corpus.fingerprint, "device": device.type}
    if _begin(output, identity, resume=resume, overwrite=overwrite):
        record: dict[str, Any] = json.loads((output / RECORD).read_text(encoding="utf-8"))
        return record
    with deterministic():
        torch.manual_seed(settings.seed)
        tokenizer, encoder = text_model.load()
        model = Classifier(trainable_encoder(encoder, settings), text_model, len(corpus.labels), settings).to(device)
        longest = max_tokens(model_positions(model.encoder.config), settings.tokens)
        texts = {
            split: split_texts(corpus, split, tokenizer, longest, settings.context)
            for split in ("train", "dev", "test")
            if corpus.splits.get(split)
        }
        run = _Run(model, texts, corpus.labels, settings, tokenizer.pad_token_id, display)
        state = run.train(output / "checkpoint")
        model.load_state_dict(state.best)
        scores = {split: run.evaluate(texts[split]).to_dict() for split in texts if split != "train"}
    record = {
        "settings": asdict(settings) | {"learning_rate": settings.rate},
        "pooling": text_model.pooling,
        "base": base,
        "corpus": {"name": corpus.name, "sha256": corpus.fingerprint, "licence": corpus.licence},
        "labels": list(corpus.labels),
        "epoch": state.best_epoch,
        "chosen_on": "dev",
        "scores": scores,
        "history": state.history,
        "made_with": {"sdt": sdt.__version__, "torch": torch.__version__, "hardware": hardware(device)},
    }
    with atomic_folder(output, overwrite=True) as aside:
        save_encoder(model.encoder, tokenizer, settings, aside)
        record["sha256"] = weights_sha256(aside)
        (aside / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return record


def _begin(output: Path, identity: dict[str, Any], *, resume: bool, overwrite: bool) -> bool:
    """Create the output folder, or check that it contains this run; returns whether the run is finished."""
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; name a folder with --output")
    if output.is_dir() and any(output.iterdir()) and not overwrite:
        finished = (output / RECORD).is_file()
        path = output / (RECORD if finished else SETTINGS)
        if not path.is_file():
            raise InputError(f"{output}: is not empty and not a fine-tuning run; name another folder with --output")
        if not resume:
            state = "a finished" if finished else "an unfinished"
            raise InputError(
                f"{output}: contains {state} fine-tuning run; resume it with --resume or replace it with --overwrite"
            )
        if finished:
            return True
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
            changed = [
                f"{key} {before['settings'].get(key)!r}, not {value!r}"
                for key, value in identity["settings"].items()
                if before["settings"].get(key) != value
            ] + [f"another {name}" for name in ("base", "corpus_sha256", "device") if before[name] != identity[name]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: damaged ({error}); restart with --overwrite") from None
        if changed:
            raise InputError(f"{output}: cannot resume with other settings: the run has {changed[0]}")
        return False
    with atomic_folder(output, overwrite=True) as aside:
        (aside / SETTINGS).write_text(json.dumps(identity, indent=1) + "\n", encoding="utf-8")
    return False


class _Run:
    """Trains and evaluates the epochs."""

    def __init__(
        self,
        model: Classifier,
        texts: dict[str, Texts],
        labels: tuple[str, ...],
        settings: FineTuning,
        pad: int,
        display: Display,
    ) -> None:
        self.model, self.texts, self.labels, self.settings = model, texts, labels, settings
        self.pad, self.display = pad, display
        self.device = model.head.weight.device
        self.optimizer = torch.optim.AdamW(
            parameter_groups(model, settings), weight_decay=settings.weight_decay, fused=True
        )
        train = texts["train"]
        weights = None
        if settings.class_weights:
            counts = torch.bincount(train.label, minlength=len(labels)).clamp(min=1)
            weights = (len(train.label) / (len(labels) * counts)).to(self.device)  # [C]
        self.loss = nn.CrossEntropyLoss(weight=weights, label_smoothing=settings.label_smoothing)
        self.windows, self.inputs = train.windows, train.inputs
        self.batch = max(1, round(settings.batch * len(self.inputs) / len(train.pieces)))
        """Number of inputs per batch."""
        self.steps = settings.epochs * math.ceil(len(self.inputs) / self.batch)

    def train(self, checkpoints: Path) -> TrainingState:
        state = load_checkpoint(checkpoints, self.model, self.optimizer)
        if state.epoch:
            self.display.say(f"resuming after epoch {state.epoch} of {self.settings.epochs}")
        with self.display.running(self.settings.epochs, state.epoch):
            for epoch in range(state.epoch + 1, self.settings.epochs + 1):
                started = time.perf_counter()
                loss = self._epoch(epoch)
                found = self.evaluate(self.texts["dev"])
                best = found.weighted_f1 > state.best_score
                if best:
                    state.best_epoch, state.best_score = epoch, found.weighted_f1
                    state.best = copy_parameters(self.model)
                state.history.append({"epoch": epoch, "loss": loss, "dev": _brief(found)})
                save_checkpoint(checkpoints, state, self.model, self.optimizer)
                # The display shows the fused classifier; here it is the encoder's only classifier.
                shown = {"epoch": epoch, "losses": {"total": loss}, "dev": {"fused": _brief(found)}, "best": best}
                shown["seconds"] = {"all": time.perf_counter() - started}
                self.display.finish_epoch(shown, state.best_score, self.settings.epochs, "dev")
        return state

    def _epoch(self, epoch: int) -> float:
        """Train on every utterance once; returns the mean loss."""
        train = self.texts["train"]
        data_seed, dropout_seed = epoch_seeds(self.settings.seed, epoch)
        generator = np.random.default_rng(data_seed)
        lengths = [len(train.pieces[of[0]][0].tokens) for of in self.inputs]
        batches = [
            [number for index in batch for number in self.inputs[index]]
            for batch in epoch_batches(lengths, self.batch, generator)
        ]
        drawn = [x[generator.integers(len(x))] if len(x) > 1 else x[0] for x in train.pieces]
        torch.manual_seed(dropout_seed)
        self.model.train()
        self.display.start_epoch(len(batches))
        parameters = list(trainable_parameters(self.model).values())
        total = 0.0
        for index, chosen in enumerate(batches):
            factor = rate_factor((epoch - 1) * len(batches) + index, self.steps, self.settings.warmup)
            for group in self.optimizer.param_groups:
                group["lr"] = factor * group["highest"]
            logits = self._logits([drawn[number] for number in chosen])
            loss: Tensor = self.loss(logits, train.label[chosen].to(self.device))
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, self.settings.clip)
            self.optimizer.step()
            value = loss.item()
            if not math.isfinite(value):
                raise InputError(f"epoch {epoch}, batch {index + 1}: the loss is {value}; lower --learning-rate")
            total += value * len(chosen)
            self.display.finish_batch(len(chosen), value)
        return total / len(train.pieces)

    def evaluate(self, texts: Texts) -> Scores:
        """Score the encoder's classifier on a split."""
        self.model.eval()
        owner = [number for number, of in enumerate(texts.pieces) for _ in of]
        pieces = [piece for of in texts.pieces for piece in of]
        whole = torch.zeros(len(texts.pieces), len(self.labels))
        order = sorted(range(len(pieces)), key=lambda index: len(pieces[index].tokens))
        with torch.inference_mode():
            for first in range(0, len(order), 64):
                chosen = [pieces[index] for index in order[first : first + 64]]
                weights = [1 if self.model.pooling == "first" else piece.counted for piece in chosen]
                # The classifier is linear, so the mean of the logits is the logits of the mean vector.
                logits = self._logits(chosen).cpu() * torch.tensor(weights)[:, None]
                whole.index_add_(0, torch.tensor([owner[index] for index in order[first : first + 64]]), logits)
        return score(texts.label.numpy(), whole.argmax(dim=1).numpy(), self.labels)

    def _logits(self, pieces: Sequence[Piece]) -> Tensor:
        with autocast(self.device, self.settings.precision):
            logits: Tensor = self.model(padded_tensors(pieces, self.pad, self.device, windows=self.windows))
        return logits.float()


def _brief(scores: Scores) -> dict[str, float]:
    return dict(scores.metrics)
