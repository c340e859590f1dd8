"""What is measured of images, against values worked out by hand."""

import math

import numpy as np
import pytest

from seqvae.modalities.images.images import Images
from seqvae.modalities.images.measures import MEASURES, slant, thickness
from seqvae.modalities.images.picture import Picture


def picture(rows: list[str], channels: int = 1) -> Picture:
    """A picture that is white where a row has an x."""
    levels = np.array([[255 * (mark == "x") for mark in row] for row in rows], np.uint8)
    return Picture(np.repeat(levels[..., None], channels, 2))


def test_a_stroke_leans_to_the_right_by_its_angle() -> None:
    assert slant(picture(["...x", "..x.", ".x..", "x..."])) == pytest.approx(45.0)
    assert slant(picture(["x...", ".x..", "..x.", "...x"], 3)) == pytest.approx(-45.0)
    assert slant(picture([".x.", ".x.", ".x."])) == pytest.approx(0.0)
    steep = picture(["..x", "..x", ".x.", ".x.", "x..", "x.."])  # heights 2.5 ... -2.5 over columns 1, 1, 0, 0, -1, -1
    assert slant(steep) == pytest.approx(math.degrees(math.atan(8 / 17.5)))


def test_what_has_no_height_or_no_ink_has_no_slant() -> None:
    assert slant(picture(["...", "xxx", "..."])) is None
    assert slant(picture(["...", "..."])) is None
    assert thickness(picture(["...", "..."])) is None


def test_the_thickness_is_twice_the_area_over_the_edge() -> None:
    # of a bar of 2 x 5 the edges are 5 on the left and 5 on the right, 2 above and 2 below; a corner that both an edge
    # across and one down start from counts as its diagonal
    bar = picture([".......", "..xx...", "..xx...", "..xx...", "..xx...", "..xx...", "......."])
    assert thickness(bar) == pytest.approx(2 * 10 / (2 * 5 + 2 * 2 - 2 + math.sqrt(2)))
    assert thickness(Picture(bar.pixels // 2)) == pytest.approx(thickness(bar))  # no matter how bright
    wide = picture([".........", *["..xxxx..."] * 5, "........."])
    assert thickness(wide) > thickness(bar)  # type: ignore[operator]


def test_the_brightness_is_the_mean_level() -> None:
    images = Images(Images.data_config())
    assert images.measure("brightness").of(picture(["x.", ".."])) == 0.25
    assert set(MEASURES) == {"slant", "thickness", "brightness"}
