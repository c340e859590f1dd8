"""A whole piece on the grid: its bars in stretches of one metre, its windows by their numbers, and what it lost."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from seqvae.config import counted, few
from seqvae.modalities.base import Named, Report
from seqvae.modalities.items import SeveralItems, file_and_index, no_such_index
from seqvae.modalities.midi.accounts import (
    Accounts,
    count_hidden,
    count_lost,
    count_strange,
    count_unheld,
    say_lacking,
)
from seqvae.modalities.midi.grid import Layout, bar_number, in_meter, layout
from seqvae.modalities.midi.losses import Losses
from seqvae.modalities.midi.meters import Meter, meter_name
from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.parser import MidiError
from seqvae.modalities.midi.part import PartWords, Taken
from seqvae.modalities.midi.reading import MidiSource, notes_of
from seqvae.modalities.midi.settings import MidiData
from seqvae.modalities.midi.windows import Bars, piece_names, pieces, stretch_at, window_count

Item = TypeVar("Item")

OBJECT = "the PrettyMIDI object"  # how errors call it
WANTED = "give a MIDI file, or FILE#INDEX for a window of one"


@dataclass(frozen=True)
class Song(Generic[Item]):
    """A whole file: its items one after another, and the name of each."""

    items: Sequence[Item]
    names: Sequence[str]


@dataclass(frozen=True)
class Score(Generic[Item]):
    """All bars of one piece, in order; `first_bars` are the numbers of the first bar of each stretch, from 1."""

    name: str
    stretches: Sequence[Bars[Item]]
    first_bars: Sequence[int]
    taken: Taken
    placed: Layout
    damage: str  # why it was read only in part
    windows_of: str = ""  # how names of windows call it, where that is not `name`

    def song(self, data: MidiData, meters: Collection[Meter]) -> Song[Item]:
        """The bars that are read, in items; those of other metres than `data.meter` are left out.

        Raises ValueError where none is left, or one is in none of these metres.
        """
        self._check_meters(data.only_meter, meters)
        items = pieces(self.stretches, data.bars)
        names = piece_names(self.windows_of or self.name, self.stretches, data.bars, data.hop)
        of = [stretch for stretch in self.stretches for _ in range(0, stretch.bars, data.bars)]
        kept = [place for place, own in enumerate(of) if data.only_meter in (None, own.meter) and not own.repeats]
        return Song([items[place] for place in kept], [names[place] for place in kept])

    def _check_meters(self, only: Meter | None, meters: Collection[Meter]) -> None:
        there = Counter[Meter]()
        for stretch in self.stretches:
            there[stretch.meter] += 0 if stretch.repeats else stretch.bars
        if only is not None and only not in there:
            found = few(f"{counted(bars, 'bars')} of {meter_name(meter)}" for meter, bars in there.items())
            raise ValueError(
                f"{self.name} has no bar of {meter_name(only)}, the metre that is read; it has {found}; give another "
                f"file, {_or_read(there, meters)}"
            )
        strange = [meter for meter in there if only is None and meter not in meters]
        if strange:
            known = [meter for meter in there if meter in meters]
            alone = f", or pass data.meter={meter_name(known[0])} to read those bars alone" if known else ""
            raise ValueError(
                f"{self.name} is in {meter_name(strange[0])}, and this model knows "
                f"{few(map(meter_name, meters))} only; give a clip in one of these{alone}, or train with that metre"
            )

    def count_losses(self, report: Report, words: PartWords, only: Meter | None) -> None:
        """Count the bars of another metre than that which is read and notes that are not heard; say what is lacking."""
        for first, stretch in zip(self.first_bars, self.stretches, strict=True):
            if only not in (None, stretch.meter) and not stretch.repeats:
                last = first + stretch.bars - 1
                where = f"{first} to {last}" if last > first else f"{first}"
                report.count(f"of {meter_name(stretch.meter)}, left out", stretch.bars, "bars", where)
        losses = Losses()
        for segment in self.placed.segments:
            if only in (None, segment.meter):
                losses.take(segment, self.taken.voices, [(0, segment.bars)])
        losses.flush()
        count_lost(report, losses, words)
        count_unheld(report, self.taken, words)
        count_hidden(report, self.taken, words)
        count_strange(report, self.taken)
        for meter, number in self.placed.misfits.items():
            what = f"in bars of {meter_name(meter)}, which do not fit the grid, left out"
            report.count(what, number, words.notes)
        if self.damage:
            report.count(f"files read up to a damage ({self.damage})")
        say_lacking(report, self.stretches)
        self._count_silent_end(report, words)

    def _count_silent_end(self, report: Report, words: PartWords) -> None:
        """Count the whole bars of the file that come after the last one that is read, or has a note of the part."""
        notes = self.placed.segments[-1].notes
        read = self.first_bars[-1] + self.stretches[-1].bars - 1
        first = 1 + max(read, bar_number(notes, int(notes.tick[self.taken.places[-1]]) + 1) - 1)
        bars = bar_number(notes, notes.last + 1) - 1 - first
        where = f"{first} to {first + bars - 1}" if bars > 1 else f"{first}"
        report.count(f"without {words.notes} at the end ({where}), left out", max(0, bars), "bars")


def score_of(source: MidiSource[Item], notes: Notes, name: str) -> Score[Item]:
    """All bars of a piece. Raises ValueError, which names it, when there is none."""
    notes = in_meter(notes, source.data.assumed_meter)
    part = source.part.of_piece(notes)
    taken = part.take(notes)
    placed = layout(notes, taken.places, source.data.steps_per_quarter)
    if not placed.segments:
        accounts = Accounts(part)
        accounts.take(name, notes, taken, placed, [], source.data)
        accounts.refuse(name, source.data)
    laid = [(bar_number(notes, segment.start), way) for segment in placed.segments for way in part.ways(segment, taken)]
    return Score(name, [way for _, way in laid], [first for first, _ in laid], taken, placed, notes.damage)


def song_of(source: MidiSource[Item], notes: Notes, name: str, meters: Collection[Meter]) -> Song[Item]:
    """A PrettyMIDI object in items, window after window; the last of each stretch of one metre may be shorter.

    Where `data.meter` is set, other bars are left out. The name is that of its windows. Raises ValueError for a piece
    without bars, or in another metre than these.
    """
    return replace(score_of(source, notes, OBJECT), windows_of=name).song(source.data, meters)


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
        song = replace(score, windows_of=word).song(source.data, meters)
        score.count_losses(report, source.part.words, source.data.only_meter)
        return Named(word, song, path)
    count = window_count(score.stretches, hop)
    if number >= count:
        raise no_such_index(path, number, count, "windows")
    stretch, first = stretch_at(score.stretches, number, hop)
    if source.data.only_meter not in (None, stretch.meter):
        raise ValueError(
            f"{word} is in {meter_name(stretch.meter)}, and only bars of {source.data.meter} are read; give another "
            f"window, {_or_read([stretch.meter], meters)}"
        )
    if stretch.meter not in meters:
        raise ValueError(
            f"{word} is in {meter_name(stretch.meter)}, and this model knows {few(map(meter_name, meters))} only; give "
            "another window, or train with that metre"
        )
    last = min(first + bars, stretch.bars)
    say_lacking(report, [stretch])
    if not stretch.keeps_silence and not stretch.count(first, last)[0]:
        notes = source.part.words.notes
        report.remarks.append(f"without {notes}, so that there are none in what is made like it; give another window")
    return Named(word, stretch.cut(first, last - first), path)


def _or_read(there: Iterable[Meter], known: Collection[Meter]) -> str:
    """What else to do where bars of these metres are there: to read one that the model knows, or else to train."""
    readable = [meter for meter in there if meter in known]
    return f"or pass data.meter={meter_name(readable[0])}" if readable else "or train with that metre"


def _check_file(path: Path) -> None:
    """Raises ValueError for what cannot be one MIDI file."""
    if path.is_dir() or path.suffix.lower() == ".zip":
        kind = "folder" if path.is_dir() else "zip"
        raise SeveralItems(f"{path} is a {kind}; give one MIDI file of it", path)
    if not path.exists():
        raise ValueError(f"there is no file {path}; {WANTED}")
