"""Cuts live sound into stretches of speech, at pauses, by its energy.

A frame is speech if it is louder than the noise, which is tracked. A pause of `PAUSE` seconds ends a stretch; the
longer a stretch, the shorter a pause suffices, so that a talk without pauses is answered soon, too. The recogniser's
own detector (Silero VAD) then ignores stretches in which nobody speaks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sdt.speech.transcriber import RATE

Samples = npt.NDArray[np.float32]

FRAME = RATE // 50
"""Samples of a frame of 20 ms."""
PAUSE, SHORT_PAUSE = 0.5, 0.25
"""Seconds without speech that end a stretch of up to `SHORT` seconds, and one of `LONG` seconds and more."""
SHORT, LONG = 2.0, 6.0
BEFORE = 0.3
"""Seconds before the first loud frame that belong to a stretch: it may begin with a quiet consonant."""
LONGEST = 12.0
"""A longer stretch is cut at the quietest frame of its last `SEARCH` seconds."""
SEARCH = 4.0
BEGINS, CONTINUES = 9.0, 6.0
"""Decibels over the noise at which a stretch begins, and down to which it continues."""
QUIETEST = -60.0
"""Decibels of full scale: the least estimate of the noise, for microphones that are silent at first."""
FRAMES_BEGIN = 3
"""Loud frames among the last five that begin a stretch: a click is shorter."""
FIRST = 5 * FRAME + round(BEFORE * RATE)
"""Samples from the start of a stretch to the frame at which it is noticed."""
RISE = 1.5
"""Decibels per second by which the estimate of the noise rises when it is louder; it falls at once."""


@dataclass(frozen=True)
class Stretch:
    """A stretch of speech; `samples` is None while it goes on."""

    start: float
    """Seconds since the first sample."""
    end: float | None = None
    samples: Samples | None = None
    """[n] at 16 kHz, from `start` to `end`."""
    last: float | None = None
    """The end of its last loud frame; None where it is cut without a pause."""


class SpeechCutter:
    """Cuts the sound of one connection."""

    def __init__(self) -> None:
        self._sound = np.zeros(0, dtype=np.float32)
        """The sound from `_origin` on: what may still belong to a stretch."""
        self._origin = 0
        """The number of the first sample in `_sound`."""
        self._seen = 0
        """The number of the next sample that is not yet in a frame."""
        self._noise = 0.0
        self._loud: list[bool] = []
        self._start: int | None = None
        """The first sample of the current stretch."""
        self._last = 0
        """The end of its last loud frame."""
        self._cut_at = 0
        """The end of the stretch before it."""

    def push(self, samples: Samples) -> list[Stretch]:
        """Add sound.

        Args:
            samples: [n] at 16 kHz, in [-1, 1].

        Returns:
            The stretches that have begun or ended.
        """
        self._sound = np.concatenate([self._sound, samples])
        found: list[Stretch] = []
        while self._seen + FRAME <= self._origin + len(self._sound):
            frame = self._sound[self._seen - self._origin :][:FRAME]
            self._seen += FRAME
            found += self._frame(10 * float(np.log10(np.mean(np.square(frame)) + 1e-12)))
        keep = self._seen - FIRST if self._start is None else self._start
        if keep > self._origin:
            self._sound, self._origin = self._sound[keep - self._origin :], keep
        return found

    def end(self) -> list[Stretch]:
        """End the current stretch; returns it, if there is one."""
        return [] if self._start is None else [self._cut(self._seen)]

    def current(self) -> Stretch | None:
        """The current stretch with its sound so far, if there is one."""
        if self._start is None:
            return None
        samples = self._sound[self._start - self._origin : self._seen - self._origin].copy()
        return Stretch(self._start / RATE, self._seen / RATE, samples, self._last / RATE)

    def advance(self, time: float) -> None:
        """Let the current stretch begin later: what was before is done.

        Args:
            time: Seconds since the first sample; within the current stretch, or else nothing changes.
        """
        place = round(time * RATE)
        if self._start is not None and self._start < place < self._last:
            self._start = place

    def _frame(self, level: float) -> list[Stretch]:
        """Handle a frame of this level in decibels of full scale."""
        first = self._seen == FRAME
        noise = min(level, -30.0) if first else min(level, self._noise + RISE * FRAME / RATE)
        self._noise = max(noise, QUIETEST)
        over = CONTINUES if self._start is not None else BEGINS
        loud = level > self._noise + over
        self._loud = [*self._loud[-4:], loud]
        if self._start is None:
            if sum(self._loud) < FRAMES_BEGIN:
                return []
            self._start = max(self._origin, self._cut_at, self._seen - FIRST)
            self._last = self._seen
            return [Stretch(self._start / RATE)]
        self._last = self._seen if loud else self._last
        needed = self._needed_pause()
        if self._seen - self._last >= needed:
            return [self._cut(self._last + needed // 2)]
        if self._seen - self._start >= LONGEST * RATE:
            place = self._quietest()
            ended = replace(self._cut(place), last=None)
            self._start, self._last = place, self._seen
            return [ended, Stretch(place / RATE)]
        return []

    def _cut(self, place: int) -> Stretch:
        assert self._start is not None
        samples = self._sound[self._start - self._origin : place - self._origin].copy()
        ended = Stretch(self._start / RATE, place / RATE, samples, self._last / RATE)
        self._start, self._cut_at, self._loud = None, place, []
        return ended

    def _needed_pause(self) -> int:
        """The samples without speech that end the current stretch."""
        assert self._start is not None
        share = min(max(((self._last - self._start) / RATE - SHORT) / (LONG - SHORT), 0.0), 1.0)
        return round((PAUSE + share * (SHORT_PAUSE - PAUSE)) * RATE)

    def _quietest(self) -> int:
        """The sample in the middle of the quietest fifth of a second of the last seconds."""
        size, width = round(SEARCH * RATE), RATE // 5
        tail = np.square(self._sound[self._seen - self._origin - size : self._seen - self._origin])
        energy = np.convolve(tail.reshape(-1, FRAME).mean(axis=1), np.ones(width // FRAME), "valid")
        return self._seen - size + int(energy.argmin()) * FRAME + width // 2
