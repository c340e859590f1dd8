"""What is measured of images: how far strokes lean, how thick they are, how bright all of it is."""

import math

import numpy as np

from seqvae.modalities.images.picture import Picture
from seqvae.modalities.measuring import Measure, Measures


def _ink(picture: Picture) -> np.ndarray:
    """(H, W) float64: the brightness, 0 to 1, the mean of the channels."""
    levels: np.ndarray = picture.pixels.mean(2) / 255
    return levels


def slant(picture: Picture) -> float | None:
    """How far what is bright leans to the right, in degrees; None where that means nothing.

    The angle from the vertical of the line x = a y that fits the bright pixels best: its tangent is the covariance of
    both places over the variance of the height (the shear by which digits are made upright, LeCun et al. 1998).

    >>> pixels = np.zeros((3, 3, 1), np.uint8)
    >>> pixels[[2, 1, 0], [0, 1, 2]] = 255
    >>> round(slant(Picture(pixels)), 6)
    45.0
    """
    ink = _ink(picture)
    total = ink.sum()
    if not total:
        return None
    rows, columns = (np.arange(size, dtype=float) for size in ink.shape)
    up, across = -(rows - (ink.sum(1) @ rows) / total), columns - (ink.sum(0) @ columns) / total
    spread = ink.sum(1) @ up**2
    return math.degrees(math.atan2(float(up @ ink @ across), float(spread))) if spread > 1e-9 else None


def thickness(picture: Picture) -> float | None:
    """The width of the bright strokes in pixels; None of a black image.

    Twice the area over the length of the edge, which of a long stroke is its width. The edge is as long as the grey
    levels vary in all (their total variation).
    """
    ink = np.pad(_ink(picture), 1)
    down, across = np.diff(ink, axis=0)[:, :-1], np.diff(ink, axis=1)[:-1]
    edge = float(np.hypot(down, across).sum())
    return 2 * float(ink.sum()) / edge if edge else None


MEASURES: Measures = {
    "slant": Measure("degrees from upright, to the right", slant),
    "thickness": Measure("pixels, the width of bright strokes", thickness),
    "brightness": Measure("mean level, 0 black to 1 white", lambda picture: float(_ink(picture).mean())),
}
