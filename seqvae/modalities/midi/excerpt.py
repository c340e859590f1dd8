"""What items of every kind have in common: steps of a few bars of one metre on a grid, at tempos."""

import abc
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, Generic, Self, TypeVar

import numpy as np

from seqvae.modalities.midi.meters import Meter, steps_per_bar
from seqvae.modalities.midi.tempo import Tempos, seconds_of, tempos_within


class Excerpt(abc.ABC):
    """Some steps (T, ...), and what it takes to write them as MIDI; its kinds are frozen dataclasses with these fields.

    `meter` is (numerator, denominator), `bpm` quarters a minute at the start; `changes` are the changes of tempo after
    the start.
    """

    meter: Meter
    steps_per_quarter: int
    bpm: float
    changes: Tempos

    @property
    @abc.abstractmethod
    def steps(self) -> np.ndarray:
        """(T, ...): what happens on each step."""

    @property
    @abc.abstractmethod
    def onsets(self) -> np.ndarray:
        """(T,) int64: how many notes begin on each step."""

    @property
    @abc.abstractmethod
    def program(self) -> int | tuple[int, ...]:
        """The MIDI program of its channel, 0 to 127, that of drums being their kit; or those of several parts."""

    @classmethod
    def texts_of(cls, items: Sequence[Self]) -> Sequence[Sequence[tuple[int, str]]]:
        """Words on the steps of each item of a piece, in order, each until the next one, such as chord symbols."""
        return [()] * len(items)

    @property
    def lacks(self) -> str:
        """What its steps may have besides notes, and none of these has, such as a chord; empty for nothing."""
        return ""

    @abc.abstractmethod
    def with_steps(self, steps: np.ndarray) -> Self:
        """The same with other steps."""

    @abc.abstractmethod
    def with_program(self, program: Any) -> Self:
        """The same with another program."""

    @abc.abstractmethod
    def filled(self, length: int) -> Self:
        """The same, followed by silence up to so many steps, or whole where it is as long."""

    def taken(self, first: int, last: int) -> Self:
        """The steps from one to before another, as a window of their own."""
        return self.with_steps(self.steps[first:last])

    def alone(self) -> Self:
        """The same, written so that nothing that comes before it sounds on into it."""
        return self

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def tempos(self) -> Tempos:
        """The tempo at the start, and all changes."""
        return ((0, self.bpm), *self.changes)

    @property
    def bars(self) -> Fraction:
        """The length in bars."""
        return Fraction(len(self), steps_per_bar(self.meter, self.steps_per_quarter))

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return seconds_of(self.tempos, len(self) / self.steps_per_quarter)

    @property
    def digest(self) -> bytes:
        """What two items of equal steps, metre and grid have in common; tempo and program play no part."""
        shape = repr((self.steps.shape, self.meter, self.steps_per_quarter)).encode()
        return hashlib.blake2b(self.steps.tobytes() + shape, digest_size=16).digest()

    def __eq__(self, other: object) -> bool:
        """Equal steps on an equal grid, tempos and program."""
        if not isinstance(other, Excerpt) or type(other) is not type(self):
            return NotImplemented
        same = (self.meter, self.steps_per_quarter, self.tempos, self.program) == (
            other.meter, other.steps_per_quarter, other.tempos, other.program,
        )  # fmt: skip
        return same and np.array_equal(self.steps, other.steps)

    def __hash__(self) -> int:
        return hash((self.steps.shape, self.steps.tobytes(), self.meter, self.steps_per_quarter))


Own = TypeVar("Own", bound=Excerpt)


@dataclass(frozen=True, eq=False)
class Stretch(Generic[Own]):
    """Whole bars of one metre that follow each other: all their steps are those of `whole`.

    `notes` (bars,) counts the notes of each bar, those that share a place of the grid included; `bpm` (bars,) is the
    tempo at the start of each bar. With `keeps_silence` windows without a note are windows like others. Where there is
    `covered` (bars,), windows are those of covered bars alone; `places` (bars,) are the places of the grid that the
    notes of each bar share, where these are not those of `whole` alone. One that `repeats` has the bars of another one,
    heard in another way. `lent` says what they have that their file has not, such as chords; empty for nothing.
    """

    whole: Own
    notes: np.ndarray
    bpm: np.ndarray
    keeps_silence: bool = True
    covered: np.ndarray | None = None
    places: np.ndarray | None = None
    repeats: bool = False
    lent: str = ""

    @property
    def meter(self) -> Meter:
        """The metre of all of them."""
        return self.whole.meter

    @property
    def bars(self) -> int:
        """How many they are."""
        return len(self.notes)

    @property
    def lacks(self) -> str:
        """What none of them has that they may have besides notes; empty for nothing."""
        return self.whole.lacks

    def cut(self, first: int, bars: int) -> Own:
        """The item of so many bars from one on; its tempos are those of its time."""
        steps = self._steps_of_bar
        item = replace_tempos(self.whole.taken(first * steps, (first + bars) * steps), float(self.bpm[first]))
        if not self.whole.changes:
            return item
        start, end = (bar * steps / self.whole.steps_per_quarter for bar in (first, first + bars))
        tempos = tempos_within(((0, self.bpm[0]), *self.whole.changes), start, end)
        return replace_tempos(item, item.bpm, tempos[1:])

    def count(self, first: int, last: int) -> tuple[int, int]:
        """The notes of the bars from `first` to before `last`, and the places of the grid that they share."""
        notes = int(self.notes[first:last].sum())
        places = self._onsets if self.places is None else self.places
        return notes, int(places[first:last].sum())

    def windows(self, firsts: range, bars: int) -> Sequence[int]:
        """Those of the first bars with which a window of so many bars begins that is read."""
        if self.covered is None and self.keeps_silence:
            return firsts
        found = np.array(firsts, dtype=np.int64)
        if self.covered is not None:
            found = found[_within(self.covered, found, bars) == bars]
        if not self.keeps_silence:
            found = found[_within(self._onsets, found, bars) > 0]
        kept: list[int] = found.tolist()
        return kept

    @cached_property
    def _steps_of_bar(self) -> int:
        return len(self.whole) // self.bars

    @cached_property
    def _onsets(self) -> np.ndarray:
        """(bars,) int64: how many notes of `whole` begin in each bar."""
        found: np.ndarray = self.whole.onsets.reshape(self.bars, -1).sum(1)
        return found


def _within(numbers: np.ndarray, firsts: np.ndarray, bars: int) -> np.ndarray:
    """The sums (W,) of the numbers of so many bars from each first one on."""
    before = np.append(0, numbers.cumsum())
    sums: np.ndarray = before[firsts + bars] - before[firsts]
    return sums


def replace_tempos(item: Own, bpm: float, changes: Tempos = ()) -> Own:
    """The same item at other tempos."""
    if (item.bpm, item.changes) == (bpm, changes):
        return item
    return replace(item, bpm=bpm, changes=changes)  # type: ignore[type-var]  # its kinds are dataclasses


def most_frequent(programs: Sequence[int] | np.ndarray) -> int:
    """The program that most notes have, the lowest of several; 0 of none."""
    return int(np.bincount(np.asarray(programs, dtype=np.int64), minlength=1).argmax())
