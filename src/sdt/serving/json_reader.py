"""Parsing of JSON conversations with features and clips, one utterance at a time."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic_core import from_json
from starlette.datastructures import UploadFile

from sdt.encoders.encoder import Encoded
from sdt.errors import InputError, near_miss, quoted
from sdt.formats.transcript import Turn, assemble, tidy
from sdt.models.config import ModelConfig
from sdt.serving.bounded_json import MAX_OUTSIDE, Outline, TooManyItems, check_bounds, outline
from sdt.serving.config import ServingConfig
from sdt.serving.errors import APIError, invalid_request, limit_exceeded
from sdt.serving.limits import RequestUsage
from sdt.serving.predict_request import PredictRequest, Upload, check_text, close_uploads
from sdt.serving.schemas import BatchInput, ClipInput, ConversationInput, StreamMessage, UtteranceInput
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
        builder = _RequestBuilder(given.id, len(divided.items), self._model, self._config, files, usage)
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
        builder = _RequestBuilder(conversation, 1, self._model, self._config, {}, usage, first=number)
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


class _RequestBuilder:
    """Builds a request utterance by utterance; `files` are those of the same multipart body."""

    def __init__(
        self,
        id: str,
        size: int,
        model: ModelConfig,
        config: ServingConfig,
        files: Mapping[str, UploadFile],
        usage: RequestUsage,
        first: int = 0,
    ) -> None:
        self._id, self._size, self._first = id, size, first
        self._widths, self._config, self._files, self._usage = model.modalities, config, files, usage
        self._turns: list[Turn] = []
        self._features: dict[str, Encoded] = {}
        self._uploads: list[Upload] = []

    def add(self, given: UtteranceInput) -> None:
        """Add an utterance with its features and its clip.

        Raises:
            APIError: They cannot be used, or exceed a limit.
        """
        row = len(self._turns)
        id_ = str(row) if given.id is None else given.id
        check_text(self._config, self._id, id_, given.text)
        self._turns.append(_turn(self._id, self._first + row + 1, given))
        for modality, values in (given.features or {}).items():
            self._add_features(row, modality, values, f"utterance {quoted(id_)}: features of {quoted(modality)}")
        if given.clip is not None:
            self._uploads.append(self._clip(given.clip, id_))

    def request(self) -> PredictRequest:
        """The finished request.

        Raises:
            APIError: Its utterances contradict each other.
        """
        try:
            transcript = assemble(Path("conversation"), self._turns, [])
        except InputError as error:
            raise invalid_request(str(error).replace(", line ", ", utterance in place ")) from None
        (conversation,) = transcript.conversations
        for encoded in self._features.values():
            encoded.problems.extend(
                f"{conversation.id}/{utterance.id}: no features were given"
                for utterance, present in zip(conversation.utterances, encoded.present, strict=True)
                if not present
            )
        return PredictRequest(conversation, list(transcript.notes), self._features, self._uploads)

    def close(self) -> None:
        """Close the uploads."""
        for upload in self._uploads:
            upload.close()

    def _add_features(self, row: int, modality: str, values: list[float] | None, where: str) -> None:
        if modality not in self._widths:
            raise invalid_request(f"{where}: unknown modality{near_miss(modality[:80], self._widths)}")
        width = self._widths[modality]
        if modality not in self._features:
            self._usage.add(4 * self._size * width)
            empty = np.zeros((self._size, width), dtype=np.float32)
            self._features[modality] = Encoded(empty, np.zeros(self._size, dtype=np.bool_), [])
        if values is None:
            return
        if len(values) != width:
            raise invalid_request(f"{where}: has {len(values)} values; the model expects {width}")
        with np.errstate(over="ignore"):  # values beyond float32 are refused below
            vector = np.array(values, dtype=np.float32)
        if not np.isfinite(vector).all():
            raise invalid_request(f"{where}: values are too large for float32")
        encoded = self._features[modality]
        encoded.features[row], encoded.present[row] = vector, True

    def _clip(self, clip: ClipInput, utterance: str) -> Upload:
        number = self._usage.add_file()
        if clip.base64 is not None:
            return Upload.from_base64(clip.unparsed or clip.base64.encode(), f"{number}.clip", utterance)
        file = self._files.get(clip.part or "")
        if file is None:
            raise invalid_request(
                f"utterance {quoted(utterance)}: the body has no file {quoted(clip.part)} for its clip"
            )
        suffix = (file.filename or "").rpartition(".")[2][:5]
        return Upload(file.file, f"{number}.{suffix or 'clip'}", utterance)


def _without_clip(part: bytes) -> tuple[bytes, bytes]:
    """An utterance with an empty base64 in its clip, and that base64 as JSON contains it."""
    key = part.find(b'"base64"')
    begins = _STRING_VALUE.match(part, key + len(b'"base64"')) if key >= 0 else None
    if begins is None:
        return part, b""
    ends = part.find(b'"', begins.end())
    return part[: begins.end()] + part[ends:], part[begins.end() : ends]


def _turn(conversation: str, number: int, given: UtteranceInput) -> Turn:
    """An utterance as a transcript's reader returns it."""
    return Turn(
        line=number,
        text=tidy(given.text or "") or None,
        speaker=tidy(given.speaker or "") or None,
        start=None if given.start is None else round(given.start, 6),
        end=None if given.end is None else round(given.end, 6),
        id=given.id,
        label=given.label,
        conversation=conversation,
        review=given.review if given.label else None,
    )
