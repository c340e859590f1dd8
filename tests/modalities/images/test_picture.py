"""What a user hands in as an image becomes pixels, or is refused in one sentence."""

import numpy as np
import pytest
from PIL import Image

from seqvae.modalities.images.picture import Picture
from seqvae.modalities.images.pixels import as_pixels
from tests.modalities.images.made import stack

GREY = stack(1, 5, 4)[0]
COLOUR = stack(1, 5, 4, 3)[0]


def test_pictures_are_equal_by_pixels_and_label() -> None:
    one = Picture(GREY[:, :, None], "7")
    assert one == Picture(GREY[:, :, None].copy(), "7")
    assert hash(one) == hash(Picture(GREY[:, :, None].copy(), "7"))
    others = Picture(GREY[:, :, None]), Picture(GREY[:, :, None], "8"), Picture(GREY.reshape(4, 5, 1), "7")
    assert one not in others
    assert one != GREY.tobytes()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (GREY, GREY[:, :, None]),
        (GREY[:, :, None], GREY[:, :, None]),
        (COLOUR, COLOUR),
        (GREY > 99, (GREY > 99)[:, :, None] * 255),
        (GREY / 255, GREY[:, :, None]),
        (COLOUR.astype(np.float32) / 255, COLOUR),
        (Image.fromarray(GREY), GREY[:, :, None]),
        (Image.fromarray(COLOUR), COLOUR),
        (Picture(COLOUR), COLOUR),
    ],
    ids=["grey", "one channel", "RGB", "bool", "floats", "RGB floats", "PIL grey", "PIL RGB", "picture"],
)
def test_every_form_of_an_image_gives_its_pixels(given: object, expected: np.ndarray) -> None:
    found = as_pixels(given, expected.shape)
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected)


def test_grey_fits_a_model_of_colour() -> None:
    assert np.array_equal(as_pixels(GREY, (5, 4, 3)), np.dstack([GREY] * 3))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            GREY.T,
            "an image of 4 x 5 grey does not fit a model of 5 x 4 grey; resize it, or train with data.size=4,5 (he",
        ),
        (COLOUR, "an image of 5 x 4 RGB does not fit a model of 5 x 4 grey; turn it into grey levels, or train with d"),
        (Image.fromarray(GREY.T.copy()), "an image of 4 x 5 grey does not fit a model of 5 x 4 grey; resize it, or t"),
        (GREY[None], "an array of shape (1, 5, 4) is no image; give one image at a time, (height, width) or (height, "),
        (GREY[:0], "an array of shape (0, 4) is no image; give one image at a time"),
        (np.dstack([COLOUR, GREY]), "an array of shape (5, 4, 4) is no image; give one image at a time"),
        (GREY.astype(int), "the array holds int64; give uint8 of 0 to 255, bool, or floats in [0, 1]"),
        (GREY * 1.0, "the array holds floats from 15 to 248; give floats in [0, 1], or uint8 of 0 to 255"),
        (GREY * np.nan, "the array holds floats from nan to nan; give floats in [0, 1]"),
        ("7", "a str is no image; give an array (height, width) or (height, width, 3), a PIL image or the path of a"),
        ([[0, 1], [1, 0]], "a list is no image; give an array"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(given: object, sentence: str) -> None:
    with pytest.raises(ValueError) as error:
        as_pixels(given, (5, 4, 1))
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)
