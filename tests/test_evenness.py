"""Walks of even steps, of anything that can be made and compared."""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from seqvae.evenness import EVEN, deviation, even_walk


def steps_of(walk: Sequence[float]) -> list[float]:
    return [abs(b - a) for a, b in itertools.pairwise(walk)]


def apart(a: float, b: float) -> float:
    return abs(a - b)


@pytest.mark.parametrize("steps", [3, 8, 30])
def test_the_steps_of_a_smooth_walk_are_even_however_uneven_its_speed(steps: int) -> None:
    walk = even_walk(lambda places: [place**3 for place in places], apart, steps)
    assert (walk[0], walk[-1], len(walk)) == (0.0, 1.0, steps)
    assert walk == sorted(walk)
    assert deviation(steps_of(walk)) <= EVEN


def test_what_is_even_is_the_change_from_one_to_the_next_and_not_the_way_between_them() -> None:
    """On a wave the way along it is the same everywhere; straight across, from crest to trough is farther."""

    def make(places: Sequence[float]) -> list[complex]:
        return [complex(place, 0.3 * math.sin(12 * place)) for place in places]

    walk = even_walk(make, lambda a, b: abs(a - b), 9)
    assert deviation([abs(b - a) for a, b in itertools.pairwise(walk)]) <= EVEN


@pytest.mark.parametrize("leap", [1, 40])
def test_a_leap_takes_one_step_and_the_others_share_the_rest(leap: int) -> None:
    def make(places: Sequence[float]) -> list[int]:
        return [round(60 * place) + (leap if place > 0.4 else 0) for place in places]

    walk = even_walk(make, apart, 8)
    found = sorted(steps_of(walk))
    assert (walk[0], walk[-1]) == (0, 60 + leap)
    if leap == 1:
        assert deviation(found) <= 0.15
    else:
        assert found[-1] < 60
        assert found[0] > 2


def test_no_two_are_equal_as_long_as_there_are_others() -> None:
    random = np.random.default_rng(1)
    for _ in range(40):
        changes = np.where(random.random(40) < 0.4, random.random(40) ** 4, 0.0)
        values = np.concatenate([[0.0], np.cumsum(changes)])

        def make(places: Sequence[float], values: np.ndarray = values) -> list[float]:
            return [float(values[round(40 * place)]) for place in places]

        count = int(random.integers(3, 9))
        walk = even_walk(make, apart, count)
        assert (walk[0], walk[-1], len(walk)) == (values[0], values[-1], count)
        assert len(set(walk)) == min(count, len(set(values.tolist())))


def test_where_nothing_changes_the_places_are_spread_over_the_way() -> None:
    """Both ends stay what they are: a tempo, which no change counts, may still go from one to the other."""
    assert even_walk(list, lambda a, b: 0.0, 3) == [0.0, 0.5, 1.0]


def test_a_walk_is_made_finer_where_it_hides_much() -> None:
    """Nine tenths of the way change nothing; the last tenth passes fifty states."""
    asked: list[float] = []

    def make(places: Sequence[float]) -> list[int]:
        asked.extend(places)
        return [max(0, round(500 * (place - 0.9))) for place in places]

    walk = even_walk(make, apart, 6)
    assert (walk[0], walk[-1]) == (0, 50)
    assert steps_of(walk) == pytest.approx([10] * 5, abs=1)
    assert len(asked) == len(set(asked)) < 200


@pytest.mark.parametrize("make", [list, lambda places: [round(7 * place) for place in places]])
def test_every_waypoint_is_met_and_legs_get_points_by_what_changes_in_them(
    make: Callable[[Sequence[float]], list[float]],
) -> None:
    """The second leg changes three times as much as the first, whatever is said of their lengths."""

    def bent(places: Sequence[float]) -> list[float]:
        return make([place if place < 1 else 1 + 3 * (place - 1) for place in places])

    walk = even_walk(bent, apart, 9, legs=[5.0, 1.0])
    assert walk == sorted(walk)
    assert {*bent([0.0, 1.0, 2.0])} <= {*walk}
    assert walk.index(bent([1.0])[0]) == 2


def test_as_many_steps_as_waypoints_are_the_waypoints_and_fewer_are_refused() -> None:
    assert even_walk(list, apart, 2) == [0.0, 1.0]
    assert even_walk(list, apart, 3, legs=[1.0, 9.0]) == [0.0, 1.0, 2.0]
    with pytest.raises(ValueError, match="1 steps are too few; an interpolation counts both ends, so give at least 2"):
        even_walk(list, apart, 1)
    with pytest.raises(ValueError, match="2 steps are too few for a walk through 3 items; give at least 3"):
        even_walk(list, apart, 2, legs=[1.0, 9.0])
