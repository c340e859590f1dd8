"""Images in memory, an array of several or a list, as the .npz file that is read in their place."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqvae.modalities.images import files
from seqvae.modalities.images.picture import Picture, as_bytes
from seqvae.modalities.images.pixels import as_array, is_array, pixels_of
from seqvae.modalities.images.sources import shape_of_stack
from seqvae.modalities.items import Items

Size = tuple[int, int]  # height and width


def archive_of(data: Items, several: Sequence[Any], size: Size | None) -> bytes:
    """An .npz file of images, and of their labels where there are any.

    `several`: what is not one array. Images of several sizes become `size`. Raises ValueError for what is no image, for
    several sizes without `size`, and for labels that are not one for each image.
    """
    labels = data.labels
    if is_array(data.items):
        stack = as_bytes(as_array(data.items), "the array")
        if stack.ndim == 4 and stack.shape[1] == 1 != stack.shape[3]:
            stack = stack[:, 0]  # an axis of channels that stands where other libraries have it
        shape_of_stack(stack.shape, "the array")
    else:
        stack = _stacked([_pixels(image, place) for place, image in enumerate(several)], size)
        own = [image.label if isinstance(image, Picture) else None for image in several]
        labels = labels if labels is not None or None in own else own
    arrays = {"images": stack}
    if labels is not None:
        words = as_array(labels)
        if words.ndim != 1 or len(words) != len(stack):
            raise ValueError(
                f"labels of shape {words.shape} do not fit {len(stack):,} images; give one whole number or word for "
                "each image, or leave them out"
            )
        arrays["labels"] = np.array([str(label) for label in words.tolist()])
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def _pixels(image: object, place: int) -> np.ndarray:
    try:
        return pixels_of(image)
    except ValueError as error:
        raise ValueError(f"item {place}: {error}") from None


def _stacked(images: Sequence[np.ndarray], size: Size | None) -> np.ndarray:
    """(N, H, W, C): RGB where any image is. Raises ValueError for several sizes without one to resize to."""
    if not images:
        raise ValueError("there are no images; give at least one")
    channels = max(image.shape[2] for image in images)
    for place, image in enumerate(images):
        if size is None and image.shape[:2] != images[0].shape[:2]:
            (height, width), first = image.shape[:2], images[0].shape
            raise ValueError(
                f"item {place} is {height} x {width} and item 0 {first[0]} x {first[1]} (height x width); set "
                "data.size to resize all"
            )
    same = [image if size is None else files.resized(image, *size) for image in images]
    return np.stack([np.repeat(image, channels // image.shape[2], axis=2) for image in same])
