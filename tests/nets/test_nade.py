"""The NADE likelihood of classes in turn against its definition, and the ways of choosing an outcome."""

import itertools
import math
from typing import cast

import pytest
import torch
from torch import Tensor

from seqvae.nets import nade
from seqvae.nets.draws import Choice
from seqvae.nets.likelihoods import Likelihood, Listed
from seqvae.nets.nade import NADE
from seqvae.noise import Noise

ROWS, HIDDEN, CLASSES, UNITS = 11, 3, 4, 5
ALL = torch.tensor(list(itertools.product((0, 1), repeat=CLASSES)))


def make(dtype: torch.dtype = torch.float64, classes: int = CLASSES, scale: float = 3.0) -> NADE:
    """A likelihood whose classes depend on each other."""
    torch.manual_seed(0)
    likelihood = NADE(HIDDEN, classes, UNITS).to(dtype)
    with torch.no_grad():
        likelihood.reading.mul_(scale)
        likelihood.scoring.mul_(scale)
    return likelihood


def states(rows: int = ROWS) -> Tensor:
    return torch.randn(rows, HIDDEN, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def conditionals(likelihood: NADE, h: Tensor, x: Tensor) -> Tensor:
    """p(x_c = 1 | x_<c, h) of one row by the definition, class by class."""
    both = likelihood.projection(h)
    activation, bias = both[:UNITS], both[UNITS:]
    found = []
    for c in range(likelihood.classes):
        found.append((bias[c] + likelihood.scoring[c] @ activation.sigmoid()).sigmoid())
        activation = activation + x[c] * likelihood.reading[c]
    return torch.stack(found)


def by_definition(likelihood: NADE, h: Tensor, x: Tensor) -> Tensor:
    p = torch.stack([conditionals(likelihood, *row) for row in zip(h, x, strict=True)])
    return torch.where(x.bool(), p.log(), (1 - p).log()).sum(1)


def test_it_fulfils_the_protocol_and_lists_nothing() -> None:
    assert isinstance(make(), Likelihood)
    assert not isinstance(make(), Listed)
    assert make().classes == CLASSES


@pytest.mark.parametrize("held", [1, 3 * CLASSES * UNITS, 1 << 20], ids=["a row", "three rows", "all rows"])
def test_log_probabilities_and_gradients_are_those_of_the_definition(
    held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nade, "HELD_UNITS", held)
    likelihood, h, x = make(), states().requires_grad_(), ALL[-ROWS:]
    weights = torch.linspace(-1.0, 2.0, ROWS, dtype=torch.float64)  # rows of unlike importance
    found, expected = likelihood.log_prob(h, x), by_definition(likelihood, h, x)
    assert torch.allclose(found, expected, atol=1e-12)
    assert torch.equal(likelihood.log_prob(h, x.to(torch.uint8)), found)
    parameters = [h, *likelihood.parameters()]
    for one, other in zip(
        torch.autograd.grad((found * weights).sum(), parameters),
        torch.autograd.grad((expected * weights).sum(), parameters),
        strict=True,
    ):
        assert torch.allclose(one, other, atol=1e-12)


def test_probabilities_of_all_outcomes_sum_to_one() -> None:
    likelihood, h = make(classes=9), states(2)
    every = torch.tensor(list(itertools.product((0, 1), repeat=9)))
    for row in h:
        probabilities = likelihood.log_prob(row.expand(len(every), -1), every).exp()
        assert probabilities.sum().item() == pytest.approx(1.0, abs=1e-12)
        alone = torch.stack([probabilities[every[:, c] == 1].sum() for c in range(9)])
        independent = torch.where(every.bool(), alone, 1 - alone).prod(1)
        assert (independent - probabilities).abs().max() > 0.005  # no Bernoulli could give them


def test_the_mode_takes_the_more_probable_value_of_each_class_in_turn() -> None:
    likelihood, h = make(), 3 * states()
    modes = likelihood.mode(h)
    for row, mode in zip(h, modes, strict=True):
        assert torch.equal((conditionals(likelihood, row, mode) > 0.5).long(), mode)
    assert len(modes.unique(dim=0)) > 2


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_classes_are_drawn_as_often_as_their_tempered_conditionals_say(temperature: float) -> None:
    rows, likelihood, h = 40_000, make(), states(1)
    drawn = likelihood.draw(h.expand(rows, -1), Noise(0, torch.arange(rows)), Choice(temperature=temperature))
    counts = torch.bincount((drawn * torch.tensor([8, 4, 2, 1])).sum(1), minlength=16)
    for x, count in zip(ALL, counts.tolist(), strict=True):
        p = (conditionals(likelihood, h[0], x).logit() / temperature).sigmoid()
        expected = torch.where(x.bool(), p, 1 - p).prod().item()
        assert abs(count / rows - expected) <= 5 * math.sqrt(expected * (1 - expected) / rows)


@pytest.mark.parametrize("choice", [Choice(temperature=0.0), Choice(top_k=1), Choice(temperature=1e-6)])
def test_every_greedy_setting_takes_the_mode(choice: Choice) -> None:
    likelihood, h = make(), states()
    assert torch.equal(likelihood.draw(h, Noise(0, torch.arange(ROWS)), choice), likelihood.mode(h))


@pytest.mark.parametrize("choice", [Choice(top_k=3), Choice(top_p=0.9)])
def test_a_choice_among_listed_outcomes_is_refused(choice: Choice) -> None:
    with pytest.raises(ValueError, match=r"is not possible with the 4 classes of NADE.*lower the temperature"):
        make().draw(states(), Noise(0, torch.arange(ROWS)), choice)


def test_an_example_draws_the_same_alone_and_in_any_batch() -> None:
    likelihood, h = make(), states()
    noise, order = Noise(0, torch.arange(ROWS)), torch.tensor([8, 1, 5])
    drawn = likelihood.draw(h, noise, Choice())
    assert torch.equal(likelihood.draw(h[order], noise.select(order), Choice()), drawn[order])
    assert torch.equal(likelihood.draw(h[3:4], noise.select(torch.tensor([3])), Choice()), drawn[3:4])


def test_log_probabilities_hold_for_logits_that_overflow_an_exponential() -> None:
    likelihood, h = make(torch.float32, scale=1e4), (10_000 * states()).float().requires_grad_()
    log_prob = likelihood.log_prob(h, ALL[:ROWS])
    log_prob.sum().backward()
    assert log_prob.isfinite().all()
    for gradient in (h.grad, *(weight.grad for weight in likelihood.parameters())):
        assert cast(Tensor, gradient).isfinite().all()


def test_autocast_scores_in_single_precision() -> None:
    likelihood, h = make(torch.float32), states().float()
    with torch.autocast("cpu", torch.bfloat16):
        cast = likelihood.log_prob(h, ALL[:ROWS])
        drawn = likelihood.draw(h, Noise(0, torch.arange(ROWS)), Choice())
    assert cast.dtype == torch.float32
    assert drawn.dtype == torch.int64
    assert torch.allclose(cast, likelihood.log_prob(h, ALL[:ROWS]), atol=0.1)
