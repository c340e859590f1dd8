"""The model of a run, and the items that INPUT arguments and --file name."""

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from seqvae.cli.options import given_checkpoint
from seqvae.cli.run_command import given_uses
from seqvae.cli.spoken import spoken
from seqvae.config import MOST_NAMES, counted, uses_of

if TYPE_CHECKING:
    from seqvae.codes import Windows
    from seqvae.modalities.base import Named, Report
    from seqvae.model import Model

    Split = Literal["train", "valid", "test"]

MOST_OF_INPUT = 100  # items of a file that is no --file: more of them are hardly meant


def open_model(
    run: Path, device: str, split: "Split | None" = None, prior: 'Literal["standard", "fitted"] | None' = None
) -> "Model":
    """The model of a run, read and written as the options say. Raises ValueError for what it cannot do.

    Raises UsageError for an option that says how files are split where no split is chosen.
    """
    from seqvae.model import load

    model = load(run, device, given_checkpoint()).in_windows()
    for name in given_uses() if split is None else ():
        if uses_of(model.modality.data_config)[name] == ("splitting",):
            flag = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{flag} says which file is of which split; choose one with --split")
    return (model if prior is None else model.with_prior(prior)).using(given_uses())


def model_for_data(run: Path, device: str, split: "Split | None", data: Sequence[Path]) -> "Model":
    """The model of a run, which reads DATA as the options say. Raises UsageError for these where there are no DATA."""
    flags = ["--split"] * (split is not None) + [f"--{name.replace('_', '-')}" for name in given_uses()]
    if flags and not data:
        raise click.UsageError(f"{', '.join(flags)} says how DATA are read; give DATA, or leave it out")
    model = open_model(run, device, split)
    return model if split is None else model.of_split(split, data)


def read_items(
    model: "Model", inputs: Sequence[str], file: Path | None, split: "Split | None"
) -> "tuple[list[Named], list[Windows]]":
    """The items of the INPUT arguments, then those of `--file`, and what the model reads of each.

    What it cannot hold of them is shown on stderr. Raises UsageError when there are none.
    """
    named = [item for word in inputs for item in _some(model, word)]
    if file is not None:
        named += _all_of(model if split is None else model.of_split(split, [file]), file)
    elif split is not None:
        raise click.UsageError("--split chooses among the files of --file; give --file, or leave --split out")
    words = model.modality.words
    if not named:
        raise click.UsageError(
            f"no input; give INPUT ({words.input}{words.all_of}), or --file FILE for all of its items"
        )
    return named, windows_of(model, named)


def one_item(model: "Model", word: str) -> "Named":
    """The single item of an argument such as A or B. Raises UsageError when it is none or several."""
    items = _find(model, word)
    if len(items) != 1:
        example = f", such as {items[0].name}" if items else ""
        raise click.UsageError(f"'{word}' gives {counted(len(items), 'items')} where one is needed; give one{example}")
    return items[0]


def windows_of(model: "Model", named: "Sequence[Named]") -> "list[Windows]":
    """What the model reads of items, each read once; what it cannot hold of them is shown on stderr.

    Of the first items that hold what it does not know, this is said one by one.
    """
    from seqvae.modalities.base import Report

    losses = Report()
    windows = [model.windows(item) for item in named]
    for each in windows:
        losses.add(each.report)
    unread = filter(None, (model.modality.unread(item) for each in windows for item in each.items))
    losses.remarks += itertools.islice(unread, MOST_NAMES)
    show_report("input", losses)
    return windows


def _some(model: "Model", word: str) -> "list[Named]":
    """The items of an INPUT argument, beside which there is --file."""
    from seqvae.modalities.items import SeveralItems

    words = model.modality.words
    try:
        found = _find(model, word)
        if len(found) > MOST_OF_INPUT and word != "-":
            several_items = f"{word} has {len(found):,} {words.items}; give one of them, such as {word}#0"
            raise SeveralItems(several_items, Path(word))
    except SeveralItems as several:
        raise ValueError(f"{several}, or --file {several.path} for all of its {words.items}") from None
    return found


def _find(model: "Model", word: str) -> "list[Named]":
    from seqvae.modalities.base import Report

    report = Report()
    if word == "-":
        encoding = given_uses().get("encoding") or sys.stdin.encoding
        found = model.modality.find_in_stream(sys.stdin.buffer, encoding, report)
    else:
        found = model.modality.find(word, report)
    show_report("standard input" if word == "-" else word, report)
    return found


def _all_of(model: "Model", file: Path) -> "list[Named]":
    from seqvae.memory import readable
    from seqvae.modalities.base import Report

    report = Report()
    with readable(model.modality, [file]) as files:
        found = list(model.modality.named(files, report))
    show_report(str(file), report)
    return found


def show_assumed(model: "Model") -> None:
    """What is given to items that are made of codes alone, where that is not what was asked for, on stderr."""
    if model.modality.assumed:
        click.echo(spoken(model.modality.assumed), err=True)


def show_report(name: str, report: "Report") -> None:
    """What reading something dropped or changed, on stderr."""
    for line in report.lines():
        click.echo(f"{name}: {spoken(line)}", err=True)
