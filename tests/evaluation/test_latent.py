"""Mutual information and active units against brute force, quadrature and cases with a known answer."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from seqvae.core.posterior import DiagonalGaussian
from seqvae.core.vae import VAE
from seqvae.evaluation.latent import (
    active_units,
    code_gain,
    collect_posterior,
    mutual_information,
    neighbour_accuracy,
)
from seqvae.evaluation.likelihood import elbo
from seqvae.noise import Noise
from seqvae.types import Batch
from tests.evaluation.models import Flat, batchings, lstm_vae


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


def test_a_paired_estimate_of_equal_posteriors_is_nothing_and_of_separate_ones_the_logarithm() -> None:
    """Without the sampling error that the closed form of the entropy brings along."""
    items, units = 50, 3
    mean = torch.zeros(items, units, dtype=torch.float64)  # and, for each separate posterior, a place of its own
    assert mutual_information(DiagonalGaussian(mean + 0.7, mean - 0.4), paired=True) == pytest.approx(0.0, abs=1e-12)
    mean[:, 1] = 100.0 * torch.arange(items)
    separate = DiagonalGaussian(mean, torch.full_like(mean, -1.0))
    assert mutual_information(separate, paired=True) == pytest.approx(math.log(items), abs=1e-8)


def test_both_estimates_of_the_mutual_information_are_of_one_quantity() -> None:
    """They differ by the mean of (eps^2 - 1) / 2 over units and items: held to four of its error, sqrt(Z / (2 N))."""
    q = random_posterior(items=800, units=3)
    paired = mutual_information(q, paired=True)
    assert paired == pytest.approx(mutual_information(q), abs=4 * math.sqrt(3 / 1600))
    eps = q.standard(Noise(0, torch.arange(800)))
    assert mutual_information(q) - paired == pytest.approx(float((eps**2 - 1).sum(1).mean()) / 2, abs=1e-12)


class Linear(torch.nn.Module):
    """p(x|z) = N(x; w z, 1) of one number: -log p(x|z) = (x - w z)^2 / 2 + log(2 pi) / 2."""

    has_steps, latent = False, 1

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    def log_prob(self, z: Tensor, batch: Batch) -> Tensor:
        return -0.5 * (batch.x.flatten().double() - self.weight * z[:, 0]) ** 2 - 0.5 * math.log(2 * math.pi)


def with_decoder(decoder: torch.nn.Module) -> VAE:
    return VAE(Flat(), decoder).double()


def numbers(x: Tensor, size: int) -> list[Batch]:
    rows = torch.arange(len(x)).split(size)
    return [Batch(x[part].unsqueeze(1), torch.ones(len(part), dtype=torch.int64), 7 + 3 * part) for part in rows]


@pytest.mark.parametrize("size", [300, 7])
def test_what_a_linear_decoder_gains_from_its_codes_is_the_closed_form(size: int) -> None:
    """x = z of variance V: own codes cost (1 - w)^2 V / 2, shuffled ones (1 + w^2) V / 2, so that w V is gained.

    Up to the covariance of an item with its neighbour in the circle, of error V / sqrt(N), times w; held to four of it.
    """
    x = torch.randn(300, dtype=torch.float64) * 2.0
    x = (x - x.mean()) / x.std(correction=0) * 2.0  # of variance 4 exactly
    q = DiagonalGaussian(x.unsqueeze(1), torch.full((300, 1), -40.0, dtype=torch.float64))
    gain = code_gain(with_decoder(Linear(0.5)), numbers(x, size), q, 7 + 3 * torch.arange(300))
    constant = 0.5 * math.log(2 * math.pi)
    assert gain.own_nats == pytest.approx(0.25 * 4.0 / 2 + constant, abs=1e-9)
    assert gain.shuffled_nats == pytest.approx(1.25 * 4.0 / 2 + constant, abs=4 * 0.5 * 4.0 / math.sqrt(300))
    assert gain.nats == pytest.approx(gain.shuffled_nats - gain.own_nats)


def test_a_decoder_that_ignores_its_code_gains_exactly_nothing() -> None:
    x = torch.randn(13, dtype=torch.float64)
    q = random_posterior(items=13, units=2)
    assert code_gain(with_decoder(Linear(0.0)), numbers(x, 5), q, 7 + 3 * torch.arange(13)).nats == 0.0


@pytest.mark.parametrize("items", [2, 3, 10])
def test_shuffled_codes_are_all_met_once_and_none_by_its_own_item(items: int) -> None:
    met: dict[int, int] = {}

    class Recorder(Linear):
        def log_prob(self, z: Tensor, batch: Batch) -> Tensor:
            met.update(zip(batch.keys.tolist(), z[:, 0].round().long().tolist(), strict=True))
            return z[:, 0]

    keys = torch.arange(items)
    q = DiagonalGaussian(100.0 * keys.double().unsqueeze(1), torch.full((items, 1), -40.0, dtype=torch.float64))
    x = torch.zeros(items, dtype=torch.float64)
    batches = [Batch(x.unsqueeze(1), torch.ones(items, dtype=torch.int64), keys.flip(0))]
    code_gain(with_decoder(Recorder(1.0)), batches, q, keys)
    assert sorted(met.values()) == [100 * key for key in range(items)]
    assert all(code != 100 * key for key, code in met.items())


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


@pytest.mark.parametrize("arrangement", ["one batch", "alone", "padded", "backwards"])
def test_a_gain_is_that_of_the_draws_of_the_bound_however_items_are_batched(
    arrangement: str, sentences: list[Tensor]
) -> None:
    vae = lstm_vae(latent=5, outcomes=9)
    arranged = batchings(sentences)
    gains = [
        code_gain(vae, arranged[name], *collect_posterior(vae, arranged[name]), 4)
        for name in ("one batch", arrangement)
    ]
    assert gains[0].own_nats == pytest.approx(elbo(vae, arranged["one batch"], 4).mean_reconstruction_nats, rel=1e-10)
    assert abs(gains[0].nats) > 1e-3
    for name in ("own_nats", "shuffled_nats"):
        assert getattr(gains[1], name) == pytest.approx(getattr(gains[0], name), rel=1e-10)


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
