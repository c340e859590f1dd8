"""Bernoulli scores of grey levels with their own backward pass, against torch's binary cross-entropy."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqvae.nets import cross_entropy
from seqvae.nets.cross_entropy import FACTORS, LinearBernoulli, LogitBernoulli
from seqvae.nets.pixels import BernoulliPixels

ROWS, HIDDEN = 11, 5
widths = pytest.mark.parametrize("width", [1, FACTORS - 1, FACTORS, 2 * FACTORS + 3])


def layer(width: int, bias: bool = True) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(HIDDEN, width, bias=bias).double()


def states(rows: int = ROWS) -> Tensor:
    return torch.randn(rows, HIDDEN, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def greys(width: int, rows: int = ROWS) -> Tensor:
    x = torch.randint(-100, 356, (rows, width), generator=torch.Generator().manual_seed(2))
    return x.clamp(0, 255).to(torch.uint8)


def torchs(logits: Tensor, x: Tensor) -> Tensor:
    return -F.binary_cross_entropy_with_logits(logits, x.to(logits.dtype) / 255, reduction="none").sum(1)


def scores(h: Tensor, linear: nn.Linear, x: Tensor) -> Tensor:
    return LinearBernoulli.apply(h, linear.weight, linear.bias, x, h.dtype, True)


@widths
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("chunk", [1024, 4])
def test_scores_and_gradients_are_torchs(width: int, bias: bool, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_entropy, "CHUNK_ROWS", chunk)
    linear, h, x = layer(width, bias), states().requires_grad_(), greys(width)
    row_weights = torch.rand(ROWS, dtype=torch.float64)  # those of importance samples differ
    inputs = [h, *linear.parameters()]
    expected, found = torchs(linear(h), x), scores(h, linear, x)
    assert torch.allclose(found, expected, atol=1e-12)
    pairs = zip(
        torch.autograd.grad((found * row_weights).sum(), inputs),
        torch.autograd.grad((expected * row_weights).sum(), inputs),
        strict=True,
    )
    for own, other in pairs:
        assert torch.allclose(own, other, atol=1e-12)


@widths
def test_scores_of_given_logits_are_torchs(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_entropy, "CHUNK_ROWS", 4)
    logits, x = (3 * layer(width)(states())).detach().requires_grad_(), greys(width)
    row_weights = torch.rand(ROWS, dtype=torch.float64)
    before = logits.detach().clone()
    found, expected = LogitBernoulli.apply(logits, x, True), torchs(logits, x)
    assert torch.allclose(found, expected, atol=1e-12)
    (own,) = torch.autograd.grad((found * row_weights).sum(), logits)
    (other,) = torch.autograd.grad((expected * row_weights).sum(), logits)
    assert torch.allclose(own, other, atol=1e-12)
    assert torch.equal(logits, before)  # what is overwritten is a copy


def test_gradients_are_those_of_finite_differences() -> None:
    linear, h, x = layer(7), states(3).requires_grad_(), greys(7, 3)
    assert torch.autograd.gradcheck(
        lambda h, weight, bias: LinearBernoulli.apply(h, weight, bias, x, torch.float64, True),
        (h, linear.weight, linear.bias),
    )


def test_only_the_gradients_that_are_wanted_are_computed() -> None:
    linear, h, x = layer(7).requires_grad_(False), states().requires_grad_(), greys(7)
    scores(h, linear, x).sum().backward()
    assert h.grad is not None
    assert linear.weight.grad is None
    assert linear.bias.grad is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scores_hold_for_logits_that_overflow_an_exponential(dtype: torch.dtype) -> None:
    logits = torch.tensor([[-800.0, 800.0, -800.0, 800.0, 400.0]], dtype=dtype, requires_grad=True)
    x = torch.tensor([[255, 0, 0, 255, 51]], dtype=torch.uint8)
    score = LogitBernoulli.apply(logits, x, True)
    score.backward()
    assert score.item() == pytest.approx(-800 - 800 - 400 * 0.8, rel=1e-6)
    assert logits.grad.flatten().tolist() == pytest.approx([1.0, -1.0, 0.0, 0.0, -0.8])


def test_a_wide_image_keeps_single_precision() -> None:
    logits = 4 * torch.randn(3, 4096)
    expected = torchs(logits.double(), greys(4096, 3))
    assert torch.allclose(LogitBernoulli.apply(logits, greys(4096, 3), False).double(), expected, rtol=1e-6)


def test_nothing_is_kept_for_a_backward_pass_that_cannot_come(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    score = cross_entropy.score_in_chunks

    def watched(logits_of, x, exact, residual_dtype):  # type: ignore[no-untyped-def]
        kept.append(residual_dtype)
        return score(logits_of, x, exact, residual_dtype)

    monkeypatch.setattr(cross_entropy, "score_in_chunks", watched)
    likelihood, x = BernoulliPixels(layer(12), (3, 4, 1)), greys(12).unflatten(1, (3, 4, 1))
    with torch.no_grad():
        without = likelihood.log_prob(states(), x)
    with torch.autocast("cpu", torch.bfloat16):
        likelihood.float().log_prob(states().float(), x)
    assert kept == [None, torch.bfloat16]
    assert not without.requires_grad


def test_autocast_multiplies_in_16_bits_and_adds_in_32() -> None:
    torch.manual_seed(0)
    linear, h, x = nn.Linear(64, 300), torch.randn(40, 64, requires_grad=True), greys(300, 40)
    likelihood, x = BernoulliPixels(linear, (20, 15, 1)), x.unflatten(1, (20, 15, 1))
    row_weights = torch.rand(40)
    with torch.autocast("cpu", torch.bfloat16):
        cast = likelihood.log_prob(h, x)
    assert cast.dtype == torch.float32
    inputs = [h, linear.weight, linear.bias]
    exact = likelihood.log_prob(h, x)
    assert torch.allclose(cast, exact, rtol=2e-3)
    for own, other in zip(
        torch.autograd.grad((cast * row_weights).sum(), inputs),
        torch.autograd.grad((exact * row_weights).sum(), inputs),
        strict=True,
    ):
        assert own.dtype == torch.float32
        assert (own - other).norm() <= 0.01 * other.norm()


def test_no_rows_have_no_scores() -> None:
    assert scores(states(0), layer(7), greys(7, 0)).shape == (0,)
