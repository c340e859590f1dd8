"""How the library's texts are spoken on the command line: of options, where the library speaks of its settings."""

import re
from dataclasses import dataclass

import click
from click.core import ParameterSource

from seqvae.config import Values

# What the library calls its functions and their arguments where it advises them; the longer names first.
ARGUMENTS = {
    "`seqvae.resume` of ": "--resume --out ",
    "`seqvae.resume`": "--resume",
    "`start_from`": "--from",
    "`overwrite=True`": "--overwrite",
    "`valid`": "--valid",
    "`sources`": "DATA",
    "`seqvae.copy_model`": "seqvae models NAME --out FOLDER",
    "`out`": "--out",
}

_OPTIONS, _SET, _PAGE = "seqvae.options", "seqvae.set", "seqvae.page"  # where a context keeps what is noted of them


@dataclass(frozen=True)
class _Option:
    """An option that stands for a setting, and how it was typed."""

    flag: str  # of a switch: that of true
    off: str  # of a switch: that of false; empty: it has a value
    typed: str  # the one that was typed; empty: none

    def put(self, text: str, key: str) -> tuple[str, int]:
        """The text with the option in the places of the key, and in how many of them it has a value."""
        section, _, name = key.rpartition(".")
        of_section = rf"(?:{section}\.)?" if self.typed else rf"{section}\."
        value, flag = (r"=\w+", self._flag_for) if self.off else ("=", f"{self.typed or self.flag} ")
        text, count = re.subn(rf"(?<![\w.-]){of_section}{name}{value}", flag, text)
        if section == "data":  # keys of training without a value are those of recipes and their stages, too
            text = re.sub(rf"(?<![\w.'-]){section}\.{name}(?![\w=]|\.\w)", self.flag, text)
        return text, count

    def _flag_for(self, match: re.Match[str]) -> str:
        """The flag of a switch for `data.loop=false`: the one that was typed, which the sentence is about."""
        return self.typed or (self.off if match[0].lower().endswith("=false") else self.flag)


def note_option(ctx: click.Context, parameter: click.Parameter, key: str, value: object, flag: str = "") -> None:
    """Keep that an option stands for a setting, so that texts about the setting are spoken of the option.

    A key without a section, such as `anew`, is an argument of the library's functions, and spoken of where the option
    was typed. `flag` is the option that a user is to type, where that is not this one.
    """
    typed = ctx.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
    on, off = parameter.opts[0], [*parameter.secondary_opts, parameter.opts[0]][0]
    is_switch = isinstance(parameter, click.Option) and parameter.is_flag
    option = _Option(flag or on, off * is_switch, (off if value is False else on) * typed)
    ctx.meta.setdefault(_OPTIONS, {})[key] = option
    ctx.meta[_PAGE] = ctx.command_path


def note_set(ctx: click.Context, values: Values) -> None:
    """Keep that settings were typed by their keys, in `--set`, so that texts go on to speak of these."""
    ctx.meta[_SET] = {f"{section}.{name}" for section, own in values.items() for name in own}


def spoken(text: str) -> str:
    """A text of the library, of the options of the command that runs in the place of the settings they stand for.

    So is what is `advised`. Outside of a command the text stays as it is.
    """
    return _spoken(text)[0]


def advised(text: str) -> str:
    """A text of a training, which names settings by their keys: of options, where it advises something.

    These are functions and arguments in backticks (ARGUMENTS), and `set KEY=VALUE` where the command has `--set`.
    """
    ctx = click.get_current_context(silent=True)
    if ctx is None:
        return text
    for name, flag in ARGUMENTS.items():
        text = text.replace(name, flag)
    known = r"(?<![\w.-])set (?=(?:data|model|objective|train)\.\w+=|KEY=)"
    return re.sub(known, "--set ", text) if _SET in ctx.meta else text


def sentence_as_typed(sentence: str) -> str:
    """An error of the library the same way, and the page that lists options where it is about one that was typed."""
    said, about_typed = _spoken(sentence)
    ctx = click.get_current_context(silent=True)
    if ctx is None or not about_typed:
        return said
    return f"{said}{'' if said.endswith(('.', '?')) else '.'} See '{ctx.meta[_PAGE]} --help'."


def _spoken(text: str) -> tuple[str, bool]:
    """What is spoken, and whether it is about an option that was typed."""
    ctx = click.get_current_context(silent=True)
    if ctx is None:
        return text, False
    meta, about_typed = ctx.meta, False
    for key, option in meta.get(_OPTIONS, {}).items():
        if not option.typed and ("." not in key or key in meta.get(_SET, ())):
            continue
        text, count = option.put(text, key)
        about_typed |= bool(option.typed and count)
    return advised(re.sub(r"(?<![\w.-])set (?=--)", "", text)), about_typed
