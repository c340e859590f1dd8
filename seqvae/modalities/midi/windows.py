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
    def keeps_silence(self) -> bool:
        """Whether windows without a note are windows like others; else nothing reads them but a whole piece."""
        ...

    def cut(self, first: int, bars: int) -> Item:
        """The item of so many bars from one on."""
        ...

    def count(self, first: int, last: int) -> tuple[int, int]:
        """The notes that begin in the bars from `first` to before `last`, and the places of the grid they share."""
        ...


def starts(stretch: Bars[Item], bars: int, hop: int) -> Sequence[int]:
    """The first bar of each window of so many bars, one every `hop` bars; silent ones where these are kept."""
    every = all_starts(stretch, bars, hop)
    return every if stretch.keeps_silence else [first for first in every if stretch.count(first, first + bars)[0]]


def all_starts(stretch: Bars[Item], bars: int, hop: int) -> range:
    """The same, silent ones among them."""
    return range(0, stretch.bars - bars + 1, hop)


def bars_in_windows(stretch: Bars[Item], bars: int, hop: int) -> list[tuple[int, int]]:
    """The bars that stand in a window, each once, from a first one to before a last one."""
    firsts = all_starts(stretch, bars, hop)
    return [(firsts[0], firsts[-1] + bars)] if firsts and hop <= bars else [(at, at + bars) for at in firsts]


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
