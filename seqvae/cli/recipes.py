"""`seqvae recipes`: the recipes that come along."""

import click

from seqvae.recipes import find_recipe, known_recipes


@click.command(epilog="Example: seqvae recipes mnist-plane")
@click.argument("name", required=False)
def recipes(name: str | None) -> None:
    """List the recipes, or show one.

    The one called NAME is shown with its command, time and expected figure. A recipe is used by `seqvae train
    MODALITY DATA... --recipe NAME`; a changed copy by --recipe FILE.
    """
    if name is not None:
        click.echo(find_recipe(name).read_text(encoding="utf-8"), nl=False)
        return
    known = known_recipes()
    width = max(map(len, known), default=0)
    for recipe, path in known.items():
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        click.echo(f"{recipe:{width}}  {first.removeprefix('#').strip()}")
