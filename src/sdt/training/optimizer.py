"""The optimizer, its steps and the learning rate schedule."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw

from sdt.training.checkpoint import NO_STATE, Stateful, trainable_parameters
from sdt.training.settings import Training, parse_plateau

SMALL = 2**16
"""Parameters with fewer values are updated together, because a call takes longer than their update."""


def make_optimizer(
    model: nn.Module, training: Training, further: Mapping[str, Stateful] = NO_STATE
) -> torch.optim.Adam:
    """Create a fused Adam or AdamW optimizer; `GradientStep` sets the learning rate.

    Args:
        model: The model.
        training: The settings.
        further: Further state of the run, whose modules are trained, too.
    """
    kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
    parameters = list(trainable_parameters(model, further).values())
    fused = all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in parameters)
    return kind(parameters, lr=training.learning_rate, weight_decay=training.weight_decay, fused=fused)


class GradientStep:
    """Computes gradients and updates the parameters.

    On a CPU, each large parameter is updated as soon as its gradient is computed, and the gradient is freed: it is
    still in the cache, and the gradients of all parameters are never in memory at once. This is not possible if the
    gradient is clipped, averaged over processes or accumulated, because the norm, mean or sum is known only at the end.
    On a GPU, one update of all parameters is faster.

    Args:
        optimizer: Provides moments and settings.
        clip: Maximum norm of the gradient; None for no clipping.
        accumulated: Whether the gradient is a sum over several backward passes or an average over several processes.
    """

    def __init__(self, optimizer: torch.optim.Adam, clip: float | None, *, accumulated: bool = False) -> None:
        self.optimizer, self.clip = optimizer, clip
        self.parameters: list[nn.Parameter] = [p for group in optimizer.param_groups for p in group["params"]]
        on_cpu = all(p.device.type == "cpu" for p in self.parameters)
        self.within_backward = clip is None and not accumulated and on_cpu
        self._accumulating = False
        self._norms: dict[Tensor, Tensor] = {}
        if self.within_backward:
            for index, group in enumerate(optimizer.param_groups):
                for parameter in group["params"]:
                    if parameter.numel() >= SMALL:
                        parameter.register_post_accumulate_grad_hook(lambda p, index=index: self._update([p], index))

    def accumulate(self, loss: Tensor) -> None:
        """Add the gradient of a part of a batch to that of the next `step`."""
        assert not self.within_backward
        self._backward(loss)
        self._accumulating = True

    def step(self, loss: Tensor, rate: float) -> Tensor:
        """Run the backward pass and update the parameters.

        Args:
            loss: A scalar.
            rate: The learning rate.

        Returns:
            The norm of the gradient before clipping, a scalar.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if self.within_backward:
            self._norms.clear()
            loss.backward()
            for index, group in enumerate(self.optimizer.param_groups):
                self._update([p for p in group["params"] if p.grad is not None], index)
            # In the order of the parameters and not of the threads, so that the sum is deterministic.
            norms = [self._norms[p] for p in self.parameters if p in self._norms]
            total: Tensor = torch.linalg.vector_norm(torch.stack(norms))
            return total
        self._backward(loss)
        self._accumulating = False
        # An infinite maximum only computes the norm.
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.clip or math.inf)
        self.optimizer.step()
        return norm

    def _backward(self, loss: Tensor) -> None:
        if not self._accumulating:
            self.optimizer.zero_grad(set_to_none=True)
        loss.backward()

    def _update(self, parameters: Sequence[Tensor], index: int) -> None:
        """Update parameters of a group as the optimizer's `step` does, and free their gradients."""
        group = self.optimizer.param_groups[index]  # not kept, because loading a checkpoint replaces the groups
        if not parameters:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        self._norms |= {p: torch.linalg.vector_norm(of) for p, of in zip(parameters, gradients, strict=True)}
        states = [self.optimizer.state[parameter] for parameter in parameters]
        for parameter, state in zip(parameters, states, strict=True):
            if not state:
                state["step"] = torch.zeros((), dtype=torch.float32)
                state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        averages, squares, steps = ([state[key] for state in states] for key in ("exp_avg", "exp_avg_sq", "step"))
        beta1, beta2 = group["betas"]
        update = adamw if isinstance(self.optimizer, torch.optim.AdamW) else adam
        with torch.no_grad():
            update(
                list(parameters), gradients, averages, squares, [], steps, fused=True, amsgrad=False,
                beta1=beta1, beta2=beta2, lr=group["lr"], eps=group["eps"], weight_decay=group["weight_decay"],
                maximize=False,
            )  # fmt: skip
        for parameter in parameters:
            parameter.grad = None


def learning_rate(training: Training, step: int, steps: int, scores: Sequence[float] = ()) -> float:
    """Compute the learning rate of one step.

    Args:
        training: `learning_rate` is the peak, `warmup` the fraction of the steps before it, `schedule` the decay after
            it.
        step: Number of the step, from 0.
        steps: Number of steps of the run.
        scores: The selection score of each finished epoch, for the schedule plateau; the highest is the best.

    Returns:
        The learning rate: a linear increase from above 0, then constant, reduced on plateaus, or a linear or cosine
        decay that reaches 0 one step after the last.
    """
    rising = round(training.warmup * steps)
    if step < rising:
        return training.learning_rate * (step + 1) / (rising + 1)
    progress = (step - rising) / (steps - rising)  # of the decay, in [0, 1)
    if training.schedule == "linear":
        return training.learning_rate * (1 - progress)
    if training.schedule == "cosine":
        return training.learning_rate * (1 + math.cos(math.pi * progress)) / 2
    if plateau := parse_plateau(training.schedule):
        return training.learning_rate * plateau.factor ** count_plateaus(scores, plateau.patience)
    return training.learning_rate


def count_plateaus(scores: Sequence[float], patience: int) -> int:
    """Count the reductions of the learning rate, as PyTorch's `ReduceLROnPlateau` with mode `max` and threshold 0.

    Args:
        scores: The score of each finished epoch.
        patience: Number of epochs without a better score that do not reduce the rate; counting starts again after a
            reduction.
    """
    best, stale, reductions = -math.inf, 0, 0
    for score in scores:
        best, stale = (score, 0) if score > best else (best, stale + 1)
        if stale > patience:
            stale, reductions = 0, reductions + 1
    return reductions
