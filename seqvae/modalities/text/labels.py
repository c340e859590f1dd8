"""Labels of sentences: in a column of their file, or its name. They colour pictures; training never sees them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from seqvae.config import kind_of
from seqvae.modalities.items import Report

TAB = "\t"
MOST_LABELS = 1000  # different ones: more are hardly labels
SUFFIXES = (".gz", ".txt", ".text", ".tsv")


class Labelled(str):
    """A sentence that has a label."""

    label: str | None

    def __new__(cls, text: str, label: str | None) -> "Labelled":
        """The text, which is equal to the same text without a label."""
        item = super().__new__(cls, text)
        item.label = label
        return item

    def __getnewargs__(self) -> tuple[str, str | None]:  # type: ignore[override]
        """What copies and pickles are made of."""
        return str(self), self.label


class Labels:
    """What puts labels to the lines of files, and remembers which there were. `place`: see `TextData.labels`."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.met: dict[str, None] = {}

    def put_to(self, examples: Iterable[str], source: Path | str, report: Report) -> Iterator[str]:
        """The examples of a file with their labels; an empty label is none, and a line of nothing else is dropped.

        Raises ValueError for a line without the column, and where there are more than MOST_LABELS.
        """
        if self.place == "none":
            yield from examples
            return
        before = report.of("empty lines dropped")
        for number, example in enumerate(examples, 1):
            text, label = self._divided(example, source, number + report.of("empty lines dropped") - before)
            if label:
                self.met[label] = None
            if len(self.met) > MOST_LABELS:
                raise ValueError(
                    f"{source} has more than {MOST_LABELS:,} different labels, such as '{label:.40}', and so many are "
                    "hardly labels; name the column that has them as data.labels, or leave it out"
                )
            if text.strip():
                yield Labelled(text, label or None)
            else:
                report.count("lines of a label alone dropped")

    def _divided(self, example: str, source: Path | str, line: int) -> tuple[str, str]:
        if self.place == "file":
            return example, name_of(Path(source))
        if TAB not in example:
            raise ValueError(
                f"{source} line {line} has no label, since no tab is in it ({example!r:.40}); write a tab between text "
                "and label, or give data.labels=none"
            )
        if self.place == "last-column":
            text, _, label = example.rpartition(TAB)
        else:
            label, _, text = example.partition(TAB)
        return text, label.strip()

    def judge(self, report: Report) -> None:
        """A remark where there is a single label, or none at all."""
        if self.place != "none" and len(self.met) < 2:
            what = f"one label, '{next(iter(self.met))}'" if self.met else "no label"
            report.remarks.append(f"all sentences have {what}, so that labels separate nothing")


def name_of(source: Path) -> str:
    """The label of all sentences of a file: its name without its ending.

    >>> name_of(Path("reviews/train.negative.txt.gz"))
    'train.negative'
    """
    name = source.name
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name or source.name


def as_lines(items: Sequence[Any], labels: Sequence[Any], place: str) -> list[str]:
    """Sentences in memory with their labels as lines of a file. Raises ValueError where that cannot be."""
    if place not in ("last-column", "first-column"):
        raise ValueError(
            f"labels of sentences are kept with data.labels=last-column, not {place}; set it, or leave the labels out"
        )
    if len(labels) != len(items):
        raise ValueError(f"there are {len(labels):,} labels for {len(items):,} sentences; give one for each")
    lines = []
    for item, label in zip(items, labels, strict=True):
        word = "" if label is None else str(label)
        if TAB in word or "\n" in word:
            raise ValueError(f"the label {word!r:.40} holds a tab or a line end; give labels without")
        if not isinstance(item, str):
            raise ValueError(f"{kind_of(item)} is no text; give a str")
        lines.append(f"{item}{TAB}{word}" if place == "last-column" else f"{word}{TAB}{item}")
    return lines
