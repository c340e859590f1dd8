"""Images: MNIST's files, arrays and folders of image files to pictures of one shape, and back."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from seqvae.config import Values, counted, read_json
from seqvae.files import write_atomically
from seqvae.modalities.base import Arrangement, Figures, File, Item, Modality, Named, Report, Words, Written
from seqvae.modalities.images.measures import MEASURES
from seqvae.modalities.images.picture import Picture, Shape
from seqvae.modalities.images.pixels import as_pixels, images_in, is_array
from seqvae.modalities.images.reading import (
    Reading,
    files_of,
    named_pictures,
    pictures_of,
    read_pictures,
    shape_of,
    splits_of,
)
from seqvae.modalities.images.settings import DEFAULTS, FEW_ITEMS, LEAST_STEPS, SUITED_TO_FEW, ImageData, ImageModel
from seqvae.modalities.items import Items, file_and_index, names_of, no_such_index, single
from seqvae.modalities.measuring import Measures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from seqvae.nets.images import ImageDecoder, ImageEncoder
    from seqvae.noise import Noise
    from seqvae.types import Batch, StepType

LEARNED = "images.json"
IMAGES_OF_MEAN = 10_000  # of which the mean image is taken


class Images(Modality):
    """The image modality: an item is a Picture, its array one step of pixels (1, H, W, C), uint8.

    What users hand in are arrays, PIL images, pictures and paths of image files; what they get back are arrays (H, W)
    or (H, W, 3), uint8.
    """

    name: ClassVar[str] = "images"
    data_config: ClassVar[type] = ImageData
    model_config: ClassVar[type] = ImageModel
    words = Words(
        input="an image file, or FILE#INDEX of an IDX, .npz or .npy file, counted from 0",
        all_of=", or all of such a file",
        data="data/demo-digits",
        items="images",
        item="image",
        steps="images",
        elements="brightness",
        change="mean difference of all pixels, of that from black to white",
        example=("A.png", "B.png"),
        smaller="data.size=32",
        no_split=(
            "split={split} is shown by no name in {files}; leave it out, or give files named such as "
            "train-images*, t10k-images*, or folders train, valid and test"
        ),
    )
    units: ClassVar[Mapping[str, str]] = {
        "items": "images",
        "summed_error": "per image, one draw of z: error of shares of white, summed over pixels",
        "mean_squared_error": "per pixel and channel of the image as read; 1 is from black to white",
    }
    defaults: ClassVar[Mapping[str, Values]] = DEFAULTS
    sampling_temperature: float = 0.0
    least_steps: ClassVar[int] = LEAST_STEPS
    few_items: ClassVar[int] = FEW_ITEMS
    few_defaults: ClassVar[Mapping[str, Values]] = SUITED_TO_FEW
    first_shown: ClassVar[int] = 100
    has_pixels: ClassVar[bool] = True
    splits_are_named: ClassVar[bool] = True
    measures: ClassVar[Measures] = MEASURES
    data: ImageData

    def __init__(self, data: ImageData) -> None:
        super().__init__(data)
        self._shape: Shape | None = None
        self._mean: np.ndarray | None = None

    @property
    def shape(self) -> Shape:
        """Height, width and channels. Raises ValueError before any image was read."""
        if self._shape is None:
            raise ValueError("the shape of the images is not known yet; fit or load the modality first")
        return self._shape

    @property
    def step_type(self) -> "StepType":
        """The pixels of an image, (H, W, C)."""
        from seqvae.types import StepType

        return StepType("uint8", self.shape)

    @property
    def max_steps(self) -> int:
        """1: an image is a single step."""
        return 1

    @property
    def reading(self) -> Reading:
        """Everything that reading depends on."""
        return Reading(self.data.resized_to, self.data.channels, self.split)

    def files_of(self, source: Path) -> Sequence[Path]:
        """The files of images and of labels."""
        return files_of(source)

    def as_files(self, data: Items) -> list[File]:
        """An .npz file of the images (N, H, W) or (N, H, W, C), or of a list of them, and their labels."""
        from seqvae.modalities.images.memory import archive_of

        several = [] if is_array(data.items) else super().several(data.items)
        content = archive_of(data, several, self.data.resized_to)
        return [File("images.npz", lambda: content)]

    def read(self, sources: Sequence[Path], report: Report) -> Iterator[Picture]:
        """The pictures of the sources in order; image files that cannot be read are left out and counted.

        Raises ValueError for images of several shapes, or of another shape than those that were learned from.
        """
        shape = shape_of(sources, self.reading) if self._shape is None else self._shape
        yield from read_pictures(sources, self.reading, shape, report)

    def several(self, items: Any) -> list[Item]:
        """The images of an array of several, (N, H, W) or (N, H, W, C), too."""
        return images_in(items, self.shape) if is_array(items) else super().several(items)

    def accept(self, item: Item) -> list[Picture]:
        """The picture itself, or that of FILE#INDEX. Raises ValueError for what is no single image of that shape."""
        if isinstance(item, list | tuple):
            return self.accept(single(item))
        if is_array(item):
            return [Picture(self.pixels(single(images_in(item, self.shape))))]
        if not isinstance(item, str | Path):
            return [Picture(self.pixels(item), item.label if isinstance(item, Picture) else None)]
        found = self.find(str(item), Report())
        if len(found) != 1:
            raise ValueError(f"{item} holds {len(found):,} images; name one as {item}#0, counted from 0")
        return [found[0].item]

    def pixels(self, item: Item) -> np.ndarray:
        """(H, W, C) uint8 of an array, a PIL image or a picture. Raises ValueError when it does not fit."""
        return as_pixels(item, self.shape)

    def pictures_of(self, path: Path) -> Sequence[Picture]:
        """The pictures of one file, each made when it is asked for. Raises ValueError when they do not fit."""
        return pictures_of(path, self.reading, self.shape)

    def splits(self, sources: Sequence[Path]) -> list[str | None]:
        """The split that the names of files, folders and arrays show, of each stack of images."""
        return splits_of(sources)

    def named(self, sources: Sequence[Path], report: Report) -> Iterator[Named]:
        """The pictures that `read` gives, by FILE or FILE#INDEX."""
        return named_pictures(sources, self.reading, self.shape, report)

    def find(self, word: str, report: Report) -> list[Named]:
        """The image of that path, all images of a file of many, or one of them as FILE#INDEX."""
        path, number = file_and_index(word, "image")
        pictures = self.pictures_of(path)
        if number is None:
            names = names_of(word, len(pictures))
            return [Named(name, picture, path) for name, picture in zip(names, pictures, strict=True)]
        if number >= len(pictures):
            raise no_such_index(path, number, len(pictures), "images")
        return [Named(word, pictures[number], path)]

    def present(self, items: Sequence[Picture]) -> np.ndarray:
        """The pixels of the only item, (H, W) or (H, W, 3)."""
        (item,) = items
        return item.pixels[:, :, 0] if item.pixels.shape[2] == 1 else item.pixels

    def write(
        self,
        pieces: Sequence[Sequence[Picture]],
        arrangement: Arrangement = "set",
        originals: Sequence[Sequence[Picture]] = (),
        names: Sequence[str] = (),
    ) -> list[Written]:
        """A PNG file for each image, and one of all of them, beside each other or below their originals."""
        from seqvae.modalities.images.output import files_of_images

        made, before = ([picture.pixels for (picture,) in some] for some in (pieces, originals))
        return files_of_images(made, arrangement, before, names)

    def picture(
        self, pieces: Sequence[Sequence[Picture]], arrangement: Arrangement = "set", names: Sequence[str] = ()
    ) -> "Figure":
        """The images beside each other, a set with its labels where it has any."""
        from seqvae.modalities.images.output import sheet

        labels = [picture.label or "" for (picture,) in pieces]
        return sheet([picture.pixels for (picture,) in pieces], arrangement, labels=labels if any(labels) else ())

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

    def facts(self, lengths: np.ndarray) -> list[tuple[str, str]]:
        """How many images of which shape."""
        height, width, channels = self.shape
        return [
            ("items", counted(len(lengths), "images")),
            ("shape", f"{height} x {width} (height x width), {'grey' if channels == 1 else 'RGB'}"),
        ]

    def nats_of(self, model: ImageModel) -> str:
        """What the nats are, and why they may be negative where pixels have a density."""
        nats = super().nats_of(model)
        if model.likelihood not in ("gaussian", "laplace"):
            return nats
        return f"{nats}; of densities, which may exceed 1, so that nats below 0 are possible and lower is better"

    def remarks(self, model: ImageModel, figures: Figures) -> list[str]:
        """Where nats are not those of a likelihood of pixels, and what is left out therefore."""
        if model.likelihood not in ("bernoulli", "logistic"):
            kind = "absolute" if model.likelihood == "laplace" else "squared"
            return [
                "Nats are those of a density of grey levels from 0 to 1, which exceeds 1 where pixels are predicted "
                f"well: so they may be negative, and there are no bits per dimension. summed_error is the {kind} "
                "error that they stand for, without the constant of the density."
            ]
        if model.posterior == "point" or figures["bits_per_dimension"] is not None:
            return []
        if model.likelihood == "bernoulli":
            return [
                "Grey levels are scored as Bernoulli means: -log p(x|z) is a cross-entropy and no likelihood, so bits "
                "per dimension are left out."
            ]
        return []

    def metrics(self, truth: Sequence[Picture], guess: Sequence[Picture]) -> dict[str, float | None]:
        """The squared error of a pixel, of which 1 is the way from black to white, over all pictures."""
        if not truth:
            return {"mean_squared_error": None}
        errors = (np.subtract(a.pixels, b.pixels, dtype=np.float64) for a, b in zip(truth, guess, strict=True))
        return {"mean_squared_error": sum(float((error**2).mean()) for error in errors) / len(truth) / 255**2}

    def changes(self, item: Picture, other: Picture) -> tuple[float, float]:
        """The sum of the absolute differences of all pixels and channels, of that from black to white."""
        differences = np.abs(np.subtract(item.pixels, other.pixels, dtype=np.int32))
        return float(differences.sum()) / 255, float(differences.size)

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
