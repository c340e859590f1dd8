"""The distribution of an image's pixels given the decoder's last hidden state, in nats.

A likelihood owns its output projection: a linear layer whose outputs are the values of (H, W, C) in order, or a
deconvolution with one channel for each of C. Pixels are grey levels 0 ... 255; their share of 255 is what is modelled.
"""

from collections.abc import Callable
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from seqvae.nets.likelihoods import CHUNK_ROWS, Draw, product_dtype
from seqvae.noise import Noise

BRIGHTEST = 255
FACTORS = 64  # probabilities of at least a half that are multiplied before a logarithm is taken


@runtime_checkable
class PixelLikelihood(Protocol):
    """What an image decoder asks of the distribution of pixels.

    `outputs_per_value` is what the projection gives for each value. `discrete` tells whether nats are those of a
    distribution over the 256 levels, so that bits per dimension mean something.
    """

    outputs_per_value: int
    discrete: bool | Literal["when binary"]

    def log_prob(self, h: Tensor, x: Tensor) -> Tensor:
        """log p(x|h) in nats of each image."""
        ...

    def mean(self, h: Tensor) -> Tensor:
        """The mean of each pixel, 0 black and 1 white."""
        ...

    def draw(self, h: Tensor, noise: Noise, draw: Draw) -> Tensor:
        """One image for each row, as `draw` says; the mean when it is greedy."""
        ...


class BernoulliPixels(nn.Module):
    """Independent Bernoulli pixels whose grey levels are means: sum of x log s + (1 - x) log(1 - s), s a sigmoid.

    A likelihood where every pixel is black or white; on grey levels it is a cross-entropy and no likelihood. `mean`
    is the image that the output starts at. A temperature divides the logits.
    """

    outputs_per_value = 1
    discrete: Literal["when binary"] = "when binary"

    def __init__(
        self, projection: nn.Module, shape: tuple[int, int, int], mean: Float[Tensor, "H W C"] | None = None
    ) -> None:
        super().__init__()
        self.projection = projection
        self.shape = shape
        if mean is not None:
            _start_at(projection, mean.clamp(0.005, 0.995).logit())

    def log_prob(self, h: Float[Tensor, "N ..."], x: UInt8[Tensor, "N H W C"]) -> Float[Tensor, " N"]:
        """Sum over the pixels of x log s + (1 - x) log(1 - s), in nats, in chunks of rows."""
        learning = torch.is_grad_enabled()
        if isinstance(self.projection, nn.Linear):
            weight, bias = self.projection.weight, self.projection.bias
            log_prob: Tensor = _LinearBernoulli.apply(h, weight, bias, x.flatten(1), product_dtype(h), learning)
        else:
            log_prob = _Bernoulli.apply(self._logits(h).flatten(1), x.flatten(1), learning)
        return log_prob

    def mean(self, h: Float[Tensor, "N ..."]) -> Float[Tensor, "N H W C"]:
        """The probability of white of each pixel."""
        return _exact(self._logits(h)).sigmoid()

    def draw(self, h: Float[Tensor, "N ..."], noise: Noise, draw: Draw) -> UInt8[Tensor, "N H W C"]:
        """Black or white for each pixel; the mean's grey levels when `draw` is greedy.

        Raises ValueError for a top-k other than 1 (greedy) and for a nucleus, which need listed outcomes.
        """
        if draw.greedy:
            return levels(self.mean(h))
        _refuse_listed(draw)
        logits = _exact(self._logits(h)).flatten(1)
        share = noise.uniform("draw", logits.shape[1])  # float64, maybe on the CPU
        white = share < (logits.to(share) / draw.temperature).sigmoid()
        return white.to(h.device, torch.uint8).mul_(BRIGHTEST).unflatten(1, self.shape)

    def _logits(self, h: Tensor) -> Tensor:
        return _values(self.projection, h, self.shape)[0]


def levels(mean: Float[Tensor, "*any"]) -> UInt8[Tensor, "*any"]:
    """Shares of white in [0, 1], rounded to grey levels 0 ... 255."""
    return mean.mul(BRIGHTEST).round().to(torch.uint8)


def _refuse_listed(draw: Draw) -> None:
    if draw.top_k or draw.top_p < 1.0:
        raise ValueError(
            f"top_k={draw.top_k}, top_p={draw.top_p} is not possible with pixels that are drawn each for itself, whose "
            "joint outcomes are not listed; leave both out, or lower the temperature"
        )


def _exact(x: Tensor) -> Tensor:
    """x in at least single precision."""
    return x if x.dtype == torch.float64 else x.float()


def _values(projection: nn.Module, h: Tensor, shape: tuple[int, int, int]) -> tuple[Tensor, ...]:
    """What the projection gives for each value: one (N, H, W, C) for each output per value."""
    outputs = projection(h)
    if outputs.ndim == 2:
        return tuple(outputs.unflatten(1, (-1, *shape)).unbind(1))
    return tuple(outputs.permute(0, 2, 3, 1).split(shape[2], 3))  # (N, H, W, outputs * C)


@torch.no_grad()
def _start_at(projection: nn.Module, values: Float[Tensor, "H W C"]) -> None:
    """Set the biases of a projection's first output per value; those of a deconvolution to the means of channels."""
    bias = projection.bias
    if not isinstance(bias, Tensor):
        raise ValueError("a projection without a bias cannot start at a mean image; give it a bias, or no mean image")
    start = values.flatten() if isinstance(projection, nn.Linear) else values.mean((0, 1))
    bias[: len(start)] = start


def _log_products(x: Float[Tensor, "N D"]) -> Float[Tensor, " N"]:
    """Sums of the logarithms of rows that hold nothing below a half; products first, since logarithms are slow."""
    whole = x.shape[1] // FACTORS * FACTORS
    products = x[:, :whole].unflatten(1, (-1, FACTORS)).prod(2)  # (N, D / FACTORS), none below 2^-FACTORS
    return products.log_().sum(1) + x[:, whole:].prod(1).log_()


def _score(
    logits_of: Callable[[slice], Tensor], x: Tensor, exact: torch.dtype, residual_dtype: torch.dtype | None
) -> tuple[Tensor, Tensor | None]:
    """(N,) Bernoulli scores of grey levels (N, D) in nats and, where a type is given for it, x - s (N, D).

    log s and log(1 - s) follow from max(s, 1 - s) and from the logits, so neither is lost where s is 0 or 1:
    x log s + (1 - x) log(1 - s) = x l - max(l, 0) + log max(s, 1 - s). `logits_of` gives memory to overwrite.
    """
    log_prob = torch.empty(len(x), dtype=exact, device=x.device)
    residual = None if residual_dtype is None else torch.empty(x.shape, dtype=residual_dtype, device=x.device)
    for first in range(0, len(x), CHUNK_ROWS):
        rows = slice(first, first + CHUNK_ROWS)
        logits = logits_of(rows)
        white = logits.sigmoid()
        shares = x[rows].to(exact).div_(BRIGHTEST)
        score = torch.linalg.vecdot(shares, logits).sub_(logits.clamp_(min=0.0).sum(1))
        if residual is not None:
            residual[rows] = shares.sub_(white)
        log_prob[rows] = score.add_(_log_products(white.sub_(0.5).abs_().add_(0.5)))
    return log_prob, residual


class _LinearBernoulli(torch.autograd.Function):
    """The Bernoulli scores of logits W h + b. Their gradient x - s is kept instead of the logits.

    The rows' weights in the loss (those of importance samples differ) are known in the backward pass and scale the
    narrow factor of each product.
    """

    @staticmethod
    def forward(ctx, h, weight, bias, x, dtype, learning):  # type: ignore[no-untyped-def]
        exact = torch.float64 if dtype == torch.float64 else torch.float32
        with torch.autocast(h.device.type, enabled=False):
            states, low = h.detach().to(dtype), weight.detach().to(dtype)

            def logits_of(rows: slice) -> Tensor:
                if dtype == exact and bias is not None:
                    return torch.addmm(bias, states[rows], low.T)
                logits = (states[rows] @ low.T).to(exact)
                return logits if bias is None else logits.add_(bias)

            # needs_input_grad alone does not know about no_grad
            need = learning and any(ctx.needs_input_grad[:3])
            log_prob, residual = _score(logits_of, x, exact, dtype if need else None)
        ctx.types = h.dtype, weight.dtype
        ctx.save_for_backward(states, low, residual)
        return log_prob

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        states, low, residual = ctx.saved_tensors
        dh = dweight = dbias = None
        with torch.autocast(states.device.type, enabled=False):
            row_weights = grad.unsqueeze(1).to(states.dtype)
            if ctx.needs_input_grad[0]:
                dh = (residual @ low).mul_(row_weights).to(ctx.types[0])
            if ctx.needs_input_grad[1]:
                dweight = (residual.T @ (row_weights * states)).to(ctx.types[1])
            if ctx.needs_input_grad[2]:
                dbias = (row_weights.T @ residual).squeeze(0).to(ctx.types[1])
        return dh, dweight, dbias, None, None, None


class _Bernoulli(torch.autograd.Function):
    """The Bernoulli scores of given logits. Their gradient x - s is kept instead of the logits."""

    @staticmethod
    def forward(ctx, logits, x, learning):  # type: ignore[no-untyped-def]
        exact = torch.float64 if logits.dtype == torch.float64 else torch.float32
        need = learning and ctx.needs_input_grad[0]
        log_prob, residual = _score(
            lambda rows: logits[rows].detach().to(exact, copy=True), x, exact, logits.dtype if need else None
        )
        ctx.save_for_backward(residual)
        return log_prob

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        (residual,) = ctx.saved_tensors
        return residual * grad.unsqueeze(1).to(residual.dtype), None, None
