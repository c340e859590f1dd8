"""Bars to windows: which bars they take, how they are numbered and named, and a piece cut into them whole."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Protocol, TypeVar

from seqvae.modalities.midi.meters import Meter

Item = TypeVar("Item", covariant=True)


class Bars(Protocol[Item]):
    """Whole bars of one metre that follow each other, which items are cut out of."""

    @property
    def meter(self) -> Meter:
        """The metre of all of them."""
        ...

    @property
    def bars(self) -> int:
        """How many they are."""
        ...

    @property
    def lacks(self) -> str:
        """What none of them has that they may have besides notes, such as a chord; empty for nothing."""
        ...

    @property
    def lent(self) -> str:
        """What they have that their file has not, such as the chords asked for; empty for nothing."""
        ...

    @property
    def keeps_silence(self) -> bool:
        """Whether all bars can be windows, silent ones too; else nothing reads the others but a whole piece."""
        ...

    @property
    def repeats(self) -> bool:
        """Whether these are the bars of another one, heard in another way: no whole piece takes them."""
        ...

    def windows(self, firsts: range, bars: int) -> Sequence[int]:
        """Those of the first bars with which a window of so many bars begins that is read."""
        ...

    def cut(self, first: int, bars: int) -> Item:
        """The item of so many bars from one on."""
        ...

    def count(self, first: int, last: int) -> tuple[int, int]:
        """The notes that begin in the bars from `first` to before `last`, and the places of the grid they share."""
        ...


Ways = Sequence[Bars[Item]]  # the same bars, heard in one way or in several


def starts(stretch: Bars[Item], bars: int, hop: int) -> Sequence[int]:
    """The first bar of each window of so many bars that is read, one every `hop` bars."""
    return stretch.windows(all_starts(stretch, bars, hop), bars)


def in_any(ways: Sequence[Sequence[int]]) -> Sequence[int]:
    """The first bars of windows that are read in one or more of the ways in which the same bars are heard."""
    return ways[0] if len(ways) == 1 else sorted(set().union(*ways))


def all_starts(stretch: Bars[Item], bars: int, hop: int) -> range:
    """The same, those that are not read among them."""
    return range(0, stretch.bars - bars + 1, hop)


def bars_in_windows(firsts: Sequence[int], bars: int) -> list[tuple[int, int]]:
    """The bars that stand in a window, each once, from a first one to before a last one.

    >>> bars_in_windows([0, 1, 4, 8], 2)
    [(0, 3), (4, 6), (8, 10)]
    """
    found: list[tuple[int, int]] = []
    for first in firsts:
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], first + bars
        else:
            found.append((first, first + bars))
    return found


def pieces(stretches: Sequence[Bars[Item]], bars: int) -> list[Item]:
    """All bars in windows one after another; the last of each stretch is as short as it is."""
    return [
        stretch.cut(first, min(bars, stretch.bars - first))
        for stretch in stretches
        for first in range(0, stretch.bars, bars)
    ]


def piece_names(name: str, stretches: Sequence[Bars[Item]], bars: int, hop: int) -> list[str]:
    """The names of `pieces`: FILE#INDEX where a window is counted from there, or its bars."""
    names = []
    for number, stretch in numbered(stretches, hop):
        for first in range(0, stretch.bars, bars):
            place = number + Fraction(first, hop)
            exact = place.denominator == 1
            names.append(f"{name}#{place}" if exact else f"{name}, bars {first + 1} to {first + bars}")
    return names


def numbered(stretches: Sequence[Bars[Item]], hop: int) -> Iterator[tuple[int, Bars[Item]]]:
    """Each stretch with the number of its first window; a window starts every `hop` bars, the last may be shorter."""
    first = 0
    for stretch in stretches:
        yield first, stretch
        first += -(-stretch.bars // hop)


def window_count(stretches: Sequence[Bars[Item]], hop: int) -> int:
    """How many windows are numbered."""
    return sum(-(-stretch.bars // hop) for stretch in stretches)


def stretch_at(stretches: Sequence[Bars[Item]], number: int, hop: int) -> tuple[Bars[Item], int]:
    """The stretch and the first bar in it of the window of a number below `window_count`."""
    *_, (first, stretch) = ((first, stretch) for first, stretch in numbered(stretches, hop) if first <= number)
    return stretch, (number - first) * hop
