"""A pool of processes that decode recordings; one that crashes or takes too long is killed and replaced."""

from __future__ import annotations

import asyncio
import json
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
from sdt.serving.worker_process import GRACE, START_SECONDS, DecoderFailed, DecoderLost, WorkerProcess

T = TypeVar("T")
OnProgress = Callable[[str, int, int], None]
"""Called with a modality, the number of its finished utterances, and the number of all utterances."""
Report = Mapping[str, Mapping[str, str | None]]
"""Recorded modality to the reason why it is unavailable, a missing dependency, or a note."""


class DecoderProcess(WorkerProcess):
    """One decoder process, as the service uses it.

    Args:
        model: The model's configuration.
        folder: The model's folder.
        config: The limits.
    """

    def __init__(self, model: ModelConfig, folder: Path, config: ServingConfig) -> None:
        slow = "decode_seconds", "decoding the recordings takes too long"
        arguments = (_reduced(model), folder, config.decode_bytes)
        super().__init__(decoder_worker.run, arguments, "sdt-decoder", config, slow)
        self._model = model
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
        self, conversation: Conversation, uploads: Sequence[Upload], progress: OnProgress | None, scale: float = 1.0
    ) -> dict[str, Encoded]:
        """Extract the features of one conversation's recordings, by modality.

        Args:
            conversation: The conversation.
            uploads: Its recordings.
            progress: Called repeatedly with the progress.
            scale: Multiplies the limits of duration and time: a recording that was transcribed may be longer.

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
                "seconds": scale * self._config.decode_seconds + GRACE,
                "media_seconds": scale * self._config.media_seconds + GRACE * (scale > 1),
            }
            text = "a recording crashed the decoder, or decoding needs too much memory"
            crashed = limit_exceeded(self._config, "decode_bytes", text)
            self._send(job, uploads)
            return self._features(conversation, makers, crashed, progress, scale)

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
        self,
        conversation: Conversation,
        makers: Sequence[str],
        crashed: APIError,
        progress: OnProgress | None,
        scale: float,
    ) -> dict[str, Encoded]:
        until = time.monotonic() + scale * self._config.decode_seconds
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
        self,
        conversation: Conversation,
        uploads: Sequence[Upload],
        progress: OnProgress | None = None,
        scale: float = 1.0,
    ) -> dict[str, Encoded]:
        """Extract the features of a conversation's recordings, by modality; a cancelled call runs to its end.

        Args:
            conversation: The conversation.
            uploads: Its recordings.
            progress: Called repeatedly with the progress, in another thread.
            scale: Multiplies the limits of duration and time: a recording that was transcribed may be longer.

        Raises:
            APIError: The recordings cannot be used, or cannot be decoded within the limits.
        """
        extracted = await self._with(lambda decoder: decoder.extract(conversation, uploads, progress, scale))
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
