"""What a request uploads: files without names, which the system takes back however the service ends."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sdt.serving.decoding import DESCRIPTORS

LONGEST_NAME = 120
"""Characters of a name; a file system takes 255 bytes."""


class Upload:
    """An uploaded file.

    Args:
        file: Its content; taken over.
        name: As the client calls it.
        utterance: Whose clip it is; None for the recording of the whole conversation.
    """

    def __init__(self, file: IO[bytes], name: str, utterance: str | None = None) -> None:
        self.file, self.name, self.utterance = file, plain_name(name), utterance

    @classmethod
    def of_bytes(cls, content: bytes, name: str, utterance: str | None = None) -> Upload:
        """The same for content that is in memory."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever has the upload
        file.write(content)
        file.flush()
        return cls(file, name, utterance)

    def fileno(self) -> int:
        """The descriptor of a real file; what is still in memory is written to one."""
        self.file.flush()
        return self.file.fileno()

    def close(self) -> None:
        """Give the file back to the system."""
        self.file.close()


def plain_name(name: str) -> str:
    """A client's name for a file, `talks/chat.srt`, as the name of a file in a folder of ours, `chat.srt`."""
    last = re.split(r"[/\\]", name)[-1]
    printable = "".join(c if c.isprintable() and not 0xD800 <= ord(c) < 0xE000 else "_" for c in last).strip()
    if printable.strip(".") == "":
        return "upload"
    stem, dot, suffix = printable.rpartition(".")
    if not dot or len(suffix) > 8 or not stem:
        return _cut(printable)
    return f"{_cut(stem)}.{suffix}"


def _cut(name: str) -> str:
    """So short that it can be the name of a file, whatever its letters."""
    while len(name) > LONGEST_NAME or len(name.encode()) > 2 * LONGEST_NAME:
        name = name[:-1]
    return name


@contextmanager
def empty_folder() -> Iterator[Path]:
    """A folder for links to uploads; it is removed in every case, and never holds what was uploaded."""
    with tempfile.TemporaryDirectory(prefix="sdt-serve-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def named(upload: Upload) -> Iterator[Path]:
    """A path by which this process can open an upload under the name that its client gave it."""
    with empty_folder() as folder:
        path = folder / upload.name
        descriptor = os.dup(upload.fileno())
        try:
            path.symlink_to(DESCRIPTORS / str(descriptor))
            yield path
        finally:
            os.close(descriptor)
