"""`seqvae cache`: where encoded corpora are kept, and how to delete them."""

import click


@click.group(epilog="Example: seqvae cache path")
def cache() -> None:
    """Find or clear the cache of encoded data.

    SEQVAE_CACHE moves it to another folder.
    """


@cache.command(epilog="Example: seqvae cache path")
def path() -> None:
    """Print the folder of the cache."""
    from seqvae.corpus import cache_folder

    click.echo(cache_folder())


@cache.command(epilog="Example: seqvae cache clear")
def clear() -> None:
    """Delete the cache. Corpora are encoded again when they are needed; runs are not touched."""
    from seqvae.corpus import cache_folder, clear_cache

    size = clear_cache()
    click.echo(f"{size / 1e6:,.1f} MB deleted from {cache_folder()}")
