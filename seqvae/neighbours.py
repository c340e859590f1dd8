"""Which codes lie nearest to others, exactly, by matrix products over a table that need not be in memory."""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

Metric = Literal["euclid", "cosine"]
PAIRS = 2**22  # distances that exist at once
LARGEST_CHUNK = 2**15  # rows of the table that are in float64 at once
SLACK = 1e-11  # of the largest squared length: more than a product of float64 can be off

Watch = Callable[[int, int], object]  # done, total


def check_metric(metric: str) -> None:
    """Raises ValueError for an unknown metric."""
    if metric not in get_args(Metric):
        raise ValueError(f"no metric {metric!r}; there are {', '.join(get_args(Metric))}")


def nearest(codes: np.ndarray, queries: np.ndarray, n: int, metric: Metric = "euclid") -> tuple[np.ndarray, np.ndarray]:
    """The places in `codes` (N, Z) of the `n` nearest to each query (Q, Z), and their distances: (Q, n) each.

    Nearest first; of equal distances the first place. `euclid`: the length of the difference. `cosine`: 1 - cos of the
    angle between both as seen from the mean of `codes`, 1 where one of them is that mean. A product of matrices finds
    those that may be among the n, and their distances are then taken from the differences themselves, so that the
    result is that of a sort of all distances. Memory does not grow with N.

    Raises ValueError for an unknown metric, and where n is not between 1 and N.

    >>> nearest(np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]), np.array([[0.0, 0.0]]), 2)
    (array([[0, 2]]), array([[0., 1.]]))
    """
    check_metric(metric)
    if not 1 <= n <= len(codes):
        raise ValueError(f"n={n} is not possible among {len(codes):,} codes; give 1 to {len(codes):,}")
    queries = np.asarray(queries, np.float64)
    centre = mean_of(codes) if metric == "cosine" else np.zeros(queries.shape[1])
    several = max(1, PAIRS // LARGEST_CHUNK)
    found = [_nearest(codes, queries[place : place + several], n, metric, centre)
             for place in range(0, len(queries), several)]  # fmt: skip
    empty = (np.empty((0, n), np.int64), np.empty((0, n)))
    places, distances = zip(*(found or [empty]), strict=True)
    return np.concatenate(places), np.concatenate(distances)


def _nearest(
    codes: np.ndarray, queries: np.ndarray, n: int, metric: Metric, centre: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    own = _prepared(queries, metric, centre)
    squares = _squared(own)
    best = [(np.empty(0, np.int64), np.empty(0)) for _ in own]
    for first in range(0, len(codes), LARGEST_CHUNK):
        chunk = _prepared(codes[first : first + LARGEST_CHUNK], metric, centre)
        lengths = _squared(chunk)
        rough = own @ chunk.T  # (Q, C)
        rough *= -2.0
        rough += lengths  # |c|^2 - 2qc: the squared distance but for |q|^2; of unit vectors 2 (1 - cos) - 1
        slack = SLACK * (lengths.max() + squares)
        for row, query in enumerate(own):
            limit = np.partition(rough[row], n - 1)[n - 1] if len(chunk) > n else np.inf
            if len(best[row][0]) == n:
                limit = min(limit, best[row][1][-1] - squares[row])
            among = np.flatnonzero(rough[row] <= limit + slack[row])
            exact = _squared(chunk[among] - query)
            places, distances = (np.concatenate(both) for both in zip(best[row], (first + among, exact), strict=True))
            order = np.lexsort((places, distances))[:n]
            best[row] = (places[order], distances[order])
    found = np.stack([distances for _, distances in best])
    return np.stack([places for places, _ in best]), 0.5 * found if metric == "cosine" else np.sqrt(found)


def _prepared(codes: np.ndarray, metric: Metric, centre: np.ndarray) -> np.ndarray:
    """In float64; for cosines as directions from the centre."""
    exact = np.asarray(codes, np.float64)
    return exact if metric == "euclid" else _directions(exact - centre)


def _directions(vectors: np.ndarray) -> np.ndarray:
    """(N, Z + 1): unit vectors; a vector of length zero becomes one at right angles to all that have a length."""
    lengths = np.sqrt(_squared(vectors))
    none = lengths == 0.0
    unit = vectors / np.where(none, 1.0, lengths)[:, None]
    return np.concatenate([unit, none[:, None]], 1)


def _squared(vectors: np.ndarray) -> np.ndarray:
    """(N,) squared lengths, that of a row the same wherever it stands."""
    result: np.ndarray = (vectors * vectors).sum(1)
    return result


def mean_of(codes: np.ndarray) -> np.ndarray:
    """(Z,) the mean in float64, a chunk at a time."""
    total = np.zeros(codes.shape[1])
    for first in range(0, len(codes), LARGEST_CHUNK):
        total += np.asarray(codes[first : first + LARGEST_CHUNK], np.float64).sum(0)
    return total / max(1, len(codes))


def isolation(
    codes: np.ndarray, neighbours: int = 5, most: int = 2**14, seed: int = 0, watch: Watch | None = None
) -> np.ndarray:
    """(N,) how far each code is from others: the distance to its `neighbours`-th nearest other one (Ramaswamy 2000).

    Of more than `most` codes the others are `most` that the seed draws (Sugiyama and Borgwardt 2013), since time grows
    with the product. Fewer others than `neighbours`: the distance to the farthest. Raises ValueError for one code.
    """
    items = len(codes)
    if items < 2:
        raise ValueError("one code alone is far from nothing; give at least two")
    drawn = np.arange(items) if items <= most else np.sort(np.random.default_rng(seed).permutation(items)[:most])
    centre = mean_of(codes)  # distances come from products, which a far-off mean would leave no digits
    others = np.asarray(codes[drawn], np.float64) - centre
    lengths, rows = _squared(others), max(1, PAIRS // len(drawn))
    kept = min(neighbours, len(drawn) - 1)
    found = np.empty(items)
    for first in range(0, items, rows):
        chunk = np.asarray(codes[first : first + rows], np.float64) - centre
        squares = _squared(chunk)[:, None] + lengths - 2.0 * chunk @ others.T
        itself = np.searchsorted(drawn, np.arange(first, first + len(chunk))).clip(max=len(drawn) - 1)
        same = np.flatnonzero(drawn[itself] == np.arange(first, first + len(chunk)))
        squares[same, itself[same]] = np.inf
        found[first : first + len(chunk)] = np.partition(squares, kept - 1, axis=1)[:, kept - 1]
        if watch is not None:
            watch(min(first + rows, items), items)
    return np.sqrt(found.clip(min=0.0))
