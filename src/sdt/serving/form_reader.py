"""Parsing of multipart bodies: a transcript and a recording, only a recording, or JSON and clips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from sdt.conversation import FIRST_SPEAKER, Conversation, Utterance
from sdt.errors import InputError, near_miss, printable, quoted
from sdt.formats import Transcript, read_transcript
from sdt.formats.parsing.decoding import MAX_LINE
from sdt.formats.read import detect_file
from sdt.formats.table import get_format
from sdt.serving.config import ServingConfig
from sdt.serving.errors import APIError, invalid_request, limit_exceeded
from sdt.serving.json_reader import JsonReader
from sdt.serving.limits import RequestUsage
from sdt.serving.predict_request import (
    PredictRequest,
    TranscribeOptions,
    Upload,
    check_conversation,
    close_uploads,
    named_path,
    safe_file_name,
)
from sdt.serving.transcribe_options import OPTION_PARTS, transcribe_options
from sdt.text import UnknownEncodingError, check_encoding

PARTS = ("conversation", "transcript", "media", "format", "encoding")
"""The named parts of a multipart body; any other part is the clip of the utterance that refers to it."""
CHARSETS = ("utf-8", "us-ascii", "iso-8859-1")
LINES, VALUES = 50, 600
"""Maximum lines and values of a transcript per utterance, sufficient for subtitles with a cue per word and for JSON
with times and tokens of every word."""


class FormReader:
    """Reads multipart bodies.

    Args:
        json_reader: Reads the parts that are JSON.
        config: The limits.
    """

    def __init__(self, json_reader: JsonReader, config: ServingConfig) -> None:
        self._json, self._config = json_reader, config

    async def parse(self, request: Request, usage: RequestUsage) -> tuple[FormData, int]:
        """Parse the parts of a body; also returns the number of bytes that must be in memory, which `usage` counts.

        Raises:
            APIError: It is not a multipart body, or exceeds a limit.
        """
        _, options = parse_options_header(request.headers["content-type"])
        charset = options.get(b"charset", b"utf-8").decode("latin-1")
        if charset.lower() not in CHARSETS:  # some of Python's encodings take hours to decode
            raise APIError(415, "media_type", f"charset {quoted(charset)}: send UTF-8")
        parser = _Parts(
            request.headers,
            request.stream(),
            max_files=self._config.files + 1,
            max_fields=len(PARTS) + len(OPTION_PARTS),
            max_part_size=self._config.json_bytes,
        )
        parser.usage = usage
        try:
            form = await parser.parse()
        except MultiPartException as error:
            if "Too many files" in error.message:
                raise limit_exceeded(self._config, "files", "too many recordings in the body") from None
            if "maximum size" in error.message:
                raise limit_exceeded(
                    self._config, "json_bytes", "a part of the body that is not a file is too long"
                ) from None
            raise APIError(400, "malformed", f"not a multipart body: {printable(error.message[:80])}") from None
        except (ValueError, KeyError, AttributeError) as error:  # the parsers raise these for broken headers
            raise APIError(400, "malformed", f"not a multipart body ({type(error).__name__})") from None
        files = sum(
            min(part.size or 0, self._config.json_bytes)
            for name, part in form.multi_items()
            if isinstance(part, UploadFile) and name in ("conversation", "transcript")
        )
        try:
            usage.add(files)
        except BaseException:
            await form.close()
            raise
        return form, parser.size + files

    def predict_request(self, form: FormData, usage: RequestUsage) -> PredictRequest:
        """Create the request for predictions from the parts; blocking.

        Raises:
            APIError: The parts contradict each other, or exceed a limit.
        """
        parts = self._named(form)
        media = parts.get("media")
        options = [name for name in OPTION_PARTS if name in parts]
        if options and "transcript" in parts:
            raise invalid_request(f"part {quoted(options[0])}: only for a recording without a transcript")
        if isinstance(media, str):
            raise invalid_request("part 'media': is not a file; send it with a file name")
        if "conversation" in parts:
            request = self._json_part(parts, usage)
        elif "transcript" in parts:
            request = self._transcript(parts, usage)
        elif media is not None:
            request = _recording(media, transcribe_options(parts))
        else:
            raise invalid_request("the body has neither a part 'conversation' (JSON), nor 'transcript', nor 'media'")
        if media is not None:
            request.uploads.insert(0, Upload(media.file, media.filename or "media"))
        return request

    def recording(self, form: FormData) -> PredictRequest:
        """The recording of the part `media`, and how it is to be transcribed.

        Raises:
            APIError: The part is missing, or there are other parts.
        """
        parts = self._named(form)
        media = parts.get("media")
        if not isinstance(media, UploadFile) or not parts.keys() <= {"media", *OPTION_PARTS}:
            raise invalid_request(f"send a part 'media' (a file), optionally {', '.join(OPTION_PARTS)}, and no other")
        request = _recording(media, transcribe_options(parts))
        request.uploads.append(Upload(media.file, media.filename or "media"))
        return request

    def _named(self, form: FormData) -> dict[str, str | UploadFile]:
        """Return the parts by name.

        Raises:
            APIError: Two parts have the same name, or a name is unknown.
        """
        parts: dict[str, str | UploadFile] = {}
        for name, value in form.multi_items():
            if name in parts:
                raise invalid_request(f"the body has two parts {quoted(name)}")
            parts[name] = value
        unknown = [name for name in parts if name not in (*PARTS, *OPTION_PARTS)]
        if unknown and "conversation" not in parts:
            raise invalid_request(
                f"unknown part {quoted(unknown[0])}{near_miss(unknown[0][:80], (*PARTS, *OPTION_PARTS))}"
            )
        if "conversation" in parts and "transcript" in parts:
            raise invalid_request("the body has a part 'conversation' and a part 'transcript'; send one of them")
        return parts

    def _json_part(self, parts: Mapping[str, str | UploadFile], usage: RequestUsage) -> PredictRequest:
        content = parts["conversation"]
        body = content.encode() if isinstance(content, str) else self._small(content, "json_bytes")
        files = {name: part for name, part in parts.items() if name not in PARTS and isinstance(part, UploadFile)}
        request = self._json.conversation(body, files, usage)
        taken = [upload.file for upload in request.uploads]
        for name, part in parts.items():
            if name not in PARTS and (isinstance(part, str) or part.file not in taken):
                close_uploads([request])
                raise invalid_request(f"part {quoted(name)}: no utterance refers to it as its clip")
        return request

    def _small(self, file: UploadFile, limit: str) -> bytes:
        """Read the content of a file into memory."""
        if (file.size or 0) > getattr(self._config, limit):
            raise limit_exceeded(self._config, limit, "the transcript or JSON is too long")
        file.file.seek(0)
        return file.file.read()

    def _transcript(self, parts: Mapping[str, str | UploadFile], usage: RequestUsage) -> PredictRequest:
        """A transcript of one conversation; media files that it names are ignored, since they would be local."""
        name, transcript = self._read(parts, "utterances")
        if len(transcript.conversations) > 1:
            raise invalid_request(
                f"{name}: has {len(transcript.conversations)} conversations; send one, or convert it to JSON with "
                "/v1/transcript and send that to /v1/predict/batch"
            )
        conversation = transcript.conversations[0]
        check_conversation(conversation, usage, self._config)
        return PredictRequest(conversation, transcript.notes)

    def transcript(self, form: FormData, usage: RequestUsage) -> Transcript:
        """The conversations of the part `transcript`; blocking.

        Raises:
            APIError: The part is missing, cannot be read, or exceeds a limit.
        """
        parts = self._named(form)
        if "transcript" not in parts or not parts.keys() <= {"transcript", "format", "encoding"}:
            raise invalid_request("send a part 'transcript', optionally 'format' and 'encoding', and no other part")
        _, transcript = self._read(parts, "request_utterances")
        usage.add_utterances(sum(map(len, transcript.conversations)))
        return transcript

    def _read(self, parts: Mapping[str, str | UploadFile], limit: str) -> tuple[str, Transcript]:
        """The name and content of a transcript in any format; the limit of this name bounds its utterances."""
        part, format_, encoding = parts["transcript"], parts.get("format"), parts.get("encoding")
        if isinstance(format_, UploadFile):
            raise invalid_request("part 'format': is a file; send the name of a format, such as csv or vtt")
        if isinstance(encoding, UploadFile):
            raise invalid_request("part 'encoding': is a file; send a name such as gb18030")
        content = part.encode() if isinstance(part, str) else self._small(part, "transcript_bytes")
        self._bound(content, limit)
        upload = Upload.from_bytes(
            content, "conversation" if isinstance(part, str) else part.filename or "conversation"
        )
        try:
            with named_path(upload) as path:
                try:
                    _check_text(upload.name, path, format_)
                    transcript = read_transcript(path, format=format_, encoding=encoding and check_encoding(encoding))
                except UnknownEncodingError as error:
                    raise APIError(
                        422,
                        "encoding",
                        f"{upload.name}: is not UTF-8, and its encoding cannot be detected; send its name as part "
                        f"'encoding'{', for example ' if error.likely else ''}{', '.join(error.likely)}",
                        details=[{"place": "encoding", "message": name} for name in error.likely],
                    ) from None
                except InputError as error:
                    raise invalid_request(str(error).replace(f"{path.parent}/", "")) from None
        finally:
            upload.close()
        if transcript.clips:
            transcript.notes.append(f"{upload.name}: the files in its column 'media' are ignored; upload them")
        return upload.name, transcript

    def _bound(self, content: bytes, limit: str) -> None:
        """Check the size of a transcript before it is parsed.

        Args:
            content: The file.
            limit: The name of the limit that bounds its utterances.

        Raises:
            APIError: It is too long, has too many lines or values, or a line is too long.
        """
        config = self._config
        if len(content) > config.transcript_bytes:
            raise limit_exceeded(config, "transcript_bytes", "the transcript is too long")
        lines = content.count(b"\n") + content.count(b"\r")
        if lines > LINES * config.utterances:
            raise limit_exceeded(config, limit, f"the transcript has {lines:,} lines")
        values = sum(map(content.count, (b",", b"[", b"{")))
        if values > VALUES * config.utterances:
            raise limit_exceeded(config, limit, f"the transcript has {values:,} values")
        longest = max(map(len, content.splitlines()), default=0)
        if longest > 4 * MAX_LINE and content.lstrip()[:1] not in (b"{", b"["):
            raise limit_exceeded(config, "characters", f"a line of the transcript has {longest:,} bytes")


class _Parts(MultiPartParser):
    """Starlette's parser, extended to refuse truncated bodies."""

    spool_max_size = 1  # write files to disk at once; otherwise each may keep a mebibyte in memory
    usage: RequestUsage
    size = 0
    """Bytes of the parts that are not files."""
    _ended = False

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """Called with a piece of a part."""
        if self._current_part.file is None:
            self.size += end - start
            self.usage.add(end - start)
        super().on_part_data(data, start, end)

    def on_end(self) -> None:
        """Called at the final boundary."""
        self._ended = True

    async def parse(self) -> FormData:
        """Parse all parts.

        Raises:
            MultiPartException: It is not a multipart body, or it is truncated.
        """
        form = await super().parse()
        if not self._ended:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("The body is truncated.")
        return form


def _recording(media: UploadFile, options: TranscribeOptions) -> PredictRequest:
    """A recording that is to be transcribed; its conversation is a placeholder until then."""
    name = safe_file_name(media.filename or "media")
    return PredictRequest(Conversation(Path(name).stem, (Utterance("0", FIRST_SPEAKER),)), transcribe=options)


def _check_text(name: str, path: Path, format: str | None) -> None:
    """Refuse binary formats: compressed files can expand to far more than the limits of a request.

    Raises:
        InputError: The file is binary, or its format is, or is unknown.
    """
    found = get_format(format) if format is not None else detect_file(path)
    if found is not None and found.content != "text":
        raise InputError(f"{name}: {found.title}: the service reads text only; convert it with sdt convert")
