"""Sliders of a Gaussian of codes: places along its longest principal axes, with all else drawn."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from seqvae.core.priors import SITE, Mixture
from seqvae.noise import Noise


def principal_axes(gaussian: Mixture) -> Float[Tensor, "Z Z"]:
    """The principal axes of a Gaussian as rows, the longest first, each as long as a standard deviation along it.

    Of the two directions of an axis it is the one in which the unit that changes most grows.

    >>> one = Mixture(torch.zeros(1), torch.zeros(1, 2), torch.tensor([[[1.0, 0.0], [0.0, 3.0]]]))
    >>> principal_axes(one) + 0.0
    tensor([[0., 3.],
            [1., 0.]])
    """
    variances, directions = torch.linalg.eigh(gaussian.factors[0] @ gaussian.factors[0].T)
    axes = (directions * variances.clamp(min=0).sqrt()).T.flip(0)
    largest = axes.abs().argmax(1, keepdim=True)
    return axes * torch.where(axes.gather(1, largest) < 0, -1.0, 1.0)


def share_of_variance(axes: Float[Tensor, "Z Z"], count: int) -> float:
    """The share in [0, 1] of the variance that so many of the longest axes hold."""
    squares = (axes**2).sum(1)
    return float(squares[:count].sum() / squares.sum())


@dataclass(frozen=True, eq=False)
class AtSliders:
    """Draws of a Gaussian that stand at given places along its longest axes, in standard deviations.

    Sample i of a seed has the same draws along the other axes wherever the sliders are, so that moving one moves it.

    Raises ValueError for more sliders than there are units, and for one that is no finite number.
    """

    gaussian: Mixture
    places: Sequence[float]
    kind: ClassVar[str] = "gaussian at sliders"

    def __post_init__(self) -> None:
        if len(self.places) > self.latent:
            raise ValueError(f"{len(self.places)} sliders are too many; there are {self.latent}")
        for place in self.places:
            if not math.isfinite(place):
                raise ValueError(f"a slider at {place} is not possible; give standard deviations, such as -1.5")

    @property
    def latent(self) -> int:
        """The number of units."""
        return self.gaussian.latent

    def log_prob(self, z: Float[Tensor, "N Z"]) -> Float[Tensor, " N"]:
        """Raises ValueError."""
        raise ValueError("codes at sliders lie on a plane, and have no density; take the Gaussian itself")

    def codes(self, noise: Noise) -> Float[Tensor, "B Z"]:
        """A code for each example: what sliders do not say is drawn."""
        axes = principal_axes(self.gaussian)
        along = noise.normal(SITE, self.latent).to(axes)
        along[:, : len(self.places)] = torch.tensor(list(self.places)).to(axes)
        codes: Tensor = self.gaussian.means[0] + along @ axes
        return codes
