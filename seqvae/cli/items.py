"""INPUT arguments to items, and items to the terminal or to files. What differs between modalities stands here."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from seqvae.model import Model


def read_items(model: "Model", inputs: Sequence[str], file: Path | None) -> list[Any]:
    """The items of the INPUT arguments, then those of `--file`; what was dropped goes to stderr.

    Raises UsageError when there are none.
    """
    parse = _PARSERS[model.modality.name]
    items = [item for value in inputs for item in parse(value)]
    if file is not None:
        items += _items_of_file(model, file)
    if not items:
        raise click.UsageError("no input; give INPUT, --file FILE, or - to read from the standard input")
    _tell_changes(model, items)
    return items


def _tell_changes(model: "Model", items: Sequence[Any]) -> None:
    """What the encoding cannot hold of these items, such as unknown words, on stderr."""
    from seqvae.modalities.base import Report

    report = Report()
    for item in items:
        model.modality.encode(item, report)
    for reason, count in sorted(report.counts.items()):
        click.echo(f"input: {count} {reason}", err=True)


def one_item(model: "Model", value: str) -> Any:
    """The single item of an argument such as A or B. Raises UsageError when it is none or several."""
    items = list(_PARSERS[model.modality.name](value))
    if len(items) != 1:
        raise click.UsageError(f"'{value}' gives {len(items)} items where one is needed; give one")
    _tell_changes(model, items)
    return items[0]


def _items_of_file(model: "Model", file: Path) -> list[Any]:
    from seqvae.modalities.base import Report

    report = Report([str(file)])
    items = list(model.modality.read(file, report))
    for reason, count in sorted(report.counts.items()):
        click.echo(f"{file}: {count} {reason}", err=True)
    return items


def _sentences(value: str) -> Iterator[str]:
    """A sentence as it stands, or with `-` the lines of the standard input that are not blank."""
    if value != "-":
        yield value
        return
    for line in sys.stdin:
        sentence = line.removesuffix("\n").removesuffix("\r")
        if sentence.strip():
            yield sentence


def show_items(model: "Model", items: Sequence[Any], out: Path | None) -> None:
    """Text on the standard output and nothing else there; files in the folder `out` where one is given."""
    click.echo(_SHOWN[model.modality.name](model, items), nl=False)
    if out is not None:
        for path in model.modality.write(items, out):
            click.echo(f"written to {path}", err=True)


def _lines(model: "Model", items: Sequence[str]) -> str:
    """One sentence a line; paragraphs with blank lines between them."""
    from seqvae.modalities.text.lines import joined

    return joined(items, model.config.data.blank_line_separated)


_PARSERS: Mapping[str, Callable[[str], Iterator[Any]]] = {"text": _sentences}
_SHOWN: Mapping[str, Callable[["Model", Sequence[Any]], str]] = {"text": _lines}
