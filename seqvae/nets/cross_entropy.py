"""Bernoulli scores of grey levels, with a backward pass that needs no logits.

d/dl [x log s + (1 - x) log(1 - s)] = x - s for a logit l and s = sigmoid(l): this residual is all that is kept.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.autograd.function import once_differentiable

from seqvae.nets.likelihoods import CHUNK_ROWS

BRIGHTEST = 255  # the grey level of white
FACTORS = 64  # probabilities of at least a half that are multiplied before a logarithm is taken


def _log_products(x: Float[Tensor, "N D"]) -> Float[Tensor, " N"]:
    """Sums of the logarithms of rows that hold nothing below a half; products first, since logarithms are slow."""
    whole = x.shape[1] // FACTORS * FACTORS
    products = x[:, :whole].unflatten(1, (-1, FACTORS)).prod(2)  # (N, D / FACTORS), none below 2^-FACTORS
    return products.log_().sum(1) + x[:, whole:].prod(1).log_()


def score_in_chunks(
    logits_of: Callable[[slice], Float[Tensor, "M D"]],
    x: UInt8[Tensor, "N D"],
    exact: torch.dtype,
    residual_dtype: torch.dtype | None,
) -> tuple[Float[Tensor, " N"], Float[Tensor, "N D"] | None]:
    """Bernoulli scores of grey levels in nats and, where it has a type, the residual x - s.

    log s and log(1 - s) follow from max(s, 1 - s) and from the logits, so neither is lost where s is 0 or 1:
    x log s + (1 - x) log(1 - s) = x l - max(l, 0) + log max(s, 1 - s). `logits_of` gives memory to overwrite.
    """
    log_prob = torch.empty(len(x), dtype=exact, device=x.device)
    residual = None if residual_dtype is None else torch.empty(x.shape, dtype=residual_dtype, device=x.device)
    chunk = CHUNK_ROWS if x.device.type == "cpu" else 16 * CHUNK_ROWS  # no cache to stay in, and every call costs
    for first in range(0, len(x), chunk):
        rows = slice(first, first + chunk)
        logits = logits_of(rows)
        white = logits.sigmoid()
        shares = x[rows].to(exact).div_(BRIGHTEST)
        score = torch.linalg.vecdot(shares, logits).sub_(logits.clamp_(min=0.0).sum(1))
        if residual is not None:
            residual[rows] = shares.sub_(white)
        log_prob[rows] = score.add_(_log_products(white.sub_(0.5).abs_().add_(0.5)))
    return log_prob, residual


class LinearBernoulli(torch.autograd.Function):
    """The Bernoulli scores of logits W h + b. Their gradient x - s is kept instead of the logits.

    The rows' weights in the loss (those of importance samples differ) are known in the backward pass and scale the
    narrow factor of each product.
    """

    @staticmethod
    def forward(ctx, h, weight, bias, x, dtype, learning):  # type: ignore[no-untyped-def]
        exact = torch.float64 if dtype == torch.float64 else torch.float32
        with torch.autocast(h.device.type, enabled=False):
            states, low = h.detach().to(dtype), weight.detach().to(dtype)

            def logits_of(rows: slice) -> Float[Tensor, "M D"]:
                if dtype == exact and bias is not None:
                    return torch.addmm(bias, states[rows], low.T)
                logits = (states[rows] @ low.T).to(exact)
                return logits if bias is None else logits.add_(bias)

            # needs_input_grad alone does not know about no_grad
            need = learning and any(ctx.needs_input_grad[:3])
            log_prob, residual = score_in_chunks(logits_of, x, exact, dtype if need else None)
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
                dweight = (residual.T @ states.mul(row_weights)).to(ctx.types[1])
            if ctx.needs_input_grad[2]:
                dbias = (row_weights.T @ residual).squeeze(0).to(ctx.types[1])
        return dh, dweight, dbias, None, None, None


class LogitBernoulli(torch.autograd.Function):
    """The Bernoulli scores of logits. Their gradient x - s is kept instead of the logits."""

    @staticmethod
    def forward(ctx, logits, x, learning):  # type: ignore[no-untyped-def]
        exact = torch.float64 if logits.dtype == torch.float64 else torch.float32
        need = learning and ctx.needs_input_grad[0]
        log_prob, residual = score_in_chunks(
            lambda rows: logits[rows].detach().to(exact, copy=True), x, exact, logits.dtype if need else None
        )
        ctx.save_for_backward(residual)
        return log_prob

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        (residual,) = ctx.saved_tensors
        return residual * grad.unsqueeze(1).to(residual.dtype), None, None
