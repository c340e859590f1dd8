"""Folders, zips and files of MIDI to the windows of a modality; every file and every note is accounted for."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Generic, TypeVar

from seqvae.config import few
from seqvae.modalities.base import Named, Report, Split
from seqvae.modalities.midi.accounts import Accounts
from seqvae.modalities.midi.grid import layout
from seqvae.modalities.midi.meters import Meter
from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.parser import MidiError, parse
from seqvae.modalities.midi.part import Part
from seqvae.modalities.midi.processes import in_processes
from seqvae.modalities.midi.settings import MidiData
from seqvae.modalities.midi.sources import MidiFile, contents, find
from seqvae.modalities.midi.splits import splits_of
from seqvae.modalities.midi.windows import Bars, numbered, windows

Item = TypeVar("Item")

BATCH_FILES = 64  # that one process reads at a time
FILES_FOR_PROCESSES = 3000  # fewer are read sooner than processes start


@dataclass(frozen=True)
class MidiSource(Generic[Item]):
    """MIDI files as one modality reads them: on the grid of its settings, the notes of its part, one split of them."""

    data: MidiData
    part: Part[Item]
    split: Split = "all"

    def files_of(self, source: Path) -> list[Path]:
        """The MIDI files of a source; a zip counts as one. Raises ValueError when there are none."""
        return list(dict.fromkeys(file.path for file in find([source])))

    def identity(self) -> tuple[dict[str, object], str]:
        """What windows depend on besides the files: settings by name, and the sha256 of the table of splits in hex."""
        data, table, names = self.data, b"", ["steps_per_quarter", "bars", "hop", "unique"]
        settings = asdict(self.part) | {"meter": data.only_meter, "split": self.split, "split_csv": None}
        if self.split != "all":
            names += ["split_column", "valid_share", "test_share"]
            settings["seed"] = data.split_seed
            table = Path(data.split_csv).read_bytes() if data.split_csv else b""  # what it says, not where it is
        return settings | {name: getattr(data, name) for name in names}, hashlib.sha256(table).hexdigest()

    def splits(self, sources: Sequence[Path]) -> list[str | None]:
        """The split of each MIDI file of the sources; None for one that the table does not name."""
        return splits_of(find(sources), self.data)

    def read(self, sources: Sequence[Path], report: Report, processes: int | None = None) -> Iterator[Item]:
        """The windows of all files: sources in order, the files of each by relative path, windows by bar.

        What came of each file and note is in the report, complete once the last window was taken. `processes` is how
        many share the work, by default one for a few thousand files and else as many as there are processors; the
        windows, their order and the report are the same.

        Raises ValueError when a source has no MIDI file, and at the end when there was no window in all of them.
        """
        files = self._chosen(sources, report)
        if processes is None and len(files) < FILES_FOR_PROCESSES:
            processes = 1
        return self._windows(files, few(map(str, sources)), report, processes)

    def named(self, sources: Sequence[Path], report: Report, meters: Collection[Meter]) -> Iterator[Named]:
        """The windows of these metres, repeated ones too, each under its FILE#INDEX; what is left out is counted.

        Raises ValueError when a source has no MIDI file, and at the end when there was no window in all of them.
        """
        accounts, others, count, where = Accounts(self.part.words), 0, 0, few(map(str, sources))
        for file, content in contents(self._chosen(sources, Report())):
            try:
                stretches = self._take(_notes(content, str(file)), accounts)[0]
            except MidiError as error:
                accounts.skip(error)
                continue
            for number, meter, item in self._numbered(stretches):
                if meter in meters:
                    count += 1
                    yield Named(f"{file}#{number}", item, file.path)
                else:
                    others += 1
        report.count("of metres that the model does not know, left out", others, "windows")
        accounts.report_skipped(report)
        if not count and not others:
            accounts.refuse(where, self.data)
        if not count:
            raise ValueError(f"no window of {where} is in a metre that the model knows; give other files")

    def _numbered(self, stretches: Sequence[Bars[Item]]) -> Iterator[tuple[int, Meter, Item]]:
        """The windows of a file in the metre that is read, or in all: their numbers, metres and items."""
        data = self.data
        for first, stretch in numbered(stretches, data.hop):
            if data.only_meter in (None, stretch.meter):
                for number, item in enumerate(windows(stretch, data.bars, data.hop), start=first):
                    yield number, stretch.meter, item

    def _chosen(self, sources: Sequence[Path], report: Report) -> list[MidiFile]:
        """The files of the split; the others are counted. Raises ValueError where it has none."""
        files = find(sources)
        report.count("found", len(files), "files")
        if self.split == "all":
            return files
        parts = splits_of(files, self.data)
        for part in parts:
            if part is None:
                report.count("that the table of splits does not name", 1, "files")
            elif part != self.split:
                report.count(f"of the split {part}", 1, "files")
        chosen = [file for file, part in zip(files, parts, strict=True) if part == self.split]
        if not chosen:
            sizes = few(f"{part} has {count}" for part, count in sorted(Counter(filter(None, parts)).items()))
            raise ValueError(f"the split '{self.split}' has none of the {len(files)} files; {sizes}")
        return chosen

    def _windows(self, files: Sequence[MidiFile], where: str, report: Report, processes: int | None) -> Iterator[Item]:
        accounts, known, data = Accounts(self.part.words), set[bytes](), self.data
        batches = [files[start : start + BATCH_FILES] for start in range(0, len(files), BATCH_FILES)]
        for of_batch, stretches in in_processes(self._read_batch, batches, processes):
            accounts.add(of_batch)
            for stretch in stretches:
                for item in windows(stretch, data.bars, data.hop):
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
        accounts.report_skipped(report)

    def _read_batch(self, files: Sequence[MidiFile]) -> tuple[Accounts, list[Bars[Item]]]:
        """What came of files, and the stretches of them that have windows."""
        accounts, stretches = Accounts(self.part.words), list[Bars[Item]]()
        for file, content in contents(files):
            try:
                stretches += self._take(_notes(content, str(file)), accounts)[1]
            except MidiError as error:
                accounts.skip(error)
        accounts.losses.flush()
        return accounts, stretches

    def _take(self, notes: Notes, accounts: Accounts) -> tuple[list[Bars[Item]], list[Bars[Item]]]:
        """The stretches of a file, and those of them that have windows of the metre that is read."""
        taken = self.part.take(notes)
        placed = layout(notes, taken.places, self.data.steps_per_quarter)
        stretches = [self.part.lay(segment) for segment in placed.segments]
        return stretches, accounts.take(notes, taken, placed, stretches, self.data)


def notes_of(path: Path) -> Notes:
    """The notes of one file. Raises MidiError when it is no MIDI file that can be read."""
    ((_, content),) = contents([MidiFile(path)])
    return _notes(content, path)


def _notes(content: bytes | MidiError, path: Path | str) -> Notes:
    if isinstance(content, MidiError):
        raise content
    return parse(content, path)
