"""Generation that keeps a part of each step: the hits of drums, whatever their velocities and times."""

import pytest
import torch
from torch import Tensor, nn

from seqvae.nets.decoder import SequenceDecoder
from seqvae.nets.likelihoods import Bernoulli, Categorical, Choice
from seqvae.nets.played import PlayedLikelihood, PlayedSteps
from seqvae.nets.sampling import generate
from seqvae.noise import Noise
from tests.nets import made

ROWS, STEPS, CLASSES = 5, 4, 3
GREEDY = Choice(temperature=0.0)


@pytest.fixture
def decoder() -> SequenceDecoder:
    steps = PlayedSteps(CLASSES, 6)
    likelihood = PlayedLikelihood(Bernoulli(7, CLASSES), 7, CLASSES, 6)
    decoder = made.lstm_decoder(steps, steps.width, likelihood, latent=2, decoder_hidden=7).double()
    for parameter in decoder.parameters():
        nn.init.normal_(parameter)
    return decoder


def hits(x: Tensor) -> Tensor:
    return x[..., 0] > 0


@pytest.mark.parametrize("choice", [GREEDY, Choice()])
def test_each_step_of_each_row_has_the_hits_that_are_held(decoder: SequenceDecoder, choice: Choice) -> None:
    z, noise = torch.randn(ROWS, 2, dtype=torch.float64), Noise(0, torch.arange(ROWS))
    held = torch.randint(0, 2, (ROWS, STEPS, CLASSES, 2))
    found = generate(decoder, z, noise, choice, STEPS, None, held)
    assert torch.equal(hits(found.x), hits(held))
    free = generate(decoder, z, noise, choice, STEPS, None)
    assert not torch.equal(hits(free.x), hits(held))
    assert torch.equal(generate(decoder, z, noise, choice, STEPS, None, free.x).x, free.x), "as it would be without"


def test_a_step_is_said_after_the_held_hits_before_it(decoder: SequenceDecoder) -> None:
    """What is said is the decoder's own mode after its own steps, of the held hits."""
    z, held = torch.randn(ROWS, 2, dtype=torch.float64), torch.randint(0, 2, (ROWS, STEPS, CLASSES, 2))
    found = generate(decoder, z, Noise(0, torch.arange(ROWS)), GREEDY, STEPS, None, held)
    h = decoder.hidden(z, found)
    for t in range(STEPS):
        assert torch.equal(decoder.likelihood.holding(held[:, t]).mode(h[:, t]), found.x[:, t])


def test_steps_without_parts_are_refused() -> None:
    decoder = made.lstm_decoder(nn.Embedding(7, 5), 5, Categorical(6, 7), latent=3, decoder_hidden=6)
    with pytest.raises(ValueError, match=r"^no part of Categorical steps can be held; hold nothing$"):
        generate(decoder, torch.zeros(2, 3), Noise(0, torch.arange(2)), GREEDY, 4, None, torch.zeros(2, 4).long())
