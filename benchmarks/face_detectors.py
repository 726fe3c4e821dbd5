"""Face detectors on the frames of videos: how many faces they find, also in tilted frames, and their speed on one core.

Frames are rotated about their middle. Times are CPU time, without decoding: of a search of the whole frame, and of a
search near the faces of the frame before.

    python -m benchmarks.face_detectors one_face.mp4 nobody.mp4 --degrees 0 30 60
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from sdt.encoders.visual_cascade import CascadeDetector
from sdt.encoders.visual_centerface import CenterFaceDetector
from sdt.encoders.visual_detect import FaceDetector, Picture, opencv
from sdt.errors import InputError
from sdt.media.clip import Clip, MediaProblem
from sdt.media.video import decode_frames


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--degrees", nargs="+", type=int, default=[0], help="rotations of each frame; default: 0")
    parser.add_argument("--per-second", type=float, default=25, help="frames per second; default: 25")
    options = parser.parse_args()
    opencv().setNumThreads(1)
    detectors: dict[str, FaceDetector] = {"cascade": CascadeDetector(), "centerface": CenterFaceDetector()}
    print(f"{'file':20} {'degrees':>7} {'detector':10} {'frames':>6} {'0':>5} {'1':>5} {'more':>5}  detect  track")
    for file in options.files:
        try:
            frames = [picture for _, picture in decode_frames(Clip(file), options.per_second)]
        except MediaProblem as problem:
            raise InputError(f"{file}: {problem.reason}") from None
        for degrees in options.degrees:
            rotated = [_rotate(frame, degrees) for frame in frames]
            for name, detector in detectors.items():
                faces, detecting, tracking = _measure(detector, rotated)
                counts = [faces[0], faces[1], len(frames) - faces[0] - faces[1]]
                print(
                    f"{file.name:20} {degrees:7} {name:10} {len(frames):6} "
                    + " ".join(f"{count:5}" for count in counts)
                    + f"  {detecting:4.1f} ms {tracking:4.1f} ms"
                )


def _rotate(picture: Picture, degrees: int) -> Picture:
    cv2 = opencv()
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    rotated: Picture = cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return rotated


def _measure(detector: FaceDetector, frames: list[Picture]) -> tuple[Counter[int], float, float]:
    """The numbers of faces of the frames, and milliseconds per frame of `detect` and `track`."""
    detector.detect(frames[0])  # loads the models
    start = time.process_time()
    found = [detector.detect(frame) for frame in frames]
    detecting = (time.process_time() - start) / len(frames)
    start = time.process_time()
    tracked = [len(detector.track(frame, faces)) for frame, faces in zip(frames[1:], found, strict=False) if faces]
    tracking = (time.process_time() - start) / len(tracked) if tracked else np.nan
    return Counter(map(len, found)), 1000 * detecting, 1000 * tracking


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"face_detectors.py: {error}")
