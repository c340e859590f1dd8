"""Images to PNG files."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqvae.files import write_atomically
from seqvae.modalities.base import Arrangement

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHEETS: dict[Arrangement, str] = {"set": "images.png", "path": "interpolation.png", "grid": "palette.png"}
PAIRS = "reconstructions.png"
MOST_ON_SHEET = 1024  # images of a set
MOST_IN_A_ROW = 16  # steps of an interpolation; more go on below


def paths_of(count: int, folder: Path, arrangement: Arrangement, has_originals: bool = False) -> list[Path]:
    """Where so many images are written: a file each, then a sheet of all where there is something to compare."""
    digits = max(3, len(str(count - 1)))
    names = [f"{place:0{digits}}.png" for place in range(count)]
    if has_originals:
        names.append(PAIRS)
    elif count > 1:
        names.append(SHEETS[arrangement])
    return [folder / name for name in names]


def write_images(
    images: Sequence[np.ndarray],
    paths: Sequence[Path],
    arrangement: Arrangement,
    originals: Sequence[np.ndarray] = (),
) -> None:
    """Write images (H, W, C) as the PNG files that `paths_of` gave; `originals` stand above them in the sheet."""
    from seqvae.view.sheet import png

    contents = [_png(image) for image in images]
    if len(paths) > len(images):
        most = MOST_ON_SHEET if arrangement == "set" else len(images)
        contents.append(png(_sheet(images[:most], arrangement, originals[:most])))
    for path, content in zip(paths, contents, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)


def _sheet(images: Sequence[np.ndarray], arrangement: Arrangement, originals: Sequence[np.ndarray]) -> "Figure":
    from seqvae.view import pictures

    if originals:
        return pictures.pairs(originals, images)
    if arrangement == "path" and len(images) <= MOST_IN_A_ROW:
        return pictures.strip(images)
    columns = {"set": None, "path": MOST_IN_A_ROW, "grid": round(len(images) ** 0.5)}
    return pictures.image_grid(images, columns=columns[arrangement])


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(content, "PNG")
    return content.getvalue()
