"""The VAE: a linear-Gaussian model that is solved exactly, and the way its parts are put together."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, Normal

from seqvae.core.objectives import importance_weighted_bound, negative_elbo
from seqvae.core.posterior import DiagonalGaussian
from seqvae.core.vae import VAE, Decoder, Encoder
from seqvae.nets.likelihoods import Categorical
from seqvae.noise import Noise
from seqvae.types import Batch
from tests.nets.made import lstm_decoder, lstm_encoder

DATA, LATENT, SPREAD = 4, 2, 0.5
# orthogonal columns, so that the true posterior is diagonal
LOADINGS = torch.tensor([[0.6, 0.8], [-0.6, 0.8], [0.3, 0.0], [0.0, 0.5]], dtype=torch.float64)
OFFSET = torch.tensor([0.5, -1.0, 2.0, 0.0], dtype=torch.float64)


class Flat(nn.Module):
    """An encoder that hands on its input of one step."""

    features = DATA

    def forward(self, batch: Batch, noise: Noise | None = None) -> Tensor:
        return batch.x.squeeze(1)


class Linear(nn.Module):
    """x = LOADINGS z + OFFSET and Gaussian noise of standard deviation SPREAD."""

    has_steps, latent = False, LATENT

    def step_log_prob(self, z: Tensor, batch: Batch, noise: Noise | None = None, sampling: float = 0.0) -> Tensor:
        return Normal(z @ LOADINGS.T + OFFSET, SPREAD).log_prob(batch.x.squeeze(1)).sum(1, keepdim=True)

    def log_prob(self, z: Tensor, batch: Batch, noise: Noise | None = None, sampling: float = 0.0) -> Tensor:
        return self.step_log_prob(z, batch, noise).sum(1)


def linear_gaussian() -> tuple[VAE, Batch]:
    """A VAE with the exact posterior of a linear-Gaussian model, and five data."""
    vae = VAE(Flat(), Linear()).double()
    precision = 1 + (LOADINGS**2).sum(0) / SPREAD**2  # (Z,)
    weight = LOADINGS.T / SPREAD**2 / precision.unsqueeze(1)
    with torch.no_grad():
        vae.to_mean.weight.copy_(weight)
        vae.to_mean.bias.copy_(-weight @ OFFSET)
        vae.to_scale.weight.zero_()
        vae.to_scale.bias.copy_(-precision.log())
    x = torch.randn(5, 1, DATA, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 1.5
    return vae, Batch(x=x, lengths=torch.ones(5, dtype=torch.int64), keys=torch.arange(70, 75))


def evidence(batch: Batch) -> Tensor:
    """log p(x) of each datum, in closed form."""
    covariance = LOADINGS @ LOADINGS.T + SPREAD**2 * torch.eye(DATA, dtype=torch.float64)
    return MultivariateNormal(OFFSET, covariance).log_prob(batch.x.squeeze(1))


def test_with_the_true_posterior_every_importance_weight_is_the_evidence() -> None:
    vae, batch = linear_gaussian()
    log_weights = vae.log_weights(batch, Noise(0, batch.keys), samples=3)
    assert torch.allclose(log_weights, evidence(batch).unsqueeze(1).expand(-1, 3), atol=1e-10)
    assert torch.allclose(importance_weighted_bound(log_weights), evidence(batch), atol=1e-10)


def test_with_the_true_posterior_the_mean_bound_is_the_evidence() -> None:
    vae, batch = linear_gaussian()
    terms = vae(batch.repeat(4000), Noise(0, batch.keys).repeat(4000))
    bound = (terms.log_px - terms.kl.sum(1)).detach().unflatten(0, (5, 4000))
    assert ((bound.mean(1) - evidence(batch)).abs() < 5 * bound.std(1) / math.sqrt(4000)).all()


def test_with_a_wrong_posterior_the_bound_rises_with_the_samples_towards_the_evidence() -> None:
    vae, batch = linear_gaussian()
    with torch.no_grad():
        vae.to_mean.bias.add_(torch.tensor([0.3, -0.2]))
        vae.to_scale.bias.add_(torch.tensor([0.8, 0.5]))
    exact = evidence(batch)
    log_weights = vae.log_weights(batch, Noise(0, batch.keys), samples=20_000).detach()
    one, ten = log_weights.mean(1), importance_weighted_bound(log_weights.unflatten(1, (2000, 10)).flatten(0, 1))
    ten = ten.unflatten(0, (5, 2000)).mean(1)
    weights = (log_weights - exact.unsqueeze(1)).exp()  # their mean is 1, whatever the posterior
    error = 5 * weights.std(1) / math.sqrt(20_000)
    assert ((weights.mean(1) - 1).abs() < error).all()
    assert (one < ten).all()
    assert (ten < exact).all()
    assert (importance_weighted_bound(log_weights) - exact).abs().max() < 0.05


def test_the_gap_of_one_sample_is_the_divergence_from_the_true_posterior() -> None:
    vae, batch = linear_gaussian()
    true = vae.posterior(batch)
    with torch.no_grad():
        vae.to_mean.bias.add_(torch.tensor([0.3, -0.2]))
        vae.to_scale.bias.add_(torch.tensor([0.8, 0.5]))
    q = vae.posterior(batch)
    gap = torch.distributions.kl_divergence(Normal(q.mean, q.scale), Normal(true.mean, true.scale)).sum(1)
    log_weights = vae.log_weights(batch, Noise(0, batch.keys), samples=20_000).detach()
    error = 5 * log_weights.std(1) / math.sqrt(20_000)
    assert ((evidence(batch) - log_weights.mean(1) - gap).abs() < error).all()


def test_importance_weights_belong_to_their_examples_and_not_to_rows_or_their_number() -> None:
    vae, batch = linear_gaussian()
    with torch.no_grad():
        vae.to_mean.bias.add_(0.4)
        vae.to_scale.bias.add_(0.4)
    noise = Noise(0, batch.keys)
    log_weights = vae.log_weights(batch, noise, samples=3)
    for i in range(5):
        row = torch.tensor([i])
        single = Batch(x=batch.x[row], lengths=batch.lengths[row], keys=batch.keys[row])
        assert torch.allclose(vae.log_weights(single, noise.select(row), samples=3), log_weights[row])
    assert torch.allclose(vae.log_weights(batch, noise, samples=2), log_weights[:, :2])
    assert torch.equal(vae.log_weights(batch, noise, 3, vae.posterior(batch)), log_weights)


OUTCOMES = 7


def sequence_vae(latent: int = 3, scale: str = "exp", drop: float = 0.4) -> VAE:
    torch.manual_seed(0)
    sizes = {"latent": latent, "encoder_hidden": 4, "decoder_hidden": 6}
    drops = dict.fromkeys(("encoder_dropout", "input_dropout", "output_dropout", "word_dropout"), drop)
    encoder = lstm_encoder(nn.Embedding(OUTCOMES, 5), 5, **sizes, **drops) if latent else None
    decoder = lstm_decoder(nn.Embedding(OUTCOMES, 5), 5, Categorical(6, OUTCOMES), **sizes, **drops)
    return VAE(encoder, decoder, scale).double()


def sequences() -> Batch:
    x = torch.randint(OUTCOMES, (4, 8), generator=torch.Generator().manual_seed(0))
    return Batch(x=x, lengths=torch.tensor([8, 3, 5, 1]), keys=torch.tensor([9, 2, 30, 4]))


@pytest.mark.parametrize("scale", ["exp", "softplus"])
def test_the_terms_are_those_of_one_keyed_draw(scale: str) -> None:
    vae, batch = sequence_vae(scale=scale), sequences()
    noise = Noise(5, batch.keys, 8)
    terms = vae(batch, noise)
    q = vae.posterior(batch, noise)
    assert torch.equal(terms.mean, q.mean)
    assert torch.equal(terms.kl, q.kl())
    assert torch.equal(terms.log_px, vae.decoder.log_prob(q.rsample(noise), batch, noise))


def test_dropout_may_be_switched_off_while_the_draw_stays() -> None:
    vae, batch = sequence_vae(), sequences()
    noise = Noise(5, batch.keys)
    plain = sequence_vae(drop=0.0)(batch, noise)
    without = vae(batch, noise, dropout=False)
    assert torch.equal(without.log_px, plain.log_px)
    assert torch.equal(without.kl, plain.kl)
    assert not torch.isclose(vae(batch, noise).log_px, plain.log_px).any()


def test_the_scale_of_the_posterior_is_the_one_that_was_chosen() -> None:
    batch = sequences()
    raw = sequence_vae().to_scale(sequence_vae().encoder(batch))
    assert torch.allclose(sequence_vae(scale="exp").posterior(batch).scale, (raw / 2).exp())
    assert torch.allclose(sequence_vae(scale="softplus").posterior(batch).scale, nn.functional.softplus(raw))


def test_without_latent_units_the_model_is_a_language_model() -> None:
    vae, batch = sequence_vae(latent=0), sequences()
    noise = Noise(0, batch.keys)
    terms = vae(batch, noise, dropout=False)
    empty = torch.zeros(4, 0, dtype=torch.float64)
    assert torch.equal(terms.log_px, vae.decoder.log_prob(empty, batch))
    assert terms.kl.shape == terms.mean.shape == (4, 0)
    assert negative_elbo(terms.log_px, terms.kl).item() == pytest.approx(-terms.log_px.mean().item())
    expected = terms.log_px.unsqueeze(1).expand(-1, 3)
    assert torch.allclose(vae.log_weights(batch, noise, samples=3), expected)


def test_a_model_has_latent_units_and_an_encoder_or_neither() -> None:
    with_both, neither = sequence_vae(), sequence_vae(latent=0)
    with pytest.raises(ValueError, match="3 latent units without an encoder; a model has both or neither"):
        VAE(None, with_both.decoder)
    with pytest.raises(ValueError, match="0 latent units with an encoder; a model has both or neither"):
        VAE(with_both.encoder, neither.decoder)


def test_the_nets_fulfil_the_protocols() -> None:
    vae = sequence_vae()
    assert isinstance(vae.encoder, Encoder)
    assert isinstance(vae.decoder, Decoder)
    assert (vae.dtype, vae.device.type) == (torch.float64, "cpu")


def test_under_autocast_the_divergence_keeps_single_precision() -> None:
    vae, batch = sequence_vae(drop=0.0).float(), sequences()
    noise = Noise(0, batch.keys)
    exact = vae(batch, noise)
    with torch.autocast("cpu", torch.bfloat16):
        terms = vae(batch, noise)
        q = vae.posterior(batch)
    assert [t.dtype for t in (*terms[:3], q.mean, q.log_scale)] == [torch.float32] * 5
    # the closed form in double precision of the very posterior: 16 bits would be wrong in the third place
    again = DiagonalGaussian(q.mean.double(), q.log_scale.double()).kl()
    assert torch.allclose(q.kl().double(), again, rtol=1e-4, atol=1e-7)
    assert torch.allclose(terms.kl, exact.kl, rtol=0.1, atol=0.01)
    assert torch.allclose(terms.log_px, exact.log_px, atol=0.1)


def test_gradients_of_the_objective_are_those_of_finite_differences() -> None:
    vae, batch = sequence_vae(drop=0.3), sequences()
    noise = Noise(1, batch.keys)

    def objective() -> Tensor:
        terms = vae(batch, noise)
        return negative_elbo(terms.log_px, terms.kl, beta=0.3, free_nats_per_dimension=0.01)

    parameters = list(vae.parameters())
    gradients = torch.autograd.grad(objective(), parameters)
    directions = [torch.randn_like(p) for p in parameters]
    slope = sum(((g * d).sum() for g, d in zip(gradients, directions, strict=True)), torch.zeros(()))
    values = []
    for step in (1e-5, -2e-5):
        with torch.no_grad():
            for p, d in zip(parameters, directions, strict=True):
                p.add_(d, alpha=step)
            values.append(objective().item())
    assert (values[0] - values[1]) / 2e-5 == pytest.approx(slope.item(), rel=1e-6)


def test_the_layers_around_the_code_start_at_the_scale_that_was_asked_for() -> None:
    embed = nn.Embedding(7, 5)
    sizes = {"latent": 40, "encoder_hidden": 30, "decoder_hidden": 60, "decoder_layers": 2, "initial_state": "dense"}
    decoder = lstm_decoder(embed, 5, Categorical(60, 7), **sizes, code_initial_scale=0.001)
    vae = VAE(lstm_encoder(embed, 5, **sizes), decoder, "softplus", initial_scale=0.001)
    for layer in (vae.to_mean, vae.to_scale, decoder.recurrence.to_state):
        assert layer.weight.std().item() == pytest.approx(0.001, rel=0.03)
        assert not layer.bias.any()
    plain = lstm_decoder(embed, 5, Categorical(60, 7), **sizes).recurrence.to_state
    assert plain.weight.abs().max().item() == pytest.approx(40**-0.5, rel=0.01)
    assert plain.bias.any()


@pytest.mark.parametrize("posterior", ["gaussian", "point"])
def test_mean_and_scale_start_as_the_halves_of_one_layer(posterior: str) -> None:
    embed, sizes = nn.Embedding(7, 5), {"latent": 3, "encoder_hidden": 4}
    encoder, decoder = lstm_encoder(embed, 5, **sizes), lstm_decoder(embed, 5, Categorical(256, 7), **sizes)
    torch.manual_seed(5)
    vae = VAE(encoder, decoder, posterior=posterior)
    torch.manual_seed(5)
    joint = nn.Linear(encoder.features, 3 if posterior == "point" else 6)
    layers = [layer for layer in (vae.to_mean, vae.to_scale) if layer is not None]
    assert torch.equal(torch.cat([layer.weight for layer in layers]), joint.weight)
    assert torch.equal(torch.cat([layer.bias for layer in layers]), joint.bias)
    assert vae.parts == ("encoder", "mean", *["scale"] * (posterior == "gaussian"), "decoder")
