"""Rendering of a scene to sound and pictures.

The picture shows the speaker, as in a video call; it changes in the middle of the pause between two utterances.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from sdt.encoders.visual_detect import opencv
from sdt.puppets.cast import weighted_sum
from sdt.puppets.face import Picture, draw_face
from sdt.puppets.generate import Line, Scene
from sdt.puppets.synthesis import RATE, STEP
from sdt.puppets.voice import Speech, speak

SIDE = 160
"""The height and width of the picture in pixels."""
PER_SECOND = 10
"""Pictures per second."""
ROOM = -66.0
"""The level of the background noise in dB re full scale."""
LEVELS = 4
"""The number of quantisation steps of mouths and expressions, so that drawn faces can be reused."""
BLINK = 0.12
"""The duration of a blink in seconds."""


def speeches(scene: Scene) -> list[Speech]:
    """Synthesise the utterances of a scene; the samples are deterministic."""
    return [
        speak(line.words, line.puppet.voice, line.delivery, np.random.default_rng([*scene.seed, 1 + number, 1]))
        for number, line in enumerate(scene.lines)
    ]


def sound(scene: Scene, spoken: list[Speech]) -> npt.NDArray[np.float32]:
    """Render the sound [n] with `RATE` samples per second; muted utterances are digital silence."""
    samples = np.random.default_rng([*scene.seed, 2]).normal(size=round(scene.seconds * RATE)) * 10 ** (ROOM / 20)
    for utterance, line, speech in zip(scene.conversation.utterances, scene.lines, spoken, strict=True):
        begin = round((utterance.start or 0.0) * RATE)
        end = begin + len(speech.samples)
        if line.muted:
            # AAC spreads sound over one or two frames, so that the silence includes a margin.
            samples[max(0, begin - 2048) : end + 2048] = 0.0
        else:
            samples[begin:end] += speech.samples
    return np.clip(samples, -1, 1).astype(np.float32)


def pictures(scene: Scene, spoken: list[Speech]) -> Iterator[Picture]:
    """Render the pictures: RGB [SIDE, SIDE, 3], `PER_SECOND` per second."""
    utterances = scene.conversation.utterances
    starts = [utterance.start or 0.0 for utterance in utterances]
    ends = [utterance.end or 0.0 for utterance in utterances]
    changes = [(end + start) / 2 for end, start in zip(ends, starts[1:], strict=False)]
    shots = [_Shot(scene, number, spoken[number]) for number in range(len(utterances))]
    for k in range(int(scene.seconds * PER_SECOND)):
        time = k / PER_SECOND
        number = int(np.searchsorted(changes, time, side="right"))
        yield shots[number].picture(time - starts[number])
        shots[number - 1].clear() if number else None


class _Shot:
    """The pictures of one utterance."""

    def __init__(self, scene: Scene, number: int, speech: Speech) -> None:
        random = np.random.default_rng([*scene.seed, 1 + number, 3])
        self._line: Line = scene.lines[number]
        self._speech = speech
        self._drawn: dict[tuple[int, ...], Picture] = {}
        self._backdrop = _backdrop(scene)
        self._blinks = np.cumsum(random.uniform(1.5, 4.0, 8)) - 1.5
        self._speeds = random.uniform(0.25, 0.6, 3) * 2 * np.pi  # of the head's sway, to the side, down and tilted
        self._phases = random.uniform(0, 2 * np.pi, 3)

    def clear(self) -> None:
        """Free the drawn faces."""
        self._drawn.clear()

    def picture(self, time: float) -> Picture:
        """The picture at a time in seconds from the start of the utterance."""
        if self._line.hidden:
            return _card(self._line.puppet.name)
        return _compose(self._face(time), self._backdrop, self._position(time))

    def _face(self, time: float) -> Picture:
        """The head [SIDE, SIDE, 4]; faces that were already drawn are reused."""
        step = min(max(0, int(time * RATE / STEP)), len(self._speech.jaw) - 1)
        speaking = 0 <= time < len(self._speech.jaw) * STEP / RATE
        seconds = len(self._speech.jaw) * STEP / RATE
        # The expression starts a little before the voice and ends after it.
        risen = float(np.clip((time + 0.3) / 0.4, 0, 1) * np.clip((seconds + 0.5 - time) / 0.5, 0, 1))
        blinking = bool((np.abs(time - self._blinks) < BLINK / 2).any())
        jaw, rounded = (self._speech.jaw[step], self._speech.rounded[step]) if speaking else (0.0, 0.0)
        key = (round(risen * LEVELS), round(jaw * LEVELS), round(rounded * LEVELS / 2), int(blinking))
        if key not in self._drawn:
            self._drawn[key] = self._draw(key[0] / LEVELS, key[1] / LEVELS, 2 * key[2] / LEVELS, blinking=blinking)
        return self._drawn[key]

    def _draw(self, risen: float, jaw: float, rounded: float, *, blinking: bool) -> Picture:
        puppet = self._line.puppet
        shown = weighted_sum((1 - risen, puppet.resting.clipped()), (risen, self._line.expression))
        # Speaking opens the mouth and parts the lips in every expression.
        shown = dataclasses.replace(
            shown,
            jaw=min(1.2, 0.75 * shown.jaw + 0.55 * jaw),
            press=shown.press * (1 - 0.6 * min(1.0, 2 * jaw)),
            lids=-1.0 if blinking else shown.lids,
        )
        return draw_face(puppet.look, shown, SIDE, rounded=rounded)

    def _position(self, time: float) -> npt.NDArray[np.float64]:
        """The position of the head: a rotation, scaling and shift [2, 3]."""
        lively = 0.012 * 2 ** min(2.0, 2 * self._line.delivery.rate + self._line.delivery.level / 8)
        across, down, tilt = lively * np.sin(self._speeds * time + self._phases)
        turn = opencv().getRotationMatrix2D((SIDE / 2, 0.8 * SIDE), float(np.degrees(2.5 * tilt)), 0.94)
        turn[:, 2] += SIDE * np.array([1.3 * across, 0.06 + down + 0.03 * self._line.expression.bow])
        return np.asarray(turn, dtype=np.float64)


def _compose(head: Picture, backdrop: Picture, position: npt.NDArray[np.float64]) -> Picture:
    """Draw the head in front of the backdrop."""
    cv2 = opencv()
    moved = cv2.warpAffine(head, position, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    # OpenCV separates the channels several times faster than NumPy.
    share = cv2.cvtColor(cv2.extractChannel(moved, 3), cv2.COLOR_GRAY2RGB)
    front = cv2.multiply(cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB), share, scale=1 / 255)
    behind = cv2.multiply(backdrop, 255 - share, scale=1 / 255)
    return np.asarray(cv2.add(front, behind), dtype=np.uint8)


def _backdrop(scene: Scene) -> Picture:
    """A curtain in the colour of the scene, lit from above."""
    random = np.random.default_rng([*scene.seed, 4])
    colour = random.uniform(50, 130, 3)
    x = np.linspace(0, 1, SIDE)
    folds = 1 + 0.15 * np.sin(2 * np.pi * (x * random.uniform(4, 7) + random.random()))
    light = (1.15 - 0.5 * x)[:, None] * folds[None, :]
    return np.clip(light[..., None] * colour, 0, 255).astype(np.uint8)


def _card(name: str) -> Picture:
    """The picture of a hidden speaker: the first letter of the name."""
    cv2 = opencv()
    card = np.full((SIDE, SIDE, 3), (45, 48, 54), dtype=np.uint8)
    cv2.circle(card, (SIDE // 2, SIDE // 2), SIDE // 5, (92, 110, 150), -1, cv2.LINE_AA)
    size, _ = cv2.getTextSize(name[:1], cv2.FONT_HERSHEY_SIMPLEX, SIDE / 100, 2)
    corner = ((SIDE - size[0]) // 2, (SIDE + size[1]) // 2)
    cv2.putText(card, name[:1], corner, cv2.FONT_HERSHEY_SIMPLEX, SIDE / 100, (235, 235, 235), 2, cv2.LINE_AA)
    return card
