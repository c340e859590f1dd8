"""Items that follow one another as one piece of music: its bars, its time, and what it is in words."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from seqvae.config import counted
from seqvae.modalities.midi.excerpt import Excerpt, replace_tempos
from seqvae.modalities.midi.meters import Meter, meter_name, steps_per_bar
from seqvae.modalities.midi.notation import Notation
from seqvae.modalities.midi.tempo import Tempos, held_bpm, tempos_within
from seqvae.modalities.midi.writing import TICKS_PER_QUARTER, to_midi

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI

MOST_TEXTS = 16  # that are named of a piece


@dataclass(frozen=True)
class Piece:
    """Music of any length: items one after another, each from a bar line on, at their tempos or all at `bpm`."""

    items: Sequence[Excerpt]
    notation: Notation[Any]
    bpm: float | None = None

    @cached_property
    def midi(self) -> "PrettyMIDI":
        """The piece as MIDI. Raises ValueError as `to_midi` does."""
        return to_midi(self.items, self.notation, self.bpm)

    @cached_property
    def heard(self) -> "PrettyMIDI":
        """The piece as it sounds, also what is not written. Raises ValueError as `to_midi` does."""
        heard = self.notation.heard(self.items)
        return self.midi if heard == self.notation else to_midi(self.items, heard, self.bpm)

    @cached_property
    def bars(self) -> list[Excerpt]:
        """An item for each bar, silent ones too, at the tempo that is heard."""
        own = None if self.bpm is None else ((0, self.bpm),)
        return [bar for item in self.items for bar in _bars_of(item, item.tempos if own is None else own)]

    @cached_property
    def stretches(self) -> list[Excerpt]:
        """The bars of one metre that follow each other as one item, in order; its tempo is that of its first bar."""
        groups = (list(group) for _, group in itertools.groupby(self.bars, key=lambda bar: bar.meter))
        return [
            replace_tempos(group[0].with_steps(np.concatenate([bar.steps for bar in group])), group[0].bpm)
            for group in groups
        ]

    @property
    def notes(self) -> int:
        """How many notes begin."""
        return sum(int(bar.onsets.sum()) for bar in self.bars)

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
        return f"{lengths}, {self.tempo}, {counted(self.notes, self.notation.notes)}{self._texts}"

    @property
    def _texts(self) -> str:
        """The words that stand on the steps, such as chord symbols, the first few, in words that go on."""
        texts = type(self.items[0]).texts_of(self.items)
        words = [word for word, _ in itertools.groupby(text for own in texts for _, text in own)]
        return f", to {' '.join(words[:MOST_TEXTS])}{' ...' * (len(words) > MOST_TEXTS)}" if words else ""


def _bars_of(item: Excerpt, tempos: Tempos) -> Iterator[Excerpt]:
    """The bars of an item at tempos of its quarters, the last filled up with silence."""
    # as the file will hold them: on whole ticks, of several on one tick the last
    ticks = {round(at * TICKS_PER_QUARTER): held_bpm(bpm) for at, bpm in tempos}
    tempos = tuple((tick / TICKS_PER_QUARTER, bpm) for tick, bpm in ticks.items())
    bar = steps_per_bar(item.meter, item.steps_per_quarter)
    steps = item.alone().filled(len(item) + -len(item) % bar).steps
    for start in range(0, len(steps), bar):
        first, last = (step / item.steps_per_quarter for step in (start, start + bar))
        (_, bpm), *changes = tempos_within(tempos, first, last)
        yield replace_tempos(item.with_steps(steps[start : start + bar]), bpm, tuple(changes))
