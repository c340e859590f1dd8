"""Folders, zips and files of MIDI to the windows of a modality; every file and every note is accounted for."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from seqvae.config import few
from seqvae.modalities.base import Named, Report, Split
from seqvae.modalities.midi.accounts import Accounts
from seqvae.modalities.midi.division import Division, Span, divide
from seqvae.modalities.midi.grid import in_meter, layout
from seqvae.modalities.midi.meters import Meter
from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.parser import MidiError, parse
from seqvae.modalities.midi.part import Part
from seqvae.modalities.midi.settings import MidiData
from seqvae.modalities.midi.sources import MidiFile, contents, find
from seqvae.modalities.midi.survey import BATCH_FILES, FILES_FOR_PROCESSES, Survey
from seqvae.modalities.midi.windows import Bars, Ways, in_any, numbered, starts
from seqvae.modalities.processes import in_processes

Item = TypeVar("Item")
Chosen = tuple[MidiFile, Span | None]  # a file that is read, and which of its windows are held out


@dataclass(frozen=True)
class MidiSource(Generic[Item]):
    """MIDI files as one modality reads them: on the grid of its settings, the notes of its part, one split of them."""

    data: MidiData
    part: Part[Item]
    split: Split = "all"
    survey: Survey[Item] | None = None  # of the files to divide, where these are read otherwise than in training

    def files_of(self, source: Path) -> list[Path]:
        """The MIDI files of a source; a zip counts as one. Raises ValueError when there are none."""
        return list(dict.fromkeys(file.path for file in find([source])))

    def identity(self) -> tuple[dict[str, object], str]:
        """What windows depend on besides the files: settings by name, and the sha256 of the table of splits in hex."""
        data, table, names = self.data, b"", ["steps_per_quarter", "bars", "hop", "unique"]
        settings = asdict(self.part) | {"meter": data.only_meter, "split": self.split, "split_csv": None}
        if data.assumed_meter:
            settings["assume_meter"] = data.assumed_meter
        if self.split != "all":
            names += ["split_column", "valid_share", "test_share"]
            settings["seed"] = data.split_seed
            table = Path(data.split_csv).read_bytes() if data.split_csv else b""  # what it says, not where it is
        return settings | {name: getattr(data, name) for name in names}, hashlib.sha256(table).hexdigest()

    def division(self, files: Sequence[MidiFile]) -> Division:
        """What is held out of these files."""
        return divide(files, self.survey or Survey(self.data, self.part))

    def read(self, sources: Sequence[Path], report: Report, processes: int | None = None) -> Iterator[Item]:
        """The windows of all files: sources in order, the files of each by relative path, windows by bar.

        What came of each file and note is in the report, complete once the last window was taken. `processes` is how
        many share the work, by default one for a few thousand files and else as many as there are processors; the
        windows, their order and the report are the same.

        Raises ValueError when a source has no MIDI file, and at the end when there was no window in all of them.
        """
        files, where = self._chosen(sources, report)
        if processes is None and len(files) < FILES_FOR_PROCESSES:
            processes = 1
        return self._windows(files, where, report, processes)

    def named(self, sources: Sequence[Path], report: Report, meters: Collection[Meter]) -> Iterator[Named]:
        """The windows of these metres, repeated ones too, each under its FILE#INDEX; what is left out is counted.

        Raises ValueError when a source has no MIDI file, and at the end when there was no window in all of them.
        """
        accounts, others, count = Accounts(self.part), 0, 0
        files, where = self._chosen(sources, Report())
        for file, content, span in _with_contents(files):
            try:
                laid = self._take(file, content, accounts)[0]
            except MidiError as error:
                accounts.skip(error)
                continue
            for number, meter, item in self._numbered(laid, span):
                if meter in meters:
                    count += 1
                    yield Named(f"{file}#{number}", item, file.path)
                else:
                    others += 1
        report.count("of metres that the model does not know, left out", others, "windows")
        accounts.report_lacking(report)
        accounts.report_skipped(report)
        if not count and not others:
            accounts.refuse(where, self.data)
        if not count:
            raise ValueError(f"no window of {where} is in a metre that the model knows; give other files")

    def _numbered(self, laid: Sequence[Ways[Item]], span: Span | None) -> Iterator[tuple[int, Meter, Item]]:
        """The windows of a file that are read: their numbers, metres and items."""
        data = self.data
        firsts = [own for place, ways in enumerate(laid) for own in self._firsts(place, ways, span)]
        flat = [stretch for ways in laid for stretch in ways]
        for (number, stretch), own in zip(numbered(flat, data.hop), firsts, strict=True):
            for first in own:
                yield number + first // data.hop, stretch.meter, stretch.cut(first, data.bars)

    def _firsts(self, place: int, ways: Ways[Item], span: Span | None) -> list[Sequence[int]]:
        """The first bars of those windows of the bars at this place of a file that are read, in each way.

        What is held out of a file are bars, in whatever way they are heard.
        """
        data = self.data
        if data.only_meter not in (None, ways[0].meter):
            return [()] * len(ways)
        found = [starts(way, data.bars, data.hop) for way in ways]
        if span is None or self.split == "all":
            return found
        kept = span.firsts(place, in_any(found), data.bars, self.split)
        return [[first for first in own if first in kept] for own in found] if len(ways) > 1 else [kept]

    def _chosen(self, sources: Sequence[Path], report: Report) -> tuple[list[Chosen], str]:
        """The files of the split, and what errors call them; the others are counted.

        Raises ValueError where there is none.
        """
        files, where = find(sources), few(map(str, sources))
        report.count("found", len(files), "files")
        if self.split == "all":
            return [(file, None) for file in files], where
        division = self.division(files)
        places = division.places(self.split)
        for place in set(range(len(files))).difference(places):
            part = division.parts[place]
            what = "that the table of splits does not name" if part is None else f"of the split {part}"
            report.count(what, 1, "files")
        if not places:
            sizes = few(f"{part} has {count}" for part, count in sorted(Counter(filter(None, division.parts)).items()))
            raise ValueError(f"the split '{self.split}' has none of the {len(files)} files; {sizes}")
        where = where if len(places) == len(files) else f"the split '{self.split}' of {where}"
        return [(files[place], division.spans.get(place)) for place in places], where

    def _windows(self, files: Sequence[Chosen], where: str, report: Report, processes: int | None) -> Iterator[Item]:
        accounts, known, data = Accounts(self.part), set[bytes](), self.data
        batches = [files[start : start + BATCH_FILES] for start in range(0, len(files), BATCH_FILES)]
        alone = replace(self, survey=None)  # what goes to another process is small
        for of_batch, stretches in in_processes(alone._read_batch, batches, processes):
            accounts.add(of_batch)
            for stretch, firsts in stretches:
                for first in firsts:
                    item = stretch.cut(first, data.bars)
                    if data.unique:
                        digest = self.part.digest(item)
                        if digest in known:
                            report.count("repeated windows dropped")
                            continue
                        known.add(digest)
                    yield item
        if not accounts.report.of("found", "windows"):
            accounts.refuse(where, data)
        report.add(accounts.report)
        accounts.report_losses(report)
        accounts.report_lacking(report)
        accounts.report_skipped(report)

    def _read_batch(self, files: Sequence[Chosen]) -> tuple[Accounts, list[tuple[Bars[Item], Sequence[int]]]]:
        """What came of files; the stretches of them that have windows, and the first bars of these."""
        accounts, found = Accounts(self.part), list[tuple[Bars[Item], Sequence[int]]]()
        for file, content, span in _with_contents(files):
            try:
                laid, windows = self._take(file, content, accounts)
            except MidiError as error:
                accounts.skip(error)
                continue
            before = len(found)
            for place, ways in enumerate(laid):
                pairs = zip(ways, self._firsts(place, ways, span), strict=True)
                found += [(way, firsts) for way, firsts in pairs if firsts]
            left = windows - sum(len(firsts) for _, firsts in found[before:])
            accounts.report.count("of other parts of their files, left out", left, "windows")
        accounts.losses.flush()
        return accounts, found

    def _take(self, file: MidiFile, content: bytes | MidiError, accounts: Accounts) -> tuple[list[Ways[Item]], int]:
        """The bars of a file by their segments, and how many windows of the metre that is read they have.

        Raises MidiError when it is no MIDI file that can be read.
        """
        notes = in_meter(_notes(content, str(file)), self.data.assumed_meter)
        taken = self.part.take(notes)
        placed = layout(notes, taken.places, self.data.steps_per_quarter)
        laid = [self.part.ways(segment, taken) for segment in placed.segments]
        return laid, accounts.take(file.name, notes, taken, placed, laid, self.data)


def _with_contents(files: Sequence[Chosen]) -> Iterator[tuple[MidiFile, bytes | MidiError, Span | None]]:
    for (file, content), (_, span) in zip(contents(file for file, _ in files), files, strict=True):
        yield file, content, span


def notes_of(path: Path) -> Notes:
    """The notes of one file. Raises MidiError when it is no MIDI file that can be read."""
    ((_, content),) = contents([MidiFile(path)])
    return _notes(content, path)


def _notes(content: bytes | MidiError, path: Path | str) -> Notes:
    if isinstance(content, MidiError):
        raise content
    return parse(content, path)
