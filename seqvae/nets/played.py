"""Steps of drums as they are played: hits of classes, each with a velocity and a place about its step.

A step x is (C, 2) integers: of each class the velocity, 1 to 127, or 0 without a hit; and the place, from -M, half a
step early, to M, half a step late, 0 without a hit.
"""

import math

import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor, nn
from torch.nn import functional as F

from seqvae.nets.likelihoods import Categorical, Choice, Likelihood, at_least_single, refuse_lists
from seqvae.nets.logistic import log_mass, truncated_quantile
from seqvae.nets.steps import bits_of_labels
from seqvae.noise import Noise

LOUDEST = 127
MIDDLE, SPAN = 64.0, 63.0  # of velocities, which so go from -1 to 1
START = (0.25, 0.2)  # scales of velocity and place that training begins with, of half of all
LEAST_BINS = 0.1  # the least scale, in bins


class PlayedSteps(nn.Module):
    """Steps (..., C, 2) as numbers (..., 3C): of each class hit or not, velocity by 127, and place by the latest."""

    largest: Float[Tensor, "2"]

    def __init__(self, classes: int, most_places: int) -> None:
        super().__init__()
        self.width = 3 * classes
        self.register_buffer("largest", torch.tensor([LOUDEST, float(most_places)]), persistent=False)

    def forward(self, x: Integer[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The numbers of steps; GrooVAE's nets read them as they are (Gillick et al. 2019)."""
        numbers = x.to(self.largest.dtype) / self.largest
        return torch.cat([(x[..., :1] > 0).to(numbers.dtype), numbers], -1).flatten(-2)


class Combinations(nn.Module):
    """Sets (N, C) of zeros and ones as one of their 2^C combinations, which share weights by their classes."""

    bits: Float[Tensor, "V C"]

    def __init__(self, hidden: int, classes: int, bias: bool = True) -> None:
        super().__init__()
        self.labels = Categorical(hidden, 1 << classes, bias, bits_of_labels(classes))
        self.register_buffer("bits", bits_of_labels(classes), persistent=False)

    def log_prob(self, h: Float[Tensor, "N H"], x: Integer[Tensor, "N C"]) -> Float[Tensor, " N"]:
        """log p(x|h) in nats of each row."""
        weights = 1 << torch.arange(x.shape[1], device=x.device)
        return self.labels.log_prob(h, (x.long() * weights).sum(1))

    def mode(self, h: Float[Tensor, "N H"]) -> Int[Tensor, "N C"]:
        """The most probable set of each row."""
        return self.bits[self.labels.mode(h)].long()

    def draw(self, h: Float[Tensor, "N H"], noise: Noise, choice: Choice) -> Int[Tensor, "N C"]:
        """One set of each row; one random number a row."""
        return self.bits[self.labels.draw(h, noise, choice)].long()


class PlayedLikelihood(nn.Module):
    """Hits by a likelihood of sets (N, C); of each hit the velocity, then the place, by logistic distributions in bins.

    log p(x|h) = log p(hits|h) + sum over hits c of log p(v_c | ...) + log p(o_c | ...). What a velocity or a place is
    given is h, all hits of the step, and of the classes before c, and of c itself, the velocities and places before it:
    a drummer's limbs are late together. It enters linearly: location and log scale are a row of W h + U y, where y are
    the numbers of `PlayedSteps`, and U is zero for what comes later.

    Velocities 1 and 127 hold all that is below and above, since many hits are as loud as a pad can tell. Places are cut
    off at half a step: their bins are divided by what all of them hold. Every factor sums to one over its support, and
    so does the product. The nats are of the places that there are: with twice as many, each hit costs ln 2 more.
    """

    allowed: Float[Tensor, "P Y"]

    def __init__(self, hits: Likelihood, hidden: int, classes: int, most_places: int, bias: bool = True) -> None:
        super().__init__()
        self.hits = hits
        self.classes, self.most_places = classes, most_places
        self.steps = PlayedSteps(classes, most_places)
        self.projection = nn.Linear(hidden, 4 * classes, bias)  # of each class, of both numbers: location, log scale
        self.reading = nn.Parameter(torch.zeros(4 * classes, 3 * classes))  # U
        self.register_buffer("allowed", _what_comes_before(classes), persistent=False)

    def log_prob(self, h: Float[Tensor, "N H"], x: Integer[Tensor, "N C 2"]) -> Float[Tensor, " N"]:
        """log p(x|h) in nats of each row."""
        hit = x[..., 0] > 0
        of_hits = self.hits.log_prob(h, hit.long())
        base = at_least_single(self.projection(h))
        with torch.autocast(h.device.type, enabled=False):
            given = F.linear(self.steps(x).to(base.dtype), self.reading.to(base.dtype) * self.allowed)
            location, log_scale = (base + given).unflatten(1, (self.classes, 2, 2)).unbind(3)  # (N, C, 2)
        precision = (-self._log_scale(log_scale)).exp()
        velocity, place = x.to(base.dtype).unbind(2)
        value = torch.stack([(velocity - MIDDLE) / SPAN, place / self.most_places], 2)
        half = 0.5 * self._bins(base) * precision
        centre = (value - location) * precision
        of_velocity = log_mass(centre[..., 0], half[..., 0], x[..., 0] <= 1, x[..., 0] >= LOUDEST)
        whole = log_mass(-(location * precision)[..., 1], (1 + 0.5 * self._bins(base)[1]) * precision[..., 1])
        of_place = log_mass(centre[..., 1], half[..., 1]) - whole
        return of_hits + torch.where(hit, of_velocity + of_place, 0.0).sum(1)

    def mode(self, h: Float[Tensor, "N H"]) -> Int[Tensor, "N C 2"]:
        """The most probable hits, then the location of each velocity and place, given those taken before it.

        That is the most probable place, and the median velocity: the most probable one is often the loudest, of an open
        bin. Draws come to the same as their temperature goes to 0.
        """
        return self._in_turn(h, self.hits.mode(h), None, 1.0)

    def draw(self, h: Float[Tensor, "N H"], noise: Noise, choice: Choice) -> Int[Tensor, "N C 2"]:
        """One outcome of each row; two random numbers a class beside those of its hits. A temperature weighs scales.

        Raises ValueError for a top-k other than 1 (greedy) and for a nucleus, which need listed outcomes.
        """
        if choice.greedy:
            return self.mode(h)
        refuse_lists(choice, "hits that have velocity and time")
        hits = self.hits.draw(h, noise, choice)
        return self._in_turn(h, hits, noise.uniform("velocity and time", 2 * self.classes), choice.temperature)

    def _in_turn(
        self, h: Float[Tensor, "N H"], hits: Int[Tensor, "N C"], share: Float[Tensor, "N S"] | None, temperature: float
    ) -> Int[Tensor, "N C 2"]:
        """Each velocity and place in turn, by its share of what is below it; without shares the locations."""
        base = at_least_single(self.projection(h)).unflatten(1, (self.classes, 2, 2))
        rows = (self.reading.to(base.dtype) * self.allowed).unflatten(0, (self.classes, 2, 2))
        x = torch.zeros(len(h), self.classes, 2, dtype=torch.int64, device=h.device)
        given = torch.zeros(len(h), self.classes, 3, dtype=base.dtype, device=h.device)
        given[..., 0] = hits
        with torch.autocast(h.device.type, enabled=False):
            for c in range(self.classes):
                for number in range(2):
                    own = base[:, c, number] + given.flatten(1) @ rows[c, number].T
                    scale = self._log_scale(own[:, 1], number).exp() * temperature
                    below = None if share is None else share[:, 2 * c + number]
                    x[:, c, number] = self._value(number, own[:, 0], scale, below) * hits[:, c]
                    given[:, c, 1 + number] = x[:, c, number] / self.steps.largest[number]
        return x

    def _value(
        self, number: int, location: Float[Tensor, " N"], scale: Float[Tensor, " N"], share: Float[Tensor, " N"] | None
    ) -> Int[Tensor, " N"]:
        """The velocity (0) or place (1) below which there is this share; without one the location."""
        value = location
        if share is not None:  # float64, maybe on the CPU
            value, spread = location.to(share), scale.to(share)
            outside = 1 + 0.5 / self.most_places
            value = truncated_quantile(share, value, spread, outside) if number else value + spread * share.logit()
        if number:
            value = (self.most_places * value).round().clamp(-self.most_places, self.most_places)
        else:
            value = (MIDDLE + SPAN * value).round().clamp(1, LOUDEST)
        return value.long().to(location.device)

    def _bins(self, like: Float[Tensor, "*any"]) -> Float[Tensor, "2"]:
        """The widths of a bin of velocities and of places, of half of all."""
        return torch.tensor([1 / SPAN, 1 / self.most_places], dtype=like.dtype, device=like.device)

    def _log_scale(self, raw: Float[Tensor, "*any"], number: int | None = None) -> Float[Tensor, "*any"]:
        """The log scale of half of all: a tenth of a bin at least, and at zero what training begins with."""
        least = [math.log(LEAST_BINS / span) for span in (SPAN, self.most_places)]
        start = [math.log(math.expm1(math.log(own) - low)) for own, low in zip(START, least, strict=True)]
        if number is not None:
            return F.softplus(raw + start[number]) + least[number]
        return F.softplus(raw + raw.new_tensor(start)) + raw.new_tensor(least)


def _what_comes_before(classes: int) -> Float[Tensor, "P Y"]:
    """Ones where a number (class, velocity or place, location or scale) may read another (class, hit and both).

    All hits; velocities and places of the classes before; and the place of a class reads its velocity.
    """
    allowed = torch.zeros(classes, 2, 2, classes, 3)
    allowed[..., 0] = 1.0
    for c in range(classes):
        allowed[c, :, :, :c, 1:] = 1.0
        allowed[c, 1, :, c, 1] = 1.0
    return allowed.flatten(3).flatten(0, 2)
