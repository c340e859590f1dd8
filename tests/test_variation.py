"""Walks of even steps, and variations of which no two are equal, of anything that can be made and compared."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from seqvae.variation import FARTHER, SAME_DISTANCE, distances_of_tries, distinct, even_places, even_walk


def steps_of(changes: Sequence[float], places: Sequence[int]) -> list[float]:
    """What changes between these places of a walk."""
    return [sum(changes[a:b]) for a, b in itertools.pairwise(places)]


@pytest.mark.parametrize("count", [2, 3, 8, 30])
def test_between_the_places_of_a_smooth_walk_equally_much_changes(count: int) -> None:
    changes = (np.random.default_rng(0).random(900) * np.linspace(0, 1, 900) ** 2).tolist()
    places = even_places(changes, count)
    assert (places[0], places[-1], len(places)) == (0, 900, count)
    even = sum(changes) / (count - 1)
    assert np.allclose(steps_of(changes, places), even, atol=1.01 * max(changes))


def test_a_leap_takes_one_step_and_the_others_share_the_rest_evenly() -> None:
    changes = [0.01] * 40 + [0.0] * 7 + [0.5] + [0.0] * 9 + [0.01] * 20
    found = steps_of(changes, even_places(changes, 8))
    assert max(found) < 0.6
    assert sorted(found)[:-1] == pytest.approx([0.1] * 6, abs=0.02)
    two_leaps = [0.5, *changes]
    found = steps_of(two_leaps, even_places(two_leaps, 8))
    assert sorted(found)[:-2] == pytest.approx([0.12] * 5, abs=0.05)


def test_no_two_places_are_equal_as_long_as_there_are_others() -> None:
    random = np.random.default_rng(1)
    for _ in range(200):
        changes = np.where(random.random(40) < 0.25, random.random(40) ** 4, 0.0).tolist()
        count = int(random.integers(2, 12))
        places = even_places(changes, count)
        assert (places[0], places[-1]) == (0, 40)
        states = 1 + np.count_nonzero(changes)
        different = sum(step > 0 for step in steps_of(changes, places))
        assert different == min(count, states) - 1


def test_where_nothing_changes_the_places_are_spread_over_the_way() -> None:
    """Both ends stay what they are: a tempo, which no change counts, may still go from one to the other."""
    assert even_places([0.0] * 6, 4) == [0, 2, 4, 6]
    assert even_walk(list, lambda a, b: 0.0, 3) == [0.0, 0.5, 1.0]


def test_a_walk_is_made_finer_where_it_hides_much() -> None:
    """Nine tenths of the way change nothing; the last tenth passes fifty states."""
    asked: list[float] = []

    def make(shares: Sequence[float]) -> list[int]:
        asked.extend(shares)
        return [max(0, round(500 * (share - 0.9))) for share in shares]

    walk = even_walk(make, lambda a, b: abs(a - b), 6)
    assert walk == sorted(walk)
    assert (walk[0], walk[-1]) == (0, 50)
    assert [b - a for a, b in itertools.pairwise(walk)] == pytest.approx([10] * 5, abs=2)
    assert len(asked) == len(set(asked)) < 100


def test_a_walk_of_two_steps_is_its_ends_and_one_step_is_refused() -> None:
    assert even_walk(list, lambda a, b: abs(a - b), 2) == [0.0, 1.0]
    with pytest.raises(ValueError, match="1 steps are too few; an interpolation counts both ends, so give at least 2"):
        even_walk(list, lambda a, b: abs(a - b), 1)


def test_equal_items_are_replaced_in_order_and_a_longer_list_begins_the_same() -> None:
    first = [3, 3, 1, 3, 1, 8, 1]

    def more(place: int) -> list[int]:
        return [3, 10 * place] if place != 4 else [1, 3]

    found = distinct(first, more, key=int, known=[8])
    assert found == [3, 10, 1, 30, 1, 50, 60], "what finds no other stays"
    for count in range(len(first)):
        assert distinct(first[:count], more, key=int, known=[8]) == found[:count]


def test_tries_come_from_as_far_as_is_asked_for_and_then_from_farther_up_to_a_sample() -> None:
    distances = distances_of_tries(0.36)
    assert distances[:SAME_DISTANCE] == [0.36] * SAME_DISTANCE
    assert len(distances) == SAME_DISTANCE + FARTHER
    assert np.diff(distances[SAME_DISTANCE - 1 :]) == pytest.approx(0.64 / FARTHER)
    assert distances[-1] == 1.0
    assert set(distances_of_tries(1.0)) == {1.0}
