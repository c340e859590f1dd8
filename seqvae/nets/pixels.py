"""The distribution of an image's pixels given the decoder's last hidden state, in nats.

A likelihood owns its output projection: a linear layer whose outputs are the values of (H, W, C) in order, or a
deconvolution with one channel for each of C. Pixels are grey levels 0 ... 255; their share of 255 is what is modelled.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from seqvae.nets.cross_entropy import BRIGHTEST, LinearBernoulli, LogitBernoulli
from seqvae.nets.draws import Choice
from seqvae.nets.likelihoods import at_least_single, product_dtype, refuse_lists
from seqvae.nets.logistic import log_mass
from seqvae.noise import Noise

Discrete = bool | Literal["when binary"]
Shape = tuple[int, int, int]  # (H, W, C)
INITIAL_SCALE = 0.25  # of a pixel where it is learned; about the spread of the pixels of photographs
LEAST_LOG_SCALE = -8.0  # of a logistic pixel: a level is then twelve scales wide
# what a projection of zero stands for: half of INITIAL_SCALE, since a logistic spreads 1.8 times its scale
AT_ZERO = math.log(math.expm1(math.log(INITIAL_SCALE / 2) - LEAST_LOG_SCALE))


@runtime_checkable
class PixelLikelihood(Protocol):
    """What an image decoder asks of the distribution of pixels.

    `outputs_per_value` is what the projection gives for each value. `discrete` says whether nats are those of a
    distribution over the 256 levels, so that bits per dimension mean something.
    """

    outputs_per_value: int
    discrete: Discrete

    def log_prob(self, h: Float[Tensor, "N ..."], x: UInt8[Tensor, "N H W C"]) -> Float[Tensor, " N"]:
        """log p(x|h) in nats of each image."""
        ...

    def mean(self, h: Float[Tensor, "N ..."]) -> Float[Tensor, "N H W C"]:
        """The mean of each pixel, 0 black and 1 white."""
        ...

    def draw(self, h: Float[Tensor, "N ..."], noise: Noise, choice: Choice) -> UInt8[Tensor, "N H W C"]:
        """One image for each row, as `choice` says; the mean when it is greedy."""
        ...


class BernoulliPixels(nn.Module):
    """Independent Bernoulli pixels whose grey levels are means: sum of x log s + (1 - x) log(1 - s), s a sigmoid.

    A likelihood where every pixel is black or white; on grey levels it is a cross-entropy and no likelihood. `mean`
    is the image that the output starts at. A temperature divides the logits.
    """

    outputs_per_value = 1
    discrete: Discrete = "when binary"

    def __init__(self, projection: nn.Module, shape: Shape, mean: Float[Tensor, "H W C"] | None = None) -> None:
        super().__init__()
        self.projection = projection
        self.shape = shape
        _start_at_share(projection, mean)

    def log_prob(self, h: Float[Tensor, "N ..."], x: UInt8[Tensor, "N H W C"]) -> Float[Tensor, " N"]:
        """Sum over the pixels of x log s + (1 - x) log(1 - s), in nats, in chunks of rows."""
        learning = torch.is_grad_enabled()
        if isinstance(self.projection, nn.Linear):
            weight, bias = self.projection.weight, self.projection.bias
            log_prob: Tensor = LinearBernoulli.apply(h, weight, bias, x.flatten(1), product_dtype(h), learning)
        else:
            log_prob = LogitBernoulli.apply(self._logits(h).flatten(1), x.flatten(1), learning)
        return log_prob

    def mean(self, h: Float[Tensor, "N ..."]) -> Float[Tensor, "N H W C"]:
        """The probability of white of each pixel."""
        return at_least_single(self._logits(h)).sigmoid()

    def draw(self, h: Float[Tensor, "N ..."], noise: Noise, choice: Choice) -> UInt8[Tensor, "N H W C"]:
        """Black or white for each pixel; the mean's grey levels when `choice` is greedy.

        Raises ValueError for a top-k other than 1 (greedy) and for a nucleus, which need listed outcomes.
        """
        if choice.greedy:
            return levels(self.mean(h))
        refuse_lists(choice, "pixels that are drawn each for itself")
        logits = at_least_single(self._logits(h)).flatten(1)
        share = noise.uniform("draw", logits.shape[1])  # float64, maybe on the CPU
        white = share < (logits.to(share) / choice.temperature).sigmoid()
        return white.to(h.device, torch.uint8).mul_(BRIGHTEST).unflatten(1, self.shape)

    def _logits(self, h: Float[Tensor, "N ..."]) -> Float[Tensor, "N H W C"]:
        return _values(self.projection, h, self.shape)[0]


@dataclass(frozen=True)
class Density:
    """A density over real errors, symmetric around 0, at scale 1; at scale s of n errors e together it is, in nats,

    log p(e) = -cost(e) / s^power - n (log s + log_constant).

    `half` is what the cost has of the plain error: a half of the squares, all of the absolute ones.
    """

    cost: Callable[[Float[Tensor, "N D"]], Float[Tensor, " N"]]
    power: int
    log_constant: float
    half: float
    draw: Callable[[Noise, int], Float[Tensor, "N D"]]


def _half_of_squares(error: Float[Tensor, "N D"]) -> Float[Tensor, " N"]:
    return 0.5 * error.square().sum(1)


def _absolute_sum(error: Float[Tensor, "N D"]) -> Float[Tensor, " N"]:
    return error.abs().sum(1)


def _normal(noise: Noise, count: int) -> Float[Tensor, "N D"]:
    return noise.normal("draw", count)


def _laplace(noise: Noise, count: int) -> Float[Tensor, "N D"]:
    """By the inverse of the distribution function."""
    share = noise.uniform("draw", count).sub_(0.5)
    return -share.sign() * torch.log1p(-2 * share.abs())


GAUSSIAN = Density(_half_of_squares, 2, 0.5 * math.log(2 * math.pi), 0.5, _normal)
LAPLACE = Density(_absolute_sum, 1, math.log(2.0), 1.0, _laplace)


class DensityPixels(nn.Module):
    """Independent pixels of one scale: the density of x / 255 in nats. It weighs the squared error (GAUSSIAN) or the
    absolute error (LAPLACE).

    The location is a sigmoid, so that it is a grey level. The scale is learned where `scale` is 0 (Rybkin et al. 2021).
    A temperature multiplies the scale.
    """

    outputs_per_value = 1
    discrete: Discrete = False
    log_scale: Float[Tensor, ""]

    def __init__(
        self,
        density: Density,
        projection: nn.Module,
        shape: Shape,
        mean: Float[Tensor, "H W C"] | None = None,
        scale: float = 0.0,
    ) -> None:
        super().__init__()
        self.density = density
        self.projection = projection
        self.shape = shape
        if scale < 0:
            raise ValueError(f"a pixel scale of {scale} is not possible; give one above 0, or 0 to learn it")
        if scale:
            self.register_buffer("log_scale", torch.tensor(math.log(scale)), persistent=False)
        else:
            self.register_parameter("log_scale", nn.Parameter(torch.tensor(math.log(INITIAL_SCALE))))
        _start_at_share(projection, mean)

    def log_prob(self, h: Float[Tensor, "N ..."], x: UInt8[Tensor, "N H W C"]) -> Float[Tensor, " N"]:
        """log p(x / 255) in nats of each image."""
        error = (_shares(x, mean := self.mean(h)) - mean).flatten(1)
        cost = self.density.cost(error) * (-self.density.power * self.log_scale).exp()
        return -cost - error.shape[1] * (self.log_scale + self.density.log_constant)

    def summed_error(self, nats: float) -> float:
        """The squared or absolute error, summed over pixels, of an image whose -log p(x|z) is so many nats."""
        log_scale = self.log_scale.item()
        constant = math.prod(self.shape) * (log_scale + self.density.log_constant)
        return (nats - constant) * math.exp(self.density.power * log_scale) / self.density.half

    def mean(self, h: Float[Tensor, "N ..."]) -> Float[Tensor, "N H W C"]:
        """The location of each pixel, 0 black and 1 white."""
        return at_least_single(_values(self.projection, h, self.shape)[0]).sigmoid()

    def draw(self, h: Float[Tensor, "N ..."], noise: Noise, choice: Choice) -> UInt8[Tensor, "N H W C"]:
        """A draw of each pixel, cut to black and white; the mean when `choice` is greedy.

        Raises ValueError for a top-k other than 1 (greedy) and for a nucleus, which need listed outcomes.
        """
        mean = self.mean(h)
        if choice.greedy:
            return levels(mean)
        refuse_lists(choice, "pixels that are drawn each for itself")
        away = self.density.draw(noise, math.prod(self.shape)).to(mean).unflatten(1, self.shape)
        return levels(mean + away * (choice.temperature * self.log_scale.exp()))


class LogisticPixels(nn.Module):
    """Independent pixels of 256 levels, a logistic distribution cut into bins (Kingma et al. 2016, appendix; Salimans
    et al. 2017, section 2.1).

    p(level) = s((x + w - m) / b) - s((x - w - m) / b) with s the sigmoid, x = level / 255 and w half a level; the bins
    of black and white reach to infinity. Location m and scale b are the projection's, for each value. A temperature
    multiplies the scale.
    """

    outputs_per_value = 2
    discrete: Discrete = True

    def __init__(self, projection: nn.Module, shape: Shape, mean: Float[Tensor, "H W C"] | None = None) -> None:
        super().__init__()
        self.projection = projection
        self.shape = shape
        _start_at(projection, torch.full(shape, 0.5) if mean is None else mean)
        _start_at(projection, torch.zeros(shape), output=1)

    def log_prob(self, h: Float[Tensor, "N ..."], x: UInt8[Tensor, "N H W C"]) -> Float[Tensor, " N"]:
        """log p of the levels in nats of each image."""
        mean, log_scale = self._location_and_log_scale(h)
        precision = (-log_scale).exp()
        centre, half = (_shares(x, mean) - mean) * precision, 0.5 / BRIGHTEST * precision
        return log_mass(centre, half, x == 0, x == BRIGHTEST).flatten(1).sum(1)

    def mean(self, h: Float[Tensor, "N ..."]) -> Float[Tensor, "N H W C"]:
        """The mean of each pixel: of the logistic distribution with what lies outside of [0, 1] cut to its ends.

        It is the integral of P(x > t) = s((m - t) / b) over t in [0, 1].
        """
        mean, log_scale = self._location_and_log_scale(h)
        scale = log_scale.exp()
        return (scale * (F.softplus(mean / scale) - F.softplus((mean - 1) / scale))).clamp(0.0, 1.0)

    def draw(self, h: Float[Tensor, "N ..."], noise: Noise, choice: Choice) -> UInt8[Tensor, "N H W C"]:
        """A level for each pixel by the inverse of its distribution function; the mean when `choice` is greedy.

        Raises ValueError for a top-k other than 1 (greedy) and for a nucleus, which need listed outcomes.
        """
        if choice.greedy:
            return levels(self.mean(h))
        refuse_lists(choice, "pixels that are drawn each for itself")
        mean, log_scale = self._location_and_log_scale(h)
        away = noise.uniform("draw", math.prod(self.shape)).logit().to(mean).unflatten(1, self.shape)
        return levels(mean + away * (choice.temperature * log_scale.exp()))

    def _location_and_log_scale(
        self, h: Float[Tensor, "N ..."]
    ) -> tuple[Float[Tensor, "N H W C"], Float[Tensor, "N H W C"]]:
        mean, raw = _values(self.projection, h, self.shape)
        return at_least_single(mean), F.softplus(at_least_single(raw) + AT_ZERO) + LEAST_LOG_SCALE


def levels(mean: Float[Tensor, "*any"]) -> UInt8[Tensor, "*any"]:
    """Shares of white, rounded to grey levels 0 ... 255; what is less or more than these becomes black or white."""
    return mean.mul(BRIGHTEST).round_().clamp_(0, BRIGHTEST).to(torch.uint8)


def _values(projection: nn.Module, h: Float[Tensor, "N ..."], shape: Shape) -> tuple[Float[Tensor, "N H W C"], ...]:
    """What the projection gives for each value, one for each output per value."""
    outputs = projection(h)
    if outputs.ndim == 2:
        return tuple(outputs.unflatten(1, (-1, *shape)).unbind(1))
    return tuple(outputs.permute(0, 2, 3, 1).split(shape[2], 3))  # (N, H, W, outputs * C)


def _shares(x: UInt8[Tensor, "*any"], like: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Grey levels as shares of white, in the number type of `like`."""
    return x.to(like.dtype).div_(BRIGHTEST)


def _start_at_share(projection: nn.Module, mean: Float[Tensor, "H W C"] | None) -> None:
    """Let the sigmoid of a projection start at a mean image; without one it starts as torch draws it."""
    if mean is not None:
        _start_at(projection, mean.clamp(0.005, 0.995).logit())


@torch.no_grad()
def _start_at(projection: nn.Module, values: Float[Tensor, "H W C"], output: int = 0) -> None:
    """Set the biases of one of a projection's outputs per value; those of a deconvolution to the means of channels."""
    bias = projection.bias
    if not isinstance(bias, Tensor):
        raise ValueError("a projection without a bias cannot start at a mean image; give it a bias")
    start = values.flatten() if isinstance(projection, nn.Linear) else values.mean((0, 1))
    bias[output * len(start) : (output + 1) * len(start)] = start
