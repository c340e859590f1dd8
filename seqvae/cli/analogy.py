"""`seqvae analogy`: what is to an item as another is to one that it is set against."""

from pathlib import Path

import click

from seqvae.cli.generation import check_apart, show_repeated
from seqvae.cli.items import one_item, open_model, windows_of
from seqvae.cli.options import decoding_options, device_option, folder_option, given_decoding, run_argument, seed_option
from seqvae.cli.places import check_folder_place
from seqvae.cli.results import Made, show
from seqvae.cli.run_command import RunCommand


@click.command(
    cls=RunCommand,
    uses=("reading", "writing"),
    example='seqvae analogy runs/demo "the cook sings ." "did the cook sing ?" "the pirates eat ."',
)
@run_argument
@click.argument("a")
@click.argument("b")
@click.argument("c")
@click.option(
    "--strength", type=float, default=1.0, show_default=True,
    help="How far to go from C: 0 is its reconstruction, below 0 the other way.",
)  # fmt: skip
@decoding_options("temperature", "beam")
@seed_option
@folder_option
@device_option
def analogy(
    run: Path, a: str, b: str, c: str, strength: float, seed: int, folder: Path | None, device: str
) -> None:  # fmt: skip
    """Make what is to C as B is to A.

    It is decoded from c + strength * (b - a), their codes, window by window; of items of several windows the shorter
    ones are repeated. Tempo, instruments and what else a code lacks are those of C. Each of them is an INPUT that is a
    single item.
    """
    check_folder_place(folder)
    decoding = given_decoding()
    model = open_model(run, device)
    named = [one_item(model, word) for word in (a, b, c)]
    windows = windows_of(model, named)
    check_apart(named[:2], windows[:2])
    show_repeated(named, windows)
    made = model.analogy(windows[0], windows[1], windows[2], strength, decoding, seed)
    note = f"{model.change(windows[2], made):.2f} of the {model.modality.words.elements} of C changed"
    show(model, Made([made], "set", named, notes=[note]), folder)
    if model.modality.printed([made]) is not None:
        click.echo(note, err=True)
