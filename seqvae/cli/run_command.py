"""Commands on a run: besides their own options they have those of the run's modality, as its keys declare them."""

import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import click

from seqvae import modalities
from seqvae.cli.spoken import note_option
from seqvae.config import Use, flag_of, help_of, is_of_models, listed, metavar_of, options, read_json, uses_of
from seqvae.modalities.base import Modality

_KINDS, _VALUES = "seqvae.kinds", "seqvae.used"  # where a context keeps the modalities, and what their options said


class RunCommand(click.Command):
    """A command whose first argument is a run, and which shows the keys of these uses of its modality as options.

    Where no run is named, as in a call for help, the options of all modalities are shown.
    """

    def __init__(self, *arguments: Any, uses: Sequence[Use] = (), example: str = "", **settings: Any) -> None:
        settings["epilog"] = f"Example: {example}"
        super().__init__(*arguments, **settings)
        self._uses: frozenset[Use] = frozenset((*uses, "splitting") if "choosing" in uses else uses)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raises UsageError for an option of another modality, with its name."""
        kind = self._kind_of_run(args)
        ctx.meta[_KINDS] = _all_kinds() if kind is None else [kind]
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            of = [] if kind is None else [other.name for other in _all_kinds() if error.option_name in _flags(other)]
            if not of or kind is None or kind.name in of:  # where it is the model's, this command has no use for it
                raise
            raise click.UsageError(
                f"{error.option_name} is for {listed(of)}, and this is a model of {kind.name}; leave it out", ctx
            ) from None

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own parameters, then the options of the modality, then --help."""
        *own, help_option = super().get_params(ctx)
        kinds = ctx.meta.get(_KINDS) or _all_kinds()
        return [*own, *_options(kinds, self._uses), help_option]

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help of the command, and what an INPUT is for the modality, or for each of them."""
        super().format_help_text(ctx, formatter)
        if "reading" not in self._uses or not any(param.name in ("inputs", "a") for param in self.params):
            return
        kinds = ctx.meta.get(_KINDS, [])
        takes_several = any(param.name == "inputs" for param in self.params)
        formatter.write_paragraph()
        with formatter.indentation():
            for kind in kinds:
                of = f" of a model of {kind.name}" if len(kinds) > 1 else ""
                formatter.write_text(f"An INPUT{of}: {kind.words.input}{kind.words.all_of * takes_several}.")

    def _kind_of_run(self, args: Sequence[str]) -> type[Modality] | None:
        """The modality of the first word that is a run folder, and no value of one of the command's own options."""
        takes_value = {
            name
            for param in self.params
            if isinstance(param, click.Option) and not param.is_flag
            for name in param.opts
        }
        words = iter(args)
        for word in words:
            if word in takes_value:
                next(words, None)
            elif not word.startswith("-") and (name := _modality_name(Path(word))) in modalities.REGISTRY:
                return modalities.get(str(name))
        return None


def given_uses(ctx: click.Context | None = None) -> dict[str, Any]:
    """The values of those options of the modality that stand on the command line, by key."""
    values: dict[str, Any] = (ctx or click.get_current_context()).meta.get(_VALUES, {})
    return values


def _modality_name(run: Path) -> object:
    """What the config.json of a folder says its modality is; None where it says nothing."""
    try:
        return read_json(run / "config.json").get("modality")
    except (OSError, ValueError):
        return None


def _all_kinds() -> list[type[Modality]]:
    return [modalities.get(name) for name in modalities.REGISTRY]


def _flags(kind: type[Modality]) -> set[str]:
    config = kind.data_config
    return {flag_of(config, name) for name, uses in uses_of(config).items() if "encoding" not in uses}


def _options(kinds: Sequence[type[Modality]], uses: frozenset[Use]) -> list[click.Option]:
    """One option for each key of these uses; where several modalities have it, it is that of the first."""
    found: dict[str, click.Option] = {}
    for kind in kinds:
        prefix = f"{kind.name.capitalize()}: " if len(kinds) > 1 else ""
        for key, (declared, _, _) in options("data", kind.data_config).items():
            name = key.partition(".")[2]
            text = help_of(kind.data_config, name, uses)
            if uses.isdisjoint(uses_of(kind.data_config)[name]):
                continue
            if name in found:
                others, _, text = str(found[name].help).partition(": ")
                found[name].help = f"{others}, {kind.name}: {text}"
                continue
            flag = flag_of(kind.data_config, name)
            found[name] = click.Option(
                [f"{flag}/--no-{flag[2:]}" if declared is bool else flag, f"use_{name}"],
                type=click_type(declared),
                metavar=metavar_of(kind.data_config, name),
                default=None,
                expose_value=False,
                callback=_keep(name, is_of_models(kind.data_config, name)),
                help=(f"{prefix}{text}" if prefix else f"{text[:1].upper()}{text[1:]}") + "  [default: the run's]",
            )
    return list(found.values())


def click_type(declared: Any) -> Any:
    """The click type of a declared type of a configuration key."""
    if typing.get_origin(declared) is Literal:
        return click.Choice(typing.get_args(declared))
    if type(None) in typing.get_args(declared):
        return _OrNone(click_type(next(kind for kind in typing.get_args(declared) if kind is not type(None))))
    return {int: int, float: float, bool: click.BOOL}.get(declared, click.STRING)


class _OrNone(click.ParamType):
    """A value of a type, or the word none, which stays a word until the configuration is made."""

    def __init__(self, kind: click.ParamType) -> None:
        self._kind = click.types.convert_type(kind)
        self.name = f"{self._kind.name}|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value. Raises UsageError for what is neither."""
        return value if value == "none" else self._kind.convert(value, param, ctx)


def _keep(name: str, is_asked: bool) -> Any:
    """What keeps the value of an option; of a key that `is_asked` of a model an empty one asks for nothing."""

    def keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if is_asked and isinstance(value, str) and not value.strip():
            sentence = f"{parameter.opts[0]} '{value}' asks for nothing; give {parameter.metavar}, or leave it out"
            raise click.UsageError(sentence, ctx)
        note_option(ctx, parameter, f"data.{name}", value)
        if value is not None:
            ctx.meta.setdefault(_VALUES, {})[name] = value

    return keep
