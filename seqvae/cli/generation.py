"""`seqvae sample`, `reconstruct`, `interpolate` and `similar`: new items from a trained model."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Literal

import click
from click.core import ParameterSource

from seqvae.cli.items import one_item, open_model, read_items, show_assumed, windows_of
from seqvae.cli.options import (
    check_draws,
    decoding_options,
    device_option,
    file_option,
    folder_option,
    given_decoding,
    inputs_argument,
    prior_option,
    run_argument,
    seed_option,
    sliders_option,
    split_option,
    spoken_as,
    where_option,
)
from seqvae.cli.places import check_folder_place
from seqvae.cli.results import Made, show
from seqvae.cli.run_command import RunCommand, given_uses
from seqvae.config import counted, uses_of

if TYPE_CHECKING:
    from seqvae.codes import Windows
    from seqvae.family import Relative
    from seqvae.modalities.base import Named
    from seqvae.model import Model

NEARLY_EVEN = 0.15  # of the mean, from which a step may be without its reason being given
mode_option = click.option(
    "--mode", type=click.Choice(["slerp", "lerp"]), show_default="slerp; plain autoencoders: lerp",
    help="Along a great arc, or straight.",
)  # fmt: skip


@click.command(
    cls=RunCommand,
    uses=("making", "writing"),
    example="seqvae sample runs/demo -n 4 --temperature 0.7",
)
@run_argument
@click.option("-n", "--number", type=click.IntRange(1), default=8, show_default=True, help="How many.")
@where_option
@sliders_option
@prior_option
@decoding_options("temperature", "top_k", "top_p", temperature=None)
@seed_option
@folder_option
@device_option
def sample(
    run: Path, number: int, where: dict[str, str] | None, sliders: list[float] | None,
    prior: Literal["standard", "fitted"] | None, seed: int, folder: Path | None, device: str,
) -> None:  # fmt: skip
    """Make new items with a trained model.

    The codes are drawn from the prior; item i of a seed is the same whatever -n is. With --where each is moved to the
    nearest code that has what is asked for, and of what is measured a line says how many samples have it; with
    --sliders all are at one place of a personal model.
    """
    check_draws()
    check_folder_place(folder)
    from seqvae import choosing

    model = open_model(run, device, prior=prior)
    _check_prior(model, run)
    if sliders is not None:
        model = choosing.at_sliders(model, sliders)
    if where is not None:
        model = choosing.where(model, where)
    own = model.modality.sampling_temperature
    decoding = given_decoding(own)
    asked = click.get_current_context().get_parameter_source("temperature") is ParameterSource.COMMANDLINE
    if own != type(model.modality).sampling_temperature and not asked:
        click.echo(f"drawn at temperature {own:g}, which suits this model; --temperature gives another", err=True)
    show_assumed(model)
    made = model.sample(number, decoding, seed)
    show(model, Made(made), folder)
    for name, share in choosing.shares_met(model, [window for (window,) in made]).items():
        click.echo(f"{name}={(where or {})[name]}: {share * number:.0f} of {number} measure so", err=True)
    for name, share in choosing.shares_told(model).items():
        told = f"nobody measures it of samples; its critic is right of {share:.1%} of held-out codes"
        click.echo(f"{name}={(where or {})[name]}: {told}", err=True)


def _check_prior(model: "Model", run: Path) -> None:
    """Raises ValueError for a plain autoencoder without a fitted prior: nobody knows how its codes are distributed."""
    if model.vae.has_points and model.prior.kind == "standard":
        raise ValueError(
            f"{run} is a plain autoencoder (model.posterior=point), so there is no prior to draw codes from; fit one "
            f"with seqvae fit-prior {quote(str(run))}, or train without model.posterior=point"
        )


@click.command(
    cls=RunCommand,
    uses=("reading", "choosing", "writing"),
    example="seqvae reconstruct runs/demo-drums data/demo-drums/clips/rock.mid",
)
@run_argument
@inputs_argument
@file_option
@split_option
@click.option("--feel", metavar="INPUT", help="Grooves: keep the hits of each INPUT and play them as this one is.")
@click.option(
    "--anew", is_flag=True, callback=spoken_as("anew"),
    help="Grooves that humanize, or have a class added: keep nothing of an INPUT.",
)  # fmt: skip
@decoding_options("temperature", "top_k", "top_p", "beam")
@seed_option
@folder_option
@device_option
def reconstruct(
    run: Path,
    inputs: tuple[str, ...],
    file: Path | None,
    split: Literal["train", "valid", "test"] | None,
    feel: str | None,
    anew: bool,
    seed: int,
    folder: Path | None,
    device: str,
) -> None:
    """Encode items and decode them again.

    Each INPUT is decoded from its posterior mean; there is one result for each, in order. Models of grooves that
    humanize keep the hits of an INPUT, and so do others with --feel, which takes velocities and times of another
    groove; those that add a class (infill) keep all other classes as they are played.
    """
    check_folder_place(folder)
    decoding = given_decoding()
    model = open_model(run, device, split)
    if feel is not None:
        model.modality.check_feel()
    named, windows = read_items(model, inputs, file, split)
    notes: list[str] = []
    of = None
    if feel is not None:
        other = one_item(model, feel)
        (of,) = windows_of(model, [other])
        notes = [f"with the feel of {other.name}"] * len(named)
    made = model.reconstruct(windows, decoding, seed, feel=of, anew=anew)
    show(model, Made(made, "set", named, windows, notes), folder)


@click.command(
    cls=RunCommand,
    uses=("reading", "writing"),
    example='seqvae interpolate runs/demo "the cook sings ." "do the pirates eat ?"',
)
@run_argument
@click.argument("a", required=False)
@click.argument("b", required=False)
@click.argument("others", nargs=-1, metavar="[C...]")
@click.option(
    "--steps", type=click.IntRange(2), show_default="8, or as many as there are items",
    help="Points, all items counted.",
)  # fmt: skip
@click.option("--closed", is_flag=True, help="Go on from the last item to A, so that the walk can be played round.")
@click.option("--corners", nargs=4, metavar="A B C D", help="In place of A and B: a square between four items.")
@click.option("--grid", type=click.IntRange(2), default=5, show_default=True, help="Rows and columns of the square.")
@click.option("--even", is_flag=True, help="Spread the points by what changes in the results, not by codes.")
@mode_option
@decoding_options("temperature", "beam")
@seed_option
@folder_option
@device_option
def interpolate(
    run: Path,
    a: str | None,
    b: str | None,
    others: tuple[str, ...],
    steps: int | None,
    closed: bool,
    corners: tuple[str, ...] | None,
    grid: int,
    even: bool,
    mode: Literal["slerp", "lerp"] | None,
    seed: int,
    folder: Path | None,
    device: str,
) -> None:
    """Walk from item A to item B in latent space.

    The first and the last result are the reconstructions of A and of B. Further items make a smooth path, which comes
    by the reconstruction of each; with --closed it ends where the next result would be A again, and WAVs are of exactly
    their bars. MIDI of a single result has the instruments of the nearer item, that of all in a row those of the first.
    --corners makes a square of results, row by row: A is top left, B top right, C bottom left, D bottom right. Each of
    them is an INPUT that is a single item.
    """
    words = _waypoints(a, b, others, corners)
    check_folder_place(folder)
    decoding = given_decoding()
    model = open_model(run, device)
    # A great arc keeps the length that codes of a normal prior have; codes that are points have no such length.
    mode = mode or ("lerp" if model.vae.has_points else "slerp")
    named = [one_item(model, word) for word in words]
    windows = windows_of(model, named)
    show_repeated(named, windows)
    if corners:
        show(model, Made(model.palette(windows, grid, mode, decoding, seed), "grid", named), folder)
        return
    check_apart(named, windows, closed)
    count = max(8, len(words)) if steps is None else steps
    if closed:
        windows, count = [*windows, windows[0]], count + 1
        if "loop" in uses_of(model.modality.data_config) and "loop" not in given_uses():
            model = model.using({"loop": True})
    made = model.interpolate(windows, None, count, mode, decoding, seed, even)
    show(model, Made(made[:-1] if closed else made, "path", named), folder)
    if even:
        click.echo(_said_of_steps(model, [model.change(*pair) for pair in itertools.pairwise(made)]), err=True)


def _said_of_steps(model: "Model", changes: "Sequence[float]") -> str:
    """How much steps change, how far they are from their mean, and why they are not nearer."""
    from seqvae.evenness import deviation

    apart = deviation(changes)
    text = f"steps change {100 * min(changes):.1f} to {100 * max(changes):.1f} % {_of_all(model)}"
    text += f", at most {100 * apart:.0f} % from their mean"
    if apart > NEARLY_EVEN:
        text += ", which is about what the leaps of results and the items on it allow; other --steps may fit better"
    return f"{text} (measured: {model.modality.words.change})"


def check_apart(named: "Sequence[Named]", windows: "Sequence[Windows]", closed: bool = False) -> None:
    """Raises UsageError for items that follow one another and are equal: a walk between them would stand still."""
    pairs = itertools.pairwise([*zip(named, windows, strict=True), *([(named[0], windows[0])] if closed else [])])
    for (one, a), (other, b) in pairs:
        if list(a.items) == list(b.items):
            raise click.UsageError(
                f"'{one.name}' and '{other.name}', which follow one another, are the same, and nothing lies between "
                "them; give items that differ"
            )


def _shares(shares: "Sequence[float]") -> str:
    return ", ".join(f"{share:.2f}" for share in shares)


def _of_all(model: "Model") -> str:
    return f"of the {model.modality.words.elements}"


def show_repeated(named: "Sequence[Named]", windows: "Sequence[Windows]") -> None:
    """Which of the items are repeated, since another one has more windows, on stderr."""
    longest = max(map(len, windows))
    for item, own in zip(named, windows, strict=True):
        if len(own) < longest:
            click.echo(f"{item.name}: {counted(len(own), 'windows')}, repeated up to {longest:,}", err=True)


def _waypoints(
    a: str | None, b: str | None, others: tuple[str, ...], corners: tuple[str, ...] | None
) -> tuple[str, ...]:
    """The items to walk between. Raises UsageError where they, or the options that go with them, do not fit."""
    ctx = click.get_current_context()

    def given(name: str) -> bool:
        return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE

    if not corners:
        if given("grid"):
            raise click.UsageError("--grid is the size of the square between --corners A B C D; for A, B give --steps")
        if a is None or b is None:
            raise click.UsageError(f"Missing argument '{'A' if a is None else 'B'}'.", ctx)
        items, steps = (a, b, *others), ctx.params["steps"]
        if given("closed") and len(items) < 3:
            raise click.UsageError(
                "--closed needs three items or more, since from A to B and on to A the way back is the way there; for "
                "that, give A B A"
            )
        if steps is not None and steps < len(items):
            raise click.UsageError(f"--steps {steps} is less than the {len(items)} items of the walk; give as many")
        return items
    if any(corner.startswith("--") for corner in corners):
        raise click.UsageError("--corners takes four items, A B C D, and an option stands among them; give four")
    if a is not None:
        raise click.UsageError(f"--corners takes four items, and '{a}' is one more; leave it out")
    for name in ("even", "closed"):
        if given(name):
            raise click.UsageError(f"--{name} is for a walk from A to B and does not go with --corners; leave it out")
    if given("steps"):
        raise click.UsageError("--steps does not go with --corners; give --grid")
    if given_decoding().beam != 1:
        raise click.UsageError("--beam does not go with --corners; give none")
    return corners


@click.command(
    cls=RunCommand,
    uses=("reading", "writing"),
    example="seqvae similar runs/demo-drums data/demo-drums/clips/funk.mid",
)
@run_argument
@click.argument("a", metavar="INPUT")
@click.option("-n", "--number", type=click.IntRange(1), default=4, show_default=True, help="How many.")
@click.option(
    "--distance", type=click.FloatRange(0, 1), default=0.4, show_default=True,
    help="0: the reconstruction, 1: a sample that has nothing to do with INPUT.",
)  # fmt: skip
@click.option(
    "--generations", type=click.IntRange(1), default=1, show_default=True,
    help="2: variations of the variations as well, named A.1.2 and so on as in a family tree; 3: and of these.",
)  # fmt: skip
@prior_option
@decoding_options("temperature")
@seed_option
@folder_option
@device_option
def similar(
    run: Path, a: str, number: int, distance: float, generations: int, prior: Literal["standard", "fitted"] | None,
    seed: int, folder: Path | None, device: str,
) -> None:  # fmt: skip
    """Make variations of an item.

    Its code is moved towards codes drawn from the prior; variation i of a seed is the same whatever -n is. One that
    equals another, or changes nothing, is drawn again, at last from larger distances. With --generations each variation
    has -n variations of its own: A is INPUT, A.1 its first variation, A.1.2 the second one of that.
    """
    check_folder_place(folder)
    from seqvae.variation import key_of

    decoding = given_decoding()
    model = open_model(run, device, prior=prior)
    _check_prior(model, run)
    named = [one_item(model, a)]
    (windows,) = windows_of(model, named)
    if generations > 1:
        _show_family(model, model.family(windows, number, generations, distance, decoding, seed), named, folder)
        return
    made = model.vary(windows, number, distance, decoding, seed)
    changes = [model.change(windows, one) for one in made]
    notes = [f"{_shares([change])} {_of_all(model)} changed" for change in changes]
    show(model, Made(made, "set", named, notes=notes), folder)
    is_text = model.modality.printed(made) is not None
    different = len({key_of(model.modality, one) for one in made})
    click.echo(
        _said_of_variations(different, number, f"; changed: {_shares(changes)} {_of_all(model)}" if is_text else ""),
        err=True,
    )


def _show_family(
    model: "Model", relatives: "Sequence[Relative]", named: "Sequence[Named]", folder: Path | None
) -> None:
    """All of a family, under their names."""
    from seqvae.variation import key_of

    made, names = [one.item for one in relatives], [one.name for one in relatives]
    changes = [one.change for one in relatives[1:]]
    notes = ["INPUT", *(f"{_shares([change])} {_of_all(model)} of its parent changed" for change in changes)]
    is_text = model.modality.printed(made) is not None
    show(model, Made(made, "set", named, notes=() if is_text else notes, names=names), folder)
    different = len({key_of(model.modality, one) for one in made[1:]})
    spread = f"; each changes {100 * min(changes):.0f} to {100 * max(changes):.0f} % {_of_all(model)} of its parent"
    click.echo(_said_of_variations(different, len(made) - 1, spread if is_text else ""), err=True)


def _said_of_variations(different: int, number: int, changes: str) -> str:
    """How many variations differ from each other, and what to do for more."""
    of = counted(number, "variations")
    if different == number:
        return f"{of}{', all different' if number > 1 else ''}{changes}"
    return f"{of}, {different} different{changes}; for more give --temperature 1, or a larger --distance"
