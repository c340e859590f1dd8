"""Mosaics of images: the right image in the right place, dot for dot, whatever the size."""

import io
from statistics import NormalDist

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from seqvae.view import pictures
from seqvae.view.sheet import png


def some_images(count: int, *shape: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8))


def shown(figure: Figure) -> list[np.ndarray]:
    """The images of a figure in the order in which they were drawn."""
    return [np.asarray(image.get_array()) for image in figure.axes[0].images]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def tops_and_lefts(figure: Figure) -> list[tuple[float, float]]:
    boxes = [image.get_extent() for image in figure.axes[0].images]
    return [(round(top, 6), round(left, 6)) for left, _, _, top in boxes]


def test_a_grid_shows_all_images_row_by_row_in_about_a_square() -> None:
    images = some_images(7, 5, 4)
    figure = pictures.image_grid(images, "Samples", "seven of them")
    assert texts(figure) == ["Samples", "seven of them"]
    for drawn, image in zip(shown(figure), images, strict=True):
        np.testing.assert_array_equal(drawn, image)
    places = tops_and_lefts(figure)
    assert places == sorted(places)
    assert [sum(top == row for top, _ in places) for row in sorted({top for top, _ in places})] == [3, 3, 1]


def test_grey_levels_are_shown_as_they_are_and_not_stretched_to_black_and_white() -> None:
    (axes,) = pictures.image_grid([np.full((3, 2), 100, dtype=np.uint8)]).axes
    assert axes.images[0].get_clim() == (0, 255)


def test_every_pixel_covers_the_same_whole_number_of_dots_of_the_png() -> None:
    image = some_images(1, 28, 28)[0]
    file = imread(io.BytesIO(png(pictures.image_grid([image], "Title"))))[..., 0] * 255
    # 3 inches of 150 dots hold 16 dots for each of 28 pixels; margins are 30 dots; greys are rounded.
    part = file[-30 - 448 : -30, 30 : 30 + 448]
    np.testing.assert_allclose(part, image.repeat(16, 0).repeat(16, 1), atol=1.01)


def test_large_images_shrink_to_a_size_that_fits_on_a_sheet() -> None:
    figure = pictures.image_grid(some_images(12, 600, 300, 3))
    assert max(figure.get_size_inches()) < 8


def test_originals_stand_above_their_reconstructions() -> None:
    images = some_images(24, 4, 6, 3)
    figure = pictures.pairs(images[:12], images[12:], "Reconstructions")
    by_place = dict(zip(tops_and_lefts(figure), shown(figure), strict=True))
    rows = sorted({top for top, _ in by_place})
    lefts = sorted({left for _, left in by_place})
    assert (len(rows), len(lefts)) == (4, 10)
    for place in range(12):
        row, column = divmod(place, 10)
        np.testing.assert_array_equal(by_place[rows[2 * row], lefts[column]], images[place])
        np.testing.assert_array_equal(by_place[rows[2 * row + 1], lefts[column]], images[12 + place])
    assert texts(figure) == ["Reconstructions", *["original", "reconstruction"] * 2]


def test_the_manifold_is_one_picture_without_gaps_in_the_order_of_its_codes() -> None:
    images = some_images(9, 4, 5)
    (mosaic,) = shown(pictures.manifold(images, 3))
    assert mosaic.shape == (12, 15)
    np.testing.assert_array_equal(mosaic[:4, :5], images[0])
    np.testing.assert_array_equal(mosaic[:4, 5:10], images[1])
    np.testing.assert_array_equal(mosaic[4:8, :5], images[3])
    np.testing.assert_array_equal(mosaic[8:, 10:], images[8])


def test_the_ticks_of_the_manifold_stand_at_the_quantiles_of_its_coordinates() -> None:
    ground, axes = pictures.manifold([np.zeros((28, 28), dtype=np.uint8)] * 900, 30).axes
    across = dict(zip([label.get_text() for label in axes.get_xticklabels()], axes.get_xticks(), strict=True))
    up = dict(zip([label.get_text() for label in axes.get_yticklabels()], axes.get_yticks(), strict=True))
    minus = "\N{MINUS SIGN}"
    assert list(across) == [f"{minus}2", f"{minus}1.5", f"{minus}1", f"{minus}0.5", "0", "0.5", "1", "1.5", "2"]
    assert across == up  # as shares of the picture from the left, and from the bottom
    assert (across["0"], across["1"]) == pytest.approx((0.5, 0.8413447))
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 1), (0, 1))
    box, (left, right, bottom, top) = axes.get_position(), ground.images[0].get_extent()
    width, height = axes.get_figure().get_size_inches()
    assert (box.x0, box.x1) == pytest.approx((left / width, right / width))
    assert (box.y0, box.y1) == pytest.approx((1 - bottom / height, 1 - top / height))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("z1", "z2")


def test_the_ticks_of_a_manifold_follow_the_normal_of_each_axis() -> None:
    normals = (NormalDist(40.0, 12.0), NormalDist(0.0, 0.003))
    _, axes = pictures.manifold([np.zeros((4, 4), dtype=np.uint8)] * 900, 30, normals=normals).axes
    across = dict(zip([label.get_text() for label in axes.get_xticklabels()], axes.get_xticks(), strict=True))
    assert {"20", "40", "60"} <= set(across)
    assert across["40"] == pytest.approx(0.5)
    assert across["60"] == pytest.approx(NormalDist().cdf(20 / 12))
    assert {"0", "0.001", "0.002"} <= {label.get_text() for label in axes.get_yticklabels()}
    assert np.diff(axes.get_xticks()).min() >= 0.035


def test_a_single_image_is_enlarged_and_images_may_bear_names() -> None:
    (image,) = some_images(1, 28, 28)
    (drawn,) = pictures.image_grid([image]).axes[0].images
    left, right, _, _ = drawn.get_extent()
    assert (right - left) * 150 == pytest.approx(16 * 28)
    figure = pictures.image_grid(some_images(3, 4, 4), names=["cat", "dog", "a label that is far too long to stand"])
    assert texts(figure)[:2] == ["cat", "dog"]
    assert texts(figure)[2].endswith("…")


def test_a_sweep_has_a_named_row_for_each_item_and_a_column_for_each_value() -> None:
    images = some_images(6, 5, 5)
    figure = pictures.sweep([images[:3], images[3:]], ["unit 4", "a long name of a file#12"], ["less", "0", "1"], "All")
    assert texts(figure) == ["All", "less", "0", "1", "unit 4", "a long name of a file#12"]
    for drawn, image in zip(shown(figure), images, strict=True):
        np.testing.assert_array_equal(drawn, image)


def test_a_row_without_a_name_starts_at_the_left() -> None:
    images = some_images(3, 5, 5)
    lefts = [min(left for _, left in tops_and_lefts(pictures.sweep([images], [name], ["0"] * 3))) for name in ("", "a")]
    assert lefts[0] == pytest.approx(0.2)
    assert lefts[1] > 0.25


def test_an_interpolation_stands_between_the_originals_that_it_joins() -> None:
    images = some_images(5, 4, 4)
    figure = pictures.walks([images[1:4]], [(images[0], images[4])])
    assert texts(figure) == ["original", "0 %", "50 %", "100 %", "original"]
    for drawn, image in zip(shown(figure), images, strict=True):
        np.testing.assert_array_equal(drawn, image)
    lefts = [left for _, left in tops_and_lefts(figure)]
    gaps = np.diff(lefts)
    assert gaps[0] == pytest.approx(gaps[3], abs=1e-5)
    assert gaps[0] > gaps[1] == pytest.approx(gaps[2], abs=1e-5)


def test_a_strip_is_one_walk_from_its_first_image_to_its_last() -> None:
    images = some_images(5, 4, 3)
    figure = pictures.strip(images, "A walk")
    assert texts(figure) == ["A walk", "0 %", "25 %", "50 %", "75 %", "100 %"]
    for drawn, image in zip(shown(figure), images, strict=True):
        np.testing.assert_array_equal(drawn, image)
    assert len({top for top, _ in tops_and_lefts(figure)}) == 1


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([], "0 images make no picture"),
        ([np.zeros((2, 3))], r"a float64 array of shape \(2, 3\) is no image; give uint8"),
        ([np.zeros((2, 3, 2), dtype=np.uint8)], r"a uint8 array of shape \(2, 3, 2\) is no image"),
        ([np.zeros((2, 3), dtype=np.uint8), np.zeros((3, 2), dtype=np.uint8)], r"\(2, 3\) and \(3, 2\) do not fit"),
    ],
)
def test_what_is_no_set_of_images_is_refused(images: list[np.ndarray], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pictures.image_grid(images)


def test_a_manifold_that_is_no_square_and_pairs_that_do_not_match_are_refused() -> None:
    images = some_images(3, 2, 2)
    with pytest.raises(ValueError, match=r"^3 images are no square of 2 rows; give 4$"):
        pictures.manifold(images, 2)
    with pytest.raises(ValueError, match=r"^3 originals have 2 reconstructions; give one for each$"):
        pictures.pairs(images, images[:2])
