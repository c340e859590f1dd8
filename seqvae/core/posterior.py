"""The diagonal Gaussian posterior q(z|x)."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from seqvae.noise import Noise

_LEAST_LOG_SCALE = -20.0  # whatever KL is asked for, a scale has a logarithm in single precision


@dataclass(frozen=True)
class DiagonalGaussian:
    """q(z|x) = N(mean, diag(exp(log_scale)^2)) for each example of a batch."""

    mean: Float[Tensor, "B Z"]
    log_scale: Float[Tensor, "B Z"]

    @staticmethod
    def from_features(features: Float[Tensor, "B F"], scale: Literal["exp", "softplus"]) -> "DiagonalGaussian":
        """Split a layer's output into the mean and the scale.

        `exp`: the second half is the log-variance (Kingma and Welling 2014, appendix B). `softplus`: the scale is
        softplus of the second half (MusicVAE, Roberts et al. 2018, section 3.1).
        """
        mean, raw = features.chunk(2, dim=-1)  # (B, Z) each
        if scale == "exp":
            return DiagonalGaussian(mean, 0.5 * raw)
        # below -40 log softplus(x) is x; softplus alone would underflow to 0 there and its logarithm to -inf
        capped = raw.clamp(min=-40.0)
        return DiagonalGaussian(mean, F.softplus(capped).log() + (raw - capped))

    @staticmethod
    def of_least_kl(features: Float[Tensor, "B F"], least: float) -> "DiagonalGaussian":
        """Split a layer's output into a mean and a scale such that no unit's KL to the prior is below `least` nats.

        scale = low + (high - low) * sigmoid(second half), within `scales_of_least_kl`; mean = sqrt(2 least + 1 + log
        scale^2 - scale^2) + max(0, first half): the square root alone gives a KL of `least` (Razavi et al. 2019,
        delta-VAE, the independent case). The decoder so pays for the code whether it reads it or not.

        >>> DiagonalGaussian.of_least_kl(torch.tensor([[-7.0, 1.0]]), 0.3).kl()
        tensor([[0.3000]])
        """
        first, second = features.chunk(2, dim=-1)  # (B, Z) each
        low, high = scales_of_least_kl(least)
        scale = low + (high - low) * second.sigmoid()
        log_scale = scale.log()
        nearest = 2 * least - torch.expm1(2 * log_scale) + 2 * log_scale  # the square of the least mean
        # at the ends it is 0, where the square root has no slope
        return DiagonalGaussian(nearest.clamp(min=1e-12).sqrt() + first.clamp(min=0.0), log_scale)

    @property
    def scale(self) -> Float[Tensor, "B Z"]:
        """The standard deviation of each unit."""
        return self.log_scale.exp()

    def standard(self, noise: Noise, samples: int = 1) -> Float[Tensor, "BK Z"]:
        """Standard normal draws for each example; rows b * samples ... (b + 1) * samples - 1 belong to example b."""
        size = self.mean.shape[1]
        return noise.normal("posterior", samples * size).to(self.mean).unflatten(1, (samples, size)).flatten(0, 1)

    def at(self, eps: Float[Tensor, "B Z"]) -> Float[Tensor, "B Z"]:
        """The codes mean + scale * eps, differentiable in both (Kingma and Welling 2014, equation 4)."""
        return self.mean + self.scale * eps

    def select(self, rows: Int[Tensor, " N"]) -> "DiagonalGaussian":
        """The posterior of some of the examples, or of some several times."""
        return DiagonalGaussian(self.mean[rows], self.log_scale[rows])

    def rsample(self, noise: Noise, samples: int = 1) -> Float[Tensor, "BK Z"]:
        """Reparameterized draws of z, rows as in `standard`."""
        eps = self.standard(noise, samples)
        return self.at(eps) if samples == 1 else self.repeat(samples).at(eps)

    def repeat(self, samples: int) -> "DiagonalGaussian":
        """Every example `samples` times in a row, in the row order of `Batch.repeat`."""
        return DiagonalGaussian(self.mean.repeat_interleave(samples, 0), self.log_scale.repeat_interleave(samples, 0))

    def log_prob(self, z: Float[Tensor, "B Z"]) -> Float[Tensor, " B"]:
        """log q(z|x), in nats; the sum over units."""
        standard = (z - self.mean) * torch.exp(-self.log_scale)
        return (-0.5 * standard**2 - self.log_scale - 0.5 * math.log(2 * math.pi)).sum(-1)

    def kl(self) -> Float[Tensor, "B Z"]:
        """KL(q(z|x) || N(0, 1)) of each unit, in nats.

        0.5 * (mean^2 + scale^2 - 1) - log scale (Kingma and Welling 2014, appendix B).

        >>> q = DiagonalGaussian(torch.tensor([[1.0]]), torch.tensor([[0.0]]))
        >>> q.kl()
        tensor([[0.5000]])
        """
        return 0.5 * (self.mean**2 + torch.expm1(2 * self.log_scale)) - self.log_scale


def scales_of_least_kl(least: float) -> tuple[float, float]:
    """The smallest and the largest scale at which N(0, scale^2) has a KL of at most `least` nats to N(0, 1).

    The two roots of 0.5 * (scale^2 - 1) - log scale = least, between which a mean can make up for the difference.

    >>> low, high = scales_of_least_kl(0.5)
    >>> round(low, 4), round(high, 4)
    (0.3982, 1.7738)
    """

    def divergence(log_scale: float) -> float:
        return 0.5 * math.expm1(2 * log_scale) - log_scale

    ends = []
    for outside in (-least - 0.5, 0.5 * math.log(2 * least + 1) + 1):  # the divergence is above `least` there
        inside = 0.0
        for _ in range(100):  # bisection, to the last bit
            middle = 0.5 * (inside + outside)
            inside, outside = (middle, outside) if divergence(middle) < least else (inside, middle)
        ends.append(math.exp(max(inside, _LEAST_LOG_SCALE)))
    return ends[0], ends[1]


def prior_log_prob(z: Float[Tensor, "B Z"]) -> Float[Tensor, " B"]:
    """log N(z; 0, 1), in nats; the sum over units."""
    return (-0.5 * z**2 - 0.5 * math.log(2 * math.pi)).sum(-1)
