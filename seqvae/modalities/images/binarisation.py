"""Grey levels to black and white pixels (Salakhutdinov and Murray 2008).

Each pixel is white with its grey level as probability.
"""

from dataclasses import replace

import torch
from jaxtyping import UInt8
from torch import Tensor

from seqvae.noise import GOLDEN, Noise, signed
from seqvae.types import Batch

_SITE = "binarise"
_STEP = signed(GOLDEN)  # odd, so that no pixel's weight is lost


def drawn(batch: Batch, noise: Noise) -> Batch:
    """The batch with all pixels 0 or 255, drawn by each row's noise to a resolution of 1/65536."""
    flat = batch.x.flatten(1)
    draws = noise.bits(_SITE, -(-flat.shape[1] // 4)).view(torch.int16)[:, : flat.shape[1]]  # four draws to a word
    # v / 255 of the 65536 draws are below -32768 + 257 v + (v > 127): exact at black and at white
    limit = flat.to(torch.int32) * 257 + (flat > 127) - 32768
    white: UInt8[Tensor, "B D"] = (draws < limit).to(torch.uint8) * 255
    return replace(batch, x=white.unflatten(1, batch.x.shape[1:]))


def drawn_once(batch: Batch, seed: int) -> Batch:
    """The batch with all pixels 0 or 255, drawn by the seed and the image alone, wherever it stands."""
    flat = batch.x.flatten(1).to(torch.int64)
    weights = torch.arange(1, flat.shape[1] + 1, device=flat.device).mul_(_STEP)
    return drawn(batch, Noise(seed, (flat * (weights ^ (weights >> 29))).sum(1)))
