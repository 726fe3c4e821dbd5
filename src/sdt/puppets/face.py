"""Drawing of faces from the look of a puppet and an expression.

Coordinates are in units of the side of a square that the head fills: x to the right, y down. Static parts (head, hair,
ears, shoulders, shadows around the eyes) are drawn once per puppet; brows, eyes, nose and mouth are drawn for each
expression. The dark eye sockets with a bright bridge between them are what face detectors respond to.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sdt.encoders.visual_detect import opencv
from sdt.puppets.expressions import Expression

Picture = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]
Point = tuple[float, float]

EYES = ((0.375, 0.425), (0.625, 0.425))
"""The positions of the eyes of the default look."""
STYLES = 4
"""The number of hair styles: short, long, a tuft, curls."""
DIGITS = 4
"""The number of fractional bits of pixel coordinates, so that movements of a tenth of a pixel are drawn."""
INSIDE, TEETH, WHITE, PUPIL = (75, 25, 35), (238, 234, 222), (246, 246, 242), (25, 20, 25)
STEPS = np.linspace(-1.0, 1.0, 13)
"""The parameters of the points of a curve."""


@dataclass(frozen=True)
class Look:
    """The static look of a face; sizes are relative to the default look."""

    skin: Colour = (225, 180, 150)
    hair: Colour = (50, 35, 25)
    iris: Colour = (60, 70, 60)
    lips: Colour = (150, 65, 70)
    shirt: Colour = (60, 80, 120)
    style: int = 0
    """The hair style, from 0 to 3."""
    width: float = 1.0
    height: float = 1.0
    apart: float = 1.0
    """The distance of the eyes."""
    eyes: float = 1.0
    nose: float = 1.0
    mouth: float = 1.0
    brows: float = 1.0
    """The thickness of the brows."""


def draw_face(look: Look, shown: Expression, side: int, *, rounded: float = 0.0) -> Picture:
    """Draw a face.

    Args:
        look: The look of the puppet.
        shown: The expression.
        side: The side of the picture in pixels.
        rounded: The rounding of the lips, as in "oo", from 0 to 1.

    Returns:
        [side, side, 4] RGB and opacity (255 is opaque).

    Raises:
        MissingDependencyError: OpenCV is not installed.
    """
    pen = Pen(_head(look, side).copy())
    for where in (-1, 1):
        _eye(pen, look, shown, where)
        _brow(pen, look, shown, where)
    _nose(pen, look, shown)
    _mouth(pen, look, shown, rounded)
    pen.blur(0.005)
    return pen.picture


class Pen:
    """Draws on a square picture [side, side, 4], in units of its side."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self._side = picture.shape[0]
        self._cv2 = opencv()

    def ellipse(self, x: float, y: float, across: float, down: float, colour: Colour) -> None:
        """Draw a filled ellipse with half axes `across` and `down`."""
        centre, axes = self._pixels(np.array([(x, y), (max(across, 1e-3), max(down, 1e-3))])).tolist()
        self._cv2.ellipse(self.picture, centre, axes, 0, 0, 360, (*colour, 255), -1, self._cv2.LINE_AA, DIGITS)

    def shape(self, points: npt.NDArray[np.float64], colour: Colour) -> None:
        """Draw a filled polygon of points [n, 2]."""
        self._cv2.fillPoly(self.picture, [self._pixels(points)], (*colour, 255), self._cv2.LINE_AA, DIGITS)

    def stroke(self, points: npt.NDArray[np.float64], width: float, colour: Colour) -> None:
        """Draw a line through points [n, 2], which is thick in the middle and thin at its ends."""
        along = np.empty_like(points)
        along[1:-1], along[0], along[-1] = points[2:] - points[:-2], points[1] - points[0], points[-1] - points[-2]
        across = along[:, ::-1] * (0.5 * width / np.hypot(*along.T))[:, None]
        across[:, 1] *= -1
        half = across * _taper(len(points))
        self.shape(np.concatenate([points + half, (points - half)[::-1]]), colour)

    def window(self, points: npt.NDArray[np.float64], inside: Pen) -> None:
        """Copy another picture within a polygon [n, 2]."""
        mask = np.zeros(self.picture.shape[:2], dtype=np.uint8)
        self._cv2.fillPoly(mask, [self._pixels(points)], 255, self._cv2.LINE_AA, DIGITS)
        top, left = (max(0, int(edge) - 1) for edge in points.min(axis=0)[::-1] * self._side)
        bottom, right = (int(edge) + 2 for edge in points.max(axis=0)[::-1] * self._side)
        part = slice(top, bottom), slice(left, right)
        share = mask[part][..., None].astype(np.float32) / 255
        below, above = self.picture[part], inside.picture[part]
        self.picture[part] = np.rint(below + share * (above.astype(np.float32) - below)).astype(np.uint8)

    def colour_at(self, x: float, y: float) -> Colour:
        """The current colour at a point."""
        row, column = int(y * self._side), int(x * self._side)
        red, green, blue = (int(part) for part in self.picture[row, column, :3])
        return red, green, blue

    def blur(self, width: float) -> None:
        """Blur the whole picture."""
        self._cv2.GaussianBlur(self.picture, (0, 0), width * self._side, dst=self.picture)

    def _pixels(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
        return np.asarray(np.rint(points * self._side * 2**DIGITS), dtype=np.int32)


def shade(colour: Colour, factor: float) -> Colour:
    """Multiply the brightness of a colour by a factor."""
    red, green, blue = (round(min(255.0, part * factor)) for part in colour)
    return red, green, blue


@functools.cache
def _taper(points: int) -> npt.NDArray[np.float64]:
    """The relative width of a stroke at each of its points [points, 1]."""
    return np.asarray(np.sqrt(1.05 - np.linspace(-1, 1, points) ** 2)[:, None])


@functools.lru_cache(maxsize=64)
def _head(look: Look, side: int) -> Picture:
    """The static parts of a face [side, side, 4]."""
    pen = Pen(np.zeros((side, side, 4), dtype=np.uint8))
    pen.picture[..., :3] = look.hair
    across, down = 0.29 * look.width, 0.38 * look.height
    pen.ellipse(0.5, 1.12, 0.44, 0.26, look.shirt)
    pen.shape(np.array([(0.42, 0.75), (0.58, 0.75), (0.6, 1.0), (0.4, 1.0)]), shade(look.skin, 0.75))
    _hair_behind(pen, look, across, down)
    for where in (-1, 1):
        pen.ellipse(0.5 + where * across, 0.5, 0.045, 0.075, shade(look.skin, 0.88))
    pen.ellipse(0.5, 0.5, across, down, shade(look.skin, 0.9))
    pen.ellipse(0.5, 0.5, 0.85 * across, 0.88 * down, look.skin)
    _fringe(pen, look, across, down)
    for where in (-1, 1):
        pen.ellipse(0.5 + 0.125 * look.apart * where, EYES[0][1] - 0.005, 0.088, 0.052, shade(look.skin, 0.72))
    pen.ellipse(0.5, 0.565, 0.05 * look.nose, 0.05 * look.nose, shade(look.skin, 0.87))
    pen.blur(0.012)
    return pen.picture


def _hair_behind(pen: Pen, look: Look, across: float, down: float) -> None:
    if look.style == 0:
        pen.ellipse(0.5, 0.42, across + 0.04, down + 0.02, look.hair)
    elif look.style == 1:
        pen.ellipse(0.5, 0.42, across + 0.06, down + 0.03, look.hair)
        pen.ellipse(0.5, 0.68, across + 0.07, 0.27, look.hair)
    elif look.style == 3:
        for angle in np.linspace(-0.15, 1.15, 11) * np.pi:
            x, y = 0.5 - np.cos(angle) * (across + 0.02), 0.42 - np.sin(angle) * (down - 0.04)
            pen.ellipse(x, y, 0.075, 0.075, look.hair)


def _fringe(pen: Pen, look: Look, across: float, down: float) -> None:
    top = 0.5 - down
    if look.style == 2:
        for lean in (-0.05, 0.0, 0.05):
            tuft = np.array([(0.5 + 0.6 * lean, top + 0.06), (0.5 + lean, top - 0.02), (0.5 + 2 * lean, top - 0.08)])
            pen.stroke(tuft, 0.05, look.hair)
        return
    curve = np.stack([0.5 + STEPS * across * 0.86, top + 0.125 + 0.06 * STEPS**2], axis=1)
    crown = np.stack([0.5 - STEPS * across * 0.96, top - 0.01 + 0.14 * STEPS**2], axis=1)
    pen.shape(np.concatenate([curve, crown]), look.hair)


def _eye(pen: Pen, look: Look, shown: Expression, where: int) -> None:
    x, y = 0.5 + 0.125 * look.apart * where, EYES[0][1]
    half = 0.056 * look.eyes
    upper = max(0.002, 0.026 * look.eyes * (1 + (0.75 if shown.lids > 0 else 0.95) * shown.lids))
    lower = max(0.002, 0.02 * look.eyes * (1 + 0.3 * shown.lids - 0.55 * shown.cheeks - 0.3 * shown.nose))
    arch = 1 - STEPS**2
    above = np.stack([x + half * STEPS, y - upper * arch], axis=1)
    below = np.stack([x + half * STEPS, y + lower * arch], axis=1)
    ball = Pen(pen.picture.copy())
    ball.ellipse(x, y, half + 0.02, half, WHITE)
    ball.ellipse(x, y, 0.028 * look.eyes, 0.028 * look.eyes, look.iris)
    ball.ellipse(x, y, 0.014 * look.eyes, 0.014 * look.eyes, PUPIL)
    pen.window(np.concatenate([above, below[::-1]]), ball)
    pen.stroke(above, 0.013, shade(look.skin, 0.3))
    if shown.cheeks + shown.nose > 0.05:
        fold = np.stack([x + 1.1 * half * STEPS, y + 0.03 + 0.02 * arch], axis=1)
        depth = min(1.0, shown.cheeks + shown.nose)
        pen.stroke(fold, 0.012 * depth, shade(look.skin, 0.6))


def _brow(pen: Pen, look: Look, shown: Expression, where: int) -> None:
    eye, base = 0.5 + 0.125 * look.apart * where, 0.357
    inner_x = eye - where * (0.068 + 0.016 * shown.frown)
    outer_x = eye + where * 0.082
    inner_y = base - 0.042 * shown.inner_brow + 0.038 * shown.frown
    outer_y = base + 0.001 - 0.046 * shown.outer_brow - 0.006 * shown.frown
    along = (STEPS + 1) / 2
    arch = 0.013 + 0.006 * shown.outer_brow - 0.006 * shown.frown
    brow = np.stack(
        [inner_x + (outer_x - inner_x) * along, inner_y + (outer_y - inner_y) * along - arch * (1 - STEPS**2)], axis=1
    )
    pen.stroke(brow, 0.03 * look.brows, shade(look.hair, 0.75))
    line = shade(look.skin, 0.68)
    if shown.frown > 0.1:
        crease = np.array([(0.5 + 0.022 * where, 0.33), (0.5 + 0.016 * where, 0.36), (0.5 + 0.02 * where, 0.39)])
        pen.stroke(crease, 0.012 * shown.frown, line)
    raised = (shown.inner_brow + shown.outer_brow) / 2 - shown.frown / 2
    if raised > 0.1:
        for height in (0.25, 0.275):
            wrinkle = np.stack([0.5 + where * 0.07 * (1 + STEPS), height + 0.006 * STEPS], axis=1)
            pen.stroke(wrinkle, 0.009 * raised, line)


def _nose(pen: Pen, look: Look, shown: Expression) -> None:
    dark = shade(look.skin, 0.55)
    up = 0.015 * max(shown.nose, 0.5 * shown.upper_lip)
    for where in (-1, 1):
        pen.ellipse(0.5 + 0.03 * look.nose * where, 0.605 - up, 0.017 * look.nose, 0.011 * look.nose, dark)
        fold = max(shown.nose, 0.7 * shown.upper_lip, 0.7 * shown.corners)
        if fold > 0.1:
            curve = np.stack([0.5 + where * (0.06 + 0.06 * (STEPS + 1) / 2), 0.645 + 0.045 * STEPS], axis=1)
            pen.stroke(curve, 0.014 * fold, shade(look.skin, 0.66))
        if shown.nose > 0.1:
            for height in (0.43, 0.455, 0.48):
                slant = np.array([(0.5 + 0.008 * where, height - 0.008), (0.5 + 0.03 * where, height + 0.004)])
                pen.stroke(np.linspace(slant[0], slant[1], 5), 0.011 * shown.nose, shade(look.skin, 0.6))


def _mouth(pen: Pen, look: Look, shown: Expression, rounded: float) -> None:
    smile, sulk = max(shown.corners, 0.0), max(-shown.corners, 0.0)
    half = 0.1 * look.mouth * (1 + 0.28 * smile + 0.3 * shown.stretch - 0.12 * shown.jaw) * (1 - 0.42 * rounded)
    corner = 0.715 - 0.045 * smile + 0.03 * sulk + 0.02 * shown.jaw
    upper = 0.716 - 0.026 * shown.upper_lip - 0.014 * shown.jaw - 0.012 * sulk + 0.01 * smile
    lower = 0.722 + 0.1 * shown.jaw + 0.035 * smile * (shown.jaw > 0.02) - 0.01 * sulk + 0.012 * smile
    lower += 0.02 * shown.stretch * (1 - shown.press) + 0.012 * shown.upper_lip
    bow = 1 - STEPS**2 * (0.55 + 0.45 * STEPS**2)
    x = 0.5 + half * STEPS
    above = np.stack([x, corner + (upper - corner) * bow], axis=1)
    below = np.stack([x, np.maximum(corner + (lower - corner) * bow, above[:, 1])], axis=1)
    gap = lower - upper
    if gap > 0.012:
        inside = Pen(pen.picture.copy())
        inside.ellipse(0.5, 0.72, 0.3, 0.3, INSIDE)
        if shown.stretch + smile + shown.upper_lip > 0.3:
            edge = above + np.array([0, min(0.03, 0.55 * gap)])
            teeth = np.concatenate([above - np.array([0, 0.01]), edge[::-1]])
            inside.shape(teeth, TEETH)
        pen.window(np.concatenate([above, below[::-1]]), inside)
    thick = 0.024 * (1 - 0.65 * shown.press)
    pen.stroke(above, thick, look.lips)
    pen.stroke(below, thick * 1.15, shade(look.lips, 1.08))
    if shown.press > 0.3:
        chin = np.stack([0.5 + 0.05 * STEPS, 0.775 + 0.012 * STEPS**2], axis=1)
        pen.stroke(chin, 0.012 * shown.press, shade(look.skin, 0.7))
