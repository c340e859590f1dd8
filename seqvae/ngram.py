"""Sequences drawn from an n-gram of a corpus: more of them than there are, to train on where there are few.

The n-gram is interpolated as Witten and Bell 1991 do (their method C): after a context that was met n times, before d
different outcomes, an outcome is one of those n with probability n / (n + d), each as often as it was met, and else as
a context that is shorter by one step says; after none, with the same share, any outcome of the corpus alike.
"""

from collections.abc import Iterable

import numpy as np

from seqvae.corpus import scrambled
from seqvae.noise import GOLDEN

START = -1  # stands before the first step


class Ngram:
    """An n-gram of sequences of labels, of contexts of up to `order` - 1 steps.

    `end` is the label that ends a sequence; without one a sequence is as long as it is asked for. Memory is up to
    40 bytes for each step and length of context.
    """

    def __init__(self, sequences: Iterable[np.ndarray], order: int, end: int | None) -> None:
        """`sequences` are (T,) integers of at least 0, the end among them. Raises ValueError for an order below 1."""
        if order < 1:
            raise ValueError(f"an n-gram of order {order} is not possible; give 1 or more")
        self._order, self._end = order, end
        before = np.full(order - 1, START)
        steps = np.concatenate([part for x in sequences for part in (before, x)])
        places = np.flatnonzero(steps != START)
        labels = steps[places]
        self._contexts = [_Contexts(_keys(steps, length)[places - length], labels) for length in range(order)]
        self._outcomes = np.unique(labels)

    def draw(self, uniform: np.ndarray) -> list[np.ndarray]:
        """A sequence for each row of (B, T) numbers in [0, 1), up to its first end, which it holds, or of T steps.

        A row is a function of its own numbers alone. One that does not end by itself ends in the T-th step.
        """
        rows, steps = uniform.shape
        drawn = np.full((rows, self._order - 1 + steps), START)
        ended = np.zeros(rows, bool)
        for step in range(steps):
            before = drawn[:, step : step + self._order - 1]
            found = self._next(before, uniform[:, step])
            drawn[:, step + self._order - 1] = found
            ended |= found == self._end
            if ended.all():  # the longest of a corpus may have many times as many steps as what is drawn
                break
        drawn = drawn[:, self._order - 1 :]
        if self._end is None:
            return list(drawn)
        drawn[:, -1] = self._end
        lengths = (drawn == self._end).argmax(1) + 1
        return [row[:length] for row, length in zip(drawn, lengths, strict=True)]

    def _next(self, before: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """(B,) labels after (B, order - 1) steps.

        The same number serves for all lengths of context: what is left of it when one does not choose is uniform again.
        """
        found = np.full(len(before), START)
        left = uniform.copy()
        for length in range(self._order - 1, -1, -1):
            rows = np.flatnonzero(found == START)
            context = _keys(before[rows, before.shape[1] - length :], length)[:, 0]
            found[rows], left[rows] = self._contexts[length].choose(context, left[rows])
        rows = np.flatnonzero(found == START)
        found[rows] = self._outcomes[_place(left[rows] * len(self._outcomes), len(self._outcomes))]
        return found


class _Contexts:
    """What follows the contexts of one length, in one array in which those of a context stand together."""

    def __init__(self, keys: np.ndarray, labels: np.ndarray) -> None:
        order = np.lexsort((labels, keys))
        keys, self._labels = keys[order], labels[order]
        self._keys, self._first, self._met = np.unique(keys, return_index=True, return_counts=True)
        new = np.ones(len(keys), bool)
        new[1:] = (keys[1:] != keys[:-1]) | (self._labels[1:] != self._labels[:-1])
        self._different = np.add.reduceat(new, self._first, dtype=np.int64)

    def choose(self, keys: np.ndarray, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The labels that numbers in [0, 1) choose after contexts, START for those of a shorter one.

        With them come numbers in [0, 1) for that choice.
        """
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        known = self._keys[place] == keys
        met, different = self._met[place], self._different[place]
        chosen = uniform * (met + different)
        follows = known & (chosen < met)
        labels = self._labels[self._first[place] + _place(chosen, met)]
        return np.where(follows, labels, START), np.where(known & ~follows, (chosen - met) / different, uniform)


def _place(number: np.ndarray, count: np.ndarray | int) -> np.ndarray:
    """Numbers in [0, count) as integers below the count, whatever was rounded."""
    return np.minimum(number.astype(np.int64), count - 1)


def _keys(steps: np.ndarray, length: int) -> np.ndarray:
    """A number for each run of so many steps along the last axis, equal for equal ones: (..., T - length + 1).

    They have 64 bits, so that of a million runs two different ones have the same in one of millions of corpora.
    """
    count = steps.shape[-1] - length + 1
    keys = np.zeros((*steps.shape[:-1], count), np.uint64)
    with np.errstate(over="ignore"):
        for place in range(length):
            step = steps[..., place : place + count].astype(np.int64).view(np.uint64)
            keys = scrambled(keys * np.uint64(GOLDEN) + step + np.uint64(2))
    return keys
