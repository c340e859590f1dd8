"""`seqvae models`: the trained models that come along."""

from pathlib import Path
from shlex import quote

import click

from seqvae.cli.options import PATH
from seqvae.models import card_of, copy_model, known_models, title_of


@click.command(epilog="Example: seqvae models digits")
@click.argument("name", required=False)
@click.option("--out", type=PATH, metavar="FOLDER", help="Copy the model called NAME there, as a run of your own.")
def models(name: str | None, out: Path | None) -> None:
    """List the trained models that come along, or show one.

    Where a command takes a RUN, the name of one of these does, too: seqvae sample digits. The one called NAME is shown
    with its card: data and licence, figures, and the commands that train it again. Nothing is written beside its
    weights: to fit a prior or attributes of your own, copy it first, by --out.
    """
    if name is None:
        if out is not None:
            raise click.UsageError("--out copies one model; name it, such as: seqvae models digits --out runs/mine")
        known = known_models()
        width = max(map(len, known), default=0)
        for model in known:
            click.echo(f"{model:{width}}  {title_of(model)}")
        return
    if out is None:
        click.echo(card_of(name), nl=False)
        return
    copy_model(name, out)
    click.echo(f"{out}: a copy of {name}")
    click.echo(f"next: seqvae sample {quote(str(out))}")
