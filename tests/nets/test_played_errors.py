"""GrooVAE's squared errors of velocities and times: the formula written out, what is said, what is held."""

import math

import pytest
import torch
from torch import nn

from seqvae.nets.draws import Choice
from seqvae.nets.likelihoods import Bernoulli
from seqvae.nets.played import PlayedErrors
from seqvae.noise import Noise

HIDDEN, CLASSES, MOST = 5, 3, 60


@pytest.fixture
def errors() -> PlayedErrors:
    made = PlayedErrors(Bernoulli(HIDDEN, CLASSES), HIDDEN, CLASSES, MOST).double()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.7)
    return made


STEP = torch.tensor([[[100, -30], [0, 0], [127, 60]], [[0, 0], [0, 0], [1, 0]]])


def states(rows: int) -> torch.Tensor:
    return torch.randn(rows, HIDDEN, dtype=torch.float64)


def test_velocities_and_places_cost_their_squared_errors_where_nothing_is_hit_too(errors: PlayedErrors) -> None:
    h = states(2)
    outputs = errors.projection(h).tolist()
    for row in range(2):
        expected = errors.hits.log_prob(h[row : row + 1], (STEP[row : row + 1, :, 0] > 0).long()).item()
        for c in range(CLASSES):
            velocity, place = STEP[row, c].tolist()
            expected -= (velocity / 127 - 1 / (1 + math.exp(-outputs[row][2 * c]))) ** 2
            expected -= (place / MOST - math.tanh(outputs[row][2 * c + 1])) ** 2
        assert errors.log_prob(h, STEP)[row].item() == pytest.approx(expected, abs=1e-12)


def test_what_is_said_has_the_least_squared_error_of_its_hits(errors: PlayedErrors) -> None:
    h = states(20)
    said = errors.mode(h)
    assert torch.equal(said[..., 0] > 0, errors.hits.mode(h) > 0)
    assert not said[..., 1][said[..., 0] == 0].any()
    hit = (said[..., 0] > 0).unsqueeze(2)
    best = errors.log_prob_of_numbers(h, said).sum(1)
    for change in ([1, 0], [-1, 0], [0, 1], [0, -1]):
        other = torch.where(hit, said + torch.tensor(change), said)
        inside = (other[..., 0] <= 127).all(1) & (other[..., 0] * hit[..., 0] >= hit[..., 0]).all(1)
        assert bool((errors.log_prob_of_numbers(h, other).sum(1) <= best)[inside].all())


def test_hits_are_drawn_and_the_rest_is_as_it_is_said(errors: PlayedErrors) -> None:
    h, noise = states(40), Noise(1, torch.arange(40))
    drawn = errors.draw(h, noise, Choice())
    assert torch.equal((drawn[..., 0] > 0).long(), errors.hits.draw(h, noise, Choice()))
    assert torch.equal(errors.holding(drawn).mode(h), drawn)
    assert torch.equal(
        errors.holding(STEP[:1].expand(40, -1, -1)).mode(h)[..., 0] > 0, (STEP[:1, :, 0] > 0).expand(40, -1)
    )
    with pytest.raises(ValueError, match="hits that have velocity and time"):
        errors.draw(h, noise, Choice(top_p=0.5))
