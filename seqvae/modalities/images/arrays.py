"""Images and labels in the arrays of .npz and .npy files, read without pickle.

An array is named by its file and its key in an .npz; the key of a .npy is empty.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from seqvae.modalities.images.idx import HIGHEST_RATIO, MOST_UNPACKED
from seqvae.modalities.images.picture import as_bytes

ZIP = b"PK\x03\x04"
NPY = b"\x93NUMPY"
IMAGE_WORDS = ("x", "images", "image", "imgs", "data", "pixels")
LABEL_WORDS = ("y", "labels", "label", "targets", "target")
ORDER = ("train", "valid", "test", None)
ROWS = 4096  # images converted at a time
ALIGNMENT_SLACK = 1 << 16  # bytes of headers that no ratio of compression explains


def is_npz(path: Path) -> bool:
    """Whether a file is one of numpy's archives, by its start and its members' names."""
    with open(path, "rb") as file:
        if file.read(4) != ZIP:
            return path.suffix.lower() == ".npz"
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".npy") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return path.suffix.lower() == ".npz"


def is_npy(path: Path) -> bool:
    """Whether a file is a single array of numpy's, by its start or its name."""
    with open(path, "rb") as file:
        return file.read(len(NPY)) == NPY or path.suffix.lower() == ".npy"


def is_labels(path: Path) -> bool:
    """Whether a .npy file holds labels by its name, such as y_train.npy or labels.npy."""
    words = _words(path.stem)
    return any(word in LABEL_WORDS for word in words) and not any(word in IMAGE_WORDS for word in words)


def labels_beside(path: Path) -> Path | None:
    """The .npy file with the labels of one with images: y_train.npy beside x_train.npy, or digits_labels.npy."""
    about = _about(path)
    beside = sorted(other for other in path.parent.glob("*.[nN][pP][yY]") if is_labels(other))
    return next((other for other in beside if _about(other) == about), None)


def _about(path: Path) -> list[str]:
    """The words of a name but those that stand for images or labels."""
    return [word for word in _words(path.stem) if word not in (*IMAGE_WORDS, *LABEL_WORDS)]


def _words(name: str) -> list[str]:
    return re.split(r"[_\-. ]", name.lower())


def name_of(path: Path, key: str) -> str:
    """How errors call an array."""
    return f"'{key}' of {path}" if key else str(path)


def image_keys(path: Path, splits: Mapping[str, str]) -> list[tuple[str, str | None, str | None]]:
    """For each array of images its name, the name of its labels, and its split: training first, then by name.

    Names are such as `x_train` and `y_train`, `train_images` and `train_labels`, `images` and `labels`; a single array
    may have any. Raises ValueError when there is no array of images.
    """
    with _archive(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    images: dict[str | None, str] = {}
    labels: dict[str | None, str] = {}
    for name in names:
        words = _words(name)
        split = next((splits[word] for word in words if word in splits), None)
        if any(word in IMAGE_WORDS for word in words):
            images.setdefault(split, name)
        elif any(word in LABEL_WORDS for word in words):
            labels.setdefault(split, name)
    if not images and len(names) == 1:
        images = {None: names[0]}
    if not images:
        held = f"it has {', '.join(names[:8])}{', ...' * (len(names) > 8)}" if names else "it is empty"
        raise ValueError(
            f"{path} has no array of images by name ({held}); call it x_train (with y_train, x_test, y_test), or "
            "images (with labels)"
        )
    return [(images[split], labels.get(split), split) for split in sorted(images, key=ORDER.index)]


def shape_of(path: Path, key: str) -> tuple[int, ...]:
    """The shape of an array by its header. Raises ValueError when it holds no numbers, or cannot be as large."""
    with _member(path, key) as stream:
        return _header(path, key, stream)[0]


def load_images(path: Path, key: str) -> np.ndarray:
    """The array as uint8, 0 to 255; whole numbers of 0 and 1 only are black and white. Raises ValueError."""
    values = _load(path, key)
    if values.dtype == np.uint8:
        return values * np.uint8(255) if values.size and values.max() == 1 else values
    levels = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), ROWS):
        levels[start : start + ROWS] = as_bytes(values[start : start + ROWS], name_of(path, key))
    return levels


def load_labels(path: Path, key: str) -> list[str]:
    """The labels, one for each image: whole numbers or words. Raises ValueError."""
    values = _load(path, key)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "biuU":
        raise ValueError(
            f"{name_of(path, key)} is {values.dtype} of shape {values.shape}; give one whole number or word for each "
            "image, or leave it out"
        )
    return list(map(str, values.tolist()))


def _load(path: Path, key: str) -> np.ndarray:
    with _member(path, key) as stream:
        _header(path, key, stream)
    if not key:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        return array
    with _member(path, key) as stream:
        try:
            return np.lib.format.read_array(stream, allow_pickle=False)
        except ValueError:
            raise ValueError(f"{name_of(path, key)} is truncated or damaged; write the file again") from None


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """The open archive; whatever is wrong with it leaves as ValueError."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} is no .npz that can be read ({reason}); get or write the file again") from None


@contextmanager
def _member(path: Path, key: str) -> Iterator[IO[bytes]]:
    if not key:
        with open(path, "rb") as file:
            yield file
        return
    with _archive(path) as archive, archive.open(f"{key}.npy") as stream:
        yield stream


def _header(path: Path, key: str, stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type. Raises ValueError for objects, and for more bytes than the file or the member has."""
    name = name_of(path, key)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
    except ValueError:
        raise ValueError(f"{name} is no array that can be read; write the file again") from None
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects; store an array of numbers")
    promised = dtype.itemsize
    for length in shape:
        promised *= length
    if promised > (_most_bytes(path, key) if key else path.stat().st_size - stream.tell()):
        raise ValueError(
            f"{name} is truncated or damaged: its header promises {promised:,} bytes; write the file again"
        )
    if promised > MOST_UNPACKED and (key or dtype != np.uint8):  # a plain file of bytes stays on the disk
        raise ValueError(f"{name} has {promised:,} bytes, too many at once; store uint8, or several files")
    return shape, dtype


def _most_bytes(path: Path, key: str) -> int:
    """How many bytes an array of an .npz can have; none where its member claims what no compression reaches."""
    with _archive(path) as archive:
        member = archive.getinfo(f"{key}.npy")
    explained = HIGHEST_RATIO * member.compress_size + ALIGNMENT_SLACK
    return member.file_size if member.file_size <= explained else 0
