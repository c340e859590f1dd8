"""Sums of figures by name, from one line of the log to the next."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor


class Tally:
    """Running sums of this process, which `total` adds up over all processes."""

    def __init__(self, names: Sequence[str], zeros: Callable[[int], Tensor], total: Callable[[Tensor], Tensor]) -> None:
        """`zeros(n)` are n sums that begin; `total` adds a tensor up over the processes."""
        self._names, self._zeros, self._total = tuple(names), zeros, total
        self._sums = zeros(len(names))
        self._by_name = dict(zip(names, self._sums, strict=True))  # views: to add to one is to add to the sums

    def add(self, figures: Mapping[str, Tensor], weight: float = 1.0) -> None:
        """Add scalars to the sums of their names."""
        for name, value in figures.items():
            self._by_name[name] += value.detach().to(self._sums) * weight

    def totals(self) -> dict[str, float]:
        """The sums over all processes; the same in each."""
        return dict(zip(self._names, self._total(self._sums).tolist(), strict=True))

    def clear(self) -> None:
        """Begin anew."""
        self._sums.zero_()

    def put(self, sums: Sequence[float]) -> None:
        """Go on from sums in the order of the names; from nothing where there are none."""
        self._sums.copy_(torch.tensor(sums, dtype=self._sums.dtype) if sums else self._zeros(len(self._names)))
