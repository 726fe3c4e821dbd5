"""Several processes, started by torchrun, that train one model together.

Everything goes through `torch.distributed`: gloo for numbers and messages, and for the gradients gloo on a CPU or nccl
on GPUs, by `DistributedDataParallel`. No pickle: what is sent are tensors, JSON and safetensors.

A process that dies closes its connections, and the others learn it at once. Of one that hangs, or whose machine has
gone, they learn when a step waits for it for longer than SDT_DIST_TIMEOUT seconds; where one process reads or writes
and others wait for it, they wait ten times as long.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from sdt.device import DeviceName, choose_device
from sdt.errors import InputError, ReportedElsewhereError
from sdt.training.processes import LostProcessError, Processes, output_once

TIMEOUT = "SDT_DIST_TIMEOUT"
"""The environment variable that says for how many seconds a step waits for other processes."""
SECONDS = 60.0
"""The default."""
PATIENCE = 10
"""How many times as long processes wait for one that reads or writes."""

T = TypeVar("T")
_FINE, _FAILED, _STOPPED = range(3)


@contextlib.contextmanager
def joined() -> Iterator[Together]:
    """Meet the other processes that torchrun has started; until the end Ctrl-C and SIGTERM stop all at the same step.

    Raises:
        InputError: SDT_DIST_TIMEOUT is not a number of seconds.
        LostProcessError: Not all others came.
    """
    with output_once():
        seconds = _seconds()
    processes = Together(seconds)
    before = {number: signal.signal(number, processes.stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield processes
    except LostProcessError:
        raise  # taking leave of it could take for ever
    except BaseException:
        _part()
        raise
    _part()
    # Not after an error: when one process has ended, torchrun sends SIGTERM to the one that still has to tell why.
    for number, handler in before.items():
        signal.signal(number, handler)


def _part() -> None:
    # DistributedDataParallel lives in a cycle; it should not outlive the connections that it uses.
    gc.collect()
    dist.destroy_process_group()


class Together(Processes):
    """One of several processes; see `Processes` for what its methods do.

    Args:
        seconds: How long a step waits for another process.
    """

    backend = "gloo"
    _store: torch._C._distributed_c10d.Store | None = None

    def __init__(self, seconds: float) -> None:
        step, patient = timedelta(seconds=seconds), timedelta(seconds=PATIENCE * seconds)
        self._stopping = False
        with self.watching(only=True):
            self._store, self.rank, self.size = next(rendezvous("env://", timeout=patient))
            dist.init_process_group("gloo", store=self._store, rank=self.rank, world_size=self.size, timeout=patient)
            self._patient, self._step = dist.group.WORLD, step
            self._steps = self._gradients = dist.new_group(backend="gloo", timeout=step)

    def stop(self, *_: object) -> None:
        """Ask this process to stop, and so all, at their next step."""
        self._stopping = True

    def raise_if_stopping(self, _: object = None) -> None:
        """See `Processes`."""
        if self._stopping:
            raise KeyboardInterrupt

    def device(self, name: DeviceName) -> torch.device:
        """See `Processes`; the GPU of a process is the one of its number on its machine."""
        device = self.barrier(lambda: _own_device(name))
        on_gpu = int(self.sum(torch.tensor([device.type == "cuda"], dtype=torch.int64)))
        if 0 < on_gpu < self.size:
            self.refuse(
                InputError(
                    f"{on_gpu} of {self.size} processes have a GPU and the others none; give --device cpu, or start "
                    "processes on machines with GPUs alone"
                )
            )
        if on_gpu:
            self.backend = "nccl"
            with self.watching(only=True):
                self._gradients = dist.new_group(backend="nccl", timeout=self._step)
        return device

    def barrier(self, work: Callable[[], T], *, patiently: bool = True) -> T:
        """See `Processes`; the first process that failed tells why."""
        failure: BaseException | None = None
        try:
            result = work()
        except LostProcessError:
            raise
        except (Exception, KeyboardInterrupt) as error:
            failure = error
        codes = torch.zeros(self.size, dtype=torch.int64)
        codes[self.rank] = _FINE if failure is None else _STOPPED if isinstance(failure, KeyboardInterrupt) else _FAILED
        self._add(codes, self._patient if patiently else self._steps)
        failed = (codes == _FAILED).nonzero().flatten().tolist()
        if failed and failed[0] != self.rank:
            raise ReportedElsewhereError(f"process {failed[0]} tells why")
        if failed and isinstance(failure, InputError) and not self.first:
            where = f"process {self.rank} of {self.size}, on {socket.gethostname()}"
            raise InputError(f"{where}: {failure}") from None
        if failed and failure:
            raise failure
        if (codes == _STOPPED).any():
            raise KeyboardInterrupt
        return result

    def refuse(self, error: Exception) -> NoReturn:
        """See `Processes`."""
        raise error if self.first else ReportedElsewhereError("process 0 tells why") from None

    def broadcast(self, values: Callable[[], Any]) -> Any:  # noqa: ANN401 - JSON
        """See `Processes`."""
        return json.loads(self._bytes(json.dumps(values()).encode() if self.first else b""))

    def broadcast_tensors(self, tensors: Callable[[], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
        """See `Processes`."""
        found: dict[str, Tensor] = load(self._bytes(save(dict(tensors())) if self.first else b""))
        return found

    def sum(self, tensor: Tensor) -> Tensor:
        """See `Processes`; a last number says whether to stop."""
        stopping = tensor.new_tensor([self._stopping], device="cpu")
        flat = torch.cat([tensor.detach().cpu().flatten(), stopping])
        self._add(flat, self._steps)
        if flat[-1]:
            raise KeyboardInterrupt
        return flat[:-1].view(tensor.shape)

    def averaging(self, module: nn.Module) -> nn.Module:
        """See `Processes`."""
        # A custom model may leave parameters out of a step. Looking for those also keeps PyTorch from
        # arranging the gradients anew after the first step, so that a run that goes on sums as one that was never
        # broken off.
        with self.watching(only=True):
            return DistributedDataParallel(
                module, process_group=self._gradients, find_unused_parameters=True, gradient_as_bucket_view=True
            )

    @contextlib.contextmanager
    def watching(self, *, only: bool = False) -> Iterator[None]:
        """See `Processes`; `only` where nothing but connections can fail."""
        try:
            yield
        except RuntimeError as error:
            # What gloo throws has no type of its own.
            if only or isinstance(error, dist.DistError) or re.search("gloo/|pair closure", str(error)):
                raise self._lost(error) from None
            raise

    def _add(self, tensor: Tensor, group: dist.ProcessGroup | None) -> None:
        with self.watching(only=True):
            dist.all_reduce(tensor, group=group)

    def _bytes(self, data: bytes) -> bytes:
        """The first process' bytes, in all."""
        size = torch.tensor([len(data)])
        with self.watching(only=True):
            dist.broadcast(size, 0, group=self._steps)
            held = torch.frombuffer(bytearray(data or bytes(int(size))), dtype=torch.uint8)
            dist.broadcast(held, 0, group=self._steps)
        return held.numpy().tobytes()

    def _lost(self, error: RuntimeError) -> LostProcessError:
        try:
            # torchrun keeps it, not one of the processes.
            telling = self._store is None or self._store.add("sdt/lost", 1) == 1
        except RuntimeError:
            telling = True  # its machine has gone
        reason = re.sub(r"^\[[^\]]*\]\s*", "", str(error)).partition(". ")[0].partition("\n")[0]
        return LostProcessError(
            f"another process of the run has ended or cannot be reached ({reason}); torchrun's report may say why",
            telling=telling,
        )


def _own_device(name: DeviceName) -> torch.device:
    if name != "cpu" and torch.cuda.is_available():
        count, local = torch.cuda.device_count(), int(os.environ["LOCAL_RANK"])
        if local >= count:
            raise InputError(
                f"torchrun has started {os.environ['LOCAL_WORLD_SIZE']} processes here, and there are {count} GPUs; "
                f"give torchrun --nproc-per-node {count}, or sdt --device cpu"
            )
        torch.cuda.set_device(local)
    return choose_device(name)


def _seconds() -> float:
    text = os.environ.get(TIMEOUT, str(SECONDS))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise InputError(f"{TIMEOUT}: {text!r} is not a number of seconds above 0")
    return seconds
