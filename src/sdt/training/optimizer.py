"""The optimizer, its learning rate schedule, and its steps."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw

from sdt.training.checkpoint import trained
from sdt.training.settings import Training


def make_optimizer(model: nn.Module, training: Training) -> torch.optim.Adam:
    """Adam or AdamW, fused, over the parameters that are trained; the learning rate is set before each step."""
    kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
    parameters = list(trained(model).values())
    fused = all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in parameters)
    return kind(parameters, lr=training.learning_rate, weight_decay=training.weight_decay, fused=fused)


class Descent:
    """Goes from a loss to changed parameters.

    On a CPU each parameter is changed as soon as its gradient is known, and the gradient is thrown away: it is still in
    the processor's cache then, and no second copy of all parameters is written to memory and read again. That cannot be
    where the gradient is clipped, since its norm is known at the end only, or where it is the mean over several
    processes, known at the end, too; and a GPU does better with all at once.

    Args:
        optimizer: Holds the moments; its parameter groups' `lr` is used.
        clip: Largest norm of the gradient, or None.
        averaged: Whether the gradient is the mean over several processes.
    """

    def __init__(self, optimizer: torch.optim.Adam, clip: float | None, *, averaged: bool = False) -> None:
        self.optimizer, self.clip = optimizer, clip
        self.parameters: list[nn.Parameter] = [p for group in optimizer.param_groups for p in group["params"]]
        on_cpu = all(p.device.type == "cpu" for p in self.parameters)
        self.within_backward = clip is None and not averaged and on_cpu
        self._norms: dict[Tensor, Tensor] = {}
        if self.within_backward:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.register_post_accumulate_grad_hook(lambda p, group=group: self._change(p, group))

    def step(self, loss: Tensor, rate: float) -> Tensor:
        """One step down the gradient of a scalar.

        Args:
            loss: Scalar.
            rate: The learning rate.

        Returns:
            The norm of the gradient before clipping, a scalar.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if self.within_backward:
            self._norms.clear()
            loss.backward()
            # In the parameters' order, whichever thread was first: the same sum every time.
            norms = [self._norms[p] for p in self.parameters if p in self._norms]
            total: Tensor = torch.linalg.vector_norm(torch.stack(norms))
            return total
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        # An infinite limit leaves the gradient as it is and gives its norm.
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.clip or math.inf)
        self.optimizer.step()
        return norm

    def _change(self, parameter: Tensor, group: dict[str, Any]) -> None:
        """What the optimizer's own step does, for one parameter."""
        gradient = parameter.grad
        assert gradient is not None
        self._norms[parameter] = torch.linalg.vector_norm(gradient)
        state = self.optimizer.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        beta1, beta2 = group["betas"]
        update = adamw if isinstance(self.optimizer, torch.optim.AdamW) else adam
        with torch.no_grad():
            update(
                [parameter], [gradient], [state["exp_avg"]], [state["exp_avg_sq"]], [], [state["step"]],
                fused=True, amsgrad=False, beta1=beta1, beta2=beta2, lr=group["lr"], eps=group["eps"],
                weight_decay=group["weight_decay"], maximize=False,
            )  # fmt: skip
        parameter.grad = None


def learning_rate(training: Training, step: int, steps: int) -> float:
    """The learning rate of one step.

    Args:
        training: `learning_rate` is the height, `warmup` the share of the steps until it is reached, `schedule` what
            follows.
        step: 0 for the first step of the run.
        steps: Steps of the whole run.

    Returns:
        In the warm-up a rise in equal parts, the first of them above 0; then a constant, or a fall (linear, or half a
        cosine) that would reach 0 in the step after the last.
    """
    rising = round(training.warmup * steps)
    if step < rising:
        return training.learning_rate * (step + 1) / (rising + 1)
    share = (step - rising) / (steps - rising)  # of the way down, in [0, 1)
    if training.schedule == "linear":
        return training.learning_rate * (1 - share)
    if training.schedule == "cosine":
        return training.learning_rate * (1 + math.cos(math.pi * share)) / 2
    return training.learning_rate
