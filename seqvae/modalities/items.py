"""What goes between a modality and its users: items by name, files still to be written, what reading gave."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from seqvae.config import Values, counted, listed

Split = Literal["all", "train", "valid", "test"]
PARTS: tuple[Split, ...] = ("train", "valid", "test")  # that files are divided into
Item: TypeAlias = Any  # what one code stands for, or what a user hands in or gets back: each modality has its own
Figures: TypeAlias = dict[str, "float | int | None"]  # of an evaluation by name; None where one does not apply
_Plain = Literal["set", "path", "grid"]  # items side by side, an interpolation, a square palette row by row


@dataclass(frozen=True)
class Sweep:
    """How items stand that are made of the same values row by row: the names of rows, and the heads of columns.

    A traversal has a row for each latent unit, the sweep of an attribute one for each item. `title` and `note` stand
    above the picture.
    """

    names: Sequence[str]
    heads: Sequence[str]
    title: str = ""
    note: str = ""

    def rows(self, cells: Sequence[Any]) -> list[list[Any]]:
        """What stands in the cells, row by row. Raises ValueError where the number of cells is another one."""
        columns = len(self.heads)
        if len(cells) != len(self.names) * columns or not cells:
            size = f"{counted(len(self.names), 'rows')} of {counted(columns, 'columns')}"
            raise ValueError(f"{counted(len(cells), 'items')} are no {size}; give {len(self.names) * columns:,}")
        return [list(cells[first : first + columns]) for first in range(0, len(cells), columns)]

    def as_text(self, cells: Sequence[str]) -> str:
        """Texts of one line as a table: below the name of each row, where it has one, its cells behind their heads.

        >>> print(Sweep(["a"], ["-1", "10"]).as_text(["less", "more"]), end="")
        a
        -1  less
        10  more
        """
        width, lines = max(map(len, self.heads)), []
        for name, row in zip(self.names, self.rows(cells), strict=True):
            lines += [name] if name else []
            lines += [f"{head:>{width}}  {cell}".rstrip() for head, cell in zip(self.heads, row, strict=True)]
        return "".join(f"{line}\n" for line in lines)


Arrangement: TypeAlias = _Plain | Sweep


def check_arrangement(arrangement: Arrangement) -> Arrangement:
    """The arrangement. Raises ValueError for an unknown one."""
    known = get_args(_Plain)
    if not isinstance(arrangement, Sweep) and arrangement not in known:
        raise ValueError(f"no arrangement {arrangement!r}; there are {', '.join(known)}")
    return arrangement


class SeveralItems(ValueError):
    """That a path stands for several items where one is asked for."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, eq=False)
class Items:
    """Data in memory, to train on or to evaluate in the place of files: sentences, images or PrettyMIDI objects.

    Sentences have to be wrapped, since a str alone, or in a list, names a file; arrays and objects need not be.
    `labels`, one for each image, are for pictures and figures: training never sees them.

    >>> seqvae.train("text", seqvae.Items(["a sentence", "another one"]), "runs/mine")  # doctest: +SKIP
    """

    items: Any
    labels: Sequence[Any] | None = None

    def __repr__(self) -> str:
        size = f"{len(self.items):,}" if hasattr(self.items, "__len__") else type(self.items).__name__
        return f"<Items: {size}{'' if self.labels is None else ', with labels'}>"


@dataclass(frozen=True)
class Named:
    """An item, the name under which a user finds it again, and the file that it comes from, where there is one."""

    name: str
    item: Item
    path: Path | None = None


@dataclass(frozen=True)
class File:
    """A file that is still to be made: its name within a folder, and what makes its content."""

    name: str
    content: Callable[[], bytes]


@dataclass(frozen=True)
class Written:
    """The files of one result, the most important first, and what they hold in a few words."""

    files: Sequence[File]
    note: str = ""


@dataclass(frozen=True)
class Words:
    """How a modality is spoken of."""

    input: str  # what one INPUT is
    all_of: str = ""  # what it may also be where several are taken
    items: str = "items"  # their plural, and their singular
    item: str = "item"
    steps: str = "steps"  # of an item, where these are worth counting
    elements: str = "steps"  # of an item, in which two of them differ
    change: str = "steps that differ, of those of the longer one"  # what `Modality.changes` counts
    example: tuple[str, str] = ("A", "B")  # two inputs
    data: str = "DATA"  # an example of what is trained on, from the demo
    smaller: str = ""  # the setting that makes items smaller, where memory runs out
    # settings, the one that helps most first: for codes that are not used, and for items that are few for the model
    against_collapse: tuple[str, ...] = (
        "objective.beta=0.4",
        "objective.free_nats_per_dimension_and_example=0.25",
        "model.batch_norm_scale=0.6",
    )
    against_overfitting: tuple[str, ...] = ("model.latent=8",)
    against_unknown: str = ""  # a setting whose vocabulary lacks nothing
    no_split: str = "split={split} has nothing of {files}; leave it out, or give other files"


@dataclass(frozen=True)
class Hidden:
    """What the unknown symbol of a tokenizer stood for in a corpus: so many symbols, of so many bytes.

    `more_bytes` and `more_characters`: by how much the items are longer than what decoding gives; may be negative.
    """

    symbols: int = 0
    bytes: int = 0
    more_bytes: int = 0
    more_characters: int = 0


Counts = dict[str, "int | dict[str, int | dict[str, int]]"]  # plain values, as JSON holds them


MOST_DETAILS = 8  # of a count that are named
OF_WHICH = ", of which "  # in the name of a count of a part: between the count that it is a part of, and what it is


@dataclass
class Report:
    """What reading sources gave: how many items, and what was dropped or changed and why.

    `counts` holds one Counter for each group, such as files or hits, whose members are shown in one line; the group ""
    holds what stands alone. `details` breaks a member of a group down. `remarks` are sentences on all of it.
    """

    sources: list[str] = field(default_factory=list)
    items: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    details: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    unshown: Counter[str] = field(default_factory=Counter)  # what figures need beside the counts

    def count(self, what: str, number: int = 1, group: str = "", detail: str = "") -> None:
        """Add to a count; nothing where the number is 0.

        >>> report = Report()
        >>> report.count("empty lines dropped", 2)
        >>> report.count("of pitches that no class holds", 3, group="hits", detail="41")
        >>> report.to_dict()["counts"]
        {'empty lines dropped': 2, 'hits': {'of pitches that no class holds': {'41': 3}}}
        """
        if not number:
            return
        if group not in self.counts:
            self.counts[group] = Counter()
        self.counts[group][what] += number
        if detail:
            self.details.setdefault((group, what), Counter())[detail] += number

    def of(self, what: str, group: str = "") -> int:
        """A count; 0 where nothing was counted."""
        return self.counts.get(group, Counter())[what]

    def add(self, other: "Report") -> None:
        """Take up the counts of another report."""
        for group, members in other.counts.items():
            self.counts.setdefault(group, Counter()).update(members)
        for place, details in other.details.items():
            self.details.setdefault(place, Counter()).update(details)
        self.remarks += other.remarks
        self.unshown.update(other.unshown)

    def lines(self) -> list[str]:
        """What reading gave, in few lines: each group in one, the largest member first, what is broken down, remarks.

        >>> report = Report()
        >>> report.count("found", 9, "files"), report.count("read", 7, "files"), report.count("empty lines dropped")
        (None, None, None)
        >>> report.count("of pitches that no class holds", 3, "hits", detail="41")
        >>> report.count(f"read{OF_WHICH}without 2 bars", 1, "files")
        >>> report.lines()  # doctest: +NORMALIZE_WHITESPACE
        ['files: 9 found; 7 read, of which 1 without 2 bars', 'hits: 3 of pitches that no class holds',
         '1 empty line dropped', 'hits of pitches that no class holds: 41 (3)']
        """
        lines = [f"{group}: {_members_in_words(own)}" for group, own in sorted(self.counts.items()) if group]
        lines += [counted(number, what) for what, number in sorted(self.counts.get("", Counter()).items())]
        for (group, what), details in sorted(self.details.items()):
            largest = sorted(details.items(), key=_largest)[:MOST_DETAILS]
            shown = ", ".join(f"{name} ({number:,})" for name, number in largest)
            more = f" and {len(details) - MOST_DETAILS} others" if len(details) > MOST_DETAILS else ""
            lines.append(f"{group} {what}: {shown}{more}".strip())
        return lines + self.remarks

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        counts: Counts = dict(sorted(self.counts.get("", Counter()).items()))
        for group in sorted(self.counts.keys() - {""}):
            counts[group] = {
                what: dict(sorted(self.details[group, what].items())) if (group, what) in self.details else number
                for what, number in sorted(self.counts[group].items())
            }
        remarks = {"remarks": self.remarks} if self.remarks else {}
        unshown = {"unshown": dict(sorted(self.unshown.items()))} if self.unshown else {}
        return {"sources": self.sources, "items": self.items, "counts": counts, **remarks, **unshown}

    @staticmethod
    def from_dict(values: Values) -> "Report":
        """What `to_dict` gave."""
        report = Report(list(values["sources"]), values["items"], remarks=list(values.get("remarks", [])))
        report.unshown.update(values.get("unshown", {}))
        for what, found in values["counts"].items():
            if not isinstance(found, Mapping):
                report.count(what, found)
                continue
            for member, number in found.items():
                details = number.items() if isinstance(number, Mapping) else [("", number)]
                for detail, part in details:
                    report.count(member, part, what, detail)
        return report


def _members_in_words(members: Counter[str]) -> str:
    """The counts of a group, the largest first, and behind each those of its parts."""
    parts: dict[str, list[str]] = {}  # by what they are parts of
    for name, number in sorted(members.items(), key=_largest):
        whole, _, part = name.partition(OF_WHICH)
        parts.setdefault(whole, []).extend([f"{number:,} {part}"] if part else [])
    return "; ".join(f"{members[whole]:,} {whole}{OF_WHICH * bool(own)}{listed(own)}" for whole, own in parts.items())


def _largest(entry: tuple[str, int]) -> tuple[int, str]:
    """The key that sorts counts, the largest first."""
    return -entry[1], entry[0]


def single(items: Sequence[Item]) -> Item:
    """The only one of a list. Raises ValueError where there are none or several."""
    if len(items) != 1:
        raise ValueError(f"a list of {counted(len(items), 'items')} stands where one is needed; give one of them")
    return items[0]


def names_of(name: str, count: int) -> list[str]:
    """The names of the items of a file that holds `count` of them: FILE alone, or FILE#INDEX counted from 0."""
    return [name] if count == 1 else [f"{name}#{place}" for place in range(count)]


def file_and_index(word: str, kind: str) -> tuple[Path, int | None]:
    """The file and the number of FILE#INDEX; no number for what has no # or is a file itself. `kind` is for errors.

    Raises ValueError when the index is no number, and without a file.
    """
    name, mark, number = word.rpartition("#")
    if not (name if mark else word) and not (mark and Path(word).exists()):
        raise ValueError(f"'{word}' names no file; give the path of a file, or FILE#INDEX for a single {kind}")
    if not mark or Path(word).exists():
        return Path(word), None
    if not (number.isascii() and number.isdigit()):
        raise ValueError(f"'{word}' names no {kind}; write FILE#INDEX, counted from 0, such as {name}#0")
    return Path(name), int(number)


def no_such_index(path: Path, number: int, count: int, kinds: str) -> ValueError:
    """The error for a FILE#INDEX behind the last of `count` windows, images, ..."""
    last = f" to #{count - 1}" if count > 1 else ""
    return ValueError(f"{path} has {counted(count, kinds)}, so there is no #{number}; give {path}#0{last}")
