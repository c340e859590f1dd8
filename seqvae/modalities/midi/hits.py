"""Notes of drum channels to hits of drum classes, and bars of hits to clips."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from seqvae.modalities.midi.classes import DrumClasses
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.grid import Segment
from seqvae.modalities.midi.meters import Meter
from seqvae.modalities.midi.notes import DRUM_CHANNEL, Notes
from seqvae.modalities.midi.part import PartWords, Taken
from seqvae.modalities.midi.tempo import Tempos, tempos_within


@dataclass(frozen=True, eq=False)
class DrumBars:
    """Whole bars of one metre that follow each other: `hits` (T, C) bool, T a whole number of bars.

    `onsets` (bars,) counts the notes of each bar, those that share a cell of the grid included; `bpm` (bars,) is the
    tempo at the start of each bar, `changes` those of the tempo anywhere after the first.
    """

    hits: np.ndarray
    meter: Meter
    steps_per_quarter: int
    onsets: np.ndarray
    bpm: np.ndarray
    kit: int = 0
    changes: Tempos = ()

    @property
    def bars(self) -> int:
        """How many they are."""
        return len(self.onsets)

    def cut(self, first: int, bars: int) -> Clip:
        """The clip of so many bars from one on. Its hits are a view."""
        steps = len(self.hits) // len(self.onsets)
        hits = self.hits[first * steps : (first + bars) * steps]
        clip = Clip(hits, self.meter, self.steps_per_quarter, float(self.bpm[first]), self.kit)
        if not self.changes:
            return clip
        start, end = (bar * steps / self.steps_per_quarter for bar in (first, first + bars))
        return replace(clip, changes=tempos_within(((0, self.bpm[0]), *self.changes), start, end)[1:])

    def count(self, first: int, last: int) -> tuple[int, int]:
        """The notes of the bars from `first` to before `last`, and the cells that they hit."""
        steps = len(self.hits) // len(self.onsets)
        return int(self.onsets[first:last].sum()), int(self.hits[first * steps : last * steps].sum())


@dataclass(frozen=True)
class DrumPart:
    """The hits of a drum channel, counted from 1 (None: of all channels), by the classes of a map."""

    classes: DrumClasses
    channel: int | None = DRUM_CHANNEL + 1

    @property
    def words(self) -> PartWords:
        """How to speak of hits."""
        return PartWords(
            notes="hits",
            channel="any channel" if self.channel is None else f"channel {self.channel}",
            holder="class",
            map="the class map",
            other_channel="pass --drum-channel or --all-channels",
            other_map="pass --classes with another map",
            wanted="files with drums",
        )

    def take(self, notes: Notes) -> Taken:
        """The notes of the channel whose pitch a class holds."""
        on_channel = np.ones(len(notes), bool) if self.channel is None else notes.channel == self.channel - 1
        voices = self.classes.table[notes.pitch]
        held = voices >= 0
        places, found = np.flatnonzero(held & on_channel), int(np.count_nonzero(on_channel))
        unheld = notes.pitch[on_channel & ~held].tolist() if len(places) < found else []
        return Taken(places, found, Counter(unheld), voices)

    def of_piece(self, notes: Notes) -> "DrumPart":
        """The same, or the hits of the channel on which drums are written where the piece has none on the own one."""
        channels, written = notes.channel + 1, DRUM_CHANNEL + 1
        if self.channel is None or self.channel in channels or written not in channels:
            return self
        return replace(self, channel=written)

    def lay(self, segment: Segment) -> DrumBars:
        """The hits of a segment on the grid, with the kit of its channel."""
        bar = segment.steps_of_bar
        hits = np.zeros((segment.bars * bar, len(self.classes)), dtype=bool)
        hits[segment.step, self.classes.table[segment.pitch]] = True
        onsets = np.bincount(segment.step // bar, minlength=segment.bars)
        kit = segment.notes.programs.get(DRUM_CHANNEL if self.channel is None else self.channel - 1, 0)
        return DrumBars(hits, segment.meter, segment.steps_per_quarter, onsets, segment.bpm, kit, segment.tempo_changes)

    def digest(self, item: Clip) -> bytes:
        """The digest of the clip's hits."""
        return item.digest
