"""Walks of even steps: points of a path so chosen that what is made of each differs as much from the one before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Generic, TypeVar

import numpy as np

from seqvae.core.latent import even_places

Made = TypeVar("Made")
FINER = 8  # points of the walk that is measured, for each step of the one that is wanted
HALVINGS = 4  # of those of its steps that hide much change, and of those about chosen points
EVEN = 0.1  # steps that are no farther from their mean, as a share of it, are even enough
SPAN = 3.0  # mean steps along the walk that one step may take; a single leap may be longer
SIZES = np.geomspace(0.25, 1.6, 20)  # of steps that are tried, in mean steps along the walk
BLAME = 4  # power of a step's distance from the size that is tried: the farthest count most, and the others somewhat


def deviation(changes: Sequence[float]) -> float:
    """How far the farthest of some steps is from their mean, as a share of it; 0 where nothing changes.

    >>> round(deviation([1.0, 2.0, 3.0]), 6)
    0.5
    """
    steps = np.asarray(changes)
    mean = steps.mean()
    return float(np.abs(steps - mean).max() / mean) if mean else 0.0


def even_walk(
    make: Callable[[Sequence[float]], list[Made]],
    change: Callable[[Made, Made], float],
    steps: int,
    legs: Sequence[float] = (1.0,),
) -> list[Made]:
    """`steps` items of a walk, all waypoints counted, between which about equally much changes.

    `make` gives the items at these places of the walk, whose waypoints are the whole numbers from 0 on, `legs` apart
    (`core.latent.even_places`). It is walked in small steps first, and those of them in which much changes are halved.
    Of its points those are taken whose changes from one to the next, each measured directly, are nearest to each
    other; the points about them are made denser and the choice is made again, until steps are EVEN. Of choices that
    are, the one of the smallest steps is taken. A leap that no point divides takes one step.

    Waypoints are what `make` gives for them. Where the walk has fewer different items than steps, all are taken, and
    some of them again. Raises ValueError for fewer steps than waypoints.
    """
    plain = even_places(steps, legs)
    if steps == len(legs) + 1:  # nothing to choose
        return make(plain)
    fine = _Fine(make, change, even_places(FINER * (steps - 1) + 1, legs))
    for _ in range(HALVINGS):
        much = sum(fine.changes) / (steps - 1) / 2
        if not fine.halve([gap for gap, changed in enumerate(fine.changes) if changed > much]):
            break
    states = fine.states()
    if len(states) <= steps:
        return make(_spread(fine, states, steps))
    found: list[Made] = []
    for halvings in range(HALVINGS + 1):
        chosen = _choice(fine, states, steps - 1)
        found = [fine.items[point] for point in chosen]
        if halvings == HALVINGS or deviation([fine.change(a, b) for a, b in pairwise(chosen)]) <= EVEN:
            break
        known = len(states)
        fine.halve(sorted({gap for point in chosen for gap in (point - 1, point) if fine.divides(gap)}))
        states = fine.states()
        if len(states) == known:
            break
    return found


@dataclass
class _Fine(Generic[Made]):
    """A walk in small steps, which grows: its places, what is made of them, what changes from each to the next."""

    make: Callable[[Sequence[float]], list[Made]]
    measure: Callable[[Made, Made], float]
    places: list[float]
    items: list[Made] = field(init=False)
    changes: list[float] = field(init=False)
    known: dict[tuple[float, float], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.items = self.make(self.places)
        self.changes = [self.change(point, point + 1) for point in range(len(self.places) - 1)]

    def change(self, a: int, b: int) -> float:
        """What changes from one point directly to another."""
        pair = self.places[a], self.places[b]
        if pair not in self.known:
            self.known[pair] = self.measure(self.items[a], self.items[b])
        return self.known[pair]

    def halve(self, gaps: Sequence[int]) -> bool:
        """A new point in the middle of each of these gaps, given in order; whether there was any."""
        middles = [(self.places[gap] + self.places[gap + 1]) / 2 for gap in gaps]
        if not middles:
            return False
        for gap, place, item in reversed(list(zip(gaps, middles, self.make(middles), strict=True))):
            self.places.insert(gap + 1, place)
            self.items.insert(gap + 1, item)
            self.changes[gap : gap + 1] = [self.change(gap, gap + 1), self.change(gap + 1, gap + 2)]
        return True

    def divides(self, gap: int) -> bool:
        """Whether something changes in a gap, so that there may be something between its two points."""
        return 0 <= gap < len(self.changes) and self.changes[gap] > 0

    def is_waypoint(self, point: int) -> bool:
        """Whether a point must be on every walk."""
        return self.places[point].is_integer()

    def states(self) -> list[int]:
        """One point of each stretch in which nothing changes: the waypoints in it, or else the first."""
        found = [[0]]
        for point, changed in enumerate(self.changes, start=1):
            if changed:
                found.append([point])
            elif self.is_waypoint(point):
                found[-1] = [*filter(self.is_waypoint, found[-1]), point]
        return [point for stretch in found for point in stretch]


def _spread(fine: _Fine[Made], states: Sequence[int], steps: int) -> list[float]:
    """The places of so many points of a walk of fewer states: those of all states, and others between them."""
    at = [fine.places[point] for point in states]
    spread = even_places(steps, [b - a for a, b in pairwise(at)])
    return [float(np.interp(place, range(len(at)), at)) for place in spread]


def _choice(fine: _Fine[Made], states: Sequence[int], strides: int) -> list[int]:
    """Those points among `states`, so many strides from the first to the last, whose changes are the most even."""
    stops = [place for place, point in enumerate(states) if fine.is_waypoint(point)]
    walked = np.concatenate([[0.0], np.cumsum(fine.changes)])[list(states)]
    mean = walked[-1] / strides
    best: tuple[tuple[float, float], list[int]] | None = None
    for reach in (SPAN * mean, np.inf):  # all pairs only where too few reach far enough
        direct = _direct_changes(fine, states, stops, walked, reach)
        for size in SIZES * mean:
            path = _shortest(np.abs(direct / size - 1) ** BLAME, strides)
            if path is None:
                break
            changes = [direct[a, b - a - 1] for a, b in pairwise(path)]
            rank = max(EVEN, deviation(changes)), float(np.mean(changes))
            if best is None or rank < best[0]:
                best = rank, [states[place] for place in path]
        if best is not None:
            return best[1]
    raise AssertionError("all points in a row are a walk")


def _direct_changes(
    fine: _Fine[Made], states: Sequence[int], stops: Sequence[int], walked: np.ndarray, reach: float
) -> np.ndarray:
    """(N, K): what changes from state i to state i + 1 + k; infinite beyond the reach, and beyond the next waypoint.

    The state that follows is always within reach.
    """
    ends = [next(stop for stop in stops if stop > place) for place in range(len(states) - 1)]
    far = [
        max(place + 1, min(end, int(np.searchsorted(walked, walked[place] + reach, "right")) - 1))
        for place, end in enumerate(ends)
    ]
    direct = np.full((len(states), max(last - place for place, last in enumerate(far))), np.inf)
    for place, last in enumerate(far):
        direct[place, : last - place] = [
            fine.change(states[place], states[other]) for other in range(place + 1, last + 1)
        ]
    return direct


def _shortest(weights: np.ndarray, strides: int) -> list[int] | None:
    """The places, from the first to the last in so many strides, of the smallest sum of weights; None: there are none.

    `weights[i, k]` is that of the stride from i to i + 1 + k.
    """
    count, longest = weights.shape
    cost = np.full(count, np.inf)
    cost[0] = 0.0
    came = np.zeros((strides, count), np.int32)  # how long the stride was that came here
    for taken in range(strides):
        before, cost = cost, np.full(count, np.inf)
        for length in range(1, min(longest, count - 1) + 1):
            reached = before[:-length] + weights[:-length, length - 1]
            shorter = reached < cost[length:]
            cost[length:][shorter] = reached[shorter]
            came[taken, length:][shorter] = length
    if not np.isfinite(cost[-1]):
        return None
    path = [count - 1]
    for taken in reversed(range(strides)):
        path.append(path[-1] - int(came[taken, path[-1]]))
    return path[::-1]
