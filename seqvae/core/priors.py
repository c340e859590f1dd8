"""Densities over latent codes: the standard normal, and what can be fitted to the codes of data.

With a density that is nearer to the aggregated posterior (1/N) sum_n q(z|x_n) than N(0, I) is, samples come from where
codes are, and the evidence lower bound is higher; encoder and decoder stay as they are (Dai and Wipf 2019, section 4).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from seqvae.core.posterior import prior_log_prob
from seqvae.noise import Noise

SITE = "prior"  # of the noise that codes are drawn from
TRANSFORMS, HIDDEN_PER_UNIT, MOST_HIDDEN = 6, 4, 384  # of a flow
_VALUES_PER_CHUNK = 2**22  # numbers that a density makes at once


@runtime_checkable
class Prior(Protocol):
    """A normalised density over codes."""

    @property
    def kind(self) -> str:
        """standard, gaussian, mixture or flow."""
        ...

    @property
    def latent(self) -> int:
        """The number of units."""
        ...

    def log_prob(self, z: Float[Tensor, "N Z"]) -> Float[Tensor, " N"]:
        """log p(z) in nats."""
        ...

    def codes(self, noise: Noise) -> Float[Tensor, "B Z"]:
        """A code drawn for each example of the noise, in float64."""
        ...


@dataclass(frozen=True)
class StandardNormal:
    """N(0, I), which the KL of a VAE is measured to (Kingma and Welling 2014, section 3)."""

    latent: int
    kind: ClassVar[str] = "standard"

    def log_prob(self, z: Float[Tensor, "N Z"]) -> Float[Tensor, " N"]:
        """log N(z; 0, I) in nats."""
        return prior_log_prob(z)

    def codes(self, noise: Noise) -> Float[Tensor, "B Z"]:
        """Standard normal codes."""
        return noise.normal(SITE, self.latent)


@dataclass(frozen=True, eq=False)
class Mixture:
    """sum_k w_k N(m_k, F_k F_k^T): Gaussians of any covariance, with their weights; one alone is a Gaussian.

    `factors` are lower triangular, with a positive diagonal.

    >>> one = Mixture(torch.zeros(1).double(), torch.zeros(1, 2).double(), torch.eye(2).double()[None])
    >>> one.log_prob(torch.tensor([[1.0, 0.0]]).double()) - prior_log_prob(torch.tensor([[1.0, 0.0]]).double())
    tensor([0.], dtype=torch.float64)
    """

    log_weights: Float[Tensor, " K"]
    means: Float[Tensor, "K Z"]
    factors: Float[Tensor, "K Z Z"]

    @property
    def kind(self) -> str:
        """gaussian or mixture."""
        return "gaussian" if len(self.log_weights) == 1 else "mixture"

    @property
    def latent(self) -> int:
        """The number of units."""
        return self.means.shape[1]

    def log_prob(self, z: Float[Tensor, "N Z"]) -> Float[Tensor, " N"]:
        """log p(z) in nats, in float64."""
        z = z.to(self.means)
        log_scales = self.factors.diagonal(dim1=1, dim2=2).log().sum(1)  # (K,)
        inverse = torch.linalg.inv(self.factors)  # applied to many rows, and well conditioned where a fit is
        rows = max(1, _VALUES_PER_CHUNK // self.means.numel())
        parts = []
        for some in z.split(rows):
            standard = torch.einsum("kij,nkj->nki", inverse, some.unsqueeze(1) - self.means)
            log_normal = prior_log_prob(standard.flatten(0, 1)).unflatten(0, standard.shape[:2]) - log_scales
            parts.append(torch.logsumexp(self.log_weights + log_normal, 1))
        return torch.cat(parts) if parts else z.new_zeros(0)

    def codes(self, noise: Noise) -> Float[Tensor, "B Z"]:
        """A component by its weight for each example, and a code of it."""
        standard = noise.normal(SITE, self.latent).to(self.means)
        chosen = self._chosen(noise)
        codes: Tensor = self.means[chosen] + torch.einsum("nij,nj->ni", self.factors[chosen], standard)
        return codes

    def _chosen(self, noise: Noise) -> Int[Tensor, " B"]:
        ends = self.log_weights.exp().cumsum(0)
        place = torch.searchsorted(ends, noise.uniform("component", 1).to(ends)[:, 0] * ends[-1])
        return place.clamp(max=len(ends) - 1)


class Flow(nn.Module):
    """A normalising flow: z = m + F y, and y is a standard normal passed through invertible networks.

    The networks are `transforms` affine couplings, each of which moves one half of the units by what the other half
    says (Dinh et al. 2017, section 3), with two layers of `hidden` units. F F^T and m are covariance and mean of the
    codes, so that what is learned is how they differ from one Gaussian.
    """

    kind: ClassVar[str] = "flow"
    mean: Float[Tensor, " Z"]
    factor: Float[Tensor, "Z Z"]

    def __init__(self, mean: Float[Tensor, " Z"], factor: Float[Tensor, "Z Z"], transforms: int, hidden: int) -> None:
        super().__init__()
        self.latent, self.transforms, self.hidden = len(mean), transforms, hidden
        self.register_buffer("mean", mean.clone())
        self.register_buffer("factor", factor.clone())
        self.flow = _couplings(self.latent, transforms, hidden)

    def standardised(self, z: Float[Tensor, "N Z"]) -> Float[Tensor, "N Z"]:
        """y of z: codes without their mean and covariance."""
        return torch.linalg.solve_triangular(self.factor, (z.to(self.mean) - self.mean).T, upper=False).T

    def log_prob(self, z: Float[Tensor, "N Z"]) -> Float[Tensor, " N"]:
        """log p(z) in nats."""
        log_scale = self.factor.diagonal().log().sum()
        return self.log_prob_of(self.standardised(z)) - log_scale

    def log_prob_of(self, y: Float[Tensor, "N Z"]) -> Float[Tensor, " N"]:
        """log p(y) in nats, which differs from log p(z) by a constant."""
        log_prob: Tensor = self.flow().log_prob(y)
        return log_prob

    def codes(self, noise: Noise) -> Float[Tensor, "B Z"]:
        """Standard normal draws, passed through the networks."""
        with torch.no_grad():
            y: Tensor = self.flow().transform.inv(noise.normal(SITE, self.latent).to(self.mean))
            return self.mean + y @ self.factor.T


def flow_of_size(
    latent: int, mean: Float[Tensor, " Z"] | None = None, factor: Float[Tensor, "Z Z"] | None = None
) -> Flow:
    """A flow for so many units, its weights drawn from torch's global generator.

    Without a mean and a factor, which a prior that is learned along with its codes cannot have, they are 0 and I.
    """
    mean = torch.zeros(latent) if mean is None else mean
    factor = torch.eye(latent) if factor is None else factor
    return Flow(mean, factor, TRANSFORMS, min(MOST_HIDDEN, HIDDEN_PER_UNIT * latent))


def _couplings(units: int, transforms: int, hidden: int) -> nn.Module:
    from zuko.flows import MAF

    flow: nn.Module = MAF(units, transforms=transforms, passes=2, hidden_features=[hidden, hidden])
    for part in flow.modules():
        for name, buffer in list(part.named_buffers(recurse=False)):  # masks and orders, which the sizes say
            part.register_buffer(name, buffer, persistent=False)
    return flow


def tensors_of(prior: Prior) -> dict[str, Shaped[Tensor, "..."]]:
    """What a fitted prior is made of, by name, on the CPU. With `sizes_of` it is what `of_tensors` takes."""
    tensors = prior.state_dict() if isinstance(prior, Flow) else _fields(prior)
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _fields(prior: Prior) -> dict[str, Shaped[Tensor, "..."]]:
    if not isinstance(prior, Mixture):
        raise ValueError(f"a {prior.kind} prior has nothing to keep")
    return {"log_weights": prior.log_weights, "means": prior.means, "factors": prior.factors}


def sizes_of(prior: Prior) -> dict[str, int]:
    """The numbers that a flow is built with; of other priors there are none."""
    return {"transforms": prior.transforms, "hidden": prior.hidden} if isinstance(prior, Flow) else {}


def of_tensors(tensors: Mapping[str, Shaped[Tensor, "..."]], sizes: Mapping[str, int]) -> Prior:
    """The prior of `tensors_of` and `sizes_of`. Raises KeyError, TypeError or RuntimeError for those of nothing."""
    if not sizes:
        return Mixture(tensors["log_weights"], tensors["means"], tensors["factors"])
    flow = Flow(tensors["mean"], tensors["factor"], sizes["transforms"], sizes["hidden"]).to(tensors["mean"].dtype)
    flow.load_state_dict({name: tensors[name] for name in flow.state_dict()})
    return flow.requires_grad_(False)
