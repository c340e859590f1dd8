"""INPUT arguments to items, and items to the terminal or to files: what is the same for all modalities."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from seqvae.cli.named import Made, Named
from seqvae.cli.options import Input, Output
from seqvae.cli.words import counted, report_lines

if TYPE_CHECKING:
    from seqvae.modalities.base import Report
    from seqvae.model import Model


class Face(Protocol):
    """What the command line does in its own way for one modality."""

    wanted: str  # what is missing where no item is given
    unit: str  # what a step of an item is called
    units: Mapping[str, str]  # of figures that mean something else here than `evaluate.UNITS` says
    no_split: str  # why there are no items of a {split} in the {files}, and what to do
    after_training: Sequence[str]  # commands to try next; RUN stands for the run folder

    def prepare(self, model: "Model", source: Input, output: Output) -> None:
        """Let the model read and write as the options say. Raises UsageError for one that is not for it."""
        ...

    def parse(self, model: "Model", value: str, source: Input) -> list[Named]:
        """The items of one INPUT argument."""
        ...

    def of_files(self, model: "Model", files: Sequence[Path]) -> list[Named]:
        """The items of files, read as for training; what was dropped is told on stderr."""
        ...

    def tell_losses(self, model: "Model", items: Sequence[Named]) -> None:
        """What of these items the model cannot hold, on stderr."""
        ...

    def rows(self, model: "Model", items: Sequence[Named]) -> list[Named]:
        """What one latent code each stands for: the items themselves, or their windows."""
        ...

    def show(self, model: "Model", made: Made, output: Output) -> None:
        """Tell or write what was made."""
        ...

    def facts(self, modality: Any, lengths: Any) -> list[tuple[str, str]]:
        """What `inspect` tells of items of these lengths: names and values."""
        ...

    def captions(self, model: "Model", figures: Mapping[str, Any]) -> list[str]:
        """What a reader of the figures of `evaluate` is to know, a sentence each."""
        ...


def face_of(modality: str) -> Face:
    """The face of a modality of the registry."""
    face: Face = import_module(f"seqvae.cli.{modality}").FACE
    return face


def open_model(run: Path, device: str, source: Input, output: Output) -> tuple["Model", Face]:
    """The model of a run, set up as the options say. Raises ValueError for what it cannot do, before any work."""
    from seqvae.cli.places import check_folder_place
    from seqvae.model import load

    check_folder_place(output.folder)
    model = load(run, device)
    face = face_of(model.modality.name)
    face.prepare(model, source, output)
    return model, face


def choose_split(model: "Model", source: Input, files: Sequence[Path]) -> None:
    """Let the model read only the split that is asked for. Raises ValueError where there is no such split."""
    if source.split is None:
        return
    chosen = model.modality.of_split(source.split, files)
    if chosen is None:
        names = ", ".join(map(str, files))
        raise ValueError(face_of(model.modality.name).no_split.format(split=source.split, files=names))
    model.modality = chosen


def read_items(model: "Model", face: Face, inputs: Sequence[str], file: Path | None, source: Input) -> list[Named]:
    """The items of the INPUT arguments, then those of `--file`. Raises UsageError when there are none."""
    items = [item for value in inputs for item in face.parse(model, value, source)]
    if file is not None:
        choose_split(model, source, [file])
        items += face.of_files(model, [file])
    elif source.split is not None:
        raise click.UsageError("--split chooses among the files of --file; give --file, or leave --split out")
    if not items:
        raise click.UsageError(f"no input; give {face.wanted}")
    face.tell_losses(model, items)
    return items


def one_item(model: "Model", face: Face, value: str, source: Input) -> Named:
    """The single item of an argument such as A or B. Raises UsageError when it is none or several."""
    items = face.parse(model, value, source)
    if len(items) != 1:
        example = f", such as {items[0].name}" if items else ""
        raise click.UsageError(f"'{value}' gives {counted(len(items), 'items')} where one is needed; give one{example}")
    face.tell_losses(model, items)
    return items[0]


def file_and_index(value: str, kind: str) -> tuple[Path, int | None]:
    """The file and the number of FILE#INDEX; no number for what has no # or is a file itself. `kind` is for errors.

    Raises UsageError when the index is no number.
    """
    name, mark, number = value.rpartition("#")
    if not mark or Path(value).exists():
        return Path(value), None
    if not (number.isascii() and number.isdigit()):
        raise click.UsageError(f"'{value}' names no {kind}; write FILE#INDEX, counted from 0, such as {name}#0")
    return Path(name), int(number)


def no_such_index(path: Path, number: int, count: int, kinds: str) -> ValueError:
    """The error for a FILE#INDEX behind the last of `count` windows, images, ..."""
    last = f" to #{count - 1}" if count > 1 else ""
    return ValueError(f"{path} has {counted(count, kinds)}, so there is no #{number}; give {path}#0{last}")


def tell_counts(name: str, report: "Report") -> None:
    """What reading something dropped or changed, on stderr."""
    for line in report_lines(report.counts):
        click.echo(f"{name}: {line}", err=True)
