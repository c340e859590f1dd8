"""The importance-weighted bound as an objective, on a linear-Gaussian model whose evidence is known."""

import math

import pytest
import torch
from torch import Tensor

from seqvae.core.importance import Draws, weighted_bound
from seqvae.core.objectives import importance_weighted_bound
from seqvae.core.vae import VAE
from seqvae.noise import Noise
from seqvae.types import Batch
from tests.evaluation.models import FEATURES, linear_gaussian_evidence, linear_gaussian_vae, real_valued_batch

CHUNKS, COPIES = 40, 500  # independent estimates, each the mean over so many copies of every datum
ESTIMATORS = {
    "all draws": Draws(4),
    "doubly": Draws(4, doubly_reparameterized=True),
    "kept": Draws(4, kept=1.5),
    "kept, doubly": Draws(4, doubly_reparameterized=True, kept=1.5),
}


def wrong_vae() -> VAE:
    """A linear-Gaussian VAE with a posterior that is not the true one."""
    torch.manual_seed(0)
    vae = linear_gaussian_vae()
    with torch.no_grad():
        vae.to_mean.bias.add_(torch.tensor([0.3, -0.2, 0.4]))
        vae.to_scale.bias.add_(torch.tensor([0.8, 0.5, -0.3]))
    return vae


def data(copies: int = 1, first_key: int = 0) -> Batch:
    """Three data, each so many times, all with keys of their own."""
    x = torch.randn(3, FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 1.5
    return real_valued_batch(x.repeat_interleave(copies, 0), torch.arange(first_key, first_key + 3 * copies))


def gradients(vae: VAE, draws: Draws) -> Tensor:
    """(CHUNKS, P): estimates of the gradient of the bound with independent noise."""
    estimates = []
    for chunk in range(CHUNKS):
        batch = data(COPIES, first_key=chunk * 3 * COPIES)
        vae.zero_grad()
        vae(batch, Noise(0, batch.keys), draws=draws).bound.mean().backward()
        estimates.append(torch.cat([parameter.grad.flatten() for parameter in vae.parameters()]))
    return torch.stack(estimates)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_value_is_the_bound_whatever_estimates_its_gradient(name: str) -> None:
    vae, batch = wrong_vae(), data()
    noise = Noise(0, batch.keys)
    expected = importance_weighted_bound(vae.log_weights(batch, noise, 4))
    bound = vae(batch, noise, draws=ESTIMATORS[name]).bound
    assert torch.allclose(bound, expected, atol=1e-12)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_with_the_true_posterior_the_bound_is_the_evidence_for_any_noise(name: str) -> None:
    vae, batch = linear_gaussian_vae(), data(2)
    bound = vae(batch, Noise(3, batch.keys), draws=ESTIMATORS[name]).bound
    assert torch.allclose(bound, linear_gaussian_evidence(vae, batch.x.squeeze(1)), atol=1e-10)


def test_with_one_draw_it_is_the_elbo() -> None:
    vae, batch = wrong_vae(), data(4000)
    noise = Noise(0, batch.keys)
    q = vae.posterior(batch)
    bound, log_px, z = weighted_bound(vae.decoder.log_prob, vae.log_prior, batch, q, noise, None, Draws(1))
    terms = vae(batch, noise)
    assert torch.allclose(log_px, terms.log_px)
    assert torch.equal(z, terms.z)
    difference = (bound - (terms.log_px - terms.kl.sum(1))).detach()  # the KL of one draw for the closed form
    assert difference.std() > 0.1
    assert abs(float(difference.mean())) < 5 * float(difference.std()) / math.sqrt(len(difference))


def test_it_rises_with_the_draws_towards_the_evidence() -> None:
    vae, batch = wrong_vae(), data(2000)
    with torch.no_grad():
        bounds = [float(vae(batch, Noise(0, batch.keys), draws=Draws(k)).bound.mean()) for k in (2, 5, 20, 80)]
        elbo = vae(batch, Noise(0, batch.keys))
    evidence = float(linear_gaussian_evidence(vae, batch.x.squeeze(1)).mean())
    values = [float((elbo.log_px - elbo.kl.sum(1)).mean()), *bounds, evidence]
    assert values == sorted(values)
    assert evidence - values[-2] < 0.05 * (evidence - values[0])


def test_all_draws_give_the_gradient_of_the_bound_itself() -> None:
    vae, batch = wrong_vae(), data()
    noise, parameters = Noise(0, batch.keys), list(vae.parameters())
    mine = torch.autograd.grad(vae(batch, noise, draws=Draws(4)).bound.sum(), parameters)
    exact = torch.autograd.grad(importance_weighted_bound(vae.log_weights(batch, noise, 4)).sum(), parameters)
    for one, other in zip(mine, exact, strict=True):
        assert torch.allclose(one, other, atol=1e-10)


@pytest.mark.parametrize("beta", [1.0, 0.4])
@pytest.mark.parametrize("name", ["doubly", "kept", "kept, doubly"])
def test_the_estimators_agree_on_average(name: str, beta: float) -> None:
    vae = wrong_vae()
    other = Draws(4, beta, ESTIMATORS[name].doubly_reparameterized, ESTIMATORS[name].kept)
    a, b = gradients(vae, Draws(4, beta)), gradients(vae, other)
    assert not torch.allclose(a[0], b[0])
    error = ((a.var(0) + b.var(0)) / CHUNKS).sqrt()  # they share their noise, so this is more than the error
    assert ((a.mean(0) - b.mean(0)).abs() < 5 * error + 1e-9).all()
    assert (a.mean(0).abs() > 10 * error).any()


@pytest.mark.parametrize("kept", [0.0, 1.5])
def test_each_draw_has_dropout_masks_of_its_own_in_both_passes(kept: float) -> None:
    vae, batch = wrong_vae(), data(5)
    noise, seen = Noise(0, batch.keys), []

    def log_prob(z: Tensor, copies: Batch, masks: Noise | None) -> Tensor:
        assert masks is not None
        seen.append((copies.keys.tolist(), masks.keys.tolist()))
        return vae.decoder.log_prob(z, copies)

    weighted_bound(log_prob, vae.log_prior, batch, vae.posterior(batch), noise, noise, Draws(4, kept=kept))
    keys, masks = seen[0]
    assert keys == batch.keys.repeat_interleave(4).tolist()
    assert masks == noise.repeat(4).keys.tolist()
    assert len(set(masks)) == 60, "no two draws share their masks"
    assert len(seen) == (2 if kept else 1)
    if kept:  # the second pass is over some of the draws, which keep their masks
        assert 15 <= len(seen[1][0]) < 60
        assert set(zip(*seen[1], strict=True)) < set(zip(*seen[0], strict=True))


def test_fewer_draws_are_kept_than_made_and_the_heavy_ones_always() -> None:
    from seqvae.core.importance import _chosen

    shares = torch.tensor([[0.7, 0.1, 0.1, 0.05, 0.05]], dtype=torch.float64).repeat(3000, 1)
    probabilities = (2.0 * shares).clamp(max=1.0)
    places = _chosen(probabilities, Noise(0, torch.arange(3000)))
    counts = torch.bincount(places % 5, minlength=5) / 3000
    assert counts[0] == 1.0
    assert torch.allclose(counts.double(), probabilities[0], atol=0.04)
    per_example = torch.bincount(places // 5, minlength=3000)
    assert set(per_example.tolist()) == {1, 2}  # 1.6 on average
