"""Clips that follow one another as one piece of music: its bars, its time, and what it is in words."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from seqvae.config import counted
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.meters import Meter, meter_name, steps_per_bar
from seqvae.modalities.midi.tempo import Tempos, held_bpm, tempos_within
from seqvae.modalities.midi.writing import TICKS_PER_QUARTER, to_midi

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI

    from seqvae.modalities.midi.classes import DrumClasses


@dataclass(frozen=True)
class Piece:
    """Drums of any length: clips one after another, each from a bar line on, at their tempos or all at `bpm`."""

    clips: Sequence[Clip]
    classes: "DrumClasses"
    bpm: float | None = None

    @cached_property
    def midi(self) -> "PrettyMIDI":
        """The piece as MIDI. Raises ValueError as `to_midi` does."""
        return to_midi(self.clips, self.classes, self.bpm)

    @cached_property
    def bars(self) -> list[Clip]:
        """A clip for each bar, silent ones too, at the tempo that is heard."""
        own = None if self.bpm is None else ((0, self.bpm),)
        return [bar for clip in self.clips for bar in _bars_of(clip, clip.tempos if own is None else own)]

    @cached_property
    def stretches(self) -> list[Clip]:
        """The bars of one metre that follow each other as one clip, in order; its tempo is that of its first bar."""
        groups = (list(group) for _, group in itertools.groupby(self.bars, key=lambda bar: bar.meter))
        return [replace(group[0], hits=np.concatenate([bar.hits for bar in group]), changes=()) for group in groups]

    @property
    def hits(self) -> int:
        """How many cells of the grid are hit."""
        return sum(int(bar.hits.sum()) for bar in self.bars)

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return sum(bar.seconds for bar in self.bars)

    @cached_property
    def tempos(self) -> list[float]:
        """The tempos that are heard, one after another, in quarters a minute."""
        return [bpm for bpm, _ in itertools.groupby(bpm for bar in self.bars for _, bpm in bar.tempos)]

    @property
    def tempo(self) -> str:
        """The tempo in words: `113 bpm`; or how many there are from slowest to fastest or back."""
        ends = [f"{round(most(self.tempos), 1):g}" for most in (min, max)]
        if ends[0] == ends[1]:
            return f"{ends[0]} bpm"
        falls = self.tempos[0] == max(self.tempos) and self.tempos[-1] == min(self.tempos)
        return f"{len(self.tempos):,} tempos from {' to '.join(reversed(ends) if falls else ends)} bpm"

    def __str__(self) -> str:
        bars = Counter[Meter](bar.meter for bar in self.bars)
        lengths = " and ".join(f"{counted(count, 'bars')} of {meter_name(meter)}" for meter, count in bars.items())
        return f"{lengths}, {self.tempo}, {counted(self.hits, 'hits')}"


def _bars_of(clip: Clip, tempos: Tempos) -> Iterator[Clip]:
    """The bars of a clip at tempos of its quarters, the last filled up with silence."""
    # as the file will hold them: on whole ticks, of several on one tick the last
    ticks = {round(at * TICKS_PER_QUARTER): held_bpm(bpm) for at, bpm in tempos}
    tempos = tuple((tick / TICKS_PER_QUARTER, bpm) for tick, bpm in ticks.items())
    bar = steps_per_bar(clip.meter, clip.steps_per_quarter)
    hits = np.pad(clip.hits, ((0, -len(clip.hits) % bar), (0, 0)))
    for start in range(0, len(hits), bar):
        first, last = (step / clip.steps_per_quarter for step in (start, start + bar))
        (_, bpm), *changes = tempos_within(tempos, first, last)
        yield replace(clip, hits=hits[start : start + bar], bpm=bpm, changes=tuple(changes))
