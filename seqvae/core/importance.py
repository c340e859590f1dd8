"""The importance-weighted bound as an objective: its value, and the estimator of its gradient."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqvae.core.objectives import importance_weighted_bound
from seqvae.core.posterior import DiagonalGaussian
from seqvae.noise import Noise
from seqvae.types import Batch

# a decoder's: z, x and what draws its dropout masks
LogProb = Callable[[Float[Tensor, "N Z"], Batch, Noise | None], Float[Tensor, " N"]]
LogPrior = Callable[[Float[Tensor, "N Z"]], Float[Tensor, " N"]]


@dataclass(frozen=True)
class Draws:
    """How z is drawn for the objective, and how the gradient gets back through the draws.

    `beta` weights log p(z) - log q(z|x). With `doubly_reparameterized` the posterior is reached through z alone, which
    takes the gradient's noise that does not shrink with K out of it (Tucker et al. 2019, equation 8). With `kept` about
    so many draws of each example carry the gradient: draw k with probability p_k = min(1, kept * w_k), w_k its
    normalised weight, and then 1 / p_k times as heavily, so that on average nothing is changed; most draws have next to
    no weight, and are not worth a backward pass.
    """

    samples: int = 1
    beta: float = 1.0
    doubly_reparameterized: bool = False
    kept: float = 0.0


def weighted_bound(
    log_prob: LogProb,
    log_prior: LogPrior,
    batch: Batch,
    q: DiagonalGaussian,
    noise: Noise,
    masks: Noise | None,
    draws: Draws,
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"], Float[Tensor, "BK Z"]]:
    """log (1/K) sum_k w_k in nats of each example, whose gradient is the estimator's; the mean log p(x|z_k); all z_k.

    w_k = p(x|z_k) (p(z_k) / q(z_k|x))^beta: with beta = 1 the bound of Burda et al. 2016, equation 8. Its gradient is
    that of sum_k w_k log w_k with the normalised weights held fixed (equation 13). `masks` switch dropout on.
    """
    samples = draws.samples
    eps = q.standard(noise, samples)
    places = torch.arange(len(eps), device=eps.device)
    copies = None if masks is None else masks.repeat(samples)
    with torch.set_grad_enabled(torch.is_grad_enabled() and not draws.kept):
        z, log_px, log_ratio = _scored(log_prob, log_prior, batch, q, eps, places, copies, draws)
        log_weights = (log_px + draws.beta * log_ratio).unflatten(0, (len(batch), samples))
    log_px = log_px.detach().unflatten(0, (len(batch), samples)).mean(1)
    value = importance_weighted_bound(log_weights.detach())
    if not torch.is_grad_enabled():
        return value, log_px, z
    shares = log_weights.detach().softmax(1)  # (B, K)
    heaviness, terms = shares.flatten(), log_weights.flatten()
    scored = z
    if draws.kept:
        probabilities = (draws.kept * shares).clamp(max=1.0)
        places = _chosen(probabilities, noise)
        copies = None if copies is None else copies.select(places)
        scored, log_px_kept, log_ratio = _scored(log_prob, log_prior, batch, q, eps, places, copies, draws)
        terms = log_px_kept + draws.beta * log_ratio
        heaviness = heaviness[places] / probabilities.flatten()[places].to(heaviness)
    if draws.doubly_reparameterized and scored.requires_grad:
        through = shares.flatten()[places].mul(draws.beta).add(1.0 - draws.beta).unsqueeze(1)
        scored.register_hook(lambda gradient: gradient * through.to(gradient))
    weighted = torch.zeros_like(value).index_add(0, places // samples, heaviness * terms)
    return value + weighted - weighted.detach(), log_px, z


def _scored(
    log_prob: LogProb,
    log_prior: LogPrior,
    batch: Batch,
    q: DiagonalGaussian,
    eps: Float[Tensor, "BK Z"],
    places: Int[Tensor, " N"],
    masks: Noise | None,
    draws: Draws,
) -> tuple[Float[Tensor, "N Z"], Float[Tensor, " N"], Float[Tensor, " N"]]:
    """z, log p(x|z) and log p(z) - log q(z|x) of those draws that stand at `places`."""
    rows = places // draws.samples
    spread = q.select(rows)
    z = spread.at(eps[places])
    log_px = log_prob(z, batch.select(rows), masks)
    if draws.doubly_reparameterized:
        spread = DiagonalGaussian(spread.mean.detach(), spread.log_scale.detach())
    return z, log_px, log_prior(z) - spread.log_prob(z)


def _chosen(probabilities: Float[Tensor, "B K"], noise: Noise) -> Int[Tensor, " N"]:
    """The flat places of draws that are kept, each with its probability; of an example their number varies by one.

    Systematic sampling: one uniform number an example, and a draw is kept where the running sum of the probabilities
    passes that number plus a whole one.
    """
    offset = noise.uniform("kept", 1).to(probabilities.device)
    before = torch.cat([offset, offset + probabilities.double().cumsum(1)], 1).floor()  # (B, K + 1)
    return before.diff(dim=1).flatten().nonzero().squeeze(1)
