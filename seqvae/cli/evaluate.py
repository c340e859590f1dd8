"""`seqvae evaluate`: one table and one JSON of figures with their units."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import click

from seqvae.cli.items import choose_split, open_model, tell_counts
from seqvae.cli.options import (
    PATH,
    Output,
    device_option,
    given_input,
    input_options,
    run_argument,
    seed_option,
    split_options,
)
from seqvae.cli.places import check_file_place, spare_files


@click.command()
@run_argument
@click.argument("data", nargs=-1, type=PATH, required=True)
@split_options
@click.option(
    "--importance-samples", type=click.IntRange(1), default=100, show_default=True, help="Draws of z for each item."
)
@click.option(
    "--codes", type=click.Choice(["mean", "drawn"]), default="mean", show_default=True,
    help="Reconstruct from the posterior mean, or from a draw of the posterior.",
)  # fmt: skip
@click.option("--json", "json_file", type=PATH, metavar="FILE", help="Also write the figures to this file.")
@input_options
@seed_option
@device_option
def evaluate(
    run: Path,
    data: tuple[Path, ...],
    importance_samples: int,
    codes: Literal["mean", "drawn"],
    json_file: Path | None,
    seed: int,
    device: str,
) -> None:
    """Score a model on files: one table, one JSON.

    Likelihood, latent code, reconstructions of DATA, and samples from the prior. What reading DATA drops or cuts is
    told on stderr. DATA are files or folders as for training; --split takes a part of them.
    """
    if json_file is not None:
        check_file_place(json_file)
    from seqvae.cli.progress import ProgressBar
    from seqvae.corpus import prepare
    from seqvae.evaluate import Settings

    source = given_input()
    model, face = open_model(run, device, source, Output())
    choose_split(model, source, data)
    if json_file is not None:
        spare_files(
            (file for path in data for file in model.modality.files_of(path)), [json_file], "--json another file"
        )
    names = ", ".join(map(str, data))
    tell_counts(names, prepare(model.modality, data).report)  # encoded once: the model finds it in the cache
    with ProgressBar() as steps:
        settings = Settings(importance_samples=importance_samples, codes=codes, seed=seed)
        figures = model.evaluate(data, settings, steps)
    title = f"{run} on {names}{f' (split {source.split})' if source.split else ''}"
    captions = face.captions(model, figures)
    if model.vae.has_points:
        captions.append("A plain autoencoder (model.posterior=point) has no prior: neither KL nor likelihood.")
    _show(figures, title, face.units, captions)
    if json_file is not None:
        from seqvae.files import write_atomically

        write_atomically(json_file, (json.dumps(figures, indent=1) + "\n").encode())
        click.echo(f"written to {json_file}", err=True)


def _show(figures: Mapping[str, Any], title: str, own_units: Mapping[str, str], captions: Sequence[str]) -> None:
    """The table. Figures that do not apply to the model are left out; the JSON has them as null."""
    from rich.table import Table

    from seqvae.cli.progress import plain_console
    from seqvae.evaluate import UNITS

    table = Table("figure", "value", "unit", caption="\n".join(captions) or None, caption_justify="left")
    table.columns[1].justify = "right"
    units = {**UNITS, **own_units}
    for name, value in figures.items():
        if value is not None:
            table.add_row(
                name, _written(value), "F1 of hits, 0 to 1" if name.startswith("f1_") else units.get(name, "")
            )
    console = plain_console()
    console.print(title)
    console.print(table, soft_wrap=False)


def _written(value: Any) -> str:
    return f"{value:,.4f}" if isinstance(value, float) else f"{value:,}"
