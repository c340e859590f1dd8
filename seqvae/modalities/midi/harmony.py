"""The chords of a file: read from its chord symbols, or inferred from what is played beside the melody."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from seqvae.modalities.midi import chords
from seqvae.modalities.midi.grid import Segment, bar_number, layout
from seqvae.modalities.midi.meters import Meter
from seqvae.modalities.midi.notes import Notes

KINDS = ("marker", "text", "lyric")  # of texts that may be chord symbols: the first kind that is
ROOT_IN_BASS = 0.1  # how much a root that is the lowest note counts, beside the share of the sounding time
LEAST_SHARE = 0.5  # of the sounding time that a triad must have more than
LEAST_NOTES = (2, 2, 3, 3)  # of a triad of each quality that sound: two are major or minor
SPANS = 1 << 12  # that are looked at together


class Harmony(Protocol):
    """What gives the chords of a file."""

    def of(self, segment: Segment) -> np.ndarray:
        """(T,) int16: the chord on each step of some bars of the file."""
        ...


@dataclass(frozen=True)
class Symbols:
    """Chord symbols: the tick (N,) at which each begins, in order, and its label; before the first is no chord."""

    tick: np.ndarray
    label: np.ndarray

    def of(self, segment: Segment) -> np.ndarray:
        """(T,) int16: a chord begins on the step nearest to its symbol, the later one of two that are as near."""
        steps, quarter = np.arange(segment.bars * segment.steps_of_bar), segment.notes.ticks_per_quarter
        # in units of 1 / (2 * steps_per_quarter) ticks everything is a whole number; half a step is added, to round
        at = (self.tick - segment.start) * (2 * segment.steps_per_quarter) + quarter
        return np.append(0, self.label)[np.searchsorted(at, 2 * quarter * (steps + 1))].astype(np.int16)


def symbols_of(notes: Notes) -> tuple[Symbols | None, Counter[str]]:
    """The chord symbols of a file, None where it has none, and what stands among them and is no chord symbol.

    They are the file's markers, else its texts, else its lyrics: the first of these kinds of which half or more are
    chord symbols.
    """
    for kind in KINDS:
        own = [(tick, text) for tick, its, text in notes.texts if its == kind and text]
        read = [(tick, chords.parse(text)) for tick, text in own]
        known = [(tick, chord) for tick, chord in read if chord is not None]
        if known and 2 * len(known) >= len(own):
            strange = Counter(text for (_, text), (_, chord) in zip(own, read, strict=True) if chord is None)
            by_tick = dict(known)  # of several on one tick the last
            ticks = np.array(sorted(by_tick), dtype=np.int64)
            return Symbols(ticks, np.array([by_tick[tick] for tick in ticks.tolist()], dtype=np.int64)), strange
    return None, Counter()


@dataclass(frozen=True)
class Asked:
    """A progression that is asked for, bar after bar from the first one of the file on."""

    progression: chords.Progression

    def of(self, segment: Segment) -> np.ndarray:
        """(T,) int16: the chord on each step, that of its bar."""
        bar = segment.steps_of_bar
        first = bar_number(segment.notes, segment.start) - 1
        return self.progression.laid(first, segment.bars * bar, bar)


@dataclass(frozen=True)
class Accompaniment:
    """Notes beside a melody: of each its pitch, and the ticks at which it begins and ends, (N,) int64 each."""

    pitch: np.ndarray
    start: np.ndarray
    end: np.ndarray

    def of(self, segment: Segment) -> np.ndarray:
        """(T,) int16: the chord of each half bar or bar (`spans_of_bar`), found by `best_triads`."""
        bar, grid = segment.steps_of_bar, segment.steps_per_quarter
        span = bar // spans_of_bar(segment.meter, bar)
        spans = segment.bars * bar // span
        edges = segment.start * grid + np.arange(spans + 1) * span * segment.notes.ticks_per_quarter
        found = [np.zeros(0, np.int64)]
        for first in range(0, spans, SPANS):
            sounding = np.diff(self._until(edges[first : first + SPANS + 1], grid), axis=1)
            found.append(best_triads(self._pitches, sounding))
        return np.repeat(np.concatenate(found), span).astype(np.int16)

    def makes_triads(self, segment: Segment, places: np.ndarray) -> bool:
        """Whether there is a chord anywhere in the file of a segment, whose melody has the notes at these places."""
        if segment.steps_per_quarter not in self._known:
            placed = layout(segment.notes, places, segment.steps_per_quarter)
            self._known[segment.steps_per_quarter] = any(bool(self.of(own).any()) for own in placed.segments)
        return self._known[segment.steps_per_quarter]

    @cached_property
    def _known(self) -> dict[int, bool]:
        """By steps of a quarter whether there is a chord, since a file may have very many segments."""
        return {}

    def _until(self, edges: np.ndarray, grid: int) -> np.ndarray:
        """(P, E): how long each pitch has sounded up to each edge, in units of 1 / `grid` ticks."""
        rows = np.arange(len(self._pitches))[:, None]
        total = np.zeros((len(rows), len(edges)), np.int64)
        for sign, (times, sums, first) in ((1, self._starts), (-1, self._ends)):
            # notes lie by pitch, and those of a pitch by time: one search finds the place of each edge in each pitch
            place = np.searchsorted(times, rows * self._beyond + np.clip(edges // grid, 0, self._beyond - 1), "right")
            count = place - first[:, None]
            total += sign * (count * edges - grid * (sums[place] - sums[first][:, None]))
        return total

    @cached_property
    def _pitches(self) -> np.ndarray:
        return np.unique(self.pitch)

    @cached_property
    def _beyond(self) -> int:
        return int(self.end.max(initial=0)) + 2

    @cached_property
    def _starts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self._sorted(self.start)

    @cached_property
    def _ends(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self._sorted(self.end)

    def _sorted(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Times by pitch, that is with its place above them, in order; sums of those before; each pitch's first."""
        row = np.searchsorted(self._pitches, self.pitch)
        order = np.lexsort((times, row))
        sums = np.concatenate([[0], np.cumsum(times[order])])
        first = np.searchsorted(row[order], np.arange(len(self._pitches)))
        return row[order] * self._beyond + times[order], sums, first


def spans_of_bar(meter: Meter, steps: int) -> int:
    """How many chords a bar has: two where it has four beats or more that can be halved, else one (Magenta's).

    >>> [spans_of_bar(meter, 12) for meter in ((4, 4), (6, 8), (3, 4), (2, 4), (5, 4))]
    [2, 2, 1, 1, 1]
    """
    beats, _ = meter
    return 2 if beats >= 4 and beats % 2 == 0 and steps % 2 == 0 else 1


def best_triads(pitches: Sequence[int] | np.ndarray, sounding: np.ndarray) -> np.ndarray:
    """(S,) int64: the triad of each span, from how long (P, S) each of the pitches (P,) sounds in it.

    It is the triad with the largest share of the sounding time, its root counting 0.1 more where it is the lowest note.
    Of two with as much it is the one whose root sounds longer, then the first by label: major before minor. A triad
    has more than half of the time, and two or more of its notes sound, or all three of one that is augmented or
    diminished; where none does there is no chord, and in silence.

    >>> best_triads([48, 55, 60, 64], np.array([[2, 0, 0], [2, 0, 3], [2, 4, 0], [2, 0, 2]])).tolist()
    [1, 0, 17]
    """
    pitch = np.asarray(pitches, dtype=np.int64)
    spans = sounding.shape[1]
    if not len(pitch):
        return np.zeros(spans, np.int64)
    by_class = np.zeros((12, spans))
    np.add.at(by_class, pitch % 12, sounding)
    roots = np.arange(12)
    in_bass = roots[:, None] == (pitch % 12)[(sounding > 0).argmax(0)]  # in silence it does not matter
    scores = []
    for intervals, least in zip(chords.THIRDS_AND_FIFTHS, LEAST_NOTES, strict=True):
        notes = np.stack([by_class, *(by_class[(roots + interval) % 12] for interval in intervals)])  # (3, 12, S)
        share = notes.sum(0) / np.maximum(by_class.sum(0), 1)
        possible = (share > LEAST_SHARE) & ((notes > 0).sum(0) >= least)
        scores.append(np.where(possible, share + ROOT_IN_BASS * in_bass, 0))
    score = np.round(np.concatenate(scores), 9)  # so that equal ones are equal whatever was added up first
    root_time = np.where(score == score.max(0), np.tile(by_class, (len(scores), 1)), -1)
    return np.where(score.max(0) > 0, root_time.argmax(0) + 1, 0)
