"""What is left of the distribution of a played step (`seqvae.nets.played`) of which a part is known."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, Integer, Shaped
from torch import Tensor
from torch.nn import functional as F

from seqvae.nets.draws import Choice
from seqvae.nets.likelihoods import Likelihood, refuse_lists
from seqvae.noise import Noise

FREE = -1  # the velocity of a class of which nothing is known


@runtime_checkable
class Played(Protocol):
    """A distribution of played steps: one of hits (N, C), and one of velocities and places, given them."""

    if TYPE_CHECKING:  # isinstance, from Python 3.12 on, does not find an attribute that is a submodule
        hits: Likelihood

    def log_prob_of_numbers(self, h: Float[Tensor, "N H"], x: Shaped[Tensor, "N C 2"]) -> Float[Tensor, "N C"]:
        """log p(velocity and place|h, hits, those before) in nats of each class of each row, or minus its errors."""
        ...

    def numbers(
        self,
        h: Float[Tensor, "N H"],
        hits: Int[Tensor, "N C"],
        noise: Noise | None,
        choice: Choice,
        known: Integer[Tensor, "N C 2"] | None = None,
    ) -> Int[Tensor, "N C 2"]:
        """The steps of these hits; velocities and places are those of `known`, where they are not FREE there."""
        ...


def held(of: Played, x: Integer[Tensor, "N C 2"]) -> "HeldHits | HeldClasses":
    """What is left of steps whose hits are those of x; of those that have a class that is FREE, all else is as in x."""
    free = x[..., 0] < 0
    return HeldClasses(of, x, int(free.any(0).nonzero()[0])) if free.any() else HeldHits(of, (x[..., 0] > 0).long())


def beside(known: Integer[Tensor, "N C 2"], said: Int[Tensor, "N C 2"]) -> Int[Tensor, "N C 2"]:
    """What is said of the classes that are FREE, and what is known of the others.

    >>> beside(torch.tensor([[[90, -7], [FREE, 0]]]), torch.tensor([[[64, 0], [30, 9]]])).tolist()
    [[[90, -7], [30, 9]]]
    """
    return torch.where(known[..., :1] < 0, said, known.long())


def check_unlisted(choice: Choice) -> None:
    """Raises ValueError for a choice among listed outcomes, but for the greedy one."""
    if not choice.greedy:
        refuse_lists(choice, "hits that have velocity and time")


@dataclass(frozen=True)
class HeldHits:
    """Steps whose hits (N, C) are known: what is left of p(x | h), given them.

    A row depends on its hits and h alone; its draws are those that the likelihood makes where it draws these hits.
    """

    of: Played
    hits: Int[Tensor, "N C"]

    def log_prob(self, h: Float[Tensor, "N H"], x: Integer[Tensor, "N C 2"]) -> Float[Tensor, " N"]:
        """log p(x|h, hits) in nats of each row; minus infinity for a step of other hits."""
        same = ((x[..., 0] > 0) == (self.hits > 0)).all(1)
        return torch.where(same, self.of.log_prob_of_numbers(h, x).sum(1), -torch.inf)

    def mode(self, h: Float[Tensor, "N H"]) -> Int[Tensor, "N C 2"]:
        """The hits with the velocities and places of `PlayedLikelihood.mode`."""
        return self.of.numbers(h, self.hits, None, Choice(temperature=0.0))

    def draw(self, h: Float[Tensor, "N H"], noise: Noise, choice: Choice) -> Int[Tensor, "N C 2"]:
        """The hits with velocities and places drawn. Raises ValueError as `PlayedLikelihood.draw`."""
        check_unlisted(choice)
        return self.of.numbers(h, self.hits, noise, choice)


@dataclass(frozen=True)
class HeldClasses:
    """Steps of which all is known but class c, where that is FREE in `known` (N, C, 2): what is left of p(x | h).

    Whether c is hit is as probable as p(hits|h) has it, all other hits being known:
    p(hit) = p(others and c) / (p(others and c) + p(others without c)). Its velocity and place are those of the
    likelihood, given all hits and what is known of the classes before c; of those after c they know nothing.
    """

    of: Played
    known: Integer[Tensor, "N C 2"]
    c: int

    def log_prob(self, h: Float[Tensor, "N H"], x: Integer[Tensor, "N C 2"]) -> Float[Tensor, " N"]:
        """log p(x|h, known) in nats of each row; minus infinity for a step that differs in what is known."""
        same = (x == beside(self.known, x.long())).flatten(1).all(1)
        hit = x[:, self.c, 0] > 0
        logit = self._logit(h)
        of_hit = F.logsigmoid(torch.where(hit, logit, -logit))
        found = of_hit + self.of.log_prob_of_numbers(h, x)[:, self.c]
        return torch.where(same, torch.where(self._free, found, 0.0), -torch.inf)

    def mode(self, h: Float[Tensor, "N H"]) -> Int[Tensor, "N C 2"]:
        """What is known, and class c where that is more probable than not, as in `PlayedLikelihood.mode`."""
        return self.of.numbers(h, self._hits(self._logit(h) > 0), None, Choice(temperature=0.0), self.known)

    def draw(self, h: Float[Tensor, "N H"], noise: Noise, choice: Choice) -> Int[Tensor, "N C 2"]:
        """What is known, and class c drawn. Raises ValueError as `PlayedLikelihood.draw`."""
        if choice.greedy:
            return self.mode(h)
        check_unlisted(choice)
        share = noise.uniform("hit of a class", 1).squeeze(1)
        hit = share.logit() < self._logit(h).to(share) / choice.temperature
        return self.of.numbers(h, self._hits(hit.to(h.device)), noise, choice, self.known)

    @property
    def _free(self) -> Bool[Tensor, " N"]:
        return self.known[:, self.c, 0] < 0

    def _hits(self, hit: Bool[Tensor, " N"]) -> Int[Tensor, "N C"]:
        """The hits that are known, with class c hit or not where it is free."""
        hits = (self.known[..., 0] > 0).long()
        hits[:, self.c] = torch.where(self._free, hit, hits[:, self.c] > 0).long()
        return hits

    def _logit(self, h: Float[Tensor, "N H"]) -> Float[Tensor, " N"]:
        """log p(others and c|h) - log p(others without c|h)."""
        yes, no = (self._hits(torch.full_like(self._free, hit)) for hit in (True, False))
        return self.of.hits.log_prob(h, yes) - self.of.hits.log_prob(h, no)
