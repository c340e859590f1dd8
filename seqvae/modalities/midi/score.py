"""A whole piece on the grid: its bars in stretches of one metre, its windows by their numbers, and what it lost."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from seqvae.config import few
from seqvae.modalities.base import Named, Report
from seqvae.modalities.items import file_and_index, no_such_index
from seqvae.modalities.midi.accounts import Accounts, count_unheld
from seqvae.modalities.midi.grid import Layout, layout
from seqvae.modalities.midi.meters import Meter, meter_name
from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.parser import MidiError
from seqvae.modalities.midi.part import PartWords, Taken
from seqvae.modalities.midi.reading import MidiSource, notes_of
from seqvae.modalities.midi.windows import Bars, piece_names, pieces, stretch_at, window_count

Item = TypeVar("Item")

WANTED = "give a MIDI file, or FILE#INDEX for a window of one"


@dataclass(frozen=True)
class Song(Generic[Item]):
    """A whole file: its items one after another, and the name of each."""

    items: Sequence[Item]
    names: Sequence[str]


@dataclass(frozen=True)
class Score(Generic[Item]):
    """All bars of one piece, in order."""

    name: str
    stretches: Sequence[Bars[Item]]
    taken: Taken
    placed: Layout
    damage: str  # why it was read only in part

    def check_meters(self, meters: Collection[Meter]) -> None:
        """Raises ValueError where there are bars in none of these metres."""
        for stretch in self.stretches:
            if stretch.meter not in meters:
                raise ValueError(
                    f"{self.name} is in {meter_name(stretch.meter)}, and this model knows "
                    f"{few(map(meter_name, meters))} only; give a clip in one of these, or train with that metre"
                )

    def count_losses(self, report: Report, words: PartWords) -> None:
        """Count the notes that are in none of the bars, and a damage."""
        count_unheld(report, self.taken, words)
        for meter, number in self.placed.misfits.items():
            what = f"in bars of {meter_name(meter)}, which do not fit the grid, left out"
            report.count(what, number, words.notes)
        if self.damage:
            report.count(f"files read up to a damage ({self.damage})")


def score_of(source: MidiSource[Item], notes: Notes, name: str) -> Score[Item]:
    """All bars of a piece. Raises ValueError, which names it, when there is none."""
    part = source.part.of_piece(notes)
    taken = part.take(notes)
    placed = layout(notes, taken.places, source.data.steps_per_quarter)
    if not placed.segments:
        accounts = Accounts(part.words)
        accounts.take(notes, taken, placed, [], source.data)
        accounts.refuse(name, source.data)
    return Score(name, [part.lay(segment) for segment in placed.segments], taken, placed, notes.damage)


def items_of(source: MidiSource[Item], notes: Notes, name: str, meters: Collection[Meter]) -> list[Item]:
    """A whole piece in items, window after window; the last of each stretch of one metre may be shorter.

    Raises ValueError, which names the piece, for one without bars or in another metre than these.
    """
    score = score_of(source, notes, name)
    score.check_meters(meters)
    return pieces(score.stretches, source.data.bars)


def find_song(source: MidiSource[Item], word: str, meters: Collection[Meter], report: Report) -> Named:
    """A MIDI file as a Song, whose losses are counted, or its window FILE#INDEX, which may be shorter at the end.

    Raises ValueError when there is none, or in another metre than these.
    """
    path, number = file_and_index(word, "window")
    _check_file(path)
    try:
        score = score_of(source, notes_of(path), str(path))
    except MidiError as error:
        raise ValueError(f"{error}; {WANTED}") from None
    bars, hop = source.data.bars, source.data.hop
    if number is None:
        score.check_meters(meters)
        score.count_losses(report, source.part.words)
        return Named(word, Song(pieces(score.stretches, bars), piece_names(word, score.stretches, bars, hop)), path)
    count = window_count(score.stretches, hop)
    if number >= count:
        raise no_such_index(path, number, count, "windows")
    stretch, first = stretch_at(score.stretches, number, hop)
    if stretch.meter not in meters:
        raise ValueError(
            f"{word} is in {meter_name(stretch.meter)}, and this model knows {few(map(meter_name, meters))} only; give "
            "another window, or train with that metre"
        )
    return Named(word, stretch.cut(first, min(bars, stretch.bars - first)), path)


def _check_file(path: Path) -> None:
    """Raises ValueError for what cannot be one MIDI file."""
    if path.is_dir() or path.suffix.lower() == ".zip":
        kind = "folder" if path.is_dir() else "zip"
        raise ValueError(f"{path} is a {kind}; give one MIDI file of it, or --file {path} for all of its windows")
    if not path.exists():
        raise ValueError(f"there is no file {path}; {WANTED}")
