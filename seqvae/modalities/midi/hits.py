"""Notes of drum channels to hits of drum classes."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from seqvae.modalities.midi.classes import DrumClasses
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.excerpt import Stretch
from seqvae.modalities.midi.grid import Segment
from seqvae.modalities.midi.notes import DRUM_CHANNEL, Notes
from seqvae.modalities.midi.part import PartWords, Taken


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
            held="that a class holds",
            outside="of pitches that no class holds",
            places="channels",
            map="the class map",
            other_channel="pass data.drum_channel or data.all_channels=true",
            other_map="pass data.classes with another map",
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

    def where(self, notes: Notes) -> Counter[int]:
        """The notes of each channel, counted from 1."""
        return Counter((notes.channel + 1).tolist())

    def ways(self, segment: Segment, taken: Taken) -> list[Stretch[Clip]]:
        """The bars of a segment, in the only way."""
        return [self.lay(segment)]

    def lay(self, segment: Segment) -> Stretch[Clip]:
        """The hits of a segment on the grid, with the kit of its channel."""
        bar = segment.steps_of_bar
        hits = np.zeros((segment.bars * bar, len(self.classes)), dtype=bool)
        hits[segment.step, self.classes.table[segment.pitch]] = True
        onsets = np.bincount(segment.step // bar, minlength=segment.bars)
        kit = segment.notes.programs.get(DRUM_CHANNEL if self.channel is None else self.channel - 1, 0)
        bpm, grid = float(segment.bpm[0]), segment.steps_per_quarter
        return Stretch(Clip(hits, segment.meter, grid, bpm, kit, segment.tempo_changes), onsets, segment.bpm)

    def digest(self, item: Clip) -> bytes:
        """The digest of the clip's hits."""
        return item.digest
