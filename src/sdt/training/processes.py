"""The processes that train one model together; this file implements the case of a single process.

A run communicates through `Processes`. Its methods do nothing in a single process; `sdt.training.together` implements
them with `torch.distributed`. This file does not import torch, so that wrong commands fail immediately.

Every process runs the same program on the same recipe; the `first` process alone reads, writes and displays. Methods
marked *together* must be called by all processes in the same order.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from sdt.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from sdt.device import DeviceName

T = TypeVar("T")


class LostProcessError(RuntimeError):
    """Another process of the run has ended or cannot be reached; the run can resume from its checkpoint.

    Args:
        what: The message.
        telling: Whether this process reports the error to the user.
    """

    def __init__(self, what: str, *, telling: bool = True) -> None:
        super().__init__(what)
        self.telling = telling


class Processes:
    """A single process, without torchrun."""

    rank = 0
    """The rank of this process."""
    size = 1
    """The number of processes."""
    backend: str | None = None
    """The backend of torch.distributed: gloo or nccl; None for a single process."""

    @property
    def first(self) -> bool:
        """Whether this is the process that reads, writes and displays."""
        return self.rank == 0

    def device(self, name: DeviceName) -> torch.device:
        """The device of this process; together.

        Raises:
            InputError: The device does not exist, or there is none for this process, or other processes use another
                type of device.
        """
        from sdt.device import choose_device

        return choose_device(name)

    def barrier(self, work: Callable[[], T], *, patiently: bool = True) -> T:
        """Run something that may fail, and continue only if it succeeded in all processes; together.

        Args:
            work: A function that calls no method marked *together*.
            patiently: Whether it may take much longer in one process than in the others.

        Raises:
            InputError: Or any other error of `work`; `sdt.errors.ReportedElsewhereError` in the processes that do
                not report it.
            KeyboardInterrupt: A process was stopped.
            LostProcessError: A process was lost.
        """
        del patiently
        return work()

    def by_first(self, work: Callable[[], T]) -> T | None:
        """Run something in the first process while the others wait; returns None in these. Raises as `barrier`."""
        return self.barrier(lambda: work() if self.first else None)

    def refuse(self, error: Exception) -> NoReturn:
        """Raise an error that all processes detect, such that only one process reports it."""
        raise error from None

    def broadcast(self, values: Callable[[], Any]) -> Any:  # noqa: ANN401 - JSON
        """Send JSON values from the first process to all; together."""
        return values()

    def broadcast_tensors(self, tensors: Callable[[], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
        """Send tensors from the first process to all; together. Received tensors are on the CPU."""
        return tensors()

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of a tensor over the processes; together. A received tensor is on the CPU.

        Raises:
            KeyboardInterrupt: A process is to stop; raised in all processes at the same call.
            LostProcessError: A process was lost.
        """
        return tensor

    def averaging(self, module: nn.Module) -> nn.Module:
        """Wrap a module such that gradients are averaged over the processes; together.

        All processes start with the parameters of the first.
        """
        return module

    def watching(self) -> contextlib.AbstractContextManager[object]:
        """A context in which losing another process raises `LostProcessError`."""
        return contextlib.nullcontext()

    def raise_if_stopping(self, _: object = None) -> None:
        """Check within `barrier` whether this process is to stop.

        Raises:
            KeyboardInterrupt: It is.
        """


ALONE = Processes()


def launched() -> int:
    """The number of processes that torchrun started; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "TORCHELASTIC_RUN_ID" in os.environ else 1


@contextlib.contextmanager
def output_once() -> Iterator[None]:
    """Suppress the output of all processes but the first."""
    if launched() == 1 or os.environ.get("RANK") == "0":
        yield
        return
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        try:
            yield
        except InputError:
            sys.exit(2)
