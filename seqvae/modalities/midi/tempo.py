"""Tempos as MIDI holds them."""

import math

MICROSECONDS_PER_MINUTE = 60_000_000


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
