"""Images to PNG files."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seqvae.files import write_atomically
from seqvae.modalities.base import Arrangement

SHEETS: dict[Arrangement, str] = {"set": "images.png", "path": "interpolation.png", "grid": "palette.png"}


def names_of(count: int, arrangement: Arrangement) -> list[str]:
    """The names of the files of so many images: one each, and of the sheet of all of them where there are several."""
    digits = max(3, len(str(count - 1)))
    return [f"{place:0{digits}}.png" for place in range(count)] + [SHEETS[arrangement]] * (count > 1)


def write_images(images: Sequence[np.ndarray], folder: Path, arrangement: Arrangement) -> list[Path]:
    """A PNG file for each image (H, W, C), and of several one of all; the paths written."""
    from seqvae.view.pictures import image_grid, strip
    from seqvae.view.plots import png

    if not images:
        return []
    paths = [folder / name for name in names_of(len(images), arrangement)]
    contents = [_png(image) for image in images]
    if len(images) > 1:
        stack = np.stack(images)
        columns = round(len(images) ** 0.5) if arrangement == "grid" else None
        contents.append(png(strip(stack) if arrangement == "path" else image_grid(stack, columns=columns)))
    for path, content in zip(paths, contents, strict=True):
        write_atomically(path, content)
    return paths


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(content, "PNG")
    return content.getvalue()
