"""Configuration: frozen dataclasses to and from TOML, JSON and `key=value` overrides.

Keys are written `section.name`. The sections `objective` and `train` are the same for all modalities; `data` and
`model` are declared by each modality. An unknown key is refused and the nearest known one is named.
"""

import difflib
import json
import math
import re
import tomllib
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, TypedDict, Unpack

from seqvae.files import check_regular
from seqvae.meanings import KEYS, OPTIONS, is_known, key_for, plain, value_for

Keys: TypeAlias = Any  # an instance of a configuration dataclass
Values: TypeAlias = Mapping[str, Any]  # plain values by name, as TOML and JSON hold them
Use = Literal["encoding", "reading", "choosing", "splitting", "training", "making", "writing"]


class More(TypedDict, total=False):
    """What else a key may say; see `key`."""

    metavar: str
    help_of: Mapping[Use, str]
    parts: Sequence[str] | Callable[[Any], Sequence[str]]
    flag: str
    of_models: bool


def key(
    default: Any,
    help: str,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
    use: Use | tuple[Use, ...] = "encoding",
    **more: Unpack[More],
) -> Any:
    """The field of a configuration key: its default, its meaning, the range [least, below) or [least, most], its use.

    `metavar` stands for a value on help pages; `help_of` is what the key means to commands of one use alone. `flag` is
    what its option is called in commands that use a model, where that is not its own name. What is
    `of_models` is asked of a model each time, and training takes none.

    A key of use `encoding` is part of what a model is. All others may change with each use of the model: `training`
    concerns training alone, and the others are options of every command that reads items (`reading`), reads whole
    files or folders (`choosing`; with `--split` alone: `splitting`), makes items of codes alone (`making`) or writes
    what was made (`writing`). `parts` are those of a model's weights (`seqvae.core.vae.PARTS`) that the key shapes:
    all of them where none are named, and no part where it only says how they begin. A function of the configuration
    says so where other keys decide.
    """
    uses = (use,) if isinstance(use, str) else use
    limits = {"least": least, "below": below, "most": most}
    return field(default=default, metadata={"help": help, **limits, "uses": uses, **more})


def uses_of(cls: type) -> dict[str, tuple[Use, ...]]:
    """The uses of each key of a configuration dataclass."""
    return {declared.name: declared.metadata.get("uses", ("encoding",)) for declared in fields(cls)}


def is_of_models(cls: type, name: str) -> bool:
    """Whether a key of a configuration dataclass is asked of a model each time, and of no training."""
    return any(declared.name == name and declared.metadata.get("of_models", False) for declared in fields(cls))


def parts_of(keys: Keys) -> dict[str, Sequence[str] | None]:
    """The parts of the weights that each key of a configuration shapes; None for all of them."""
    named = {declared.name: declared.metadata.get("parts") for declared in fields(keys)}
    return {name: parts(keys) if callable(parts) else parts for name, parts in named.items()}


MOST_NAMES = 6  # in one sentence
MOST_SHOWN = 2**31  # of the limits of a key on help pages
MOST_BYTES = 1 << 26  # of a TOML or JSON file: the values take some ten times as much memory


def nearest(name: str, known: Iterable[str]) -> str:
    """The sentence that names the nearest of the known, after a space; empty when nothing is near."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{close[0]}'?" if close else ""


def few(names: Iterable[str], most: int = MOST_NAMES) -> str:
    """The first names of a list that may be long, for a sentence."""
    names = list(names)
    return ", ".join(names[:most] + ["..."] * (len(names) > most))


def listed(names: Sequence[str]) -> str:
    """Names as they are spoken.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"]), listed([])
    ('a', 'a and b', 'a, b and c', '')
    """
    return f"{', '.join(names[:-1])}{' and ' * (len(names) > 1)}{''.join(names[-1:])}"


def counted(number: int, what: str) -> str:
    """A number with what is counted, whose first plural in s becomes singular for one.

    >>> counted(1, "items"), counted(2000, "items")
    ('1 item', '2,000 items')
    """
    noun = re.sub(r"s\b", "", what, count=1) if number == 1 else what
    return f"{number:,} {noun}"


def kind_of(value: object) -> str:
    """The name of a value's type, behind its article.

    >>> kind_of(3), kind_of("3")
    ('an int', 'a str')
    """
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def meant(word: str, known: Iterable[str]) -> str:
    """The sentence that names the key that a word means, else the nearest one, after a space; empty where none is.

    >>> meant("lr", ["train.learning_rate", "model.latent"])
    " Did you mean 'train.learning_rate'?"
    """
    known = list(known)
    name = word.rpartition(".")[2]
    if plain(name) in OPTIONS:
        return f" It is no key, and is said when a model is used: {OPTIONS[plain(name)]}."
    found = key_for(name, known)
    if found is None:
        return "" if is_known(name) else nearest(word, known)
    return f" Did you mean '{found}'?"


def unknown_key(key: str, known: Iterable[str], others: Iterable[str] = ()) -> ValueError:
    """The error for a key that does not exist: the value, what is possible, the one that is meant or the nearest.

    `others` are keys of other sections, which are named where the word means one of them.
    """
    known = sorted(known)
    hint = meant(key, {*known, *others} if is_known(key.rpartition(".")[2]) else known)
    return ValueError(f"no configuration key '{key}'; there are {few(known)}.{hint}")


def _convert(key: str, kind: Any, value: Any) -> Any:
    """`value` as the declared type `kind`; strings from the command line are read as that type."""
    origin = typing.get_origin(kind)
    if origin is Literal:
        choices = typing.get_args(kind)
        if value not in choices:
            named = value_for(str(value), choices)
            hint = nearest(str(value), choices) if named is None else f" Did you mean '{named}'?"
            raise ValueError(f"{key}={value} is not possible; choose {', '.join(choices)}.{hint}")
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None or str(value).lower() in ("", "none"):
            return None
        return _convert(key, next(a for a in typing.get_args(kind) if a is not type(None)), value)
    if kind is bool:
        words = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in words:
            return words[value.lower()]
    elif kind is int and not isinstance(value, bool):
        if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
            return int(value)
        if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]+\s*", value):
            return int(value)
    elif kind is float and not isinstance(value, bool):
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    elif kind is str and isinstance(value, str):
        return value
    raise ValueError(f"{key}={value} is not possible; it takes {_describe(kind)}")


def _describe(kind: Any) -> str:
    return {int: "a whole number", float: "a finite number", bool: "true or false", str: "text"}.get(kind, str(kind))


@cache
def _hints(cls: type) -> dict[str, Any]:
    """The types of a dataclass's fields, which take most of the time of reading a configuration."""
    return typing.get_type_hints(cls)


def from_dict(cls: type, values: Values, section: str) -> Keys:
    """An instance of the dataclass `cls` from plain values, unknown keys refused.

    Raises ValueError for an unknown key, a value of the wrong type or outside its range.
    """
    hints = _hints(cls)
    known = {f.name for f in fields(cls)}
    for name in values:
        if name not in known:
            raise unknown_key(f"{section}.{name}", (f"{section}.{k}" for k in known))
    converted = {name: _convert(f"{section}.{name}", hints[name], value) for name, value in values.items()}
    for declared in fields(cls):
        _check_range(f"{section}.{declared.name}", converted.get(declared.name), declared.metadata)
    return cls(**converted)


def changed(instance: Keys, values: Values, section: str) -> Keys:
    """A configuration dataclass with other values of keys that may change when a model is used.

    Raises ValueError for an unknown key, a value that is not possible, and a key that the model depends on.
    """
    uses = uses_of(type(instance))
    for name in values:
        if name in uses and "encoding" in uses[name] and values[name] != getattr(instance, name):
            raise ValueError(
                f"{section}.{name}={values[name]} is not possible with this model, which depends on "
                f"{section}.{name}={getattr(instance, name)}; train another one"
            )
    return from_dict(type(instance), {**asdict(instance), **values}, section)


def _check_range(key: str, value: Any, metadata: Values) -> None:
    least, below, most = metadata.get("least"), metadata.get("below"), metadata.get("most")
    if value is None or (
        (least is None or value >= least) and (below is None or value < below) and (most is None or value <= most)
    ):
        return
    raise ValueError(f"{key}={value} is not possible; give {_range_words(metadata)}")


def _range_words(metadata: Values) -> str:
    """The range of a key; empty where it has none."""
    least, below, most = metadata.get("least"), metadata.get("below"), metadata.get("most")
    if most is not None:
        return f"{least} to {most}"
    if below is not None:
        return f"{least} or more, and less than {below}"
    return "" if least is None else f"{least} or more"


def as_table(values: object) -> Values:
    """Values by name. Raises ValueError for what is no table of them."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{values!r:.60} is no table of values by name; give a dict")
    return values


def merge(base: Values, extra: Values) -> dict[str, Any]:
    """Nested dictionaries, `extra` laid over `base`."""
    merged = dict(base)
    for key, value in as_table(extra).items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def parse_overrides(pairs: Iterable[str]) -> dict[str, dict[str, Any]]:
    """`section.name=value` strings as nested dictionaries; values stay strings until their type is known."""
    nested: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        section, dot, name = key.strip().partition(".")
        if not equals or not dot:
            wanted = KEYS.get(plain(key.strip()), ("model.latent",))[0] if equals else "model.latent"
            example = f"{wanted}={value.strip()}" if wanted != "model.latent" else "model.latent=16"
            raise ValueError(f"{pair}: write section.name=value, such as {example}")
        nested.setdefault(section, {})[name] = value.strip()
    return nested


def read_toml(path: Path) -> dict[str, Any]:
    """The nested values of a TOML recipe. Raises ValueError naming file and place when it is not TOML."""
    content = _content(path)
    try:
        return tomllib.loads(content.decode())
    except RecursionError:
        raise ValueError(f"{path} is not valid TOML: it is nested too deeply; mend that place") from None
    except ValueError as error:
        raise ValueError(f"{path} is not valid TOML: {error}; mend that place") from None


def read_json(path: Path) -> dict[str, Any]:
    """The nested values of a JSON file. Raises ValueError naming file and place when it is not JSON."""
    content = _content(path)
    try:
        values = json.loads(content.decode())
    except RecursionError:
        raise ValueError(f"{path} is not valid JSON: it is nested too deeply; restore the file from a copy") from None
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}; restore the file from a copy") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds a JSON {type(values).__name__}, not an object; restore the file from a copy")
    return values


def _content(path: Path) -> bytes:
    """A file's bytes. Raises ValueError for what is no file, such as a device, or too large to hold settings."""
    check_regular(Path(path))  # a device or a pipe may go on for ever
    with open(path, "rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"{path} has more than {MOST_BYTES:,} bytes, too many for a file of settings; give another")
    return content


def options(
    section: str, cls: type, defaults: Mapping[str, Values] = MappingProxyType({})
) -> dict[str, tuple[Any, Any, str]]:
    """key -> (type, default, help) for every field of a configuration dataclass.

    `defaults` are nested values that a modality puts in the place of the dataclass's own.
    """
    if not is_dataclass(cls):
        raise TypeError(f"{cls} is not a configuration dataclass")
    hints = _hints(cls)
    own = defaults.get(section, {})
    return {
        f"{section}.{f.name}": (hints[f.name], own.get(f.name, f.default), help_of(cls, f.name)) for f in fields(cls)
    }


def help_of(cls: type, name: str, uses: Collection[Use] = ()) -> str:
    """What a key of a configuration dataclass means, to commands of some uses or to all, with its range."""
    (declared,) = (declared for declared in fields(cls) if declared.name == name)
    metadata = declared.metadata
    texts = [text for use, text in metadata.get("help_of", {}).items() if use in uses]
    possible = "" if (metadata.get("below") or 0) > MOST_SHOWN else _range_words(metadata)
    return (texts or [metadata.get("help", "")])[0] + f" ({possible})" * bool(possible)


def flag_of(cls: type, name: str) -> str:
    """The option of a key of a configuration dataclass in commands that use a model, `--bpm` for `bpm`."""
    (declared,) = (declared for declared in fields(cls) if declared.name == name)
    return "--" + str(declared.metadata.get("flag", name)).replace("_", "-")


def metavar_of(cls: type, name: str) -> str | None:
    """What stands for the value of a key on help pages; None for the name of its type."""
    (declared,) = (declared for declared in fields(cls) if declared.name == name)
    metavar: str | None = declared.metadata.get("metavar")
    return metavar
