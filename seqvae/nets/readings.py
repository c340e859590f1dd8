"""What an encoder reads of played steps (`seqvae.nets.played`) where that is not all of them (Gillick et al. 2019)."""

import torch
from jaxtyping import Integer
from torch import Tensor

FLAT = 64  # the velocity of all hits that are read without their own


def on_the_grid(x: Integer[Tensor, "*any C 2"]) -> Integer[Tensor, "*any C 2"]:
    """The hits alone, on their steps and all as loud: what a sequencer plays.

    >>> on_the_grid(torch.tensor([[90, -7], [0, 0], [5, 60]])).tolist()
    [[64, 0], [0, 0], [64, 0]]
    """
    flat = torch.where(x[..., 0] > 0, FLAT, 0)
    return torch.stack([flat, torch.zeros_like(flat)], -1).to(x.dtype)


def tapped(x: Integer[Tensor, "*any C 2"], c: int) -> Integer[Tensor, "*any C 2"]:
    """The loudest hit of each step, the first of several, as a hit of class c: one hand taps the rhythm of the kit.

    >>> tapped(torch.tensor([[70, 4], [90, -7], [0, 0]]), 0).tolist()
    [[90, -7], [0, 0], [0, 0]]
    """
    loudest = x[..., 0].argmax(-1)[..., None, None]
    taps = torch.zeros_like(x)
    taps[..., c : c + 1, :] = x.take_along_dim(loudest, -2)
    return taps


def without(x: Integer[Tensor, "*any C 2"], c: int) -> Integer[Tensor, "*any C 2"]:
    """All hits but those of class c.

    >>> without(torch.tensor([[70, 4], [90, -7]]), 0).tolist()
    [[0, 0], [90, -7]]
    """
    others = x.clone()
    others[..., c, :] = 0
    return others
