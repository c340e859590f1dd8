"""`seqvae compare`: evaluated runs as one table, and as pictures."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seqvae.cli.options import PATH
from seqvae.cli.places import check_folder_place

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from seqvae.comparison import Evaluated, Row

FORMS = ("text", "markdown", "latex", "csv", "json")


@click.command(epilog="Example: seqvae compare runs/a runs/b --format markdown --out compared")
@click.argument("runs", nargs=-1, type=PATH, required=True, metavar="RUN...")
@click.option(
    "--format", "form", type=click.Choice(FORMS), default="text", show_default=True,
    help="Of what is printed; csv and json have all figures.",
)  # fmt: skip
@click.option("--figures", metavar="NAME,...", help="Show these figures.  [default: the usual ones]")
@click.option(
    "--out", "folder", type=PATH, metavar="FOLDER", help="Also write the table in all formats, and the pictures."
)
def compare(runs: tuple[Path, ...], form: str, figures: str | None, folder: Path | None) -> None:
    """Put evaluated runs side by side.

    Nothing is scored here: RUN is a run folder that holds evaluation.json, as `seqvae evaluate RUN DATA --json
    RUN/evaluation.json` writes it, or such a JSON file. Runs that differ in train.seed alone are one row: mean ±
    standard deviation. The pictures are the plane of rate and distortion with lines of equal ELBO, the KL of each unit,
    and the validation over the epochs.
    """
    check_folder_place(folder)
    from seqvae import comparison

    evaluated = [comparison.read(path) for path in runs]
    table = comparison.rows(evaluated)
    columns = comparison.columns_of(table)
    if figures is not None:
        columns = [name.strip() for name in figures.split(",")]
        comparison.check_columns(columns, table)
    click.echo(comparison.FORMS[form](table, columns), nl=False)
    for sentence in comparison.differences(evaluated):
        click.echo(f"these figures are not comparable as they stand: {sentence}", err=True)
    if folder is None:
        return
    from seqvae.files import store
    from seqvae.view.sheet import png

    for name, write in comparison.FORMS.items():
        content = write(table, columns).encode()
        click.echo(f"written to {store(folder, f'table{comparison.ENDINGS[name]}', content)}", err=True)
    for name, figure in _pictures(table).items():
        click.echo(f"written to {store(folder, f'{name}.png', png(figure))}", err=True)


def _pictures(table: "list[Row]") -> "dict[str, Figure]":
    """Those pictures that there is something to draw for."""
    from seqvae.view import comparisons

    made: dict[str, Figure] = {}
    points = {row.name: [_point(member) for member in row.members if _has_point(member)] for row in table}
    if any(points.values()):
        made["rate_distortion"] = comparisons.rate_distortion(points, "Rate and distortion")
    units = {member.name: member.values.get("kl_per_unit_nats") or [] for row in table for member in row.members}
    if any(units.values()):
        made["kl_per_unit"] = comparisons.kl_per_unit(units, "KL of each latent unit")
    courses = {member.name: _course(member) for row in table for member in row.members}
    if any(epochs for epochs, _ in courses.values()):
        made["training"] = comparisons.training(courses, "Validation over the training")
    return made


def _has_point(one: "Evaluated") -> bool:
    return {"kl_nats", "reconstruction_nats"} <= one.figures.keys()


def _point(one: "Evaluated") -> tuple[float, float]:
    return one.figures["kl_nats"], one.figures["reconstruction_nats"]


def _course(one: "Evaluated") -> tuple[list[float], list[float]]:
    """Epochs and negative ELBO of the validations of a run; none where its folder is gone."""
    from seqvae.pictures import records_of

    records = [] if one.run is None else records_of(one.run)
    kept = [r for r in records if r["event"] == "validation" and r.get("elbo_nats") is not None]
    return [record["epoch"] for record in kept], [-record["elbo_nats"] for record in kept]
