"""The options of `seqvae plot` for the map of an index, and the map that they ask for."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seqvae.cli.options import PATH, spoken_as

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from seqvae.finding import Index
    from seqvae.model import Model

Function = TypeVar("Function", bound=Callable[..., Any])
_VALUES = "seqvae.map"  # where the options leave what was typed


def _leave(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    spoken_as({"clusters": "k"}.get(str(parameter.name), str(parameter.name)))(ctx, parameter, value)
    if value is not None:
        ctx.meta.setdefault(_VALUES, {})[parameter.name] = value


def map_options(function: Function) -> Function:
    """The options of a map, for `given_map`."""
    for option in (
        click.option(
            "--index", type=PATH, metavar="FILE", expose_value=False, callback=_leave,
            help="Map: that of an index in another place than the run.",
        ),
        click.option(
            "--clusters", type=click.IntRange(1), expose_value=False, callback=_leave, show_default="8",
            help="Map: how many clusters have a colour.",
        ),
        click.option(
            "--projection", type=click.Choice(["pca", "tsne", "umap"]), expose_value=False, callback=_leave,
            show_default="pca", help="Map: principal axes, or a plane that keeps neighbours together.",
        ),
        click.option(
            "--colour", metavar="label|cluster|elbo|length|MEASURE", expose_value=False, callback=_leave,
            show_default="label where there are any, else elbo",
            help="Map: by label, by cluster, by -ELBO per step, by length, or by what `seqvae attribute list RUN` says "
            "can be measured, such as density.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def map_values() -> dict[str, Any]:
    """What was typed of the options of the map."""
    values: dict[str, Any] = click.get_current_context().meta.get(_VALUES, {})
    return values


def check_map(drawn: bool) -> None:
    """Raises UsageError where the map is not drawn, and options of it were typed."""
    for name in () if drawn else map_values():
        raise click.UsageError(f"--{name} is of the map, which is not drawn; add it, as in --only map")


def opened(model: "Model") -> "Index":
    """The index that is to be drawn. Raises ValueError where there is none, or one of other weights."""
    from seqvae.finding import Index
    from seqvae.index_file import IndexFile
    from seqvae.indexing import place_of

    place: Path | None = map_values().get("index")
    return Index(model, IndexFile(place_of(model, place)))


def has_map(model: "Model") -> bool:
    """Whether there is an index of the model to draw."""
    if model.vae.latent < 2:
        return False
    try:
        opened(model)
    except ValueError:
        return False
    return True


def drawn_map(model: "Model", seed: int) -> "Figure":
    """The map as the options ask for it. Raises ValueError for what is not possible."""
    from seqvae.projections import check_projection

    values = {name: value for name, value in map_values().items() if name != "index"}
    if "clusters" in values and values.get("colour") != "cluster":
        raise click.UsageError("--clusters is of --colour cluster; add that, or leave it out")
    check_projection(values.get("projection", "pca"))
    return opened(model).picture(**values, seed=seed)
