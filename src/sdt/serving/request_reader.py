"""Parsing of request bodies: JSON, or multipart with a transcript, recordings, or JSON and clips."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from anyio import CancelScope, CapacityLimiter, to_thread
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from sdt.errors import quoted
from sdt.formats import Transcript
from sdt.models.config import ModelConfig
from sdt.serving.config import ServingConfig
from sdt.serving.errors import APIError, limit_exceeded
from sdt.serving.form_reader import FormReader
from sdt.serving.json_reader import JsonReader
from sdt.serving.limits import LARGE, MemoryBudget, RequestUsage
from sdt.serving.predict_request import PredictRequest, close_uploads
from sdt.serving.schemas import StreamMessage, UtteranceInput
from sdt.serving.speech_schemas import ListenMessage

T = TypeVar("T")
JSON, FORM = "application/json", "multipart/form-data"


class RequestReader:
    """Reads the bodies of requests.

    Two threads parse; one of them parses only small bodies, so that these do not wait for large ones. More threads
    would compete with the event loop for the interpreter lock.

    Args:
        model: The model's configuration, which features must match.
        config: The limits.
        budget: Counts the memory of all requests.
    """

    def __init__(self, model: ModelConfig, config: ServingConfig, budget: MemoryBudget | None = None) -> None:
        self._config = config
        self._budget = budget or MemoryBudget(config)
        self._json = JsonReader(model, config)
        self._forms = FormReader(self._json, config)
        self._small, self._large = CapacityLimiter(1), CapacityLimiter(1)

    async def run_in_thread(self, size: int, work: Callable[[], T]) -> T:
        """Run work on a body of this size in the queue of the thread for small or for large bodies."""
        try:
            return await to_thread.run_sync(work, limiter=self._small if size <= LARGE else self._large)
        except APIError as error:  # its traceback holds the body, and is part of a reference cycle
            raise error.with_traceback(None) from None

    @asynccontextmanager
    async def predict_request(self, request: Request) -> AsyncIterator[PredictRequest]:
        """Read the body of `/v1/predict`; its uploads and memory are released at the end of the block.

        Raises:
            APIError: The body cannot be read, or exceeds a limit.
        """
        read = self._from_form if _media_type(request, JSON, FORM) == FORM else self._from_json
        found: list[PredictRequest] = []
        with RequestUsage(self._config, self._budget) as usage:
            try:
                await read(request, usage, found)
                yield found[0]
            finally:
                await _close(found)

    @asynccontextmanager
    async def batch_request(self, request: Request) -> AsyncIterator[list[PredictRequest]]:
        """Read the body of `/v1/predict/batch`; see `predict_request`."""
        _media_type(request, JSON)
        found: list[PredictRequest] = []
        with RequestUsage(self._config, self._budget) as usage:
            try:
                body = await self._body(request, usage)
                await self.run_in_thread(len(body), lambda: found.extend(self._json.batch(body, usage)))
                usage.add(-len(body))
                yield found
            finally:
                await _close(found)

    @asynccontextmanager
    async def transcript(self, request: Request) -> AsyncIterator[Transcript]:
        """Read the body of `/v1/transcript`; its memory is released at the end of the block.

        Raises:
            APIError: The body cannot be read, or exceeds a limit.
        """
        _media_type(request, FORM)
        with RequestUsage(self._config, self._budget) as usage:
            form, size = await self._forms.parse(request, usage)
            try:
                read = await self.run_in_thread(size, lambda: self._forms.transcript(form, usage))
            finally:
                await _close(form=form)
            usage.add(-size)
            yield read

    @asynccontextmanager
    async def recording(self, request: Request) -> AsyncIterator[PredictRequest]:
        """Read the body of `/v1/transcribe`; see `predict_request`."""
        _media_type(request, FORM)
        found: list[PredictRequest] = []
        with RequestUsage(self._config, self._budget) as usage:
            try:
                form, size = await self._forms.parse(request, usage)
                try:
                    found.append(self._forms.recording(form))
                finally:
                    await _close(form=form, kept=found)
                usage.add(-size)
                yield found[0]
            finally:
                await _close(found)

    async def stream_message(self, text: str) -> StreamMessage:
        """Parse a message of a stream.

        Raises:
            APIError: It is not valid.
        """
        return await self.run_in_thread(len(text), lambda: self._json.stream_message(text))

    async def listen_message(self, text: str) -> ListenMessage:
        """Parse a text message of `/v1/listen`.

        Raises:
            APIError: It is not valid.
        """
        return await self.run_in_thread(len(text), lambda: self._json.listen_message(text))

    async def sequence_number(self, text: str, default: int) -> int | None:
        """The `seq` of a stream message; `default` if it has none, None if it is not an utterance."""
        return await self.run_in_thread(len(text), lambda: self._json.sequence_number(text, default))

    @asynccontextmanager
    async def stream_utterance(
        self, conversation: str, given: UtteranceInput, number: int, speaker: str
    ) -> AsyncIterator[PredictRequest]:
        """One utterance of a stream as a request; see `JsonReader.stream_utterance`."""
        found: list[PredictRequest] = []
        size = len(given.clip.base64 or "") if given.clip else len(given.text or "")
        with RequestUsage(self._config, self._budget) as usage:
            try:
                read = self._json.stream_utterance
                await self.run_in_thread(size, lambda: found.append(read(conversation, given, number, speaker, usage)))
                yield found[0]
            finally:
                await _close(found)

    async def _from_json(self, request: Request, usage: RequestUsage, found: list[PredictRequest]) -> None:
        body = await self._body(request, usage)
        await self.run_in_thread(len(body), lambda: found.append(self._json.conversation(body, {}, usage)))
        usage.add(-len(body))

    async def _from_form(self, request: Request, usage: RequestUsage, found: list[PredictRequest]) -> None:
        form, size = await self._forms.parse(request, usage)
        try:
            await self.run_in_thread(size, lambda: found.append(self._forms.predict_request(form, usage)))
        finally:
            await _close(form=form, kept=found)
        usage.add(-size)

    async def _body(self, request: Request, usage: RequestUsage) -> bytearray:
        body = bytearray()
        async for chunk in request.stream():
            if len(body) + len(chunk) > self._config.json_bytes:
                raise limit_exceeded(self._config, "json_bytes", "the JSON body is too long")
            usage.add(len(chunk))
            body += chunk
        return body


async def _close(
    found: Sequence[PredictRequest] = (), form: FormData | None = None, kept: Sequence[PredictRequest] = ()
) -> None:
    """Close the uploads of requests, and the files of a form but those kept for requests; in a thread.

    Every file that is closed releases the interpreter's lock. Hundreds of them would stop the event loop while other
    threads compute.
    """
    parts = [] if form is None else [part.file for _, part in form.multi_items() if isinstance(part, UploadFile)]
    uploads = [upload.file for one in kept for upload in one.uploads]
    if not parts and not any(one.uploads for one in found):
        return

    def close() -> None:
        close_uploads(found)
        for file in parts:
            if file not in uploads:
                file.close()

    with CancelScope(shield=True):
        await to_thread.run_sync(close)


def _media_type(request: Request, *allowed: str) -> str:
    """The media type of the body, one of the allowed ones.

    Raises:
        APIError: It is another one, or the body is compressed.
    """
    coding = request.headers.get("content-encoding", "identity")
    if coding.strip().lower() != "identity":
        raise APIError(415, "content_encoding", f"content-encoding {quoted(coding)}: send the body uncompressed")
    found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found not in allowed:
        stated = f"content-type {quoted(found)}" if found else "no content-type"
        raise APIError(415, "media_type", f"{stated}: send {' or '.join(allowed)}")
    return found
