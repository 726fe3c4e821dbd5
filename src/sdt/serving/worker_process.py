"""A process that works for the service, and what may happen to it."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from typing import Any

from sdt.serving.config import ServingConfig
from sdt.serving.errors import APIError, limit_exceeded

START_SECONDS = 120.0
"""Seconds that a new process has to load its models, which may be large, on a machine that may be busy."""
GRACE = 5.0
"""Seconds after its time limit at which a process ends itself, if the service has not done so."""
MESSAGE = 64 * 2**20
"""Bytes of a message from a process, at most."""


class DecoderFailed(Exception):  # noqa: N818 - a condition of another process
    """A process has to be replaced.

    Args:
        how: The outcome that metrics count, such as `died`.
        error: The response to the request.
    """

    def __init__(self, how: str, error: APIError) -> None:
        super().__init__(how)
        self.how, self.error = how, error


class DecoderLost(Exception):  # noqa: N818 - a condition of another process
    """A process has ended before it opened an upload."""


class WorkerProcess:
    """One process, as the service uses it.

    Args:
        run: Its main function; called with its connection, the lifeline, and the arguments.
        arguments: Of that function.
        name: The name of the process.
        config: The limits.
        slow: The limit of its time, and the error message if it is exceeded.
    """

    def __init__(
        self,
        run: Callable[..., None],
        arguments: tuple[object, ...],
        name: str,
        config: ServingConfig,
        slow: tuple[str, str],
    ) -> None:
        self._config, self._slow = config, slow
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        self._connection, theirs = context.Pipe()
        ours, self._lifeline = context.Pipe(duplex=False)
        self.process = context.Process(target=run, args=(theirs, ours, *arguments), daemon=True, name=name)
        self.process.start()
        theirs.close()
        ours.close()

    def _receive(self, seconds: float, how: str, failed: APIError) -> dict[str, Any]:
        """The next message.

        Args:
            seconds: How long to wait for it.
            how: The outcome if the process has ended.
            failed: The response in that case.

        Raises:
            DecoderFailed: The process has ended or taken too long.
        """
        message: dict[str, Any] = json.loads(self._bytes(seconds, how, failed))
        return message

    def _bytes(self, seconds: float, how: str, failed: APIError) -> bytes:
        try:
            if not self._connection.poll(max(0.0, seconds)):
                raise DecoderFailed("slow", limit_exceeded(self._config, *self._slow))
            return self._connection.recv_bytes(MESSAGE)
        except (EOFError, OSError) as error:
            raise DecoderFailed(how, failed) from error

    def close(self) -> None:
        """Kill the process."""
        self.process.kill()
        self.process.join()
        self._connection.close()
        self._lifeline.close()
