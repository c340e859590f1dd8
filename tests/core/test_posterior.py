"""The diagonal Gaussian against torch.distributions, and its draws."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from seqvae.core.posterior import DiagonalGaussian, prior_log_prob, scales_of_least_kl
from seqvae.noise import Noise

FEATURES = 3.0 * torch.randn(5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
SCALES = ("exp", "softplus")


def reference(scale: str) -> Normal:
    mean, raw = FEATURES[:, :4], FEATURES[:, 4:]
    return Normal(mean, raw.exp().sqrt() if scale == "exp" else F.softplus(raw))


@pytest.mark.parametrize("scale", SCALES)
def test_features_give_the_mean_and_the_scale_by_their_definitions(scale: str) -> None:
    q = DiagonalGaussian.from_features(FEATURES, scale)
    assert torch.equal(q.mean, reference(scale).mean)
    assert torch.allclose(q.scale, reference(scale).stddev, rtol=1e-12)
    assert torch.allclose(q.log_scale, reference(scale).stddev.log(), atol=1e-12)


@pytest.mark.parametrize("scale", SCALES)
def test_the_divergence_of_each_unit_is_that_of_torch(scale: str) -> None:
    standard = Normal(torch.zeros(5, 4, dtype=torch.float64), torch.ones(5, 4, dtype=torch.float64))
    kl = DiagonalGaussian.from_features(FEATURES, scale).kl()
    assert torch.allclose(kl, kl_divergence(reference(scale), standard), atol=1e-10)
    assert (kl > 0).all()


def test_the_divergence_has_its_value_and_direction() -> None:
    q = DiagonalGaussian(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([[0.0, math.log(3), 0.0]]))
    # KL(p || q) of the second unit would be log 3 - 4/9
    assert q.kl().tolist()[0] == pytest.approx([2.0, 4.0 - math.log(3), 0.0])


def test_the_divergence_keeps_its_precision_near_the_prior() -> None:
    q = DiagonalGaussian(torch.tensor([[1e-3]]), torch.tensor([[1e-3]]))
    assert q.kl().item() == pytest.approx(1.5e-6, rel=2e-2)  # mean^2 / 2 + log_scale^2 in single precision


@pytest.mark.parametrize("scale", SCALES)
def test_the_log_density_is_that_of_torch_summed_over_units(scale: str) -> None:
    z = torch.randn(5, 4, dtype=torch.float64)
    q = DiagonalGaussian.from_features(FEATURES, scale)
    assert torch.allclose(q.log_prob(z), reference(scale).log_prob(z).sum(1), rtol=1e-10)


def test_the_log_density_of_the_prior_is_that_of_torch_summed_over_units() -> None:
    z = torch.randn(5, 4, dtype=torch.float64)
    assert torch.allclose(prior_log_prob(z), Normal(0.0, 1.0).log_prob(z).sum(1))
    assert prior_log_prob(torch.zeros(1, 3)).item() == pytest.approx(-1.5 * math.log(2 * math.pi))


@pytest.mark.parametrize("raw", [-300.0, -90.0, -41.0, -39.0, -20.0, 0.0, 60.0])
def test_the_softplus_scale_neither_underflows_nor_loses_its_gradient(raw: float) -> None:
    features = torch.tensor([[0.0, raw]], requires_grad=True)
    q = DiagonalGaussian.from_features(features, "softplus")
    exact = raw if raw < -30 else math.log(math.log1p(math.exp(raw)))
    assert q.log_scale.item() == pytest.approx(exact, rel=1e-5, abs=1e-6)
    (gradient,) = torch.autograd.grad(q.log_scale.sum(), features)
    slope = 1.0 if raw < -30 else 1 / (1 + math.exp(-raw)) / math.log1p(math.exp(raw))
    assert gradient[0, 1].item() == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize("scale", SCALES)
def test_gradients_of_divergence_and_density_are_those_of_finite_differences(scale: str) -> None:
    z = torch.randn(5, 4, dtype=torch.float64)

    def both(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        q = DiagonalGaussian.from_features(features, scale)
        return q.kl(), q.log_prob(z)

    assert torch.autograd.gradcheck(both, FEATURES.clone().requires_grad_())


def test_draws_of_an_example_stand_next_to_each_other() -> None:
    q = DiagonalGaussian(torch.tensor([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]]), torch.full((3, 2), -9.0))
    z = q.rsample(Noise(0, torch.arange(3)), samples=4)
    expected = [[mean] * 4 for mean in q.mean.tolist()]
    assert (z.unflatten(0, (3, 4)) - torch.tensor(expected)).abs().max() < 0.01


def test_draws_have_the_mean_and_the_scale_of_the_posterior() -> None:
    q = DiagonalGaussian(
        torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=torch.float64),
        torch.tensor([[0.0, 1.0], [-1.0, -3.0]], dtype=torch.float64),
    )
    count = 40_000
    z = q.rsample(Noise(0, torch.arange(2)), samples=count).unflatten(0, (2, count))
    standard = (z - q.mean.unsqueeze(1)) / q.scale.unsqueeze(1)
    # five standard errors of a mean and of a second moment; units and examples are uncorrelated
    assert standard.mean(1).abs().max() < 5 / math.sqrt(count)
    assert ((standard**2).mean(1) - 1).abs().max() < 5 * math.sqrt(2 / count)
    assert (standard[:, :, 0] * standard[:, :, 1]).mean(1).abs().max() < 5 / math.sqrt(count)
    assert (standard[0] * standard[1]).mean(0).abs().max() < 5 / math.sqrt(count)


def test_an_example_draws_the_same_alone_and_the_first_draws_do_not_depend_on_their_number() -> None:
    q = DiagonalGaussian.from_features(FEATURES, "exp")
    noise = Noise(0, torch.arange(5))
    z = q.rsample(noise, 3).unflatten(0, (5, 3))
    alone = DiagonalGaussian(q.mean[2:3], q.log_scale[2:3]).rsample(noise.select(torch.tensor([2])), 3)
    assert torch.equal(alone, z[2])
    assert torch.equal(q.rsample(noise, 1), z[:, 0])


def test_draws_carry_the_gradients_of_mean_and_scale() -> None:
    mean, log_scale = torch.zeros(2, 3, requires_grad=True), torch.full((2, 3), 0.7, requires_grad=True)
    z = DiagonalGaussian(mean, log_scale).rsample(Noise(0, torch.arange(2)))
    dmean, dlog_scale = torch.autograd.grad(z.sum(), (mean, log_scale))
    assert torch.equal(dmean, torch.ones(2, 3))
    assert torch.allclose(dlog_scale, z.detach())  # dz / d log_scale = scale * eps = z - mean


def test_the_mean_log_ratio_of_draws_is_the_divergence() -> None:
    q = DiagonalGaussian(torch.tensor([[0.8, -0.3]], dtype=torch.float64), torch.tensor([[-0.5, 0.2]]).double())
    count = 50_000
    z = q.rsample(Noise(0, torch.tensor([4])), samples=count)
    spread = DiagonalGaussian(q.mean.expand(count, -1), q.log_scale.expand(count, -1))
    ratio = spread.log_prob(z) - prior_log_prob(z)
    assert abs(ratio.mean().item() - q.kl().sum().item()) < 5 * ratio.std().item() / math.sqrt(count)


def test_a_posterior_of_no_units_has_no_divergence_and_density_one() -> None:
    q = DiagonalGaussian(torch.zeros(3, 0), torch.zeros(3, 0))
    z = q.rsample(Noise(0, torch.arange(3)), samples=2)
    assert z.shape == (6, 0)
    assert q.kl().sum(1).tolist() == [0.0] * 3
    assert q.log_prob(z[:3]).tolist() == prior_log_prob(z[:3]).tolist() == [0.0] * 3


LEAST = [1e-3, 0.05, 0.4, 2.0, 60.0]


@pytest.mark.parametrize("least", LEAST)
def test_the_scales_of_a_least_divergence_are_where_a_mean_of_zero_has_just_that(least: float) -> None:
    low, high = scales_of_least_kl(least)
    assert low < 1 < high
    standard = Normal(0.0, 1.0)
    for scale in (high, low) if least < 20 else (high,):  # e^-20 is the least scale of all
        kl = kl_divergence(Normal(0.0, torch.tensor(scale, dtype=torch.float64)), standard)
        assert kl.item() == pytest.approx(least, rel=1e-9)


@pytest.mark.parametrize("least", LEAST)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_unit_has_less_than_the_least_divergence_whatever_the_features(least: float, dtype: torch.dtype) -> None:
    extremes = torch.tensor([0.0, 1e-9, 1.0, 17.0, 40.0, 90.0, 1e4, 1e18])
    ends = torch.cartesian_prod(torch.cat([extremes, -extremes]), torch.cat([extremes, -extremes]))
    features = torch.cat([ends, 6 * torch.randn(4000, 2)]).to(dtype).requires_grad_()
    q = DiagonalGaussian.of_least_kl(features, least)
    kl = kl_divergence(Normal(q.mean.double(), q.scale.double()), Normal(0.0, 1.0)).squeeze(1)
    rounding = {torch.float32: 1e-6, torch.float64: 1e-14}[dtype] * (1 + least)
    assert kl.min() >= least - rounding
    at_zero = features[:, 0] <= 0
    assert (kl[at_zero] - least).abs().max() < 2 * rounding + 1e-12  # 1e-12 keeps the square root off 0
    assert (kl[features[:, 0] > 0.1] > least).all()
    low, high = scales_of_least_kl(least)
    assert low <= q.scale.min() * (1 + rounding)
    assert q.scale.max() <= high * (1 + rounding)
    finite = features.detach().abs().amax(1) < 1e17  # above, the square of the mean is no float
    (gradient,) = torch.autograd.grad(q.kl()[finite].sum() + q.mean[finite].sum() + q.scale[finite].sum(), features)
    assert gradient.isfinite().all()


def test_the_slopes_of_a_posterior_with_a_least_divergence_are_those_of_finite_differences() -> None:
    features = FEATURES.clone().requires_grad_()

    def both(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        q = DiagonalGaussian.of_least_kl(features, 0.4)
        return q.mean, q.log_scale

    assert torch.autograd.gradcheck(both, features)
