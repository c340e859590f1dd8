"""`seqvae sample`, `reconstruct`, `interpolate` and `similar`: new items from a trained model."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Literal

import click
from click.core import ParameterSource

from seqvae.cli.items import one_item, open_model, read_items
from seqvae.cli.named import Made, Named
from seqvae.cli.options import (
    Input,
    beam_option,
    check_draw,
    device_option,
    file_option,
    given_input,
    given_output,
    input_options,
    inputs_argument,
    metre_option,
    output_options,
    run_argument,
    seed_option,
    split_options,
    temperature_option,
    top_k_option,
    top_p_option,
)
from seqvae.cli.words import counted

if TYPE_CHECKING:
    from seqvae.model import Model

mode_option = click.option(
    "--mode", type=click.Choice(["slerp", "lerp"]), show_default="slerp; plain autoencoders: lerp",
    help="Along a great arc, or straight.",
)  # fmt: skip


@click.command()
@run_argument
@click.option("-n", "--number", type=click.IntRange(1), default=8, show_default=True, help="How many.")
@temperature_option(None)
@top_k_option
@top_p_option
@seed_option
@metre_option
@output_options
@device_option
def sample(run: Path, number: int, temperature: float | None, top_k: int, top_p: float, seed: int, device: str) -> None:
    """Make new items with a trained model.

    The codes are drawn from the prior; item i of a seed is the same whatever -n is.
    """
    check_draw(temperature, top_k, top_p)
    output = given_output()
    model, face = open_model(run, device, Input(), output)
    _check_prior(model, run)
    check_draw(model.modality.sampling_temperature if temperature is None else temperature, top_k, top_p)
    face.show(model, Made(model.sample(number, temperature, top_k, top_p, seed=seed)), output)


def _check_prior(model: "Model", run: Path) -> None:
    """Raises ValueError for a plain autoencoder: nobody knows how its codes are distributed."""
    if model.vae.has_points:
        raise ValueError(
            f"{run} is a plain autoencoder (model.posterior=point), so there is no prior to draw codes from; see its "
            f"codes with seqvae plot {quote(str(run))}, or train without model.posterior=point"
        )


@click.command()
@run_argument
@inputs_argument
@file_option
@split_options
@input_options
@temperature_option(0.0)
@top_k_option
@top_p_option
@beam_option
@seed_option
@output_options
@device_option
def reconstruct(
    run: Path,
    inputs: tuple[str, ...],
    file: Path | None,
    temperature: float,
    top_k: int,
    top_p: float,
    beam: int,
    seed: int,
    device: str,
) -> None:
    """Encode items and decode them again.

    Each INPUT is decoded from its posterior mean; there is one result for each, in order. INPUT is a sentence for
    text models, - reads sentences from the standard input. For drums it is a MIDI file of any length, or FILE#INDEX, a
    window of one, counted from 0. For images it is an image file, FILE#INDEX of an IDX or .npz file, or all of it.
    """
    check_draw(temperature, top_k, top_p)
    source, output = given_input(), given_output()
    model, face = open_model(run, device, source, output)
    items = read_items(model, face, inputs, file, source)
    made = model.reconstruct([named.item for named in items], temperature, top_k, top_p, beam, seed)
    face.show(model, Made(made, "set", items, paired=True), output)


@click.command()
@run_argument
@click.argument("a", required=False)
@click.argument("b", required=False)
@click.option("--steps", type=click.IntRange(2), default=8, show_default=True, help="Points, both ends counted.")
@click.option("--corners", nargs=4, metavar="A B C D", help="In place of A and B: a square between four items.")
@click.option("--grid", type=click.IntRange(2), default=5, show_default=True, help="Rows and columns of the square.")
@mode_option
@input_options
@temperature_option(0.0)
@beam_option
@seed_option
@output_options
@device_option
def interpolate(
    run: Path,
    a: str | None,
    b: str | None,
    steps: int,
    corners: tuple[str, ...] | None,
    grid: int,
    mode: Literal["slerp", "lerp"] | None,
    temperature: float,
    beam: int,
    seed: int,
    device: str,
) -> None:
    """Walk from item A to item B in latent space.

    The first and the last result are the reconstructions of A and of B. --corners makes a square of results, row by
    row: A is top left, B top right, C bottom left, D bottom right. A and B are sentences for text models, for drums
    MIDI files of any length or FILE#INDEX, for images image files or FILE#INDEX of an IDX or .npz file.
    """
    ends = _ends(a, b, corners, beam)
    source, output = given_input(), given_output()
    model, face = open_model(run, device, source, output)
    # A great arc keeps the length that codes of a normal prior have; codes that are points have no such length.
    mode = mode or ("lerp" if model.vae.has_points else "slerp")
    named = [one_item(model, face, value, source) for value in ends]
    items = [one.item for one in named]
    _tell_repeated(model, named)
    if corners:
        face.show(model, Made(model.palette(items, grid, mode, temperature, seed), "grid", named), output)
    else:
        made = model.interpolate(items[0], items[1], steps, mode, temperature, beam, seed)
        face.show(model, Made(made, "path", named), output)


def _tell_repeated(model: "Model", named: Sequence[Named]) -> None:
    """Which of the items are repeated, since another one has more windows, on stderr."""
    windows = [len(model.modality.accept(one.item)) for one in named]
    for one, count in zip(named, windows, strict=True):
        if count < max(windows):
            click.echo(f"{one.name}: {counted(count, 'windows')}, repeated up to {max(windows):,}", err=True)


def _ends(a: str | None, b: str | None, corners: tuple[str, ...] | None, beam: int) -> tuple[str, ...]:
    """The items to walk between. Raises UsageError where they, or the options that go with them, do not fit."""
    ctx = click.get_current_context()

    def given(name: str) -> bool:
        return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE

    if not corners:
        if given("grid"):
            raise click.UsageError("--grid is the size of the square between --corners A B C D; for A, B give --steps")
        if a is None or b is None:
            raise click.UsageError(f"Missing argument '{'A' if a is None else 'B'}'.", ctx)
        return a, b
    if any(corner.startswith("--") for corner in corners):
        raise click.UsageError("--corners takes four items, A B C D, and an option stands among them; give four")
    if a is not None:
        raise click.UsageError(f"--corners takes four items, and '{a}' is one more; leave it out")
    for name, use in (("steps", "--grid"), ("beam", "none")):
        if given(name) and (name != "beam" or beam != 1):
            raise click.UsageError(f"--{name} does not go with --corners; give {use}")
    return corners


@click.command()
@run_argument
@click.argument("a", metavar="INPUT")
@click.option("-n", "--number", type=click.IntRange(1), default=4, show_default=True, help="How many.")
@click.option(
    "--distance", type=click.FloatRange(0, 1), default=0.3, show_default=True,
    help="0: the reconstruction, 1: a sample that has nothing to do with INPUT.",
)  # fmt: skip
@input_options
@temperature_option(0.0)
@seed_option
@output_options
@device_option
def similar(run: Path, a: str, number: int, distance: float, temperature: float, seed: int, device: str) -> None:
    """Make variations of an item.

    Its code is moved towards codes drawn from the prior; variation i of a seed is the same whatever -n is. INPUT is a
    sentence for text models, for drums a MIDI file of any length or FILE#INDEX, for images an image file or FILE#INDEX
    of an IDX or .npz file.
    """
    source, output = given_input(), given_output()
    model, face = open_model(run, device, source, output)
    _check_prior(model, run)
    named = one_item(model, face, a, source)
    face.show(model, Made(model.vary(named.item, number, distance, temperature, seed), "set", [named]), output)
