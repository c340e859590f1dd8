"""Files to pictures of one shape."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Literal, overload

import numpy as np

from seqvae.modalities.base import Named, Report, Split
from seqvae.modalities.images import files
from seqvae.modalities.images.files import UnreadableImage
from seqvae.modalities.images.picture import Picture, Shape, size_words
from seqvae.modalities.images.sources import ImageFile, Source, find, looked_at
from seqvae.modalities.items import SeveralItems


@dataclass(frozen=True)
class Reading:
    """Everything that the pictures of a file depend on.

    `size`: (height, width) that images are resized to; None where all must be of one size. `channels`: auto is RGB
    where any image has colour.
    """

    size: tuple[int, int] | None = None
    channels: Literal["auto", "grey", "rgb"] = "auto"
    split: Split = "all"


def files_of(source: Path) -> list[Path]:
    """Every file that `read_pictures` looks at for this source, sorted. Raises ValueError when it holds no images."""
    return looked_at(Path(source))


def splits_of(sources: Sequence[Path]) -> list[str | None]:
    """Train, valid or test, as the names of files, folders and arrays show, of each stack of images."""
    return [source.split for source in find(sources)]


def shape_of(sources: Sequence[Path], reading: Reading) -> Shape:
    """(H, W, C) of the pictures, by headers alone.

    Raises ValueError when nothing can be read, or images are of several sizes and `reading.size` does not say which.
    """
    first: tuple[Path, Shape] | None = None
    channels = {"auto": 1, "grey": 1, "rgb": 3}[reading.channels]
    for path, shape in _looks(_of_split(sources, reading.split)):
        if reading.size is None and shape[0] * shape[1] > files.MOST_LEARNED:
            raise ValueError(
                f"{path} is {size_words(shape)}, and images of more than {files.MOST_LEARNED:,} pixels are not learned "
                "as they are; pass data.size, such as data.size=64, to resize all"
            )
        if first is None:
            first = path, shape
        elif first[1][:2] != shape[:2] and reading.size is None:
            raise ValueError(
                f"{path} is {shape[0]} x {shape[1]} and {first[0]} {first[1][0]} x {first[1][1]} (height x width); "
                "pass data.size to resize all"
            )
        if reading.channels == "auto":
            channels = max(channels, shape[2])
        if reading.size is not None and (reading.channels != "auto" or channels == 3):
            break
    if first is None:
        raise _nothing(sources, reading)
    height, width = reading.size or first[1][:2]
    return height, width, channels


def read_pictures(sources: Sequence[Path], reading: Reading, shape: Shape, report: Report) -> Iterator[Picture]:
    """The pictures of the sources in order; image files that cannot be read are counted in the report and left out.

    Raises ValueError for a damaged stack of images, an image that does not fit the shape, and when nothing can be read.
    """
    for named in named_pictures(sources, reading, shape, report):
        yield named.item


def named_pictures(sources: Sequence[Path], reading: Reading, shape: Shape, report: Report) -> Iterator[Named]:
    """The pictures as `read_pictures` gives them, with the name that `FILE` or `FILE#INDEX` finds each by, and FILE."""
    count = 0
    first: dict[str, Path] = {}  # the first file with each fault
    for source in _of_split(sources, reading.split):
        try:
            images, labels = _loaded(source, reading)
        except UnreadableImage as error:
            path = first.setdefault(error.reason, source.path)
            report.count(f"unreadable image files skipped: {error.reason}, such as {path}")
            continue
        fit = _Fit(images.shape[1:], reading, shape, source.path)
        if fit.resizes:
            report.count(f"images resized to {shape[0]} x {shape[1]}", len(images))
        if isinstance(source, ImageFile):
            report.count("image files read")
        for place, (pixels, label) in enumerate(zip(images, labels, strict=True), start=source.first):
            name = str(source.path) if isinstance(source, ImageFile) else f"{source.path}#{place}"
            yield Named(name, Picture(fit(pixels), label), source.path)
        count += len(images)
    if not count:
        raise _nothing(sources, reading)


def pictures_of(path: Path, reading: Reading, shape: Shape) -> Sequence[Picture]:
    """The pictures of one file: one of an image file, all of a stack, each made when it is asked for.

    Raises ValueError when the file is a folder, cannot be read or does not fit the shape.
    """
    path = Path(path)
    if path.is_dir():
        raise SeveralItems(f"{path} is a folder; give one file of it", path)
    stacks = []
    for source in _of_split([path], reading.split):
        images, labels = _loaded(source, reading)
        stacks.append((images, labels, _Fit(images.shape[1:], reading, shape, path)))
    return _Pictures(stacks)


class _Fit:
    """What turns the images of one source into the shape that is wanted. Raises ValueError where that is not to be."""

    def __init__(self, found: tuple[int, ...], reading: Reading, shape: Shape, path: Path) -> None:
        self._shape = shape
        self.resizes = tuple(found[:2]) != shape[:2]
        self._turns_grey = found[2] > shape[2]
        self._repeats = found[2] < shape[2]
        if self.resizes and reading.size is None:
            raise ValueError(
                f"{path} is {size_words(found)}, and {size_words(shape)} is needed; resize it, or train with data.size="
                f"{shape[0]},{shape[1]} (height, width), which resizes all"
            )
        if self._turns_grey and reading.channels != "grey":
            raise ValueError(
                f"{path} is {size_words(found)}, and {size_words(shape)} is needed; turn it into grey levels, or "
                "train with data.channels=rgb"
            )

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        if self._turns_grey:
            pixels = files.grey(pixels)
        if self.resizes:
            pixels = files.resized(pixels, *self._shape[:2])
        return np.repeat(pixels, self._shape[2], axis=2) if self._repeats else pixels


class _Pictures(Sequence[Picture]):
    """Stacks of images (N, H, W, C), one after another, as pictures, each made when it is asked for."""

    def __init__(self, stacks: Sequence[tuple[np.ndarray, Sequence[str | None], _Fit]]) -> None:
        self._stacks = stacks
        self._ends = list(accumulate(len(images) for images, _, _ in stacks))

    def __len__(self) -> int:
        return self._ends[-1]

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> list[Picture]: ...
    def __getitem__(self, index: int | slice) -> Picture | list[Picture]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        number = bisect_right(self._ends, place)
        images, labels, fit = self._stacks[number]
        place -= self._ends[number] - len(images)
        # copied, or one picture would keep the whole stack in memory
        return Picture(np.array(fit(images[place])), labels[place])


def _of_split(sources: Sequence[Path], split: Split) -> list[Source]:
    """The sources of a split. Raises ValueError when there is none."""
    found = find([Path(source) for source in sources])
    chosen = [source for source in found if split in ("all", source.split)]
    if not chosen:
        named = ", ".join(sorted({source.split for source in found if source.split})) or "no split at all"
        raise ValueError(
            f"split={split} is shown by no name in {', '.join(map(str, sources))}, but {named}; leave it out, or give "
            "other files"
        )
    return chosen


def _looks(sources: Sequence[Source]) -> Iterator[tuple[Path, Shape]]:
    """The shapes of all sources but image files that cannot be read."""
    for source in sources:
        try:
            yield source.path, source.look()
        except UnreadableImage:
            continue


def _loaded(source: Source, reading: Reading) -> tuple[np.ndarray, Sequence[str | None]]:
    """The images (N, H, W, C) of a source and their labels. Raises ValueError when they cannot be read."""
    return source.load(reading.size is not None) if isinstance(source, ImageFile) else source.load()


def _nothing(sources: Sequence[Path], reading: Reading) -> ValueError:
    """Why nothing can be read: for a single file what is wrong with it."""
    found = _of_split(sources, reading.split)
    whose = "" if reading.split == "all" else f" of the split '{reading.split}'"
    try:
        _loaded(found[0], reading)
    except ValueError as error:
        if len(found) == 1:
            return error
        reason = f", the first because {error.reason}" if isinstance(error, UnreadableImage) else ""
        return ValueError(f"none of the {len(found):,} image files{whose} can be read{reason}; give other files")
    return ValueError(f"{found[0].path} holds no images; give other files")
