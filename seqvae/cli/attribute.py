"""`seqvae attribute`: directions of codes along which something of the items changes, fitted, listed and applied."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Literal

import click

from seqvae.cli.items import model_for_data, open_model, read_items
from seqvae.cli.options import (
    PATH,
    decoding_options,
    device_option,
    file_option,
    folder_option,
    given_checkpoint,
    given_decoding,
    inputs_argument,
    run_argument,
    seed_option,
    split_option,
)
from seqvae.cli.places import check_folder_place
from seqvae.cli.results import Made, show
from seqvae.cli.run_command import RunCommand

if TYPE_CHECKING:
    from seqvae.attributes import Along, Attribute
    from seqvae.modalities.items import Item
    from seqvae.model import Model

    Split = Literal["train", "valid", "test"]

MOST_STEPS = 1000  # of a sweep
FAR = 6  # standard deviations of codes, beyond which next to none of the data has any


@click.group(epilog="Example: seqvae attribute fit runs/demo-drums density")
def attribute() -> None:
    """Change one thing about an item.

    An attribute is a direction in latent space, fitted to data and kept in the run, along which one thing changes: how
    dense a groove is, whether a sentence is a question.
    """


@attribute.command(cls=RunCommand, uses=("reading", "choosing"), example="seqvae attribute fit runs/demo-drums density")
@run_argument
@click.argument("name")
@click.argument("data", nargs=-1, type=PATH)
@click.option("--of", metavar="WHAT", show_default="NAME", help="What is measured, or label=LABEL.")
@click.option(
    "--against", multiple=True, type=PATH,
    help="DATA have the attribute, and this file or folder has not; may be repeated.",
)  # fmt: skip
@click.option(
    "--along", type=click.Choice(["means", "separator", "neighbours"]), default="means", show_default=True,
    help="From the mean code of items without it to that of items with it, across the plane that separates them, or "
    "from the items nearest to a code without it to the nearest with it.",
)  # fmt: skip
@click.option(
    "--keep", multiple=True, metavar="NAME",
    help="An attribute of the run that stays as it is, with --along neighbours; may be repeated.",
)  # fmt: skip
@split_option
@seed_option
@device_option
def fit(
    run: Path, name: str, data: tuple[Path, ...], of: str | None, against: tuple[Path, ...],
    along: "Along", keep: tuple[str, ...], split: "Split | None", seed: int, device: str,
) -> None:  # fmt: skip
    """Fit an attribute to data and keep it in the run.

    NAME is something that is measured of items (`seqvae attribute list RUN` names what there is), such as density or
    word=not, or label=LABEL of data that have labels (label=8/3: 8 against 3 alone), or any name with --of or
    --against. DATA are those of the training unless others are given. Codes of a fifth of the items are held out:
    on them it is told how well the attribute can be read off a code, and how strong it has to be to flip it.
    """
    from seqvae.attribute_fitting import fit_attribute
    from seqvae.cli.progress import ProgressBar
    from seqvae.local_direction import Neighbours

    if keep and along != "neighbours":
        raise click.UsageError("--keep goes with --along neighbours; give that too, or leave --keep out")
    way = Neighbours(keep) if along == "neighbours" else along
    model = model_for_data(run, device, split, [*data, *against])
    before = model.attributes.get(name)
    with ProgressBar() as bar:
        found = fit_attribute(model, name, data, of, against=against, along=way, seed=seed, watch=bar)
    fitted_to = f"{found.items:,} {model.modality.words.items}{found.having_words}"
    click.echo(f"{run}: {name}, fitted to {fitted_to}, {found.in_words}")
    if before is not None:
        click.echo(f"{name}: in the place of that which was fitted to {before.source}, {before.in_words}", err=True)
    if found.flipped < 0.5:
        click.echo(f"{name}: fewer than half of held-out items flip at any strength", err=True)
    example = quote(model.modality.words.example[0] if model.modality.printed([]) is None else "a sentence")
    click.echo(f"next: seqvae attribute apply {quote(str(run))} {example} --add {quote(name)}")


@attribute.command("list", epilog="Example: seqvae attribute list runs/demo-drums")
@run_argument
def list_(run: Path) -> None:
    """Show the attributes of a run, and what can be measured of its items."""
    from seqvae.attributes import kept_attributes
    from seqvae.build import open_run
    from seqvae.modalities.measuring import listed_measures
    from seqvae.runs.foreign import ATTRIBUTES

    folder, config, modality = open_run(run, checkpoint=given_checkpoint())
    kept = kept_attributes(folder, config.model.latent)
    if kept:
        click.echo(_table(kept))
    else:
        elsewhere = [step for step in folder.steps() if folder.beside(step, ATTRIBUTES) is not None]
        more = f"; that of step {elsewhere[-1]} has some (--checkpoint {elsewhere[-1]})" if elsewhere else ""
        click.echo(f"{run}: no attribute yet of the checkpoint of step {folder.used_step:,}{more}")
    names = listed_measures(modality.measures)
    for name, measure in zip(names, modality.measures.values(), strict=True):
        click.echo(f"can be measured: {name}: {measure.about}", err=True)
    copied = f"seqvae models {run} --out FOLDER, seqvae attribute fit FOLDER NAME DATA"
    following = copied if folder.is_of_package else f"seqvae attribute fit {quote(str(run))} NAME"
    click.echo(f"next: {following}", err=True)


def _table(kept: "Mapping[str, Attribute]") -> str:
    """A line for each attribute, below the names of the columns."""
    head = ("name", "fitted to", "along", "items", "held out", "flips at", "flipped", "deviation of codes")
    rows = [
        (
            one.name, one.source, _along_words(one), f"{one.items:,}{one.having_words}", one.held_out_words,
            f"{one.strength:g}", f"{one.flipped:.0%}", f"{one.deviation:.3g}",
        )
        for one in kept.values()
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows))
    return "\n".join(line.rstrip() for line in lines)


def _along_words(one: "Attribute") -> str:
    """How it was fitted, with what it keeps."""
    return f"{one.along}, keeping {', '.join(one.kept)}" if one.kept else one.along


@attribute.command(epilog="Example: seqvae attribute remove runs/demo-drums density")
@run_argument
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def remove(run: Path, names: tuple[str, ...]) -> None:
    """Take attributes out of a run."""
    from seqvae.attribute_fitting import remove_attribute
    from seqvae.model import load

    model = load(run, "cpu", given_checkpoint())
    for name in names:
        remove_attribute(model, name)
        click.echo(f"{run}: {name} removed")


@attribute.command(
    "apply",
    cls=RunCommand,
    uses=("reading", "choosing", "writing"),
    example='seqvae attribute apply runs/demo "the cook sings ." --add word=not',
)
@run_argument
@inputs_argument
@file_option
@split_option
@click.option(
    "--add", "asked", multiple=True, metavar="NAME[=STRENGTH]",
    help="The attribute to add, at the strength that flips it where none is given; negative takes it away; may be "
    "repeated.",
)  # fmt: skip
@click.option(
    "--sweep", metavar="FROM:TO:STEPS", help="Several strengths of the attributes that have none, and a picture."
)
@click.option("--orthogonal", is_flag=True, help="Leave all other attributes of the run as they are.")
@decoding_options("temperature", "top_k", "top_p", "beam")
@seed_option
@folder_option
@device_option
def apply_(
    run: Path, inputs: tuple[str, ...], file: Path | None, split: "Split | None", asked: tuple[str, ...],
    sweep: str | None, orthogonal: bool, seed: int, folder: Path | None, device: str,
) -> None:  # fmt: skip
    """Add attributes to items: encode them, move their codes, decode them again.

    There is one result for each INPUT, in order; with --sweep one for each strength of the first INPUT, then of the
    next, and a picture or table with a row for each INPUT. Strengths count standard deviations of the codes of data
    along the attribute, or, of one that is fitted along neighbours, how often the way to the other class is gone.
    """
    check_folder_place(folder)
    if not asked:
        raise click.UsageError("nothing is added; give --add NAME, which `seqvae attribute list RUN` lists")
    steps = None if sweep is None else _steps(sweep)
    from seqvae.adding import moved_windows
    from seqvae.sheets import swept

    decoding = given_decoding()
    model = open_model(run, device, split)
    strengths = _strengths(asked, model.attributes)
    open_ones = [name for name, strength in strengths.items() if strength is None]
    if steps is not None and not open_ones:
        raise click.UsageError("--sweep gives strengths, and each --add has one; leave one of them out")
    _show_far(strengths, steps or [], model.attributes)
    named, windows = read_items(model, inputs, file, split)
    if steps is None:
        made = model.reconstruct(moved_windows(model, windows, strengths, orthogonal), decoding, seed)
        show(model, Made(made, "set", named, windows, _notes(model, strengths, made)), folder)
        return
    moved, table = swept(model, windows, strengths, steps, orthogonal)
    made = model.reconstruct(moved, decoding, seed)
    notes: list[str] = []
    if model.modality.printed(made) is None:
        said = [f"{', '.join(open_ones)} {step:.3g}" for step in steps] * len(windows)
        notes = [": ".join(filter(None, pair)) for pair in zip(said, _notes(model, strengths, made), strict=True)]
    show(model, Made(made, table, named, notes=notes), folder)


def _show_far(
    strengths: "Mapping[str, float | None]", steps: Sequence[float], attributes: "Mapping[str, Attribute]"
) -> None:
    """Which strengths, or ends of a sweep, lead far away from all codes of data, on stderr."""
    for name, strength in strengths.items():
        most = max([*steps, 0.0] if strength is None else [strength], key=abs)
        if abs(most) > FAR:
            click.echo(
                f"{name}={most:g} is more than {FAR} {attributes[name].unit}, where hardly any code of data is; "
                f"give less, such as {name}={math.copysign(attributes[name].strength, most):g}",
                err=True,
            )


def _notes(model: "Model", names: Mapping[str, object], made: "Sequence[Sequence[Item]]") -> list[str]:
    """What is measured of each piece, the mean of its windows, of those attributes that are measured."""
    attributes = model.attributes
    measures = {name: model.modality.measure(of) for name in names if (of := attributes[name].measure)}
    notes = []
    for windows in made:
        found = []
        for name, measure in measures.items():
            values = [value for value in map(measure.of, windows) if value is not None]
            found += [f"{name} measured {sum(values) / len(values):.3g}"] if values else []
        notes.append(", ".join(found))
    return notes


def _strengths(asked: Sequence[str], attributes: "Mapping[str, Attribute]") -> dict[str, float | None]:
    """The strength of each attribute that --add names, None where it has none; names may hold = themselves.

    Raises ValueError for an attribute that is not there, and for a strength that is no number.
    """
    from seqvae.attributes import named

    found: dict[str, float | None] = {}
    for text in asked:
        name, mark, number = text.rpartition("=")
        if text in attributes or not mark or (name not in attributes and not _is_number(number)):
            name, mark, number = named(attributes, text).name, "", ""
        named(attributes, name)
        if mark and not _is_number(number):
            raise ValueError(f"--add {text}: '{number}' is no strength; give a number, such as {name}=1.5")
        if name in found:
            raise ValueError(f"--add {name} stands there twice; give one strength")
        found[name] = float(number) if mark else None
    return found


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text.strip(), re.IGNORECASE) is not None


def _steps(sweep: str) -> list[float]:
    """The strengths of a sweep. Raises UsageError for what is none."""
    parts = sweep.split(":")
    if len(parts) != 3 or not all(map(_is_number, parts)) or not parts[2].isdecimal() or int(parts[2]) < 2:
        raise click.UsageError(f"--sweep {sweep} is not possible; give FROM:TO:STEPS, such as -2:2:5")
    first, last, steps = float(parts[0]), float(parts[1]), int(parts[2])
    if steps > MOST_STEPS:
        raise click.UsageError(f"--sweep {sweep} has {steps:,} steps; give at most {MOST_STEPS:,}")
    return [first + (last - first) * place / (steps - 1) for place in range(steps)]
