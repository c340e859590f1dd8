"""Steps of which a part is given, such as a melody to chords: the likelihood of what is said beside it.

A step x is (2,) integers: what is said, and what is given, which is known before and has no probability.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqvae.nets.draws import Choice
from seqvae.nets.likelihoods import Categorical
from seqvae.noise import Noise


def beside(said: Int[Tensor, "*any"], held: Int[Tensor, "*any_held 2"]) -> Int[Tensor, "*any 2"]:
    """Steps of what is said (..., T), with what is given in `held` (..., T or more, 2) beside it.

    >>> beside(torch.tensor([7, 8]), torch.tensor([[0, 3], [0, 4], [0, 5]])).tolist()
    [[7, 3], [8, 4]]
    """
    given = held[..., : said.shape[-1], 1]
    return torch.stack([said, given.to(said.dtype)], -1)


class GivenBeside(nn.Module):
    """log p(x|h) = log p(said|h) of a categorical likelihood; what is given counts nothing.

    That is one of `given` outcomes, which h has read. Where nothing is held, 0 stands in its place.
    """

    def __init__(self, of: Categorical, given: int) -> None:
        super().__init__()
        self.of = of
        self.given = given

    def log_prob(self, h: Float[Tensor, "N H"], x: Int[Tensor, "N 2"]) -> Float[Tensor, " N"]:
        """log p(said|h) in nats of each row."""
        return self.of.log_prob(h, x[:, 0])

    def best(self, h: Float[Tensor, "N H"], count: int) -> tuple[Float[Tensor, "N K"], Int[Tensor, "N K"]]:
        """log p in nats of what may most probably be said, and what it is, the best first; K = count, or all."""
        return self.of.best(h, count)

    def mode(self, h: Float[Tensor, "N H"]) -> Int[Tensor, "N 2"]:
        """The most probable outcome of each row."""
        said = self.of.mode(h)
        return torch.stack([said, torch.zeros_like(said)], 1)

    def draw(self, h: Float[Tensor, "N H"], noise: Noise, choice: Choice) -> Int[Tensor, "N 2"]:
        """One outcome of each row; one random number a row."""
        said = self.of.draw(h, noise, choice)
        return torch.stack([said, torch.zeros_like(said)], 1)

    def holding(self, x: Int[Tensor, "N 2"]) -> "HeldGiven":
        """The same of steps beside which stands what is given in x."""
        return HeldGiven(self, x[:, 1])


@dataclass(frozen=True)
class HeldGiven:
    """A `GivenBeside` of steps whose given part (N,) is known; its draws are those that the likelihood makes."""

    likelihood: GivenBeside
    given: Int[Tensor, " N"]

    def log_prob(self, h: Float[Tensor, "N H"], x: Int[Tensor, "N 2"]) -> Float[Tensor, " N"]:
        """log p(said|h) in nats of each row; minus infinity for a step that something else is given for."""
        return torch.where(x[:, 1] == self.given, self.likelihood.log_prob(h, x), -torch.inf)

    def mode(self, h: Float[Tensor, "N H"]) -> Int[Tensor, "N 2"]:
        """The most probable outcome of each row, what is given beside it."""
        return torch.stack([self.likelihood.of.mode(h), self.given], 1)

    def draw(self, h: Float[Tensor, "N H"], noise: Noise, choice: Choice) -> Int[Tensor, "N 2"]:
        """One outcome of each row, what is given beside it."""
        return torch.stack([self.likelihood.of.draw(h, noise, choice), self.given], 1)
