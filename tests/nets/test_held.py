"""Generation that keeps a part of each step: the hits of drums, whatever their velocities and times."""

import pytest
import torch
from torch import Tensor, nn

from seqvae.nets.decoder import SequenceDecoder
from seqvae.nets.draws import Choice
from seqvae.nets.held import FREE, HeldClasses
from seqvae.nets.likelihoods import Bernoulli, Categorical
from seqvae.nets.nade import NADE
from seqvae.nets.played import PlayedErrors, PlayedLikelihood, PlayedSteps
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


def likelihood(kind: type[PlayedLikelihood] | type[PlayedErrors]) -> PlayedLikelihood | PlayedErrors:
    """One whose hits depend on each other, and velocities and places on those before them."""
    found = kind(NADE(7, CLASSES, 4), 7, CLASSES, 6).double()
    for parameter in found.parameters():
        nn.init.normal_(parameter)
    return found


def known(rows: int) -> Tensor:
    """Steps whose middle class is free, but for that of the first row."""
    random = torch.Generator().manual_seed(3)
    velocity, place = (torch.randint(*ends, (rows, CLASSES), generator=random) for ends in ((-60, 128), (-6, 7)))
    x = torch.stack([velocity.clamp(min=0), place * (velocity > 0)], 2).to(torch.int8)
    x[1:, 1] = torch.tensor([FREE, 0])
    return x


@pytest.mark.parametrize("kind", [PlayedLikelihood, PlayedErrors])
def test_a_free_class_is_hit_as_often_as_the_other_hits_have_it(
    kind: type[PlayedLikelihood] | type[PlayedErrors],
) -> None:
    rows, draws = 6, 4000
    of, h, x = likelihood(kind), torch.randn(rows, 7, dtype=torch.float64), known(rows)
    hit, rest = [(x[..., 0] > 0).long() for _ in range(2)]
    hit[:, 1], rest[:, 1] = 1, 0
    p = [of.hits.log_prob(h, each).exp() for each in (hit, rest)]
    expected = p[0] / (p[0] + p[1])
    noise = Noise(0, torch.arange(rows * draws))
    drawn = of.holding(x.repeat_interleave(draws, 0)).draw(h.repeat_interleave(draws, 0), noise, Choice())
    shares = hits(drawn)[:, 1].double().unflatten(0, (rows, draws)).mean(1)
    assert (shares - expected)[1:].abs().max() < 4 * 0.5 / draws**0.5  # four standard errors at most
    assert expected[1:].min() < 0.4
    assert expected[1:].max() > 0.6
    assert shares[0] == float(hits(x)[0, 1]), "where it is known it stays"
    held = of.holding(x)
    assert torch.equal(hits(held.mode(h))[1:, 1], expected[1:] > 0.5)
    with_it, without = held.mode(h).clone(), held.mode(h).clone()
    with_it[:, 1], without[:, 1] = torch.tensor([70, 2]), 0
    own = of.log_prob_of_numbers(h, with_it)[:, 1]
    assert torch.allclose(held.log_prob(h, with_it)[1:], (expected.log() + own)[1:])
    if kind is PlayedLikelihood:
        assert torch.allclose(held.log_prob(h, without)[1:], (1 - expected).log()[1:])


@pytest.mark.parametrize("kind", [PlayedLikelihood, PlayedErrors])
@pytest.mark.parametrize("choice", [GREEDY, Choice()])
def test_all_but_the_free_class_stays_and_that_one_follows_from_it(
    kind: type[PlayedLikelihood] | type[PlayedErrors], choice: Choice
) -> None:
    rows = 40
    of, h, x, noise = (
        likelihood(kind),
        torch.randn(rows, 7, dtype=torch.float64),
        known(rows),
        Noise(1, torch.arange(rows)),
    )
    held = of.holding(x)
    assert isinstance(held, HeldClasses)
    found = held.draw(h, noise, choice)
    free = torch.tensor([[[0], [1], [0]]]).bool() & (x[..., :1] < 0)
    assert torch.equal(found.masked_fill(free, 0), x.long().masked_fill(free, 0))
    assert hits(found)[1:, 1].any()
    assert not hits(found)[1:, 1].all()
    other = x.clone()
    other[:, 0] = torch.where(hits(x)[:, :1], torch.tensor([9, -5]), 0)  # as many hits, played otherwise
    changed = of.holding(other).draw(h, noise, choice)
    assert torch.equal(hits(changed), hits(found))
    after = (hits(x)[:, 0] & hits(found)[:, 1])[1:]
    same = (changed[1:, 1] == found[1:, 1]).all(1)
    assert same[~after].all()
    assert bool(same.all()) is (kind is PlayedErrors)
