"""`seqvae personalise`: a copy of a model that samples what is like a handful of the user's own data."""

from pathlib import Path
from shlex import quote

import click

from seqvae.cli.options import PATH, device_option, given_checkpoint, run_argument
from seqvae.config import counted

SHOWN = 4  # sliders whose share is said


@click.command(epilog="Example: seqvae personalise runs/demo-drums data/demo-drums/clips/*.mid --out runs/mine")
@run_argument
@click.argument("data", nargs=-1, type=PATH, required=True)
@click.option("--out", type=PATH, required=True, metavar="RUN", help="The run folder of the copy; new or empty.")
@device_option
def personalise(run: Path, data: tuple[Path, ...], out: Path, device: str) -> None:
    """Copy a model so that its samples are like your data.

    DATA are files or folders as for training; a handful is enough. Nothing is trained: a Gaussian is fitted to their
    codes, and the copy draws from it. `seqvae sample` of the copy takes --sliders, which move samples along the
    directions in which your data differ most; all other commands take the copy as any run.
    """
    from seqvae.choosing import gaussian_of
    from seqvae.cli.progress import ProgressBar
    from seqvae.core.sliders import principal_axes, share_of_variance
    from seqvae.fitting import personalise as make

    with ProgressBar() as bar:
        model = make(run, data, out, device=device, checkpoint=given_checkpoint(), watch=bar)
    axes = principal_axes(gaussian_of(model))
    shown = min(SHOWN, len(axes))
    held = share_of_variance(axes, shown)
    click.echo(
        f"the first {counted(shown, 'sliders')} of {len(axes)} hold {held:.0%} of how the codes differ", err=True
    )
    click.echo(
        f"{out}: a copy of {run} that samples what is like {', '.join(map(str, data[:3]))}{' ...' * (len(data) > 3)}"
    )
    click.echo(f"next: seqvae sample {quote(str(out))} --sliders 1.5")
