"""Options and arguments that several commands share, and options made from configuration keys."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seqvae.cli.run_command import click_type
from seqvae.cli.spoken import note_option, note_set
from seqvae.config import Values, flag_of, is_of_models, merge, metavar_of, options, parse_overrides

if TYPE_CHECKING:
    from seqvae.generate import Decoding

Function = TypeVar("Function", bound=Callable[..., Any])


class _Path(click.Path):
    """A path that is not empty: an empty one would stand for the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Raises UsageError for an empty one."""
        if value == "":
            self.fail("the path is empty; give the path of a file or folder", param, ctx)
        return super().convert(value, param, ctx)


PATH = _Path(path_type=Path)
DEVICES = ("auto", "cpu", "cuda", "mps")
# temperatures, without importing what declares them
OF_MODALITIES = "the model's own or the modality's: drums 0.3, groove 0.3, images 0, melody 0.5, text 1, trio 0.5"
_VALUES = "seqvae.values"  # where the options of configuration keys leave their values
_CHECKPOINT = "seqvae.checkpoint"  # where --checkpoint leaves its value
_DECODING = "seqvae.decoding"  # where the options of a Decoding leave theirs


def spoken_as(key: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """The callback of an option that keeps its value, and that texts about the key speak of."""

    def keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
        note_option(ctx, parameter, key, value)
        return value

    return keep


inputs_argument = click.argument("inputs", nargs=-1, metavar="INPUT...")
file_option = click.option("--file", type=PATH, help="Also take all items of this file or folder.")
folder_of_run_argument = click.argument("run", type=PATH)
checkpoint_option = click.option(
    "--checkpoint", metavar="best|last|STEP", default="best", show_default=True, expose_value=False,
    callback=lambda ctx, parameter, value: ctx.meta.__setitem__(_CHECKPOINT, value),
    help="Whose weights are used; seqvae info lists the steps.",
)  # fmt: skip
data_argument = click.argument("data", nargs=-1, type=PATH)
device_option = click.option(
    "--device", type=click.Choice(DEVICES), default="auto", show_default=True, help="Where to compute."
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Seed; the same gives the same output.",
)
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set a configuration key; may be repeated."
)
recipe_option = click.option(
    "--recipe", metavar="NAME|FILE",
    help="Start from a recipe: one that `seqvae recipes` lists, a TOML file, or a run's config.json.",
)  # fmt: skip
split_option = click.option(
    "--split", type=click.Choice(["train", "valid", "test"]), callback=spoken_as("split"),
    help="Only this split, where files are split.",
)  # fmt: skip
prior_option = click.option(
    "--prior", type=click.Choice(["standard", "fitted"]), callback=spoken_as("prior"),
    show_default="fitted, where `seqvae fit-prior` fitted one to be used",
    help="What codes are drawn from: the prior of the training, or the one that was fitted to its codes.",
)  # fmt: skip
where_option = click.option(
    "--where", multiple=True, metavar="ATTRIBUTE=VALUE", callback=lambda ctx, parameter, value: _pairs(value),
    help="Only what has this, such as label=3 or density=high, after `seqvae constrain`; of several attributes may be "
    "repeated.",
)  # fmt: skip
sliders_option = click.option(
    "--sliders", metavar="X,X,...", callback=lambda ctx, parameter, value: value and _places(value),
    help="Where samples of a personal model stand, in standard deviations; those left out are drawn.",
)  # fmt: skip
folder_option = click.option(
    "--out", "folder", type=PATH, metavar="FOLDER",
    help="Where files go; the default is RUN/COMMAND, for the latest result only. Text: no file.",
)  # fmt: skip


def _pairs(given: tuple[str, ...]) -> dict[str, str] | None:
    """The values of attributes by name; None where none is given. Raises UsageError for what is no such pair."""
    pairs: dict[str, str] = {}
    for word in given:
        name, mark, value = word.rpartition("=")
        if not mark or not name or not value:
            raise click.UsageError(f"--where '{word}' is no attribute with its value; give one such as label=3")
        if pairs.setdefault(name, value) != value:
            raise click.UsageError(f"--where asks for {name} {pairs[name]} and {value}, and an item has one; give one")
    return pairs or None


def _places(text: str) -> list[float]:
    """The places of sliders. Raises UsageError for what are no numbers."""
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise click.UsageError(f"--sliders {text} are no numbers; give some with commas, such as 1.5,-1") from None


def run_argument(function: Function) -> Function:
    """The run whose model a command uses, and the option that chooses its checkpoint, for `given_checkpoint`."""
    return folder_of_run_argument(checkpoint_option(function))


def given_checkpoint() -> str:
    """The checkpoint that the command line asks for."""
    asked: str = click.get_current_context().meta[_CHECKPOINT]
    return asked


def decoding_options(*names: str, temperature: float | None = 0.0) -> Callable[[Function], Function]:
    """The options of a `Decoding` with these names, for `given_decoding`.

    A temperature of None stands for the modality's own for samples.
    """
    known = {
        "temperature": click.option(
            "--temperature", type=float, default=temperature, expose_value=False, callback=_leave,
            show_default=OF_MODALITIES if temperature is None else True,
            help="0: always the most probable (images: the mean).",
        ),
        "top_k": click.option(
            "--top-k", type=int, default=0, show_default="no limit", expose_value=False, callback=_leave,
            help="Draw from the k most probable tokens only.",
        ),
        "top_p": click.option(
            "--top-p", type=float, default=1.0, show_default="1, no limit", expose_value=False, callback=_leave,
            help="Draw from the smallest set of this probability.",
        ),
        "beam": click.option(
            "--beam", type=int, default=1, show_default=True, expose_value=False, callback=_leave,
            help="Keep this many hypotheses (temperature 0 only).",
        ),
    }  # fmt: skip

    def decorate(function: Function) -> Function:
        for name in reversed(names):
            function = known[name](function)
        return function

    return decorate


def _leave(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    ctx.meta.setdefault(_DECODING, {})[parameter.name] = value


def check_draws() -> None:
    """Raises ValueError when draws are limited where the command line says that nothing is drawn."""
    _check_draws(click.get_current_context().meta.get(_DECODING, {}))


def given_decoding(sampling_temperature: float = 0.0) -> "Decoding":
    """How the command that runs is to decode; without a temperature it is the one that is passed.

    Raises ValueError for what is not possible.
    """
    from seqvae.generate import Decoding

    values = dict(click.get_current_context().meta.get(_DECODING, {}))
    if values.get("temperature") is None:
        values["temperature"] = sampling_temperature
    _check_draws(values)
    return Decoding(**values)


def _check_draws(values: Values) -> None:
    if values.get("temperature") != 0.0:
        return
    for name, unlimited in (("top_k", 0), ("top_p", 1.0)):
        if values.get(name, unlimited) != unlimited:
            raise ValueError(
                f"--{name.replace('_', '-')} chooses among draws, and at --temperature 0 nothing is drawn; give a "
                "temperature above 0, such as 1, or leave it out"
            )


def key_options(section: str, cls: type, modality: Any, names: tuple[str, ...] = ()) -> list[click.Parameter]:
    """One option for each key of a section (or for those named), an alias of `--set section.name=value`.

    Their values are collected by `given_values`; the callback of the command does not see it.
    """
    made: list[click.Parameter] = []
    for key, (kind, default, text) in options(section, cls, modality.defaults).items():
        name = key.partition(".")[2]
        if not names or name in names:
            meant = flag_of(cls, name) if is_of_models(cls, name) else ""
            made.append(_key_option(key, kind, default, text, metavar_of(cls, name), meant))
    return made


def _key_option(key: str, kind: Any, default: Any, text: str, metavar: str | None, meant: str) -> click.Option:
    """The option of a key; a hidden one is there to be refused in words, and `meant` is that of other commands."""
    flag = "--" + key.partition(".")[2].replace("_", "-")
    shown = str(default).lower() if isinstance(default, bool | None) else "empty" if default == "" else default
    return click.Option(
        [f"{flag}/--no-{flag[2:]}" if kind is bool else flag],
        type=click_type(kind),
        metavar=metavar,
        default=None,
        expose_value=False,
        hidden=bool(meant),
        help=f"{text[:1].upper()}{text[1:]}  [{key}, default: {shown}]",
        callback=_keep(key, meant),
    )


def _keep(key: str, meant: str = "") -> Callable[[click.Context, click.Parameter, Any], None]:
    section, _, name = key.partition(".")

    def keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        note_option(ctx, parameter, key, value, meant)
        if value is not None:
            ctx.meta.setdefault(_VALUES, {}).setdefault(section, {})[name] = value

    return keep


def given_values(ctx: click.Context, recipe: Values, overrides: tuple[str, ...]) -> dict[str, Any]:
    """The configuration values of a command line: the recipe's, over them options, over them `--set`.

    Raises ValueError for an override that is not `section.name=value`.
    """
    try:
        by_key = parse_overrides(overrides)
    except ValueError as error:
        raise ValueError(f"--set {error}") from None
    note_set(ctx, by_key)
    return merge(merge(recipe, ctx.meta.get(_VALUES, {})), by_key)
