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
        self._places: dict[tuple[str, ...], Tensor] = {}  # of the names that are added together

    def add(self, figures: Mapping[str, Tensor], weight: float = 1.0) -> None:
        """Add scalars to the sums of their names, all of them in one go."""
        names = tuple(figures)
        if names not in self._places:
            places = [self._names.index(name) for name in names]
            self._places[names] = torch.tensor(places, device=self._sums.device)
        values = torch.stack([value.detach().to(self._sums) for value in figures.values()])
        self._sums.index_add_(0, self._places[names], values, alpha=weight)

    def totals(self) -> dict[str, float]:
        """The sums over all processes; the same in each."""
        return dict(zip(self._names, self._total(self._sums).tolist(), strict=True))

    def clear(self) -> None:
        """Begin anew."""
        self._sums.zero_()

    def put(self, sums: Sequence[float]) -> None:
        """Go on from sums in the order of the names; from nothing where there are none."""
        self._sums.copy_(torch.tensor(sums, dtype=self._sums.dtype) if sums else self._zeros(len(self._names)))
