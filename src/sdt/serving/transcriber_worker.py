"""The main loop of a process that transcribes uploaded recordings and recognises the words of live speech.

Untrusted uploads are decoded here, as in `decoder_worker`: the memory of the process is limited, it cannot write files,
and an alarm ends it if it takes too long.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import random
import re
import signal
import tempfile
import threading
import time
import wave
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sdt.errors import InputError, MissingDependencyError
from sdt.media.clip import MediaProblem, container_seconds
from sdt.serving.decoder_worker import DESCRIPTORS, PROGRESS_SECONDS, end_with, limit_resources
from sdt.speech.transcriber import check_language

if TYPE_CHECKING:
    from sdt.speech.recording import RecordingTranscriber

MIB = 2**20
_OPTION = re.compile(r"--(speakers|language|channels|transcriber) ")
"""An option of the command line in a message."""


def run(connection: Connection, lifeline: Connection, transcriber: str, memory: int) -> None:
    """Load the models, report them, then process jobs until the connection is closed.

    Args:
        connection: The connection to the service.
        lifeline: Closed when the service ends, in whatever way.
        transcriber: The name of the recogniser; see `load_transcriber`.
        memory: Bytes of memory that a recording may take.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # the service stops this process
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=end_with, args=(lifeline,), daemon=True).start()
    _disable_semaphores()
    try:
        from sdt.speech.recording import RecordingTranscriber, SpeechOptions

        recorder = RecordingTranscriber(SpeechOptions(transcriber=transcriber))
        engine = recorder.load()
        _warm_up(recorder)
    except (InputError, MissingDependencyError, ImportError) as error:
        _send(connection, {"needs": str(error)})
        return
    limit_resources(memory)
    _send(connection, {"name": engine.name, "languages": list(engine.languages)})
    while True:
        try:
            job = json.loads(connection.recv_bytes())
            if job["kind"] == "words":
                samples = np.frombuffer(connection.recv_bytes(), dtype="<f4")
                _send(connection, _words(recorder, samples, job["language"]))
                continue
            file = recv_handle(connection)
        except (EOFError, OSError):
            return
        _send(connection, {})
        try:
            signal.setitimer(signal.ITIMER_REAL, job["seconds"])
            _send(connection, _transcript(connection, recorder, job, file))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            os.close(file)


def _disable_semaphores() -> None:
    """Have tqdm, which faster-whisper uses, create no semaphore: it would be left when this process is killed."""
    with suppress(ImportError):
        import_module("tqdm.std").TqdmDefaultWriteLock.mp_lock = None


def _warm_up(recorder: RecordingTranscriber) -> None:
    """Transcribe a second of noise: what the models load then does not count towards the memory of an upload."""
    content = io.BytesIO()
    with wave.open(content, "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes(random.Random(0).randbytes(2 * 16000))  # noqa: S311 - noise
    with tempfile.TemporaryFile() as file:  # without a name, so that nothing is left behind if the process is killed
        file.write(content.getvalue())
        file.flush()
        with suppress(InputError):  # nothing is said in it
            recorder(DESCRIPTORS / str(file.fileno()))
    recorder.load().words(np.zeros(16000, dtype=np.float32), None)


def _words(recorder: RecordingTranscriber, samples: np.ndarray[Any, Any], language: str | None) -> dict[str, object]:
    """The words of a piece of live speech, and when its speaker last changes."""
    engine = recorder.load()
    try:
        check_language(engine, language)
    except InputError as error:
        return {"refused": _OPTION.sub(r"\1 ", str(error))}
    found = engine.words(samples, language, quick=True)
    words = [dataclasses.asdict(word) for word in found.words]
    return {"words": words, "language": found.language, "change": recorder.last_change(samples)}


class _TooLong(Exception):  # noqa: N818 - a condition, not an error
    """A recording is longer than allowed."""


def _transcript(
    connection: Connection, recorder: RecordingTranscriber, job: Mapping[str, Any], file: int
) -> dict[str, object]:
    """The transcript of one recording, or the reason why there is none.

    Models open files by path and guess their type by name. The folder of the job therefore contains a link to the open
    file of this process under the name of the upload.
    """
    from sdt.speech.speakers import SpeakerCount

    folder = Path(job["folder"])
    path = folder / job["name"]
    path.symlink_to(DESCRIPTORS / str(file))
    longest = float(job["longest"])
    sent = 0.0

    def progress(stage: str, done: float, seconds: float) -> None:
        nonlocal sent
        if done > longest:  # the container does not say how long it is, or too little
            raise _TooLong(done)
        if done >= seconds or time.monotonic() - sent >= PROGRESS_SECONDS:
            sent = time.monotonic()
            _send(connection, {"stage": stage, "done": round(done, 3), "seconds": round(seconds, 3)})

    try:
        speakers = job["speakers"] and SpeakerCount(*job["speakers"])
        recorder.options = dataclasses.replace(
            recorder.options, language=job["language"], speakers=speakers, channels=job["channels"]
        )
        seconds = 0.0
        with suppress(MediaProblem):  # the transcriber reports it
            seconds = container_seconds(path)
        if seconds > longest:
            raise _TooLong(seconds)
        if seconds:
            progress("speakers", 0.0, seconds)
        found = recorder(path, progress=progress)
        return {"seconds": seconds, "notes": found.notes, **dataclasses.asdict(found.conversations[0])}
    except _TooLong as error:
        return {"limit": "recording_seconds", "message": f"{job['name']} lasts {error.args[0]:,.0f} seconds"}
    except MissingDependencyError as error:
        return {"needs": str(error)}
    except InputError as error:
        return {"refused": _OPTION.sub(r"\1 ", str(error).replace(f"{folder}/", ""))}
    except MemoryError:
        return {"limit": "transcribe_bytes", "message": "transcribing the recording takes too much memory"}


def _send(connection: Connection, message: Mapping[str, object]) -> None:
    connection.send_bytes(json.dumps(message).encode("ascii"))
