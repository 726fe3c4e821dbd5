"""Parsing of JSON conversations with features and clips, one utterance at a time."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from pydantic_core import from_json
from starlette.datastructures import UploadFile

from sdt.formats.transcript import tidy
from sdt.models.config import ModelConfig
from sdt.serving.bounded_json import MAX_OUTSIDE, Outline, TooManyItems, check_bounds, outline
from sdt.serving.config import ServingConfig
from sdt.serving.errors import APIError, invalid_request, limit_exceeded
from sdt.serving.limits import RequestUsage
from sdt.serving.predict_request import PredictRequest, close_uploads
from sdt.serving.request_builder import RequestBuilder
from sdt.serving.schemas import BatchInput, ConversationInput, StreamMessage, UtteranceInput
from sdt.serving.speech_schemas import ListenMessage
from sdt.serving.validation import MAX_DETAILS, Detail, Input, validate, validation_error

Body = bytes | bytearray | memoryview
_STRING_VALUE = re.compile(rb'\s*:\s*"')


class JsonReader:
    """Reads conversations from JSON.

    Args:
        model: The model's configuration, which features must match.
        config: The limits.
    """

    def __init__(self, model: ModelConfig, config: ServingConfig) -> None:
        self._model, self._config = model, config
        self._values = MAX_OUTSIDE + sum(model.modalities.values())
        # All characters may be escaped, and all numbers may have the maximum length.
        self._bytes = 12 * config.characters + 32 * self._values

    def conversation(
        self, body: Body, files: Mapping[str, UploadFile], usage: RequestUsage, where: str = ""
    ) -> PredictRequest:
        """Read a conversation; it is assembled like that of a transcript.

        Args:
            body: The JSON.
            files: The files of the same multipart body by name.
            usage: Counts what the conversation uses.
            where: The prefix of the places that error messages name.

        Raises:
            APIError: It cannot be used, or exceeds a limit.
        """
        view = memoryview(body)
        divided = self._divided(view, "utterances", b"[{}]", self._values, where)
        given = self._validated(ConversationInput, divided.rest, where)
        usage.add_utterances(len(divided.items))
        builder = RequestBuilder(given.id, len(divided.items), self._model, self._config, files, usage)
        problems: list[Detail] = []
        try:
            for number, (begin, end) in enumerate(divided.items):
                try:
                    utterance = self._validated(UtteranceInput, bytes(view[begin:end]), f"{where}utterances.{number}.")
                except APIError as error:
                    if not error.details:
                        raise
                    problems.extend(error.details)
                    if len(problems) >= MAX_DETAILS:
                        break
                else:
                    if not problems:
                        builder.add(utterance)
            if problems:
                raise validation_error(problems)
            return builder.request()
        except BaseException:
            builder.close()
            raise

    def batch(self, body: Body, usage: RequestUsage) -> list[PredictRequest]:
        """Read the conversations of a batch.

        Raises:
            APIError: See `conversation`.
        """
        view = memoryview(body)
        divided = self._divided(view, "conversations", b'[{"utterances":[{}]}]', sys.maxsize, "")
        self._validated(BatchInput, divided.rest)
        requests: list[PredictRequest] = []
        try:
            for number, (begin, end) in enumerate(divided.items):
                requests.append(self.conversation(view[begin:end], {}, usage, f"conversations.{number}."))
        except BaseException:
            close_uploads(requests)
            raise
        return requests

    def stream_message(self, message: str) -> StreamMessage:
        """Parse a message of a stream.

        Raises:
            APIError: It is not valid.
        """
        content = message.encode()
        check_bounds(memoryview(content), self._values)
        return self._validated(StreamMessage, content)

    def listen_message(self, message: str) -> ListenMessage:
        """Parse a text message of a client that sends live speech; see `stream_message`."""
        content = message.encode()
        check_bounds(memoryview(content), self._values)
        return self._validated(ListenMessage, content)

    def sequence_number(self, message: str, default: int) -> int | None:
        """The `seq` of a stream message; `default` if it has none, None if it is not an utterance."""
        content = message.encode()
        if len(content) > self._bytes:
            return None
        try:
            check_bounds(memoryview(content), self._values)
            value = from_json(content)
        except (APIError, ValueError):
            return None
        if not isinstance(value, dict) or value.get("type") != "utterance":
            return None
        seq = value.get("seq", default)
        return seq if isinstance(seq, int) and not isinstance(seq, bool) else None

    def stream_utterance(
        self, conversation: str, given: UtteranceInput, number: int, speaker: str, usage: RequestUsage
    ) -> PredictRequest:
        """One utterance of a stream as a request.

        Args:
            conversation: The id of the conversation.
            given: The utterance.
            number: Its number in the conversation, from 0; its default id.
            speaker: Its default speaker.
            usage: Counts what the utterance uses.

        Raises:
            APIError: It cannot be used, or exceeds a limit.
        """
        if given.clip is not None and given.clip.part is not None:
            raise invalid_request("clip.part: a stream has no multipart body; send the clip in base64")
        spoken = given.speaker if tidy(given.speaker or "") else speaker
        builder = RequestBuilder(conversation, 1, self._model, self._config, {}, usage, first=number)
        try:
            builder.add(given.model_copy(update={"id": given.id or str(number), "speaker": spoken}))
            return builder.request()
        except BaseException:
            builder.close()
            raise

    def _validated(self, schema: type[Input], part: bytes, where: str = "") -> Input:
        """A part of a body with few values as an object of the schema; the base64 of a long clip is not parsed.

        Raises:
            APIError: It is too long, clip excluded; or see `validate`.
        """
        if len(part) <= self._bytes:
            return validate(schema, part, where)
        short, written = _without_clip(part)
        clip = None
        if len(short) <= self._bytes:
            given = validate(schema, short, where)
            clip = getattr(getattr(given, "root", given), "clip", None)
        if clip is None or clip.base64 != "":
            what = f"{where[:-1] or 'the JSON'} has {len(part):,} bytes and no clip"
            raise limit_exceeded(self._config, "characters", what)
        clip.unparsed = written
        return given

    def _divided(self, body: memoryview, limit: str, placeholder: bytes, values: int, where: str) -> Outline:
        """A body, divided at the items of the list that has the name of its limit."""
        most = getattr(self._config, limit)
        try:
            return outline(body, limit, placeholder=placeholder, items=most, values=values, where=where)
        except TooManyItems:
            raise limit_exceeded(self._config, limit, f"{where}{limit}: has more than {most:,} items") from None


def _without_clip(part: bytes) -> tuple[bytes, bytes]:
    """An utterance with an empty base64 in its clip, and that base64 as JSON contains it."""
    key = part.find(b'"base64"')
    begins = _STRING_VALUE.match(part, key + len(b'"base64"')) if key >= 0 else None
    if begins is None:
        return part, b""
    ends = part.find(b'"', begins.end())
    return part[: begins.end()] + part[ends:], part[begins.end() : ends]
