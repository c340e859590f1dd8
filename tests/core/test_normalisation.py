"""Normalised posterior means: the floor of the divergence in closed form, torch's own normalisation, running ones."""

import pytest
import torch
from torch import Tensor, nn

from seqvae.core.normalisation import EPSILON, MOMENTUM, NormalisedMean
from seqvae.core.posterior import DiagonalGaussian

ROWS, HIDDEN, LATENT, SCALE = 7, 5, 3, 0.6


def made(factor: float = 1.0) -> NormalisedMean:
    torch.manual_seed(0)
    net = NormalisedMean(nn.Linear(HIDDEN, LATENT), SCALE).double()
    with torch.no_grad():
        net.weight *= factor
        net.shift.normal_()
    return net


def states(batch: int = 0) -> Tensor:
    return 3 + torch.randn(ROWS, HIDDEN, dtype=torch.float64, generator=torch.Generator().manual_seed(batch))


@pytest.mark.parametrize("factor", [1e-2, 1.0, 1e4])
def test_the_divergence_of_a_batch_has_its_floor_whatever_the_weights(factor: float) -> None:
    net = made(factor)
    mean = net(states(), by_batch=True)
    variance = (states() @ net.weight.T).var(0, correction=0)
    assert torch.allclose(mean.mean(0), net.shift, atol=1e-12)
    assert torch.allclose((mean**2).mean(0), net.shift**2 + SCALE**2 * variance / (variance + EPSILON), rtol=1e-9)
    floor = LATENT * SCALE**2 / 2 * (variance / (variance + EPSILON)).min().item()
    for log_scale in (0.0, -1.5, 0.7):
        kl = DiagonalGaussian(mean, torch.full_like(mean, log_scale)).kl().sum(1).mean().item()
        assert kl >= floor
    with torch.no_grad():  # without shift and at the prior's scale the floor is met
        net.shift.zero_()
        mean = net(states(), by_batch=True)
    kl = DiagonalGaussian(mean, torch.zeros_like(mean)).kl().sum(1).mean().item()
    assert kl == pytest.approx(LATENT * SCALE**2 / 2, rel=1e-2 if factor < 1 else 1e-6)


def test_a_batch_is_normalised_as_torch_does_it_with_the_gradient_through_its_statistics() -> None:
    net, torchs = made(), nn.BatchNorm1d(LATENT, eps=EPSILON).double()
    with torch.no_grad():
        torchs.weight.fill_(SCALE)
        torchs.bias.copy_(net.shift)
    h = states().requires_grad_()
    found, expected = net(h, by_batch=True), torchs(h @ net.weight.T)
    assert torch.allclose(found, expected, atol=1e-12)
    weights = torch.randn(ROWS, LATENT, dtype=torch.float64)
    gradients = [torch.autograd.grad((mean * weights).sum(), (h, net.weight)) for mean in (found, expected)]
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, atol=1e-10)


def test_running_statistics_are_averages_of_the_first_batches_and_then_forget() -> None:
    net = made()
    batches = [states(i) @ net.weight.detach().T for i in range(30)]
    mean, variance = torch.zeros(2, LATENT, dtype=torch.float64)
    for i, x in enumerate(batches):
        net(states(i), by_batch=True)
        share = max(1 / (i + 1), MOMENTUM)
        mean, variance = mean + share * (x.mean(0) - mean), variance + share * (x.var(0) - variance)
        if i == 4:
            assert torch.allclose(net.running_mean, torch.stack(batches[:5]).mean((0, 1)), atol=1e-12)
    assert torch.allclose(net.running_mean, mean, atol=1e-12)
    assert torch.allclose(net.running_variance, variance, atol=1e-12)
    expected = (batches[2] - mean) / (variance + EPSILON).sqrt() * SCALE + net.shift
    assert torch.allclose(net(states(2)), expected, atol=1e-10)
    assert int(net.updates) == 30


def test_what_is_no_training_on_a_batch_leaves_the_running_statistics() -> None:
    net = made()
    net(states(), by_batch=True)
    before = {name: value.clone() for name, value in net.named_buffers()}
    plain = net(states(1))
    with torch.no_grad():
        by_batch = net(states(1), by_batch=True)
    single = net(states(1)[:1], by_batch=True)  # has no deviation of its own
    assert not torch.allclose(by_batch, plain)
    assert torch.allclose(single, plain[:1], rtol=0, atol=1e-14)  # a product of one row may round as it likes
    assert all(torch.equal(value, before[name]) for name, value in net.named_buffers())


def test_under_autocast_like_examples_keep_their_differences() -> None:
    net = made().float()
    h = 100 + 0.01 * states().float()
    exact = net(h, by_batch=True)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(net(h, by_batch=True), exact)
