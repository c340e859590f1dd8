"""What users hand in as an image, as pixels."""

from typing import TYPE_CHECKING, cast

import numpy as np

from seqvae.modalities.images.picture import Picture, Shape, as_bytes, size_words

if TYPE_CHECKING:
    from PIL.Image import Image


def as_pixels(image: object, shape: Shape) -> np.ndarray:
    """(H, W, C) uint8 of an array (H, W), (H, W, 1) or (H, W, 3), a PIL image or a Picture.

    Grey is taken for RGB with three equal channels. Raises ValueError when it is no image, or not of that shape.
    """
    pixels = _pixels_of(image)
    if pixels.shape[:2] == shape[:2] and pixels.shape[2] == 1 < shape[2]:
        return np.repeat(pixels, shape[2], axis=2)
    if pixels.shape[:2] != shape[:2]:
        raise ValueError(
            f"an image of {size_words(pixels.shape)} does not fit a model of {size_words(shape)}; resize it, or train "
            f"with --size {pixels.shape[0]},{pixels.shape[1]} (height, width)"
        )
    if pixels.shape[2] != shape[2]:
        raise ValueError(
            f"an image of {size_words(pixels.shape)} does not fit a model of {size_words(shape)}; turn it into grey "
            "levels, or train with --channels rgb"
        )
    return pixels


def _pixels_of(image: object) -> np.ndarray:
    """(H, W, C) uint8 of any size. Raises ValueError when it is no image."""
    if isinstance(image, Picture):
        return image.pixels
    if hasattr(image, "getbands"):  # a PIL image; the import is spared where arrays are passed
        from seqvae.modalities.images.files import pixels_of

        return pixels_of(cast("Image", image))
    if not hasattr(image, "__array__"):
        raise ValueError(
            f"a {type(image).__name__} is no image; give an array (height, width) or (height, width, 3), a PIL image "
            "or the path of a file"
        )
    values = np.asarray(image)
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3 or values.shape[2] not in (1, 3) or 0 in values.shape:
        raise ValueError(
            f"an array of shape {np.shape(image)} is no image; give one image at a time, (height, width) or (height, "
            "width, 3)"
        )
    return as_bytes(values, "the array")
