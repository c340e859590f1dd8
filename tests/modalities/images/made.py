"""Image files of every kind, made for the tests."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from seqvae.modalities.base import Report
from seqvae.modalities.images.picture import Picture, Shape
from seqvae.modalities.images.reading import Reading, read_pictures, shape_of


def stack(count: int, *axes: int, seed: int = 0) -> np.ndarray:
    """(count, ...) uint8, any values."""
    return np.random.default_rng(seed).integers(0, 256, (count, *axes), dtype=np.uint8)


def idx_bytes(values: np.ndarray, code: int = 8) -> bytes:
    """The content of an IDX file."""
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, code, values.ndim, *values.shape) + values.tobytes()


def write_idx(path: Path, values: np.ndarray) -> Path:
    """Write an IDX file, compressed where the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = idx_bytes(values)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def mnist_like(folder: Path, train: int = 7, test: int = 3, ending: str = ".gz") -> dict[str, np.ndarray]:
    """Write four files with MNIST's names; what is in them, by x_train, y_train, x_test, y_test."""
    made = {}
    for part, name, count in (("train", "train", train), ("test", "t10k", test)):
        made[f"x_{part}"], made[f"y_{part}"] = stack(count, 5, 4, seed=count), stack(count, seed=count + 1) % 10
        write_idx(folder / f"{name}-images-idx3-ubyte{ending}", made[f"x_{part}"])
        write_idx(folder / f"{name}-labels-idx1-ubyte{ending}", made[f"y_{part}"])
    return made


def write_image(path: Path, pixels: np.ndarray, mode: str | None = None) -> Path:
    """Write pixels (H, W) or (H, W, C) in the format that the name tells."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path)
    return path


def read(source: Path, reading: Reading | None = None, shape: Shape | None = None) -> tuple[list[Picture], Report]:
    """All pictures of a source, and the report."""
    reading, report = reading or Reading(), Report()
    shape = shape or shape_of([source], reading)
    return list(read_pictures([source], reading, shape, report)), report


def refusal(source: Path, reading: Reading | None = None, shape: Shape | None = None) -> str:
    """The one sentence with which a source is refused, without the folder of the test."""
    with pytest.raises(ValueError) as error:
        read(source, reading, shape)
    sentence = str(error.value)
    assert "\n" not in sentence
    folder = source if source.is_dir() else source.parent
    return sentence.replace(f"{folder}/", "").replace(str(folder), "FOLDER")
