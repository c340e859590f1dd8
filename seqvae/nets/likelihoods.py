"""The distribution of one step: hidden state to a normalised density, in nats.

A likelihood owns its output projection, so that projection and cross-entropy are computed together and the logits of
all steps never exist at once.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int, Integer, Shaped
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from seqvae.nets.draws import Choice, drawn, most_probable
from seqvae.noise import Noise

CHUNK_ROWS = 1024  # rows of logits that exist at once; around this number the matrix products run fastest on a CPU
SLICE_BYTES = 2**20  # of logits whose exponentials a thread forms at once: they stay in its cache


@runtime_checkable
class Likelihood(Protocol):
    """What a decoder asks of the distribution of one step x, which may be of any number type and shape."""

    def log_prob(self, h: Float[Tensor, "N H"], x: Shaped[Tensor, "N ..."]) -> Float[Tensor, " N"]:
        """log p(x|h) in nats of each row, normalised over all x."""
        ...

    def mode(self, h: Float[Tensor, "N H"]) -> Shaped[Tensor, "N ..."]:
        """The most probable outcome of each row."""
        ...

    def draw(self, h: Float[Tensor, "N H"], noise: Noise, choice: Choice) -> Shaped[Tensor, "N ..."]:
        """One outcome of each row, chosen as `choice` says."""
        ...


def has_perplexity(decoder: object) -> bool:
    """Whether a decoder has steps whose nats are those of a distribution; those of squared errors have no perplexity.

    A likelihood that is none says so by `is_density = False`.
    """
    return bool(getattr(decoder, "has_steps", False)) and getattr(
        getattr(decoder, "likelihood", None), "is_density", True
    )


@runtime_checkable
class Listed(Protocol):
    """A likelihood whose outcomes can be listed: steps are integers below V."""

    def best(self, h: Float[Tensor, "N H"], count: int) -> tuple[Float[Tensor, "N K"], Int[Tensor, "N K"]]:
        """log p in nats of the most probable outcomes of each row, the best first, and these; K = count, or V."""
        ...


@runtime_checkable
class Holding(Protocol):
    """A likelihood of steps of which a part may be known, such as the hits of drums."""

    def holding(self, x: Shaped[Tensor, "N ..."]) -> Likelihood:
        """The likelihood of a step of each row whose known part is that of x: of what is left, given that part."""
        ...


class Categorical(nn.Module):
    """One of `outcomes` exclusive outcomes: softmax of a linear layer.

    `features` (V, C) says what the outcomes have in common: outcome v then has the weights w_v + sum_c features_vc s_c
    with one s_c for each feature. The outcomes' own weights w_v start at zero, so that what was seldom met in
    training is as probable as its features say.
    """

    features: Float[Tensor, "V C"] | None

    def __init__(
        self, hidden: int, outcomes: int, bias: bool = True, features: Float[Tensor, "V C"] | None = None
    ) -> None:
        super().__init__()
        self.projection = nn.Linear(hidden, outcomes, bias=bias)
        self.register_buffer("features", features, persistent=False)
        self.shared = None if features is None else nn.Linear(hidden, features.shape[1], bias=bias)
        if features is not None:
            for parameter in self.projection.parameters():
                nn.init.zeros_(parameter)

    @property
    def outcomes(self) -> int:
        """The number of outcomes V."""
        return self.projection.out_features

    def weights(self) -> tuple[Float[Tensor, "V H"], Float[Tensor, " V"] | None]:
        """The weight and bias of each outcome, that of its features included."""
        weight, bias = self.projection.weight, self.projection.bias
        if self.shared is None or self.features is None:
            return weight, bias
        weight = torch.addmm(weight, self.features, self.shared.weight)
        return weight, None if bias is None else torch.addmv(bias, self.features, self.shared.bias)

    def log_prob(self, h: Float[Tensor, "N H"], x: Int[Tensor, " N"]) -> Float[Tensor, " N"]:
        """log p(x|h) in nats of each row, in chunks of rows."""
        with torch.autocast(h.device.type, enabled=False):
            weight, bias = self.weights()
        log_prob: Tensor = _LinearCrossEntropy.apply(h, weight, bias, x, product_dtype(h), torch.is_grad_enabled())
        return log_prob

    def scores(self, h: Float[Tensor, "N H"]) -> Float[Tensor, "N V"]:
        """log p of every outcome, in nats."""
        return at_least_single(self._logits(h)).log_softmax(-1)

    def best(self, h: Float[Tensor, "N H"], count: int) -> tuple[Float[Tensor, "N K"], Int[Tensor, "N K"]]:
        """log p in nats of the most probable outcomes of each row, the best first, and these; K = count, or V."""
        count = min(count, self.outcomes)
        parts = [most_probable(at_least_single(self._logits(rows)), count) for rows in h.split(CHUNK_ROWS)]
        scores, outcomes = zip(*parts, strict=True)
        return torch.cat(scores), torch.cat(outcomes)

    def mode(self, h: Float[Tensor, "N H"]) -> Int[Tensor, " N"]:
        """The most probable outcome of each row, in chunks of rows."""
        return torch.cat([self._logits(rows).argmax(-1) for rows in h.split(CHUNK_ROWS)])

    def draw(self, h: Float[Tensor, "N H"], noise: Noise, choice: Choice) -> Int[Tensor, " N"]:
        """One outcome of each row, as `seqvae.nets.draws` finds it."""
        if choice.greedy:
            return self.mode(h)
        return drawn(at_least_single(self._logits(h)), noise, choice)

    def _logits(self, h: Float[Tensor, "N H"]) -> Float[Tensor, "N V"]:
        logits: Tensor = self.projection(h)
        if self.shared is None or self.features is None:
            return logits
        return logits + self.shared(h) @ self.features.T  # of a few rows; cheaper than all the outcomes' weights


class Bernoulli(nn.Module):
    """`classes` independent events, each 0 or 1: sigmoid of a linear layer.

    log p(x|h) = sum_c x_c log s_c + (1 - x_c) log(1 - s_c). A temperature divides the logits, which is the same as
    dividing the logarithm of the joint distribution. The joint outcomes are too many to be listed, so there is no
    top-k and no nucleus.
    """

    def __init__(self, hidden: int, classes: int, bias: bool = True) -> None:
        super().__init__()
        self.projection = nn.Linear(hidden, classes, bias=bias)

    @property
    def classes(self) -> int:
        """The number of events C of a step."""
        return self.projection.out_features

    def log_prob(self, h: Float[Tensor, "N H"], x: Integer[Tensor, "N C"]) -> Float[Tensor, " N"]:
        """log p(x|h) in nats of each row: the sum over classes."""
        logits = at_least_single(self.projection(h))
        return -F.binary_cross_entropy_with_logits(logits, x.to(logits.dtype), reduction="none").sum(-1)

    def mode(self, h: Float[Tensor, "N H"]) -> Int[Tensor, "N C"]:
        """The most probable outcome of each row: 1 where that is more probable than 0."""
        return (self.projection(h) > 0).long()

    def draw(self, h: Float[Tensor, "N H"], noise: Noise, choice: Choice) -> Int[Tensor, "N C"]:
        """One outcome of each row; one random number a class.

        Raises ValueError for a top-k other than 1 (greedy) and for a nucleus, which need listed outcomes.
        """
        if choice.greedy:
            return self.mode(h)
        refuse_lists(choice, f"{self.classes} independent classes")
        share = noise.uniform("draw", self.classes)  # float64, maybe on the CPU
        probability = (at_least_single(self.projection(h)).to(share) / choice.temperature).sigmoid()
        return (share < probability).long().to(h.device)


def product_dtype(x: Float[Tensor, "*any"]) -> torch.dtype:
    """The type that matrix products with x are computed in: autocast's where it is on, else that of x."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def at_least_single(logits: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Logits of at least single precision."""
    return logits if logits.dtype == torch.float64 else logits.float()


def refuse_lists(choice: Choice, steps: str) -> None:
    """Raises ValueError for a choice among listed outcomes of steps that have none."""
    if choice.top_k or choice.top_p < 1.0:
        raise ValueError(
            f"top_k={choice.top_k}, top_p={choice.top_p} is not possible with {steps}, "
            "whose joint outcomes are not listed; leave both out, or lower the temperature"
        )


# of h, weight and bias
Gradients = tuple[Float[Tensor, "N H"] | None, Float[Tensor, "V H"] | None, Float[Tensor, " V"] | None]


class _LinearCrossEntropy(torch.autograd.Function):
    """log softmax(h W' + b)[x] with the gradient formed while the chunk's logits exist.

    In training every row has the same weight in the loss, so the gradient for a weight of one, formed in the forward
    pass, only has to be scaled. Where the rows' weights differ (the importance-weighted bound), the backward pass
    computes the chunks again.
    """

    @staticmethod
    def forward(ctx, h, weight, bias, x, dtype, learning):  # type: ignore[no-untyped-def]
        need = learning and any(ctx.needs_input_grad[:3])  # needs_input_grad alone does not know about no_grad
        log_prob, gradients = cross_entropy_in_chunks(h.detach(), weight, bias, x, dtype, None, need)
        ctx.dtype = dtype
        ctx.gradients = gradients  # for the first pass back alone, which scales them where they are
        ctx.save_for_backward(h, weight, bias, x)
        return log_prob

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        h, weight, bias, x = ctx.saved_tensors
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is not None and grad.numel() and bool((grad == grad[0]).all()):
            found = tuple(None if one is None else one.mul_(grad[0]) for one in gradients)
        else:
            found = cross_entropy_in_chunks(h, weight, bias, x, ctx.dtype, grad, True)[1]
        return *found, None, None, None


def cross_entropy_in_chunks(
    h: Float[Tensor, "N H"],
    weight: Float[Tensor, "V H"],
    bias: Float[Tensor, " V"] | None,
    x: Int[Tensor, " N"],
    dtype: torch.dtype,
    grad: Float[Tensor, " N"] | None,
    need_gradients: bool,
) -> tuple[Float[Tensor, " N"], Gradients]:
    """Log-probabilities in nats, and the gradients of sum(grad * log_prob); grad None stands for ones.

    On a CPU products are formed for many rows and exponentials for some of them, which stay in the cache. The chunks
    share their memory: the system takes as long to hand out and clear so much anew as the exponentials take.
    """
    accumulator = torch.float64 if h.dtype == torch.float64 else torch.float32
    log_prob = torch.empty(h.shape[0], dtype=accumulator, device=h.device)
    dh = torch.empty_like(h) if need_gradients else None
    dweight: Tensor | None = None
    dbias = torch.zeros_like(bias) if need_gradients and bias is not None else None
    low, states = weight.detach().to(dtype), h.detach().to(dtype)
    products = torch.empty(min(CHUNK_ROWS, h.shape[0]), weight.shape[0], dtype=dtype, device=h.device)
    few = max(1, torch.get_num_threads() * SLICE_BYTES // (weight.shape[0] * accumulator.itemsize))
    few = few if h.device.type == "cpu" else len(products)
    exact = torch.empty(min(few, len(products)), weight.shape[0], dtype=accumulator, device=h.device)
    with torch.autocast(h.device.type, enabled=False):
        for first in range(0, h.shape[0], CHUNK_ROWS):
            rows = slice(first, first + CHUNK_ROWS)
            logits = torch.mm(states[rows], low.T, out=products[: len(states[rows])])
            for start in range(0, len(logits), few):
                own, beside = logits[start : start + few], slice(first + start, min(first + start + few, rows.stop))
                targets = x[beside].unsqueeze(1)
                scores = own if dtype == accumulator else exact[: len(own)].copy_(own)
                if bias is not None:
                    scores += bias
                chosen = scores.gather(1, targets)
                peak = scores.amax(1, keepdim=True)
                exponentials = scores.sub_(peak).exp_()
                total = exponentials.sum(1, keepdim=True)
                log_prob[beside] = (chosen - peak - total.log()).squeeze(1)
                if not need_gradients:
                    continue
                scale = torch.ones_like(total) if grad is None else grad[beside].unsqueeze(1).to(accumulator)
                dlogits = exponentials.mul_(-scale / total).scatter_add_(1, targets, scale)  # scale (onehot - softmax)
                if dbias is not None:
                    dbias += dlogits.sum(0)
                if dtype != accumulator:
                    own.copy_(dlogits)
            if dh is None:
                continue
            dh[rows] = (logits @ low).to(dh.dtype)
            if dweight is None:  # the first one is not added to zeros, which would be a pass more over so many
                dweight = (logits.T @ states[rows]).to(weight.dtype)
            elif dtype == dweight.dtype:
                dweight.addmm_(logits.T, states[rows])
            else:
                dweight += logits.T @ states[rows]
    if need_gradients and dweight is None:
        dweight = torch.zeros_like(weight)
    return log_prob, (dh, dweight, dbias)
