"""Distributed training: several processes, started by torchrun, train one model.

Communication uses `torch.distributed`: gloo for numbers and messages; for gradients, `DistributedDataParallel` with
gloo on CPUs or NCCL on GPUs. Messages are tensors, JSON and safetensors, never pickles.

If a process ends, its connections close and the others notice immediately. If a process hangs or its machine is lost,
the others notice when a step waits longer than SDT_DIST_TIMEOUT seconds. The timeout is ten times as long while one
process reads or writes files.
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
"""Environment variable with the number of seconds that a step waits for other processes."""
SECONDS = 60.0
"""Default timeout."""
PATIENCE = 10
"""Factor of the timeout while one process reads or writes files."""

T = TypeVar("T")
_FINE, _FAILED, _STOPPED = range(3)


@contextlib.contextmanager
def join_processes() -> Iterator[DistributedProcesses]:
    """Context manager that connects the processes started by torchrun.

    Within it, Ctrl-C and SIGTERM stop all processes at the same step.

    Raises:
        InputError: SDT_DIST_TIMEOUT is not a valid number of seconds.
        LostProcessError: Not all processes connected in time.
    """
    with output_once():
        seconds = _seconds()
    processes = DistributedProcesses(seconds)
    before = {number: signal.signal(number, processes.stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield processes
    except LostProcessError:
        raise  # disconnecting from a lost process could block
    except BaseException:
        _disconnect()
        raise
    _disconnect()
    # Not after an error: torchrun sends SIGTERM to all processes when one ends, and one must still report the error.
    for number, handler in before.items():
        signal.signal(number, handler)


def _disconnect() -> None:
    # DistributedDataParallel is in a reference cycle and must be collected before its connections are closed.
    gc.collect()
    dist.destroy_process_group()


class DistributedProcesses(Processes):
    """One of several processes; see `Processes` for the methods.

    Args:
        seconds: Timeout of a step.
    """

    backend = "gloo"
    _store: torch._C._distributed_c10d.Store | None = None

    def __init__(self, seconds: float) -> None:
        step, patient = timedelta(seconds=seconds), timedelta(seconds=PATIENCE * seconds)
        self._stopping = False
        with self.detecting_lost(only=True):
            self._store, self.rank, self.size = next(rendezvous("env://", timeout=patient))
            dist.init_process_group("gloo", store=self._store, rank=self.rank, world_size=self.size, timeout=patient)
            self._patient, self._step = dist.group.WORLD, step
            self._steps = self._gradients = dist.new_group(backend="gloo", timeout=step)

    def stop(self, *_: object) -> None:
        """Ask all processes to stop at their next step; a signal handler."""
        self._stopping = True

    def raise_if_stopping(self, _: object = None) -> None:
        """See `Processes`."""
        if self._stopping:
            raise KeyboardInterrupt

    def device(self, name: DeviceName) -> torch.device:
        """See `Processes`; the index of the GPU is the local rank of the process."""
        device = self.barrier(lambda: _own_device(name))
        on_gpu = int(self.sum(torch.tensor([device.type == "cuda"], dtype=torch.int64)))
        if 0 < on_gpu < self.size:
            self.raise_once(
                InputError(
                    f"only {on_gpu} of {self.size} processes have a GPU; use --device cpu, or start processes only on "
                    "machines with GPUs"
                )
            )
        if on_gpu:
            self.backend = "nccl"
            with self.detecting_lost(only=True):
                self._gradients = dist.new_group(backend="nccl", timeout=self._step)
        return device

    def barrier(self, work: Callable[[], T], *, long: bool = True) -> T:
        """See `Processes`; the failed process with the lowest rank reports the error."""
        failure: BaseException | None = None
        try:
            result = work()
        except LostProcessError:
            raise
        except (Exception, KeyboardInterrupt) as error:
            failure = error
        codes = torch.zeros(self.size, dtype=torch.int64)
        codes[self.rank] = _FINE if failure is None else _STOPPED if isinstance(failure, KeyboardInterrupt) else _FAILED
        self._add(codes, self._patient if long else self._steps)
        failed = (codes == _FAILED).nonzero().flatten().tolist()
        if failed and failed[0] != self.rank:
            raise ReportedElsewhereError(f"process {failed[0]} reports the error")
        if failed and isinstance(failure, InputError) and not self.first:
            where = f"process {self.rank} of {self.size}, on {socket.gethostname()}"
            raise InputError(f"{where}: {failure}") from None
        if failed and failure:
            raise failure
        if (codes == _STOPPED).any():
            raise KeyboardInterrupt
        return result

    def raise_once(self, error: Exception) -> NoReturn:
        """See `Processes`."""
        raise error if self.first else ReportedElsewhereError("process 0 reports the error") from None

    def broadcast(self, values: Callable[[], Any]) -> Any:  # noqa: ANN401 - JSON
        """See `Processes`."""
        return json.loads(self._bytes(json.dumps(values()).encode() if self.first else b""))

    def broadcast_tensors(self, tensors: Callable[[], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
        """See `Processes`."""
        received: dict[str, Tensor] = load(self._bytes(save(dict(tensors())) if self.first else b""))
        return received

    def sum(self, tensor: Tensor) -> Tensor:
        """See `Processes`; an additional last value is above 0 if a process was asked to stop."""
        stopping = tensor.new_tensor([self._stopping], device="cpu")
        flat = torch.cat([tensor.detach().cpu().flatten(), stopping])
        self._add(flat, self._steps)
        if flat[-1]:
            raise KeyboardInterrupt
        return flat[:-1].view(tensor.shape)

    def average_gradients(self, module: nn.Module) -> nn.Module:
        """See `Processes`."""
        # A custom model may not use all parameters in a step. With this option, PyTorch also does not rebuild the
        # gradient buckets after the first step, so a resumed run sums in the same order as an uninterrupted one.
        with self.detecting_lost(only=True):
            return DistributedDataParallel(
                module, process_group=self._gradients, find_unused_parameters=True, gradient_as_bucket_view=True
            )

    def summing_locally(self, module: object) -> contextlib.AbstractContextManager[object]:
        """See `Processes`."""
        assert isinstance(module, DistributedDataParallel)
        return module.no_sync()

    @contextlib.contextmanager
    def detecting_lost(self, *, only: bool = False) -> Iterator[None]:
        """See `Processes`; with `only`, every RuntimeError is a connection error."""
        try:
            yield
        except RuntimeError as error:
            # gloo raises plain RuntimeErrors.
            if only or isinstance(error, dist.DistError) or re.search("gloo/|pair closure", str(error)):
                raise self._lost(error) from None
            raise

    def _add(self, tensor: Tensor, group: dist.ProcessGroup | None) -> None:
        with self.detecting_lost(only=True):
            dist.all_reduce(tensor, group=group)

    def _bytes(self, data: bytes) -> bytes:
        """Broadcast bytes from the first process."""
        size = torch.tensor([len(data)])
        with self.detecting_lost(only=True):
            dist.broadcast(size, 0, group=self._steps)
            buffer = torch.frombuffer(bytearray(data or bytes(int(size))), dtype=torch.uint8)
            dist.broadcast(buffer, 0, group=self._steps)
        return buffer.numpy().tobytes()

    def _lost(self, error: RuntimeError) -> LostProcessError:
        try:
            # The store belongs to torchrun and not to one of the processes.
            reports_error = self._store is None or self._store.add("sdt/lost", 1) == 1
        except RuntimeError:
            reports_error = True  # the machine of the store is lost
        reason = re.sub(r"^\[[^\]]*\]\s*", "", str(error)).partition(". ")[0].partition("\n")[0]
        return LostProcessError(
            f"another process of the run has ended or cannot be reached ({reason}); torchrun's report may say why",
            reports_error=reports_error,
        )


def _own_device(name: DeviceName) -> torch.device:
    if name != "cpu" and torch.cuda.is_available():
        count, local = torch.cuda.device_count(), int(os.environ["LOCAL_RANK"])
        if local >= count:
            raise InputError(
                f"torchrun started {os.environ['LOCAL_WORLD_SIZE']} processes on this machine with {count} GPUs; use "
                f"torchrun --nproc-per-node {count}, or sdt --device cpu"
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
