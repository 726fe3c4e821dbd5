"""The parts of a form that say how its recording is transcribed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from starlette.datastructures import UploadFile

from sdt.errors import InputError, near_miss, quoted
from sdt.serving.errors import invalid_request
from sdt.serving.predict_request import TranscribeOptions
from sdt.speech.recording import Channels
from sdt.speech.speakers import SpeakerCount

OPTION_PARTS = ("speakers", "language", "channels")
CHANNELS: tuple[str, ...] = get_args(Channels)
MOST_SPEAKERS = 1000
LONGEST = 40
"""Characters of such a part."""


def transcribe_options(parts: Mapping[str, str | UploadFile]) -> TranscribeOptions:
    """What the parts of a form say about a recording.

    Raises:
        APIError: A part is not valid.
    """
    given: dict[str, str] = {}
    for name in OPTION_PARTS:
        value = parts.get(name, "")
        if isinstance(value, UploadFile) or len(value) > LONGEST:
            raise invalid_request(f"part {quoted(name)}: is a file or too long; send a short text")
        if value.strip():
            given[name] = value.strip()
    channels, speakers = given.get("channels", "mix"), given.get("speakers")
    if channels not in CHANNELS:
        raise invalid_request(f"part 'channels': {quoted(channels)} is unknown{near_miss(channels, CHANNELS)}")
    return TranscribeOptions((speakers and _count(speakers)) or None, given.get("language"), channels)


def _count(text: str) -> tuple[int, int | None]:
    try:
        count = SpeakerCount.parse(text)
    except (InputError, ValueError):
        raise invalid_request(f"part 'speakers': {quoted(text)}: send a number from 1 on, or MIN-MAX") from None
    if max(count.fewest, count.most or 1) > MOST_SPEAKERS:
        raise invalid_request(f"part 'speakers': {quoted(text)}: send at most {MOST_SPEAKERS}")
    return count.fewest, count.most
