"""From JSON to a conversation, its features and its clips; read an utterance at a time."""

from __future__ import annotations

import base64
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
from sdt.serving.asked import Asked, check_text, close
from sdt.serving.json_outline import OUTSIDE, Outline, TooManyItems, bound, outline
from sdt.serving.memory import Usage
from sdt.serving.refusals import Refusal, beyond, invalid
from sdt.serving.schemas import BatchGiven, ClipGiven, ConversationGiven, StreamSent, UtteranceGiven
from sdt.serving.settings import Settings
from sdt.serving.uploads import Upload
from sdt.serving.validation import DETAILS, Detail, Given, not_valid, parsed

Body = bytes | bytearray | memoryview
_STRING_VALUE = re.compile(rb'\s*:\s*"')
_NOT_BASE64 = {b"\\/": b"/", b"\\n": b"", b"\\r": b"", b"\n": b"", b"\r": b"", b" ": b""}
"""What is in base64 that was wrapped, or is within JSON, and what it stands for."""
_DATA = 200
"""Bytes of a data URL before its base64."""
_PIECE = 2**20
"""Bytes of base64 that are decoded together; four are three."""


class FromJson:
    """Makes conversations of JSON.

    Args:
        config: The model's; features must fit it.
        settings: The limits.
    """

    def __init__(self, config: ModelConfig, settings: Settings) -> None:
        self._config, self._settings = config, settings
        self._values = OUTSIDE + sum(config.modalities.values())
        # Every character may be escaped, and every number as long as it may be.
        self._bytes = 12 * settings.characters + 32 * self._values

    def conversation(self, body: Body, files: Mapping[str, UploadFile], usage: Usage, where: str = "") -> Asked:
        """A conversation of JSON as a conversation of a transcript would be read.

        Args:
            body: The JSON.
            files: Name to file, of those that came beside it.
            usage: What it takes is counted there.
            where: What stands before the places that messages name.

        Raises:
            Refusal: It cannot be used, or is beyond a limit.
        """
        view = memoryview(body)
        divided = self._divided(view, "utterances", b"[{}]", self._values, where)
        given = self._parsed(ConversationGiven, divided.rest, where)
        usage.add_utterances(len(divided.items))
        draft = _Draft(given.id, len(divided.items), self._config, self._settings, files, usage)
        problems: list[Detail] = []
        try:
            for number, (begin, end) in enumerate(divided.items):
                try:
                    said = self._parsed(UtteranceGiven, bytes(view[begin:end]), f"{where}utterances.{number}.")
                except Refusal as refusal:
                    if not refusal.details:
                        raise
                    problems.extend(refusal.details)
                    if len(problems) >= DETAILS:
                        break
                else:
                    if not problems:
                        draft.add(said)
            if problems:
                raise not_valid(problems)
            return draft.asked()
        except BaseException:
            draft.close()
            raise

    def batch(self, body: Body, usage: Usage) -> list[Asked]:
        """The conversations of a batch.

        Raises:
            Refusal: See `conversation`.
        """
        view = memoryview(body)
        divided = self._divided(view, "conversations", b'[{"utterances":[{}]}]', sys.maxsize, "")
        self._parsed(BatchGiven, divided.rest)
        asked: list[Asked] = []
        try:
            for number, (begin, end) in enumerate(divided.items):
                asked.append(self.conversation(view[begin:end], {}, usage, f"conversations.{number}."))
        except BaseException:
            close(asked)
            raise
        return asked

    def sent(self, message: str) -> StreamSent:
        """A message of a stream.

        Raises:
            Refusal: It is none.
        """
        content = message.encode()
        bound(memoryview(content), self._values)
        return self._parsed(StreamSent, content)

    def number(self, message: str, next: int) -> int | None:
        """The number of the utterance of a message; `next` where it has none, None where it is no utterance."""
        content = message.encode()
        if len(content) > self._bytes:
            return None
        try:
            bound(memoryview(content), self._values)
            value = from_json(content)
        except (Refusal, ValueError):
            return None
        if not isinstance(value, dict) or value.get("type") != "utterance":
            return None
        seq = value.get("seq", next)
        return seq if isinstance(seq, int) and not isinstance(seq, bool) else None

    def utterance(self, conversation: str, given: UtteranceGiven, number: int, speaker: str, usage: Usage) -> Asked:
        """One utterance of a conversation that goes on, as a conversation of its own.

        Args:
            conversation: Its id.
            given: The utterance.
            number: Its number in the conversation, from 0; its id where it has none.
            speaker: Who speaks where it does not say.
            usage: What it takes is counted there.

        Raises:
            Refusal: It cannot be used, or is beyond a limit.
        """
        if given.clip is not None and given.clip.part is not None:
            raise invalid("clip.part: there is no multipart body here; send the clip in base64")
        spoken = given.speaker if tidy(given.speaker or "") else speaker
        draft = _Draft(conversation, 1, self._config, self._settings, {}, usage, first=number)
        try:
            draft.add(given.model_copy(update={"id": given.id or str(number), "speaker": spoken}))
            return draft.asked()
        except BaseException:
            draft.close()
            raise

    def _parsed(self, model: type[Given], part: bytes, where: str = "") -> Given:
        """A part of a body that has few values as an object of the schema; the base64 of a long clip is not parsed.

        Raises:
            Refusal: It is longer than its values can be, but for a clip; or see `parsed`.
        """
        if len(part) <= self._bytes:
            return parsed(model, part, where)
        short, written = _without_clip(part)
        clip = None
        if len(short) <= self._bytes:
            given = parsed(model, short, where)
            clip = getattr(getattr(given, "root", given), "clip", None)
        if clip is None or clip.base64 != "":
            what = f"{where[:-1] or 'the JSON'} has {len(part):,} bytes and no clip"
            raise beyond(self._settings, "characters", what)
        clip.long = written
        return given

    def _divided(self, body: memoryview, limit: str, instead: bytes, values: int, where: str) -> Outline:
        """A body, divided at the items of the list that is called like its limit."""
        most = getattr(self._settings, limit)
        try:
            return outline(body, limit, instead=instead, items=most, values=values, where=where)
        except TooManyItems:
            raise beyond(self._settings, limit, f"{where}{limit}: has more than {most:,} items") from None


class _Draft:
    """A conversation to which utterances are added; `files` are those beside the JSON."""

    def __init__(
        self,
        id: str,
        size: int,
        config: ModelConfig,
        settings: Settings,
        files: Mapping[str, UploadFile],
        usage: Usage,
        first: int = 0,
    ) -> None:
        self._id, self._size, self._first = id, size, first
        self._widths, self._settings, self._files, self._usage = config.modalities, settings, files, usage
        self._turns: list[Turn] = []
        self._features: dict[str, Encoded] = {}
        self._uploads: list[Upload] = []

    def add(self, said: UtteranceGiven) -> None:
        """One more utterance; its features and its clip are taken out of it.

        Raises:
            Refusal: They cannot be used, or it is beyond a limit.
        """
        row = len(self._turns)
        id_ = str(row) if said.id is None else said.id
        check_text(self._settings, self._id, id_, said.text)
        self._turns.append(_turn(self._id, self._first + row + 1, said))
        for modality, values in (said.features or {}).items():
            self._add_features(row, modality, values, f"utterance {quoted(id_)}: features of {quoted(modality)}")
        if said.clip is not None:
            self._uploads.append(self._clip(said.clip, id_))

    def asked(self) -> Asked:
        """The conversation.

        Raises:
            Refusal: Its utterances make no sense together.
        """
        try:
            transcript = assemble(Path("conversation"), self._turns, [])
        except InputError as error:
            raise invalid(str(error).replace(", line ", ", utterance in place ")) from None
        (conversation,) = transcript.conversations
        for encoded in self._features.values():
            encoded.problems.extend(
                f"{conversation.id}/{utterance.id}: no features were given"
                for utterance, there in zip(conversation.utterances, encoded.present, strict=True)
                if not there
            )
        return Asked(conversation, list(transcript.notes), self._features, self._uploads)

    def close(self) -> None:
        """Give the uploads back to the system."""
        for upload in self._uploads:
            upload.close()

    def _add_features(self, row: int, modality: str, values: list[float] | None, where: str) -> None:
        if modality not in self._widths:
            raise invalid(f"{where}: the model has no such modality{near_miss(modality[:80], self._widths)}")
        width = self._widths[modality]
        if modality not in self._features:
            self._usage.add(4 * self._size * width)
            empty = np.zeros((self._size, width), dtype=np.float32)
            self._features[modality] = Encoded(empty, np.zeros(self._size, dtype=np.bool_), [])
        if values is None:
            return
        if len(values) != width:
            raise invalid(f"{where}: are {len(values)}, and the model wants {width}")
        with np.errstate(over="ignore"):  # what is too large for float32 is said below
            vector = np.array(values, dtype=np.float32)
        if not np.isfinite(vector).all():
            raise invalid(f"{where}: are too large")
        encoded = self._features[modality]
        encoded.features[row], encoded.present[row] = vector, True

    def _clip(self, clip: ClipGiven, utterance: str) -> Upload:
        number = self._usage.add_file()
        if clip.base64 is not None:
            return _decoded(clip.long or clip.base64.encode(), f"{number}.clip", utterance)
        file = self._files.get(clip.part or "")
        if file is None:
            raise invalid(f"utterance {quoted(utterance)}: the body has no file {quoted(clip.part)} for its clip")
        suffix = (file.filename or "").rpartition(".")[2][:5]
        return Upload(file.file, f"{number}.{suffix or 'clip'}", utterance)


def _without_clip(part: bytes) -> tuple[bytes, bytes]:
    """An utterance with no base64 in its clip, and that base64 as JSON has it."""
    key = part.find(b'"base64"')
    begins = _STRING_VALUE.match(part, key + len(b'"base64"')) if key >= 0 else None
    if begins is None:
        return part, b""
    ends = part.find(b'"', begins.end())
    return part[: begins.end()] + part[ends:], part[begins.end() : ends]


def _decoded(written: bytes, name: str, utterance: str) -> Upload:
    """The content of base64, as it is or in a `data:` URL, with line breaks or without.

    Raises:
        Refusal: It is no base64.
    """
    for sign, instead in _NOT_BASE64.items():
        written = written.replace(sign, instead)
    first = 0
    if written[:5].lower() == b"data:":
        first = written.find(b",", 0, _DATA) + 1
        if not written[:first].lower().endswith(b";base64,"):
            raise invalid(f"utterance {quoted(utterance)}: its clip is a data URL without ;base64")
    upload = Upload.of_bytes(b"", name, utterance)
    try:
        for begin in range(first, len(written), _PIECE):
            piece = written[begin : begin + _PIECE]
            if piece.endswith(b"=") and begin + _PIECE < len(written):
                raise ValueError
            upload.file.write(base64.b64decode(piece, validate=True))
    except ValueError:
        upload.close()
        raise invalid(f"utterance {quoted(utterance)}: its clip is not base64") from None
    return upload


def _turn(conversation: str, number: int, said: UtteranceGiven) -> Turn:
    """An utterance as a transcript's reader would give it."""
    return Turn(
        line=number,
        text=tidy(said.text or "") or None,
        speaker=tidy(said.speaker or "") or None,
        start=None if said.start is None else round(said.start, 6),
        end=None if said.end is None else round(said.end, 6),
        id=said.id,
        label=said.label,
        conversation=conversation,
        review=said.review if said.label else None,
    )
