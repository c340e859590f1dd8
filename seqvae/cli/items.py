"""INPUT arguments to items, and items to the terminal or to files. What differs between modalities stands here."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqvae.cli.words import counted

if TYPE_CHECKING:
    from seqvae.modalities.base import Report
    from seqvae.model import Model


def read_items(model: "Model", inputs: Sequence[str], file: Path | None, encoding: str | None) -> list[Any]:
    """The items of the INPUT arguments, then those of `--file`; what was dropped goes to stderr.

    `encoding` takes the place of the run's own in reading. Raises UsageError when there are no items.
    """
    parse = _PARSERS[model.modality.name]
    items = [item for value in inputs for item in parse(value, encoding)]
    if file is not None:
        read_as(model, encoding)
        items += _items_of_file(model, file)
    if not items:
        raise click.UsageError("no input; give INPUT, --file FILE, or - to read from the standard input")
    _tell_changes(model, items)
    return items


def read_as(model: "Model", encoding: str | None) -> None:
    """Let the model read files in another encoding than its run's; None changes nothing."""
    if encoding is not None:
        model.modality.data = replace(model.modality.data, encoding=encoding)


def tell_counts(name: str, report: "Report") -> None:
    """What reading something dropped or changed, on stderr."""
    for reason, count in sorted(report.counts.items()):
        click.echo(f"{name}: {counted(count, reason)}", err=True)


def _tell_changes(model: "Model", items: Sequence[Any]) -> None:
    """What the encoding cannot hold of these items, such as unknown words, on stderr."""
    from seqvae.modalities.base import Report

    report = Report()
    for item in items:
        model.modality.encode(item, report)
    tell_counts("input", report)


def one_item(model: "Model", value: str, encoding: str | None) -> Any:
    """The single item of an argument such as A or B. Raises UsageError when it is none or several."""
    items = list(_PARSERS[model.modality.name](value, encoding))
    if len(items) != 1:
        raise click.UsageError(f"'{value}' gives {counted(len(items), 'items')} where one is needed; give one")
    _tell_changes(model, items)
    return items[0]


def _items_of_file(model: "Model", file: Path) -> list[Any]:
    from seqvae.modalities.base import Report

    report = Report([str(file)])
    items = list(model.modality.read([file], report))
    tell_counts(str(file), report)
    return items


def _sentences(value: str, encoding: str | None) -> Iterator[str]:
    """A sentence as it stands, or with `-` the lines of the standard input that are not blank."""
    if value != "-":
        yield value
        return
    from seqvae.modalities.base import Report
    from seqvae.modalities.text.lines import decoded_lines

    report = Report()
    for line in decoded_lines(sys.stdin.buffer, "standard input", encoding or sys.stdin.encoding, report):
        if line.strip():
            yield line
        else:
            report.counts["empty lines dropped"] += 1
    tell_counts("standard input", report)


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


_PARSERS: Mapping[str, Callable[[str, str | None], Iterator[Any]]] = {"text": _sentences}
_SHOWN: Mapping[str, Callable[["Model", Sequence[Any]], str]] = {"text": _lines}
