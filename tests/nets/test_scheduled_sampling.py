"""Scheduled sampling: which inputs a decoder draws itself, from what, and that nothing else changes."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from seqvae.core.vae import VAE
from seqvae.nets.decoder import SequenceDecoder
from seqvae.nets.draws import Choice
from seqvae.nets.likelihoods import Bernoulli, Categorical, Likelihood
from seqvae.nets.lstm import LSTMState
from seqvae.nets.sampling import generate
from seqvae.nets.steps import Position, step_input
from seqvae.noise import Noise
from seqvae.types import Batch
from tests.nets.made import lstm_decoder, lstm_encoder

CLASSES, LATENT, HIDDEN, ROWS, STEPS = 3, 2, 5, 6, 9
LENGTHS = torch.tensor([9, 4, 1, 9, 7, 2])
forms = pytest.mark.parametrize("labels", [True, False], ids=["labels", "bits"])


def decoder(labels: bool = True, **dropout: float) -> SequenceDecoder[LSTMState]:
    torch.manual_seed(3)
    embed, width = step_input(CLASSES, labels, 4, shared=False, one_hot=True)
    likelihood: Likelihood = Categorical(HIDDEN, 2**CLASSES) if labels else Bernoulli(HIDDEN, CLASSES)
    sizes = {"latent": LATENT, "decoder_hidden": HIDDEN, "decoder_layers": 2, "initial_state": "dense"}
    net = lstm_decoder(embed, width, likelihood, Position(4, 2, 3), **sizes, **dropout).double()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.8)
    return net


def batch(labels: bool = True) -> Batch:
    shape = (ROWS, STEPS) if labels else (ROWS, STEPS, CLASSES)
    x = torch.randint(2**CLASSES if labels else 2, shape, generator=torch.Generator().manual_seed(1))
    return Batch(x, LENGTHS, torch.arange(20, 26))


def codes() -> Tensor:
    return torch.randn(ROWS, LATENT, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def noise(data: Batch) -> Noise:
    return Noise(0, data.keys, 5)


def own(noise: Noise) -> Noise:
    return Noise(0, noise.bits("scheduled sampling draws", 1).squeeze(1))


@forms
def test_at_probability_one_a_decoder_reads_what_it_would_generate(labels: bool) -> None:
    net, data, z = decoder(labels), batch(labels), codes()
    generated = generate(net, z, own(noise(data)), Choice(), STEPS, None)
    read = net.draw_inputs(z, data, noise(data), 1.0)
    assert torch.equal(read, generated.x[:, :-1])
    assert not torch.equal(read, data.x[:, :-1])
    expected = net.hidden(z, replace(data, x=generated.x))
    assert torch.allclose(net.hidden(z, data, noise(data), 1.0), expected, atol=1e-12)


@forms
def test_scores_and_gradients_are_those_of_sampling_on_the_way(labels: bool) -> None:
    net, data, z = decoder(labels), batch(labels), codes().requires_grad_()
    drawn = ~noise(data).keep("scheduled sampling", 0.5, STEPS - 1).squeeze(2)
    assert drawn.any(0).sum() >= 6
    state, previous, scores = net.start(z), None, []
    for t in range(STEPS):
        h, state = net.step(state, previous)
        scores.append(net.likelihood.log_prob(h, data.x[:, t]) * data.mask[:, t])
        if t < STEPS - 1:
            draws = net.likelihood.draw(h.detach(), own(noise(data)).at(t), Choice())
            chosen = drawn[:, t] if labels else drawn[:, t, None]
            previous = torch.where(chosen, draws, data.x[:, t])
    expected = torch.stack(scores, 1)
    found = net.step_log_prob(z, data, noise(data), 0.5)
    assert torch.allclose(found, expected, atol=1e-10)
    parameters = [z, *net.parameters()]
    gradients = torch.autograd.grad(found.sum(), parameters), torch.autograd.grad(expected.sum(), parameters)
    for a, b in zip(*gradients, strict=True):
        assert torch.allclose(a, b, atol=1e-10)


@forms
def test_the_true_steps_are_scored_and_left_as_they_are(labels: bool) -> None:
    net, data, z = decoder(labels), batch(labels), codes()
    before = data.x.clone()
    hidden = net.hidden(z, data, noise(data), 1.0)
    expected = net.likelihood.log_prob(hidden[data.mask], data.x[data.mask])
    assert torch.allclose(net.step_log_prob(z, data, noise(data), 1.0)[data.mask], expected, atol=1e-12)
    assert torch.equal(data.x, before)


@pytest.mark.parametrize("probability", [0.2, 0.7])
def test_inputs_are_drawn_at_the_rate_at_every_step(probability: float) -> None:
    net, rows = decoder(), 4000
    with torch.no_grad():
        net.likelihood.projection.weight.zero_()
        net.likelihood.projection.bias.copy_(torch.tensor([-50.0] * 7 + [50.0]))  # always draws the last
    data = Batch(torch.zeros(rows, 6).long(), torch.full((rows,), 6), torch.arange(rows))
    read = net.draw_inputs(torch.zeros(rows, LATENT).double(), data, Noise(0, data.keys), probability)
    assert set(read.unique().tolist()) == {0, 7}
    shares = (read == 7).double().mean(0)
    for share in shares.tolist():
        assert abs(share - probability) < 5 * math.sqrt(probability * (1 - probability) / rows)
    together = (read == 7).double().prod(1).mean().item()  # steps are independent of each other
    assert abs(together - probability**5) < 5 * math.sqrt(probability**5 / rows)


@forms
@pytest.mark.parametrize("probability", [0.5, 1.0])
def test_an_example_draws_the_same_alone_and_at_any_padding(labels: bool, probability: float) -> None:
    net = decoder(labels, input_dropout=0.2, output_dropout=0.2, word_dropout=0.2)
    data, z = batch(labels), codes()
    whole = net.log_prob(z, data, noise(data), probability)
    order = torch.tensor([4, 1, 5])
    some = Batch(data.x[order, :7], data.lengths[order], data.keys[order])
    assert torch.allclose(net.log_prob(z[order], some, noise(some), probability), whole[order], atol=1e-10)
    longer = replace(data, x=torch.cat([data.x, data.x.flip(1)], 1))
    assert torch.allclose(net.log_prob(z, longer, noise(longer), probability), whole, atol=1e-10)
    assert not torch.isclose(net.log_prob(z, data, noise(data).at(6), probability), whole).all()


def test_without_a_probability_nothing_is_drawn_and_with_one_noise_is_needed() -> None:
    net, data, z = decoder(), batch(), codes()
    assert torch.equal(net.log_prob(z, data, noise(data), 0.0), net.log_prob(z, data))
    with pytest.raises(ValueError, match=r"sampling_probability=0\.3 needs noise to draw with"):
        net.log_prob(z, data, None, 0.3)


def test_the_bound_and_the_importance_weights_never_sample_inputs() -> None:
    embed, width = step_input(CLASSES, True, 0, shared=False, one_hot=False)
    vae, data = VAE(lstm_encoder(embed, width, encoder_hidden=4).double(), decoder()).double(), batch()
    plain = vae(data, noise(data), dropout=False).log_px
    z = vae.posterior(data).rsample(noise(data))
    assert torch.equal(plain, vae.decoder.log_prob(z, data))
    sampled = vae(data, noise(data), sampling_probability=0.5).log_px
    assert torch.equal(sampled, vae.decoder.log_prob(z, data, noise(data), 0.5))
    assert not torch.isclose(sampled[LENGTHS > 4], plain[LENGTHS > 4]).any()


def test_every_parameter_gets_a_gradient_under_autocast_after_draws() -> None:
    net, data = decoder().float(), batch()
    z = codes().float()
    with torch.autocast("cpu", torch.bfloat16):
        loss = net.log_prob(z, data, noise(data), 0.5).sum()
    for (name, _), gradient in zip(
        net.named_parameters(), torch.autograd.grad(loss, list(net.parameters())), strict=True
    ):
        assert gradient.any(), name


def test_a_single_step_has_no_input_to_draw() -> None:
    net, data = decoder(), Batch(torch.tensor([[3]]), torch.tensor([1]), torch.tensor([7]))
    z = codes()[:1]
    assert torch.equal(net.log_prob(z, data, Noise(0, data.keys), 1.0), net.log_prob(z, data))
