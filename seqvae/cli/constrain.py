"""`seqvae constrain`: critics of codes, for samples that have what is asked for."""

from pathlib import Path
from shlex import join
from typing import Literal

import click

from seqvae.cli.items import model_for_data
from seqvae.cli.options import PATH, device_option, run_argument, seed_option, split_option
from seqvae.cli.run_command import RunCommand
from seqvae.config import few


@click.command(
    cls=RunCommand, uses=("reading", "choosing"), example="seqvae constrain runs/demo-drums --by density"
)  # fmt: skip
@run_argument
@click.argument("data", nargs=-1, type=PATH)
@click.option(
    "--by", multiple=True, metavar="ATTRIBUTE", default=["label"], show_default="label",
    help="What samples can be asked for: label, or what is measured, such as density; may be repeated.",
)  # fmt: skip
@split_option
@seed_option
@device_option
def constrain(
    run: Path, data: tuple[Path, ...], by: tuple[str, ...], split: Literal["train", "valid", "test"] | None,
    seed: int, device: str,
) -> None:  # fmt: skip
    """Let samples be asked for labels or measures.

    Small critics are trained on codes: one tells codes of the data from draws of N(0, I), another one reads the
    attribute of a code. `seqvae sample RUN --where label=3` then moves draws of the prior to the nearest codes that
    both accept. What is measured (`seqvae attribute list RUN` names what there is) is low, middle or high, by thirds of
    the training data: `--where density=high`; or no or yes: `--where word=not=yes`. Critics are kept in the run, whose
    weights stay as they are, in place of those that are there. Where a prior was fitted, too (seqvae fit-prior), draws
    begin nearer to the data, and samples are better. DATA, files or folders as for training, are needed only where
    those of the training are there no longer.
    """
    from seqvae.cli.progress import ProgressBar
    from seqvae.fitting import fit_constraints

    model = model_for_data(run, device, split, data)
    with ProgressBar() as bar:
        found = fit_constraints(model, data, by, seed, watch=bar)
    click.echo(f"of held-out codes and draws of N(0, I) {found.real:.1%} are told from each other", err=True)
    for name, share in found.right.items():
        click.echo(f"{name}: right of {share:.1%} of held-out codes; one of {few(found.in_words(name))}", err=True)
    click.echo(f"{run}: critics of {few(found.names)}, kept beside its weights")
    ((name, value),) = found.example.items()
    click.echo(f"next: {join(['seqvae', 'sample', str(run), '--where', f'{name}={value}'])}")
