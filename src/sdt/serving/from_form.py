"""From a multipart body to a conversation: a transcript and a recording, a recording alone, or JSON and clips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError, near_miss, printable, quoted
from sdt.formats import Transcript, read_transcript
from sdt.formats.decoding import MAX_LINE
from sdt.serving.asked import Asked, check, close
from sdt.serving.from_json import FromJson
from sdt.serving.memory import Usage
from sdt.serving.refusals import Refusal, beyond, invalid
from sdt.serving.settings import Settings
from sdt.serving.uploads import Upload, named, plain_name
from sdt.speakers import FIRST_SPEAKER

PARTS = ("conversation", "transcript", "media", "format")
"""The parts of a multipart body; any other is the clip of the utterance that names it."""
CHARSETS = ("utf-8", "us-ascii", "iso-8859-1")
LINES, VALUES = 50, 600
"""Lines and values of a transcript for each utterance of a conversation: subtitles in which every word is a cue have so
many lines, JSON with times and tokens of every word has so many values."""


class FromForm:
    """Reads multipart bodies.

    Args:
        from_json: Makes conversations of a part that is JSON.
        settings: The limits.
    """

    def __init__(self, from_json: FromJson, settings: Settings) -> None:
        self._from_json, self._settings = from_json, settings

    async def parts(self, request: Request, usage: Usage) -> tuple[FormData, int]:
        """The parts of a body, and how many bytes of it have to be read as a whole; those are counted in `usage`.

        Raises:
            Refusal: It is no multipart body, or is beyond a limit.
        """
        _, options = parse_options_header(request.headers["content-type"])
        charset = options.get(b"charset", b"utf-8").decode("latin-1")
        if charset.lower() not in CHARSETS:  # Python has encodings that take hours to read
            raise Refusal(415, "media_type", f"charset {quoted(charset)}: send UTF-8")
        parser = _Parts(
            request.headers,
            request.stream(),
            max_files=self._settings.files + 1,
            max_fields=len(PARTS),
            max_part_size=self._settings.json_bytes,
        )
        parser.usage = usage
        try:
            form = await parser.parse()
        except MultiPartException as error:
            if "Too many files" in error.message:
                raise beyond(self._settings, "files", "too many recordings in the body") from None
            if "maximum size" in error.message:
                raise beyond(self._settings, "json_bytes", "a part of the body that is no file is too long") from None
            raise Refusal(400, "malformed", f"not a multipart body: {printable(error.message[:80])}") from None
        except (ValueError, KeyError, AttributeError) as error:  # what parsers raise over broken headers
            raise Refusal(400, "malformed", f"not a multipart body ({type(error).__name__})") from None
        files = sum(
            min(part.size or 0, self._settings.json_bytes)
            for name, part in form.multi_items()
            if isinstance(part, UploadFile) and name in ("conversation", "transcript")
        )
        try:
            usage.add(files)
        except BaseException:
            await form.close()
            raise
        return form, parser.size + files

    def asked(self, form: FormData, usage: Usage) -> Asked:
        """What the parts ask about; blocks.

        Raises:
            Refusal: They make no sense together, or are beyond a limit.
        """
        parts = self._named(form)
        media = parts.get("media")
        if isinstance(media, str):
            raise invalid("part 'media': is no file; send it with a file name")
        if "conversation" in parts:
            asked = self._json_part(parts, usage)
        elif "transcript" in parts:
            asked = self._transcript(parts["transcript"], parts.get("format"), usage)
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
                raise invalid(f"the body has two parts {quoted(name)}")
            parts[name] = value
        strangers = [name for name in parts if name not in PARTS]
        if strangers and "conversation" not in parts:
            raise invalid(f"part {quoted(strangers[0])}: there is no such part{near_miss(strangers[0][:80], PARTS)}")
        if "conversation" in parts and "transcript" in parts:
            raise invalid("the body has a part 'conversation' and a part 'transcript'; send one of them")
        return parts

    def _json_part(self, parts: Mapping[str, str | UploadFile], usage: Usage) -> Asked:
        content = parts["conversation"]
        body = content.encode() if isinstance(content, str) else self._small(content, "json_bytes")
        files = {name: part for name, part in parts.items() if name not in PARTS and isinstance(part, UploadFile)}
        asked = self._from_json.conversation(body, files, usage)
        taken = [upload.file for upload in asked.uploads]
        for name, part in parts.items():
            if name not in PARTS and (isinstance(part, str) or part.file not in taken):
                close([asked])
                raise invalid(f"part {quoted(name)}: no utterance names it as its clip")
        return asked

    def _small(self, file: UploadFile, limit: str) -> bytes:
        """The content of a file that has to be read as a whole."""
        if (file.size or 0) > getattr(self._settings, limit):
            raise beyond(self._settings, limit, "the transcript or JSON is too long")
        file.file.seek(0)
        return file.file.read()

    def _transcript(self, part: str | UploadFile, format_: str | UploadFile | None, usage: Usage) -> Asked:
        """A transcript of one conversation; files that it names are files of ours, and are not looked at."""
        name, transcript = self._read(part, format_, "utterances")
        if len(transcript.conversations) > 1:
            raise invalid(
                f"{name}: holds {len(transcript.conversations)} conversations; send one, or several as JSON, which "
                "/v1/transcript makes of it, to /v1/predict/batch"
            )
        conversation = transcript.conversations[0]
        check(conversation, usage, self._settings)
        return Asked(conversation, transcript.notes)

    def transcript(self, form: FormData, usage: Usage) -> Transcript:
        """The conversations of a part `transcript`, which may be several; blocks.

        Raises:
            Refusal: There is no such part, it cannot be read, or is beyond a limit.
        """
        parts = self._named(form)
        if "transcript" not in parts or not parts.keys() <= {"transcript", "format"}:
            raise invalid("send a part 'transcript', and 'format' perhaps, and no other")
        _, transcript = self._read(parts["transcript"], parts.get("format"), "request_utterances")
        usage.add_utterances(sum(map(len, transcript.conversations)))
        return transcript

    def _read(self, part: str | UploadFile, format_: str | UploadFile | None, limit: str) -> tuple[str, Transcript]:
        """The name of a transcript of any format, and what is in it; the setting `limit` bounds its utterances."""
        if isinstance(format_, UploadFile):
            raise invalid("part 'format': is a file; send txt, csv, jsonl, json, srt or vtt")
        content = part.encode() if isinstance(part, str) else self._small(part, "transcript_bytes")
        self._bound(content, limit)
        upload = Upload.of_bytes(content, "conversation" if isinstance(part, str) else part.filename or "conversation")
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

    def _bound(self, content: bytes, limit: str) -> None:
        """Refuse a transcript that no transcript with so many utterances is like, before it is read.

        Args:
            content: The file.
            limit: The setting that bounds its utterances.

        Raises:
            Refusal: It is too long, has too many lines or values, or a line is too long.
        """
        settings = self._settings
        if len(content) > settings.transcript_bytes:
            raise beyond(settings, "transcript_bytes", "the transcript is too long")
        lines = content.count(b"\n") + content.count(b"\r")
        if lines > LINES * settings.utterances:
            raise beyond(settings, limit, f"the transcript has {lines:,} lines")
        values = sum(map(content.count, (b",", b"[", b"{")))
        if values > VALUES * settings.utterances:
            raise beyond(settings, limit, f"the transcript has {values:,} values")
        longest = max(map(len, content.splitlines()), default=0)
        if longest > 4 * MAX_LINE and content.lstrip()[:1] not in (b"{", b"["):
            raise beyond(settings, "characters", f"a line of the transcript has {longest:,} bytes")


class _Parts(MultiPartParser):
    """Starlette's parser, which takes a body that is cut off for one that has fewer parts."""

    spool_max_size = 1  # parts that are files are files at once: else each may keep a mebibyte in memory
    usage: Usage
    size = 0
    """Bytes of the parts that are no files."""
    _ended = False

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """Called with a stretch of a part."""
        if self._current_part.file is None:
            self.size += end - start
            self.usage.add(end - start)
        super().on_part_data(data, start, end)

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
