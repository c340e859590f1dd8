"""The diagonal Gaussian posterior q(z|x)."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from seqvae.noise import Noise


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


def prior_log_prob(z: Float[Tensor, "B Z"]) -> Float[Tensor, " B"]:
    """log N(z; 0, 1), in nats; the sum over units."""
    return (-0.5 * z**2 - 0.5 * math.log(2 * math.pi)).sum(-1)
