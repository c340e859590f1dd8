"""Images to PNG files."""

import io
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from seqvae.modalities.base import Arrangement, File, Sweep, Written

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHEETS = {"set": "images.png", "path": "interpolation.png", "grid": "palette.png"}
SWEEP, PAIRS = "sweep.png", "reconstructions.png"
MOST_ON_SHEET = 1024  # images of a set
MOST_IN_A_ROW = 16  # steps of an interpolation; more go on below


def files_of_images(
    images: Sequence[np.ndarray], arrangement: Arrangement, originals: Sequence[np.ndarray] = (),
    names: Sequence[str] = (),
) -> list[Written]:  # fmt: skip
    """A PNG file of each image (H, W, C), pixel for pixel, so that models read it again, then a sheet of all.

    In the sheet each pixel is enlarged to a square of whole dots, and `originals` stand above their reconstructions.
    `names`, of files in place of their numbers, then stand below the images.
    """
    digits = max(3, len(str(len(images))))
    numbers = names or [f"{number:0{digits}}" for number in range(1, len(images) + 1)]
    written = [
        Written([File(f"{name}.png", partial(_png, image))]) for name, image in zip(numbers, images, strict=True)
    ]
    if not images:
        return written
    cut = arrangement == "set" and len(images) > MOST_ON_SHEET
    note = "originals above their reconstructions" if originals else "all in one" if len(images) > 1 else "enlarged"
    note += f", the first {MOST_ON_SHEET:,}" if cut else ""
    name = SWEEP if isinstance(arrangement, Sweep) else PAIRS if originals else SHEETS[arrangement]
    whole = File(name, partial(_png_of_sheet, images, arrangement, originals, names))
    return [*written, Written([whole], note)]


def sheet(
    images: Sequence[np.ndarray],
    arrangement: Arrangement,
    originals: Sequence[np.ndarray] = (),
    labels: Sequence[str] = (),
) -> "Figure":
    """Images (H, W, C) in one picture, at most MOST_ON_SHEET of a set.

    `originals` stand above their reconstructions, `labels` below the images of a set.
    """
    from seqvae.view import pictures

    if isinstance(arrangement, Sweep):
        return pictures.sweep(
            arrangement.rows(images), arrangement.names, arrangement.heads, arrangement.title, arrangement.note
        )
    if arrangement == "set":
        images, originals = images[:MOST_ON_SHEET], originals[:MOST_ON_SHEET]
    if originals:
        return pictures.pairs(originals, images)
    if arrangement == "path" and len(images) <= MOST_IN_A_ROW:
        return pictures.strip(images)
    columns = {"set": None, "path": MOST_IN_A_ROW, "grid": round(len(images) ** 0.5)}
    names = labels if arrangement == "set" else ()
    return pictures.image_grid(images, columns=columns[arrangement], names=names)


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(content, "PNG")
    return content.getvalue()


def _png_of_sheet(
    images: Sequence[np.ndarray], arrangement: Arrangement, originals: Sequence[np.ndarray], names: Sequence[str]
) -> bytes:
    from seqvae.view.sheet import png

    return png(sheet(images, arrangement, originals, names))
