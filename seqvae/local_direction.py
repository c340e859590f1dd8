"""Directions that depend on the code: from its nearest examples of one class to its nearest ones of the other.

One vector for all codes takes along what differs between the classes on average. The difference between nearest
examples is that of codes which are alike otherwise (deep feature interpolation, Upchurch et al. 2017, section 3).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seqvae.neighbours import nearest

NEAREST = 20  # examples of each class whose mean is taken
APART = 4.0  # how far examples that differ in what is kept are moved off, in largest distances from the mean


@dataclass(frozen=True)
class Neighbours:
    """From the nearest items without an attribute to the nearest ones with it.

    `keep`: attributes of the run that stay as they are, as long as they can be read off the code: nearest are first
    those items that have, or lack, the same of them. `count` items of each class are taken.

    Raises ValueError for a count below 1, and for what is no list of names.
    """

    keep: Sequence[str] = ()
    count: int = NEAREST

    def __post_init__(self) -> None:
        if isinstance(self.keep, str) or not isinstance(self.keep, Sequence):
            raise ValueError(f"keep={self.keep!r} is no list of names; give one, such as ['past']")
        if isinstance(self.count, bool) or not isinstance(self.count, int) or self.count < 1:
            raise ValueError(f"count={self.count} neighbours are not possible; give a whole number from 1")


@dataclass(frozen=True, eq=False)
class LocalDirection:
    """The examples that a direction goes between, and the scores that say what of a code is to be kept.

    `codes` (N, Z) are those of examples, which have the attribute or not, `has` (N,). `normals` (K, Z) and `offsets`
    (K,) are those of the kept attributes: one is there where codes @ normal + offset is above 0.
    """

    codes: Float[Tensor, "N Z"]
    has: Bool[Tensor, " N"]
    normals: Float[Tensor, "K Z"]
    offsets: Float[Tensor, " K"]
    count: int

    def at(self, z: Float[Tensor, "M Z"]) -> Float[Tensor, "M Z"]:
        """From the mean of the nearest examples without the attribute to that of the nearest with it."""
        queries = self._with_kept(z)
        with_it, without = (self._mean_of_nearest(queries, side) for side in (True, False))
        return with_it - without

    def has_at(self, z: Float[Tensor, "M Z"]) -> Float[Tensor, " M"]:
        """How many more of the nearest examples have it than have it not, as a share of them: from -1 to 1."""
        places, _ = nearest(self.codes.numpy(), z.double().numpy(), min(self.count, len(self.codes)))
        return 2.0 * self.has[torch.from_numpy(places)].double().mean(1) - 1.0

    @cached_property
    def _sides(self) -> dict[bool, tuple[np.ndarray, np.ndarray]]:
        """Of the examples with it and of those without: their rows, and what queries are compared with."""
        table = self._with_kept(self.codes)
        found = {side: np.flatnonzero(self.has.numpy() == side) for side in (True, False)}
        return {side: (rows, table[rows]) for side, rows in found.items()}

    @cached_property
    def _apart(self) -> float:
        exact = self.codes.double()
        return APART * float((exact - exact.mean(0)).norm(dim=1).max())

    def _mean_of_nearest(self, queries: np.ndarray, side: bool) -> Float[Tensor, "M Z"]:
        rows, table = self._sides[side]
        places, _ = nearest(table, queries, min(self.count, len(rows)))
        return self.codes[torch.from_numpy(rows[places])].double().mean(1)

    def _with_kept(self, z: Float[Tensor, "N Z"]) -> np.ndarray:
        """(N, Z + K): codes, and a coordinate for each kept attribute that tells apart what has it and what has not."""
        exact = z.double()
        sides = (exact @ self.normals.T + self.offsets > 0).double()
        return torch.cat([exact, self._apart * sides], 1).numpy()

    def tensors(self, place: int) -> dict[str, Tensor]:
        """What is written beside the weights, by names that bear a place; `of_tensors` reads it."""
        parts = {"has": self.has.to(torch.uint8), "count": torch.tensor([self.count])}
        parts |= {name: getattr(self, name).contiguous() for name in ("codes", "normals", "offsets")}
        return {f"local.{name}.{place}": tensor for name, tensor in parts.items()}

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor], place: int) -> "LocalDirection":
        """Raises KeyError and TypeError for what is no direction."""
        codes, has, normals, offsets, count = (
            tensors[f"local.{name}.{place}"] for name in ("codes", "has", "normals", "offsets", "count")
        )
        fits = codes.ndim == normals.ndim == 2 and has.shape == codes.shape[:1] and offsets.shape == normals.shape[:1]
        if not fits or codes.shape[1] != normals.shape[1] or len(set(has.tolist())) != 2:
            raise TypeError
        return cls(codes, has > 0, normals, offsets, int(count[0]))
