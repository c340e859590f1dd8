"""What the command line does for images: INPUT is an image file or one image of a stack, results are PNG files."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from seqvae.cli.items import tell_counts
from seqvae.cli.named import Named
from seqvae.cli.options import Input, Output
from seqvae.cli.places import clear, own_folder, spare
from seqvae.cli.words import counted

if TYPE_CHECKING:
    from seqvae.modalities.base import Arrangement
    from seqvae.modalities.images.images import Images
    from seqvae.model import Model

UNITS = {"items": "images"}
MADE = re.compile(r"(\d{3,}|images|interpolation|palette|reconstructions)\.png")


class ImageFace:
    """See `items.Face`."""

    wanted = "INPUT, an image file or FILE#INDEX, or --file with a file or folder for all of its images"
    unit = "images"
    units = UNITS
    no_split = (
        "no name in {files} tells of the split '{split}'; leave --split out, or give files named such as "
        "train-images*, t10k-images*, or folders train, valid and test"
    )
    after_training = ("plot RUN", "sample RUN", "interpolate RUN A.png B.png", "evaluate RUN DATA")

    def prepare(self, model: "Model", source: Input, output: Output) -> None:
        """Refuse what is for text and music."""
        source.refuse(("encoding",), "text", "images")
        source.refuse(("drum_channel", "all_channels", "meter", "split_csv"), "drums", "images")
        output.refuse(("formats", "bpm", "meter"), "drums", "images")

    def parse(self, model: "Model", value: str, source: Input) -> list[Named]:
        """The image of that path, all images of a file of many, or one of them as FILE#INDEX."""
        images, path = _images(model), Path(value)
        name, mark, number = value.rpartition("#")
        if not mark or path.exists():
            pictures = images.pictures_of(path)
            names = [value] if len(pictures) == 1 else [f"{value}#{place}" for place in range(len(pictures))]
            return [Named(name, picture, path) for name, picture in zip(names, pictures, strict=True)]
        if not (number.isascii() and number.isdigit()):
            raise click.UsageError(f"'{value}' names no image; write FILE#INDEX, counted from 0, such as {name}#0")
        path = Path(name)
        pictures = images.pictures_of(path)
        if int(number) >= len(pictures):
            last = f" to #{len(pictures) - 1}" if len(pictures) > 1 else ""
            raise ValueError(
                f"{path} has {counted(len(pictures), 'images')}, so there is no #{number}; give {path}#0{last}"
            )
        return [Named(value, pictures[int(number)], path)]

    def of_files(self, model: "Model", files: Sequence[Path]) -> list[Named]:
        """All images of the files or folders, by FILE or FILE#INDEX."""
        from seqvae.modalities.base import Report

        report = Report()
        named = [Named(name, picture, path) for name, path, picture in _images(model).named(files, report)]
        tell_counts(", ".join(map(str, files)), report)
        return named

    def tell_losses(self, model: "Model", items: Sequence[Named]) -> None:
        """Nothing: what does not fit the model was refused."""

    def rows(self, model: "Model", items: Sequence[Named]) -> list[Named]:
        """The images themselves."""
        return list(items)

    def show(
        self,
        model: "Model",
        made: Sequence[Any],
        output: Output,
        arrangement: "Arrangement",
        inputs: Sequence[Named],
        paired: bool = False,
    ) -> None:
        """Write the files and tell of each. Raises ValueError before an input would be lost."""
        from seqvae.modalities.images.output import MOST_ON_SHEET, paths_of, write_images

        images, folder = _images(model), output.folder or own_folder(model)
        originals = [item.item.pixels for item in inputs] if paired else []
        paths = paths_of(len(made), folder, arrangement, bool(originals))
        spare(inputs, paths)
        write_images([images.pixels(image) for image in made], paths, arrangement, originals)
        if output.folder is None:
            clear(folder, MADE, paths, inputs)
        for path, item in zip(paths[: len(made)], inputs if originals else [None] * len(made), strict=False):
            click.echo(f"{path}{'' if item is None else f': from {item.name}'}")
        for path in paths[len(made) :]:
            what = "originals above their reconstructions" if originals else "all"
            many = "" if len(made) <= MOST_ON_SHEET else f", the first {MOST_ON_SHEET}"
            click.echo(f"{path}: {what}{many}")

    def facts(self, modality: Any, lengths: Any) -> list[tuple[str, str]]:
        """How many images of which shape."""
        height, width, channels = modality.shape
        return [
            ("items", counted(len(lengths), "images")),
            ("shape", f"{height} x {width} (height x width), {'grey' if channels == 1 else 'RGB'}"),
        ]

    def captions(self, model: "Model", figures: Mapping[str, Any]) -> list[str]:
        """Where nats are not those of a likelihood of pixels, and what is left out therefore."""
        if model.vae.has_points or figures["bits_per_dimension"] is not None:
            return []
        if model.config.model.likelihood == "bernoulli":
            return [
                "Grey levels are scored as Bernoulli means: -log p(x|z) is a cross-entropy and no likelihood, so bits "
                "per dimension are left out."
            ]
        return ["Nats are those of a density, which may be negative, so bits per dimension are left out."]


def _images(model: "Model") -> "Images":
    return cast("Images", model.modality)


FACE = ImageFace()
