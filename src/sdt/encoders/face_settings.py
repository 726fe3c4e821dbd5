"""The settings of face detection in the names of visual encoders: `faces:centerface,speaking,fps=8`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sdt.encoders.visual_cascade import CascadeDetector
from sdt.encoders.visual_centerface import CENTERFACE, CenterFaceDetector
from sdt.encoders.visual_detect import FaceDetector
from sdt.errors import InputError

Detector = Literal["cascade", "centerface"]
FACES_PER_SECOND = 4.0
FACES_PER_SECOND_SPEAKING = 8.0
"""A mouth opens and closes about four times per second, which four frames per second cannot resolve."""
DETECTORS = ("centerface", "auto")
"""The settings that select a detector; without one it is the cascade."""


@dataclass(frozen=True)
class FaceSettings:
    """The settings of face detection, which follow the colon in the name of an encoder: `faces:speaking,fps=8`."""

    detector: Detector = "cascade"
    """The face detector; see `sdt.encoders.visual_cascade` and `sdt.encoders.visual_centerface`."""
    speaking: bool = False
    """Whether to choose the face whose mouth moves with the sound instead of the largest one."""
    per_second: float = FACES_PER_SECOND
    """The number of frames per second that are analysed."""

    def __str__(self) -> str:
        default = FACES_PER_SECOND_SPEAKING if self.speaking else FACES_PER_SECOND
        speed = [] if self.per_second == default else [f"fps={self.per_second:g}"]
        detector = [] if self.detector == "cascade" else [self.detector]
        return ",".join([*detector, *["speaking"] * self.speaking, *speed])

    @classmethod
    def parse(cls, settings: str, encoder: str = "faces") -> FaceSettings:
        """Parse settings such as `speaking,fps=8`.

        `auto` is CenterFace where its weights are installed, and else the cascade; the result says which.

        Raises:
            InputError: A part is not one of those that `is_setting` describes.
            MissingDependencyError: The weights of CenterFace are not installed.
        """
        detector: Detector = "cascade"
        speaking, per_second = False, None
        for part in filter(None, settings.split(",")):
            key, _, value = part.partition("=")
            if part == "speaking":
                speaking = True
            elif part == "centerface":
                CENTERFACE.require(f"feature encoder '{encoder}:{settings}'")
                detector = "centerface"
            elif part == "auto":
                detector = "centerface" if CENTERFACE.installed else "cascade"
            elif key == "fps" and _is_rate(value):
                per_second = float(value)
            else:
                raise InputError(
                    f"feature encoder '{encoder}:{settings}': unknown setting {part!r}; known are 'centerface' and "
                    "'auto' (detectors), 'speaking' and 'fps=N' (frames per second, 1 to 60)"
                )
        default = FACES_PER_SECOND_SPEAKING if speaking else FACES_PER_SECOND
        return cls(detector, speaking, per_second or default)

    @staticmethod
    def is_setting(part: str) -> bool:
        """Whether a part of a name is meant as a setting: a detector, `speaking`, or `fps=` and a number."""
        return part in (*DETECTORS, "speaking") or part.startswith("fps=")

    def make_detector(self) -> FaceDetector:
        """Make the face detector.

        Raises:
            InputError: The weights are damaged.
            MissingDependencyError: A package is not installed.
        """
        return CenterFaceDetector() if self.detector == "centerface" else CascadeDetector()


def _is_rate(value: str) -> bool:
    try:
        return 1 <= float(value) <= 60
    except ValueError:
        return False
