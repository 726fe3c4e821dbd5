"""The process that decodes uploads: it makes the features of recordings, and nothing else depends on its life.

What strangers upload is decoded here by libraries of millions of lines. The process can take only so much memory, can
write no file, and is killed by an alarm of its own when it takes too long; the service does not wait for it. Recordings
come as open files that have no name; numbers go back as bytes, not as pickles, so that what goes wrong in here cannot
reach the service.
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
    from sdt.prediction.extraction import ModalityMaker

DESCRIPTORS = Path("/proc/self/fd") if Path("/proc/self/fd").is_dir() else Path("/dev/fd")
"""Where a process finds its open files under names."""


TELL_SECONDS = 0.2
"""How often it is said how far the decoding is; more often nobody looks."""
_TOO_MUCH: dict[str, object] = {"limit": "decode_bytes", "message": "decoding the recording takes too much memory"}


def run(connection: Connection, lifeline: Connection, config: ModelConfig, folder: Path, memory: int) -> None:
    """Load the encoders, say which there are, then answer until the other end is closed.

    Args:
        connection: To the service.
        lifeline: Closed when the service ends, in whatever way.
        config: The model's.
        folder: Of the model.
        memory: The bytes that an upload may take.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # the service says when to stop
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    makers, report = _load(config, folder)
    _confine(memory)
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


def _load(config: ModelConfig, folder: Path) -> tuple[dict[str, ModalityMaker], dict[str, dict[str, str | None]]]:
    """The encoders of recordings, and what is to be said of each: why it cannot be had, or a note."""
    from sdt.prediction.extraction import ModalityMaker

    makers: dict[str, ModalityMaker] = {}
    report: dict[str, dict[str, str | None]] = {}
    for modality in config.modalities:
        try:
            maker = ModalityMaker(config, modality, folder)
            if not maker.recorded:
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


def _warm_up(maker: ModalityMaker) -> None:
    """Let an encoder load the libraries that it loads when it is first used: later they would count as an upload's.

    Raises:
        MissingDependencyError: One of them is not installed.
    """
    from sdt.media.clip import Clip
    from sdt.media.recordings import Recordings

    noise = random.Random(0).randbytes(2 * 16000)  # noqa: S311 - a second of sound
    with tempfile.TemporaryFile() as file:  # has no name: a process that is killed meanwhile leaves nothing behind
        with wave.open(file, "wb") as sound:
            sound.setparams((1, 2, 16000, 0, "NONE", ""))
            sound.writeframes(noise)
        file.seek(0)
        clip = Clip(DESCRIPTORS / str(file.fileno()))
        maker.make([Conversation("", (Utterance("", ""),))], Recordings({("", ""): [clip]}))


def _confine(memory: int) -> None:
    """From here on: so much more memory, no files to write, no cores to dump."""
    if Path("/proc/self/statm").exists():
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end_with(lifeline: Connection) -> None:
    with suppress(EOFError, OSError):
        lifeline.recv_bytes()  # nothing is ever sent: it waits until the other end is closed
    os._exit(1)


def _answer(
    connection: Connection, job: Mapping[str, Any], files: Sequence[int], makers: Mapping[str, ModalityMaker]
) -> None:
    """Make the features of one conversation and send them, or why not."""
    folder = Path(job["folder"])
    refusal: dict[str, object] = {}
    made: dict[str, Encoded] = {}
    try:
        conversation, recordings = _found(job, files, folder)
        for modality, maker in makers.items():
            made[modality] = maker.make([conversation], recordings, _Teller(connection, modality, len(conversation)))
    except _TooLong as error:
        refusal = {"limit": "media_seconds", "message": str(error)}
    except MissingDependencyError as error:
        refusal = {"needs": str(error)}
    except InputError as error:
        refusal = {"refused": str(error).replace(f"{folder}/", "")}
    except MemoryError:
        refusal = _TOO_MUCH
    if any("MemoryError" in problem for encoded in made.values() for problem in encoded.problems):
        refusal = _TOO_MUCH
    if refusal:
        _send(connection, refusal)
        return
    _send(connection, {"made": {modality: encoded.problems for modality, encoded in made.items()}})
    for encoded in made.values():
        connection.send_bytes(encoded.features.astype("<f4").tobytes())
        connection.send_bytes(encoded.present.tobytes())


class _Teller:
    """Tells the service how many utterances of a modality are done."""

    def __init__(self, connection: Connection, modality: str, total: int) -> None:
        self._connection, self._modality, self._told = connection, modality, -TELL_SECONDS
        self(0, total)

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done in (0, total) or now - self._told >= TELL_SECONDS:
            self._told = now
            _send(self._connection, {"modality": self._modality, "done": done, "total": total})


class _TooLong(Exception):  # noqa: N818 - a condition, not an error
    """A recording lasts longer than is allowed."""


def _found(job: Mapping[str, Any], files: Sequence[int], folder: Path) -> tuple[Conversation, Any]:
    """The conversation and its recordings.

    The files get names in a folder of links that point into this process: encoders open them by a path, and the name
    says what kind of file it is meant to be, but nothing of an upload is in the folder.
    """
    from sdt.media.clip import Clip, MediaProblem, container_seconds
    from sdt.media.recordings import Recordings, find_recordings

    said = job["conversation"]
    conversation = Conversation(said["id"], tuple(Utterance(**utterance) for utterance in said["utterances"]))
    clips: dict[tuple[str, str], Sequence[Clip]] = {}
    for file, descriptor in zip(job["files"], files, strict=True):
        path = folder / file["name"]
        path.symlink_to(DESCRIPTORS / str(descriptor))
        with suppress(MediaProblem):  # the encoder will say so
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
