"""Notes to bars on a grid of steps."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from seqvae.modalities.midi.meters import Meter, steps_per_bar
from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.parser import MOST_QUARTERS
from seqvae.modalities.midi.tempo import Tempos

GRIDS = (4, 8, 12, 24)  # steps a quarter
DEFAULT_METER: Meter = (4, 4)
DEFAULT_BPM = 120.0


@dataclass(frozen=True, eq=False)
class Segment:
    """Whole bars of one metre that follow each other, and the notes that begin in them, by onset.

    Steps are counted from the first bar line, which stands at the tick `start`. `bpm` (bars,) is the tempo at the start
    of each bar. Of each note there are the step (N,) int64 on which it begins, and, found when they are asked for,
    pitch, velocity, channel, program, offset and end.
    """

    notes: Notes  # of the whole file
    places: np.ndarray  # (N,) in them
    step: np.ndarray
    start: int
    meter: Meter
    steps_per_quarter: int
    bpm: np.ndarray

    @property
    def bars(self) -> int:
        """The length in bars."""
        return len(self.bpm)

    @property
    def steps_of_bar(self) -> int:
        """The steps of one bar."""
        return steps_per_bar(self.meter, self.steps_per_quarter)

    @property
    def pitch(self) -> np.ndarray:
        """(N,) int64, 0 to 127."""
        return self.notes.pitch[self.places]

    @property
    def velocity(self) -> np.ndarray:
        """(N,) int64, 1 to 127."""
        return self.notes.velocity[self.places]

    @property
    def channel(self) -> np.ndarray:
        """(N,) int64, 0 to 15."""
        return self.notes.channel[self.places]

    @property
    def program(self) -> np.ndarray:
        """(N,) int64, 0 to 127."""
        return self.notes.program[self.places]

    @property
    def offset(self) -> np.ndarray:
        """(N,) float64: how much later than its step each note begins, in steps; -0.5 or more, and less than 0.5."""
        return self._in_steps(self.notes.tick[self.places]) - self.step

    @property
    def end(self) -> np.ndarray:
        """(N,) float64: where each note ends, in steps, on the grid or between; a note may outlast the segment."""
        return self._in_steps(self.notes.end[self.places])

    @property
    def tempo_changes(self) -> Tempos:
        """Where the tempo changes behind the start, in quarters from there; of several on one tick the last."""
        if len(self.notes.tempos) < 2:
            return ()
        quarter = self.notes.ticks_per_quarter
        last = self.bars * self.steps_of_bar / self.steps_per_quarter
        found = (((tick - self.start) / quarter, bpm) for tick, bpm in dict(self.notes.tempos).items())
        return tuple((at, bpm) for at, bpm in found if 0 < at < last)

    def _in_steps(self, tick: np.ndarray) -> np.ndarray:
        return (tick - self.start) * self.steps_per_quarter / self.notes.ticks_per_quarter


@dataclass
class Layout:
    """The bars of one file: its segments in order, and the notes in metres that do not fit the grid."""

    segments: list[Segment]
    misfits: Counter[Meter]  # metres whose bar is no whole number of steps: notes


def layout(notes: Notes, places: np.ndarray, steps_per_quarter: int = 4) -> Layout:
    """Some of the notes, by their places (N,) in order, on a grid, in bars.

    A note goes to the nearest step, counted from the last change of metre, and the later one of two that are as near; a
    note less than half a step before a change of metre falls on the first step after it. Bars run on to the last of
    these notes, silent ones included; a bar that a change of metre cuts short is left out.

    Raises ValueError for notes beyond the MOST_QUARTERS of a file, which only notes that were made by hand can have.
    """
    result, tick = Layout([], Counter()), notes.tick[places]
    if not len(tick):
        return result
    if tick[-1] > MOST_QUARTERS * notes.ticks_per_quarter:
        raise ValueError(f"there are notes beyond quarter {MOST_QUARTERS}; give a shorter piece")
    # In units of 1 / (2 * steps_per_quarter) ticks everything is a whole number; half a step is added, to round.
    time, step = tick * (2 * steps_per_quarter) + notes.ticks_per_quarter, 2 * notes.ticks_per_quarter
    changes, (tempo_ticks, tempos) = _meter_changes(notes), _tempo_changes(notes)
    for number, (start, meter) in enumerate(changes):
        first = start * 2 * steps_per_quarter
        if first > time[-1]:
            break
        end = changes[number + 1][0] * 2 * steps_per_quarter if number + 1 < len(changes) else None
        within = slice(time.searchsorted(first), None if end is None else time.searchsorted(end))
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
        on = (time[within] - first) // step
        inside = None if end is None else on.searchsorted(bars * bar)  # what lies behind the last bar is left out
        starts = start + np.arange(bars) * (bar * notes.ticks_per_quarter / steps_per_quarter)
        bpm = tempos[tempo_ticks.searchsorted(starts, side="right")]
        result.segments.append(
            Segment(notes, places[within][:inside], on[:inside], start, meter, steps_per_quarter, bpm)
        )
    return result


def in_meter(notes: Notes, meter: Meter | None) -> Notes:
    """The notes in this metre from the start on, whatever they stand in; as they are for None."""
    return notes if meter is None else replace(notes, meters=[(0, *meter)])


def bar_number(notes: Notes, tick: int) -> int:
    """The number of the bar that begins at a tick, counted from 1; one that a change of metre cuts short counts."""
    changes, bars = _meter_changes(notes), 1
    ends = [start for start, _ in changes[1:]] + [tick]
    for (start, (beats, unit)), end in zip(changes, ends, strict=True):
        bars -= -max(0, min(end, tick) - start) * unit // (4 * beats * notes.ticks_per_quarter)
    return bars


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
