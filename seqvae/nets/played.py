"""Steps of drums as they are played: hits of classes, each with a velocity and a place about its step.

A step x is (C, 2) integers: of each class the velocity, 1 to 127, or 0 without a hit; and the place, from -M, half a
step early, to M, half a step late, 0 without a hit.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int, Integer, Real
from torch import Tensor, nn
from torch.nn import functional as F

from seqvae.nets.draws import Choice
from seqvae.nets.held import HeldClasses, HeldHits, beside, check_unlisted, held
from seqvae.nets.likelihoods import Categorical, Likelihood, at_least_single
from seqvae.nets.logistic import log_mass, truncated_quantile
from seqvae.nets.steps import bits_of_labels
from seqvae.noise import Noise

Reading = Callable[[Integer[Tensor, "..."]], Integer[Tensor, "..."]]
LOUDEST = 127
MIDDLE, SPAN = 64.0, 63.0  # of velocities, which so go from -1 to 1
START = (0.25, 0.2)  # scales of velocity and place that training begins with, of half of all
LEAST_BINS = 0.1  # the least scale, in bins
FARTHEST_START = 0.75  # of the locations that the outermost components begin with, of half of all


class PlayedSteps(nn.Module):
    """Steps (..., C, 2) as numbers (..., 3C): of each class hit or not, velocity by 127, and place by the latest.

    `reads` is what is read of them where that is not all, one of `seqvae.nets.readings`.
    """

    largest: Float[Tensor, "2"]

    def __init__(self, classes: int, most_places: int, reads: Reading | None = None) -> None:
        super().__init__()
        self.reads = reads
        self.width = 3 * classes
        self.register_buffer("largest", torch.tensor([LOUDEST, float(most_places)]), persistent=False)

    def forward(self, x: Real[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The numbers of steps, whole ones or not; GrooVAE's nets read them as they are (Gillick et al. 2019)."""
        x = x if self.reads is None else self.reads(x)
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
    the numbers of `PlayedSteps`, and U is zero for what comes later. Of several `components` each has these two and a
    weight in a mixture (Salimans et al. 2017, section 2.1): a hit may be an accent or a ghost note.

    Velocities 1 and 127 hold all that is below and above, since many hits are as loud as a pad can tell. Places are cut
    off at half a step: their bins are divided by what all of them hold. Every factor sums to one over its support, and
    so does the product. The nats are of the places that there are: with twice as many, each hit costs ln 2 more.
    """

    allowed: Float[Tensor, "P Y"]
    apart: Float[Tensor, " K"]

    def __init__(
        self,
        hits: Likelihood,
        hidden: int,
        classes: int,
        most_places: int,
        bias: bool = True,
        components: int = 1,
    ) -> None:
        super().__init__()
        self.hits = hits
        self.classes, self.most_places, self.components = classes, most_places, components
        self.steps = PlayedSteps(classes, most_places)
        # of each class, both numbers and each component: location, log scale and, of several, the logit of its weight
        self.outputs = components * (2 if components == 1 else 3)
        self.projection = nn.Linear(hidden, 2 * classes * self.outputs, bias)
        self.reading = nn.Parameter(torch.zeros(2 * classes * self.outputs, 3 * classes))  # U
        self.register_buffer("allowed", _what_comes_before(classes, self.outputs), persistent=False)
        apart = torch.linspace(-FARTHEST_START, FARTHEST_START, components) if components > 1 else torch.zeros(1)
        self.register_buffer("apart", apart, persistent=False)  # locations that components begin with

    def log_prob(self, h: Float[Tensor, "N H"], x: Integer[Tensor, "N C 2"]) -> Float[Tensor, " N"]:
        """log p(x|h) in nats of each row."""
        return self.hits.log_prob(h, (x[..., 0] > 0).long()) + self.log_prob_of_numbers(h, x).sum(1)

    def log_prob_of_numbers(self, h: Float[Tensor, "N H"], x: Integer[Tensor, "N C 2"]) -> Float[Tensor, "N C"]:
        """log p(velocity and place|h, hits, those before) in nats of each class of each row, 0 without a hit."""
        base = at_least_single(self.projection(h))
        with torch.autocast(h.device.type, enabled=False):
            given = F.linear(self.steps(x).to(base.dtype), self.reading.to(base.dtype) * self.allowed)
            raw = (base + given).unflatten(1, (self.classes, 2, self.outputs))
        hit = x[..., 0] > 0  # few of all, and what follows is of these M alone
        places = hit.flatten().nonzero().squeeze(1)  # found once: a GPU is waited for
        raw, numbers = (each.flatten(0, 1).index_select(0, places) for each in (raw, x))
        velocity, place = numbers.to(base.dtype).unsqueeze(2).unbind(1)
        location, log_scale, weight = self._components(raw[:, 0], 0)  # (M, K)
        precision = (-log_scale).exp()
        centre = ((velocity - MIDDLE) / SPAN - location) * precision
        softest, loudest = velocity <= 1, velocity >= LOUDEST
        held = log_mass(centre, 0.5 / SPAN * precision, softest.expand_as(centre), loudest.expand_as(centre))
        of_velocity = (weight + held).logsumexp(1)
        location, log_scale, weight = self._components(raw[:, 1], 1)
        precision, half = (-log_scale).exp(), 0.5 / self.most_places
        held = log_mass((place / self.most_places - location) * precision, half * precision)
        of_place = (weight + held - log_mass(-location * precision, (1 + half) * precision)).logsumexp(1)
        return base.new_zeros(hit.numel()).index_copy(0, places, of_velocity + of_place).unflatten(0, hit.shape)

    def mode(self, h: Float[Tensor, "N H"]) -> Int[Tensor, "N C 2"]:
        """The most probable hits, then the location of each velocity and place, given those taken before it.

        Of several components it is that of the one with the most weight: its most probable place, and its median
        velocity, since the most probable one is often the loudest, of an open bin. Draws come to the same as their
        temperature goes to 0.
        """
        return self.numbers(h, self.hits.mode(h), None, Choice(temperature=0.0))

    def draw(self, h: Float[Tensor, "N H"], noise: Noise, choice: Choice) -> Int[Tensor, "N C 2"]:
        """One outcome of each row; two random numbers a class beside those of its hits, and two of several components.

        A temperature weighs scales, and divides the logits of components.

        Raises ValueError for a top-k other than 1 (greedy) and for a nucleus, which need listed outcomes.
        """
        if choice.greedy:
            return self.mode(h)
        check_unlisted(choice)
        return self.numbers(h, self.hits.draw(h, noise, choice), noise, choice)

    def holding(self, x: Integer[Tensor, "N C 2"]) -> HeldHits | HeldClasses:
        """The same of steps of which x is known, its hits alone or, but for a class that is FREE, all (`held`)."""
        return held(self, x)

    def numbers(
        self,
        h: Float[Tensor, "N H"],
        hits: Int[Tensor, "N C"],
        noise: Noise | None,
        choice: Choice,
        known: Integer[Tensor, "N C 2"] | None = None,
    ) -> Int[Tensor, "N C 2"]:
        """The steps of these hits, with velocities and places that are drawn, or are those of `mode`.

        Those of `known` stay as they are, but for classes that are FREE there.
        """
        if noise is None or choice.greedy:
            return self._in_turn(h, hits, None, 1.0, known)
        share = noise.uniform("velocity and time", 2 * self.classes)
        which = noise.uniform("components", 2 * self.classes) if self.components > 1 else share
        return self._in_turn(h, hits, torch.stack([share, which], 2), choice.temperature, known)

    def _in_turn(
        self,
        h: Float[Tensor, "N H"],
        hits: Int[Tensor, "N C"],
        share: Float[Tensor, "N S 2"] | None,
        temperature: float,
        known: Integer[Tensor, "N C 2"] | None,
    ) -> Int[Tensor, "N C 2"]:
        """Each velocity and place in turn, by its share of what is below it; without shares the locations."""
        sizes = (self.classes, 2, self.outputs)
        base = at_least_single(self.projection(h)).unflatten(1, sizes)
        rows = (self.reading.to(base.dtype) * self.allowed).unflatten(0, sizes)
        x = torch.zeros(len(h), self.classes, 2, dtype=torch.int64, device=h.device)
        given = torch.zeros(len(h), self.classes, 3, dtype=base.dtype, device=h.device)
        given[..., 0] = hits
        with torch.autocast(h.device.type, enabled=False):
            for c in range(self.classes):
                for number in range(2):
                    own = self._components(base[:, c, number] + given.flatten(1) @ rows[c, number].T, number)
                    below, which = (None, None) if share is None else share[:, 2 * c + number].unbind(1)
                    location, log_scale = _one_of(*own, which, temperature)
                    value = self._value(number, location, log_scale.exp() * temperature, below)
                    x[:, c, number] = value * hits[:, c]
                    if known is not None:
                        x[:, c, number] = torch.where(known[:, c, 0] < 0, x[:, c, number], known[:, c, number].long())
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

    def _components(
        self, raw: Float[Tensor, "*any P"], number: int
    ) -> tuple[Float[Tensor, "*any K"], Float[Tensor, "*any K"], Float[Tensor, "*any K"]]:
        """The locations, log scales and log weights of velocities (0) or places (1), of half of all.

        A scale is a tenth of a bin at least, and where `raw` is zero what training begins with.
        """
        least = math.log(LEAST_BINS / (SPAN, self.most_places)[number])
        start = math.log(math.expm1(math.log(START[number]) - least))
        location, scale, *weight = raw.unflatten(-1, (-1, self.components)).unbind(-2)
        log_weight = weight[0].log_softmax(-1) if weight else torch.zeros_like(location)
        return location + self.apart.to(raw.dtype), F.softplus(scale + start) + least, log_weight


class PlayedErrors(nn.Module):
    """Hits by a likelihood of sets (N, C), velocities and places by squared errors, as GrooVAE (Gillick et al. 2019).

    `log_prob` is log p(hits|h) - sum over classes of (v / 127 - sigmoid(a))^2 + (o / M - tanh(b))^2, where a and b are
    linear in h; a class without a hit counts as well, with v = o = 0. It is to be made large in training and no log
    probability: of all steps together its exponential is not 1, and there is nothing to draw velocities and places by.
    """

    is_density = False

    def __init__(self, hits: Likelihood, hidden: int, classes: int, most_places: int, bias: bool = True) -> None:
        super().__init__()
        self.hits = hits
        self.classes = classes
        self.steps = PlayedSteps(classes, most_places)
        self.projection = nn.Linear(hidden, 2 * classes, bias)

    def log_prob(self, h: Float[Tensor, "N H"], x: Real[Tensor, "N C 2"]) -> Float[Tensor, " N"]:
        """log p(hits|h) minus the squared errors of each row."""
        return self.hits.log_prob(h, (x[..., 0] > 0).long()) + self.log_prob_of_numbers(h, x).sum(1)

    def log_prob_of_numbers(self, h: Float[Tensor, "N H"], x: Real[Tensor, "N C 2"]) -> Float[Tensor, "N C"]:
        """Minus the squared errors of velocity and place of each class of each row, in units of the largest."""
        means = self.means(h)
        return -(x.to(means.dtype) / self.steps.largest - means).square().sum(2)

    def mode(self, h: Float[Tensor, "N H"]) -> Int[Tensor, "N C 2"]:
        """The most probable hits, with the velocities and places of the least squared error."""
        return self.numbers(h, self.hits.mode(h), None, Choice(temperature=0.0))

    def draw(self, h: Float[Tensor, "N H"], noise: Noise, choice: Choice) -> Int[Tensor, "N C 2"]:
        """Hits drawn, with the velocities and places of the least squared error.

        Raises ValueError as `PlayedLikelihood`.
        """
        if choice.greedy:
            return self.mode(h)
        check_unlisted(choice)
        return self.numbers(h, self.hits.draw(h, noise, choice), noise, choice)

    def holding(self, x: Integer[Tensor, "N C 2"]) -> HeldHits | HeldClasses:
        """The same of steps of which x is known, its hits alone or, but for a class that is FREE, all (`held`)."""
        return held(self, x)

    def numbers(
        self,
        h: Float[Tensor, "N H"],
        hits: Int[Tensor, "N C"],
        noise: Noise | None,
        choice: Choice,
        known: Integer[Tensor, "N C 2"] | None = None,
    ) -> Int[Tensor, "N C 2"]:
        """The steps of these hits, with the velocities and places of the least squared error.

        Those of `known` stay as they are, but for classes that are FREE there.
        """
        velocity, place = (self.means(h) * self.steps.largest).round().long().unbind(2)
        said = torch.stack([velocity.clamp(1, LOUDEST), place], 2) * hits.unsqueeze(2)
        return said if known is None else beside(known, said)

    def means(self, h: Float[Tensor, "N H"]) -> Float[Tensor, "N C 2"]:
        """Velocities and places of the least squared error, each in units of the largest: sigmoid(a) and tanh(b)."""
        velocity, place = at_least_single(self.projection(h)).unflatten(1, (self.classes, 2)).unbind(2)
        return torch.stack([velocity.sigmoid(), place.tanh()], 2)


def _one_of(
    location: Float[Tensor, "N K"],
    log_scale: Float[Tensor, "N K"],
    log_weight: Float[Tensor, "N K"],
    share: Float[Tensor, " N"] | None,
    temperature: float,
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
    """Location and log scale of one component of each row, by its share of the weights; without one the heaviest."""
    if share is None:
        chosen = log_weight.argmax(1, keepdim=True)
    else:  # float64, maybe on the CPU
        cumulative = (log_weight.to(share) / temperature).softmax(1).cumsum(1)[:, :-1]
        chosen = torch.searchsorted(cumulative.contiguous(), share.unsqueeze(1).contiguous()).to(location.device)
    return location.gather(1, chosen).squeeze(1), log_scale.gather(1, chosen).squeeze(1)


def _what_comes_before(classes: int, outputs: int) -> Float[Tensor, "P Y"]:
    """Ones where a number (class, velocity or place, one of its outputs) may read another (class, hit and both).

    All hits; velocities and places of the classes before; and the place of a class reads its velocity.
    """
    allowed = torch.zeros(classes, 2, outputs, classes, 3)
    allowed[..., 0] = 1.0
    for c in range(classes):
        allowed[c, :, :, :c, 1:] = 1.0
        allowed[c, 1, :, c, 1] = 1.0
    return allowed.flatten(3).flatten(0, 2)
