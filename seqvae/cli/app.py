"""`seqvae app`: the page on which models are played."""

from importlib.util import find_spec
from pathlib import Path

import click

from seqvae.cli.options import device_option
from seqvae.models import known_models

NEEDED = ("starlette", "uvicorn", "pydantic")
PORT = 8765


@click.command(epilog="Example: seqvae app, or: seqvae app runs/mine grooves")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True,
              help="Where the page is; a free one where that is taken, or for 0.")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True,
              help="Address; others than this computer's own let other computers in, by a token.")  # fmt: skip
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open the page in the browser.")
@device_option
def app(runs: tuple[str, ...], port: int, host: str, browser: bool, device: str) -> None:
    """Open a page on this computer where models are played.

    Sentences, drums, melodies and digits: sampled, edited, mixed, morphed, heard, and saved as MIDI or sound. Without
    a RUN the models that come along are there. Nothing is asked of any other computer.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise click.UsageError(f"the page needs {', '.join(missing)}; install it with pip install 'seqvae[app]'")
    from seqvae.app.played import Played
    from seqvae.app.serving import serve
    from seqvae.model import load

    models: dict[str, Played] = {}
    for run in runs or tuple(known_models()):
        played = Played(_free(Path(run).name or run, models), load(Path(run), device))
        played.face  # noqa: B018  a model that the page has no place for is refused before it opens
        models[played.name] = played
    serve(models, host, port, click.echo, browser)


def _free(name: str, known: object) -> str:
    """A name that no other model has."""
    names = set(known)  # type: ignore[call-overload]
    numbered = (f"{name}-{number}" for number in range(2, len(names) + 3))
    return name if name not in names else next(other for other in numbered if other not in names)
