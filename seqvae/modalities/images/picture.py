"""A picture: the pixels of one image, and what they are made of when a user hands in something else."""

from dataclasses import dataclass
from typing import Any

import numpy as np

Shape = tuple[int, int, int]  # height, width, channels


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels (H, W, C) uint8, 0 black to 255, C 1 (grey) or 3 (red, green, blue); its label where there is one."""

    pixels: np.ndarray
    label: str | None = None

    def __eq__(self, other: object) -> bool:
        """Equal pixels and an equal label."""
        if not isinstance(other, Picture):
            return NotImplemented
        return self.label == other.label and np.array_equal(self.pixels, other.pixels)

    def __hash__(self) -> int:
        return hash((self.label, self.pixels.shape, self.pixels.tobytes()))


def as_bytes(values: np.ndarray, name: str) -> np.ndarray:
    """Grey levels 0 to 255, uint8, of uint8, bool or floats in [0, 1], in the same shape; `name` is for errors.

    Raises ValueError for other values.

    >>> as_bytes(np.array([0.0, 0.5, 1.0]), "it")
    array([  0, 128, 255], dtype=uint8)
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype == bool:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype.kind != "f":
        raise ValueError(f"{name} holds {values.dtype}; give uint8 of 0 to 255, bool, or floats in [0, 1]")
    if values.size and not (values.min() >= 0 and values.max() <= 1):  # written so that NaN fails, too
        raise ValueError(
            f"{name} holds floats from {values.min():.4g} to {values.max():.4g}; give floats in [0, 1], or uint8 of 0 "
            "to 255"
        )
    return np.rint(values * 255).astype(np.uint8)


def size_words(shape: tuple[int, ...]) -> str:
    """Height, width and channels as people say them.

    >>> size_words((28, 28, 1)), size_words((32, 48, 3))
    ('28 x 28 grey', '32 x 48 RGB')
    """
    height, width, channels = shape
    return f"{height} x {width} {'grey' if channels == 1 else 'RGB'}"


def as_pixels(given: Any, shape: Shape) -> np.ndarray:
    """(H, W, C) uint8 of an array (H, W), (H, W, 1) or (H, W, 3), a PIL image or a Picture.

    Grey is taken for RGB with three equal channels. Raises ValueError when it is no image, or not of that shape.
    """
    pixels = _pixels_of(given)
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


def _pixels_of(given: Any) -> np.ndarray:
    """(H, W, C) uint8 of any size. Raises ValueError when it is no image."""
    if isinstance(given, Picture):
        return given.pixels
    if hasattr(given, "getbands"):  # a PIL image; the import is spared where arrays are given
        from seqvae.modalities.images.files import pixels_of

        return pixels_of(given)
    if not hasattr(given, "__array__"):
        raise ValueError(
            f"a {type(given).__name__} is no image; give an array (height, width) or (height, width, 3), a PIL image "
            "or the path of a file"
        )
    values = np.asarray(given)
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3 or values.shape[2] not in (1, 3) or 0 in values.shape:
        raise ValueError(
            f"an array of shape {np.shape(given)} is no image; give one image at a time, (height, width) or (height, "
            "width, 3)"
        )
    return as_bytes(values, "the array")
