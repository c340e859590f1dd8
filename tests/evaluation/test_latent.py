"""Mutual information and active units against brute force, quadrature and cases with a known answer."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from seqvae.core.posterior import DiagonalGaussian
from seqvae.evaluation.latent import active_units, collect_posterior, mutual_information, neighbour_accuracy
from seqvae.noise import Noise
from tests.evaluation.models import batchings, lstm_vae


def random_posterior(items: int, units: int) -> DiagonalGaussian:
    return DiagonalGaussian(
        torch.randn(items, units, dtype=torch.float64), torch.randn(items, units, dtype=torch.float64) * 0.5 - 1
    )


def test_mutual_information_equals_a_double_loop_over_items() -> None:
    q = random_posterior(items=13, units=3)
    z = q.rsample(Noise(5, torch.arange(13)))
    total = 0.0
    for i in range(13):
        densities = [
            math.exp(sum(float(Normal(q.mean[n, u], q.scale[n, u]).log_prob(z[i, u])) for u in range(3)))
            for n in range(13)
        ]
        entropy = sum(float(Normal(q.mean[i, u], q.scale[i, u]).entropy()) for u in range(3))
        total += -entropy - math.log(sum(densities) / 13)
    assert mutual_information(q, seed=5) == pytest.approx(total / 13, abs=1e-12)


def test_mutual_information_does_not_depend_on_the_chunks() -> None:
    q = random_posterior(items=13, units=3)
    whole = mutual_information(q)
    for pairs in (1, 30, 169):  # one row, two rows, all rows at a time
        assert mutual_information(q, pairs_per_chunk=pairs) == pytest.approx(whole, abs=1e-13)


def test_separate_posteriors_carry_the_logarithm_of_their_number() -> None:
    """The sampling error is that of the mean of (eps^2 - 1) / 2: sqrt(Z / (2 N)); held to four of it."""
    items, units = 500, 3
    mean = torch.zeros(items, units, dtype=torch.float64)
    mean[:, 1] = 100.0 * torch.arange(items)
    q = DiagonalGaussian(mean, torch.full_like(mean, -1.0))
    assert mutual_information(q) == pytest.approx(math.log(items), abs=4 * math.sqrt(units / (2 * items)))


def test_equal_posteriors_carry_nothing() -> None:
    items, units = 500, 3
    q = DiagonalGaussian(
        torch.full((items, units), 0.7, dtype=torch.float64), torch.full((items, units), -0.4, dtype=torch.float64)
    )
    assert mutual_information(q) == pytest.approx(0.0, abs=4 * math.sqrt(units / (2 * items)))


def test_a_far_off_mean_costs_no_precision() -> None:
    """Densities at (mean / scale)^2 = 1e12, where uncentred squares in float64 would be off by 1e-4."""
    q = random_posterior(items=13, units=3)
    moved = DiagonalGaussian(q.mean + 1e6, q.log_scale)
    assert mutual_information(moved) == pytest.approx(mutual_information(q), abs=1e-7)


def test_overlapping_posteriors_carry_what_quadrature_finds() -> None:
    """Three posteriors in turn over 3000 items; four standard errors of log q(z) at one draw an item."""
    means = torch.tensor([-1.0, 0.2, 1.5], dtype=torch.float64).repeat(1000)
    scales = torch.tensor([0.5, 1.1, 0.3], dtype=torch.float64).repeat(1000)
    q = DiagonalGaussian(means.unsqueeze(1), scales.log().unsqueeze(1))
    grid = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    mixture = sum(Normal(means[i], scales[i]).log_prob(grid).exp() for i in range(3)) / 3
    information_nats = float(torch.trapezoid(-mixture * torch.log(mixture.clamp(min=1e-300)), grid))
    information_nats -= sum(float(Normal(means[i], scales[i]).entropy()) for i in range(3)) / 3
    second = float(torch.trapezoid(mixture * torch.log(mixture.clamp(min=1e-300)) ** 2, grid))
    assert 0.3 < information_nats < math.log(3)
    assert mutual_information(q) == pytest.approx(information_nats, abs=4 * math.sqrt(second / 3000))


@pytest.mark.parametrize("arrangement", ["alone", "padded", "backwards"])
def test_the_posterior_of_a_set_does_not_depend_on_how_it_is_batched(sentences: list[Tensor], arrangement: str) -> None:
    vae = lstm_vae(latent=5, outcomes=9)
    arranged = batchings(sentences)
    whole, _ = collect_posterior(vae, arranged["one batch"])
    other, keys = collect_posterior(vae, arranged[arrangement])
    assert keys.tolist() == [10, 11, 12, 13, 14, 15, 16]
    torch.testing.assert_close(other.mean, whole.mean, rtol=0, atol=1e-13)
    torch.testing.assert_close(other.log_scale, whole.log_scale, rtol=0, atol=1e-13)
    assert mutual_information(other, seed=1) == pytest.approx(mutual_information(whole, seed=1), abs=1e-12)


def test_single_precision_posteriors_are_collected_in_double_precision(sentences: list[Tensor]) -> None:
    vae = lstm_vae(latent=5, outcomes=9).float()
    q, _ = collect_posterior(vae, batchings(sentences)["one batch"])
    assert q.mean.dtype == q.log_scale.dtype == torch.float64
    expected = vae.posterior(batchings(sentences)["one batch"][0]).mean.detach().double()
    assert torch.equal(q.mean, expected)


def test_a_unit_is_active_when_its_unbiased_variance_exceeds_the_threshold() -> None:
    # Variances with N - 1: 0.0128 (with N it would be 0.0064), 0.0098, 2, 0.
    mean = torch.tensor([[0.08, 0.07, 101.0, 3.0], [-0.08, -0.07, 99.0, 3.0]], dtype=torch.float64)
    assert active_units(mean) == 2
    assert active_units(mean, threshold=0.009) == 3
    assert active_units(mean, threshold=1.9) == 1


def test_a_language_model_has_no_information_and_no_active_unit(sentences: list[Tensor]) -> None:
    q, keys = collect_posterior(lstm_vae(latent=0, outcomes=9), batchings(sentences)["backwards"])
    assert q.mean.shape == (7, 0)
    assert keys.tolist() == [10, 11, 12, 13, 14, 15, 16]
    assert mutual_information(q) == 0.0
    assert active_units(q.mean) == 0


def test_one_item_has_no_active_unit() -> None:
    assert active_units(torch.ones(1, 4, dtype=torch.float64)) == 0


def test_a_set_without_items_is_refused() -> None:
    with pytest.raises(ValueError, match="0 items"):
        collect_posterior(lstm_vae(latent=5, outcomes=9), [])
    with pytest.raises(ValueError, match="0 items"):
        mutual_information(random_posterior(items=0, units=3))


def test_neighbours_vote_by_hand() -> None:
    mean = torch.tensor([[0.0], [1.0], [2.1], [10.0], [11.0], [13.0]])
    labels = torch.tensor([4, 4, 7, 7, 7, 4])
    # nearest other one: 4 by 4, 4 by 4, 7 by 4 (wrong), 7 by 7, 7 by 7, 4 by 7 (wrong)
    assert neighbour_accuracy(mean, labels, neighbours=1) == pytest.approx(4 / 6)
    # two nearest: 4 and 7 tie, and the smaller label wins
    assert neighbour_accuracy(mean[:3], labels[:3], neighbours=2) == pytest.approx(2 / 3)
    # more neighbours than there are others are all others
    assert neighbour_accuracy(mean[:3], labels[:3], neighbours=9) == pytest.approx(2 / 3)


def brute_force_votes(mean: Tensor, labels: Tensor, neighbours: int) -> float:
    """The definition, item by item."""
    right = 0
    for item in range(len(mean)):
        others = [place for place in range(len(mean)) if place != item]
        others.sort(key=lambda place: float((mean[place] - mean[item]).square().sum()))
        votes = [int(labels[place]) for place in others[:neighbours]]
        most = max(votes.count(label) for label in votes)
        right += min(label for label in votes if votes.count(label) == most) == int(labels[item])
    return right / len(mean)


@pytest.mark.parametrize("neighbours", [1, 4, 5])
@pytest.mark.parametrize("pairs", [1, 130, 2**22])
def test_neighbours_vote_as_in_a_double_loop_whatever_the_chunks(neighbours: int, pairs: int) -> None:
    mean = torch.randn(61, 3)
    labels = torch.randint(0, 4, (61,)) + (mean[:, 0] > 0) * 2
    expected = brute_force_votes(mean, labels, neighbours)
    assert 0.2 < expected < 0.9
    assert neighbour_accuracy(mean, labels, neighbours, pairs) == pytest.approx(expected, abs=1e-12)


def test_items_without_a_label_neither_vote_nor_count() -> None:
    mean, labels = torch.randn(40, 3), torch.randint(0, 3, (40,))
    without = labels.clone()
    without[::3] = -1
    kept = without >= 0
    assert neighbour_accuracy(mean, without, 3) == pytest.approx(brute_force_votes(mean[kept], labels[kept], 3))
    assert neighbour_accuracy(mean, torch.full((40,), -1)) is None
    alone = torch.full((40,), -1)
    alone[7] = 2
    assert neighbour_accuracy(mean, alone) is None
    alone[9] = 2
    assert neighbour_accuracy(mean, alone) == 1.0


def test_a_far_off_mean_costs_neighbours_no_precision() -> None:
    """Distances of about 1e-3 at (mean / distance)^2 = 1e18, where products of uncentred means have no digits left."""
    mean = torch.randn(80, 4, dtype=torch.float64) * 2.0**-10
    labels = torch.randint(0, 3, (80,)) + (mean[:, 0] > 0) * 2
    moved = mean + 2.0**20
    near = (moved - 2.0**20).contiguous()  # what is left of the differences
    assert neighbour_accuracy(moved, labels, 3) == pytest.approx(brute_force_votes(near, labels, 3), abs=1e-12)
