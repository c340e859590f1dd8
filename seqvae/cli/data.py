"""`seqvae data`: corpora to train on, downloaded or copied with a check of what they hold."""

from pathlib import Path
from shlex import quote

import click


@click.group(epilog="Example: seqvae data mnist --to data/mnist")
def data() -> None:
    """Get corpora to train on."""


@data.command(epilog="Example: seqvae data mnist --to data/mnist")
@click.option(
    "--to", type=click.Path(path_type=Path), default=Path("data/mnist"), show_default=True, help="Folder to write to."
)
@click.option("--from", "from_folder", type=click.Path(path_type=Path), help="Folder that holds the files already.")
def mnist(to: Path, from_folder: Path | None) -> None:
    """Get MNIST, 70,000 handwritten digits: four files, 12 MB.

    They are downloaded from one of two mirrors, or copied from a folder (--from). Each is checked by its sha256.
    """
    from seqvae.cli.progress import ProgressBar
    from seqvae.downloads import mnist as fetch_mnist

    if from_folder is not None and not from_folder.is_dir():
        raise ValueError(f"there is no folder {from_folder}; give --from the folder of the downloaded files")
    with ProgressBar() as steps:
        paths = fetch_mnist(to, from_folder, steps)
    for path in paths:
        click.echo(f"{path}: {path.stat().st_size:,} bytes, as published")
    click.echo(f"next: seqvae train images {quote(str(to))} --recipe mnist-plane --out runs/plane")
