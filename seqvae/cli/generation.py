"""`seqvae sample`, `reconstruct` and `interpolate`: new items from a trained model."""

from pathlib import Path
from typing import Literal

import click

from seqvae.cli.items import one_item, read_items, show_items
from seqvae.cli.options import (
    beam_option,
    check_draw,
    device_option,
    encoding_option,
    file_option,
    inputs_argument,
    out_folder_option,
    run_argument,
    seed_option,
    temperature_option,
    top_k_option,
    top_p_option,
)
from seqvae.cli.places import check_folder_place


@click.command()
@run_argument
@click.option("-n", "--number", type=click.IntRange(1), default=8, show_default=True, help="How many.")
@temperature_option(1.0)
@top_k_option
@top_p_option
@seed_option
@out_folder_option
@device_option
def sample(
    run: Path, number: int, temperature: float, top_k: int, top_p: float, seed: int, out: Path | None, device: str
) -> None:
    """Make new items with a trained model.

    The codes are drawn from the prior; item i of a seed is the same whatever -n is.
    """
    check_draw(temperature, top_k, top_p)
    check_folder_place(out)
    from seqvae.model import load

    model = load(run, device)
    show_items(model, model.sample(number, temperature, top_k, top_p, seed=seed), out)


@click.command()
@run_argument
@inputs_argument
@file_option
@encoding_option
@temperature_option(0.0)
@top_k_option
@top_p_option
@beam_option
@seed_option
@out_folder_option
@device_option
def reconstruct(
    run: Path,
    inputs: tuple[str, ...],
    file: Path | None,
    encoding: str | None,
    temperature: float,
    top_k: int,
    top_p: float,
    beam: int,
    seed: int,
    out: Path | None,
    device: str,
) -> None:
    """Encode items and decode them again.

    Each INPUT is decoded from its posterior mean; there is one result for each, in order. INPUT is a sentence for
    text models, - reads sentences from the standard input.
    """
    check_draw(temperature, top_k, top_p)
    check_folder_place(out)
    from seqvae.model import load

    model = load(run, device)
    items = read_items(model, inputs, file, encoding)
    show_items(model, model.reconstruct(items, temperature, top_k, top_p, beam, seed), out)


@click.command()
@run_argument
@click.argument("a")
@click.argument("b")
@click.option("--steps", type=click.IntRange(2), default=8, show_default=True, help="Points, both ends counted.")
@click.option("--mode", type=click.Choice(["slerp", "lerp"]), default="slerp", show_default=True, help="The path.")
@encoding_option
@temperature_option(0.0)
@beam_option
@seed_option
@out_folder_option
@device_option
def interpolate(
    run: Path,
    a: str,
    b: str,
    steps: int,
    mode: Literal["slerp", "lerp"],
    encoding: str | None,
    temperature: float,
    beam: int,
    seed: int,
    out: Path | None,
    device: str,
) -> None:
    """Walk from item A to item B in latent space.

    The first and the last result are the reconstructions of A and of B.
    """
    check_folder_place(out)
    from seqvae.model import load

    model = load(run, device)
    first, last = one_item(model, a, encoding), one_item(model, b, encoding)
    show_items(model, model.interpolate(first, last, steps, mode, temperature, beam, seed), out)
