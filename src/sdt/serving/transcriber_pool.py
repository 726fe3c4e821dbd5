"""A process that transcribes recordings, used by one request at a time; killed when its client goes away."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.reduction import send_handle
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation, Utterance, Word
from sdt.serving import transcriber_worker
from sdt.serving.config import ServingConfig
from sdt.serving.errors import APIError, invalid_request, limit_exceeded
from sdt.serving.predict_request import TranscribeOptions, Upload, temporary_folder
from sdt.serving.worker_process import GRACE, START_SECONDS, DecoderFailed, DecoderLost, WorkerProcess

T = TypeVar("T")
LIVE_SECONDS = 60.0
"""Seconds that the words of one live utterance may take."""
INSTEAD = "a transcript can be sent with the recording instead"
OnProgress = Callable[[str, float, float], None]
"""Called with the stage (`waiting`, `speakers` or `words`), the seconds done, and all seconds (0 if unknown)."""


@dataclass(frozen=True)
class Transcribed:
    """The transcript of a recording."""

    conversation: Conversation
    seconds: float
    """The duration of the recording; 0 if its container does not say it."""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LiveSpeech:
    """What is recognised in live speech; times are seconds of its sound."""

    words: Sequence[Word] = ()
    change: float | None = None
    """When its speaker last changes; None if one person speaks."""


class TranscriberProcess(WorkerProcess):
    """One process, as the service uses it.

    Args:
        name: The name of the recogniser.
        config: The limits.
    """

    def __init__(self, name: str, config: ServingConfig) -> None:
        slow = "transcribe_seconds", "transcribing the recording takes too long"
        arguments = (name, config.transcribe_bytes)
        super().__init__(transcriber_worker.run, arguments, "sdt-transcriber", config, slow)
        self._report: dict[str, Any] | None = None

    def report(self) -> dict[str, Any]:
        """The name and languages of the recogniser; waits until it is loaded.

        Raises:
            APIError: A package or the weights are not installed.
            DecoderFailed: The process does not start.
        """
        if self._report is None:
            failed = APIError(503, "transcriber", "the process that transcribes recordings does not start")
            self._report = self._receive(START_SECONDS, "start", failed)
        if "needs" in self._report:
            raise APIError(501, "not_installed", f"{self._report['needs']}; {INSTEAD}")
        return self._report

    def transcribe(self, upload: Upload, options: TranscribeOptions, progress: OnProgress) -> Transcribed:
        """Transcribe a recording.

        Args:
            upload: The recording.
            options: What the client says about it.
            progress: Called from time to time.

        Raises:
            APIError: It cannot be transcribed.
            DecoderFailed: The process has died or taken too long.
            DecoderLost: The process had ended before.
        """
        self.report()
        text = "a recording crashed the transcriber, or transcribing takes too much memory"
        crashed = limit_exceeded(self._config, "transcribe_bytes", text)
        seconds = self._config.transcribe_seconds
        with temporary_folder() as folder:
            job = {
                "kind": "recording",
                "name": upload.name,
                "folder": str(folder),
                "speakers": options.speakers,
                "language": options.language,
                "channels": options.channels,
                "longest": self._config.recording_seconds,
                "seconds": seconds + GRACE,
            }
            self._send(job, upload)
            until = time.monotonic() + seconds
            while "stage" in (answer := self._receive(until - time.monotonic(), "died", crashed)):
                progress(str(answer["stage"]), float(answer["done"]), float(answer["seconds"]))
        self._raise_refusal(answer)
        utterances = tuple(_utterance(one) for one in answer["utterances"])
        return Transcribed(Conversation(answer["id"], utterances), float(answer["seconds"]), list(answer["notes"]))

    def words(self, samples: npt.NDArray[np.float32], language: str | None) -> LiveSpeech:
        """Recognise live speech.

        Args:
            samples: [n] at 16 kHz, in [-1, 1].
            language: ISO 639-1; None to detect it.

        Raises:
            APIError: The recogniser does not know the language.
            DecoderFailed: The process has died or taken too long.
            DecoderLost: The process had ended before.
        """
        self.report()
        try:
            self._connection.send_bytes(json.dumps({"kind": "words", "language": language}).encode("ascii"))
            self._connection.send_bytes(samples.astype("<f4").tobytes())
        except OSError as error:
            raise DecoderLost from error
        crashed = APIError(503, "transcriber", "the recogniser has ended; say it again")
        answer = self._receive(LIVE_SECONDS, "died", crashed)
        self._raise_refusal(answer)
        return LiveSpeech([Word(**word) for word in answer["words"]], answer["change"])

    def _raise_refusal(self, answer: dict[str, Any]) -> None:
        if "limit" in answer:
            raise limit_exceeded(self._config, answer["limit"], answer["message"])
        if "needs" in answer:
            raise APIError(501, "not_installed", answer["needs"])
        if "refused" in answer:
            raise invalid_request(answer["refused"])

    def _send(self, job: dict[str, Any], upload: Upload) -> None:
        """Send a job and its file, and wait until both have arrived.

        Raises:
            DecoderLost: The process has ended.
        """
        lost = APIError(503, "transcriber", "the process that transcribes recordings has ended")
        try:
            self._connection.send_bytes(json.dumps(job).encode("ascii"))
            send_handle(self._connection, upload.fileno(), self.process.pid)
            self._receive(START_SECONDS, "died", lost)
        except ValueError as error:  # the client has gone, and its file is closed
            raise DecoderFailed("refused", lost) from error
        except (OSError, DecoderFailed) as error:
            raise DecoderLost from error


class TranscriberPool:
    """One process and its queue.

    Args:
        name: The name of the recogniser; None if the service transcribes nothing.
        config: The limits.
        on_result: Called after each recording with its outcome: `made`, `refused`, `cancelled`, `died` or `slow`.
    """

    def __init__(
        self, name: str | None, config: ServingConfig, on_result: Callable[[str], None] = lambda _: None
    ) -> None:
        self._name, self._config, self._on_result = name, config, on_result
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "transcriber")
        self._process: TranscriberProcess | None = None
        self._closed = self._killed = False

    def start(self) -> None:
        """Start the process without waiting until it has loaded its models."""
        if self._name is not None and self._process is None and not self._closed:
            self._process = TranscriberProcess(self._name, self._config)

    def close(self) -> None:
        """Kill the process."""
        self._closed = True
        if self._process is not None:
            self._process.process.kill()
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._process is not None:
            self._process.close()
            self._process = None

    async def report(self) -> dict[str, Any]:
        """The name and languages of the recogniser.

        Raises:
            APIError: The service transcribes nothing, or a package is not installed.
        """
        return await self._with(lambda process: process.report())

    async def transcribe(
        self, upload: Upload, options: TranscribeOptions, progress: OnProgress | None = None
    ) -> Transcribed:
        """Transcribe a recording, after those before it; a cancelled call ends the process.

        Args:
            upload: The recording.
            options: What the client says about it.
            progress: Called from time to time, also in another thread.

        Raises:
            APIError: It cannot be transcribed, or not within the limits.
        """
        say = progress or (lambda *_: None)
        if self._turn.locked():
            say("waiting", 0.0, 0.0)
        try:
            found = await self._with(lambda process: process.transcribe(upload, options, say), kill=True)
        except asyncio.CancelledError:
            self._on_result("cancelled")
            raise
        self._on_result("made")
        return found

    async def words(self, samples: npt.NDArray[np.float32], language: str | None) -> LiveSpeech:
        """Recognise live speech; see `TranscriberProcess.words`.

        Raises:
            APIError: They cannot be recognised.
        """
        return await self._with(lambda process: process.words(samples, language))

    async def _with(self, use: Callable[[TranscriberProcess], T], *, kill: bool = False) -> T:
        """Use the process; if the call is cancelled, the work completes unused, or the process is killed."""
        if self._name is None:
            raise APIError(501, "not_installed", f"this service does not transcribe recordings; {INSTEAD}")
        async with self._turn:
            job = self._thread.submit(self._used, use, kill)
            work = asyncio.wrap_future(job)
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                work.add_done_callback(_retrieve)
                if kill and not job.cancel() and not job.done() and self._process is not None:
                    self._killed = True
                    self._process.process.kill()  # which ends the wait of the thread
                raise

    def _used(self, use: Callable[[TranscriberProcess], T], counted: bool) -> T:
        """Use the process, in the thread; if it has failed, another one is started."""
        how = self._on_result if counted else lambda _: None
        if self._killed:
            self._replace()
        self.start()
        assert self._process is not None
        try:
            try:
                return use(self._process)
            except DecoderLost:  # killed from outside, perhaps by the system for lack of memory
                if self._killed:
                    raise
                self._replace()
                return use(self._process)
        except DecoderLost:
            raise APIError(503, "transcriber", "the process that transcribes recordings ends at once") from None
        except DecoderFailed as error:
            if not self._killed:
                how(error.how)
            self._replace()
            raise error.error from None
        except APIError:
            how("refused")
            raise
        finally:
            if self._killed:
                self._replace()

    def _replace(self) -> None:
        if self._process is not None and not self._closed:
            self._process.close()
            self._process, self._killed = None, False
            self.start()


def _retrieve(done: asyncio.Future[Any]) -> None:
    """Retrieve an exception that nobody waits for; asyncio would log it."""
    if not done.cancelled():
        done.exception()


def _utterance(given: dict[str, Any]) -> Utterance:
    return Utterance(**{**given, "words": tuple(Word(**word) for word in given["words"]), "annotations": ()})
