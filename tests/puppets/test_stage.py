"""A scene, performed: who is seen and heard, and when."""

from __future__ import annotations

import dataclasses
import itertools

import cv2
import numpy as np
import pytest

from sdt.encoders.visual_cascade import CascadeDetector
from sdt.puppets.face import Picture
from sdt.puppets.generate import Scene, generate
from sdt.puppets.stage import PER_SECOND, SIDE, pictures, sound, speeches
from sdt.puppets.synthesis import RATE


def performed(scene: Scene) -> tuple[np.ndarray, list[Picture]]:
    said = speeches(scene)
    return sound(scene, said), list(pictures(scene, said))


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A scene with its first utterance muted, its second one unseen and all others on record."""
    scene = min(generate(0, 12), key=lambda one: one.seconds)
    lines = [
        dataclasses.replace(line, muted=number == 0, hidden=number == 1) for number, line in enumerate(scene.lines)
    ]
    return dataclasses.replace(scene, recording="film", lines=tuple(lines))


@pytest.fixture(scope="module")
def recorded(scene: Scene) -> tuple[np.ndarray, list[Picture]]:
    return performed(scene)


def test_sound_and_picture_are_as_long_as_the_scene(scene: Scene, recorded: tuple[np.ndarray, list[Picture]]) -> None:
    samples, film = recorded
    assert len(samples) / RATE == pytest.approx(scene.seconds, abs=0.001)
    assert len(film) / PER_SECOND == pytest.approx(scene.seconds, abs=1 / PER_SECOND)
    assert all(picture.shape == (SIDE, SIDE, 3) for picture in film)


def test_who_is_muted_is_not_heard_and_the_others_are(scene: Scene, recorded: tuple[np.ndarray, list[Picture]]) -> None:
    for number, said in enumerate(scene.conversation.utterances):
        assert said.start is not None
        assert said.end is not None
        heard = recorded[0][round(said.start * RATE) : round(said.end * RATE)]
        assert bool(heard.any()) == (number != 0)
        if number:
            assert np.sqrt(np.mean(heard**2)) > 0.003


def test_a_face_is_found_in_nearly_every_picture_but_of_who_is_hidden(
    scene: Scene, recorded: tuple[np.ndarray, list[Picture]]
) -> None:
    detector = CascadeDetector()
    for number, said in enumerate(scene.conversation.utterances):
        assert said.start is not None
        assert said.end is not None
        film = recorded[1][round(said.start * PER_SECOND) + 1 : round(said.end * PER_SECOND) : 4]
        found = [len(detector.detect(picture)) for picture in film]
        assert found.count(0 if number == 1 else 1) >= 0.85 * len(found), (number, found)


def test_the_mouth_moves_while_it_speaks(scene: Scene, recorded: tuple[np.ndarray, list[Picture]]) -> None:
    """More than the rest of the face does, and more where the utterance is than in the pause after it."""
    said = max(scene.conversation.utterances[2:], key=lambda one: (one.end or 0) - (one.start or 0))
    assert said.start is not None
    assert said.end is not None
    film = recorded[1][round(said.start * PER_SECOND) + 1 : round(said.end * PER_SECOND) - 1]

    def moves(top: float, bottom: float) -> float:
        rows, columns = slice(round(top * SIDE), round(bottom * SIDE)), slice(round(0.35 * SIDE), round(0.65 * SIDE))
        parts = [cv2.GaussianBlur(picture, (0, 0), 2)[rows, columns].astype(np.float64) for picture in film]
        return float(np.mean([np.abs(two - one).mean() for one, two in itertools.pairwise(parts)]))

    assert moves(0.68, 0.85) > 1.5 * moves(0.5, 0.62)


def test_the_same_scene_gives_the_same_samples_and_pictures(
    scene: Scene, recorded: tuple[np.ndarray, list[Picture]]
) -> None:
    samples, film = performed(scene)
    np.testing.assert_array_equal(samples, recorded[0])
    np.testing.assert_array_equal(np.stack(film), np.stack(recorded[1]))
