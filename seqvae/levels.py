"""What measured numbers are called, so that one can be asked for: low, middle and high, or no and yes."""

from collections.abc import Sequence

import numpy as np

NAMES = {1: ("low", "high"), 2: ("low", "middle", "high")}  # by the number of limits
YES_OR_NO = ("no", "yes")


def limits_of(numbers: np.ndarray, is_yes_or_no: bool = False) -> tuple[float, ...]:
    """What lies between the levels of numbers (N,), NaN for none: two limits that cut them into thirds.

    Equal numbers are of one level: a limit lies halfway between two that differ, where the share below is the nearest
    to a third or to two. There is one limit where that is the same place for both, and none where all numbers are the
    same.

    >>> limits_of(np.array([1, 2, 3, 4, 5, 6, np.nan])), limits_of(np.array([0, 0, 0, 5])), limits_of(np.array([2, 2]))
    ((2.5, 4.5), (2.5,), ())
    """
    if is_yes_or_no:
        return (0.5,)
    known, counts = np.unique(numbers[~np.isnan(numbers)], return_counts=True)
    if len(known) < 2:
        return ()
    shares = counts.cumsum()[:-1] / counts.sum()
    places = {int(np.abs(shares - share).argmin()) for share in (1 / 3, 2 / 3)}
    return tuple(float((known[place] + known[place + 1]) / 2) for place in sorted(places))


def names_of(limits: Sequence[float], is_yes_or_no: bool = False) -> tuple[str, ...]:
    """The names of the levels between limits, from the lowest.

    >>> names_of([2.5, 4.5]), names_of([2.5]), names_of([0.5], is_yes_or_no=True)
    (('low', 'middle', 'high'), ('low', 'high'), ('no', 'yes'))
    """
    return YES_OR_NO if is_yes_or_no else NAMES[len(limits)]


def places_of(numbers: np.ndarray, limits: Sequence[float]) -> np.ndarray:
    """(N,) int64: the place of the level of each number (N,), counted from the lowest; -1 of NaN.

    A number that is a limit is below it.

    >>> places_of(np.array([7.0, 2.5, 3.0, np.nan]), [2.5, 4.5]).tolist()
    [2, 0, 1, -1]
    """
    return np.where(np.isnan(numbers), -1, np.searchsorted(limits, numbers)).astype(np.int64)


def in_words(place: int, limits: Sequence[float]) -> str:
    """Which numbers a level has, by its place.

    >>> [in_words(place, [2.5, 4.5]) for place in range(3)]
    ['up to 2.5', 'above 2.5 to 4.5', 'above 4.5']
    """
    if 0 < place < len(limits):
        return f"above {limits[place - 1]:.4g} to {limits[place]:.4g}"
    return f"above {limits[-1]:.4g}" if place else f"up to {limits[0]:.4g}"
