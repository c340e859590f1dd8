"""`seqvae evaluate`: one table and one JSON of figures with their units."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from seqvae.cli.items import read_as, tell_counts
from seqvae.cli.options import PATH, device_option, encoding_option, run_argument, seed_option
from seqvae.cli.places import check_file_place


@click.command()
@run_argument
@click.argument("data", nargs=-1, type=PATH, required=True)
@click.option(
    "--importance-samples", type=click.IntRange(1), default=100, show_default=True, help="Draws of z for each item."
)
@click.option("--json", "json_file", type=PATH, metavar="FILE", help="Also write the figures to this file.")
@encoding_option
@seed_option
@device_option
def evaluate(
    run: Path,
    data: tuple[Path, ...],
    importance_samples: int,
    json_file: Path | None,
    encoding: str | None,
    seed: int,
    device: str,
) -> None:
    """Score a model on files: one table, one JSON.

    Likelihood, latent code, reconstructions of DATA, and samples from the prior. What reading DATA drops or cuts is
    told on stderr.
    """
    if json_file is not None:
        check_file_place(json_file)
    from seqvae.cli.progress import Steps
    from seqvae.data import prepare
    from seqvae.evaluate import Settings
    from seqvae.model import load

    model = load(run, device)
    read_as(model, encoding)
    names = ", ".join(map(str, data))
    tell_counts(names, prepare(model.modality, data).report)  # encoded once: the model finds it in the cache
    with Steps() as steps:
        figures = model.evaluate(data, Settings(importance_samples=importance_samples, seed=seed), steps)
    _show(figures, f"{run} on {names}")
    if json_file is not None:
        from seqvae.files import write_atomically

        write_atomically(json_file, (json.dumps(figures, indent=1) + "\n").encode())
        click.echo(f"written to {json_file}", err=True)


def _show(figures: Mapping[str, Any], title: str) -> None:
    from rich.table import Table

    from seqvae.cli.progress import plain_console
    from seqvae.evaluate import UNITS

    table = Table("figure", "value", "unit", caption="Tokens: the end of sequence counts, padding never.")
    table.columns[1].justify = "right"
    for name, value in figures.items():
        table.add_row(name, _written(value), UNITS.get(name, ""))
    console = plain_console()
    console.print(title)
    console.print(table)


def _written(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.4f}" if isinstance(value, float) else f"{value:,}"
