"""The modules of the objective's terms during training; see `sdt.models.loss_inputs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from sdt.batch import Batch
from sdt.conversation import Conversation
from sdt.corpus.batches import corpus_batch
from sdt.corpus.selection import select
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.models.base import Model, Output
from sdt.models.config import FUSED, Objective
from sdt.models.loss_inputs import Losses, LossInputs, TermContext
from sdt.models.objective import find_term


class TermModules(nn.ModuleList):
    """The modules of an objective; empty for most objectives.

    Args:
        modules: Name of the term to its module.
    """

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__(modules.values())
        self.names = tuple(modules)

    def add_to(
        self,
        losses: Losses,
        output: Output,
        batch: Batch,
        objective: Objective,
        class_weights: Tensor | None,
        whole: Batch | None,
    ) -> Losses:
        """Add the terms of the modules to the losses of a batch.

        Args:
            losses: The losses of the model.
            output: The output of the model for N utterances.
            batch: The N utterances, on the device of the model.
            objective: The objective of the run.
            class_weights: [C]; see `LossInputs`.
            whole: The whole batch without features if `batch` is the shard of one process.
        """
        if not self.names:
            return losses
        logits = {name: x.float() for name, x in output.logits.items()}
        teacher = logits.pop(FUSED)
        states = {name: x.float() for name, x in output.states.items()}
        all_labels = None if whole is None else whole.label
        x = LossInputs(
            teacher, logits, batch.label, objective, class_weights, all_labels, None, states, batch, whole
        )  # fmt: skip
        values = {name: module(x) for name, module in zip(self.names, self, strict=True)}
        total = losses.total
        for name, value in values.items():
            total = total + objective.added[name] * value
        return replace(losses, total=total, terms={**losses.terms, **values})


def make_term_modules(
    objective: Objective,
    model: Model,
    corpus: Corpus,
    train: Sequence[Conversation],
    *,
    processes: int = 1,
    parts: int = 1,
) -> TermModules:
    """Create the modules of the terms of an objective; their initial parameters come from PyTorch's random generator.

    Args:
        objective: The objective of the run.
        model: The model.
        corpus: The corpus.
        train: The training conversations.
        processes: Number of processes of the run.
        parts: Number of parts in which each batch is computed, `training.accumulation`.

    Raises:
        InputError: The model or the training conversations do not have what a term needs, or the term does not support
            several processes or parts of batches.
    """
    terms = {name: term for name in objective.added if (term := find_term(name)).module}
    for name, term in terms.items():
        if term.needs_whole_batch and processes > 1:
            raise InputError(
                f"objective.{name}: needs whole batches, but {processes} processes share each batch; use one process"
            )
        if term.needs_whole_batch and parts > 1:
            raise InputError(
                f"objective.{name}: needs whole batches, but training.accumulation divides each into {parts} parts; "
                "set it to 1"
            )
    if not terms:
        return TermModules({})
    batch = partial(corpus_batch, corpus, labels=corpus.labels, speakers=corpus.speakers)
    sample = batch(select(train, [0]), modalities=tuple(model.config.modalities))
    return modules_for(objective, model, sample, batch(train, modalities=()))


def modules_for(objective: Objective, model: Model, sample: Batch, train: Batch) -> TermModules:
    """Create the modules for batches; see `make_term_modules`.

    Args:
        objective: The objective of the run.
        model: The model.
        sample: Any utterances, to get the widths of the states of the model.
        train: The training conversations without features, on the CPU.
    """
    device = next(model.parameters()).device
    with torch.inference_mode():
        states = model.eval()(sample.to(device)).states
    context = TermContext(objective, model.config.labels, {name: x.shape[1] for name, x in states.items()}, train)
    makers = {name: find_term(name).module for name in objective.added}
    return TermModules({name: make(context) for name, make in makers.items() if make}).to(device)
