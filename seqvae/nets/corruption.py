"""Noise on the steps that an encoder of sequences reads, for a code that is to see through it."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool
from torch import Tensor

from seqvae.noise import Noise
from seqvae.types import Batch


@dataclass(frozen=True)
class StepCorruption:
    """Each step is hit with the probability `share`, whatever stands around it (Shen et al. 2020, section 3).

    blank: its input is zero. delete: the steps after it move up. replace: another outcome stands there, uniform over
    `outcomes` of which 0, the end of sequence, is none. With `keeps_end` the last step of an example is never hit.

    Raises ValueError for a share outside [0, 1).
    """

    share: float
    kind: Literal["blank", "delete", "replace"] = "blank"
    keeps_end: bool = False
    outcomes: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.share < 1.0:
            raise ValueError(f"model.corruption={self.share} is not possible; give a share in [0, 1)")
        assert self.kind == "blank" or self.keeps_end, "nothing might be left of an example"

    def __call__(self, batch: Batch, noise: Noise) -> tuple[Batch, Bool[Tensor, "B T"] | None]:
        """What is left of a batch, and the steps that are to be blanked; an example meets the same noise anywhere."""
        steps = batch.x.shape[1]
        hit = ~noise.keep("corruption", self.share, steps).squeeze(2)
        if self.keeps_end:
            hit &= torch.arange(steps, device=hit.device) != batch.lengths.unsqueeze(1) - 1
        if self.kind == "blank":
            return batch, hit
        if self.kind == "replace":
            drawn = noise.bits("replacement", steps).remainder(self.outcomes - 1) + 1
            return replace(batch, x=torch.where(hit, drawn.to(batch.x.dtype), batch.x)), None
        left = batch.mask & ~hit
        order = (~left).to(torch.uint8).argsort(dim=1, stable=True)  # what is left comes first, in its order
        return replace(batch, x=batch.x.gather(1, order), lengths=left.sum(1)), None
