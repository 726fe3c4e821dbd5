"""The service's side of decoding: a few processes that are asked in turn, killed when they misbehave, and replaced."""

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
from sdt.serving import decoding
from sdt.serving.refusals import Refusal, beyond, invalid
from sdt.serving.settings import Settings
from sdt.serving.uploads import Upload, empty_folder

T = TypeVar("T")
START_SECONDS = 120.0
"""Seconds that a new process has to load its encoders; they may be large, and the machine busy."""
GRACE = 5.0
"""Seconds after which a process ends itself, should nobody have done it."""
MESSAGE = 64 * 2**20
"""The longest message that is taken from a decoding process."""

Told = Callable[[str, int, int], None]
"""Called with a modality, how many utterances of it are done, and how many there are."""
Report = Mapping[str, Mapping[str, str | None]]
"""Recorded modality to why it cannot be had, what it needs, or a note."""


class Misbehaved(Exception):  # noqa: N818 - a condition of another process
    """A decoding process is not to be asked again."""

    def __init__(self, why: str, refusal: Refusal) -> None:
        super().__init__(why)
        self.why, self.refusal = why, refusal


class Gone(Exception):  # noqa: N818 - a condition of another process
    """A decoding process has ended before it looked at anything: it was not the upload's doing."""


class Decoder:
    """One decoding process."""

    def __init__(self, config: ModelConfig, folder: Path, settings: Settings) -> None:
        self._config, self._settings = config, settings
        context = multiprocessing.get_context("spawn")  # a copy of a process that has threads may hang
        self._connection, theirs = context.Pipe()
        ours, self._lifeline = context.Pipe(duplex=False)
        arguments = (theirs, ours, _needed(config), folder, settings.decode_bytes)
        self.process = context.Process(target=decoding.run, args=arguments, daemon=True, name="sdt-decoder")
        self.process.start()
        theirs.close()
        ours.close()
        self._report: Report | None = None

    def report(self) -> Report:
        """What it can make; waits until it is ready.

        Raises:
            Misbehaved: It does not get ready.
        """
        if self._report is None:
            failed = Refusal(503, "decoder", "the process that decodes recordings does not start")
            self._report = self._receive(START_SECONDS, "start", failed)["modalities"]
        return self._report

    def ask(self, conversation: Conversation, uploads: Sequence[Upload], progress: Told | None) -> dict[str, Encoded]:
        """The features of one conversation's recordings, by modality.

        Args:
            conversation: What was said.
            uploads: Its recordings.
            progress: Called now and then.

        Raises:
            Refusal: The recordings cannot be used.
            Misbehaved: The process died over them or took too long.
        """
        makers = [modality for modality, said in self.report().items() if "note" in said]
        needs = next((said["needs"] for said in self.report().values() if said.get("needs")), None)
        if needs:
            raise Refusal(501, "not_installed", needs)
        with empty_folder() as folder:
            job = {
                "conversation": asdict(conversation),
                "files": [{"name": f"{upload.name}", "utterance": upload.utterance} for upload in uploads],
                "folder": str(folder),
                "seconds": self._settings.decode_seconds + GRACE,
                "media_seconds": self._settings.media_seconds,
            }
            crashed = beyond(
                self._settings, "decode_bytes", "a recording crashed its decoder, or takes too much memory to decode"
            )
            self._hand_over(job, uploads)
            return self._made(conversation, makers, crashed, progress)

    def _hand_over(self, job: Mapping[str, object], uploads: Sequence[Upload]) -> None:
        """Give the process its work, and hear that it has it.

        Raises:
            Gone: There is no process any more.
            Misbehaved: It has only half of it, since the request was given up meanwhile and its files are closed.
        """
        lost = Refusal(503, "decoder", "the process that decodes recordings has ended")
        try:
            self._connection.send_bytes(json.dumps(job).encode("ascii"))
            for upload in uploads:
                send_handle(self._connection, upload.fileno(), self.process.pid)
            self._receive(START_SECONDS, "died", lost)
        except ValueError as error:
            raise Misbehaved("refused", lost) from error
        except (OSError, Misbehaved) as error:
            raise Gone from error

    def _made(
        self, conversation: Conversation, makers: Sequence[str], crashed: Refusal, progress: Told | None
    ) -> dict[str, Encoded]:
        until = time.monotonic() + self._settings.decode_seconds
        n = len(conversation)
        while "done" in (said := self._receive(max(0.0, until - time.monotonic()), "died", crashed)):
            modality, done = str(said.get("modality")), said["done"]
            if modality not in makers or not isinstance(done, int) or not 0 <= done <= n:
                raise Misbehaved("died", crashed)
            if progress is not None:
                progress(modality, done, n)
        if "limit" in said:
            raise beyond(self._settings, said["limit"], said["message"])
        if "needs" in said:
            raise Refusal(501, "not_installed", said["needs"])
        if "refused" in said:
            raise invalid(said["refused"])
        made = {}
        for modality in makers:
            width = self._config.modalities[modality]
            left = max(1.0, until - time.monotonic())
            features = np.frombuffer(self._bytes(left, "died", crashed), dtype="<f4")
            present = np.frombuffer(self._bytes(left, "died", crashed), dtype=np.bool_)
            if features.size != n * width or present.size != n:
                raise Misbehaved("died", crashed)
            made[modality] = Encoded(features.reshape(n, width).copy(), present.copy(), said["made"][modality])
        return made

    def _receive(self, seconds: float, why: str, failed: Refusal) -> dict[str, Any]:
        message = json.loads(self._bytes(seconds, why, failed))
        assert isinstance(message, dict)
        return message

    def _bytes(self, seconds: float, why: str, failed: Refusal) -> bytes:
        try:
            if not self._connection.poll(seconds):
                raise Misbehaved(
                    "slow", beyond(self._settings, "decode_seconds", "decoding the recordings takes too long")
                )
            return self._connection.recv_bytes(MESSAGE)
        except (EOFError, OSError) as error:
            raise Misbehaved(why, failed) from error

    def close(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.join()
        self._connection.close()
        self._lifeline.close()


class Decoders:
    """Several decoding processes, each asked by one request at a time.

    Args:
        config: The model's.
        folder: Of the model.
        settings: How many, and what an upload may take.
        told: Called after every upload with how it went: `made`, `refused`, `died` or `slow`.
    """

    def __init__(self, config: ModelConfig, folder: Path, settings: Settings, told: Callable[[str], None]) -> None:
        self._config, self._folder, self._settings, self._told = config, folder, settings, told
        self._free: asyncio.Queue[Decoder] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(settings.decoders, "decoder")
        self._all: set[Decoder] = set()
        self._closed = False
        self._report: Report | None = None

    def start(self) -> None:
        """Start the processes; they get ready by themselves."""
        for _ in range(self._settings.decoders):
            self._put(self._started())

    def close(self) -> None:
        """End the processes, whatever they are at."""
        self._closed = True
        for decoder in list(self._all):
            decoder.process.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for decoder in list(self._all):
            decoder.close()
        self._all.clear()

    async def report(self) -> Report:
        """What the processes can make."""
        if self._report is None:
            self._report = await self._with(lambda decoder: decoder.report())
        return self._report

    async def make(
        self, conversation: Conversation, uploads: Sequence[Upload], progress: Told | None = None
    ) -> dict[str, Encoded]:
        """The features of a conversation's recordings, by modality; cancelled, what has begun goes on unheard.

        Args:
            conversation: What was said.
            uploads: Its recordings.
            progress: Called now and then, from another thread.

        Raises:
            Refusal: The recordings cannot be used, or could not be decoded within the limits.
        """
        made = await self._with(lambda decoder: decoder.ask(conversation, uploads, progress))
        self._told("made")
        return made

    async def _with(self, use: Callable[[Decoder], T]) -> T:
        loop = asyncio.get_running_loop()
        decoder = await self._free.get()
        work = loop.run_in_executor(self._threads, self._used, decoder, use, loop)
        work.add_done_callback(_heard)  # heard, even if nobody waits
        return await asyncio.shield(work)

    def _used(self, decoder: Decoder, use: Callable[[Decoder], T], loop: asyncio.AbstractEventLoop) -> T:
        """Use a process, in a thread; afterwards it, or another in its place, is free again."""
        try:
            try:
                return use(decoder)
            except Gone:  # ended by somebody, the system for lack of memory perhaps
                decoder = self._instead(decoder)
                return use(decoder)
        except Gone:
            raise Refusal(503, "decoder", "the processes that decode recordings end at once") from None
        except Misbehaved as error:
            self._told(error.why)
            decoder = self._instead(decoder)
            raise error.refusal from None
        except Refusal:
            self._told("refused")
            raise
        finally:
            if not self._closed:
                loop.call_soon_threadsafe(self._put, decoder)

    def _instead(self, decoder: Decoder) -> Decoder:
        """Another process in place of this one."""
        self._all.discard(decoder)
        decoder.close()
        return decoder if self._closed else self._started()

    def _started(self) -> Decoder:
        decoder = Decoder(self._config, self._folder, self._settings)
        self._all.add(decoder)
        return decoder

    def _put(self, decoder: Decoder) -> None:
        self._free.put_nowait(decoder)


def _needed(config: ModelConfig) -> ModelConfig:
    """What encoders read of a configuration; a process that makes features needs no model's settings."""
    return ModelConfig(
        dict(config.modalities),
        config.labels,
        config.speakers,
        encoders=dict(config.encoders),
        normalisation=dict(config.normalisation),
    )


def _heard(done: asyncio.Future[Any]) -> None:
    if not done.cancelled():
        done.exception()
