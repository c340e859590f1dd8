"""`seqvae index`, `near`, `outliers` and `clusters`: what lies where among the codes of a corpus."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from seqvae.cli.items import open_model, read_items, show_report
from seqvae.cli.options import (
    PATH,
    device_option,
    file_option,
    inputs_argument,
    run_argument,
    seed_option,
    split_option,
    spoken_as,
)
from seqvae.cli.places import check_file_place, check_folder_place, spare_files
from seqvae.cli.results import Made, show
from seqvae.cli.run_command import RunCommand
from seqvae.config import counted

if TYPE_CHECKING:
    from seqvae.finding import Found, Index
    from seqvae.model import Model

index_option = click.option(
    "--index", "place", type=PATH, metavar="FILE", help="An index in another place than the run."
)
number_option = click.option(
    "-n", "--number", type=click.IntRange(1), default=10, show_default=True, callback=spoken_as("n"), help="How many."
)
found_option = click.option(
    "--out", "folder", type=PATH, metavar="FOLDER", help="Also write what is found as files into this folder."
)


@click.command(
    cls=RunCommand,
    uses=("reading", "choosing"),
    example="seqvae index runs/demo data/demo/train.txt",
)
@run_argument
@click.argument("data", nargs=-1, type=PATH, required=True)
@split_option
@click.option(
    "--out", type=PATH, metavar="FILE", help="Where the index goes; the default is RUN/index/index.safetensors."
)
@click.option(
    "--label-by", metavar="PATTERN", callback=spoken_as("label_by"),
    help="Label items by what this regular expression, or its group, matches in their names.",
)  # fmt: skip
@click.option(
    "--tsv", type=PATH, metavar="FOLDER", help="Also write it for TensorBoard's embedding projector into this folder."
)
@device_option
def index(
    run: Path,
    data: tuple[Path, ...],
    split: Literal["train", "valid", "test"] | None,
    out: Path | None,
    label_by: str | None,
    tsv: Path | None,
    device: str,
) -> None:
    """Encode a corpus, so that seqvae near finds in it.

    The index holds the posterior mean of each item or window of DATA, files or folders as for training, with its name,
    its label, where there are any, and its evidence lower bound. It is kept in the run, in the place of one that is
    there, for seqvae near, outliers, clusters and plot.
    """
    if out is not None:
        check_file_place(out)
    check_folder_place(tsv)
    from seqvae.cli.progress import ProgressBar
    from seqvae.finding import Index
    from seqvae.index_file import IndexFile
    from seqvae.indexing import place_of, write_index
    from seqvae.projector import METADATA, SETTINGS, SPRITE, VECTORS, Sprite, write_projector

    model = open_model(run, device, split)
    target = place_of(model, out)
    reader = model if split is None else model.of_split(split, data)
    written = [target, *([] if tsv is None else [tsv / name for name in (VECTORS, METADATA, SPRITE, SETTINGS)])]
    spare_files((file for path in data for file in model.modality.files_of(path)), written, "another --out or --tsv")
    sprite = None if tsv is None else Sprite(model.modality)
    with ProgressBar() as bar:
        report = write_index(reader, data, target, bar, sprite, label_by)
    made = Index(model, IndexFile(target))
    show_report(", ".join(report.sources), report)
    size, units = counted(len(made), model.modality.words.items), counted(model.vae.latent, "units")
    click.echo(f"{target}: {size} of {units}")
    for path in [] if tsv is None else write_projector(made, tsv, sprite):
        click.echo(str(path))


@click.command(
    cls=RunCommand,
    uses=("reading", "writing"),
    example='seqvae near runs/demo "the teacher copied the letter ." -n 5',
)
@run_argument
@inputs_argument
@file_option
@number_option
@click.option(
    "--metric", type=click.Choice(["euclid", "cosine"]), default="euclid", show_default=True,
    help="How far two codes are apart: the distance of posterior means, or 1 - cos of their angle about the mean.",
)  # fmt: skip
@index_option
@found_option
@device_option
def near(
    run: Path,
    inputs: tuple[str, ...],
    file: Path | None,
    number: int,
    metric: Literal["euclid", "cosine"],
    place: Path | None,
    folder: Path | None,
    device: str,
) -> None:
    """Find the nearest neighbours of items in an index.

    For each INPUT, or each of its windows, a line a neighbour: its rank, its distance, its label, where there are any,
    and its name, by which every command takes it. An INPUT that is in the index itself is left out. The search is
    exact.
    """
    check_folder_place(folder)
    model = open_model(run, device)
    found_in = _opened(model, place)
    named, windows = read_items(model, inputs, file, None)
    codes = model.encode(windows)
    each = max(number, min(number + 1, len(found_in)))  # one more, in the place of an input that is in the index
    candidates = found_in.near(codes, each, metric)
    found: list[Found] = []
    left_out = False
    for first in range(0, len(candidates), each):
        own = candidates[first : first + each]
        others = _without_itself(found_in, own)
        left_out |= len(others) < len(own)
        if len(codes) > 1:
            click.echo(f"{'' if first == 0 else chr(10)}{_line(own[0].of)}")
        _show(others[:number])
        found += others[:number]
    if left_out:
        click.echo("the input itself, which is in the index, is left out", err=True)
    read = [item.path for item in named if item.path is not None]
    _write(found_in, found, folder, [*read, *([] if file is None else [file])], "distance {:.3f}")


def _without_itself(found_in: "Index", own: "Sequence[Found]") -> "list[Found]":
    """The neighbours of one item but for the item; another one with the same name, such as a sentence, stays."""
    folder = found_in.file.facts["folder"]  # names are as they were typed there
    same = [one.name == one.of or os.path.abspath(os.path.join(folder, one.name)) == os.path.abspath(one.of)
            for one in own]  # fmt: skip
    itself = same.index(True) if True in same else len(own)
    return [one for place, one in enumerate(own) if place != itself]


@click.command(cls=RunCommand, uses=("writing",), example="seqvae outliers runs/demo -n 5")
@run_argument
@number_option
@click.option(
    "--by", type=click.Choice(["elbo", "distance"]), default="elbo", show_default=True,
    help="What the model finds least probable, in nats per step, or whose code is far from all others.",
)  # fmt: skip
@index_option
@found_option
@seed_option
@device_option
def outliers(
    run: Path,
    number: int,
    by: Literal["elbo", "distance"],
    place: Path | None,
    folder: Path | None,
    seed: int,
    device: str,
) -> None:
    """Find the strangest items of the index of a run.

    A line an item, the strangest first: its rank, how strange it is, its label, where there are any, and its name.
    """
    check_folder_place(folder)
    from seqvae.cli.progress import ProgressBar

    found_in = _opened(open_model(run, device), place)
    with ProgressBar() as bar:
        found = found_in.outliers(number, by, seed, bar)
    click.echo(f"by {UNITS[by]}", err=True)
    _show(found)
    _write(found_in, found, folder, [], "{:.3f} nats per step" if by == "elbo" else "distance {:.3f}")


UNITS = {
    "elbo": "-ELBO in nats per step",
    "distance": "the distance to the fifth nearest other item",
}


@click.command(cls=RunCommand, uses=("writing",), example="seqvae clusters runs/demo -k 6")
@run_argument
@click.option(
    "-k",
    "--clusters",
    "number",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    callback=spoken_as("k"),
    help="How many.",
)
@index_option
@found_option
@seed_option
@device_option
def clusters(run: Path, number: int, place: Path | None, folder: Path | None, seed: int, device: str) -> None:
    """Find clusters among the codes of the index of a run.

    By k-means, the largest first, each with the items nearest to its middle, their distances from it, and the shares
    of labels, where there are any.
    """
    check_folder_place(folder)
    found_in = _opened(open_model(run, device), place)
    found = found_in.clusters(number, seed)
    items = found_in.model.modality.words.items
    for rank, cluster in enumerate(found, start=1):
        labels = ", ".join(f"{_line(name)} {share:.0%}" for name, share in list(cluster.labels.items())[:MOST_LABELS])
        size = f"cluster {rank}: {counted(len(cluster.places), items)} ({cluster.share:.0%})"
        click.echo(f"{chr(10) * (rank > 1)}{size}{': ' * bool(labels)}{labels}")
        _show(cluster.central)
    _write(found_in, [one for cluster in found for one in cluster.central], folder, [], "{:.3f} from the middle")


MOST_LABELS = 4  # of a cluster that are named


def _opened(model: "Model", place: Path | None) -> "Index":
    from seqvae.finding import Index
    from seqvae.index_file import IndexFile
    from seqvae.indexing import place_of

    return Index(model, IndexFile(place_of(model, place)))


def _show(found: "Sequence[Found]") -> None:
    """A line an item."""
    labels = [_line(one.label or "") for one in found]
    width = max(map(len, labels), default=0)
    for rank, (one, label) in enumerate(zip(found, labels, strict=True), start=1):
        shown = f"{label:<{width}}  " if width else ""
        click.echo(f"{rank:>3}  {one.value:7.3f}  {shown}{_line(_from_here(one.name))}")


def _from_here(name: str) -> str:
    """The name of an item of a file below the current folder, as seen from there; all others as they are."""
    return name.removeprefix(os.path.join(os.getcwd(), ""))


def _line(text: str) -> str:
    """A text, such as a paragraph, in one line."""
    return " ".join(text.split())


def _write(found_in: "Index", found: "Sequence[Found]", folder: Path | None, read: Iterable[Path], note: str) -> None:
    """Write items that were found as files, where that is asked for."""
    if folder is None or not found:
        return
    from seqvae.modalities.items import Named

    model, pieces = found_in.model, found_in.items(found)
    if model.modality.printed(pieces) is not None:  # these are told already
        names = [file.name for result in model.modality.write(pieces) for file in result.files]
        spare_files(read, [folder / name for name in names], "--out another folder")
        for path in model.write(pieces, folder):
            click.echo(f"written to {path}", err=True)
        return
    sources = [Path(one.name.rpartition("#")[0] or one.name) for one in found]
    spared = [Named(str(path), None, path) for path in (*sources, *read)]
    notes = [f"{note.format(one.value)}, {_line(_from_here(one.name))}" for one in found]
    show(model, Made(pieces, inputs=spared, notes=notes), folder)
