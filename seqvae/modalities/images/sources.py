"""Folders and files to the stacks of images and the image files in them, in an order by names, with their splits."""

import math
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from seqvae.config import counted
from seqvae.modalities.folders import names_below, near_name
from seqvae.modalities.images import arrays, files, idx
from seqvae.modalities.images.picture import Shape, size_words

SPLIT_OF = {"train": "train", "training": "train", "test": "test", "testing": "test", "t10k": "test"} | dict.fromkeys(
    ("valid", "validation", "val", "dev"), "valid"
)
LARGEST_SIDE = 1 << 14
WANTED = "IDX files such as MNIST's, .npz or .npy arrays, or images (.png, .jpg, .pgm, ...)"


@dataclass(frozen=True)
class ImageFile:
    """An image file; its label is the folder that it stands in."""

    path: Path
    split: str | None = None
    label: str | None = None
    first: ClassVar[int] = 0

    def look(self) -> Shape:
        """Height, width and channels. Raises UnreadableImage."""
        return files.look(self.path)

    def load(self, resizes: bool = False) -> tuple[np.ndarray, Sequence[str | None]]:
        """The one image (1, H, W, C) and its label; `resizes`: see `files.load`. Raises UnreadableImage."""
        return files.load(self.path, resizes)[None], [self.label]


@dataclass(frozen=True)
class IdxStack:
    """The images of an IDX file, with the labels of the file beside it."""

    path: Path
    split: str | None = None
    first: ClassVar[int] = 0

    def look(self) -> Shape:
        """Height, width and channels. Raises ValueError when it holds no images, or not as many as there are labels."""
        axes = idx.dimensions(self.path)
        if len(axes) == 1:
            raise ValueError(f"{self.path} holds labels, not images; give the file of images, such as *-images-idx3*")
        beside = idx.labels_beside(self.path)
        if beside is not None:
            count = idx.dimensions(beside)
            if len(count) != 1:
                raise ValueError(f"{beside} has {len(count)} axes, as labels have not; put the right file there")
            check_counts(str(self.path), axes[0], str(beside), count[0])
        return shape_of_stack(axes, str(self.path))

    def load(self) -> tuple[np.ndarray, Sequence[str | None]]:
        """The images (N, H, W, C) and labels. Raises ValueError, also when there are not as many labels as images."""
        images = idx.load(self.path).reshape(-1, *self.look())
        beside = idx.labels_beside(self.path)
        return images, [None] * len(images) if beside is None else list(map(str, idx.load(beside).tolist()))


@dataclass(frozen=True)
class ArrayStack:
    """The images of one array of an .npz file, or of a .npy file, whose key is empty."""

    path: Path
    key: str
    labels: tuple[Path, str] | None  # the array of labels: its file and key
    split: str | None = None
    first: int = 0  # how many images of the file stand before

    @property
    def name(self) -> str:
        """How errors call it."""
        return arrays.name_of(self.path, self.key)

    def look(self) -> Shape:
        """Height, width and channels. Raises ValueError when the array holds no images."""
        return shape_of_stack(arrays.shape_of(self.path, self.key), self.name)

    def load(self) -> tuple[np.ndarray, Sequence[str | None]]:
        """The images (N, H, W, C) and labels. Raises ValueError, also when there are not as many labels as images."""
        shape = self.look()
        pixels = arrays.load_images(self.path, self.key).reshape(-1, *shape)
        if self.labels is None:
            return pixels, [None] * len(pixels)
        labels = arrays.load_labels(*self.labels)
        path, key = self.labels
        check_counts(self.name, len(pixels), f"'{key}'" if key else str(path), len(labels))
        return pixels, labels


Source = ImageFile | IdxStack | ArrayStack  # one file, or one array of a file, with images of one size


def check_counts(images: str, image_count: int, labels: str, label_count: int) -> None:
    """Raises ValueError when images and labels are not as many."""
    if image_count != label_count:
        raise ValueError(
            f"{images} holds {image_count:,} images and {labels} {label_count:,} labels; put files of one origin "
            "together, or move the labels away"
        )


def shape_of_stack(axes: tuple[int, ...], name: str) -> Shape:
    """(H, W, C) of a stack with these axes: (N, H, W), (N, H, W, C), or (N, D) of square images."""
    words = " x ".join(map(str, axes)) or "a single number"
    if len(axes) == 2 and math.isqrt(axes[1]) ** 2 == axes[1]:
        axes = (axes[0], math.isqrt(axes[1]), math.isqrt(axes[1]))
    if len(axes) == 3:
        axes = (*axes, 1)
    if len(axes) != 4 or axes[3] not in (1, 3):
        raise ValueError(
            f"{name} is {words}; give images as (count, height, width), (count, height, width, 1 or 3), or rows of "
            "square images"
        )
    if 0 in axes:
        raise ValueError(f"{name} is {words}, which is no image at all; give another file")
    if max(axes[1:3]) > LARGEST_SIDE:
        raise ValueError(f"{name} has images of {size_words(axes[1:])}; give images of at most {LARGEST_SIDE} a side")
    return axes[1], axes[2], axes[3]


def looked_at(source: Path) -> list[Path]:
    """Every file that reading a source looks at, sorted: a change of their content changes the pictures.

    Raises ValueError when the source is missing or holds no images.
    """
    found = find([source], labels_too=True)
    beside = [idx.labels_beside(each.path) for each in found if isinstance(each, IdxStack)]
    beside += [each.labels[0] for each in found if isinstance(each, ArrayStack) and each.labels]
    return sorted({each.path for each in found}.union(path for path in beside if path))


def find(sources: Sequence[Path], labels_too: bool = False) -> list[Source]:
    """What the sources hold: in their order, those of a folder sorted by their relative paths.

    A folder is searched for IDX files; where it has none, for .npz files, then for image files, and last for .npy
    files. Files of labels are passed over unless `labels_too`. Raises ValueError for a source that is missing or holds
    no images.
    """
    if not sources:
        raise ValueError(f"no files to read; give {WANTED}")
    found = [each for source in sources for each in _find_in(Path(source))]
    images = [each for each in found if not _holds_labels(each)]
    if not images and not labels_too:
        raise ValueError(f"{found[0].path} holds labels, not images; give the file of images that it belongs to")
    return found if labels_too else images


def _find_in(source: Path) -> list[Source]:
    if not source.exists():
        raise ValueError(f"there is no file or folder {source}; give {WANTED}.{near_name(source)}")
    if source.is_dir():
        return _find_below(source)
    if not source.is_file():
        raise ValueError(f"{source} is no regular file; give {WANTED}")
    if idx.is_idx(source):
        return [IdxStack(source, _split_of(source.name))]
    if arrays.is_npz(source):
        return _arrays_of(source, None)
    if arrays.is_npy(source):
        return [_array_of(source, None)]
    if zipfile.is_zipfile(source):
        raise ValueError(f"{source} is a zip; unpack it, and give the folder")
    return [ImageFile(source)]


def _find_below(folder: Path) -> list[Source]:
    names = sorted(names_below(folder))
    pictures = [name for name in names if name.lower().endswith(files.SUFFIXES)]
    archives = [name for name in names if name.lower().endswith(".npz")]
    loose = [name for name in names if name.lower().endswith(".npy")]
    others = set(names).difference(pictures, archives, loose)
    stacks = [name for name in sorted(others) if idx.is_idx(folder / name)]
    chosen = [name for name in stacks if name.removesuffix(".gz") not in others or not name.endswith(".gz")]
    chosen = chosen or archives or pictures or loose
    if not chosen:
        held = f"{counted(len(names), 'other files')}, such as {names[0]}" if names else "no file at all"
        kinds = ", ".join(files.SUFFIXES)
        raise ValueError(f"{folder} holds no images ({kinds}, .npz, .npy or IDX files), but {held}; give {WANTED}")
    tops = {name.split("/")[0] for name in chosen if "/" in name}
    meant = {top.lower() for top in tops}
    # A folder 'test' among folders of classes is a class, unless there is one for training, too.
    are_splits = bool(meant) and (not meant - set(SPLIT_OF) or any(SPLIT_OF.get(top) == "train" for top in meant))
    found: list[Source] = []
    for name in chosen:
        above = name.split("/")[:-1]
        split = SPLIT_OF.get(above[0].lower()) if above and are_splits else None
        labels = above[1:] if split else above
        path = folder / name
        if chosen is pictures:
            found.append(ImageFile(path, split, labels[0] if labels else None))
        elif chosen is archives:
            found += _arrays_of(path, split)
        elif chosen is loose:
            found.append(_array_of(path, split))
        else:
            found.append(IdxStack(path, _split_of(path.name) or split))
    return found


def _arrays_of(path: Path, split: str | None) -> list[Source]:
    """The stacks of one .npz file."""
    stacks: list[Source] = []
    first = 0
    for key, labels, part in arrays.image_keys(path, SPLIT_OF):
        beside = None if labels is None else (path, labels)
        stacks.append(ArrayStack(path, key, beside, part or _split_of(path.name) or split, first))
        first += next(iter(arrays.shape_of(path, key)), 0)
    return stacks


def _array_of(path: Path, split: str | None) -> Source:
    """The stack of one .npy file, with the labels of the file beside it."""
    beside = None if arrays.is_labels(path) else arrays.labels_beside(path)
    return ArrayStack(path, "", None if beside is None else (beside, ""), _split_of(path.name) or split)


def _split_of(name: str) -> str | None:
    """The split that a word of a file name stands for."""
    return next((SPLIT_OF[word] for word in re.split(r"[-_. ]", name.lower()) if word in SPLIT_OF), None)


def _holds_labels(source: Source) -> bool:
    """Whether an IDX file has one axis; a file that cannot be read has none, and its error comes when it is loaded.

    A .npy file says it by its name.
    """
    if isinstance(source, ArrayStack):
        return not source.key and arrays.is_labels(source.path)
    try:
        return isinstance(source, IdxStack) and len(idx.dimensions(source.path)) == 1
    except ValueError:
        return False
