"""Variations of which no two are equal, of anything that can be made and compared."""

import numpy as np
import pytest

from seqvae.variation import FARTHER, SAME_DISTANCE, distances_of_tries, distinct


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
