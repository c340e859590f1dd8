"""What users hand in as an image, as pixels."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from seqvae.config import kind_of
from seqvae.modalities.images.picture import Picture, Shape, as_bytes, size_words

if TYPE_CHECKING:
    from PIL.Image import Image


def as_pixels(image: object, shape: Shape) -> np.ndarray:
    """(H, W, C) uint8 of an array (H, W), (H, W, 1) or (H, W, 3), a PIL image or a Picture.

    Grey is taken for RGB with three equal channels. Raises ValueError when it is no image, or not of that shape.
    """
    pixels = pixels_of(image)
    if pixels.shape[:2] == shape[:2] and pixels.shape[2] == 1 < shape[2]:
        return np.repeat(pixels, shape[2], axis=2)
    if pixels.shape[:2] != shape[:2]:
        raise ValueError(
            f"an image of {size_words(pixels.shape)} does not fit a model of {size_words(shape)}; resize it, or train "
            f"with data.size={pixels.shape[0]},{pixels.shape[1]} (height, width)"
        )
    if pixels.shape[2] != shape[2]:
        raise ValueError(
            f"an image of {size_words(pixels.shape)} does not fit a model of {size_words(shape)}; turn it into grey "
            "levels, or train with data.channels=rgb"
        )
    return pixels


def is_array(image: object) -> bool:
    """Whether it is an array of numbers, of any library; a PIL image is none."""
    return hasattr(image, "__array__") and not hasattr(image, "getbands")


def images_in(values: Any, shape: Shape) -> list[np.ndarray]:
    """The images of an array of one or several: (H, W), (H, W, C), (N, H, W) or (N, H, W, C).

    An array (A, B, 3) is one image of red, green and blue, unless only (B, 3) is the size that is wanted. Raises
    ValueError for three images of grey levels where RGB is wanted: the axis may be that of the channels.
    """
    array = as_array(values)
    fits = [array.shape[start : start + 2] == shape[:2] for start in (0, 1)]
    is_colour = array.ndim == 3 and array.shape[2] in (1, 3) and (fits[0] or not fits[1])
    if array.ndim not in (3, 4) or is_colour:
        return [array]
    if array.ndim == 3 and len(array) == shape[2] == 3:
        raise ValueError(
            f"an array of shape {array.shape} may be one image with its channels first, or three of grey levels; give "
            "one as (height, width, 3), such as np.moveaxis(array, 0, -1), or grey ones as (count, height, width, 1)"
        )
    return list(array)


def as_array(values: Any) -> np.ndarray:
    """The numbers of an array of any library. Raises ValueError where they cannot be had, as of a GPU."""
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        kind, reason = type(values).__name__, " ".join(str(error).split())
        raise ValueError(f"a {kind} cannot be read as an array ({reason}); give a numpy array") from None


def pixels_of(image: object) -> np.ndarray:
    """(H, W, C) uint8 of any size. Raises ValueError when it is no image."""
    if isinstance(image, Picture):
        return image.pixels
    if hasattr(image, "getbands"):  # a PIL image; the import is spared where arrays are passed
        from seqvae.modalities.images.files import pixels_of as from_pil

        return from_pil(cast("Image", image))
    if not is_array(image):
        raise ValueError(
            f"{kind_of(image)} is no image; give an array (height, width) or (height, width, 3), a PIL image "
            "or the path of a file"
        )
    values = as_array(image)
    shape = values.shape
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3 or values.shape[2] not in (1, 3) or 0 in values.shape:
        raise ValueError(
            f"an array of shape {shape} is no image; give one image at a time, (height, width) or (height, width, 3)"
        )
    return as_bytes(values, "the array")
