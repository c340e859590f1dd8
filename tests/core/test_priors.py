"""Densities over codes against torch.distributions, against integrals, and against the Jacobians of their draws."""

import math

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal, Normal
from torch.func import jacrev

from seqvae.core.posterior import prior_log_prob
from seqvae.core.priors import Flow, Mixture, Prior, StandardNormal, of_tensors, sizes_of, tensors_of
from seqvae.noise import Noise

WEIGHTS = torch.tensor([0.7, 0.3], dtype=torch.float64)
MEANS = torch.tensor([[0.5, -1.0], [-2.0, 1.0]], dtype=torch.float64)
FACTORS = torch.tensor([[[0.6, 0.0], [0.4, 0.9]], [[1.1, 0.0], [-0.3, 0.5]]], dtype=torch.float64)


def mixture() -> Mixture:
    return Mixture(WEIGHTS.log(), MEANS, FACTORS)


def flow() -> Flow:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Flow(MEANS[0], FACTORS[0], transforms=3, hidden=5).double()


PRIORS = {"standard": lambda: StandardNormal(2), "mixture": mixture, "flow": flow}


@pytest.mark.parametrize("kind", PRIORS)
def test_each_is_a_prior_of_its_kind_and_size(kind: str) -> None:
    prior = PRIORS[kind]()
    assert isinstance(prior, Prior)
    assert (prior.kind, prior.latent) == (kind, 2)


def test_a_mixture_of_one_is_a_gaussian() -> None:
    assert Mixture(WEIGHTS[:1].log(), MEANS[:1], FACTORS[:1]).kind == "gaussian"


def test_the_log_density_of_a_mixture_is_that_of_torch() -> None:
    z = 2.0 * torch.randn(7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    reference = MixtureSameFamily(Categorical(WEIGHTS), MultivariateNormal(MEANS, scale_tril=FACTORS))
    assert torch.allclose(mixture().log_prob(z), reference.log_prob(z), atol=1e-12)


def test_the_log_density_of_a_mixture_does_not_depend_on_how_many_codes_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    z = torch.randn(7, 2, dtype=torch.float64)
    whole = mixture().log_prob(z)
    monkeypatch.setattr("seqvae.core.priors._VALUES_PER_CHUNK", 8)  # two codes at once
    assert torch.equal(mixture().log_prob(z), whole)
    assert mixture().log_prob(z[:0]).shape == (0,)


@pytest.mark.parametrize("kind", PRIORS)
def test_a_density_sums_to_one(kind: str) -> None:
    width, places = 24.0, 481
    line = torch.linspace(-width / 2, width / 2, places, dtype=torch.float64)
    grid = torch.cartesian_prod(line, line)
    with torch.no_grad():
        total = PRIORS[kind]().log_prob(grid).exp().sum() * (width / (places - 1)) ** 2
    assert float(total) == pytest.approx(1.0, abs=1e-3)


def test_the_codes_of_a_flow_have_the_density_that_it_says() -> None:
    """log p(z) = log N(e) - log |det dz/de|, with the Jacobian by automatic differentiation."""
    prior, noise = flow(), Noise(3, torch.arange(6))
    standard = noise.normal("prior", 2)

    def made(e: torch.Tensor) -> torch.Tensor:
        z: torch.Tensor = prior.mean + prior.flow().transform.inv(e[None])[0] @ prior.factor.T
        return z

    log_scales = torch.stack([torch.linalg.slogdet(jacrev(made)(e)).logabsdet for e in standard])
    assert torch.allclose(prior.log_prob(prior.codes(noise)), prior_log_prob(standard) - log_scales, atol=1e-9)


def share_below(x: float) -> float:
    """Of the first unit of the mixture: the share of the density below x."""
    scales = FACTORS[:, 0].norm(dim=1)
    return float((WEIGHTS * Normal(MEANS[:, 0], scales).cdf(torch.tensor(x))).sum())


def test_codes_of_a_mixture_have_its_weights_means_and_covariances() -> None:
    codes = mixture().codes(Noise(0, torch.arange(20_000)))
    mean = WEIGHTS @ MEANS
    second = sum(w * (f @ f.T + torch.outer(m, m)) for w, f, m in zip(WEIGHTS, FACTORS, MEANS, strict=True))
    covariance = second - torch.outer(mean, mean)
    # four standard errors of means and, roughly, of covariances
    assert torch.allclose(codes.mean(0), mean, atol=4 * float(covariance.diagonal().max()) ** 0.5 / math.sqrt(20_000))
    assert torch.allclose(codes.T.cov(), covariance, atol=4 * 2.0 * float(covariance.max()) / math.sqrt(20_000))
    assert float((codes[:, 0] < -1.2).double().mean()) == pytest.approx(share_below(-1.2), abs=4 * 0.5 / 20_000**0.5)


@pytest.mark.parametrize("kind", PRIORS)
def test_a_code_depends_on_its_own_example_alone(kind: str) -> None:
    prior = PRIORS[kind]()
    together, alone = prior.codes(Noise(5, torch.arange(9))), prior.codes(Noise(5, torch.tensor([4])))
    assert torch.allclose(together[4:5], alone, atol=1e-12)
    assert not torch.allclose(together[3:4], alone, atol=1e-3)


def test_standard_codes_are_the_noise_itself() -> None:
    noise = Noise(2, torch.arange(3))
    assert torch.equal(StandardNormal(4).codes(noise), noise.normal("prior", 4))
    z = torch.randn(5, 2, dtype=torch.float64)
    assert torch.allclose(StandardNormal(2).log_prob(z), Normal(0.0, 1.0).log_prob(z).sum(1))


@pytest.mark.parametrize("kind", ["mixture", "flow"])
def test_tensors_and_sizes_give_the_same_prior_again(kind: str) -> None:
    prior = PRIORS[kind]()
    again, z = of_tensors(tensors_of(prior), sizes_of(prior)), torch.randn(5, 2, dtype=torch.float64)
    assert again.kind == kind
    assert torch.equal(again.log_prob(z), prior.log_prob(z))
    assert torch.equal(again.codes(Noise(1, torch.arange(3))), prior.codes(Noise(1, torch.arange(3))))


def test_of_the_standard_normal_nothing_is_to_be_kept() -> None:
    with pytest.raises(ValueError, match="a standard prior has nothing to keep"):
        tensors_of(StandardNormal(2))
