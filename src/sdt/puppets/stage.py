"""A scene, performed: what the microphones and the cameras record of it.

The picture shows who is speaking, as video calls do; it changes in the middle of the pause between two utterances.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from sdt.encoders.visual_detect import opencv
from sdt.puppets.controls import mixed
from sdt.puppets.face import Picture, draw_face
from sdt.puppets.generate import Line, Scene
from sdt.puppets.synthesis import RATE, STEP
from sdt.puppets.voice import Speech, speak

SIDE = 160
"""Pixels: height and width of the picture."""
PER_SECOND = 10
"""Pictures per second."""
ROOM = -66.0
"""dB re full scale: the noise of a room where a microphone is on."""
LEVELS = 4
"""Steps in which mouths and expressions move: what was drawn once is not drawn again."""
BLINK = 0.12
"""Seconds."""


def speeches(scene: Scene) -> list[Speech]:
    """What is said, utterance by utterance. The same scene gives the same samples."""
    return [
        speak(line.words, line.puppet.voice, line.delivery, np.random.default_rng([*scene.seed, 1 + number, 1]))
        for number, line in enumerate(scene.lines)
    ]


def sound(scene: Scene, said: list[Speech]) -> npt.NDArray[np.float32]:
    """What is heard [n], `RATE` a second; nothing while the speaker's microphone is off."""
    heard = np.random.default_rng([*scene.seed, 2]).normal(size=round(scene.seconds * RATE)) * 10 ** (ROOM / 20)
    for utterance, line, speech in zip(scene.conversation.utterances, scene.lines, said, strict=True):
        begin = round((utterance.start or 0.0) * RATE)
        end = begin + len(speech.samples)
        if line.muted:
            # AAC smears over a frame or two; what is cut out must be silent to its edges.
            heard[max(0, begin - 2048) : end + 2048] = 0.0
        else:
            heard[begin:end] += speech.samples
    return np.clip(heard, -1, 1).astype(np.float32)


def pictures(scene: Scene, said: list[Speech]) -> Iterator[Picture]:
    """What is seen: RGB [SIDE, SIDE, 3], `PER_SECOND` a second."""
    utterances = scene.conversation.utterances
    starts = [utterance.start or 0.0 for utterance in utterances]
    ends = [utterance.end or 0.0 for utterance in utterances]
    changes = [(end + start) / 2 for end, start in zip(ends, starts[1:], strict=False)]
    shots = [_Shot(scene, number, said[number]) for number in range(len(utterances))]
    for k in range(int(scene.seconds * PER_SECOND)):
        time = k / PER_SECOND
        number = int(np.searchsorted(changes, time, side="right"))
        yield shots[number].picture(time - starts[number])
        shots[number - 1].forget() if number else None


class _Shot:
    """One utterance before the camera."""

    def __init__(self, scene: Scene, number: int, speech: Speech) -> None:
        random = np.random.default_rng([*scene.seed, 1 + number, 3])
        self._line: Line = scene.lines[number]
        self._speech = speech
        self._drawn: dict[tuple[int, ...], Picture] = {}
        self._backdrop = _backdrop(scene)
        self._blinks = np.cumsum(random.uniform(1.5, 4.0, 8)) - 1.5
        self._speeds = random.uniform(0.25, 0.6, 3) * 2 * np.pi  # of the head's sway, to the side, down and tilted
        self._phases = random.uniform(0, 2 * np.pi, 3)

    def forget(self) -> None:
        """The camera will not come back."""
        self._drawn.clear()

    def picture(self, time: float) -> Picture:
        """What is seen so many seconds after the utterance's start."""
        if self._line.hidden:
            return _card(self._line.puppet.name)
        return _in_front(self._face(time), self._backdrop, self._place(time))

    def _face(self, time: float) -> Picture:
        """The head [SIDE, SIDE, 4], from what was drawn before where it is the same."""
        step = min(max(0, int(time * RATE / STEP)), len(self._speech.jaw) - 1)
        speaking = 0 <= time < len(self._speech.jaw) * STEP / RATE
        seconds = len(self._speech.jaw) * STEP / RATE
        # The face begins a little before the voice and outlasts it.
        risen = float(np.clip((time + 0.3) / 0.4, 0, 1) * np.clip((seconds + 0.5 - time) / 0.5, 0, 1))
        blinking = bool((np.abs(time - self._blinks) < BLINK / 2).any())
        jaw, rounded = (self._speech.jaw[step], self._speech.rounded[step]) if speaking else (0.0, 0.0)
        key = (round(risen * LEVELS), round(jaw * LEVELS), round(rounded * LEVELS / 2), int(blinking))
        if key not in self._drawn:
            self._drawn[key] = self._draw(key[0] / LEVELS, key[1] / LEVELS, 2 * key[2] / LEVELS, blinking=blinking)
        return self._drawn[key]

    def _draw(self, risen: float, jaw: float, rounded: float, *, blinking: bool) -> Picture:
        puppet = self._line.puppet
        shown = mixed((1 - risen, puppet.resting.limited()), (risen, self._line.expression))
        # Words open a mouth and part its lips whatever it shows.
        shown = dataclasses.replace(
            shown,
            jaw=min(1.2, 0.75 * shown.jaw + 0.55 * jaw),
            press=shown.press * (1 - 0.6 * min(1.0, 2 * jaw)),
            lids=-1.0 if blinking else shown.lids,
        )
        return draw_face(puppet.look, shown, SIDE, rounded=rounded)

    def _place(self, time: float) -> npt.NDArray[np.float64]:
        """Where the head is: a turn, scaling and shift [2, 3]."""
        lively = 0.012 * 2 ** min(2.0, 2 * self._line.delivery.rate + self._line.delivery.level / 8)
        across, down, tilt = lively * np.sin(self._speeds * time + self._phases)
        turn = opencv().getRotationMatrix2D((SIDE / 2, 0.8 * SIDE), float(np.degrees(2.5 * tilt)), 0.94)
        turn[:, 2] += SIDE * np.array([1.3 * across, 0.06 + down + 0.03 * self._line.expression.bow])
        return np.asarray(turn, dtype=np.float64)


def _in_front(head: Picture, backdrop: Picture, place: npt.NDArray[np.float64]) -> Picture:
    cv2 = opencv()
    moved = cv2.warpAffine(head, place, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    share = cv2.cvtColor(np.ascontiguousarray(moved[..., 3]), cv2.COLOR_GRAY2RGB)
    front = cv2.multiply(np.ascontiguousarray(moved[..., :3]), share, scale=1 / 255)
    behind = cv2.multiply(backdrop, 255 - share, scale=1 / 255)
    return np.asarray(cv2.add(front, behind), dtype=np.uint8)


def _backdrop(scene: Scene) -> Picture:
    """A curtain of the scene's colour, lit from above."""
    random = np.random.default_rng([*scene.seed, 4])
    colour = random.uniform(50, 130, 3)
    place = np.linspace(0, 1, SIDE)
    folds = 1 + 0.15 * np.sin(2 * np.pi * (place * random.uniform(4, 7) + random.random()))
    light = (1.15 - 0.5 * place)[:, None] * folds[None, :]
    return np.clip(light[..., None] * colour, 0, 255).astype(np.uint8)


def _card(name: str) -> Picture:
    """What is shown of who has no camera on: the first letter of the name."""
    cv2 = opencv()
    card = np.full((SIDE, SIDE, 3), (45, 48, 54), dtype=np.uint8)
    cv2.circle(card, (SIDE // 2, SIDE // 2), SIDE // 5, (92, 110, 150), -1, cv2.LINE_AA)
    size, _ = cv2.getTextSize(name[:1], cv2.FONT_HERSHEY_SIMPLEX, SIDE / 100, 2)
    corner = ((SIDE - size[0]) // 2, (SIDE + size[1]) // 2)
    cv2.putText(card, name[:1], corner, cv2.FONT_HERSHEY_SIMPLEX, SIDE / 100, (235, 235, 235), 2, cv2.LINE_AA)
    return card
