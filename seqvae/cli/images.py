"""What the command line does for images: INPUT is an image file or one image of a stack, results are PNG files."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from seqvae.cli.items import file_and_index, no_such_index, tell_counts
from seqvae.cli.named import Made, Named
from seqvae.cli.options import Input, Output
from seqvae.cli.places import clear, own_folder, spare
from seqvae.cli.words import counted

if TYPE_CHECKING:
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
        path, number = file_and_index(value, "image")
        pictures = _images(model).pictures_of(path)
        if number is None:
            names = [value] if len(pictures) == 1 else [f"{value}#{place}" for place in range(len(pictures))]
            return [Named(name, picture, path) for name, picture in zip(names, pictures, strict=True)]
        if number >= len(pictures):
            raise no_such_index(path, number, len(pictures), "images")
        return [Named(value, pictures[number], path)]

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

    def show(self, model: "Model", made: Made, output: Output) -> None:
        """Write the files and tell of each. Raises ValueError before an input would be lost."""
        from seqvae.modalities.images.output import MOST_ON_SHEET, paths_of, write_images

        images, folder = _images(model), output.folder or own_folder(model)
        count, inputs = len(made.items), made.inputs
        originals = [item.item.pixels for item in inputs] if made.paired else []
        paths = paths_of(count, folder, made.arrangement, made.paired)
        spare(inputs, paths)
        write_images([images.pixels(image) for image in made.items], paths, made.arrangement, originals)
        if output.folder is None:
            clear(folder, MADE, paths, inputs)
        for place, path in enumerate(paths[:count]):
            click.echo(f"{path}: from {inputs[place].name}" if made.paired else path)
        for path in paths[count:]:
            what = "originals above their reconstructions" if made.paired else "all in one"
            cut = made.arrangement == "set" and count > MOST_ON_SHEET
            click.echo(f"{path}: {what}{f', the first {MOST_ON_SHEET:,}' if cut else ''}")

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
