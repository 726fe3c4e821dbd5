"""Diarization: who speaks when, with the number of speakers found or given.

1. Windows of ten seconds, each 2.5 s after the previous one, are segmented (`Acoustics.activity`).
2. Each local speaker of a window gets an embedding of the frames in which nobody else speaks.
3. Embeddings are clustered: average linkage of cosine distances, cut at `THRESHOLD` or at the given number.
4. The local speakers of a window get different clusters, the nearest ones.
5. In each frame as many clusters speak as the windows say on average; those speak that most windows agree on.

Steps 3 to 5 are those of pyannote.audio 3.1 (arXiv 2104.04045, 2310.13025), with CAM++ embeddings.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sdt.conversation import SpeakerTurn
from sdt.errors import InputError
from sdt.speech.acoustics import FRAME, FRAME_LENGTH, HOP, LOCAL, WINDOW, Acoustics, Active, Array
from sdt.speech.transcriber import RATE, Samples
from sdt.speech.turns import joined, renamed, speaker_name

STEP = 2.5
"""Seconds between two windows."""
ALONE = 0.4
"""If a local speaker speaks alone for fewer seconds, the frames with others are used, too."""
CHANGE = 0.4
"""Seconds that two speakers speak alone before and after a change of speakers in live speech."""
SHORTEST = 0.2
"""A local speaker who speaks for fewer seconds has no embedding."""
CERTAIN = 1.0
"""Embeddings of fewer seconds of one voice alone do not make clusters; they are assigned to those of others."""
THRESHOLD = 0.45
"""Clusters whose mean cosine distance is at least this are different speakers. Chosen on the recordings of
docs/recordings.md; for people, 0.3 to 0.6 give nearly the same."""
PAUSE = 0.3
"""A speaker's turns that are at most so many seconds apart are one."""
FRAMES = 10_000
"""Frames whose speakers are ranked at once."""
MOST_EMBEDDINGS = 4000
"""Clustering takes memory with their square; more are represented by these, evenly spaced. Three hours have some."""


@dataclass(frozen=True)
class SpeakerCount:
    """How many speakers a recording has.

    Raises:
        InputError: They are not whole numbers from 1 on, or the fewest are more than the most.
    """

    fewest: int = 1
    most: int | None = None

    def __post_init__(self) -> None:
        if self.fewest < 1 or (self.most is not None and self.most < self.fewest):
            raise InputError(f"--speakers {self.fewest}-{self.most}: give a number from 1 on, or MIN-MAX")

    @classmethod
    def parse(cls, text: str) -> SpeakerCount:
        """Read `N` or `MIN-MAX`.

        Raises:
            InputError: It is neither.
        """
        fewest, _, most = text.partition("-")
        if not fewest.isdecimal() or (most and not most.isdecimal()) or text.endswith("-") or not int(fewest):
            raise InputError(f"--speakers {text}: give a number from 1 on, or MIN-MAX")
        return cls(int(fewest), int(most or fewest))


@dataclass(frozen=True)
class Window:
    """What the networks hear in one window."""

    start: float
    """Seconds."""
    active: Active
    """[frames, 3] who speaks."""
    voices: Array
    """[3, 192] embeddings; a row of NaN for a speaker without one."""
    alone: Array
    """[3] the seconds in which each speaks alone."""


def hear(acoustics: Acoustics, samples: Samples, start: float) -> Window:
    """Segment a window and embed its speakers.

    Args:
        acoustics: The networks.
        samples: [n] at 16 kHz: at most ten seconds.
        start: Where the window begins in the recording, in seconds.
    """
    active = acoustics.activity(samples)
    active = active & (np.arange(len(active)) * FRAME < len(samples) / RATE)[:, None]
    voices = np.full((LOCAL, 192), np.nan, dtype=np.float32)
    alone = (active & (active.sum(axis=1, keepdims=True) == 1)).sum(axis=0) * FRAME
    if active.any():
        mel = acoustics.mel(samples)
        frame = np.minimum(np.arange(len(mel)) * HOP / FRAME, len(active) - 1).astype(int)
        for speaker in range(LOCAL):
            use = active[:, speaker]
            if alone[speaker] >= ALONE:
                use = use & (active.sum(axis=1) == 1)
            if use.sum() * FRAME >= SHORTEST and (found := mel[use[frame]]).shape[0] >= SHORTEST / HOP:
                voices[speaker] = acoustics.embedding(found)
    return Window(start, active, voices, alone.astype(np.float32))


def last_change(active: Active) -> float | None:
    """When the speaker last changes in a window, in seconds, the middle between both; None for a single speaker.

    Both speak alone for at least `CHANGE` seconds; short pauses of a speaker do not count.

    Args:
        active: [frames, 3] who speaks.
    """
    alone = active & (active.sum(axis=1, keepdims=True) == 1)
    runs: list[tuple[int, int, int]] = []  # speaker, first and last frame
    for frame, speaker in np.argwhere(alone).tolist():
        if runs and runs[-1][0] == speaker and (frame - runs[-1][2]) * FRAME < CHANGE:
            runs[-1] = speaker, runs[-1][1], frame
        else:
            runs.append((speaker, frame, frame))
    runs = [run for run in runs if (run[2] - run[1] + 1) * FRAME >= CHANGE]
    middles = [(before[2] + after[1]) / 2 for before, after in itertools.pairwise(runs) if before[0] != after[0]]
    return middles[-1] * FRAME + FRAME_LENGTH / 2 if middles else None


def starts(seconds: float) -> list[float]:
    """Where the windows of a recording of this duration begin, in seconds."""
    return [STEP * number for number in range(1 + max(0, math.ceil((seconds - WINDOW) / STEP)))]


def diarize(windows: Sequence[Window], count: SpeakerCount | None = None) -> list[SpeakerTurn]:
    """The turns of all speakers, in order of time; speakers are numbered in the order in which they begin to speak.

    Args:
        windows: All windows of a recording, in order.
        count: How many speakers there are; None to find it.
    """
    places = [(w, s) for w, window in enumerate(windows) for s in range(LOCAL) if not np.isnan(window.voices[s, 0])]
    if not places:
        return []
    voices = np.array([windows[w].voices[s] for w, s in places])
    centres = _centres(voices, np.array([windows[w].alone[s] for w, s in places]), count or SpeakerCount())
    likeness = voices @ centres.T
    assigned: dict[tuple[int, int], int] = {}
    for w in dict.fromkeys(w for w, _ in places):
        rows = [row for row, place in enumerate(places) if place[0] == w]
        for row, cluster in _different(likeness[rows]):
            assigned[places[rows[row]]] = cluster
    turns = _turns(windows, assigned, len(centres))
    return renamed(joined(turns, PAUSE))


def _centres(voices: Array, alone: Array, count: SpeakerCount) -> Array:
    """[K, 192] unit vectors, one for each speaker."""
    certain = alone >= min(CERTAIN, float(alone.max()))
    chosen = voices[certain]
    if len(chosen) > MOST_EMBEDDINGS:
        chosen = chosen[np.linspace(0, len(chosen) - 1, MOST_EMBEDDINGS).astype(int)]
    labels = _clusters(chosen, count)
    centres = np.array([chosen[labels == cluster].mean(axis=0) for cluster in np.unique(labels)])
    unit: Array = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    return unit


def _clusters(voices: Array, count: SpeakerCount) -> npt.NDArray[np.int32]:
    """[n] cluster numbers."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(voices) == 1:
        return np.ones(1, dtype=np.int32)
    tree = linkage(voices, "average", metric="cosine")
    labels: npt.NDArray[np.int32] = fcluster(tree, THRESHOLD, "distance")
    wanted = min(max(len(np.unique(labels)), count.fewest), count.most or len(voices), len(voices))
    return labels if wanted == len(np.unique(labels)) else fcluster(tree, wanted, "maxclust")


def _different(likeness: Array) -> list[tuple[int, int]]:
    """Pairs (row, column) with the highest sum, each row and column at most once."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-likeness)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _turns(windows: Sequence[Window], assigned: dict[tuple[int, int], int], speakers: int) -> list[SpeakerTurn]:
    """The turns of each cluster."""
    size = round(windows[-1].start / FRAME) + len(windows[-1].active)
    votes = np.zeros((size, speakers), dtype=np.int8)  # windows in which the cluster speaks
    counts, heard = np.zeros(size, dtype=np.float32), np.zeros(size, dtype=np.float32)
    for number, window in enumerate(windows):
        begin = round(window.start / FRAME)
        here = slice(begin, begin + len(window.active))
        heard[here] += 1
        counts[here] += window.active.sum(axis=1)
        for local in range(LOCAL):
            if (number, local) in assigned:
                votes[here, assigned[number, local]] += window.active[:, local]
    at_once = np.rint(counts / np.maximum(heard, 1)).astype(int)  # [frames] speakers
    speaks = votes > 0
    for begin in range(0, size, FRAMES):  # ranks take eight times the memory of votes
        here = slice(begin, begin + FRAMES)
        rank = np.argsort(np.argsort(-votes[here], axis=1, kind="stable"), axis=1, kind="stable")
        speaks[here] &= rank < at_once[here, None]
    middle = FRAME_LENGTH / 2
    turns = []
    for speaker in range(speakers):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], speaks[:, speaker].astype(int), [0]])))
        for first, last in edges.reshape(-1, 2).tolist():
            turns.append(SpeakerTurn(speaker_name(speaker), first * FRAME + middle, last * FRAME + middle))
    return turns
