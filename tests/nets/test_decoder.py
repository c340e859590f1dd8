"""One decoder for every recurrence and every likelihood: a hierarchy and real-valued steps go through the same code."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from seqvae.core.vae import VAE, Decoder
from seqvae.evaluation.reconstruction import free_running_accuracy, token_accuracy
from seqvae.nets.decoder import CodeAtOutput, Recurrence, SequenceDecoder, State
from seqvae.nets.draws import Choice
from seqvae.nets.hierarchy import Hierarchy
from seqvae.nets.likelihoods import Categorical, Likelihood
from seqvae.nets.lstm import LSTMRecurrence
from seqvae.nets.sampling import StepDecoder, beam_search, generate
from seqvae.nets.sizes import SequenceModel
from seqvae.noise import Noise
from seqvae.types import Batch, StepType
from tests.nets.made import lstm_decoder, lstm_encoder

OUTCOMES, LATENT, CONDUCTOR, HIDDEN, SEGMENT, ROWS, STEPS, END = 6, 3, 5, 7, 4, 5, 10, 2
LENGTHS = torch.tensor([10, 4, 1, 9, 5])


class Offsets(nn.Module):
    """Steps of two real numbers, normal with scale a half: a likelihood that integers have no part in."""

    def __init__(self) -> None:
        super().__init__()
        self.projection = nn.Linear(HIDDEN, 2)

    def log_prob(self, h: Tensor, x: Tensor) -> Tensor:
        return torch.distributions.Normal(self.projection(h), 0.5).log_prob(x).sum(1)

    def mode(self, h: Tensor) -> Tensor:
        return self.projection(h)

    def draw(self, h: Tensor, noise: Noise, choice: Choice) -> Tensor:
        return self.mode(h) + 0.5 * choice.temperature * noise.normal("draw", 2).to(h)


def decoder(hierarchical: bool, real: bool, **dropout: float) -> SequenceDecoder:
    """A decoder with weights large enough that every step matters."""
    torch.manual_seed(1)
    embedding = 2 if real else 4
    embed = nn.Linear(2, 2) if real else nn.Embedding(OUTCOMES, 4)
    model = SequenceModel(latent=LATENT, decoder_hidden=HIDDEN, conductor_hidden=CONDUCTOR, **dropout)
    recurrence: nn.Module
    if hierarchical:
        core = LSTMRecurrence(embed, embedding, replace(model, latent=CONDUCTOR))
        recurrence = Hierarchy(core, model, SEGMENT)
    else:
        recurrence = LSTMRecurrence(embed, embedding, model)
    likelihood: Likelihood = Offsets() if real else Categorical(HIDDEN, OUTCOMES)
    net = SequenceDecoder(recurrence, likelihood, model.output_dropout).double()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.7)
    return net


def batch(real: bool) -> Batch:
    drawn = torch.Generator().manual_seed(2)
    if real:
        x = torch.randn(ROWS, STEPS, 2, dtype=torch.float64, generator=drawn)
    else:
        x = torch.randint(OUTCOMES, (ROWS, STEPS), generator=drawn)
    return Batch(x, LENGTHS, torch.arange(40, 40 + ROWS))


def codes(rows: int = ROWS) -> Tensor:
    return torch.randn(rows, LATENT, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def noise(data: Batch) -> Noise:
    return Noise(0, data.keys, 4)


DROPOUT = {"input_dropout": 0.3, "output_dropout": 0.3, "word_dropout": 0.3}
everything = pytest.mark.parametrize(
    ("hierarchical", "real"),
    [(False, True), (True, False), (True, True)],
    ids=["LSTM, real steps", "hierarchy, outcomes", "hierarchy, real steps"],
)


@everything
def test_the_parts_fulfil_their_protocols(hierarchical: bool, real: bool) -> None:
    net = decoder(hierarchical, real)
    assert isinstance(net, Decoder)
    assert isinstance(net, StepDecoder)
    assert isinstance(net.recurrence, Recurrence)
    assert isinstance(net.likelihood, Likelihood)
    assert isinstance(net.start(codes()), State)


@everything
def test_steps_taken_one_by_one_are_the_teacher_forced_ones(hierarchical: bool, real: bool) -> None:
    net, data, z = decoder(hierarchical, real), batch(real), codes()
    scores, guesses = net.step_log_prob(z, data), net.predict(z, data)
    state = net.start(z)
    for t in range(STEPS):
        h, state = net.step(state, data.x[:, t - 1] if t else None)
        expected = net.likelihood.log_prob(h, data.x[:, t]) * data.mask[:, t]
        assert torch.allclose(scores[:, t], expected, atol=1e-12)
        assert torch.allclose(guesses[:, t], net.likelihood.mode(h), atol=1e-12)
    assert torch.allclose(net.log_prob(z, data), scores.sum(1), atol=1e-12)


@everything
def test_a_step_does_not_see_what_it_predicts_nor_what_follows(hierarchical: bool, real: bool) -> None:
    net, data, z = decoder(hierarchical, real), batch(real), codes()
    hidden = net.hidden(z, data)
    for t in range(STEPS):
        x = data.x.clone()
        x[:, t:] = x[:, t:].flip(0) + 0.5 if real else (x[:, t:] + 1) % OUTCOMES
        changed = net.hidden(z, replace(data, x=x))
        assert torch.equal(changed[:, : t + 1], hidden[:, : t + 1])
        if t < STEPS - 1:  # the step before is read, over the bounds of segments too
            assert not torch.isclose(changed[:, t + 1], hidden[:, t + 1]).all(1).any()


@everything
@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_an_item_scores_the_same_alone_and_at_any_padding(hierarchical: bool, real: bool, probability: float) -> None:
    net, data, z = decoder(hierarchical, real, **DROPOUT), batch(real), codes()
    whole = net.log_prob(z, data, noise(data), probability)
    for row in range(ROWS):
        length = int(LENGTHS[row])
        alone = Batch(data.x[row : row + 1, :length], LENGTHS[row : row + 1], data.keys[row : row + 1])
        assert torch.allclose(net.log_prob(z[row : row + 1], alone, noise(alone), probability), whole[row], atol=1e-10)
    longer = replace(data, x=torch.cat([data.x, data.x.flip(1)], 1))
    assert torch.allclose(net.log_prob(z, longer, noise(longer), probability), whole, atol=1e-10)
    assert (net.step_log_prob(z, data, noise(data), probability)[~data.mask] == 0).all()
    assert not torch.isclose(net.log_prob(z, data, noise(data).at(5), probability), whole).any()


@everything
def test_with_probability_one_scheduled_sampling_reads_what_generation_draws(hierarchical: bool, real: bool) -> None:
    net, data, z = decoder(hierarchical, real), batch(real), codes()
    own = Noise(0, noise(data).bits("scheduled sampling draws", 1).squeeze(1))
    drawn = generate(net, z, own, Choice(), STEPS - 1, None).x
    assert torch.equal(net.draw_inputs(z, data, noise(data), 1.0), drawn)
    assert drawn.dtype == data.x.dtype
    forced = replace(data, x=torch.cat([drawn, data.x[:, -1:]], 1))
    assert torch.allclose(net.hidden(z, data, noise(data), 1.0), net.hidden(z, forced), atol=1e-12)


@everything
def test_a_sample_is_the_same_alone_and_scores_as_it_was_walked(hierarchical: bool, real: bool) -> None:
    net, z, keys = decoder(hierarchical, real), codes(9), torch.arange(9)
    end = None if real else END
    whole = generate(net, z, Noise(0, keys), Choice(), STEPS, end)
    assert real or len(whole.lengths.unique()) > 1
    for row in range(9):
        alone = generate(net, z[row : row + 1], Noise(0, keys[row : row + 1]), Choice(), STEPS, end)
        length = int(whole.lengths[row])
        assert torch.allclose(alone.x[0, :length], whole.x[row, :length], atol=1e-12)
    greedy = generate(net, z, Noise(0, keys), Choice(temperature=0.0), STEPS, end)
    assert torch.allclose(net.predict(z, greedy)[greedy.mask], greedy.x[greedy.mask], atol=1e-12)


def test_beam_search_walks_a_hierarchy_and_refuses_steps_that_are_not_listed() -> None:
    net, z = decoder(True, False), codes()
    greedy = generate(net, z, Noise(0, torch.arange(ROWS)), Choice(temperature=0.0), STEPS, END)
    one = beam_search(net, z, 1, STEPS, END)
    assert torch.equal(one.x, greedy.x)
    assert torch.equal(one.lengths, greedy.lengths)
    wide = beam_search(net, z, OUTCOMES**3, STEPS, END)
    gained = net.log_prob(z, wide) - net.log_prob(z, greedy)
    assert (gained >= -1e-12).all()
    assert (gained > 1e-3).any()
    with pytest.raises(ValueError, match="beam=2 is not possible with Offsets steps, whose outcomes cannot be listed"):
        beam_search(decoder(True, True), z, 2, STEPS, None)


@everything
def test_every_parameter_gets_a_gradient(hierarchical: bool, real: bool) -> None:
    net, data, z = decoder(hierarchical, real), batch(real), codes()
    net.log_prob(z, data, noise(data), 0.5).sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("hierarchical", [False, True])
def test_output_dropout_has_masks_of_its_own(hierarchical: bool) -> None:
    net, data = decoder(hierarchical, False, output_dropout=0.5), batch(False)
    ratio = net.hidden(codes(), data, noise(data)) / net.hidden(codes(), data)
    dropped = ratio < 1
    assert torch.allclose(ratio[~dropped], torch.tensor(2.0).double())
    inputs = ~noise(data).keep("decoder input", 0.5, STEPS, HIDDEN)
    assert abs((dropped == inputs).double().mean().item() - 0.5) < 5 * math.sqrt(0.25 / dropped.numel())


@pytest.mark.parametrize("hierarchical", [False, True])
def test_real_valued_steps_are_right_within_the_tolerance(hierarchical: bool) -> None:
    encoder = lstm_encoder(nn.Linear(2, 2), 2, encoder_hidden=4)
    vae, data = VAE(encoder, decoder(hierarchical, True)).double(), batch(True)
    nn.init.zeros_(vae.decoder.likelihood.projection.bias)
    offsets = StepType("float64", (2,), tolerance=0.9)
    z = vae.posterior(data).mean
    apart = (vae.decoder.predict(z, data) - data.x).abs().amax(2)
    right = int(((apart <= 0.9) & data.mask).sum())
    accuracy = token_accuracy(vae, [data], step_type=offsets)
    assert 0 < right < 29
    assert (accuracy.correct, accuracy.tokens) == (right, 29)
    assert token_accuracy(vae, [data]).correct == 0
    drawn = generate(vae.decoder, z, Noise(6, data.keys), Choice(), STEPS, None)
    expected = [
        int((((x - data.x).abs().amax(2) <= 0.9) & data.mask).sum()) for x in (vae.decoder.predict(z, drawn), drawn.x)
    ]
    found = free_running_accuracy(vae, [data], seed=6, step_type=offsets)
    assert [accuracy.correct for accuracy in found] == expected
    assert sum(expected) > 0


def test_the_code_stands_whole_beside_each_hidden_state_and_dropout_hits_the_state_alone() -> None:
    plain = lstm_decoder(nn.Embedding(7, 5), 5, Categorical(6, 7), latent=3, decoder_hidden=6).recurrence
    data = Batch(torch.randint(7, (4, 9)), torch.tensor([9, 2, 5, 1]), torch.arange(4))
    z = torch.randn(4, 3)
    net = SequenceDecoder(CodeAtOutput(plain, output_dropout=0.5), Categorical(9, 7))
    kept, dropped = net.hidden(z, data), net.hidden(z, data, Noise(0, data.keys))
    assert kept.shape == (4, 9, 9)
    assert torch.equal(kept[..., :6], plain.hidden(z, data.x[:, :-1]))
    for h in (kept, dropped):
        assert torch.equal(h[..., 6:], z.unsqueeze(1).expand(-1, 9, -1))
    share = dropped[..., :6] / kept[..., :6]
    assert sorted({round(value, 4) for value in share.flatten().tolist()}) == [0.0, 2.0]
