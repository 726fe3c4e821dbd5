"""From a request's body to conversations: JSON, or multipart with a transcript, recordings, or JSON and clips."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import python_multipart  # noqa: F401 - without it, only a body would show that it is missing
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError, near_miss
from sdt.features.encoder import Encoded
from sdt.model.config import ModelConfig
from sdt.serving.held import Held
from sdt.serving.refusals import Refusal, beyond, invalid
from sdt.serving.schemas import BatchGiven, ConversationGiven, UtteranceGiven
from sdt.serving.settings import Settings
from sdt.serving.uploads import Upload, named, plain_name
from sdt.transcripts import read_transcript
from sdt.transcripts.transcript import Turn, assemble, tidy

Given = TypeVar("Given", bound=BaseModel)
PARTS = ("conversation", "transcript", "media", "format")
"""The parts of a multipart body; any other is the clip of the utterance that names it."""
DETAILS = 20
"""What is not valid is listed up to so many times."""


@dataclass
class Asked:
    """A conversation that a request asks about."""

    conversation: Conversation
    notes: list[str] = field(default_factory=list)
    given: dict[str, Encoded] = field(default_factory=dict)
    """Modality to the features that the request brings."""
    uploads: list[Upload] = field(default_factory=list)


class Reader:
    """Reads the bodies of requests.

    Args:
        config: The model's; features must fit it.
        settings: The limits.
        held: What JSON in memory is counted in.
    """

    def __init__(self, config: ModelConfig, settings: Settings, held: Held | None = None) -> None:
        self._config, self._settings = config, settings
        self._held = held or Held(settings)

    async def one(self, request: Request) -> Asked:
        """The conversation of `/v1/predict`.

        Raises:
            Refusal: It cannot be read, or is beyond a limit.
        """
        kind = _kind(request)
        if kind == "application/json":
            return (await self._json(request, ConversationGiven, lambda given: [self._conversation(given, {})]))[0]
        if kind != "multipart/form-data":
            raise Refusal(
                415, "media_type", f"{kind or 'no content-type'}: send application/json or multipart/form-data"
            )
        form = await self._form(request)
        asked: Asked | None = None
        try:
            asked = await run_in_threadpool(self._from_form, form)
        finally:
            kept = [upload.file for upload in asked.uploads] if asked else []
            for _, part in form.multi_items():
                if isinstance(part, UploadFile) and part.file not in kept:
                    part.file.close()
        return asked

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
        return self._conversation(alone, {}, number + 1)

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

    async def _form(self, request: Request) -> FormData:
        parser = _Parts(
            request.headers,
            request.stream(),
            max_files=self._settings.files + 1,
            max_fields=len(PARTS),
            max_part_size=self._settings.json_bytes,
        )
        try:
            return await parser.parse()
        except MultiPartException as error:
            if "Too many files" in error.message:
                raise beyond(self._settings, "files", "too many recordings in the body") from None
            if "maximum size" in error.message:
                raise beyond(self._settings, "json_bytes", "a part of the body that is no file is too long") from None
            raise Refusal(400, "malformed", f"not a multipart body: {error.message}") from None
        except (ValueError, KeyError, AttributeError) as error:  # what parsers raise over broken headers
            raise Refusal(400, "malformed", f"not a multipart body ({type(error).__name__})") from None

    def _from_form(self, form: FormData) -> Asked:
        parts = self._parts(form)
        media = parts.get("media")
        if isinstance(media, str):
            raise invalid("part 'media': is no file; send it with a file name")
        if "conversation" in parts:
            asked = self._json_part(parts)
        elif "transcript" in parts:
            asked = self._transcript(parts["transcript"], parts.get("format"))
        elif media is not None:
            asked = _recording(media)
        else:
            raise invalid("the body has neither a part 'conversation' (JSON), nor 'transcript', nor 'media'")
        if media is not None:
            asked.uploads.insert(0, Upload(media.file, media.filename or "media"))
        return asked

    def _parts(self, form: FormData) -> dict[str, str | UploadFile]:
        """The parts by name.

        Raises:
            Refusal: Two have the same, or there is a part that nobody asks for.
        """
        parts: dict[str, str | UploadFile] = {}
        for name, value in form.multi_items():
            if name in parts:
                raise invalid(f"the body has two parts {name[:100]!r}")
            parts[name] = value
        strangers = [name for name in parts if name not in PARTS]
        if strangers and "conversation" not in parts:
            raise invalid(f"part {strangers[0][:100]!r}: there is no such part{near_miss(strangers[0], PARTS)}")
        if "conversation" in parts and "transcript" in parts:
            raise invalid("the body has a part 'conversation' and a part 'transcript'; send one of them")
        return parts

    def _json_part(self, parts: Mapping[str, str | UploadFile]) -> Asked:
        content = parts["conversation"]
        given = parsed(ConversationGiven, content.encode() if isinstance(content, str) else self._small(content))
        files = {name: part for name, part in parts.items() if name not in PARTS and isinstance(part, UploadFile)}
        named_ = {u.clip.part for u in given.utterances if u.clip and u.clip.part}
        for name in parts:
            if name not in PARTS and name not in named_:
                raise invalid(f"part {name[:100]!r}: no utterance names it as its clip")
        return self._conversation(given, files)

    def _small(self, file: UploadFile) -> bytes:
        """The content of a file that has to be read as a whole."""
        if (file.size or 0) > self._settings.json_bytes:
            raise beyond(self._settings, "json_bytes", "the transcript or JSON is too long")
        file.file.seek(0)
        return file.file.read()

    def _transcript(self, part: str | UploadFile, format_: str | UploadFile | None) -> Asked:
        """A transcript of any format; files that it names are files of ours, and are not looked at."""
        if isinstance(format_, UploadFile):
            raise invalid("part 'format': is a file; send txt, csv, jsonl, srt or vtt")
        if isinstance(part, str):
            upload = Upload.of_bytes(part.encode(), "conversation")
        else:
            upload = Upload.of_bytes(self._small(part), part.filename or "conversation")
        try:
            with named(upload) as path:
                try:
                    transcript = read_transcript(path, format=format_)
                except InputError as error:
                    raise invalid(str(error).replace(f"{path.parent}/", "")) from None
        finally:
            upload.close()
        if len(transcript.conversations) > 1:
            raise invalid(
                f"{upload.name}: holds {len(transcript.conversations)} conversations; send one, or several as JSON to "
                "/v1/predict/batch"
            )
        conversation = transcript.conversations[0]
        self._check(conversation)
        notes = list(transcript.notes)
        if transcript.clips:
            notes.append(f"{upload.name}: the files that its column 'media' names are not looked at; upload them")
        return Asked(conversation, notes)

    def _batch(self, given: BatchGiven) -> list[Asked]:
        if len(given.conversations) > self._settings.conversations:
            raise beyond(self._settings, "conversations", f"the batch has {len(given.conversations):,} conversations")
        asked: list[Asked] = []
        try:
            asked += (self._conversation(one, {}) for one in given.conversations)
        except BaseException:
            close(asked)
            raise
        return asked

    def _conversation(self, given: ConversationGiven, files: Mapping[str, UploadFile], first: int = 1) -> Asked:
        """A conversation of JSON as a conversation of a transcript would be read; `first` is its first one's place."""
        if len(given.utterances) > self._settings.utterances:  # before anything is made of them
            raise beyond(
                self._settings, "utterances", f"conversation {given.id!r} has {len(given.utterances):,} utterances"
            )
        turns = [_turn(given.id, number, utterance) for number, utterance in enumerate(given.utterances, first)]
        try:
            transcript = assemble(Path("conversation"), turns, [])
        except InputError as error:
            raise invalid(str(error).replace(", line ", ", utterance in place ")) from None
        (conversation,) = transcript.conversations
        self._check(conversation)
        asked = Asked(conversation, list(transcript.notes), self._features(given, conversation))
        try:
            for said, utterance in zip(given.utterances, conversation.utterances, strict=True):
                if said.clip is not None:
                    asked.uploads.append(self._clip(said, utterance, files, len(asked.uploads)))
        except BaseException:
            close([asked])
            raise
        return asked

    def _clip(self, said: UtteranceGiven, utterance: Utterance, files: Mapping[str, UploadFile], number: int) -> Upload:
        assert said.clip is not None
        if number >= self._settings.files:
            raise beyond(self._settings, "files", "too many recordings in the request")
        if said.clip.base64 is not None:
            try:
                content = base64.b64decode(said.clip.base64, validate=True)
            except (binascii.Error, ValueError):
                raise invalid(f"utterance {utterance.id!r}: its clip is not base64") from None
            return Upload.of_bytes(content, f"{number}.clip", utterance.id)
        file = files.get(said.clip.part or "")
        if file is None:
            raise invalid(f"utterance {utterance.id!r}: the body has no file {said.clip.part!r} for its clip")
        suffix = (file.filename or "").rpartition(".")[2][:5]
        return Upload(file.file, f"{number}.{suffix or 'clip'}", utterance.id)

    def _features(self, given: ConversationGiven, conversation: Conversation) -> dict[str, Encoded]:
        """The features that come with a conversation, by modality."""
        widths = self._config.modalities
        found: dict[str, Encoded] = {}
        said = [(row, utterance.features) for row, utterance in enumerate(given.utterances) if utterance.features]
        for row, features in said:
            for modality, values in features.items():
                where = f"utterance {conversation.utterances[row].id!r}: features of {modality[:100]!r}"
                if modality not in widths:
                    raise invalid(f"{where}: the model has no such modality{near_miss(modality[:100], widths)}")
                if modality not in found:
                    found[modality] = _empty(len(conversation), widths[modality])
                if values is None:
                    continue
                if len(values) != widths[modality]:
                    raise invalid(f"{where}: are {len(values)}, and the model wants {widths[modality]}")
                with np.errstate(over="ignore"):  # what is too large for float32 is said below
                    vector = np.array(values, dtype=np.float32)
                if not np.isfinite(vector).all():
                    raise invalid(f"{where}: are too large")
                found[modality].features[row], found[modality].present[row] = vector, True
        for encoded in found.values():
            encoded.problems.extend(
                f"{conversation.id}/{utterance.id}: no features were given"
                for utterance, there in zip(conversation.utterances, encoded.present, strict=True)
                if not there
            )
        return found

    def _check(self, conversation: Conversation) -> None:
        """Refuse what is beyond the limits."""
        if len(conversation) > self._settings.utterances:
            raise beyond(
                self._settings, "utterances", f"conversation {conversation.id!r} has {len(conversation):,} utterances"
            )
        for utterance in conversation.utterances:
            if len(utterance.text or "") > self._settings.characters:
                raise beyond(
                    self._settings,
                    "characters",
                    f"utterance {utterance.id!r} of conversation {conversation.id!r} has "
                    f"{len(utterance.text or ''):,} characters",
                )


class _Parts(MultiPartParser):
    """Starlette's parser, which takes a body that is cut off for one that has fewer parts."""

    _ended = False

    def on_end(self) -> None:
        """Called at the boundary that says that there are no more parts."""
        self._ended = True

    async def parse(self) -> FormData:
        """All parts.

        Raises:
            MultiPartException: It is no multipart body, or not all of one.
        """
        form = await super().parse()
        if not self._ended:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("The body is cut off.")
        return form


def close(asked: Sequence[Asked]) -> None:
    """Give all uploads back to the system."""
    for one in asked:
        for upload in one.uploads:
            upload.close()


def _kind(request: Request) -> str:
    """The media type of the body."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def parsed(model: type[Given], body: bytes | str) -> Given:
    """JSON as an object of the schema.

    Raises:
        Refusal: It is no JSON, or not of the schema.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        if found[0]["type"] == "json_invalid":
            raise Refusal(400, "malformed", f"not JSON: {found[0]['msg']}") from None
        details = [
            {"place": ".".join(str(part)[:100] for part in one["loc"]), "message": one["msg"]}
            for one in found[:DETAILS]
        ]
        first = details[0]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise invalid(f"{first['place'] or 'body'}: {first['message']}{more}", details) from None


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
    )


def _recording(media: UploadFile) -> Asked:
    """A recording with no transcript."""
    name = plain_name(media.filename or "media")
    note = f"{name}: a recording with no transcript: taken to be one utterance without words"
    return Asked(Conversation(Path(name).stem, (Utterance("0", "Speaker 1"),)), [note])


def _empty(size: int, width: int) -> Encoded:
    return Encoded(np.zeros((size, width), dtype=np.float32), np.zeros(size, dtype=np.bool_), [])
