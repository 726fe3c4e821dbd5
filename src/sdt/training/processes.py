"""Communication between the processes of a training run; this module implements the case of a single process.

A run communicates through `Processes`. With a single process its methods are trivial; `sdt.training.distributed`
implements them with `torch.distributed`. This module does not import torch, so that invalid commands fail quickly.

Every process runs the same program on the same recipe; only the first process reads, writes and displays. Methods
marked *collective* must be called by all processes in the same order.
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
        message: The message.
        reports_error: Whether this process reports the error to the user.
    """

    def __init__(self, message: str, *, reports_error: bool = True) -> None:
        super().__init__(message)
        self.reports_error = reports_error


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
        """The device of this process; collective.

        Raises:
            InputError: The device does not exist, this process has none, or other processes use another type.
        """
        from sdt.device import choose_device

        return choose_device(name)

    def barrier(self, work: Callable[[], T], *, long: bool = True) -> T:
        """Run something that may fail, and continue only if it succeeded in all processes; collective.

        Args:
            work: A function that calls no method marked *collective*.
            long: Whether `work` may take much longer in one process than in the others.

        Raises:
            Exception: Any error of `work`; `sdt.errors.ReportedElsewhereError` in processes that do not report it.
            KeyboardInterrupt: A process was stopped.
            LostProcessError: A process was lost.
        """
        del long
        return work()

    def run_on_first(self, work: Callable[[], T]) -> T | None:
        """Run a function in the first process while the others wait; it returns None there. Raises like `barrier`."""
        return self.barrier(lambda: work() if self.first else None)

    def raise_once(self, error: Exception) -> NoReturn:
        """Raise an error that all processes detect; only one process reports it."""
        raise error from None

    def broadcast(self, values: Callable[[], Any]) -> Any:  # noqa: ANN401 - JSON
        """Send JSON values from the first process to all; collective."""
        return values()

    def broadcast_tensors(self, tensors: Callable[[], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
        """Send tensors from the first process to all; collective. Received tensors are on the CPU."""
        return tensors()

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of a tensor over the processes; collective. A received tensor is on the CPU.

        Raises:
            KeyboardInterrupt: A process was asked to stop; raised in all processes by the same call.
            LostProcessError: A process was lost.
        """
        return tensor

    def average_gradients(self, module: nn.Module) -> nn.Module:
        """Wrap a module so that its gradients are averaged over the processes; collective.

        All processes get the parameters of the first process.
        """
        return module

    def summing_locally(self, module: object) -> contextlib.AbstractContextManager[object]:
        """Context manager within which backward passes add up in each process, without averaging.

        Args:
            module: The result of `average_gradients`.
        """
        del module
        return contextlib.nullcontext()

    def detecting_lost(self) -> contextlib.AbstractContextManager[object]:
        """Context manager that raises `LostProcessError` if another process is lost."""
        return contextlib.nullcontext()

    def raise_if_stopping(self, _: object = None) -> None:
        """Check within `barrier` whether this process was asked to stop.

        Raises:
            KeyboardInterrupt: It was.
        """


SINGLE_PROCESS = Processes()


def process_count() -> int:
    """The number of processes that torchrun started; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "TORCHELASTIC_RUN_ID" in os.environ else 1


@contextlib.contextmanager
def output_once() -> Iterator[None]:
    """Suppress the output of all processes but the first."""
    if process_count() == 1 or os.environ.get("RANK") == "0":
        yield
        return
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        try:
            yield
        except InputError:
            sys.exit(2)
