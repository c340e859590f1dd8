"""Tempos as MIDI holds them, and how they change."""

import math
from bisect import bisect_right

MICROSECONDS_PER_MINUTE = 60_000_000
Tempos = tuple[tuple[float, float], ...]  # (quarters from a start, quarters a minute from there on), by the first


def microseconds_per_quarter(bpm: float) -> int:
    """Microseconds a quarter, the form in which MIDI holds a tempo of `bpm` quarters a minute.

    Raises ValueError for one that it cannot hold.

    >>> microseconds_per_quarter(120.0), microseconds_per_quarter(113.0)
    (500000, 530973)
    """
    microseconds = round(MICROSECONDS_PER_MINUTE / bpm) if 1 < bpm < math.inf else 0
    if not 0 < microseconds < 1 << 24:
        raise ValueError(f"{bpm:g} quarters a minute is no tempo that MIDI can hold; give 4 to 1000")
    return microseconds


def held_bpm(bpm: float) -> float:
    """The tempo that is heard of a file of `bpm` quarters a minute.

    >>> held_bpm(120.0), round(held_bpm(113.0), 6)
    (120.0, 113.000096)
    """
    return MICROSECONDS_PER_MINUTE / microseconds_per_quarter(bpm)


def tempos_within(tempos: Tempos, first: float, last: float) -> Tempos:
    """The tempos from one quarter to before another, counted from there; the first one holds from the start on.

    >>> tempos_within(((0, 90.0), (2, 100.0), (5, 110.0), (8, 60.0)), 4, 8)
    ((0, 100.0), (1, 110.0))
    """
    before = bisect_right(tempos, first, key=lambda tempo: tempo[0])
    inside = tempos[before : bisect_right(tempos, last, lo=before, key=lambda tempo: tempo[0])]
    return ((0, tempos[before - 1][1]), *((at - first, bpm) for at, bpm in inside if at < last))


def seconds_of(tempos: Tempos, quarters: float) -> float:
    """The time in seconds that so many quarters take at tempos whose first one holds from the start on.

    >>> seconds_of(((0, 60.0), (3, 120.0)), 4)
    3.5
    """
    ends = [*(min(at, quarters) for at, _ in tempos[1:]), quarters]
    starts = [0.0, *ends[:-1]]
    return sum((end - start) * 60.0 / bpm for start, end, (_, bpm) in zip(starts, ends, tempos, strict=True))


def tempos_between(a: Tempos, b: Tempos, share: float) -> Tempos:
    """The tempos at a share of the way from some to others: at each quarter a^(1 - share) b^share.

    Half way between half and double the tempo is the tempo itself, as ears have it. The ends are exact.

    >>> [(at, round(bpm, 9)) for at, bpm in tempos_between(((0, 60.0), (4, 15.0)), ((0, 240.0),), 0.5)]
    [(0, 120.0), (4, 60.0)]
    """
    places = sorted({at for at, _ in (*a, *b)})
    pairs = [[tempos_within(own, at, at)[0][1] for own in (a, b)] for at in places]
    # where both agree a power and its inverse would leave a rounding error
    mixed = [first if first == second else first ** (1 - share) * second**share for first, second in pairs]
    return tuple(zip(places, mixed, strict=True))
