"""The Bernoulli likelihood of independent classes against torch's own, and the ways of choosing an outcome."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from seqvae.nets.draws import Choice
from seqvae.nets.likelihoods import Bernoulli, Categorical, Likelihood
from seqvae.noise import Noise

ROWS, HIDDEN, CLASSES = 11, 3, 4
ALL = torch.tensor(list(itertools.product((0, 1), repeat=CLASSES)))


def make(dtype: torch.dtype = torch.float64) -> Bernoulli:
    torch.manual_seed(0)
    return Bernoulli(HIDDEN, CLASSES).to(dtype)


def states(rows: int = ROWS) -> Tensor:
    return torch.randn(rows, HIDDEN, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def fixed(probabilities: list[float], rows: int) -> tuple[Bernoulli, Tensor]:
    """A likelihood whose classes have these probabilities whatever the hidden state."""
    likelihood = Bernoulli(HIDDEN, len(probabilities)).double()
    with torch.no_grad():
        likelihood.projection.weight.zero_()
        likelihood.projection.bias.copy_(torch.tensor(probabilities).double().logit())
    return likelihood, torch.zeros(rows, HIDDEN, dtype=torch.float64)


def test_both_likelihoods_fulfil_the_protocol() -> None:
    assert isinstance(make(), Likelihood)
    assert isinstance(Categorical(HIDDEN, 5), Likelihood)
    assert make().classes == CLASSES


def test_log_probabilities_are_those_of_torchs_independent_distribution() -> None:
    likelihood, h = make(), states()
    x = ALL[:ROWS]
    expected = torch.distributions.Bernoulli(logits=likelihood.projection(h)).log_prob(x.double()).sum(1)
    assert torch.allclose(likelihood.log_prob(h, x), expected, atol=1e-12)
    assert torch.allclose(likelihood.log_prob(h, x.to(torch.uint8)), expected, atol=1e-12)


def test_probabilities_of_all_outcomes_sum_to_one() -> None:
    likelihood, h = make(), states()
    for row in h:
        total = likelihood.log_prob(row.expand(len(ALL), -1), ALL).exp().sum().item()
        assert total == pytest.approx(1.0, abs=1e-12)


def test_the_mode_is_the_most_probable_outcome() -> None:
    likelihood, h = make(), 3 * states()
    for row, mode in zip(h, likelihood.mode(h), strict=True):
        assert torch.equal(ALL[likelihood.log_prob(row.expand(len(ALL), -1), ALL).argmax()], mode)


def test_log_probabilities_hold_for_logits_that_overflow_an_exponential() -> None:
    likelihood, h = make(torch.float32), (10_000 * states()).float().requires_grad_()
    log_prob = likelihood.log_prob(h, ALL[:ROWS])
    log_prob.sum().backward()
    assert log_prob.isfinite().all()
    assert h.grad is not None
    assert h.grad.isfinite().all()


def test_autocast_scores_in_single_precision() -> None:
    likelihood, h = make(torch.float32), states().float()
    with torch.autocast("cpu", torch.bfloat16):
        cast = likelihood.log_prob(h, ALL[:ROWS])
    assert cast.dtype == torch.float32
    assert torch.allclose(cast, likelihood.log_prob(h, ALL[:ROWS]), atol=0.05)


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_classes_are_drawn_as_often_as_the_tempered_joint_distribution_says(temperature: float) -> None:
    rows = 40_000
    likelihood, h = fixed([0.1, 0.7, 0.4], rows)
    drawn = likelihood.draw(h, Noise(0, torch.arange(rows)), Choice(temperature=temperature))
    every = torch.tensor(list(itertools.product((0, 1), repeat=3)))
    expected = (likelihood.log_prob(h[:8], every) / temperature).softmax(0)
    counts = torch.bincount((drawn * torch.tensor([4, 2, 1])).sum(1), minlength=8)
    for share, p in zip((counts / rows).tolist(), expected.tolist(), strict=True):
        assert abs(share - p) <= 5 * math.sqrt(p * (1 - p) / rows)


@pytest.mark.parametrize("choice", [Choice(temperature=0.0), Choice(top_k=1), Choice(temperature=1e-4)])
def test_every_greedy_setting_takes_the_mode(choice: Choice) -> None:
    likelihood, h = fixed([0.1, 0.7, 0.4], 50)
    assert likelihood.draw(h, Noise(0, torch.arange(50)), choice).tolist() == [[0, 1, 0]] * 50


@pytest.mark.parametrize("choice", [Choice(top_k=3), Choice(top_p=0.9)])
def test_a_choice_among_listed_outcomes_is_refused(choice: Choice) -> None:
    with pytest.raises(ValueError, match=r"is not possible with 4 independent classes.*lower the temperature"):
        make().draw(states(), Noise(0, torch.arange(ROWS)), choice)


def test_an_example_draws_the_same_alone_and_in_any_batch() -> None:
    likelihood, h = make(), states()
    noise, order = Noise(0, torch.arange(ROWS)), torch.tensor([8, 1, 5])
    drawn = likelihood.draw(h, noise, Choice())
    assert torch.equal(likelihood.draw(h[order], noise.select(order), Choice()), drawn[order])
