"""From a multipart body to a conversation: a transcript and a recording, a recording alone, or JSON and clips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import python_multipart  # noqa: F401 - without it, only a body would show that it is missing
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError, near_miss
from sdt.serving.asked import Asked, check
from sdt.serving.from_json import FromJson, parsed
from sdt.serving.refusals import Refusal, beyond, invalid
from sdt.serving.schemas import ConversationGiven
from sdt.serving.settings import Settings
from sdt.serving.uploads import Upload, named, plain_name
from sdt.speakers import FIRST_SPEAKER
from sdt.transcripts import Transcript, read_transcript

PARTS = ("conversation", "transcript", "media", "format")
"""The parts of a multipart body; any other is the clip of the utterance that names it."""


class FromForm:
    """Reads multipart bodies.

    Args:
        from_json: Makes conversations of a part that is JSON.
        settings: The limits.
    """

    def __init__(self, from_json: FromJson, settings: Settings) -> None:
        self._from_json, self._settings = from_json, settings

    async def parts(self, request: Request) -> FormData:
        """The parts of a body.

        Raises:
            Refusal: It is no multipart body, or is beyond a limit.
        """
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

    def asked(self, form: FormData) -> Asked:
        """What the parts ask about; blocks.

        Raises:
            Refusal: They make no sense together, or are beyond a limit.
        """
        parts = self._named(form)
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

    def _named(self, form: FormData) -> dict[str, str | UploadFile]:
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
        return self._from_json.conversation(given, files)

    def _small(self, file: UploadFile) -> bytes:
        """The content of a file that has to be read as a whole."""
        if (file.size or 0) > self._settings.json_bytes:
            raise beyond(self._settings, "json_bytes", "the transcript or JSON is too long")
        file.file.seek(0)
        return file.file.read()

    def transcript(self, form: FormData) -> Transcript:
        """The conversations of a part `transcript`, which may be several; blocks.

        Raises:
            Refusal: There is no such part, or it cannot be read.
        """
        parts = self._named(form)
        if "transcript" not in parts or not parts.keys() <= {"transcript", "format"}:
            raise invalid("send a part 'transcript', and 'format' perhaps, and no other")
        return self._read(parts["transcript"], parts.get("format"))[1]

    def _read(self, part: str | UploadFile, format_: str | UploadFile | None) -> tuple[str, Transcript]:
        """The name of a transcript of any format, and what is in it."""
        if isinstance(format_, UploadFile):
            raise invalid("part 'format': is a file; send txt, csv, jsonl, json, srt or vtt")
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
        if transcript.clips:
            transcript.notes.append(
                f"{upload.name}: the files that its column 'media' names are not looked at; upload them"
            )
        return upload.name, transcript

    def _transcript(self, part: str | UploadFile, format_: str | UploadFile | None) -> Asked:
        """A transcript of one conversation; files that it names are files of ours, and are not looked at."""
        name, transcript = self._read(part, format_)
        if len(transcript.conversations) > 1:
            raise invalid(
                f"{name}: holds {len(transcript.conversations)} conversations; send one, or several as JSON, which "
                "/v1/transcript makes of it, to /v1/predict/batch"
            )
        conversation = transcript.conversations[0]
        check(conversation, self._settings)
        return Asked(conversation, transcript.notes)


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


def _recording(media: UploadFile) -> Asked:
    """A recording with no transcript."""
    name = plain_name(media.filename or "media")
    note = f"{name}: a recording with no transcript: taken to be one utterance without words"
    return Asked(Conversation(Path(name).stem, (Utterance("0", FIRST_SPEAKER),)), [note])
