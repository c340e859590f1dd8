"""Note-ons to bars on a grid of steps, and bars to windows."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seqvae.modalities.midi.classes import DrumClasses
from seqvae.modalities.midi.clip import Clip, Meter, steps_per_bar
from seqvae.modalities.midi.parser import MOST_QUARTERS, Notes

GRIDS = (4, 8, 12, 24)  # steps a quarter
DEFAULT_METER: Meter = (4, 4)
DEFAULT_BPM = 120.0
DRUM_CHANNEL = 9  # counted from 0


@dataclass(frozen=True, eq=False)
class Segment:
    """Whole bars of one metre that follow each other: `hits` (T, C) bool, T a whole number of bars.

    `onsets` (bars,) counts the hits of each bar, those that share a cell of the grid included; `bpm` (bars,) is the
    tempo at the start of each bar.
    """

    hits: np.ndarray
    meter: Meter
    steps_per_quarter: int
    onsets: np.ndarray
    bpm: np.ndarray
    kit: int = 0

    @property
    def bars(self) -> int:
        """The length in bars."""
        return len(self.onsets)

    def starts(self, bars: int, hop: int) -> range:
        """The first bar of each window of so many bars, one every `hop` bars."""
        return range(0, self.bars - bars + 1, hop)

    def windows(self, bars: int, hop: int) -> Iterator[Clip]:
        """Every window of so many bars, one every `hop` bars. The hits of a window are a view."""
        steps = len(self.hits) // max(self.bars, 1)
        for start in self.starts(bars, hop):
            hits = self.hits[start * steps : (start + bars) * steps]
            yield Clip(hits, self.meter, self.steps_per_quarter, float(self.bpm[start]), self.kit)

    def pieces(self, bars: int, filled: bool = True) -> Iterator[Clip]:
        """Windows of so many bars one after another; the last is filled up with silence, or as short as it is."""
        missing = -self.bars % bars if filled else 0
        steps = len(self.hits) // max(self.bars, 1)
        padded = Segment(
            np.pad(self.hits, ((0, missing * steps), (0, 0))),
            self.meter,
            self.steps_per_quarter,
            np.pad(self.onsets, (0, missing)),
            np.pad(self.bpm, (0, missing)),
            self.kit,
        )
        yield from padded.windows(bars, bars)
        rest = padded.bars % bars
        if rest:
            yield Clip(self.hits[-rest * steps :], self.meter, self.steps_per_quarter, float(self.bpm[-rest]), self.kit)

    def in_windows(self, bars: int, hop: int) -> tuple[int, int]:
        """The note-ons of those bars that stand in a window, and the cells that they hit."""
        starts, steps = self.starts(bars, hop), len(self.hits) // max(self.bars, 1)
        stretches = [(starts[0], starts[-1] + bars)] if starts and hop <= bars else [(at, at + bars) for at in starts]
        onsets = sum(int(self.onsets[first:last].sum()) for first, last in stretches)
        cells = sum(int(self.hits[first * steps : last * steps].sum()) for first, last in stretches)
        return onsets, cells


@dataclass
class Layout:
    """The bars of one file: its segments in order, and the hits that stand in none and why."""

    segments: list[Segment]
    found: int  # note-ons on the channel
    unmapped: Counter[int]  # pitches that no class holds: note-ons
    misfits: Counter[Meter]  # metres whose bar is no whole number of steps: note-ons


def layout(
    notes: Notes, classes: DrumClasses, steps_per_quarter: int = 4, channel: int | None = DRUM_CHANNEL
) -> Layout:
    """The note-ons of a channel (counted from 0; None: of all) on a grid, in bars.

    A hit goes to the nearest step, counted from the last change of metre, and the later one of two that are as near; a
    hit less than half a step before a change of metre falls on the first step after it. Bars run on to the last hit,
    silent ones included; a bar that a change of metre cuts short is left out.

    Raises ValueError for notes beyond the MOST_QUARTERS of a file, which only notes that were made by hand can have.
    """
    chosen = slice(None) if channel is None else notes.channel == channel
    tick, pitch = notes.tick[chosen], notes.pitch[chosen]
    index = classes.table[pitch]
    mapped = index >= 0
    result = Layout([], len(tick), Counter(pitch[~mapped].tolist()), Counter())
    tick, index = tick[mapped], index[mapped]
    if not len(tick):
        return result
    if tick[-1] > MOST_QUARTERS * notes.ticks_per_quarter:
        raise ValueError(f"there are notes beyond quarter {MOST_QUARTERS}; give a shorter piece")
    # In units of 1 / (2 * steps_per_quarter) ticks everything is a whole number; half a step is added, to round.
    time, step = tick * (2 * steps_per_quarter) + notes.ticks_per_quarter, 2 * notes.ticks_per_quarter
    kit = notes.programs.get(DRUM_CHANNEL if channel is None else channel, 0)
    changes, (tempo_ticks, tempos) = _meter_changes(notes), _tempo_changes(notes)
    for number, (start, meter) in enumerate(changes):
        first = start * 2 * steps_per_quarter
        if first > time[-1]:
            break
        end = changes[number + 1][0] * 2 * steps_per_quarter if number + 1 < len(changes) else None
        within = slice(np.searchsorted(time, first), None if end is None else np.searchsorted(time, end))
        try:
            bar = steps_per_bar(meter, steps_per_quarter)
        except ValueError:
            result.misfits[meter] += len(time[within])
            continue
        bars = int(time[-1] - first) // (bar * step) + 1
        if end is not None:
            bars = min(bars, (end - first) // (bar * step))
        if bars < 1:
            continue
        hits, onsets = _fill((time[within] - first) // step, index[within], bars, bar, len(classes))
        starts = start + np.arange(bars) * (bar * notes.ticks_per_quarter / steps_per_quarter)
        bpm = tempos[np.searchsorted(tempo_ticks, starts, side="right")]
        result.segments.append(Segment(hits, meter, steps_per_quarter, onsets, bpm, kit))
    return result


def _fill(steps: np.ndarray, index: np.ndarray, bars: int, bar: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Hits (T, C) of so many bars, and the note-ons of each bar; what lies behind the last bar is left out."""
    inside = np.searchsorted(steps, bars * bar)
    hits = np.zeros((bars * bar, classes), dtype=bool)
    hits[steps[:inside], index[:inside]] = True
    return hits, np.bincount(steps[:inside] // bar, minlength=bars)


def _meter_changes(notes: Notes) -> list[tuple[int, Meter]]:
    """Where a metre starts that is not that before; of several at one tick the last."""
    by_tick: dict[int, Meter] = {0: DEFAULT_METER}
    for at, numerator, denominator in notes.meters:
        by_tick[at] = (numerator, denominator)
    changes: list[tuple[int, Meter]] = []
    for at, meter in sorted(by_tick.items()):
        if not changes or changes[-1][1] != meter:
            changes.append((at, meter))
    return changes


def _tempo_changes(notes: Notes) -> tuple[np.ndarray, np.ndarray]:
    """The ticks at which the tempo changes, and the tempos: that before the first of them, and one from each on."""
    ticks = np.array([tick for tick, _ in notes.tempos])
    return ticks, np.array([DEFAULT_BPM, *(bpm for _, bpm in notes.tempos)])
