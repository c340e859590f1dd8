"""Draws from many outcomes: the inverse in two steps, and nuclei without a sort."""

import pytest
import torch

from seqvae.nets import draws
from seqvae.nets.draws import Choice, drawn, inverse, most_probable
from seqvae.noise import Noise

MANY = 10 * draws.FEW + 7  # outcomes, with a block at the end that is not full


def logits_of(rows: int = 1, scale: float = 1.0) -> torch.Tensor:
    """(rows, MANY), of which every third outcome is impossible."""
    torch.manual_seed(0)
    found = scale * torch.randn(rows, MANY)
    found[:, ::3] = -torch.inf
    return found


def test_the_inverse_is_that_of_the_running_sum() -> None:
    weights = logits_of(40).exp()
    share = torch.rand(40, 1, dtype=torch.float64)
    cumulative = weights.double().cumsum(1)
    expected = torch.searchsorted(cumulative, share * cumulative[:, -1:]).squeeze(1)
    assert torch.equal(inverse(weights, share), expected)
    few = weights[:, : draws.FEW]
    target = share * few.double().sum(1, keepdim=True)
    assert torch.equal(inverse(few, share), torch.searchsorted(few.double().cumsum(1), target).squeeze(1))


@pytest.mark.parametrize("share", [2.0**-53, 0.5, 1 - 2.0**-53])
def test_an_outcome_of_weight_zero_is_never_the_one(share: float) -> None:
    weights = torch.zeros(3, MANY)
    weights[0, 1], weights[1, -2] = 1e-30, 1e30
    weights[2, [70, 200, MANY - 3]] = torch.tensor([0.1, 0.7, 0.2])
    found = inverse(weights, torch.full((3, 1), share, dtype=torch.float64)).tolist()
    assert found == [1, MANY - 2, {2.0**-53: 70, 0.5: 200}.get(share, MANY - 3)]


def nucleus(logits: torch.Tensor, top_p: float) -> set[int]:
    """The smallest set of the most probable outcomes whose mass reaches p, by a sort."""
    p = logits.double().softmax(0)
    order = sorted(range(len(p)), key=lambda x: -p[x])
    mass = p[order].cumsum(0)
    return set(order[: int((mass < top_p).sum()) + 1])


@pytest.mark.parametrize(("top_p", "scale"), [(0.9, 1.0), (0.3, 3.0), (0.02, 1.0)])
def test_a_nucleus_of_many_outcomes_is_drawn_from_as_its_probabilities_say(top_p: float, scale: float) -> None:
    """That of 2 % is seldom met by draws from all: most rows end with the sort."""
    rows, logits = 6000, logits_of(scale=scale)[0]
    found = drawn(logits.expand(rows, -1), Noise(0, torch.arange(rows)), Choice(top_p=top_p))
    inside = torch.tensor(sorted(nucleus(logits, top_p)))
    assert set(found.tolist()) <= set(inside.tolist())
    p = logits[inside].double().softmax(0)
    half = p.argsort(descending=True)[: max(1, len(p) // 4)]  # the share of the most probable quarter
    share = torch.isin(found, inside[half]).double().mean()
    expected = p[half].sum()
    assert abs(share - expected) < 5 * (expected * (1 - expected) / rows).sqrt()


def test_of_equal_outcomes_the_first_are_in_the_nucleus_sorted_or_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logits, noise = torch.zeros(500, 8), Noise(0, torch.arange(500))
    assert drawn(logits, noise, Choice(top_p=0.5)).unique().tolist() == [0, 1, 2, 3]
    monkeypatch.setattr(draws, "TRIES", 0)
    assert drawn(logits, noise, Choice(top_p=0.5)).unique().tolist() == [0, 1, 2, 3]
    assert drawn(logits, noise, Choice(top_k=4, top_p=0.5)).unique().numel() == 2
    assert drawn(logits, noise, Choice(top_p=1e-12)).unique().tolist() == [0]


@pytest.mark.parametrize("choice", [Choice(), Choice(top_k=50), Choice(top_p=0.5), Choice(top_k=50, top_p=0.5)])
def test_a_row_draws_the_same_alone_and_in_any_slice(choice: Choice, monkeypatch: pytest.MonkeyPatch) -> None:
    logits, noise = logits_of(30), Noise(0, torch.arange(30))
    found = drawn(logits, noise, choice)
    assert drawn(logits[7:8], noise.select(torch.tensor([7])), choice).item() == found[7].item()
    monkeypatch.setattr(draws, "SLICE_BYTES", 1)
    assert torch.equal(drawn(logits, noise, choice), found)
    assert drawn(logits[:0], noise.select(torch.arange(0)), choice).shape == (0,)


@pytest.mark.parametrize("count", [1, 5, 200])
@pytest.mark.parametrize("outcomes", [40, draws.FEW, MANY, MANY + 57])
def test_the_most_probable_outcomes_are_those_of_a_sort(
    count: int, outcomes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    logits, count = torch.randn(9, outcomes), min(count, outcomes)
    logits[0, -3:], logits[1, :3] = 9.0 + torch.arange(3), 9.0 + torch.arange(3)  # neighbours, behind the last block
    scores, found = most_probable(logits, count)
    ordered, expected = logits.log_softmax(1).sort(dim=1, descending=True)
    assert torch.equal(found, expected[:, :count])
    torch.testing.assert_close(scores, ordered[:, :count])
    monkeypatch.setattr(draws, "SLICE_BYTES", 1)
    assert torch.equal(most_probable(logits, count)[1], found)
    assert most_probable(logits[:0], count)[1].shape == (0, count)
