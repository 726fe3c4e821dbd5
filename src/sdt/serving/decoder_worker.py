"""The main loop of a decoder process, which extracts the features of uploaded recordings.

Untrusted uploads are decoded here, by large libraries. The memory of the process is limited, it cannot write files, and
an alarm ends it if it takes too long; the service does not wait for it. Recordings arrive as open files without names,
and features are returned as bytes rather than pickles, so that a compromised process cannot harm the service.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import tempfile
import threading
import time
import wave
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    from sdt.encoders.encoder import Encoded
    from sdt.models.config import ModelConfig
    from sdt.prediction.extraction import ModalityExtractor

DESCRIPTORS = Path("/proc/self/fd") if Path("/proc/self/fd").is_dir() else Path("/dev/fd")
"""The folder in which a process can open its open files by path."""
PROGRESS_SECONDS = 0.2
"""Seconds between two messages about progress, at least."""
_TOO_MUCH: dict[str, object] = {"limit": "decode_bytes", "message": "decoding the recording takes too much memory"}


def run(connection: Connection, lifeline: Connection, model: ModelConfig, folder: Path, memory: int) -> None:
    """Load the encoders, report them, then process jobs until the connection is closed.

    Args:
        connection: The connection to the service.
        lifeline: Closed when the service ends for any reason.
        model: The model's configuration.
        folder: The model's folder.
        memory: Bytes of memory that an upload may take.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # the service stops this process
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=end_with, args=(lifeline,), daemon=True).start()
    makers, report = _load(model, folder)
    limit_resources(memory)
    _send(connection, {"modalities": report})
    while True:
        try:
            job = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        files = [recv_handle(connection) for _ in job["files"]]
        _send(connection, {})
        try:
            signal.setitimer(signal.ITIMER_REAL, job["seconds"])
            _answer(connection, job, files, makers)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for file in files:
                os.close(file)


def _load(model: ModelConfig, folder: Path) -> tuple[dict[str, ModalityExtractor], dict[str, dict[str, str | None]]]:
    """Load the extractors of recorded modalities; also returns for each modality why it is unavailable, or a note."""
    from sdt.prediction.extraction import ModalityExtractor

    makers: dict[str, ModalityExtractor] = {}
    report: dict[str, dict[str, str | None]] = {}
    for modality in model.modalities:
        try:
            maker = ModalityExtractor(model, modality, folder)
            if not maker.uses_recordings:
                continue
            maker.load()
            _warm_up(maker)
        except MissingDependencyError as error:
            report[modality] = {"needs": str(error)}
        except InputError as error:
            report[modality] = {"reason": str(error)}
        else:
            makers[modality], report[modality] = maker, {"note": maker.note}
    return makers, report


def _warm_up(maker: ModalityExtractor) -> None:
    """Run an encoder once, so that memory allocated at its first use does not count towards an upload.

    Raises:
        MissingDependencyError: A dependency is not installed.
    """
    from sdt.media.clip import Clip
    from sdt.media.recordings import Recordings

    noise = random.Random(0).randbytes(2 * 16000)  # noqa: S311 - a second of sound
    with tempfile.TemporaryFile() as file:  # an unnamed file is deleted even if the process is killed
        with wave.open(file, "wb") as sound:
            sound.setparams((1, 2, 16000, 0, "NONE", ""))
            sound.writeframes(noise)
        file.seek(0)
        clip = Clip(DESCRIPTORS / str(file.fileno()))
        maker.extract([Conversation("", (Utterance("", ""),))], Recordings({("", ""): [clip]}))


def limit_resources(memory: int) -> None:
    """Limit the additional memory of this process, and forbid written files and core dumps."""
    if Path("/proc/self/statm").exists():
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def end_with(lifeline: Connection) -> None:
    """End this process when the service ends; runs in a thread."""
    with suppress(EOFError, OSError):
        lifeline.recv_bytes()  # nothing is ever sent; returns when the other end is closed
    os._exit(1)


def _answer(
    connection: Connection, job: Mapping[str, Any], files: Sequence[int], makers: Mapping[str, ModalityExtractor]
) -> None:
    """Extract the features of one conversation and send them, or an error message."""
    folder = Path(job["folder"])
    error_message: dict[str, object] = {}
    extracted: dict[str, Encoded] = {}
    try:
        conversation, recordings = _recordings(job, files, folder)
        for modality, maker in makers.items():
            progress = _ProgressSender(connection, modality, len(conversation))
            extracted[modality] = maker.extract([conversation], recordings, progress)
    except _TooLong as error:
        error_message = {"limit": "media_seconds", "message": str(error)}
    except MissingDependencyError as error:
        error_message = {"needs": str(error)}
    except InputError as error:
        error_message = {"refused": str(error).replace(f"{folder}/", "")}
    except MemoryError:
        error_message = _TOO_MUCH
    if any("MemoryError" in problem for encoded in extracted.values() for problem in encoded.problems):
        error_message = _TOO_MUCH
    if error_message:
        _send(connection, error_message)
        return
    _send(connection, {"made": {modality: encoded.problems for modality, encoded in extracted.items()}})
    for encoded in extracted.values():
        connection.send_bytes(encoded.features.astype("<f4").tobytes())
        connection.send_bytes(encoded.present.tobytes())


class _ProgressSender:
    """Sends the service the number of utterances of a modality that are done."""

    def __init__(self, connection: Connection, modality: str, total: int) -> None:
        self._connection, self._modality, self._sent = connection, modality, -PROGRESS_SECONDS
        self(0, total)

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done in (0, total) or now - self._sent >= PROGRESS_SECONDS:
            self._sent = now
            _send(self._connection, {"modality": self._modality, "done": done, "total": total})


class _TooLong(Exception):  # noqa: N818 - a condition, not an error
    """A recording is longer than allowed."""


def _recordings(job: Mapping[str, Any], files: Sequence[int], folder: Path) -> tuple[Conversation, Any]:
    """The conversation and its recordings.

    Encoders open files by path and guess their type by name. The folder therefore contains links to the open files of
    this process under the names of the uploads, but not the uploads themselves.
    """
    from sdt.media.clip import Clip, MediaProblem, container_seconds
    from sdt.media.recordings import Recordings, find_recordings

    given = job["conversation"]
    conversation = Conversation(given["id"], tuple(Utterance(**utterance) for utterance in given["utterances"]))
    clips: dict[tuple[str, str], Sequence[Clip]] = {}
    for file, descriptor in zip(job["files"], files, strict=True):
        path = folder / file["name"]
        path.symlink_to(DESCRIPTORS / str(descriptor))
        with suppress(MediaProblem):  # the encoder reports it
            seconds = container_seconds(path)
            if seconds > job["media_seconds"]:
                raise _TooLong(f"{file['name']} lasts {seconds:,.0f} seconds")
        if file["utterance"] is None:
            clips = {**find_recordings([conversation], {}, path).clips, **clips}
        else:
            clips[conversation.id, file["utterance"]] = [Clip(path)]
    return conversation, Recordings(clips)


def _send(connection: Connection, message: Mapping[str, object]) -> None:
    connection.send_bytes(json.dumps(message).encode("ascii"))
