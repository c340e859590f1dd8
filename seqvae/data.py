"""A corpus to length-bucketed, seeded, resumable batches.

The order of an epoch is a function of (seed, epoch) alone, so a position is two numbers.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Literal

import numpy as np
import torch

from seqvae.corpus import Corpus, scrambled
from seqvae.ngram import Ngram
from seqvae.noise import GOLDEN, Noise
from seqvae.types import Batch

WINDOW_ITEMS = 2**18  # items that are shuffled and sorted by length together


def _uniform(seed: int, indices: np.ndarray) -> np.ndarray:
    """A number in [0, 1) for each item, the same at every call."""
    with np.errstate(over="ignore"):
        x = indices.astype(np.uint64) * np.uint64(GOLDEN) + np.uint64((seed * 0x2545F4914F6CDD1D) % 2**64)
    return (scrambled(x) >> np.uint64(11)).astype(np.float64) * 2.0**-53


class Part:
    """The items of a corpus that are held out (or that are not): a share chosen by the seed.

    Of two items or more at least one is held out and at least one is not. With share 0 the part is the whole corpus.
    Memory does not grow with the corpus.
    """

    def __init__(self, corpus: Corpus, share: float = 0.0, held_out: bool = False, seed: int = 0) -> None:
        self.corpus = corpus
        self._seed, self._held_out = seed, held_out
        self._limit = share
        self._only: np.ndarray | None = None
        if share:
            ends = [(u.min(), u.max()) for u in (_uniform(seed, window) for window in _windows(len(corpus)))]
            lowest, highest = min(low for low, _ in ends), max(high for _, high in ends)
            self._limit = min(max(share, float(np.nextafter(lowest, 1.0))), float(highest))
        self.items = sum(len(self.indices(window)) for window in _windows(len(corpus)))
        self.steps = sum(int(corpus.lengths(self.indices(window)).sum()) for window in _windows(len(corpus)))

    def __len__(self) -> int:
        return self.items

    def alone(self, indices: np.ndarray) -> "Part":
        """The part of these corpus indices and no others."""
        part = copy(self)
        part._only = np.sort(indices)
        part.items, part.steps = len(indices), int(self.corpus.lengths(indices).sum())
        return part

    def indices(self, window: np.ndarray) -> np.ndarray:
        """Those of the corpus indices that belong to this part."""
        return window[self.holds(window)]

    def holds(self, indices: np.ndarray) -> np.ndarray:
        """Whether each of these corpus indices belongs to this part."""
        if self._only is not None:
            return np.isin(indices, self._only)
        if not self._limit:
            return np.ones(len(indices), dtype=bool)
        return (_uniform(self._seed, indices) < self._limit) == self._held_out


def _windows(items: int) -> Iterator[np.ndarray]:
    for first in range(0, items, WINDOW_ITEMS):
        yield np.arange(first, min(first + WINDOW_ITEMS, items))


@dataclass(frozen=True)
class Batches:
    """Batches of items of about one length, in an order that is a function of (seed, epoch).

    `size` counts examples, or tokens (then padded steps of a batch stay within it; a longer item stands alone).
    Lengths of a batch differ by less than `spread` steps, up to the batches at the edges: 1 gives the least padding,
    more mixes items of different structure, which the gradient of a small batch gains from.
    Shuffling and sorting by length happen within windows of the corpus. `order` is that of the n-gram which items can
    be drawn from.
    """

    part: Part
    size: int
    by: Literal["examples", "tokens"] = "examples"
    seed: int = 0
    spread: int = 1
    order: int = 4

    def epoch(self, epoch: int) -> Iterator[np.ndarray]:
        """The batches of an epoch as arrays of corpus indices."""
        windows = list(range(0, len(self.part.corpus), WINDOW_ITEMS))
        order = np.random.default_rng([self.seed, epoch]).permutation(len(windows))
        for place in order:
            random = np.random.default_rng([self.seed, epoch, 1 + int(place)])
            first = windows[place]
            members = self.part.indices(np.arange(first, min(first + WINDOW_ITEMS, len(self.part.corpus))))
            members = random.permutation(members)
            lengths = self.part.corpus.lengths(members)
            by_length = np.argsort(lengths // self.spread, kind="stable")
            batches = self._cut(members[by_length], lengths[by_length])
            for index in random.permutation(len(batches)):
                yield batches[index]

    def count(self) -> int:
        """The number of batches in an epoch: exact for examples, at least that many for tokens."""
        total = len(self.part) if self.by == "examples" else self.part.steps
        return -(-total // self.size)

    def in_order(self) -> Iterator[np.ndarray]:
        """All items once, longest last, unshuffled: for evaluation."""
        for window in _windows(len(self.part.corpus)):
            members = self.part.indices(window)
            lengths = self.part.corpus.lengths(members)
            by_length = np.argsort(lengths, kind="stable")
            yield from self._cut(members[by_length], lengths[by_length])

    def some(self, items: int) -> Iterator[np.ndarray]:
        """Batches of `in_order` at equal distances, which hold about so many items, of all lengths."""
        return islice(self.in_order(), None, None, math.ceil(len(self.part) / items))

    def _cut(self, members: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
        if self.by == "examples":
            return [members[first : first + self.size] for first in range(0, len(members), self.size)]
        batches, first = [], 0
        while first < len(members):
            longest = np.maximum.accumulate(lengths[first : first + self.size])
            padded = np.arange(1, len(longest) + 1) * longest  # steps of a batch of the first n items
            count = max(1, int(np.searchsorted(padded, self.size, side="right")))
            batches.append(members[first : first + count])
            first += count
        return batches

    def load(self, indices: np.ndarray) -> Batch:
        """The items with these corpus indices as one batch, as evaluation sees them; the indices are its keys."""
        batch = self.encoded(indices)
        return self.part.corpus.modality.settle(batch)

    def encoded(self, indices: np.ndarray) -> Batch:
        """The items with these corpus indices as one batch, as they were encoded; the indices are its keys."""
        corpus = self.part.corpus
        if corpus.equal_steps is None:
            return collate([corpus[int(index)] for index in indices], indices)
        return _as_batch(corpus.take(indices), np.full(len(indices), corpus.equal_steps), indices)

    def varied(self, indices: np.ndarray, step: int, ngram_share: float = 0.0) -> Batch:
        """The same batch as training sees it at a step: varied as the modality says, by the seed, step and keys.

        A share of the items are replaced by ones that an n-gram of the part draws; where `size` counts tokens, only by
        ones that are no longer, so that the batch stays within it.
        """
        batch = self.encoded(indices)
        noise = Noise(self.seed, batch.keys, step)
        if ngram_share:
            batch = self._redrawn(batch, ngram_share, noise)
        return self.part.corpus.modality.augment(batch, lambda: self._partners(noise), noise)

    def _redrawn(self, batch: Batch, share: float, noise: Noise) -> Batch:
        """The batch with a share of its items drawn anew, each by its own noise."""
        drawn = noise.uniform("ngram share", 1).squeeze(1) < share
        x = batch.x.numpy()
        items = [row[:length] for row, length in zip(x, batch.lengths.tolist(), strict=True)]
        numbers = noise.select(drawn).uniform("ngram", self._longest).numpy()
        for row, item in zip(drawn.nonzero().squeeze(1).tolist(), self._ngram.draw(numbers), strict=True):
            own = len(items[row])
            if self.part.corpus.modality.end is None:
                item = item[:own]
            if self.by == "examples" or len(item) <= own:
                items[row] = item.astype(x.dtype)
        return collate(items, batch.keys.tolist())

    @cached_property
    def _ngram(self) -> Ngram:
        """That of the part's items."""
        corpus = self.part.corpus
        rows = (row for window in _windows(len(corpus)) for row in self.part.indices(window).tolist())
        return Ngram((corpus[row] for row in rows), self.order, corpus.modality.end)

    @cached_property
    def _longest(self) -> int:
        """The steps of the part's longest item."""
        corpus = self.part.corpus
        return max(int(corpus.lengths(self.part.indices(window)).max(initial=0)) for window in _windows(len(corpus)))

    def _partners(self, noise: Noise) -> Batch:
        """For each row some other item of the part, drawn anew at each step; now and then it is the same item."""
        drawn = (noise.bits("partner", 1).squeeze(1) % len(self.part.corpus)).numpy()
        return self.encoded(np.where(self.part.holds(drawn), drawn, noise.keys.numpy()))


def collate(arrays: Sequence[np.ndarray], keys: Iterable[int]) -> Batch:
    """Arrays of (T, ...) as one batch, padded on the right with zeros."""
    lengths = np.array([len(x) for x in arrays], dtype=np.int64)
    first = arrays[0]
    padded = np.zeros((len(arrays), int(lengths.max(initial=1)), *first.shape[1:]), first.dtype)
    for row, x in zip(padded, arrays, strict=True):
        row[: len(x)] = x
    return _as_batch(padded, lengths, keys)


def _as_batch(x: np.ndarray, lengths: np.ndarray, keys: Iterable[int]) -> Batch:
    """Bytes and floats stay what they are; other integers are those that torch looks embeddings up by."""
    wide = x if x.dtype == np.uint8 or x.dtype.kind == "f" else x.astype(np.int64)
    lengths = lengths.astype(np.int64, copy=False)
    return Batch(torch.from_numpy(wide), torch.from_numpy(lengths), torch.as_tensor(np.asarray(keys, np.int64)))
