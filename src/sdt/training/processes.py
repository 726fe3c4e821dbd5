"""The processes that train one model: this one alone, or with others that torchrun has started.

What a run has to say to the other processes goes through `Processes`, whose methods do nothing where there is one
process only. `sdt.training.together` is the other kind. No torch here, so that a wrong command is refused at once.

Every process runs the same program on the same recipe; what one of them reads, writes or shows alone is asked of
`first`. Methods marked *together* have to be called by all processes in the same order.
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
    """Another process of the run has ended, or cannot be reached; the run can resume from its checkpoint.

    Args:
        what: What happened.
        telling: Whether this process is the one to tell the user; the others of the run say nothing.
    """

    def __init__(self, what: str, *, telling: bool = True) -> None:
        super().__init__(what)
        self.telling = telling


class Processes:
    """One process alone: what there is without torchrun."""

    rank = 0
    """The number of this process."""
    size = 1
    """How many there are."""
    backend: str | None = None
    """What carries the gradients: gloo, nccl, or nothing."""

    @property
    def first(self) -> bool:
        """Whether this process is the one that reads, writes and shows what is there once."""
        return self.rank == 0

    def device(self, name: DeviceName) -> torch.device:
        """Where this process computes; together.

        Raises:
            InputError: There is no such device, or none for this process, or others compute elsewhere.
        """
        from sdt.device import choose_device

        return choose_device(name)

    def barrier(self, work: Callable[[], T], *, patiently: bool = True) -> T:
        """Do something that may fail, and go on only if all could; together.

        Args:
            work: What to do; no method that is called together.
            patiently: Whether it may take one process much longer than the others.

        Raises:
            InputError: And whatever else `work` raises; in the processes that are not to tell it,
                `sdt.errors.ToldElsewhereError`.
            KeyboardInterrupt: One of them was stopped meanwhile.
            LostProcessError: One of them is not there any more.
        """
        del patiently
        return work()

    def by_first(self, work: Callable[[], T]) -> T | None:
        """Run something in the first process while the others wait; returns None in these. Raises as `barrier`."""
        return self.barrier(lambda: work() if self.first else None)

    def refuse(self, error: Exception) -> NoReturn:
        """Raise what every process has found by itself, such that it is told once."""
        raise error from None

    def broadcast(self, values: Callable[[], Any]) -> Any:  # noqa: ANN401 - JSON
        """JSON values of the first process, in all; together."""
        return values()

    def broadcast_tensors(self, tensors: Callable[[], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
        """Tensors of the first process, in all; together. On the CPU where they were sent."""
        return tensors()

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over the processes, of equal shape in each; together. On the CPU where it was sent.

        Raises:
            KeyboardInterrupt: One of them shall stop; in all at the same call.
            LostProcessError: One of them is not there any more.
        """
        return tensor

    def averaging(self, module: nn.Module) -> nn.Module:
        """The module such that its gradient is the mean over the processes; together.

        Its parameters are then those of the first process.
        """
        return module

    def watching(self) -> contextlib.AbstractContextManager[object]:
        """A context in which the loss of another process is a `LostProcessError`."""
        return contextlib.nullcontext()

    def raise_if_stopping(self, _: object = None) -> None:
        """Stop here if this process shall; within `barrier`, where others do not wait for each step.

        Raises:
            KeyboardInterrupt: It shall.
        """


ALONE = Processes()


def launched() -> int:
    """How many processes torchrun has started for this program; 1 where it was not started by torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "TORCHELASTIC_RUN_ID" in os.environ else 1


@contextlib.contextmanager
def output_once() -> Iterator[None]:
    """Let only the first process say what all of them would, since they were started with the same words."""
    if launched() == 1 or os.environ.get("RANK") == "0":
        yield
        return
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        try:
            yield
        except InputError:
            sys.exit(2)
