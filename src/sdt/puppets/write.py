"""Generated conversations as files, such as anyone's own corpus can have.

OUT/utterances.jsonl   one utterance a line, with the name of its recording
OUT/sceneNNNN.mp4      a conversation's recording (.wav where there was no camera)
OUT/sceneNNNN.vtt      its subtitles, which players show and `sdt predict` reads
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
from sdt.formats.markup import escape_webvtt
from sdt.puppets.generate import Scene
from sdt.puppets.record import file_name, pyav, record
from sdt.waiting import as_completed, without_interrupts

Progress = Callable[[float, float], None]
"""Called with (seconds recorded, seconds in all)."""


def write(
    scenes: Sequence[Scene],
    folder: Path,
    *,
    overwrite: bool = False,
    processes: int = 1,
    progress: Progress | None = None,
) -> None:
    """Write the files, all of them or none.

    Args:
        scenes: The conversations.
        folder: Where.
        overwrite: Replace what is in it.
        processes: How many work side by side. More than one need a main program that can be imported.
        progress: Told how far it is.

    Raises:
        InputError: The folder has something in it and `overwrite` is false.
        MissingDependencyError: PyAV or OpenCV is not installed.
    """
    pyav()
    opencv()
    total = sum(scene.seconds for scene in scenes)
    done = 0.0
    with atomic_folder(folder, overwrite=overwrite) as aside:
        with (aside / "utterances.jsonl").open("w", encoding="utf-8", newline="\n") as file:
            for line in _lines(scenes):
                file.write(json.dumps(line) + "\n")
        for scene in scenes:
            (aside / f"{scene.conversation.id}.vtt").write_text(_subtitles(scene), encoding="utf-8", newline="\n")
        for seconds in _recorded(scenes, aside, processes):
            done += seconds
            if progress:
                progress(done, total)


def _recorded(scenes: Sequence[Scene], folder: Path, processes: int) -> Iterator[float]:
    """Record the scenes in any order; the seconds of each as it is done."""
    task = partial(_record, folder=folder)
    if processes == 1:
        yield from map(task, scenes)
        return
    # Not forked: a copy of a process that has threads may hang.
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process hears it and ends its workers
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
    """WebVTT; what nobody understood has no cue."""
    cues = [
        f"\n{said.id}\n{_clock(said.start)} --> {_clock(said.end)}\n<v {said.speaker}>{escape_webvtt(said.text)}\n"
        for said in scene.conversation.utterances
        if said.text
    ]
    return "WEBVTT\n" + "".join(cues)


def _clock(seconds: float | None) -> str:
    assert seconds is not None
    minutes, rest = divmod(round(1000 * seconds), 60_000)
    return f"00:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"
