"""`seqvae cache`: where encoded corpora are kept, and how to delete them."""

import click

from seqvae.config import few


@click.group(epilog="Example: seqvae cache path")
def cache() -> None:
    """Find or clear the cache of encoded data.

    SEQVAE_CACHE moves it to another folder.
    """


@cache.command(epilog="Example: seqvae cache path")
def path() -> None:
    """Print the folder of the cache."""
    from seqvae.cache import cache_folder

    click.echo(cache_folder())


@cache.command(epilog="Example: seqvae cache clear")
def clear() -> None:
    """Delete the cache.

    Corpora are encoded again when they are needed. Runs, and whatever seqvae did not write, are not touched.
    """
    from seqvae.cache import cache_folder, clear_cache

    cleared = clear_cache()
    click.echo(f"{cleared.bytes / 1e6:,.1f} MB deleted from {cache_folder()}")
    if cleared.kept:
        click.echo(f"left alone, since seqvae did not write it: {few(map(str, cleared.kept))}")
