"""Metres, and the steps of their bars and beats."""

from fractions import Fraction
from functools import cache

Meter = tuple[int, int]


@cache
def steps_per_bar(meter: Meter, steps_per_quarter: int) -> int:
    """The steps of one bar. Raises ValueError when that is no whole number.

    >>> steps_per_bar((4, 4), 4), steps_per_bar((6, 8), 4), steps_per_bar((7, 8), 12)
    (16, 12, 42)
    """
    numerator, denominator = meter
    steps = Fraction(4 * numerator * steps_per_quarter, denominator)
    if steps.denominator != 1 or steps < 1:
        raise ValueError(
            f"a bar of {numerator}/{denominator} has {steps} steps at {steps_per_quarter} steps a quarter; choose a "
            "finer grid, or leave that metre out"
        )
    return int(steps)


def steps_per_beat(meter: Meter, steps_per_quarter: int) -> int:
    """The steps of one beat as musicians count: of 6/8, 9/8 and 12/8 a dotted quarter, else the metre's unit.

    Where that is no whole number of steps, the whole bar.

    >>> steps_per_beat((4, 4), 4), steps_per_beat((6, 8), 4), steps_per_beat((7, 8), 4), steps_per_beat((3, 8), 12)
    (4, 6, 2, 6)
    """
    beats, unit = meter
    units = 3 if unit >= 8 and beats % 3 == 0 and beats > 3 else 1
    steps, rest = divmod(4 * units * steps_per_quarter, unit)
    return steps_per_bar(meter, steps_per_quarter) if rest else steps


def meter_name(meter: Meter) -> str:
    """A metre as it is written.

    >>> meter_name((6, 8))
    '6/8'
    """
    return f"{meter[0]}/{meter[1]}"


@cache
def parse_meter(word: str) -> Meter | None:
    """The metre that a word such as 6/8 names; None where it names none."""
    numerator, _, denominator = word.partition("/")
    try:
        meter = int(numerator), int(denominator)
    except ValueError:
        return None
    return None if min(meter) < 1 or meter[1] & (meter[1] - 1) else meter
