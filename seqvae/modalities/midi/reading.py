"""Folders, zips and files of MIDI to clips, in several processes; every file and every hit is accounted for."""

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from seqvae.config import few, nearest
from seqvae.modalities.base import Report
from seqvae.modalities.midi.classes import GENERAL_MIDI, DrumClasses
from seqvae.modalities.midi.clip import Clip, Meter, steps_per_bar
from seqvae.modalities.midi.grid import GRIDS, Layout, Segment, layout
from seqvae.modalities.midi.parser import MidiError, Notes, parse
from seqvae.modalities.midi.sources import MidiFile, contents, find
from seqvae.modalities.midi.splits import SPLITS, by_content, by_table, key

BATCH_FILES = 64  # that one process reads at a time
FILES_FOR_PROCESSES = 3000  # fewer are read sooner than processes start
IDLE_SECONDS = 3600  # after which processes without work end; they are ended below as soon as all is read
CHANNELS = 16


@dataclass(frozen=True)
class Reading:
    """Everything that the clips of a source depend on. Raises ValueError for settings that mean nothing."""

    classes: DrumClasses = GENERAL_MIDI
    steps_per_quarter: int = 4
    bars: int = 2  # of a window
    hop: int = 1  # bars from one window to the next
    meter: Meter | None = None  # None: whatever the files say
    channel: int | None = 10  # 1 to 16, as musicians count; None: all
    unique: bool = False  # drop windows that stand before in the same split
    split: str = "all"
    split_csv: Path | None = None  # a table that names the split of each file; None: by the contents of the files
    split_column: str = "split"
    valid_share: float = 0.1  # of the files
    test_share: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps_per_quarter not in GRIDS:
            raise ValueError(f"no grid of {self.steps_per_quarter} steps a quarter; choose {few(map(str, GRIDS))}")
        for name, bars in (("a window", self.bars), ("the hop between windows", self.hop)):
            if bars < 1:
                raise ValueError(f"{name} of {bars} bars; give a whole number from 1")
        if self.channel is not None and not 1 <= self.channel <= CHANNELS:
            raise ValueError(f"no channel {self.channel}; give 1 to {CHANNELS} (10 has the drums)")
        if self.split not in SPLITS:
            raise ValueError(f"no split '{self.split}'; there are {few(SPLITS)}.{nearest(self.split, SPLITS)}")
        if min(self.valid_share, self.test_share) < 0 or self.valid_share + self.test_share >= 1:
            raise ValueError(
                f"shares of {self.valid_share} for validation and {self.test_share} for testing; neither may be "
                "negative, and something must be left for training"
            )
        if self.meter is not None:
            steps_per_bar(self.meter, self.steps_per_quarter)

    def layout(self, notes: Notes) -> Layout:
        """The notes of a file on the grid of these settings."""
        channel = None if self.channel is None else self.channel - 1
        return layout(notes, self.classes, self.steps_per_quarter, channel)


@dataclass
class _Tally:
    """What came of files and hits. Those of several batches of files add up."""

    counts: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)  # reasons: files
    examples: dict[str, str] = field(default_factory=dict)  # reasons: the first of these files
    channels: Counter[int] = field(default_factory=Counter)  # note-ons of files that have none on the channel
    unmapped: Counter[int] = field(default_factory=Counter)  # pitches: note-ons
    other_meters: Counter[Meter] = field(default_factory=Counter)  # files
    misfits: Counter[Meter] = field(default_factory=Counter)  # files
    longest: Counter[Meter] = field(default_factory=Counter)  # bars

    def add(self, other: "_Tally") -> None:
        """Take up what another one counted, of later files."""
        for name in ("counts", "skipped", "channels", "unmapped", "other_meters", "misfits"):
            getattr(self, name).update(getattr(other, name))
        self.examples = other.examples | self.examples
        self.longest |= other.longest

    def skip(self, error: MidiError) -> None:
        """A file that is not read."""
        self.skipped[error.reason] += 1
        self.examples.setdefault(error.reason, str(error.path))

    def take(self, notes: Notes, reading: Reading) -> list[Segment]:
        """A file that is read: the segments of it that have windows."""
        placed = reading.layout(notes)
        usable = [segment for segment in placed.segments if reading.meter in (None, segment.meter)]
        segments = [segment for segment in usable if segment.bars >= reading.bars]
        onsets = cells = 0
        for segment in segments:
            of_windows = segment.in_windows(reading.bars, reading.hop)
            onsets, cells = onsets + of_windows[0], cells + of_windows[1]
            self.counts["windows found"] += len(segment.starts(reading.bars, reading.hop))
        unmapped = placed.unmapped.total()
        self.counts["files read"] += 1
        self.counts["files read up to a damage"] += bool(notes.damage)
        self.counts["hits found"] += placed.found
        self.counts["hits on the grid"] += cells
        self.counts["hits lost to the grid"] += onsets - cells
        self.counts["hits outside of windows"] += placed.found - unmapped - onsets
        self.unmapped += placed.unmapped
        self.misfits.update(dict.fromkeys(placed.misfits, 1))
        self.other_meters.update({s.meter for s in placed.segments} - {s.meter for s in usable})
        self.longest |= Counter({segment.meter: segment.bars for segment in usable})
        if not segments:
            self._without_windows(placed, notes, usable, reading)
        return segments

    def _without_windows(self, placed: Layout, notes: Notes, usable: list[Segment], reading: Reading) -> None:
        if not placed.found:
            reason = f"hits on {_channel(reading)}"
            self.channels.update((notes.channel + 1).tolist())
        elif placed.found == placed.unmapped.total():
            reason = "hits that a class holds"
        elif not usable:
            reason = f"bars of {_meter(reading.meter)}" if reading.meter else "a metre that fits the grid"
        else:
            reason = f"{reading.bars} bars"
        self.counts[f"files without {reason}"] += 1

    def report(self, report: Report) -> None:
        """Add it all to a report."""
        report.counts.update({name: count for name, count in self.counts.items() if count})
        for reason, count in self.skipped.items():
            report.counts[f"files skipped: {reason}, such as {self.examples[reason]}"] += count
        for pitch, count in self.unmapped.items():
            report.counts[f"hits of pitch {pitch}, which no class holds"] += count

    def refuse(self, where: str, reading: Reading) -> NoReturn:
        """Raise the ValueError that tells why nothing came out."""
        read, found = self.counts["files read"], self.counts["hits found"]
        if not read:
            reasons = few(f"{why} ({count}, such as {self.examples[why]})" for why, count in self.skipped.items())
            raise ValueError(f"nothing of {where} can be read: {reasons}; give files of MIDI")
        if not found:
            there = few(f"{channel} ({count})" for channel, count in sorted(self.channels.items()))
            raise ValueError(
                f"{where} has no hits on {_channel(reading)} in {_count(read, 'file')}; "
                + (
                    f"channels with notes: {there}; pass --drum-channel or --all-channels"
                    if there
                    else "it has no notes; give files with drums"
                )
            )
        if self.longest:
            meter, bars = max(self.longest.items(), key=lambda item: item[1])
            raise ValueError(
                f"no window of {_count(reading.bars, 'bar')} fits into {where}: the longest stretch of one metre has "
                f"{_count(bars, 'bar')} of {_meter(meter)}; pass --bars {bars}, or give longer files"
            )
        if self.unmapped.total() == found:
            pitches = few(f"{pitch} ({count})" for pitch, count in sorted(self.unmapped.items()))
            raise ValueError(
                f"the class map holds no pitch of {where}: it has {pitches}; pass --classes with another map"
            )
        if self.other_meters:
            there = few(
                f"{_meter(meter)} ({_count(count, 'file')})" for meter, count in self.other_meters.most_common()
            )
            raise ValueError(f"no bars of {_meter(reading.meter)} in {where}; it has {there}; pass another --meter")
        if self.misfits:
            raise ValueError(
                f"bars of {few(map(_meter, self.misfits))} in {where} are no whole number of steps at "
                f"{reading.steps_per_quarter} steps a quarter; pass a finer grid as --steps-per-quarter"
            )
        raise ValueError(f"no bar of {where} is whole: its metre changes before one ends; give other files")


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _meter(meter: Meter | None) -> str:
    return "any metre" if meter is None else f"{meter[0]}/{meter[1]}"


def _channel(reading: Reading) -> str:
    return "any channel" if reading.channel is None else f"channel {reading.channel}"


def read_clips(
    sources: Sequence[Path], reading: Reading, report: Report, processes: int | None = None
) -> Iterator[Clip]:
    """The windows of all files: sources as given, the files of each by relative path, windows by bar.

    `report.counts` tells what came of each file and hit, complete once the last clip was taken. `processes` is how many
    share the work, by default one for a few thousand files and else as many as there are processors; the clips, their
    order and the report are the same.

    Raises ValueError when a source has no MIDI file, and at the end when there was no window in all of them.
    """
    files = find(sources)
    report.counts["files found"] += len(files)
    files = _of_split(files, reading, report)
    return _clips(files, reading, few(map(str, sources)), report, processes)


def _of_split(files: list[MidiFile], reading: Reading, report: Report) -> list[MidiFile]:
    """The files of the split that is asked for; the others are counted."""
    if reading.split == "all":
        return files
    if reading.split_csv is not None:
        parts: Sequence[str | None] = by_table(files, reading.split_csv, reading.split_column)
    else:
        parts = by_content(files, reading.valid_share, reading.test_share, reading.seed)
    for part in parts:
        if part is None:
            report.counts["files that the table of splits does not name"] += 1
        elif part != reading.split:
            report.counts[f"files of the split {part}"] += 1
    chosen = [file for file, part in zip(files, parts, strict=True) if part == reading.split]
    if not chosen:
        sizes = few(f"{part} has {count}" for part, count in sorted(Counter(filter(None, parts)).items()))
        raise ValueError(f"the split '{reading.split}' has none of the {len(files)} files; {sizes}")
    return chosen


def _clips(
    files: list[MidiFile], reading: Reading, where: str, report: Report, processes: int | None
) -> Iterator[Clip]:
    tally, known = _Tally(), set[bytes]()
    for of_batch, segments in _read_all(files, reading, processes):
        tally.add(of_batch)
        for segment in segments:
            for clip in segment.windows(reading.bars, reading.hop):
                if reading.unique:
                    digest = key(clip)
                    if digest in known:
                        tally.counts["repeated windows dropped"] += 1
                        continue
                    known.add(digest)
                yield clip
    if not tally.counts["windows found"]:
        tally.refuse(where, reading)
    tally.report(report)


def _read_all(files: list[MidiFile], reading: Reading, processes: int | None) -> Iterator[tuple[_Tally, list[Segment]]]:
    """What came of each batch of files, in order."""
    batches = [files[start : start + BATCH_FILES] for start in range(0, len(files), BATCH_FILES)]
    if processes is None and len(files) < FILES_FOR_PROCESSES:
        processes = 1
    if processes == 1:
        yield from (_read_batch(batch, reading) for batch in batches)
        return
    import joblib
    from joblib.externals.loky import get_reusable_executor

    parallel = joblib.Parallel(
        n_jobs=processes or joblib.cpu_count(),
        return_as="generator",
        batch_size=1,
        max_nbytes=None,
        idle_worker_timeout=IDLE_SECONDS,
    )
    results = parallel(joblib.delayed(_read_batch)(batch, reading) for batch in batches)
    try:
        for result in results:  # noqa: UP028  "yield from" would close `results` outside of the block below
            yield result
    finally:
        with warnings.catch_warnings():  # whoever stops early knows that work is left
            warnings.simplefilter("ignore")
            results.close()
        # not left to time out: a next reading that meets them while they do may wait for ever
        get_reusable_executor().shutdown(wait=True, kill_workers=True)


def _read_batch(files: Sequence[MidiFile], reading: Reading) -> tuple[_Tally, list[Segment]]:
    tally, segments = _Tally(), []
    for file, content in contents(files):
        try:
            if isinstance(content, MidiError):
                raise content
            segments += tally.take(parse(content, str(file)), reading)
        except MidiError as error:
            tally.skip(error)
    return tally, segments


def windows_of(notes: Notes, reading: Reading, name: str = "the file", filled: bool = True) -> list[Clip]:
    """The windows of one file one after another.

    The last of each stretch of one metre is filled up with silence, or left as short as it is.

    `reading.hop` plays no part: put together, they are the whole piece. Bars of other metres than `reading.meter` are
    left out. Raises ValueError, which names the file, when nothing is left.
    """
    segments = [s for s in reading.layout(notes).segments if reading.meter in (None, s.meter)]
    if not segments:
        tally = _Tally()
        tally.take(notes, reading)
        tally.refuse(name, reading)
    return [clip for segment in segments for clip in segment.pieces(reading.bars, filled)]
