"""The maximum mean discrepancy between codes and the prior: how far all codes together are from draws of the prior.

For a kernel k it is E k(z, z') - 2 E k(z, e) + E k(e, e') over codes z, z' and draws e, e' of the prior (Gretton et al.
2012, lemma 6). What the prior is in it needs no draws: its two expectations are computed.
"""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Kernel = Literal["inverse_multiquadratic", "gaussian", "quadratic"]
Estimator = Literal["unbiased", "biased"]
NODES = 48  # of the quadrature: errors below 1e-9 from 1 to 512 units, however far the codes lie


def kernel_scale(units: int) -> float:
    """C = 2 Z, the mean of |e - e'|^2 over draws of a prior of Z units (Tolstikhin et al. 2018, section 4)."""
    return 2.0 * units


def kernel(a: Float[Tensor, "A Z"], b: Float[Tensor, "B Z"], kind: Kernel) -> Float[Tensor, "A B"]:
    """k of each pair, of the squared distance d: C / (C + d), or exp(-d / C), which are 1 where codes are equal.

    quadratic: a.b / 2 + (a.b)^2 / 4, whose discrepancy is that of the first two moments, |E z|^2 / 2 + |E zz' - I|^2
    / 4: to second order the KL in nats to the prior of the Gaussian that has the moments of all codes. It charges for
    what several units say at once (DIP-VAE-II penalises the same covariance, Kumar et al. 2018, section 3.1).

    >>> kernel(torch.zeros(1, 2), torch.tensor([[2.0, 0.0]]), "inverse_multiquadratic")  # C = 4, d = 4
    tensor([[0.5000]])
    """
    if kind == "quadratic":
        products = a @ b.T
        return products / 2 + products.square() / 4
    scale = kernel_scale(a.shape[1])
    squares = a.square().sum(1).unsqueeze(1) + b.square().sum(1) - 2 * a @ b.T
    distances = squares.clamp(min=0)  # below zero by rounding
    return scale / (scale + distances) if kind == "inverse_multiquadratic" else torch.exp(-distances / scale)


def kernel_to_prior(z: Float[Tensor, "B Z"], kind: Kernel, variance: float = 1.0) -> Float[Tensor, " B"]:
    """E k(z, e) of each code over e ~ N(0, variance).

    With Z units: of the Gaussian kernel (C / (C + 2 v))^(Z/2) exp(-|z|^2 / (C + 2 v)). The inverse multiquadratic is a
    mixture of Gaussians, C times the integral over t > 0 of exp(-t (C + d)), whose expectation is C times that of
    exp(-t C - t |z|^2 / (1 + 2 t v)) (1 + 2 t v)^(-Z/2): by Gauss and Laguerre's rule, its scale that of the fall at 0.
    Quadratic: v |z|^2 / 4.
    """
    if kind == "quadratic":
        return z.square().sum(1) * (variance / 4)
    units, scale, squares = z.shape[1], kernel_scale(z.shape[1]), z.square().sum(1)
    if kind == "gaussian":
        return (scale / (scale + 2 * variance)) ** (units / 2) * torch.exp(-squares / (scale + 2 * variance))
    nodes, weights = (torch.from_numpy(values).to(z) for values in np.polynomial.laguerre.laggauss(NODES))
    fall = (scale + units * variance + squares.detach()).unsqueeze(1)
    t = nodes / fall  # (B, N)
    spread = 1 + 2 * variance * t
    exponent = nodes - t * scale - t * squares.unsqueeze(1) / spread - units / 2 * spread.log()
    return scale * ((weights.log() + exponent).exp() / fall).sum(1)


def _among_priors(z: Float[Tensor, "1 Z"], kind: Kernel) -> Float[Tensor, ""]:
    """E k(e, e') over two draws of the prior, of as many units as z."""
    if kind == "quadratic":
        return z.new_tensor(z.shape[1] / 4)
    return kernel_to_prior(torch.zeros_like(z), kind, variance=2.0)[0]  # of e - e' and 0


def discrepancy(
    z: Float[Tensor, "B Z"],
    kind: Kernel = "inverse_multiquadratic",
    estimator: Estimator = "unbiased",
    everything: Float[Tensor, "N Z"] | None = None,
    rows: slice = slice(None),
) -> Float[Tensor, ""]:
    """The squared discrepancy between codes and N(0, 1), and what a part of the codes adds to it.

    unbiased: the mean of k over pairs of different codes, which may come out below zero; biased: over all pairs, the
    code with itself among them, which never does, and exceeds the former by about (1 - E k) / N (Gretton et al. 2012,
    equations 3 and 5). A single code has no pair and gives 0.

    Where z are some of the N codes of `everything`, at its `rows`, the values of all parts add up to that of the whole,
    and so do their gradients. A pair stands in two rows, of which one is z's and the other has no gradient, so the
    kernel counts twice, less its value.
    """
    whole = z.detach() if everything is None else everything
    count = len(whole)
    if count < 2:
        return 0 * z.sum()
    own = kernel(z, whole, kind)  # (B, N)
    if estimator == "unbiased":
        places = torch.arange(count, device=z.device)[rows]
        own = own.masked_fill(places.unsqueeze(1) == torch.arange(count, device=z.device), 0.0)
    inner = own.sum() / (count * (count - 1 if estimator == "unbiased" else count))
    among_priors = _among_priors(z[:1], kind)
    outer = (among_priors - 2 * kernel_to_prior(z, kind)).sum() / count  # the first for each of z's examples
    return 2 * inner - inner.detach() + outer
