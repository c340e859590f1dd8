"""Items in windows, and their codes: which rows are whose, where an item is longer than one code stands for."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from seqvae.core.posterior import DiagonalGaussian
from seqvae.modalities.items import Item, Report


@dataclass(frozen=True)
class Windows:
    """An item as a model reads it: its windows, their arrays, what of it the model cannot hold, and names of windows.

    `Model.windows` makes it; every method that takes an item takes it too, and does not read the item again.
    """

    items: Sequence[Item]
    arrays: Sequence[np.ndarray]
    report: Report
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Codes(DiagonalGaussian):
    """q(z|x) with the way back to the items: row r is that of the window `names[r]`, item i has the rows `spans[i]`.

    >>> import torch
    >>> codes = codes_of_items(DiagonalGaussian(torch.zeros(3, 2), torch.zeros(3, 2)), [["a#0", "a#2"], ["b"]])
    >>> codes.spans, codes.names, codes.of(1).names
    ((slice(0, 2, None), slice(2, 3, None)), ('a#0', 'a#2', 'b'), ('b',))
    """

    names: tuple[str, ...]
    spans: tuple[slice, ...]

    def of(self, item: int) -> "Codes":
        """The codes of one item alone, by its place in the list that was encoded.

        Raises ValueError where there is none at that place.
        """
        if not -len(self.spans) <= item < len(self.spans):
            raise ValueError(f"there is no item {item}; there are {len(self.spans)}, counted from 0")
        rows = self.spans[item]
        return Codes(self.mean[rows], self.log_scale[rows], self.names[rows], (slice(0, rows.stop - rows.start),))


def codes_of_items(posterior: DiagonalGaussian, names: Sequence[Sequence[str]]) -> Codes:
    """The posterior of the windows of items one after another; `names` are those of each item's windows."""
    ends = accumulate(map(len, names), initial=0)
    spans = tuple(slice(first, last) for first, last in pairwise(ends))
    return Codes(posterior.mean, posterior.log_scale, tuple(name for own in names for name in own), spans)


@contextlib.contextmanager
def at_place(place: int, among: Sequence[Item]) -> Iterator[None]:
    """Errors say the place of the item that they are about, where it is one of several."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"item {place}: {error}" if len(among) > 1 else str(error)) from None
