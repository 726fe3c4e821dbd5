"""The offline visual encoder: the speaker's face, found and described with what OpenCV carries.

| name                  | what it is                                                                     | width |
|-----------------------|--------------------------------------------------------------------------------|-------|
| `faces`               | the largest steady face: edges, texture, place and motion (`FACE_FEATURES`)    | 322   |
| `faces:speaking`      | the same of the face whose mouth moves with the sound, where that is clear     | 322   |
| `faces:fps=8`         | the same from 8 pictures a second; `faces` looks at 4, `faces:speaking` at 8   | 322   |
| `face-model:MODEL`    | a Hugging Face facial-expression model: see `sdt.encoders.visual_model`        | its   |

The values describe how this face looks, too: taken as deviations from the speaker's own mean (the corpus'
normalisation does that) they speak more of the expression and less of the person.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from sdt.cores import usable_cores
from sdt.encoders.encoder import Encoded, Progress, Source, Vector, encode_each
from sdt.encoders.faces import FaceSettings, SpeakerFace, speaker_face
from sdt.encoders.visual_describe import CROP_SIDE, FACE_FEATURES, describe
from sdt.encoders.visual_detect import FaceFinder, opencv
from sdt.media.clip import Clip


class Faces:
    """Describes the speaker's face without a trained model."""

    modality = "visual"
    licence_note = None
    width = len(FACE_FEATURES)

    def __init__(self, name: str = "faces") -> None:
        self._settings = FaceSettings.parse(name.partition(":")[2])
        self.name = ":".join(filter(None, ["faces", str(self._settings)]))

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Encode the clips of n utterances; one without a face in view is missing."""
        cv2 = opencv()
        return encode_speakers(
            sources, self._settings, CROP_SIDE, self.width, lambda speaker: describe(speaker, cv2), progress
        )


def encode_speakers(
    sources: Sequence[Source],
    settings: FaceSettings,
    size: int,
    width: int,
    description: Callable[[SpeakerFace], Vector],
    progress: Progress | None,
) -> Encoded:
    """Find and describe the speaker's face of n utterances, as many at a time as there are processor cores.

    Args:
        sources: The utterances.
        settings: How the face is found.
        size: Side of the face crops in pixels.
        width: D.
        description: From a speaker's face to its features [D]; is called from several threads.
        progress: Called after each utterance.

    Raises:
        MissingDependencyError: OpenCV or PyAV is not installed.
    """
    finder = FaceFinder()

    def describe_clip(clip: Clip) -> Vector:
        return description(speaker_face(clip, finder, settings, size))

    with _one_thread_each(), ThreadPoolExecutor(usable_cores()) as pool:
        waiting = {source.clip: pool.submit(describe_clip, source.clip) for source in sources if source.clip}
        try:
            return encode_each(sources, width, lambda clip: waiting[clip].result(), progress)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)  # an interruption does not wait for what has not begun


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """OpenCV keeps to the thread it is called from: the utterances are what is worked on side by side."""
    cv2 = opencv()
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
