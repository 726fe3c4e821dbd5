"""From a request's body to conversations: JSON, or multipart with a transcript, recordings, or JSON and clips."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.datastructures import UploadFile
from starlette.requests import Request

from sdt.errors import quoted
from sdt.formats import Transcript
from sdt.models.config import ModelConfig
from sdt.serving.asked import Asked, close
from sdt.serving.from_form import FromForm
from sdt.serving.from_json import FromJson
from sdt.serving.memory import LARGE, MemoryBudget, Usage
from sdt.serving.refusals import Refusal, beyond
from sdt.serving.schemas import StreamSent, UtteranceGiven
from sdt.serving.settings import Settings

T = TypeVar("T")


class Reader:
    """Reads the bodies of requests.

    Two threads read, one of them small bodies, which do not wait for large ones. More threads would keep the event loop
    from the interpreter's lock, each for milliseconds in its turn.

    Args:
        config: The model's; features must fit it.
        settings: The limits.
        budget: What memory is counted in.
    """

    def __init__(self, config: ModelConfig, settings: Settings, budget: MemoryBudget | None = None) -> None:
        self._settings = settings
        self._budget = budget or MemoryBudget(settings)
        self._from_json = FromJson(config, settings)
        self._from_form = FromForm(self._from_json, settings)
        self._small, self._large = CapacityLimiter(1), CapacityLimiter(1)

    async def in_turn(self, size: int, work: Callable[[], T]) -> T:
        """Do work on so many bytes in the thread for small or for large ones, when those before are done."""
        try:
            return await to_thread.run_sync(work, limiter=self._small if size <= LARGE else self._large)
        except Refusal as refusal:  # its traceback holds the body, and is part of a cycle
            raise refusal.with_traceback(None) from None

    @asynccontextmanager
    async def one(self, request: Request) -> AsyncIterator[Asked]:
        """The conversation of `/v1/predict`; its uploads and its memory are given back at the end of the block.

        Raises:
            Refusal: It cannot be read, or is beyond a limit.
        """
        kind = _kind(request)
        read = {"application/json": self._one, "multipart/form-data": self._form}.get(kind)
        if read is None:
            raise Refusal(
                415,
                "media_type",
                f"{quoted(kind) if kind else 'no content-type'}: send application/json or multipart/form-data",
            )
        asked: list[Asked] = []
        with Usage(self._settings, self._budget) as usage:
            try:
                await read(request, usage, asked)
                yield asked[0]
            finally:
                close(asked)

    @asynccontextmanager
    async def several(self, request: Request) -> AsyncIterator[list[Asked]]:
        """The conversations of `/v1/predict/batch`; see `one`.

        Raises:
            Refusal: They cannot be read, or are beyond a limit.
        """
        kind = _kind(request)
        if kind != "application/json":
            raise Refusal(415, "media_type", f"{quoted(kind) if kind else 'no content-type'}: send application/json")
        asked: list[Asked] = []
        with Usage(self._settings, self._budget) as usage:
            try:
                await self._batch(request, usage, asked)
                yield asked
            finally:
                close(asked)

    @asynccontextmanager
    async def transcript(self, request: Request) -> AsyncIterator[Transcript]:
        """The conversations of `/v1/transcript`; their memory is given back at the end of the block.

        Raises:
            Refusal: They cannot be read, or are beyond a limit.
        """
        kind = _kind(request)
        if kind != "multipart/form-data":
            raise Refusal(415, "media_type", f"{quoted(kind) if kind else 'no content-type'}: send multipart/form-data")
        with Usage(self._settings, self._budget) as usage:
            form, size = await self._from_form.parts(request, usage)
            try:
                read = await self.in_turn(size, lambda: self._from_form.transcript(form, usage))
            finally:
                await form.close()
            usage.add(-size)
            yield read

    async def message(self, text: str) -> StreamSent:
        """A message of a stream.

        Raises:
            Refusal: It is none.
        """
        return await self.in_turn(len(text), lambda: self._from_json.sent(text))

    async def number(self, text: str, next: int) -> int | None:
        """The number of the utterance of a message; `next` where it has none, None where it is no utterance."""
        return await self.in_turn(len(text), lambda: self._from_json.number(text, next))

    @asynccontextmanager
    async def utterance(
        self, conversation: str, given: UtteranceGiven, number: int, speaker: str
    ) -> AsyncIterator[Asked]:
        """One utterance of a conversation that goes on, as a conversation of its own; see `FromJson.utterance`."""
        asked: list[Asked] = []
        size = len(given.clip.base64 or "") if given.clip else len(given.text or "")
        with Usage(self._settings, self._budget) as usage:
            try:
                read = self._from_json.utterance
                await self.in_turn(size, lambda: asked.append(read(conversation, given, number, speaker, usage)))
                yield asked[0]
            finally:
                close(asked)

    async def _one(self, request: Request, usage: Usage, asked: list[Asked]) -> None:
        body = await self._body(request, usage)
        await self.in_turn(len(body), lambda: asked.append(self._from_json.conversation(body, {}, usage)))
        usage.add(-len(body))

    async def _batch(self, request: Request, usage: Usage, asked: list[Asked]) -> None:
        body = await self._body(request, usage)
        await self.in_turn(len(body), lambda: asked.extend(self._from_json.batch(body, usage)))
        usage.add(-len(body))

    async def _form(self, request: Request, usage: Usage, asked: list[Asked]) -> None:
        form, size = await self._from_form.parts(request, usage)
        try:
            await self.in_turn(size, lambda: asked.append(self._from_form.asked(form, usage)))
        finally:
            kept = [upload.file for one in asked for upload in one.uploads]
            for _, part in form.multi_items():
                if isinstance(part, UploadFile) and part.file not in kept:
                    part.file.close()
        usage.add(-size)

    async def _body(self, request: Request, usage: Usage) -> bytearray:
        body = bytearray()
        async for chunk in request.stream():
            if len(body) + len(chunk) > self._settings.json_bytes:
                raise beyond(self._settings, "json_bytes", "the JSON body is too long")
            usage.add(len(chunk))
            body += chunk
        return body


def _kind(request: Request) -> str:
    """The media type of the body.

    Raises:
        Refusal: It is compressed.
    """
    coding = request.headers.get("content-encoding", "identity")
    if coding.strip().lower() != "identity":
        raise Refusal(415, "content_encoding", f"content-encoding {quoted(coding)}: send the body as it is")
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
