"""Detection of the speaker's face in a clip: faces are detected in sampled frames and linked to tracks.

A track is one face over time. By default, the speaker is the largest steady face, by its area times the fraction of the
frames that show it. With the setting `speaking`, it is the face whose mouth moves with the sound, if the evidence is
clear. A clip with cuts has several tracks, of which one is the speaker.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sdt.encoders.face_settings import FaceSettings
from sdt.encoders.visual_detect import SAME_FACE, Box, DetectedFace, FaceDetector, Picture, Points, opencv
from sdt.media.audio import decode_audio
from sdt.media.clip import Clip, MediaProblem
from sdt.media.video import decode_frames

LONGEST = 2400
"""The largest number of frames of a clip that are analysed: five or ten minutes, longer than any utterance."""
BRIDGED_SECONDS = 1.0
"""A face that is found again near its last position within this time continues its track."""
SEARCHED_SECONDS = 0.75
"""The interval at which the whole frame is searched within a shot. In between, faces are searched near their last
position, and the whole frame only if one of them is not found."""
SAME_SHOT = 0.7
"""Two consecutive frames, reduced to 16 by 16 pixels, with a smaller correlation are separated by a cut. After a cut,
another face is often at the same position. Within a shot, the correlation was above 0.93 in all inspected clips."""
CLEAR_EVIDENCE = 1.5
"""The threshold of correlation times the square root of the number of frames, above which a mouth moves with the sound.
Without a relation, this is approximately standard normal, so that one track in fifteen passes by chance."""
Region = tuple[float, float, float, float]
"""First and last row, first and last column of a part of an aligned crop, as fractions of its side."""
MOUTH: Region = (0.62, 0.96, 0.2, 0.8)
UPPER_FACE: Region = (0.1, 0.5, 0.1, 0.9)


@dataclass(frozen=True)
class TrackedFace:
    """A face of a track in one frame."""

    index: int
    """The number of the frame among those analysed."""
    time: float
    """Seconds from the start of the clip."""
    found: DetectedFace
    eyes: Points | None
    """The eyes in units of the side of the box: the detected ones, smoothed over the track, or else the previous ones;
    None if the track has none."""
    crop: Picture
    """[S, S, 3] with level eyes."""


@dataclass
class Track:
    """One face over time; never empty."""

    faces: list[TrackedFace] = field(default_factory=list)

    @property
    def last(self) -> TrackedFace:
        """The latest frame of the face."""
        return self.faces[-1]

    def mean_area(self, height: int, width: int) -> float:
        """The mean area of the face as a fraction of the frame."""
        return float(np.mean([face.found.box.side**2 for face in self.faces])) / (height * width)


@dataclass(frozen=True)
class SpeakerFace:
    """The track of the speaker's face in a clip."""

    faces: list[TrackedFace]
    """The frames with the face, in order of time."""
    pictures: int
    """The number of analysed frames of the clip."""
    height: int
    """The height of a frame in pixels."""
    width: int
    """The width of a frame in pixels."""
    tracks: int
    """The number of steady faces in the clip."""

    @property
    def share(self) -> float:
        """The fraction of the frames in which the face was found."""
        return len(self.faces) / self.pictures


def speaker_face(clip: Clip, detector: FaceDetector, settings: FaceSettings, size: int) -> SpeakerFace:
    """Find the speaker's face in a clip.

    Args:
        clip: The clip.
        detector: The face detector.
        settings: The number of frames per second, and the rule that selects the speaker.
        size: S, the side of the crops in pixels.

    Raises:
        MediaProblem: The clip cannot be decoded, or no face is in view.
    """
    tracks, shape, pictures = track_faces(clip, detector, settings.per_second, size)
    # A detection in a single frame of many is usually a false positive.
    steady = [track for track in tracks if len(track.faces) >= min(2, pictures)]
    if not steady:
        raise MediaProblem("no face in view")
    steady.sort(key=lambda track: track.mean_area(*shape) * len(track.faces), reverse=True)
    chosen = steady[0]
    if settings.speaking and len(steady) > 1:
        chosen = find_active_speaker(clip, steady) or chosen
    return SpeakerFace(chosen.faces, pictures, *shape, len(steady))


def track_faces(
    clip: Clip, detector: FaceDetector, per_second: float, size: int
) -> tuple[list[Track], tuple[int, int], int]:
    """Track the faces of a clip.

    Returns:
        The tracks, the height and width of the frames, and the number of analysed frames.
    """
    tracks: list[Track] = []
    shots = ShotDetector()
    shape, pictures, searched = (0, 0), 0, -math.inf
    for index, (time, picture) in enumerate(decode_frames(clip, per_second)):
        if index == LONGEST:
            break
        first = shots.shot_start(index, picture)
        within_reach = [
            track for track in tracks if track.last.index >= first and time - track.last.time <= BRIDGED_SECONDS
        ]
        tracked = detector.track(picture, [track.last.found for track in within_reach])
        found = [face for face in tracked if face]
        lost = any(
            not face and track.last.index == index - 1 for track, face in zip(within_reach, tracked, strict=True)
        )
        if lost or not found or time - searched >= SEARCHED_SECONDS:
            found, searched = detector.detect(picture, known=found), time
        for track, face in _link(within_reach, found):
            smoothed, eyes = (face, face.eyes) if track is None else _smooth(face, track.last)
            added = TrackedFace(index, time, smoothed, eyes, detector.crop(picture, smoothed, eyes, size))
            if track is None:
                tracks.append(Track([added]))
            else:
                track.faces.append(added)
        shape, pictures = (picture.shape[0], picture.shape[1]), index + 1
    return tracks, shape, pictures


def find_active_speaker(clip: Clip, tracks: list[Track]) -> Track | None:
    """The track whose mouth moves with the sound; None if the evidence is not clear, or there is no sound."""
    try:
        audio = decode_audio(clip)
    except MediaProblem:
        return None
    samples = audio.mono()
    evidence = [_sound_evidence(track, samples, audio.rate) for track in tracks]
    best = int(np.argmax(evidence))
    return tracks[best] if evidence[best] >= CLEAR_EVIDENCE else None


def consecutive_pairs(faces: list[TrackedFace]) -> list[tuple[TrackedFace, TrackedFace]]:
    """The pairs of faces in consecutive frames, between which motion can be measured."""
    return [(one, two) for one, two in itertools.pairwise(faces) if two.index == one.index + 1]


def crop_region(crops: npt.NDArray[np.float32], region: Region) -> npt.NDArray[np.float32]:
    """Cut a region out of crops [..., S, S]."""
    top, bottom, left, right = (round(edge * crops.shape[-1]) for edge in region)
    return crops[..., top:bottom, left:right]


class ShotDetector:
    """Detects cuts, frame by frame."""

    def __init__(self) -> None:
        self._cv2 = opencv()
        self._previous: npt.NDArray[np.float64] | None = None
        self._first = 0

    def shot_start(self, index: int, picture: Picture) -> int:
        """The index of the first frame of the shot that this frame belongs to."""
        cv2 = self._cv2
        small = (
            cv2.resize(picture[::4, ::4], (16, 16), interpolation=cv2.INTER_AREA)
            .astype(np.float64)
            .mean(axis=2)
            .ravel()
        )
        small -= small.mean()
        if self._previous is not None:
            both = float(np.sqrt((small @ small) * (self._previous @ self._previous)))
            # A uniform frame, such as a black one, has no correlation, and no face.
            if both > 0 and float(small @ self._previous) / both < SAME_SHOT:
                self._first = index
        self._previous = small
        return self._first


def _smooth(face: DetectedFace, last: TrackedFace) -> tuple[DetectedFace, Points | None]:
    """Halve the change of size and eyes since the previous frame, because detections are noisy."""
    if face.frontal != last.found.frontal:  # the boxes of the frontal and the profile cascade are not comparable
        return face, face.eyes
    old = face.box
    side = (old.side + last.found.box.side) / 2
    margin = (old.side - side) / 2
    box = Box(old.x + margin, old.y + margin, side)
    smoothed = DetectedFace(box, face.frontal, face.eyes)
    if face.eyes is None:
        return smoothed, last.eyes
    eyes = (face.eyes * old.side - margin) / side  # the same position, relative to the new box
    return smoothed, eyes if last.eyes is None else (eyes + last.eyes) / 2


def _link(tracks: list[Track], found: list[DetectedFace]) -> list[tuple[Track | None, DetectedFace]]:
    """Assign every detected face to the track that it continues, or to None; the best overlaps are assigned first."""
    pairs = [
        (track.last.found.box.overlap(face.box), row, column)
        for row, track in enumerate(tracks)
        for column, face in enumerate(found)
    ]
    track_of: dict[int, int] = {}
    for overlap, row, column in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if overlap >= SAME_FACE and row not in track_of.values() and column not in track_of:
            track_of[column] = row
    return [(tracks[track_of[i]] if i in track_of else None, face) for i, face in enumerate(found)]


def _sound_evidence(track: Track, samples: npt.NDArray[np.float32], rate: int) -> float:
    """The evidence that the motion of the mouth follows the loudness: correlation times the square root of frames."""
    pairs = consecutive_pairs(track.faces)
    if len(pairs) < 4:
        return 0.0
    motion, loudness = [], []
    for one, two in pairs:
        difference = np.abs(two.crop.astype(np.float32) - one.crop.astype(np.float32)).mean(axis=2)
        # A motion of the head moves the whole face; only the additional motion of the mouth counts.
        motion.append(crop_region(difference, MOUTH).mean() - crop_region(difference, UPPER_FACE).mean())
        sound = samples[round(one.time * rate) : round(two.time * rate)]
        loudness.append(np.sqrt(np.mean(np.square(sound))) if sound.size else 0.0)
    if np.ptp(motion) == 0 or np.ptp(loudness) == 0:
        return 0.0
    return float(np.corrcoef(motion, loudness)[0, 1] * np.sqrt(len(pairs)))
