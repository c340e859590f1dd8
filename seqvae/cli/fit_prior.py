"""`seqvae fit-prior`: a prior that fits the codes of the training data."""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Literal

import click

from seqvae.cli.items import model_for_data
from seqvae.cli.options import PATH, device_option, run_argument, seed_option, split_option
from seqvae.cli.run_command import RunCommand
from seqvae.config import counted

if TYPE_CHECKING:
    from seqvae.model import Model


@click.command(cls=RunCommand, uses=("reading", "choosing"), example="seqvae fit-prior runs/demo-drums")
@run_argument
@click.argument("data", nargs=-1, type=PATH)
@click.option(
    "--kind", type=click.Choice(["auto", "gaussian", "mixture", "flow", "standard"]), default="auto", show_default=True,
    help="What is fitted; auto: what is best for held-out codes; standard: that of the training again.",
)  # fmt: skip
@click.option("--on-request", is_flag=True, help="Keep it for --prior fitted, and go on drawing samples as before.")
@split_option
@seed_option
@device_option
def fit_prior(
    run: Path, data: tuple[Path, ...], kind: str, on_request: bool, split: Literal["train", "valid", "test"] | None,
    seed: int, device: str,
) -> None:  # fmt: skip
    """Fit a prior to the codes of the training data.

    Codes of data do not fill N(0, I) evenly, so that samples from it can be unlike the data. A Gaussian, mixtures of
    Gaussians and a normalising flow are fitted to codes of the training data, and the one under which codes of held-out
    data are the most probable is kept in the run: `seqvae sample` and `similar` then draw from it. The weights of the
    model stay as they are. DATA, files or folders as for training, are needed only where those of the training are
    there no longer. --kind standard takes the fitted prior away.
    """
    from seqvae.cli.progress import ProgressBar
    from seqvae.fitting import fit_prior as fit

    model = model_for_data(run, device, split, data)
    about = [ahead(model)] if kind in ("auto", "flow") else []
    with ProgressBar() as bar:

        def watch(done: int, total: int, what: str) -> None:
            while about:  # once the data are found
                bar.say(about.pop())
            bar(done, total, what)

        found = fit(model, data, kind, seed, on_request=on_request, watch=watch)
    for name, nats in found.nats.items():
        more = f", {nats - found.nats['standard']:+.2f} to standard" if name != "standard" else ""
        click.echo(f"{name}: log-likelihood of a held-out code {nats:,.2f} nats{more}", err=True)
    if found.name == "standard":
        own = "N(0, I)" if found.prior.kind == "standard" else "the prior that it learned"
        click.echo(f"{run}: samples come from {own}" + (", which no other is better than" if found.nats else ""))
        return
    numbers = counted(found.prior.latent, "units")
    click.echo(f"{run}: {found.name} over {numbers}, kept beside its weights")
    click.echo(f"next: seqvae sample {quote(str(run))}{' --prior fitted' if on_request else ''}")


def ahead(model: "Model") -> str:
    """What is to be known before a flow is fitted."""
    from seqvae.priors import MOST_ROUNDS

    learned = "" if model.vae.own_prior.kind == "standard" else "samples come from a prior that was learned already; "
    return f"{learned}a flow is fitted in at most {MOST_ROUNDS} rounds, which takes minutes; --kind mixture is faster"
