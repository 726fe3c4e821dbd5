"""Writer of generated conversations, in files that `sdt corpus import` and `sdt predict` read.

OUT/utterances.jsonl   one utterance per line, with the name of its recording
OUT/sceneNNNN.mp4      the recording of a conversation (.wav without video)
OUT/sceneNNNN.vtt      its subtitles
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from sdt.encoders.visual_detect import opencv
from sdt.files import atomic_folder
from sdt.formats.parsing.markup import escape_webvtt
from sdt.puppets.generate import Scene
from sdt.puppets.record import file_name, pyav, record
from sdt.waiting import as_completed, without_interrupts

Progress = Callable[[float, float], None]
"""Called with (seconds recorded, total)."""


def write(
    scenes: Sequence[Scene],
    folder: Path,
    *,
    overwrite: bool = False,
    processes: int = 1,
    progress: Progress | None = None,
) -> None:
    """Write conversations to a folder, atomically.

    Args:
        scenes: The conversations.
        folder: The folder.
        overwrite: Whether to replace an existing folder.
        processes: The number of parallel processes; more than one requires an importable main program.
        progress: Called after each conversation.

    Raises:
        InputError: The folder is not empty, and `overwrite` is false.
        MissingDependencyError: PyAV or OpenCV is not installed.
    """
    pyav()
    opencv()
    total = sum(scene.seconds for scene in scenes)
    done = 0.0
    with atomic_folder(folder, overwrite=overwrite) as temporary:
        with (temporary / "utterances.jsonl").open("w", encoding="utf-8", newline="\n") as file:
            for line in _lines(scenes):
                file.write(json.dumps(line) + "\n")
        for scene in scenes:
            (temporary / f"{scene.conversation.id}.vtt").write_text(_subtitles(scene), encoding="utf-8", newline="\n")
        for seconds in _record_all(scenes, temporary, processes):
            done += seconds
            if progress:
                progress(done, total)


def _record_all(scenes: Sequence[Scene], folder: Path, processes: int) -> Iterator[float]:
    """Record the scenes, and yield the duration of each in the order of completion."""
    task = partial(_record, folder=folder)
    if processes == 1:
        yield from map(task, scenes)
        return
    # Not "fork", since a copy of a process with threads can hang.
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_prepare_worker)
    try:
        with without_interrupts():
            futures = [pool.submit(task, scene) for scene in scenes]
        for one in as_completed(futures):
            yield one.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _record(scene: Scene, folder: Path) -> float:
    record(scene, folder / file_name(scene))
    return scene.seconds


def _prepare_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process handles it and stops its workers
    opencv().setNumThreads(1)


def _lines(scenes: Sequence[Scene]) -> Iterator[dict[str, object]]:
    for scene in scenes:
        for order, utterance in enumerate(scene.conversation.utterances):
            yield {
                "conversation": scene.conversation.id,
                "utterance": utterance.id,
                "order": order,
                "speaker": utterance.speaker,
                "label": utterance.label,
                "split": scene.split,
                "text": utterance.text,
                "start": utterance.start,
                "end": utterance.end,
                "media": file_name(scene),
            }


def _subtitles(scene: Scene) -> str:
    """The WebVTT subtitles; utterances without text have no cue."""
    cues = [
        f"\n{one.id}\n{_clock(one.start)} --> {_clock(one.end)}\n<v {one.speaker}>{escape_webvtt(one.text)}\n"
        for one in scene.conversation.utterances
        if one.text
    ]
    return "WEBVTT\n" + "".join(cues)


def _clock(seconds: float | None) -> str:
    assert seconds is not None
    minutes, rest = divmod(round(1000 * seconds), 60_000)
    return f"00:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"
