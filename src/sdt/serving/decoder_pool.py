"""A pool of processes that decode recordings; one that crashes or takes too long is killed and replaced."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from sdt.conversation import Conversation
from sdt.encoders.encoder import Encoded
from sdt.models.config import ModelConfig
from sdt.serving import decoder_worker
from sdt.serving.config import ServingConfig
from sdt.serving.errors import APIError, invalid_request, limit_exceeded
from sdt.serving.predict_request import Upload, temporary_folder

T = TypeVar("T")
START_SECONDS = 120.0
"""Timeout in seconds for a new process to load its encoders, which may be large, on a busy machine."""
GRACE = 5.0
"""Seconds after its time limit at which a process ends itself if the service has not ended it."""
MESSAGE = 64 * 2**20
"""Maximum bytes of a message from a decoder process."""
OnProgress = Callable[[str, int, int], None]
"""Called with a modality, the number of its finished utterances, and the number of all utterances."""
Report = Mapping[str, Mapping[str, str | None]]
"""Recorded modality to the reason why it is unavailable, a missing dependency, or a note."""


class DecoderFailed(Exception):  # noqa: N818 - a condition of another process
    """A decoder process must be replaced.

    Args:
        how: The outcome that metrics count, such as `died`.
        error: The response to the request.
    """

    def __init__(self, how: str, error: APIError) -> None:
        super().__init__(how)
        self.how, self.error = how, error


class DecoderLost(Exception):  # noqa: N818 - a condition of another process
    """A decoder process has ended before it opened an upload."""


class DecoderProcess:
    """The service's side of one decoder process.

    Args:
        model: The model's configuration.
        folder: The model's folder.
        config: The limits.
    """

    def __init__(self, model: ModelConfig, folder: Path, config: ServingConfig) -> None:
        self._model, self._config = model, config
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        self._connection, theirs = context.Pipe()
        ours, self._lifeline = context.Pipe(duplex=False)
        arguments = (theirs, ours, _reduced(model), folder, config.decode_bytes)
        self.process = context.Process(target=decoder_worker.run, args=arguments, daemon=True, name="sdt-decoder")
        self.process.start()
        theirs.close()
        ours.close()
        self._report: Report | None = None

    def report(self) -> Report:
        """Return the modalities that the process can extract; waits until it is ready.

        Raises:
            DecoderFailed: The process does not start.
        """
        if self._report is None:
            failed = APIError(503, "decoder", "the decoder process did not start; see the log of the service")
            self._report = self._receive(START_SECONDS, "start", failed)["modalities"]
        return self._report

    def extract(
        self, conversation: Conversation, uploads: Sequence[Upload], progress: OnProgress | None
    ) -> dict[str, Encoded]:
        """Extract the features of one conversation's recordings, by modality.

        Args:
            conversation: The conversation.
            uploads: Its recordings.
            progress: Called repeatedly with the progress.

        Raises:
            APIError: The recordings cannot be used.
            DecoderFailed: The process has ended or exceeded its time limit.
            DecoderLost: The process had already ended.
        """
        makers = [modality for modality, of in self.report().items() if "note" in of]
        needs = next((of["needs"] for of in self.report().values() if of.get("needs")), None)
        if needs:
            raise APIError(501, "not_installed", needs)
        with temporary_folder() as folder:
            job = {
                "conversation": asdict(conversation),
                "files": [{"name": f"{upload.name}", "utterance": upload.utterance} for upload in uploads],
                "folder": str(folder),
                "seconds": self._config.decode_seconds + GRACE,
                "media_seconds": self._config.media_seconds,
            }
            text = "a recording crashed the decoder, or decoding needs too much memory"
            crashed = limit_exceeded(self._config, "decode_bytes", text)
            self._send(job, uploads)
            return self._features(conversation, makers, crashed, progress)

    def _send(self, job: Mapping[str, object], uploads: Sequence[Upload]) -> None:
        """Send the process its job and wait until it has received all of it.

        Raises:
            DecoderLost: The process has ended.
            DecoderFailed: It has part of the job: the request was cancelled meanwhile, and its files are closed.
        """
        lost = APIError(503, "decoder", "the decoder process has ended")
        try:
            self._connection.send_bytes(json.dumps(job).encode("ascii"))
            for upload in uploads:
                send_handle(self._connection, upload.fileno(), self.process.pid)
            self._receive(START_SECONDS, "died", lost)
        except ValueError as error:
            raise DecoderFailed("refused", lost) from error
        except (OSError, DecoderFailed) as error:
            raise DecoderLost from error

    def _features(
        self, conversation: Conversation, makers: Sequence[str], crashed: APIError, progress: OnProgress | None
    ) -> dict[str, Encoded]:
        until = time.monotonic() + self._config.decode_seconds
        n = len(conversation)
        while "done" in (answer := self._receive(max(0.0, until - time.monotonic()), "died", crashed)):
            modality, done = str(answer.get("modality")), answer["done"]
            if modality not in makers or not isinstance(done, int) or not 0 <= done <= n:
                raise DecoderFailed("died", crashed)
            if progress is not None:
                progress(modality, done, n)
        if "limit" in answer:
            raise limit_exceeded(self._config, answer["limit"], answer["message"])
        if "needs" in answer:
            raise APIError(501, "not_installed", answer["needs"])
        if "refused" in answer:
            raise invalid_request(answer["refused"])
        extracted = {}
        for modality in makers:
            width = self._model.modalities[modality]
            left = max(1.0, until - time.monotonic())
            features = np.frombuffer(self._bytes(left, "died", crashed), dtype="<f4")
            present = np.frombuffer(self._bytes(left, "died", crashed), dtype=np.bool_)
            if features.size != n * width or present.size != n:
                raise DecoderFailed("died", crashed)
            problems = answer["made"][modality]
            extracted[modality] = Encoded(features.reshape(n, width).copy(), present.copy(), problems)
        return extracted

    def _receive(self, seconds: float, how: str, failed: APIError) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._bytes(seconds, how, failed))
        return message

    def _bytes(self, seconds: float, how: str, failed: APIError) -> bytes:
        try:
            if not self._connection.poll(seconds):
                text = "decoding the recordings takes too long"
                raise DecoderFailed("slow", limit_exceeded(self._config, "decode_seconds", text))
            return self._connection.recv_bytes(MESSAGE)
        except (EOFError, OSError) as error:
            raise DecoderFailed(how, failed) from error

    def close(self) -> None:
        """Kill the process."""
        self.process.kill()
        self.process.join()
        self._connection.close()
        self._lifeline.close()


class DecoderPool:
    """Several decoder processes, each used by one request at a time.

    Args:
        model: The model's configuration.
        folder: The model's folder.
        config: The number of processes, and the limits.
        on_decode: Called after each conversation with its outcome: `made`, `refused`, `died` or `slow`.
    """

    def __init__(
        self, model: ModelConfig, folder: Path, config: ServingConfig, on_decode: Callable[[str], None]
    ) -> None:
        self._model, self._folder, self._config, self._on_decode = model, folder, config, on_decode
        self._free: asyncio.Queue[DecoderProcess] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(config.decoders, "decoder")
        self._all: set[DecoderProcess] = set()
        self._closed = False
        self._report: Report | None = None

    def start(self) -> None:
        """Start the processes without waiting for them."""
        for _ in range(self._config.decoders):
            self._free.put_nowait(self._started())

    def close(self) -> None:
        """Kill the processes."""
        self._closed = True
        for decoder in list(self._all):
            decoder.process.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for decoder in list(self._all):
            decoder.close()
        self._all.clear()

    async def report(self) -> Report:
        """Return the modalities that the processes can extract."""
        if self._report is None:
            self._report = await self._with(lambda decoder: decoder.report())
        return self._report

    async def extract(
        self, conversation: Conversation, uploads: Sequence[Upload], progress: OnProgress | None = None
    ) -> dict[str, Encoded]:
        """Extract the features of a conversation's recordings, by modality; a cancelled call runs to its end.

        Args:
            conversation: The conversation.
            uploads: Its recordings.
            progress: Called repeatedly with the progress, in another thread.

        Raises:
            APIError: The recordings cannot be used, or cannot be decoded within the limits.
        """
        extracted = await self._with(lambda decoder: decoder.extract(conversation, uploads, progress))
        self._on_decode("made")
        return extracted

    async def _with(self, use: Callable[[DecoderProcess], T]) -> T:
        loop = asyncio.get_running_loop()
        decoder = await self._free.get()
        work = loop.run_in_executor(self._threads, self._used, decoder, use, loop)
        work.add_done_callback(_retrieve)
        return await asyncio.shield(work)

    def _used(self, decoder: DecoderProcess, use: Callable[[DecoderProcess], T], loop: asyncio.AbstractEventLoop) -> T:
        """Use a process in a thread, and return it or its replacement to the queue of free processes."""
        try:
            try:
                return use(decoder)
            except DecoderLost:  # killed by another process, for example by the system for lack of memory
                decoder = self._replaced(decoder)
                return use(decoder)
        except DecoderLost:
            raise APIError(503, "decoder", "the decoder processes end unexpectedly; try again later") from None
        except DecoderFailed as error:
            self._on_decode(error.how)
            decoder = self._replaced(decoder)
            raise error.error from None
        except APIError:
            self._on_decode("refused")
            raise
        finally:
            if not self._closed:
                loop.call_soon_threadsafe(self._free.put_nowait, decoder)

    def _replaced(self, decoder: DecoderProcess) -> DecoderProcess:
        """Replace a process by a new one."""
        self._all.discard(decoder)
        decoder.close()
        return decoder if self._closed else self._started()

    def _started(self) -> DecoderProcess:
        decoder = DecoderProcess(self._model, self._folder, self._config)
        self._all.add(decoder)
        return decoder


def _reduced(model: ModelConfig) -> ModelConfig:
    """A configuration without the model's settings, which encoders do not need."""
    return ModelConfig(
        dict(model.modalities),
        model.labels,
        model.speakers,
        encoders=dict(model.encoders),
        normalisation=dict(model.normalisation),
    )


def _retrieve(done: asyncio.Future[Any]) -> None:
    """Retrieve the exception of an abandoned future, which asyncio would log otherwise."""
    if not done.cancelled():
        done.exception()
