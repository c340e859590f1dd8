"""What becomes of every file and note: counted for the report, and in one sentence where nothing comes out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from seqvae.config import counted, few
from seqvae.modalities.base import Report
from seqvae.modalities.items import OF_WHICH
from seqvae.modalities.midi.grid import Layout
from seqvae.modalities.midi.losses import Losses
from seqvae.modalities.midi.meters import Meter, meter_name
from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.parser import MOST_TRACKS, MidiError
from seqvae.modalities.midi.part import Part, PartWords, Taken
from seqvae.modalities.midi.settings import MidiData
from seqvae.modalities.midi.windows import Bars, Ways, all_starts, bars_in_windows, in_any, starts

Item = TypeVar("Item")


@dataclass
class Accounts:
    """What came of files and notes. Those of several batches of files add up."""

    part: Part[Any]
    report: Report = field(default_factory=Report)
    skipped: Counter[str] = field(default_factory=Counter)  # reasons: files
    examples: dict[str, str] = field(default_factory=dict)  # reasons: the first of these files
    lacks: Counter[str] = field(default_factory=Counter)  # what files have none of that have no notes: files
    places: Counter[Any] = field(default_factory=Counter)  # of notes, by `Part.where`, of files that have none
    other_meters: Counter[Meter] = field(default_factory=Counter)  # files
    misfits: Counter[Meter] = field(default_factory=Counter)  # files
    longest: Counter[Meter] = field(default_factory=Counter)  # bars
    lacking: dict[str, list[str]] = field(default_factory=dict)  # how files are read without what others have: names
    losses: Losses = field(default_factory=Losses)

    @property
    def words(self) -> PartWords:
        """How to speak of the notes."""
        return self.part.words

    def add(self, other: "Accounts") -> None:
        """Take up what another one counted, of later files."""
        self.report.add(other.report)
        for name in ("skipped", "lacks", "places", "other_meters", "misfits"):
            getattr(self, name).update(getattr(other, name))
        self.examples = other.examples | self.examples
        self.longest |= other.longest
        for lacking, names in other.lacking.items():
            self.lacking.setdefault(lacking, []).extend(names)
        self.losses.add(other.losses)

    def skip(self, error: MidiError) -> None:
        """Count a file that is not read."""
        self.skipped[error.reason] += 1
        self.examples.setdefault(error.reason, str(error.path))

    def take(
        self, name: str, notes: Notes, taken: Taken, placed: Layout, laid: Sequence[Ways[Item]], data: MidiData
    ) -> int:
        """Count a file that is read, whose bars these are, by segments; how many windows it has."""
        usable = [ways[0] for ways in laid if data.only_meter in (None, ways[0].meter)]
        windows, is_long = 0, False
        count, group, in_windows, places = self.report.count, self.words.notes, 0, 0
        for segment, ways in zip(placed.segments, laid, strict=True):
            if ways[0] in usable and ways[0].bars >= data.bars:
                is_long = True
                of_ways = [starts(way, data.bars, data.hop) for way in ways]
                firsts, found = in_any(of_ways), sum(map(len, of_ways))
                bars = bars_in_windows(firsts, data.bars)
                for first, last in bars:
                    own = ways[0].count(first, last)  # of all ways together
                    in_windows, places = in_windows + own[0], places + own[1]
                self.losses.take(segment, taken.voices, bars)
                windows += found
                count("found", found, "windows")
                silent = len(all_starts(ways[0], data.bars, data.hop)) - len(firsts)
                count(f"without {self.words.window or group}, left out", silent, "windows")
        count("read", 1, "files")
        count(f"read{OF_WHICH}up to a damage", bool(notes.damage), "files")
        for lacking in _lacking([way for ways in laid for way in ways]):
            count(f"read{OF_WHICH}{lacking}", 1, "files")
            self.lacking.setdefault(lacking, []).append(name)
        count("found", taken.found, group)
        count("on the grid", places, group)
        count("outside of windows", len(taken.places) - in_windows, group)
        count_unheld(self.report, taken, self.words)
        count_hidden(self.report, taken, self.words)
        count_strange(self.report, taken)
        self.misfits.update(placed.misfits.keys())
        self.other_meters.update({ways[0].meter for ways in laid if ways[0] not in usable})
        for stretch in usable:
            self.longest[stretch.meter] = max(self.longest[stretch.meter], stretch.bars)
        if not is_long:
            count(f"read{OF_WHICH}without {self._lacking(notes, taken, usable, data)}", 1, "files")
        return windows

    def _lacking(self, notes: Notes, taken: Taken, usable: list[Bars[Item]], data: MidiData) -> str:
        """What a file without windows lacks."""
        if not taken.found:
            lacks = taken.lacks or self._no_notes
            self.lacks[lacks] += 1
            if not (taken.lacks and self.words.lacking):
                self.places.update(self.part.where(notes))
            return lacks
        if not len(taken.places):
            return f"{self.words.notes} {self.words.held}"
        if not usable:
            return f"bars of {data.meter}" if data.meter else "a metre that fits the grid"
        return f"{data.bars} bars"

    def report_losses(self, report: Report) -> None:
        """Count the notes that the grid loses in a report, by what they are, and say what other grids would lose."""
        count_lost(report, self.losses, self.words)
        report.remarks += self.losses.remarks(self.words.notes)

    def report_lacking(self, report: Report) -> None:
        """Name in a report the files that are read without what others have, such as chords, or were lent it."""
        for lacking, names in self.lacking.items():
            report.remarks.append(f"{counted(len(names), 'files')} read {lacking}: {few(names)}")

    def report_skipped(self, report: Report) -> None:
        """Count the files that were not read, and why, in a report."""
        for reason, number in self.skipped.items():
            report.count(f"files skipped: {reason}, such as {self.examples[reason]}", number)

    def refuse(self, where: str, data: MidiData) -> NoReturn:
        """Raise the ValueError that says why nothing came out."""
        words, read, found = self.words, self.report.of("read", "files"), self.report.of("found", self.words.notes)
        if not read:
            reasons = few(f"{why} ({count}, such as {self.examples[why]})" for why, count in self.skipped.items())
            raise ValueError(f"nothing of {where} can be read: {reasons}; give files of MIDI")
        if not found:
            lacks = few(f"no {lacks} in {counted(number, 'files')}" for lacks, number in self.lacks.most_common())
            lacking = words.lacking if self.lacks.keys() - {self._no_notes} else ""
            of_notes = "" if lacking and self._no_notes not in self.lacks else self._where_notes_are
            raise ValueError(f"{where} has {lacks}; {'; '.join(filter(None, (of_notes, lacking)))}")
        if self.longest:
            meter, bars = max(self.longest.items(), key=lambda item: item[1])
            if bars >= data.bars:
                raise ValueError(
                    f"no window of {counted(data.bars, 'bars')} of {where} has {words.window or words.notes}; pass a "
                    "smaller data.hop, or give other files"
                )
            raise ValueError(
                f"no window of {counted(data.bars, 'bars')} fits into {where}: the longest stretch of one metre has "
                f"{counted(bars, 'bars')} of {meter_name(meter)}; pass data.bars={bars}, or give longer files"
            )
        self._refuse_notes(where, found, data)

    @property
    def _no_notes(self) -> str:
        """What a file lacks that has no note of the part."""
        return f"{self.words.notes} on {self.words.channel}"

    @property
    def _where_notes_are(self) -> str:
        """Where files have notes that have none of the part, and what to do."""
        words = self.words
        if not self.places:
            return f"it has no notes; give {words.wanted}"
        places = few(f"{place} ({count})" for place, count in sorted(self.places.items(), key=_in_order))
        what = words.other_channel if self.places.keys() - {words.foreign} else f"give {words.wanted}"
        return f"{words.places} with notes: {places}; {what}"

    def _refuse_notes(self, where: str, found: int, data: MidiData) -> NoReturn:
        """Raise the ValueError for files that have notes, and no bar of them that is read."""
        words = self.words
        unheld = self.report.details.get((words.notes, words.outside), Counter())
        if unheld.total() == found:
            pitches = few(f"{pitch} ({unheld[pitch]})" for pitch in sorted(unheld, key=int))
            raise ValueError(f"{words.map} holds no pitch of {where}: it has {pitches}; {words.other_map}")
        if self.other_meters:
            there = few(
                f"{meter_name(meter)} ({counted(count, 'files')})" for meter, count in self.other_meters.most_common()
            )
            raise ValueError(f"no bars of {data.meter} in {where}; it has {there}; pass another data.meter")
        if self.misfits:
            raise ValueError(
                f"bars of {few(map(meter_name, self.misfits))} in {where} are no whole number of steps at "
                f"{data.steps_per_quarter} steps a quarter; pass a finer grid as data.steps_per_quarter"
            )
        raise ValueError(f"no bar of {where} is whole: its metre changes before one ends; give other files")


def say_lacking(report: Report, bars: Sequence[Bars[Any]]) -> None:
    """Say of a piece that it has nothing of what its bars may have besides notes, such as chords, or was lent it."""
    report.remarks += [f"read {lacking}" for lacking in _lacking(bars)]


def _lacking(bars: Sequence[Bars[Any]]) -> list[str]:
    """How bars are read that all lack something, or have what was lent to them; nothing else."""
    if bars and all(each.lacks for each in bars):
        return [f"without {bars[0].lacks}"]
    return [bars[0].lent] if bars and all(each.lent for each in bars) else []


def count_lost(report: Report, losses: Losses, words: PartWords) -> None:
    """Count the notes that a grid loses, by what they are."""
    for kind, number in losses.kinds.items():
        report.count("lost to the grid", number, words.notes, kind.format(holder=words.holder, close=words.close))


def count_unheld(report: Report, taken: Taken, words: PartWords) -> None:
    """Count the notes of a file that a part has no place for."""
    for pitch, number in taken.unheld.items():
        report.count(words.outside, number, words.notes, str(pitch))


def count_hidden(report: Report, taken: Taken, words: PartWords) -> None:
    """Count the notes of a file that others hide."""
    report.count(words.hidden, taken.hidden, words.notes)


def count_strange(report: Report, taken: Taken) -> None:
    """Count the texts among the chord symbols of a file that are none; the chord before goes on."""
    for text, number in taken.strange_texts.items():
        report.count("passed over among chord symbols", number, "texts", text)


def _in_order(entry: tuple[int | str, int]) -> tuple[int, str]:
    """The key that sorts places by the number that they begin with, those without one last."""
    number, _, name = str(entry[0]).partition(" ")
    return (int(number), name) if number.isdigit() else (MOST_TRACKS, number)
