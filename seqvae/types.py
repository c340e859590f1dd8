"""The legend of axes and values, and the batch that travels between them.

Axes (capital letters in every shape annotation):
    B  examples of a batch          T  steps of a sequence, end of sequence included
    V  outcomes of one step         F  features of a flat input
    E  embedding                    H  hidden units
    Z  latent units                 K  importance samples
    N  rows of any kind             R  steps that are read, one less than T
    C  classes of a step; colours   L  layers of a recurrence, G = 4H its gates
Values:
    x  data    h  hidden state    z  latent code    q  posterior q(z|x)
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """A batch of sequences, padded on the right to the longest.

    `x` never holds a start symbol: decoders shift their own input. An end-of-sequence step, where the modality
    has one, is data like any other and counts in `lengths`. What stands in the padding is never read.
    `keys` name the examples (their places in the corpus): random numbers belong to examples by these keys.
    """

    x: Shaped[Tensor, "B T ..."]
    lengths: Int[Tensor, " B"]
    keys: Int[Tensor, " B"]

    def __len__(self) -> int:
        return self.x.shape[0]

    @property
    def mask(self) -> Bool[Tensor, "B T"]:
        """True on real steps, False on padding, (B, T)."""
        steps = torch.arange(self.x.shape[1], device=self.x.device)
        return steps < self.lengths.unsqueeze(1)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device."""
        return replace(self, x=self.x.to(device), lengths=self.lengths.to(device), keys=self.keys.to(device))

    def select(self, rows: Int[Tensor, " N"]) -> "Batch":
        """Some of the examples, or some of them several times, padding and all."""
        return Batch(x=self.x[rows], lengths=self.lengths[rows], keys=self.keys[rows])

    def repeat(self, samples: int) -> "Batch":
        """Every example `samples` times in a row: example b stands at rows b * samples ... (b + 1) * samples - 1."""
        return Batch(
            x=self.x.repeat_interleave(samples, 0),
            lengths=self.lengths.repeat_interleave(samples, 0),
            keys=self.keys.repeat_interleave(samples, 0),
        )


@dataclass(frozen=True)
class StepType:
    """What a step is: the name of its number type, the shape of one step, and when two steps are the same.

    `tolerance` is the largest difference of any of its numbers, in their own unit; 0 asks for equal numbers. `compared`
    is what of the steps (B, T, ...) is looked at, such as which drums are hit and not how loud; None for all of it.
    `parts` are the names of the numbers of a step where each of them is compared by itself as well.

    Raises ValueError for a negative tolerance.
    """

    dtype: str
    shape: tuple[int, ...] = ()
    tolerance: float = 0.0
    compared: Callable[[Shaped[Tensor, "B T ..."]], Shaped[Tensor, "B T ..."]] | None = None
    parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.tolerance >= 0.0:
            raise ValueError(f"a tolerance of {self.tolerance} is not possible; give 0 (equal) or more")

    def agree(self, x: Shaped[Tensor, "B T ..."], y: Shaped[Tensor, "B T ..."]) -> Bool[Tensor, "B T"]:
        """Whether each step of x is that of y: in all of its numbers, each equal or within the tolerance.

        >>> x = torch.tensor([[[1.0, 0.25], [0.0, 0.75]]])
        >>> y = torch.tensor([[[1.0, 0.30], [0.0, 0.50]]])
        >>> StepType("float32", (2,), tolerance=0.1).agree(x, y)
        tensor([[ True, False]])
        """
        if self.compared is not None:
            x, y = self.compared(x), self.compared(y)
        if not self.tolerance:
            same = x == y
        elif x.dtype.is_floating_point:
            same = (x - y).abs() <= self.tolerance
        else:
            same = (x.long() - y.long()).abs() <= self.tolerance  # differences of bytes would wrap around
        return same.flatten(2).all(2) if same.ndim > 2 else same

    def right(
        self, x: Shaped[Tensor, "B T ..."], y: Shaped[Tensor, "B T ..."], real: Bool[Tensor, "B T"]
    ) -> Int[Tensor, " N"]:
        """How many of the real steps agree: as a whole and, where there are parts, in each of them."""
        counts = [(self.agree(x, y) & real).sum()]
        counts += [((x[..., part] == y[..., part]) & real).sum() for part in range(len(self.parts))]
        return torch.stack(counts)
