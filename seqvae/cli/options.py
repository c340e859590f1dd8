"""Options and arguments that several commands share, and options made from configuration keys."""

import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from seqvae.config import merge, options, parse_overrides

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
_VALUES = "seqvae.values"  # where the options of configuration keys leave what was given
_INPUT, _OUTPUT = "seqvae.input", "seqvae.output"  # where the options of these two leave theirs
FORMATS = ("mid", "wav", "png")

inputs_argument = click.argument("inputs", nargs=-1, metavar="INPUT...")
file_option = click.option("--file", type=PATH, help="Also take all items of this file or folder.")
run_argument = click.argument("run", type=PATH)
data_argument = click.argument("data", nargs=-1, type=PATH)
device_option = click.option(
    "--device", type=click.Choice(DEVICES), default="auto", show_default=True, help="Where to compute."
)
seed_option = click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed; the same gives the same output."
)
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set a configuration key; may be repeated."
)


recipe_option = click.option(
    "--recipe", metavar="NAME|FILE", help="Start from a recipe; `seqvae recipes` lists those of the package."
)


@dataclass(frozen=True)
class _Given:
    """Options that belong together; None stands for one that was not given."""

    def refuse(self, names: Sequence[str], of: str, model: str) -> None:
        """Raises UsageError when one of these was given, which are for models of another modality than this."""
        for name, value in asdict(self).items():
            if name in names and value is not None:
                flag = f"--{name.replace('_', '-')}"
                raise click.UsageError(f"{flag} is for {of}, and this is a model of {model}; leave it out")


@dataclass(frozen=True)
class Input(_Given):
    """How items are read."""

    encoding: str | None = None
    drum_channel: int | None = None
    all_channels: bool | None = None
    meter: str | None = None
    split: typing.Literal["train", "valid", "test"] | None = None
    split_csv: str | None = None


@dataclass(frozen=True)
class Output(_Given):
    """Where results go, and in what form."""

    folder: Path | None = None
    formats: tuple[str, ...] | None = None
    bpm: float | None = None
    meter: str | None = None


def _leave(place: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def leave(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        ctx.meta.setdefault(place, {})[parameter.name] = value

    return leave


def _formats(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """Raises BadParameter for a format that is not there."""
    chosen = None if value is None else tuple(dict.fromkeys(word.strip().lower() for word in value.split(",")))
    for word in chosen or ():
        if word not in FORMATS:
            raise click.BadParameter(f"no format '{word}'; choose among {', '.join(FORMATS)}, with commas between them")
    _leave(_OUTPUT)(ctx, parameter, chosen)


def input_options(function: Function) -> Function:
    """The options of how INPUT is read, for `given_input`."""
    return _all(
        function,
        _for_input("--encoding", metavar="NAME", help="Text: its encoding; the default is the run's data.encoding."),
        _for_input("--drum-channel", type=click.IntRange(1, 16), help="Drums: the channel; the default is the run's."),
        _for_input("--all-channels", is_flag=True, default=None, help="Drums: take the notes of all channels."),
    )


def split_options(function: Function) -> Function:
    """The options that choose among files, for `given_input`."""
    return _all(
        function,
        _for_input("--split", type=click.Choice(["train", "valid", "test"]), help="Drums, images: only this split."),
        _for_input("--split-csv", metavar="CSV", help="Drums: the table of splits; default: the run's."),
        _for_input("--meter", metavar="4/4", help="Drums: only bars of this metre; the default is the run's."),
    )


def output_options(function: Function) -> Function:
    """The options of where results go, for `given_output`."""
    return _all(
        function,
        _for_output(
            "--out", "folder", type=PATH, metavar="FOLDER",
            help="Where files go; the default is RUN/COMMAND, for the latest result only. Text: no file.",
        ),
        _for_output("--formats", metavar="LIST", callback=_formats, help="Drums: some of mid,wav,png; default: all."),
        _for_output("--bpm", type=click.FloatRange(4, 1000), help="Drums: tempo; default: the input's, or the usual."),
    )  # fmt: skip


metre_option = click.option(
    "--meter", metavar="4/4", expose_value=False, callback=_leave(_OUTPUT),
    help="Drums: metre of what is made; the default is the most frequent one in training.",
)  # fmt: skip


def _for_input(*names: str, **settings: Any) -> Callable[[Function], Function]:
    return click.option(*names, expose_value=False, callback=_leave(_INPUT), **settings)


def _for_output(*names: str, **settings: Any) -> Callable[[Function], Function]:
    return click.option(*names, expose_value=False, **{"callback": _leave(_OUTPUT), **settings})


def _all(function: Function, *decorators: Callable[[Function], Function]) -> Function:
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


def given_input() -> Input:
    """How the command that runs is to read."""
    return Input(**click.get_current_context().meta.get(_INPUT, {}))


def given_output() -> Output:
    """Where the command that runs is to write."""
    return Output(**click.get_current_context().meta.get(_OUTPUT, {}))


def temperature_option(default: float | None) -> Callable[[Function], Function]:
    """The option --temperature with its default; None stands for the modality's own."""
    shown = "1; images: 0" if default is None else True
    return click.option(
        "--temperature",
        type=float,
        default=default,
        show_default=shown,
        help="0: always the most probable (images: the mean).",
    )


top_k_option = click.option(
    "--top-k", type=int, default=0, show_default="no limit", help="Draw from the k most probable tokens only."
)
top_p_option = click.option(
    "--top-p",
    type=float,
    default=1.0,
    show_default="1, no limit",
    help="Draw from the smallest set of this probability.",
)


def check_draw(temperature: float | None, top_k: int, top_p: float) -> None:
    """Raises ValueError when draws are limited where nothing is drawn."""
    if temperature == 0.0 and (top_k != 0 or top_p != 1.0):
        raise ValueError(
            f"{'--top-k' if top_k != 0 else '--top-p'} chooses among draws, and at --temperature 0 nothing is drawn; "
            "give a temperature above 0, such as 1, or leave it out"
        )


beam_option = click.option(
    "--beam", type=int, default=1, show_default=True, help="Keep this many hypotheses (temperature 0 only)."
)


def key_options(section: str, cls: type, modality: Any, names: tuple[str, ...] = ()) -> list[click.Parameter]:
    """One option for each key of a section (or for those named), an alias of `--set section.name=value`.

    What is given is collected by `given_values`; the callback of the command does not see it.
    """
    keys = options(section, cls, modality.defaults)
    chosen = {key: entry for key, entry in keys.items() if not names or key.partition(".")[2] in names}
    return [_key_option(key, kind, default, text) for key, (kind, default, text) in chosen.items()]


def _key_option(key: str, kind: Any, default: Any, text: str) -> click.Option:
    flag = "--" + key.partition(".")[2].replace("_", "-")
    shown = str(default).lower() if isinstance(default, bool) else "empty" if default == "" else default
    if kind is bool:
        value_type: Any = click.BOOL
    elif typing.get_origin(kind) is Literal:
        value_type = click.Choice(typing.get_args(kind))
    else:
        value_type = kind if kind in (int, float) else click.STRING
    return click.Option(
        [f"{flag}/--no-{flag[2:]}" if kind is bool else flag],
        type=value_type,
        default=None,
        expose_value=False,
        help=f"{text[:1].upper()}{text[1:]}  [{key}, default: {shown}]",
        callback=_keep(key),
    )


def _keep(key: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    section, _, name = key.partition(".")

    def keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value is not None:
            ctx.meta.setdefault(_VALUES, {}).setdefault(section, {})[name] = value

    return keep


def given_values(ctx: click.Context, recipe: Mapping[str, Any], overrides: tuple[str, ...]) -> dict[str, Any]:
    """The configuration values of a command line: the recipe's, over them options, over them `--set`.

    Raises ValueError for an override that is not `section.name=value`.
    """
    return merge(merge(recipe, ctx.meta.get(_VALUES, {})), parse_overrides(overrides))
