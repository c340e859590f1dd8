"""The evidence lower bound and its variants, in nats per example."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

PROPORTIONAL = 0.01  # of the controller of the KL, as its authors have it for text
LARGEST_EXPONENT = 700.0  # exp of more is infinite


def negative_elbo(
    log_px: Float[Tensor, " B"],
    kl: Float[Tensor, "B Z"],
    beta: float = 1.0,
    free_nats_per_dimension: float = 0.0,
    free_nats_total: float = 0.0,
    kl_mean: Float[Tensor, " Z"] | None = None,
    free_nats_per_dimension_and_example: float = 0.0,
) -> Float[Tensor, ""]:
    """-E[log p(x|z)] + beta * KL with free bits, in nats per example.

    Per dimension: sum_z max(free, mean_b KL_bz). The floor acts on the batch mean of each unit, so one easy example
    cannot switch a unit off for the whole batch (Kingma et al. 2016, section C.8). `kl_mean` is that mean over the
    whole batch when this call sees a part of it only (several processes, accumulated gradients); the parts' means,
    weighted by their sizes, then add up to the objective of the whole.

    Per dimension and example: mean_b sum_z max(free, KL_bz) (Li et al. 2019, section 3.1), under which a unit that is
    above the floor on average is still free in the examples where it is below; it is never less than the former.

    Total: mean_b max(sum_z KL_bz - free, 0) (Roberts et al. 2018, equation 4).

    Raises ValueError when more than one of the three is asked for.

    >>> log_px, kl = torch.tensor([-3.0, -5.0]), torch.tensor([[0.2, 0.0], [0.0, 2.0]])
    >>> negative_elbo(log_px, kl, free_nats_per_dimension=0.5)  # 4 + 0.5 + 1
    tensor(5.5000)
    >>> negative_elbo(log_px, kl, free_nats_total=0.5)  # 4 + (0 + 1.5) / 2
    tensor(4.7500)
    >>> negative_elbo(log_px, kl, free_nats_per_dimension_and_example=0.5)  # 4 + (0.5 + 0.5 + 0.5 + 2) / 2
    tensor(5.7500)
    """
    kinds = {
        "free_nats_per_dimension": free_nats_per_dimension,
        "free_nats_per_dimension_and_example": free_nats_per_dimension_and_example,
        "free_nats_total": free_nats_total,
    }
    asked = [f"{name}={nats}" for name, nats in kinds.items() if nats]
    if len(asked) > 1:
        raise ValueError(f"{' and '.join(asked)} exclude each other; set all but one of them to 0")
    if free_nats_per_dimension:
        whole = kl.mean(0).detach() if kl_mean is None else kl_mean  # (Z,)
        free = whole <= free_nats_per_dimension  # false for NaN, which has to show in the result
        penalty = torch.where(free, free_nats_per_dimension, kl.mean(0)).sum()
    else:
        penalty = kl_beyond(kl, free_nats_total, free_nats_per_dimension_and_example).mean()
    return -log_px.mean() + beta * penalty


def kl_beyond(
    kl: Float[Tensor, "B Z"], free_nats_total: float = 0.0, free_nats_per_dimension_and_example: float = 0.0
) -> Float[Tensor, " B"]:
    """What the KL of each example counts under free bits that act on single examples, in nats; see `negative_elbo`."""
    if free_nats_per_dimension_and_example:
        kl = kl.clamp(min=free_nats_per_dimension_and_example)
    return (kl.sum(1) - free_nats_total).clamp(min=0) if free_nats_total else kl.sum(1)


def distance_to_target(
    kl: Float[Tensor, "B Z"], target_nats: float, kl_mean: Float[Tensor, " Z"] | None = None
) -> Float[Tensor, ""]:
    """|mean_b sum_z KL_bz - target|, in nats (Burgess et al. 2018, equation 8).

    `kl_mean` is the mean of each unit over the whole batch when this call sees a part of it only, as in
    `negative_elbo`: the parts' values, which may be negative, weighted by their sizes, add up to that of the whole.

    >>> distance_to_target(torch.tensor([[0.5, 0.5], [2.0, 0.0]]), target_nats=2.0)
    tensor(0.5000)
    """
    units = kl.mean(0).detach() if kl_mean is None else kl_mean
    return torch.sign(units.sum() - target_nats).to(kl) * (kl.sum(1).mean() - target_nats)


def controlled_weight(
    kl_nats: float, target_nats: float, integral: float, gain: float, most: float = 1.0
) -> tuple[float, float]:
    """The weight of the KL term after a step whose KL was `kl_nats`, and the integral that the next call takes.

    A PI controller (Shao et al. 2020, ControlVAE, equation 9), of the error e = target - KL:

        integral <- integral - gain * e,    weight = PROPORTIONAL / (1 + exp(e)) + integral,

    both kept within [0, most], so that the integral does not run away while the weight is at an end (their section
    3.2). A KL above the target raises the weight until the KL comes down, and the other way round.

    >>> controlled_weight(kl_nats=7.0, target_nats=5.0, integral=0.25, gain=0.001)
    (0.2608..., 0.252)
    """
    error = target_nats - kl_nats
    integral = min(max(integral - gain * error, 0.0), most)
    proportional = PROPORTIONAL / (1.0 + math.exp(min(error, LARGEST_EXPONENT)))
    return min(proportional + integral, most), integral


def importance_weighted_bound(log_weights: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
    """log (1/K) sum_k p(x, z_k) / q(z_k|x), in nats: a lower bound on log p(x) that rises with K.

    The mean is taken inside the logarithm (Burda, Grosse and Salakhutdinov 2016, equation 8).

    >>> importance_weighted_bound(torch.tensor([[1.0, 3.0]]).log())
    tensor([0.6931])
    """
    return torch.logsumexp(log_weights, dim=1) - math.log(log_weights.shape[1])
