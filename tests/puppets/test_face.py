"""Faces that are found as faces, and whose parts follow the expression."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import numpy.typing as npt
import pytest

from sdt.encoders.visual_cascade import CascadeDetector
from sdt.errors import MissingDependencyError
from sdt.puppets import expressions
from sdt.puppets.cast import Puppet
from sdt.puppets.emotions import EMOTIONS
from sdt.puppets.expressions import Expression
from sdt.puppets.face import EYES, STYLES, Look, Picture, draw_face

SIDE = 160
USUAL = Look()


def seen(look: Look, shown: Expression) -> Picture:
    """A face before a grey wall [SIDE, SIDE, 3]."""
    drawn = draw_face(look, shown, SIDE)
    share = drawn[..., 3:] / 255
    return np.rint(share * drawn[..., :3] + (1 - share) * 100).astype(np.uint8)


def dark_rows(picture: Picture, left: float, right: float, top: float, bottom: float) -> npt.NDArray[np.float64]:
    """How dark each row of a part of the picture is."""
    rows, columns = slice(round(top * SIDE), round(bottom * SIDE)), slice(round(left * SIDE), round(right * SIDE))
    return np.asarray(255 - picture[rows, columns].mean(axis=(1, 2)), dtype=np.float64)


def height_of_brow(shown: Expression, left: float, right: float) -> float:
    """Where, from top to bottom, the darkest row of the brow's part between two columns is."""
    return 0.28 + float(dark_rows(seen(USUAL, shown), left, right, 0.28, 0.4).argmax()) / SIDE


def opening(shown: Expression) -> float:
    """How tall what is dark of the mouth's middle is."""
    return float((dark_rows(seen(USUAL, shown), 0.48, 0.52, 0.66, 0.85) > 150).sum()) / SIDE


def test_both_tables_have_every_emotion() -> None:
    assert list(expressions.OPEN) == list(expressions.HELD) == list(EMOTIONS)


def test_faces_of_all_looks_and_emotions_are_found() -> None:
    detector = CascadeDetector()
    random = np.random.default_rng(0)
    missed, blind, looks = 0, 0, [Puppet.draw(random, str(number)).look for number in range(5)]
    assert len({look.style for look in looks}) > 1
    forms = [*expressions.OPEN.values(), *expressions.HELD.values()]
    for look in looks:
        for shown in forms:
            found = detector.detect(seen(look, shown))
            missed += len(found) != 1
            blind += len(found) == 1 and found[0].eyes is None
    assert missed <= 1
    assert blind <= 0.1 * len(looks) * len(forms)


@pytest.mark.parametrize("style", range(STYLES))
def test_the_eyes_are_where_they_are_said_to_be(style: int) -> None:
    [found] = CascadeDetector().detect(seen(dataclasses.replace(USUAL, style=style), Expression()))
    assert found.eyes is not None
    eyes = (np.array([found.box.x, found.box.y]) + found.eyes * found.box.side) / SIDE
    np.testing.assert_allclose(eyes, EYES, atol=0.03)


def test_brows_rise_and_fall() -> None:
    rest = Expression()
    inner, outer = (0.405, 0.435), (0.3, 0.33)  # columns of the brow at the left
    assert height_of_brow(Expression(inner_brow=1), *inner) < height_of_brow(rest, *inner) - 0.02
    assert height_of_brow(Expression(outer_brow=1), *outer) < height_of_brow(rest, *outer) - 0.02
    assert height_of_brow(Expression(frown=1), *inner) > height_of_brow(rest, *inner) + 0.02
    assert height_of_brow(Expression(inner_brow=1), *outer) == pytest.approx(height_of_brow(rest, *outer), abs=0.02)


def test_the_mouth_opens() -> None:
    openings = [opening(Expression(jaw=jaw)) for jaw in (0.0, 0.5, 1.0)]
    assert openings[0] < 0.04
    assert openings[0] + 0.02 < openings[1] < openings[2] - 0.02


def test_the_corners_of_the_mouth_follow() -> None:
    def corner(shown: Expression) -> int:
        return int(dark_rows(seen(USUAL, shown), 0.4, 0.42, 0.64, 0.8).argmax())

    assert corner(Expression(corners=1)) < corner(Expression()) < corner(Expression(corners=-1))


def test_the_eyes_widen_and_close() -> None:
    def white(shown: Expression) -> int:
        part = seen(USUAL, shown)[round(0.36 * SIDE) : round(0.49 * SIDE), round(0.3 * SIDE) : round(0.45 * SIDE)]
        return int((part.min(axis=2) > 185).sum())

    assert white(Expression(lids=1)) > 1.3 * white(Expression()) > 1.3 * white(Expression(lids=-0.6))
    assert white(Expression(lids=-1)) < 3


def test_nothing_is_beyond_what_a_face_can_do() -> None:
    limited = Expression(inner_brow=-2, jaw=9, corners=-3, lids=-0.4).clipped()
    assert (limited.inner_brow, limited.jaw, limited.corners, limited.lids) == (0, 1.3, -1, -0.4)


def test_a_drawing_does_not_change_the_next() -> None:
    first = draw_face(USUAL, Expression(), SIDE)
    draw_face(USUAL, expressions.OPEN["anger"], SIDE)
    np.testing.assert_array_equal(draw_face(USUAL, Expression(), SIDE), first)
    assert first.shape == (SIDE, SIDE, 4)


def test_without_opencv_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingDependencyError, match=r"sdt-erc\[media\]"):
        draw_face(Look(width=1.01), Expression(), SIDE)
