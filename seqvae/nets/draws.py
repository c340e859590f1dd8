"""Outcomes drawn from listed scores: all of them, the top k, the nucleus.

A draw is the inverse of the distribution function at one random number of the row, in two steps: blocks of outcomes are
summed first, then the outcomes of one block, so that no running sum over all outcomes is formed in double precision.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from seqvae.noise import Noise

BLOCK = 64  # outcomes that are summed before one of them is sought
FEW = 1024  # outcomes that are sought one by one
TRIES = 8  # draws from all outcomes until one is of the nucleus; then all are sorted
SLICE_BYTES = 2**21  # of probabilities that are looked at several times: they stay in the cache


@dataclass(frozen=True)
class Choice:
    """How one outcome is chosen: temperature (0 is the most probable), then the top k, then the nucleus p.

    top_k = 0 and top_p = 1 leave all outcomes in (top-k: Fan et al. 2018; nucleus: Holtzman et al. 2020).
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature < float("inf"):
            raise ValueError(f"a temperature of {self.temperature} is not possible; give 0 (greedy) or more")
        if self.top_k < 0:
            raise ValueError(f"top_k={self.top_k} is not possible; give 1 or more, or 0 for no limit")
        if not 0.0 < self.top_p <= 1.0:
            raise ValueError(f"top_p={self.top_p} is not possible; give a share in (0, 1]")

    @property
    def greedy(self) -> bool:
        """True when the most probable outcome is taken."""
        return self.temperature == 0.0 or self.top_k == 1


def drawn(logits: Float[Tensor, "N V"], noise: Noise, choice: Choice) -> Int[Tensor, " N"]:
    """One outcome of each row; greedy choices are not drawn. A row draws the same whatever rows are beside it.

    The nucleus is the smallest set of the most probable outcomes whose mass reaches p; it always holds one. Of equally
    probable outcomes the first ones count as more probable.
    """
    shares = noise.uniform("draw", 1 if choice.top_p == 1.0 or choice.top_k else TRIES + 1)  # maybe on the CPU
    rows = _rows_of_slice(logits)
    if rows is None:
        return _drawn(logits, shares.to(logits.device), choice)
    parts = zip(logits.split(rows), shares.split(rows), strict=True)
    return torch.cat([_drawn(some, own, choice) for some, own in parts])


def _drawn(logits: Float[Tensor, "N V"], shares: Float[Tensor, "N K"], choice: Choice) -> Int[Tensor, " N"]:
    """`drawn` of some rows, with the random numbers of each."""
    outcomes = None
    if 0 < choice.top_k < logits.shape[1]:
        logits, outcomes = logits.topk(choice.top_k, dim=1)
    best = logits.amax(1, keepdim=True)
    p = ((logits - best) / choice.temperature).exp_()  # the best is 1 at any temperature
    if choice.top_p == 1.0:
        found = inverse(p, shares[:, :1])
    elif outcomes is not None:
        found = inverse(_nucleus(p, choice.top_p), shares[:, :1])
    else:
        found = _drawn_from_nucleus(p, shares, choice.top_p)
    return found if outcomes is None else outcomes.gather(1, found.unsqueeze(1)).squeeze(1)


def _drawn_from_nucleus(p: Float[Tensor, "N V"], shares: Float[Tensor, "N K"], top_p: float) -> Int[Tensor, " N"]:
    """What is drawn from all outcomes is drawn from the nucleus if it is one of it: so until it is, without a sort."""
    limit = top_p * p.sum(1, keepdim=True)
    found = torch.zeros(len(p), dtype=torch.long, device=p.device)
    places = torch.arange(len(p), device=p.device)
    for share in shares[:, :-1].unsqueeze(2).unbind(1):
        x = inverse(p, share[places])
        inside = _is_inside(p, x, limit)
        found[places[inside]] = x[inside]
        places, p, limit = places[~inside], p[~inside], limit[~inside]
        if not len(places):
            return found
    found[places] = inverse(_nucleus(p, top_p), shares[places, -1:])
    return found


def _is_inside(p: Float[Tensor, "N V"], x: Int[Tensor, " N"], limit: Float[Tensor, "N 1"]) -> Bool[Tensor, " N"]:
    """Whether the mass of what is more probable than x is below a limit; of equals the first are more probable."""
    own = p.gather(1, x.unsqueeze(1))
    mass = ((p > own) * p).sum(1, keepdim=True)  # a product takes half the time of a choice
    equal = p == own
    most = mass + own * (equal.sum(1, keepdim=True) - 1)
    open_ = ((mass < limit) & (most >= limit)).squeeze(1).nonzero().squeeze(1)  # it depends on which equals are first
    inside = mass < limit
    if len(open_):
        first = torch.arange(p.shape[1], device=p.device) < x[open_].unsqueeze(1)
        ahead = (equal[open_] & first).sum(1, keepdim=True)
        inside[open_] = mass[open_] + own[open_] * ahead < limit[open_]
    return inside.squeeze(1)


def _nucleus(p: Float[Tensor, "N V"], top_p: float) -> Float[Tensor, "N V"]:
    """Weights of outcomes with those outside the nucleus at zero."""
    ordered, outcomes = p.sort(dim=1, descending=True, stable=True)
    mass = ordered.cumsum(1, dtype=torch.float64 if p.device.type != "mps" else None)
    ordered = ordered.masked_fill(mass - ordered >= top_p * mass[:, -1:], 0.0)
    return torch.zeros_like(p).scatter(1, outcomes, ordered)


def inverse(weights: Float[Tensor, "N V"], share: Float[Tensor, "N 1"]) -> Int[Tensor, " N"]:
    """The outcome of each row at which its weights, summed up, reach a share in (0, 1) of their sum.

    Sums are of the precision of the share. An outcome of weight zero is never the one.
    """
    if weights.shape[1] <= FEW:
        cumulative = weights.to(share.dtype).cumsum(1)
        return torch.searchsorted(cumulative, share * cumulative[:, -1:]).clamp_(max=weights.shape[1] - 1).squeeze(1)
    whole = weights.shape[1] // BLOCK * BLOCK
    sums = weights[:, :whole].unflatten(1, (-1, BLOCK)).sum(2, dtype=share.dtype)
    if whole < weights.shape[1]:
        sums = torch.cat([sums, weights[:, whole:].sum(1, keepdim=True, dtype=share.dtype)], 1)
    cumulative = sums.cumsum(1)
    target = share * cumulative[:, -1:]
    block = torch.searchsorted(cumulative, target).clamp_(max=sums.shape[1] - 1)
    rest = target - F.pad(cumulative, (1, 0)).gather(1, block)  # above zero, as the sums before the block are below
    places = block * BLOCK + torch.arange(BLOCK, device=weights.device)
    own = weights.gather(1, places.clamp(max=weights.shape[1] - 1)).to(share.dtype)
    own = own.masked_fill(places >= weights.shape[1], 0.0).cumsum(1)
    inside = torch.searchsorted(own, torch.minimum(rest, own[:, -1:]))
    return (block * BLOCK + inside).squeeze(1)


def most_probable(
    logits: Float[Tensor, "N V"], count: int
) -> tuple[Float[Tensor, "N {count}"], Int[Tensor, "N {count}"]]:
    """The `count` most probable outcomes of each row with their log p in nats, the best first."""
    rows = _rows_of_slice(logits)
    parts = [_most_probable(some.log_softmax(1), count) for some in logits.split(rows or len(logits) or 1)]
    scores, outcomes = zip(*parts, strict=True)
    return torch.cat(scores), torch.cat(outcomes)


def _most_probable(scores: Float[Tensor, "N V"], count: int) -> tuple[Float[Tensor, "N K"], Int[Tensor, "N K"]]:
    """The largest of each row: they are in the blocks whose own largest are, or behind the last whole block."""
    whole = scores.shape[1] // BLOCK * BLOCK
    if scores.shape[1] <= FEW or count * BLOCK >= whole:
        return scores.topk(count, dim=1)
    blocks = scores[:, :whole].unflatten(1, (-1, BLOCK))
    chosen = blocks.amax(2).topk(count, dim=1).indices
    places = (chosen.unsqueeze(2) * BLOCK + torch.arange(BLOCK, device=scores.device)).flatten(1)
    behind = torch.arange(whole, scores.shape[1], device=scores.device).expand(len(scores), -1)
    places = torch.cat([places, behind], 1)
    found, at = scores.gather(1, places).topk(count, dim=1)
    return found, places.gather(1, at)


def _rows_of_slice(logits: Float[Tensor, "N V"]) -> int | None:
    """How many rows stay in the cache of a CPU; None where there is no cache to stay in, and every call costs."""
    if logits.device.type != "cpu":
        return None
    return max(1, SLICE_BYTES // (logits.shape[1] * logits.element_size()))
