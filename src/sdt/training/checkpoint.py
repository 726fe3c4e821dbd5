"""Checkpoints of a run between epochs, as safetensors and JSON (no pickles).

    checkpoint/best-0005.safetensors           parameters of each of the best epochs so far, named by the epoch
    checkpoint/epoch-0007/model.safetensors    parameters after the epoch
    checkpoint/epoch-0007/optimizer.safetensors  moments of the optimizer, `PARAMETER/MOMENT`
    checkpoint/epoch-0007/NAME.safetensors     further state: `average` (see `averaging`), `terms` (`terms`)
    checkpoint/epoch-0007/state.json           best epoch, best score and history

A folder `epoch-NNNN` is created atomically after all files that it refers to; older files are removed afterwards. A run
that is killed at any time therefore has at least one complete checkpoint. Random states are not saved, because every
epoch has its own seed.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sdt.errors import InputError, describe_error
from sdt.files import atomic_file, atomic_folder
from sdt.json_values import is_finite, is_size, require
from sdt.training.processes import Processes


@dataclass(frozen=True)
class KeptEpoch:
    """One of the best epochs."""

    epoch: int
    score: float
    parameters: dict[str, Tensor]
    """On the CPU."""


@dataclass
class TrainingState:
    """The progress of a run and its best parameters."""

    history: list[dict[str, Any]] = field(default_factory=list)
    """The lines of metrics.jsonl, one per finished epoch."""
    best_epoch: int = 0
    """The best epoch so far; 0 before the first epoch."""
    best_score: float = -1.0
    """The score of the best epoch."""
    best: dict[str, Tensor] = field(default_factory=dict)
    """The parameters of the best epoch, on the CPU."""
    others: list[KeptEpoch] = field(default_factory=list)
    """The next best epochs, best first; see `training.keep_best`."""

    @property
    def kept(self) -> list[KeptEpoch]:
        """The best epochs, best first."""
        return [KeptEpoch(self.best_epoch, self.best_score, self.best), *self.others] if self.best_epoch else []

    def keep(
        self,
        epoch: int,
        score: float,
        parameters: Callable[[], dict[str, Tensor]],
        count: int = 1,
        key: Callable[[float], float] = float,
    ) -> bool:
        """Keep an epoch if it is one of the best.

        Args:
            epoch: Number of the epoch.
            score: Its score.
            parameters: Copies its parameters.
            count: Maximum number of epochs to keep.
            key: Makes numbers of scores, the best of which is the highest; of equal ones, the earliest epoch is best.

        Returns:
            Whether the epoch is the best.
        """
        before = self.kept
        rank = sum(key(of.score) >= key(score) for of in before)
        if rank < count:
            before.insert(rank, KeptEpoch(epoch, score, parameters()))
            first, *self.others = before[:count]
            self.best_epoch, self.best_score, self.best = first.epoch, first.score, first.parameters
        return rank == 0

    @property
    def epoch(self) -> int:
        """The number of finished epochs."""
        return len(self.history)


class Stateful(Protocol):
    """Further state of a run: anything whose state is tensors."""

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors."""

    def load_state_dict(self, state: Mapping[str, Tensor], /) -> object:
        """Continue from the tensors of `state_dict`; raises KeyError or RuntimeError if they do not match."""


NO_STATE: Mapping[str, Stateful] = {}


def save_checkpoint(
    folder: Path,
    state: TrainingState,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    further: Mapping[str, Stateful] = NO_STATE,
) -> None:
    """Write the checkpoint of the last epoch of `state`, then remove the older ones.

    Args:
        folder: The folder `checkpoint`.
        state: The progress of the run.
        model: The model.
        optimizer: Its optimizer.
        further: File name without suffix to further state.
    """
    folder.mkdir(exist_ok=True)
    best = {_best_file(folder, of.epoch): of.parameters for of in state.kept}
    for path, parameters in best.items():
        if not path.exists():
            with atomic_file(path) as aside:
                save_file(parameters, aside)
    current = folder / f"epoch-{state.epoch:04d}"
    with atomic_folder(current, overwrite=True) as aside:
        save_file(_on_cpu(model.state_dict()), aside / "model.safetensors")
        save_file(_on_cpu(_moments(model, optimizer, further)), aside / "optimizer.safetensors")
        for name, part in further.items():
            save_file(_state_on_cpu(part), aside / f"{name}.safetensors")
        values = {
            "best_epoch": state.best_epoch,
            "best_score": state.best_score,
            **({"others": [[of.epoch, of.score] for of in state.others]} if state.others else {}),
            "history": state.history,
        }
        (aside / "state.json").write_text(json.dumps(values), encoding="utf-8")
    _keep_only(folder, *best, current)


def last_epoch(folder: Path) -> int:
    """Return the epoch of the last checkpoint in a folder; 0 if there is none."""
    found = (re.fullmatch(r"epoch-(\d+)", path.name) for path in folder.glob("epoch-*"))
    return max((int(match[1]) for match in found if match), default=0)


def load_checkpoint(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    further: Mapping[str, Stateful] = NO_STATE,
) -> TrainingState:
    """Load the last checkpoint into the model, the optimizer and further state; a new state if there is none.

    Raises:
        InputError: The checkpoint is damaged or belongs to another model.
    """
    epoch = last_epoch(folder)
    if not epoch:
        if folder.is_dir():
            _keep_only(folder)
        return TrainingState()
    current = folder / f"epoch-{epoch:04d}"
    try:
        values = json.loads((current / "state.json").read_text(encoding="utf-8"))
        best_epoch, history = values["best_epoch"], values["history"]
        require(is_size(best_epoch) and is_finite(values["best_score"]), "best_epoch or best_score is not a number")
        require(
            len(history) == epoch and all(isinstance(line, dict) for line in history),
            f"history does not have {epoch} epochs",
        )
        others = [(int(number), float(score)) for number, score in values.get("others", ())]
        files = {number: _best_file(folder, number) for number in (best_epoch, *(number for number, _ in others))}
        best = {number: load_file(file) for number, file in files.items()}
        _keep_only(
            folder, *files.values(), current
        )  # files of a killed attempt may be inconsistent with this checkpoint
        model.load_state_dict(load_file(current / "model.safetensors"))
        _put_moments(model, optimizer, load_file(current / "optimizer.safetensors"), further)
        for name, part in further.items():
            part.load_state_dict(load_file(current / f"{name}.safetensors"))
        kept = [KeptEpoch(number, score, best[number]) for number, score in others]
        return TrainingState(history, best_epoch, values["best_score"], best[best_epoch], kept)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(f"{current}: damaged ({describe_error(error)}); restart the run with --overwrite") from None


def share_checkpoint(
    processes: Processes,
    state: TrainingState,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    further: Mapping[str, Stateful] = NO_STATE,
) -> None:
    """Send what the first process has loaded to all processes; collective.

    Only the first process has the best parameters. Model parameters are sent by `Processes.average_gradients`.
    """
    progress = processes.broadcast(
        lambda: [state.history, state.best_epoch, state.best_score, [[of.epoch, of.score] for of in state.others]]
    )
    if not processes.first:
        state.history, state.best_epoch, state.best_score, others = progress
        state.others = [KeptEpoch(epoch, score, {}) for epoch, score in others]
    if processes.size > 1 and state.epoch:
        moments = processes.broadcast_tensors(lambda: _on_cpu(_moments(model, optimizer, further)))
        _put_moments(model, optimizer, moments, further)
        for part in further.values():
            part.load_state_dict(processes.broadcast_tensors(partial(_state_on_cpu, part)))


def _best_file(folder: Path, epoch: int) -> Path:
    return folder / f"best-{epoch:04d}.safetensors"


def copy_parameters(model: nn.Module) -> dict[str, Tensor]:
    """Copy the parameters to the CPU; further training does not change the copy."""
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in model.state_dict().items()}


def trainable_parameters(model: nn.Module, further: Mapping[str, Stateful] = NO_STATE) -> dict[str, nn.Parameter]:
    """Return the parameters that the optimizer updates, in its order; those of further modules as `NAME/PARAMETER`."""
    modules = {"": model, **{f"{name}/": part for name, part in further.items() if isinstance(part, nn.Module)}}
    return {
        f"{prefix}{name}": parameter
        for prefix, module in modules.items()
        for name, parameter in module.named_parameters()
        if parameter.requires_grad
    }


def _moments(model: nn.Module, optimizer: torch.optim.Optimizer, further: Mapping[str, Stateful]) -> dict[str, Tensor]:
    of = optimizer.state_dict()["state"]
    names = list(trainable_parameters(model, further))
    return {f"{names[index]}/{key}": tensor for index, moments in of.items() for key, tensor in moments.items()}


def _put_moments(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    moments: Mapping[str, Tensor],
    further: Mapping[str, Stateful],
) -> None:
    index = {name: number for number, name in enumerate(trainable_parameters(model, further))}
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in moments.items():
        name, _, moment = key.rpartition("/")
        state.setdefault(index[name], {})[moment] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _state_on_cpu(part: Stateful) -> dict[str, Tensor]:
    return _on_cpu(part.state_dict())


def _on_cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _keep_only(folder: Path, *kept: Path) -> None:
    for path in folder.iterdir():
        if path in kept:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
