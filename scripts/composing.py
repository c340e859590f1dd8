"""What the composers of the demo have in common: bars of 4/4 in ticks, folders of pieces with a table, reading MIDI."""

import csv
import io
import itertools
import os
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI

QUARTER = 480  # ticks
BAR = 4 * QUARTER


def midi_of(bars: int, bpm: int) -> "PrettyMIDI":
    """A MIDI object of so many bars of 4/4 without tracks; its `tick_to_time` is exact."""
    from pretty_midi import PrettyMIDI, TimeSignature

    midi = PrettyMIDI(resolution=QUARTER, initial_tempo=bpm)
    midi.time_signature_changes.append(TimeSignature(4, 4, 0.0))
    midi.tick_to_time(bars * BAR)  # makes the table of ticks, without which times are rounded
    return midi


def read_midi(path: Path) -> "PrettyMIDI":
    """The MIDI object of a file; ValueError for what is none."""
    from pretty_midi import PrettyMIDI

    try:
        return PrettyMIDI(str(path))
    except (ArithmeticError, AttributeError, EOFError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not read as MIDI ({error}); give MIDI files.") from None


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files, and all .mid files below the folders; ValueError where there are none."""
    files = [file for path in paths for file in (sorted(path.rglob("*.mid")) if path.is_dir() else [path])]
    if not files:
        raise ValueError(
            f"there is no .mid file in {', '.join(map(str, paths))}; give MIDI files, or a folder of them."
        )
    return files


def split_of(number: int, files: int) -> str:
    """A tenth of a style's pieces, at least one of three, to each of valid and test; numbers count from 1."""
    tenth = max(round(files / 10), files >= 3)
    return "test" if number <= tenth else "valid" if number <= 2 * tenth else "train"


def write_corpus(
    folder: Path,
    styles: Sequence[str],
    files: int,
    seed: int,
    compose: Callable[[str, random.Random], tuple["PrettyMIDI", Mapping[str, Any]]],
    plain: Callable[[str], "PrettyMIDI"],
) -> None:
    """Compose so many pieces into a folder, STYLE/STYLE-001.mid and so on, and plain clips into `clips` beside it.

    info.csv has the style of each piece, what `compose` says of it, its metre and split. Raises ValueError where the
    folder has a piece of another run.
    """
    counts = {style: files // len(styles) + (place < files % len(styles)) for place, style in enumerate(styles)}
    names = {style: [f"{style}/{style}-{number:03d}.mid" for number in range(1, counts[style] + 1)] for style in styles}
    wanted = set(itertools.chain(*names.values()))
    for path in sorted(folder.rglob("*.mid")):
        # A piece left over from another run may be in another split than its like.
        if path.relative_to(folder).as_posix() not in wanted:
            raise ValueError(f"{path} is left from another run; delete it or choose another --out.")
    table: list[Mapping[str, Any]] = []
    for style, paths in names.items():
        for number, name in enumerate(paths, 1):
            midi, facts = compose(style, random.Random(f"{seed}/{style}/{number}"))
            _write_midi(folder / name, midi)
            split = split_of(number, len(paths))
            table.append({"midi_filename": name, "style": style, **facts, "time_signature": "4-4", "split": split})
        _write_midi(folder.with_name("clips") / f"{style}.mid", plain(style))
        click.echo(f"{folder / style}: {len(paths)} pieces")
    text = io.StringIO()
    rows = csv.DictWriter(text, list(table[0]), lineterminator="\n")
    rows.writeheader()
    rows.writerows(table)
    _write(folder / "info.csv", text.getvalue().encode())
    click.echo(f"{folder / 'info.csv'}: {files} pieces of {len(styles)} styles")


def _write(path: Path, content: bytes) -> None:
    """Write a file that takes its name only when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def _write_midi(path: Path, midi: "PrettyMIDI") -> None:
    content = io.BytesIO()
    midi.write(content)
    _write(path, content.getvalue())
