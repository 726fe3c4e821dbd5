"""From a request's body to conversations: JSON, or multipart with a transcript, recordings, or JSON and clips."""

from __future__ import annotations

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request

from sdt.model.config import ModelConfig
from sdt.serving.asked import Asked, close
from sdt.serving.from_form import FromForm
from sdt.serving.from_json import FromJson, Given, parsed
from sdt.serving.held import Held
from sdt.serving.refusals import Refusal, beyond, invalid
from sdt.serving.schemas import BatchGiven, ConversationGiven, UtteranceGiven
from sdt.serving.settings import Settings
from sdt.transcripts import Transcript
from sdt.transcripts.transcript import tidy


class Reader:
    """Reads the bodies of requests.

    Args:
        config: The model's; features must fit it.
        settings: The limits.
        held: What JSON in memory is counted in.
    """

    def __init__(self, config: ModelConfig, settings: Settings, held: Held | None = None) -> None:
        self._settings = settings
        self._held = held or Held(settings)
        self._from_json = FromJson(config, settings)
        self._from_form = FromForm(self._from_json, settings)

    async def one(self, request: Request) -> Asked:
        """The conversation of `/v1/predict`.

        Raises:
            Refusal: It cannot be read, or is beyond a limit.
        """
        kind = _kind(request)
        if kind == "application/json":
            make = self._from_json.conversation
            return (await self._json(request, ConversationGiven, lambda given: [make(given, {})]))[0]
        if kind != "multipart/form-data":
            raise Refusal(
                415, "media_type", f"{kind or 'no content-type'}: send application/json or multipart/form-data"
            )
        form = await self._from_form.parts(request)
        asked: Asked | None = None
        try:
            asked = await run_in_threadpool(self._from_form.asked, form)
        finally:
            kept = [upload.file for upload in asked.uploads] if asked else []
            for _, part in form.multi_items():
                if isinstance(part, UploadFile) and part.file not in kept:
                    part.file.close()
        return asked

    async def transcript(self, request: Request) -> Transcript:
        """The conversations of `/v1/transcript`.

        Raises:
            Refusal: They cannot be read, or are beyond a limit.
        """
        kind = _kind(request)
        if kind != "multipart/form-data":
            raise Refusal(415, "media_type", f"{kind or 'no content-type'}: send multipart/form-data")
        form = await self._from_form.parts(request)
        try:
            return await run_in_threadpool(self._from_form.transcript, form)
        finally:
            await form.close()

    async def several(self, request: Request) -> list[Asked]:
        """The conversations of `/v1/predict/batch`.

        Raises:
            Refusal: They cannot be read, or are beyond a limit.
        """
        kind = _kind(request)
        if kind != "application/json":
            raise Refusal(415, "media_type", f"{kind or 'no content-type'}: send application/json")
        return await self._json(request, BatchGiven, self._batch)

    def utterance(self, conversation: str, given: UtteranceGiven, number: int, speaker: str) -> Asked:
        """One utterance of a conversation that goes on, as a conversation of its own; blocks.

        Args:
            conversation: Its id.
            given: The utterance.
            number: Its number in the conversation, from 0; its id where it has none.
            speaker: Who speaks where it does not say.

        Raises:
            Refusal: It cannot be used, or is beyond a limit.
        """
        if given.clip is not None and given.clip.part is not None:
            raise invalid("clip.part: there is no multipart body here; send the clip in base64")
        spoken = given.speaker if tidy(given.speaker or "") else speaker
        complete = given.model_copy(update={"id": given.id or str(number), "speaker": spoken})
        alone = ConversationGiven.model_construct(id=conversation, utterances=[complete])
        return self._from_json.conversation(alone, {}, number + 1)

    async def _json(self, request: Request, model: type[Given], make: Callable[[Given], list[Asked]]) -> list[Asked]:
        """Read JSON, checked and made into conversations in a thread."""
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in request.stream():
                size += len(chunk)
                self._held.bytes += len(chunk)
                if size > self._settings.json_bytes:
                    raise beyond(self._settings, "json_bytes", "the JSON body is too long")
                if self._held.full:
                    raise beyond(self._settings, "held_bytes", "the service holds as much JSON as it may")
                chunks.append(chunk)
            body = b"".join(chunks)
            chunks.clear()
            return await run_in_threadpool(lambda: make(parsed(model, body)))
        finally:
            self._held.bytes -= size

    def _batch(self, given: BatchGiven) -> list[Asked]:
        if len(given.conversations) > self._settings.conversations:
            raise beyond(self._settings, "conversations", f"the batch has {len(given.conversations):,} conversations")
        asked: list[Asked] = []
        try:
            asked += (self._from_json.conversation(one, {}) for one in given.conversations)
        except BaseException:
            close(asked)
            raise
        return asked


def _kind(request: Request) -> str:
    """The media type of the body."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
