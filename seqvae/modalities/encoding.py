"""Items to arrays, one at a time and many at once: what a corpus is written from."""

import abc
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seqvae.modalities.items import Item, Report

if TYPE_CHECKING:
    from seqvae.types import StepType

BUFFER_VALUES = 2**20  # encoded values held before they go to the file,
BUFFER_ITEMS = 2**15  # or items, since a short array takes more memory than its steps


@dataclass(frozen=True)
class Encoded:
    """The arrays of some items, one after another: (S, ...) `steps`, of which the items have (N,) `lengths`.

    `size` is what `size_bytes` gives of all of them as decoded, None where it was not counted.
    """

    steps: np.ndarray
    lengths: np.ndarray
    labels: Sequence[str | None]
    size: int | None = None


class Encoding(abc.ABC):
    """The part of a modality (`Modality`) that makes arrays of items."""

    @property
    @abc.abstractmethod
    def step_type(self) -> "StepType":
        """Type and shape of one step of an array, and when two steps agree."""

    @abc.abstractmethod
    def encode(self, item: Item, report: Report) -> np.ndarray | None:
        """(T, ...) of `step_type`, with the end of sequence; None when the item is dropped, which the report counts."""

    def label_of(self, item: Item) -> str | None:
        """The class of an item, for pictures and figures; None where there is none. Training never sees it."""
        return None

    def arrays_of(self, items: Iterable[Item], report: Report) -> Iterator[Encoded]:
        """What `encode` gives of each item, some thousand at a time: memory does not grow with the number of items.

        Raises TypeError for an array of other steps than `step_type`.
        """
        step = self.step_type
        dtype = np.dtype(step.dtype)
        arrays: list[np.ndarray] = []
        labels: list[str | None] = []
        values = 0
        for item in items:
            x = self.encode(item, report)
            if x is None:
                continue
            if x.dtype != dtype or x.shape[1:] != step.shape:
                raise TypeError(f"a step of {x.dtype} {x.shape[1:]} is not one of {dtype} {step.shape}")
            arrays.append(x)
            labels.append(self.label_of(item))
            values += len(x) * math.prod(step.shape)
            if values >= BUFFER_VALUES or len(arrays) >= BUFFER_ITEMS:
                yield _together(arrays, labels)
                arrays, labels, values = [], [], 0
        if arrays:
            yield _together(arrays, labels)


def _together(arrays: Sequence[np.ndarray], labels: Sequence[str | None]) -> Encoded:
    return Encoded(np.concatenate(arrays), np.array([len(x) for x in arrays], dtype=np.int64), labels)
