"""Nearest codes against a sort of all distances, with ties, far-off means and chunks of all sizes."""

import numpy as np
import pytest

from seqvae import neighbours
from seqvae.neighbours import Metric, isolation, nearest


def brute(codes: np.ndarray, query: np.ndarray, n: int, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    """The first n of all distances, of equal ones the first place."""
    if metric == "euclid":
        distances = np.array([np.linalg.norm(code - query) for code in codes.astype(np.float64)])
    else:
        mean = codes.astype(np.float64).mean(0)
        distances = []
        for code in codes.astype(np.float64):
            a, b = code - mean, query - mean
            distances.append(1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
        distances = np.array(distances)
    order = np.lexsort((np.arange(len(codes)), distances.round(9)))[:n]
    return order, distances[order]


@pytest.mark.parametrize("metric", ["euclid", "cosine"])
@pytest.mark.parametrize("chunk", [1, 4, 7, 23, 24, 100])
@pytest.mark.parametrize("n", [1, 5, 23])
def test_the_nearest_are_those_of_a_sort_whatever_the_chunks(
    metric: Metric, chunk: int, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "LARGEST_CHUNK", chunk)
    monkeypatch.setattr(neighbours, "PAIRS", 2 * chunk)
    rng = np.random.default_rng(0)
    codes = rng.standard_normal((23, 3)).astype(np.float32)
    codes[15:] = codes[:8]  # ties across chunks
    queries = np.concatenate([codes[2:4].astype(np.float64), rng.standard_normal((3, 3))])
    places, distances = nearest(codes, queries, n, metric)
    for row, query in enumerate(queries):
        expected, far = brute(codes, query, n, metric)
        assert places[row].tolist() == expected.tolist()
        np.testing.assert_allclose(distances[row], far, atol=1e-9)


def test_an_item_is_at_distance_zero_from_itself_and_from_its_copies() -> None:
    codes = np.random.default_rng(1).standard_normal((40, 5)).astype(np.float32)
    codes[[11, 30]] = codes[4]
    places, distances = nearest(codes, codes[4:5].astype(np.float64), 4)
    assert places[0, :3].tolist() == [4, 11, 30]
    assert distances[0, :3].tolist() == [0.0, 0.0, 0.0]
    assert distances[0, 3] > 0.1


def test_codes_far_from_zero_keep_their_distances() -> None:
    codes = np.random.default_rng(2).standard_normal((500, 4)).astype(np.float32) + np.float32(1e5)
    query = codes[7].astype(np.float64) + 0.25
    places, distances = nearest(codes, query[None], 20)
    expected, far = brute(codes, query, 20, "euclid")
    assert places[0].tolist() == expected.tolist()
    np.testing.assert_allclose(distances[0], far, rtol=1e-12)


def test_cosine_is_that_of_the_angle_at_the_mean_and_1_at_the_mean_itself() -> None:
    codes = np.array([[3.0, 1.0], [1.0, 1.0], [-1.0, 1.0], [1.0, 3.0], [1.0, -1.0]])  # their mean is (1, 1)
    places, distances = nearest(codes, np.array([[9.0, 1.0]]), 5, "cosine")
    assert places[0].tolist() == [0, 1, 3, 4, 2]
    np.testing.assert_allclose(distances[0], [0, 1, 1, 1, 2], atol=1e-12)


@pytest.mark.parametrize("n", [0, 4])
def test_what_is_not_possible_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"n={n} is not possible among 3 codes; give 1 to 3"):
        nearest(np.zeros((3, 2)), np.zeros((1, 2)), n)
    with pytest.raises(ValueError, match="no metric 'manhattan'; there are euclid, cosine"):
        nearest(np.zeros((3, 2)), np.zeros((1, 2)), 1, "manhattan")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one code alone"):
        isolation(np.zeros((1, 2)))


@pytest.mark.parametrize("pairs", [1, 64, 2**22])
def test_isolation_is_the_distance_to_the_fifth_nearest_other_code(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "PAIRS", pairs)
    codes = np.random.default_rng(3).standard_normal((31, 3)).astype(np.float32) + 50
    far = np.linalg.norm(codes[:, None].astype(np.float64) - codes, axis=2)
    np.testing.assert_allclose(isolation(codes), np.sort(far, axis=1)[:, 5], rtol=1e-6)
    np.testing.assert_allclose(isolation(codes[:3]), np.sort(far[:3, :3], axis=1)[:, 2], rtol=1e-6)


def test_of_many_codes_the_others_are_some_that_the_seed_draws() -> None:
    codes = np.random.default_rng(4).standard_normal((40, 2))
    drawn = np.sort(np.random.default_rng(9).permutation(40)[:12])
    far = np.linalg.norm(codes[:, None] - codes[drawn], axis=2)
    far[drawn, np.arange(12)] = np.inf
    seen: list[tuple[int, int]] = []
    found = isolation(codes, 2, most=12, seed=9, watch=lambda done, total: seen.append((done, total)))
    np.testing.assert_allclose(found, np.sort(far, axis=1)[:, 1])
    assert seen[-1] == (40, 40)
