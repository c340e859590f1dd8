"""Grooves as the nearest windows of a training would play them: what a model of grooves has to be better than."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

# The counts of the least errors on the validation windows of the Groove MIDI Dataset (BENCHMARKS.md).
NEIGHBOURS = 50  # whose median velocity and place a hit has
VOTERS = 15  # that say what is hit,
MAJORITY = 0.3  # where more than this share of them does
ROWS = 256  # windows whose neighbours are sought at once
NO_HIT = 1e9  # stands behind all velocities and places


def nearest(hits: np.ndarray, others: np.ndarray, count: int) -> np.ndarray:
    """(N, count) int64: of each row of hits (N, F) the nearest of the others (M, F), by the fewest hits in one only.

    Of equally near ones the first; all of them where they are fewer.

    >>> nearest(np.array([[1, 1, 0]]), np.array([[0, 0, 1], [1, 0, 0], [1, 1, 0], [0, 1, 0]]), 3).tolist()
    [[2, 1, 3]]
    """
    count, places = min(count, len(others)), np.arange(len(others))
    known = others.astype(np.float32)
    sizes, found = known.sum(1), [np.empty((0, count), np.int64)]
    for first in range(0, len(hits), ROWS):
        rows = hits[first : first + ROWS].astype(np.float32)
        apart = rows.sum(1)[:, None] + sizes - 2 * rows @ known.T
        order = apart.round().astype(np.int64) * len(others) + places  # so that no two are equal
        found.append(np.sort(np.partition(order, count - 1, axis=1)[:, :count], 1) % len(others))
    return np.concatenate(found)


def medians(played: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """(H, 2) float64: median velocity and place of those of K windows (K, H, 2) that hit; `otherwise` where none does.

    >>> medians(np.array([[[90, 4]], [[0, 0]], [[70, -2]], [[60, 3]]]), np.zeros((1, 2))).tolist()
    [[70.0, 3.0]]
    """
    hit = played[..., :1] > 0
    ordered = np.sort(np.where(hit, played, NO_HIT), 0)
    count = hit.sum(0)  # (H, 1)
    middle = [np.take_along_axis(ordered, np.maximum(place, 0)[None], 0)[0] for place in ((count - 1) // 2, count // 2)]
    return np.where(count > 0, (middle[0] + np.where(count > 0, middle[1], 0)) / 2, otherwise)


def performed(
    steps: Sequence[np.ndarray],
    hits: Sequence[np.ndarray] | None,
    training: Sequence[np.ndarray],
    read: Callable[[np.ndarray], np.ndarray],
    taken: slice = slice(None),
) -> list[np.ndarray]:
    """Each of the arrays (T, C, 2) as the training windows of its length play it that are nearest in what is `read`.

    Its `hits` (T, C) are those that stand there, or where there are none those of enough of the nearest, of the
    classes that are `taken`; other classes are as they are. A hit that none of the nearest has is played as all of the
    training play it there. None of it is played where no training window is as long.
    """
    made: list[np.ndarray] = [np.zeros_like(x) for x in steps]
    for length in sorted({len(x) for x in steps}):
        rows = [row for row, x in enumerate(steps) if len(x) == length]
        known = np.array([x for x in training if len(x) == length])
        if not len(known):
            continue
        seen, others = (
            np.concatenate(list(_hits_read(part, read))) for part in (np.stack([steps[r] for r in rows]), known)
        )
        usual = np.stack([medians(known[:, t], np.tile([64.0, 0.0], (known.shape[2], 1))) for t in range(length)])
        for row, near in zip(rows, nearest(seen, others, NEIGHBOURS), strict=True):
            x, wanted = steps[row].copy(), None if hits is None else hits[row]
            if wanted is None:
                wanted = x[..., 0] > 0
                wanted[:, taken] = (known[near[:VOTERS], :, taken, 0] > 0).mean(0) > MAJORITY
            own = np.zeros_like(wanted)
            own[:, taken] = wanted[:, taken]
            x[own] = np.rint(medians(known[near][:, own], usual[own]))
            made[row] = np.where(wanted[..., None], x, 0).astype(np.int8)
    return made


def _hits_read(steps: np.ndarray, read: Callable[[np.ndarray], np.ndarray]) -> Iterator[np.ndarray]:
    """(N, T * C) bool, some rows at a time: where what is read of steps (N, T, C, 2) is hit."""
    for first in range(0, len(steps), ROWS):
        part = read(steps[first : first + ROWS])
        yield (part[..., 0] > 0).reshape(len(part), -1)
