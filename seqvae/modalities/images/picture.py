"""A picture: the pixels of one image, and what they are made of when a user hands in something else."""

from dataclasses import dataclass

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
