"""The speaker's face in a clip: faces found in sampled pictures, linked to tracks, one track chosen.

A track is one face over time. By default the speaker is taken to be the largest steady face (its area times the share
of the pictures in which it is seen); asked for `speaking`, the one whose mouth moves when there is sound, where that
is clear. Several cuts within a clip give several tracks, and the speaker is one of them.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sdt.encoders.visual_detect import SAME_FACE, Box, FaceFinder, FoundFace, Picture, Points, opencv
from sdt.errors import InputError
from sdt.media.audio import decode_audio
from sdt.media.clip import Clip, MediaProblem
from sdt.media.video import decode_frames

FACES_PER_SECOND = 4.0
FACES_PER_SECOND_SPEAKING = 8.0
"""A mouth opens and closes about four times a second, so that four pictures a second cannot follow it."""
LONGEST = 2400
"""Pictures of one clip that are looked at (five or ten minutes): an utterance is never so long."""
BRIDGED_SECONDS = 1.0
"""How long a face may be lost and still be the same one when it is found near its place."""
SEARCHED_SECONDS = 0.75
"""How often the whole picture is searched within a shot. Between, every face is found again near its last place; where
one is not, the whole picture is searched."""
SAME_SHOT = 0.7
"""Correlation of two successive pictures, 16 by 16 points each, below which a cut lies between them. Two heads often
follow each other at the same place; within a shot the correlation stays above 0.93 in the clips looked at."""
CLEAR_EVIDENCE = 1.5
"""Correlation times the square root of the number of pictures, from which a mouth is said to move with the sound:
without any relation it is about normal with deviation 1, so one track in fifteen would pass by chance."""
Region = tuple[float, float, float, float]
"""First and last row, first and last column of a part of an aligned crop, in units of its side."""
MOUTH: Region = (0.62, 0.96, 0.2, 0.8)
UPPER_FACE: Region = (0.1, 0.5, 0.1, 0.9)


@dataclass(frozen=True)
class FaceSettings:
    """How the speaker's face is found: what follows the colon in an encoder's name, as in `faces:speaking,fps=8`."""

    speaking: bool = False
    """Choose the face whose mouth moves with the sound, not the largest one."""
    per_second: float = FACES_PER_SECOND
    """Pictures looked at per second of film."""

    def __str__(self) -> str:
        default = FACES_PER_SECOND_SPEAKING if self.speaking else FACES_PER_SECOND
        speed = [] if self.per_second == default else [f"fps={self.per_second:g}"]
        return ",".join(["speaking"] * self.speaking + speed)

    @classmethod
    def parse(cls, settings: str, encoder: str = "faces") -> FaceSettings:
        """Read settings such as `speaking,fps=8`.

        Raises:
            InputError: A part is neither `speaking` nor `fps=` and a number from 1 to 60.
        """
        speaking, per_second = False, None
        for part in filter(None, settings.split(",")):
            key, _, value = part.partition("=")
            if part == "speaking":
                speaking = True
            elif key == "fps" and _is_rate(value):
                per_second = float(value)
            else:
                raise InputError(
                    f"feature encoder '{encoder}:{settings}': {part!r} is no setting of it; "
                    "it knows 'speaking' and 'fps=N' (pictures per second, 1 to 60)"
                )
        default = FACES_PER_SECOND_SPEAKING if speaking else FACES_PER_SECOND
        return cls(speaking, per_second or default)


@dataclass(frozen=True)
class SeenFace:
    """A face of a track in one picture."""

    index: int
    """The number of the picture among those looked at."""
    time: float
    """Seconds from the clip's start."""
    found: FoundFace
    eyes: Points | None
    """In units of the box' side: those found, steadied by the track's last ones, or the last ones where none are."""
    crop: Picture
    """[S, S, 3], eyes level."""


@dataclass
class Track:
    """One face over time; never empty."""

    faces: list[SeenFace] = field(default_factory=list)

    @property
    def last(self) -> SeenFace:
        """The latest sight of it."""
        return self.faces[-1]

    def mean_area(self, height: int, width: int) -> float:
        """Its mean area as a share of the picture's."""
        return float(np.mean([face.found.box.side**2 for face in self.faces])) / (height * width)


@dataclass(frozen=True)
class SpeakerFace:
    """What was seen of a clip's speaker."""

    faces: list[SeenFace]
    """In order of time."""
    pictures: int
    """How many pictures of the clip were looked at."""
    height: int
    """Of a picture, in pixels."""
    width: int
    tracks: int
    """How many steady faces there were to choose from."""

    @property
    def share(self) -> float:
        """The share of the pictures in which the face was found."""
        return len(self.faces) / self.pictures


def speaker_face(clip: Clip, finder: FaceFinder, settings: FaceSettings, size: int) -> SpeakerFace:
    """Find the speaker's face in a clip.

    Args:
        clip: The film.
        finder: The face detector.
        settings: How many pictures are looked at and how the speaker is chosen.
        size: Side S of the crops in pixels.

    Raises:
        MediaProblem: There is no film to be had, or no face is in view.
    """
    tracks, shape, pictures = find_tracks(clip, finder, settings.per_second, size)
    # One single sight among many pictures is more often a pattern that looks like a face.
    steady = [track for track in tracks if len(track.faces) >= min(2, pictures)]
    if not steady:
        raise MediaProblem("no face in view")
    steady.sort(key=lambda track: track.mean_area(*shape) * len(track.faces), reverse=True)
    chosen = steady[0]
    if settings.speaking and len(steady) > 1:
        chosen = moving_with_sound(clip, steady) or chosen
    return SpeakerFace(chosen.faces, pictures, *shape, len(steady))


def find_tracks(
    clip: Clip, finder: FaceFinder, per_second: float, size: int
) -> tuple[list[Track], tuple[int, int], int]:
    """Every face of a clip over time, the height and width of its pictures, and how many were looked at."""
    tracks: list[Track] = []
    shots = Shots()
    shape, pictures, searched = (0, 0), 0, -math.inf
    for index, (time, picture) in enumerate(decode_frames(clip, per_second)):
        if index == LONGEST:
            break
        first = shots.first_picture(index, picture)
        within_reach = [
            track for track in tracks if track.last.index >= first and time - track.last.time <= BRIDGED_SECONDS
        ]
        again = finder.follow(picture, [track.last.found for track in within_reach])
        found = [face for face in again if face]
        lost = any(not face and track.last.index == index - 1 for track, face in zip(within_reach, again, strict=True))
        if lost or not found or time - searched >= SEARCHED_SECONDS:
            found, searched = finder.find(picture, known=found), time
        for track, face in _linked(within_reach, found):
            steadied, eyes = (face, face.eyes) if track is None else _steadied(face, track.last)
            seen = SeenFace(index, time, steadied, eyes, finder.crop(picture, steadied, eyes, size))
            if track is None:
                tracks.append(Track([seen]))
            else:
                track.faces.append(seen)
        shape, pictures = (picture.shape[0], picture.shape[1]), index + 1
    return tracks, shape, pictures


def moving_with_sound(clip: Clip, tracks: list[Track]) -> Track | None:
    """The track whose mouth moves when there is sound; None where no track's does clearly, or there is no sound."""
    try:
        audio = decode_audio(clip)
    except MediaProblem:
        return None
    samples = audio.mono()
    evidence = [_sound_evidence(track, samples, audio.rate) for track in tracks]
    best = int(np.argmax(evidence))
    return tracks[best] if evidence[best] >= CLEAR_EVIDENCE else None


def successive(faces: list[SeenFace]) -> list[tuple[SeenFace, SeenFace]]:
    """Pairs of sights in neighbouring pictures: what lies between them is motion, not a gap."""
    return [(one, two) for one, two in itertools.pairwise(faces) if two.index == one.index + 1]


def part(crops: npt.NDArray[np.float32], region: Region) -> npt.NDArray[np.float32]:
    """A region of crops [..., S, S]."""
    top, bottom, left, right = (round(edge * crops.shape[-1]) for edge in region)
    return crops[..., top:bottom, left:right]


class Shots:
    """Notices cuts, picture by picture."""

    def __init__(self) -> None:
        self._cv2 = opencv()
        self._previous: npt.NDArray[np.float64] | None = None
        self._first = 0

    def first_picture(self, index: int, picture: Picture) -> int:
        """The index of the first picture of the shot to which this one belongs."""
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
            # An even picture (a black one) correlates with nothing; it holds no face either.
            if both > 0 and float(small @ self._previous) / both < SAME_SHOT:
                self._first = index
        self._previous = small
        return self._first


def _steadied(face: FoundFace, last: SeenFace) -> tuple[FoundFace, Points | None]:
    """A face and its eyes with half of their change since the last sight: detections tremble, heads seldom grow."""
    if face.frontal != last.found.frontal:  # the two cascades draw different boxes
        return face, face.eyes
    old = face.box
    side = (old.side + last.found.box.side) / 2
    margin = (old.side - side) / 2
    box = Box(old.x + margin, old.y + margin, side)
    steadied = FoundFace(box, face.frontal, face.eyes)
    if face.eyes is None:
        return steadied, last.eyes
    eyes = (face.eyes * old.side - margin) / side  # at the same place in the picture
    return steadied, eyes if last.eyes is None else (eyes + last.eyes) / 2


def _linked(tracks: list[Track], found: list[FoundFace]) -> list[tuple[Track | None, FoundFace]]:
    """Every found face with the track it continues, each track used once, the best overlaps first."""
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
    """How surely the mouth's motion between pictures follows the loudness between them."""
    pairs = successive(track.faces)
    if len(pairs) < 4:
        return 0.0
    motion, loudness = [], []
    for one, two in pairs:
        difference = np.abs(two.crop.astype(np.float32) - one.crop.astype(np.float32)).mean(axis=2)
        # A head that nods moves the whole face; what the mouth does more than the rest is its own.
        motion.append(part(difference, MOUTH).mean() - part(difference, UPPER_FACE).mean())
        sound = samples[round(one.time * rate) : round(two.time * rate)]
        loudness.append(np.sqrt(np.mean(np.square(sound))) if sound.size else 0.0)
    if np.ptp(motion) == 0 or np.ptp(loudness) == 0:
        return 0.0
    return float(np.corrcoef(motion, loudness)[0, 1] * np.sqrt(len(pairs)))


def _is_rate(value: str) -> bool:
    try:
        return 1 <= float(value) <= 60
    except ValueError:
        return False
