"""An index as files of TensorBoard's embedding projector: vectors, metadata, and for images a sprite of all of them."""

import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from seqvae.files import store, write_atomically
from seqvae.finding import Index
from seqvae.modalities.base import Modality
from seqvae.modalities.items import Named

VECTORS, METADATA, SPRITE, SETTINGS = "vectors.tsv", "metadata.tsv", "sprite.png", "projector_config.pbtxt"
MOST_SIDE = 8192  # pixels of a sprite, as browsers hold them
ROWS = 1024  # that become text at once


class Sprite:
    """The pictures of images as one, row by row, as the projector cuts it; none where they are too many or too large.

    Called with items in their order, of which no more are kept than a sprite has room for.
    """

    def __init__(self, modality: Modality) -> None:
        self._modality = modality
        self._images: list[np.ndarray] = []
        self.is_full = not modality.has_pixels

    def __call__(self, named: Sequence[Named]) -> None:
        """Take some items."""
        for one in [] if self.is_full else named:
            self._images.append(self._modality.pixels(one.item))
            height, width = self._images[-1].shape[:2]
            across = math.ceil(math.sqrt(len(self._images)))
            if across * max(height, width) > MOST_SIDE:
                self.is_full = True
                self._images = []
                break

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of one image."""
        height, width = self._images[0].shape[:2]
        return width, height

    def png(self) -> bytes | None:
        """The sprite as a PNG file; None where there is none."""
        from PIL import Image

        if not self._images:
            return None
        across = math.ceil(math.sqrt(len(self._images)))
        height, width, channels = self._images[0].shape
        sheet = np.zeros((across * height, across * width, channels), np.uint8)
        for place, image in enumerate(self._images):
            top, left = place // across * height, place % across * width
            sheet[top : top + height, left : left + width] = image
        content = io.BytesIO()
        Image.fromarray(sheet[..., 0] if channels == 1 else sheet).save(content, format="PNG")
        return content.getvalue()


def write_projector(index: Index, folder: Path, sprite: Sprite | None = None) -> list[Path]:
    """Write the index as files of the projector into a folder; the paths written.

    `tensorboard --logdir FOLDER` shows them by projector_config.pbtxt; https://projector.tensorflow.org takes the first
    two. Metadata are name, label where there are any, nats per step and steps of each item.
    """
    settings = [f'  tensor_path: "{VECTORS}"', f'  metadata_path: "{METADATA}"']
    image = None if sprite is None else sprite.png()
    folder.mkdir(parents=True, exist_ok=True)
    written = [
        write_atomically(folder / VECTORS, _vectors(index)),
        write_atomically(folder / METADATA, _metadata(index)),
    ]
    if image is not None and sprite is not None:
        width, height = sprite.size
        written.append(store(folder, SPRITE, image))
        settings.append(f'  sprite {{ image_path: "{SPRITE}" single_image_dim: {width} single_image_dim: {height} }}')
    else:
        (folder / SPRITE).unlink(missing_ok=True)  # that of another index would show other images
    content = "\n".join(["embeddings {", '  tensor_name: "codes"', *settings, "}", ""])
    return [*written, store(folder, SETTINGS, content.encode())]


def _vectors(index: Index) -> Iterator[bytes]:
    for first in range(0, len(index), ROWS):
        lines = ("\t".join(f"{value:.6g}" for value in row) for row in index.codes[first : first + ROWS].tolist())
        yield "".join(f"{line}\n" for line in lines).encode()


def _metadata(index: Index) -> Iterator[bytes]:
    has_labels = bool(index.file.facts["label_names"])
    yield ("name\tlabel\tnats_per_step\tsteps\n" if has_labels else "name\tnats_per_step\tsteps\n").encode()
    nats_per_step = index.nats_per_step
    for first in range(0, len(index), ROWS):
        places = range(first, min(first + ROWS, len(index)))
        lines = []
        for place, nats in zip(places, nats_per_step[first : first + ROWS], strict=True):
            label = [_cell(index.file.label(place) or "")] if has_labels else []
            cells = [_cell(index.file.name(place)), *label, f"{nats:.4f}", str(index.file.steps[place])]
            lines.append("\t".join(cells) + "\n")
        yield "".join(lines).encode("utf-8", errors="replace")


def _cell(text: str) -> str:
    """A text as one cell of a table."""
    return " ".join(text.split())
