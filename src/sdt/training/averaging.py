"""Weight averaging: evaluation, selection and the saved model use a mean of the parameters of several steps or epochs.

| `training.averaging` | weights                                                                                     |
|----------------------|---------------------------------------------------------------------------------------------|
| `ema(decay)`         | exponential moving average over the steps: m <- d m + (1 - d) w after step t = 1, 2, ...    |
| `last(k)`            | mean of the weights after each of the last k epochs, or of fewer at the start               |

The decay is d = min(decay, (1 + t) / (10 + t)), so that the average of a short run does not keep the initial weights.
Training itself continues from the weights of the optimizer, so its steps and losses do not depend on the setting.
References: Polyak and Juditsky 1992; Izmailov et al. 2018 (arXiv 1803.05407) for the mean over epochs. Only trainable
parameters are averaged. Memory and checkpoints: one more copy of them for `ema`, k for `last`.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from sdt.training.checkpoint import trainable_parameters
from sdt.training.settings import Training, parse_averaging


class WeightAverage:
    """The averaged parameters of a model that is being trained; this class does not average.

    Args:
        model: The model.
    """

    def __init__(self, model: nn.Module) -> None:
        self.parameters: dict[str, nn.Parameter] = trainable_parameters(model)

    def after_step(self, steps: int) -> None:
        """Include the parameters after a step; `steps` is the number of steps of the run so far."""

    def after_epoch(self) -> None:
        """Include the parameters after an epoch."""

    def average(self) -> Mapping[str, Tensor]:
        """Name to averaged parameter; empty for the parameters as they are."""
        return {}

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Context manager within which the model has the averaged parameters."""
        with torch.no_grad():
            average = self.average()
            trained = {name: self.parameters[name].clone() for name in average}
            self._assign(average)
        try:
            yield
        finally:
            with torch.no_grad():
                self._assign(trained)

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors of a checkpoint."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue from the tensors of a checkpoint.

        Raises:
            KeyError, RuntimeError: They belong to another model.
        """

    def _assign(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self.parameters[name].copy_(value)


class ExponentialAverage(WeightAverage):
    """`ema(decay)`."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__(model)
        self.decay = decay
        self.mean = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}

    def after_step(self, steps: int) -> None:
        """See `WeightAverage`."""
        decay = min(self.decay, (1 + steps) / (10 + steps))
        with torch.no_grad():
            for name, mean in self.mean.items():
                mean.lerp_(self.parameters[name], 1 - decay)

    def average(self) -> Mapping[str, Tensor]:
        """See `WeightAverage`."""
        return self.mean

    def state_dict(self) -> dict[str, Tensor]:
        """See `WeightAverage`."""
        return dict(self.mean)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """See `WeightAverage`."""
        for name, mean in self.mean.items():
            mean.copy_(state[name])


class LastEpochs(WeightAverage):
    """`last(k)`."""

    def __init__(self, model: nn.Module, count: int) -> None:
        super().__init__(model)
        self.epochs: deque[dict[str, Tensor]] = deque(maxlen=count)

    def after_epoch(self) -> None:
        """See `WeightAverage`."""
        self.epochs.append({name: parameter.detach().clone() for name, parameter in self.parameters.items()})

    def average(self) -> Mapping[str, Tensor]:
        """See `WeightAverage`."""
        return {
            name: torch.stack([epoch[name] for epoch in self.epochs]).mean(dim=0)
            for name in (self.parameters if self.epochs else ())
        }

    def state_dict(self) -> dict[str, Tensor]:
        """See `WeightAverage`; keys are `NUMBER/PARAMETER`, the oldest epoch first."""
        return {f"{number}/{name}": x for number, epoch in enumerate(self.epochs) for name, x in epoch.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """See `WeightAverage`."""
        count = len(state) // len(self.parameters)
        self.epochs.clear()
        self.epochs.extend(
            {name: state[f"{number}/{name}"].to(p.device) for name, p in self.parameters.items()}
            for number in range(count)
        )


def weight_average(model: nn.Module, training: Training) -> WeightAverage:
    """Create the average of the setting `training.averaging`."""
    match parse_averaging(training.averaging):
        case ("ema", decay):
            return ExponentialAverage(model, decay)
        case ("last", count):
            return LastEpochs(model, int(count))
    return WeightAverage(model)
