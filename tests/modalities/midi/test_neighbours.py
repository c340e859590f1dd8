"""Grooves as the nearest training windows play them, against sums and medians written out."""

import numpy as np
import pytest

from seqvae.modalities.midi import neighbours
from seqvae.modalities.midi.neighbours import medians, nearest, performed
from tests.modalities.midi.test_performance import played


def everything(x: np.ndarray) -> np.ndarray:
    return x


def test_the_nearest_are_those_that_differ_in_the_fewest_hits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "ROWS", 3)  # several chunks, the last one short
    random = np.random.default_rng(0)
    hits, others = random.random((7, 11)) < 0.4, random.random((23, 11)) < 0.3
    expected = [sorted(range(23), key=lambda m: ((row != others[m]).sum(), m))[:5] for row in hits]
    assert nearest(hits, others, 5).tolist() == expected
    assert nearest(hits, others[:2], 5).shape == (7, 2)


@pytest.mark.parametrize("count", [1, 4, 5])
def test_medians_are_of_those_that_hit(count: int) -> None:
    random = np.random.default_rng(count)
    steps = random.integers(1, 128, (count, 30, 2))
    steps[..., 1] -= 64
    steps[random.random((count, 30)) < 0.4] = 0
    otherwise = random.integers(0, 9, (30, 2)).astype(float)
    for h, found in enumerate(medians(steps, otherwise)):
        own = steps[steps[:, h, 0] > 0, h]
        assert found.tolist() == (np.median(own, 0) if len(own) else otherwise[h]).tolist()


TRAINING = [
    played((0, 0, 100, 10), (4, 1, 90, -8)),
    played((0, 0, 80, 20), (4, 1, 70, -20)),
    played((0, 0, 60, 0), (4, 1, 30, 2), (8, 2, 20, 33), (9, 2, 20, 33), (10, 2, 20, 33)),
    played((8, 2, 127, 1)),
]


def test_hits_are_played_by_the_median_of_the_nearest_that_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "NEIGHBOURS", 2)
    wanted = played((0, 0, 1, 1), (4, 1, 1, 1), (8, 2, 1, 1), (20, 5, 1, 1))
    (found,) = performed([wanted], [wanted[..., 0] > 0], TRAINING, everything)
    # the two nearest have no hat on step 8: it is played as all of the training play it, and the tom, of none, flat
    assert np.array_equal(found, played((0, 0, 90, 15), (4, 1, 80, -14), (8, 2, 74, 17), (20, 5, 64, 0)))
    fewer = wanted[..., 0] > 0
    fewer[4] = False
    (found,) = performed([wanted], [fewer], TRAINING, everything)
    assert np.array_equal(found[..., 0] > 0, fewer), (
        "neighbours are those of all that is read, hits those that are asked"
    )


def test_hits_that_are_not_known_are_those_of_enough_of_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "NEIGHBOURS", 3)
    monkeypatch.setattr(neighbours, "VOTERS", 3)
    monkeypatch.setattr(neighbours, "MAJORITY", 0.5)
    x = played((0, 0, 5, 5), (8, 2, 9, 9))

    def without_snare(steps: np.ndarray) -> np.ndarray:
        return np.where((np.arange(9) == 1)[:, None], 0, steps)

    (found,) = performed([x], None, TRAINING, without_snare, slice(1, 2))
    assert np.array_equal(found, played((0, 0, 5, 5), (4, 1, 80, -14), (8, 2, 9, 9))), "the snare alone is said"
    (whole,) = performed([x], None, TRAINING, everything)
    assert np.array_equal(whole, played((0, 0, 90, 15), (4, 1, 80, -14)))


def test_windows_of_another_length_are_no_neighbours() -> None:
    short = played((0, 0, 5, 5), steps=24)
    long = played((0, 0, 6, 6))
    found = performed(
        [long, short], [x[..., 0] > 0 for x in (long, short)], [played((0, 0, 99, 9), steps=24)], everything
    )
    assert not found[0].any()
    assert np.array_equal(found[1], played((0, 0, 99, 9), steps=24))
