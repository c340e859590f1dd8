"""Images: MNIST's files, arrays and folders of image files to pictures of one shape, and back."""

import copy
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from seqvae.config import read_json
from seqvae.files import write_atomically
from seqvae.modalities.base import Arrangement, Report, Split
from seqvae.modalities.images.given import as_pixels
from seqvae.modalities.images.picture import Picture, Shape
from seqvae.modalities.images.reading import (
    Reading,
    files_of,
    named_pictures,
    pictures_of,
    read_pictures,
    shape_of,
    splits_of,
)
from seqvae.modalities.images.settings import DEFAULTS, LEAST_STEPS, READING_KEYS, ImageData, ImageModel

if TYPE_CHECKING:
    from seqvae.nets.images import ImageDecoder, ImageEncoder
    from seqvae.noise import Noise
    from seqvae.types import Batch

LEARNED = "images.json"
IMAGES_OF_MEAN = 10_000  # of which the mean image is taken


class Images:
    """The image modality: an item is a Picture, its array one step of pixels (1, H, W, C), uint8.

    What users hand in are arrays, PIL images, pictures and paths of image files; what they get back are arrays (H, W)
    or (H, W, 3), uint8.
    """

    name: ClassVar[str] = "images"
    data_config: ClassVar[type] = ImageData
    model_config: ClassVar[type] = ImageModel
    reading_keys: ClassVar[frozenset[str]] = READING_KEYS
    sampling_temperature: ClassVar[float] = 0.0
    least_steps: ClassVar[int] = LEAST_STEPS
    defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = DEFAULTS
    end: ClassVar[None] = None
    max_steps: ClassVar[int] = 1

    def __init__(self, data: ImageData) -> None:
        self.data = data
        self.split: Split = "all"
        self._shape: Shape | None = None
        self._mean: np.ndarray | None = None

    @property
    def shape(self) -> Shape:
        """Height, width and channels. Raises ValueError before any image was read."""
        if self._shape is None:
            raise ValueError("the shape of the images is not known yet; fit or load the modality first")
        return self._shape

    @property
    def reading(self) -> Reading:
        """Everything that reading depends on."""
        return Reading(self.data.resized_to, self.data.channels, self.split)

    def files_of(self, source: Path) -> Sequence[Path]:
        """The files of images and of labels."""
        return files_of(source)

    def read(self, sources: Sequence[Path], report: Report) -> Iterator[Picture]:
        """The pictures of the sources in order; image files that cannot be read are left out and counted.

        Raises ValueError for images of several shapes, or of another shape than those that were learned from.
        """
        shape = shape_of(sources, self.reading) if self._shape is None else self._shape
        yield from read_pictures(sources, self.reading, shape, report)

    def of_split(self, split: Split, sources: Sequence[Path]) -> "Images | None":
        """The same modality, reading one split; None where the names of the files tell of no such split."""
        if split not in splits_of(sources):
            return None
        part = copy.copy(self)
        part.split = split
        return part

    @property
    def splits_are_given(self) -> bool:
        """True: the names of files, folders and arrays tell."""
        return True

    def accept(self, given: Any) -> list[Picture]:
        """The picture itself. Raises ValueError for what is no image, is of another shape or a file of several."""
        if not isinstance(given, str | Path):
            return [Picture(self.pixels(given), given.label if isinstance(given, Picture) else None)]
        pictures = self.pictures_of(Path(given))
        if len(pictures) != 1:
            raise ValueError(f"{given} holds {len(pictures):,} images; name one as {given}#0, counted from 0")
        return [pictures[0]]

    def pixels(self, given: Any) -> np.ndarray:
        """(H, W, C) uint8 of an array, a PIL image or a picture. Raises ValueError when it does not fit."""
        return as_pixels(given, self.shape)

    def pictures_of(self, path: Path) -> Sequence[Picture]:
        """The pictures of one file, each made when it is asked for. Raises ValueError when they do not fit."""
        return pictures_of(path, self.reading, self.shape)

    def named(self, sources: Sequence[Path], report: Report) -> Iterator[tuple[str, Path, Picture]]:
        """The pictures that `read` gives, each with the name that it is found by, FILE or FILE#INDEX, and its file."""
        return named_pictures(sources, self.reading, self.shape, report)

    def as_long_as(self, item: Picture, other: Picture) -> Picture:
        """The picture itself: all are of one shape."""
        return item

    def present(self, items: Sequence[Picture]) -> np.ndarray:
        """The pixels of the only item, (H, W) or (H, W, 3)."""
        (item,) = items
        return item.pixels[:, :, 0] if item.pixels.shape[2] == 1 else item.pixels

    def write(self, given: Sequence[np.ndarray], folder: Path, arrangement: Arrangement = "set") -> list[Path]:
        """A PNG file for each image, and one of all of them beside each other; the paths written."""
        from seqvae.modalities.images.output import paths_of, write_images

        paths = paths_of(len(given), folder, arrangement)
        write_images([self.pixels(image) for image in given], paths, arrangement)
        return paths

    def fit(self, items: Callable[[], Iterable[Picture]]) -> None:
        """Learn the shape and the mean image, where decoders start."""
        total, count = np.zeros((), np.int64), 0
        for picture in islice(items(), IMAGES_OF_MEAN):
            total, count = total + picture.pixels, count + 1
        if not count:
            raise ValueError("there is no image to learn from; give other files")
        self._mean = np.rint(total / count).astype(np.uint8)
        self._shape = self._mean.shape[0], self._mean.shape[1], self._mean.shape[2]

    def encode(self, item: Picture, report: Report) -> np.ndarray:
        """(1, H, W, C) uint8."""
        return item.pixels[None]

    def augment(self, batch: "Batch", others: "Callable[[], Batch]", noise: "Noise") -> "Batch":
        """The pixels drawn black or white anew with dynamic binarisation; else as evaluation sees them."""
        if self.data.binarise != "dynamic":
            return self.settle(batch)
        from seqvae.modalities.images.binarisation import drawn

        return drawn(batch, noise)

    def settle(self, batch: "Batch") -> "Batch":
        """The pixels drawn black or white by their image and the seed, wherever it stands; as they are without."""
        if self.data.binarise == "none":
            return batch
        from seqvae.modalities.images.binarisation import drawn_once

        return drawn_once(batch, self.data.binarisation_seed)

    def label_of(self, item: Picture) -> str | None:
        """Its label."""
        return item.label

    def decode(self, x: np.ndarray, like: Picture | None = None) -> Picture:
        """The picture of an array (1, H, W, C)."""
        return Picture(x[0])

    def fingerprint(self) -> str:
        """Hex digest of shape, resizing and split."""
        facts = [self._shape, self.data.size, self.data.channels, self.split]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def nets(self, model: ImageModel) -> "tuple[ImageEncoder, ImageDecoder]":
        """Dense or convolutional encoder and decoder; the decoder starts at the mean image."""
        import torch

        from seqvae.modalities.images.nets import image_nets

        mean = None if self._mean is None else torch.from_numpy(self._mean / 255.0).float()
        return image_nets(self.shape, model, mean)

    def metrics(self, truth: Sequence[Picture], guess: Sequence[Picture]) -> dict[str, float | None]:
        """The squared error of a pixel, of which 1 is the way from black to white, over all pictures."""
        if not truth:
            return {"mean_squared_error": None}
        errors = (np.subtract(a.pixels, b.pixels, dtype=np.float64) for a, b in zip(truth, guess, strict=True))
        return {"mean_squared_error": sum(float((error**2).mean()) for error in errors) / len(truth) / 255**2}

    def size_bytes(self, item: Picture) -> None:
        """None: bits of images are told per dimension."""
        return

    def save(self, folder: Path) -> list[Path]:
        """Write the shape and the mean image into a folder."""
        mean = None if self._mean is None else self._mean.ravel().tolist()
        write_atomically(folder / LEARNED, (json.dumps({"shape": self.shape, "mean": mean}) + "\n").encode())
        return [folder / LEARNED]

    def load(self, folder: Path) -> None:
        """Read back what `save` wrote. Raises ValueError when it is missing or damaged."""
        path = folder / LEARNED
        if not path.is_file():
            raise ValueError(f"{path} is missing; restore the folder from a copy")
        learned = read_json(path)
        try:
            height, width, channels = learned["shape"]
            numbers = [height, width, *learned["mean"]]
            if not all(type(number) is int for number in numbers) or channels not in (1, 3) or min(height, width) < 1:
                raise ValueError
            mean = np.array(learned["mean"], dtype=np.uint8).reshape(height, width, channels)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise ValueError(f"{path} does not hold the shape and mean of images; restore it from a copy") from None
        self._shape, self._mean = (height, width, channels), mean
