"""The objective: values that separate each formula from the nearest wrong one, and parts that add up to the whole."""

import math
from itertools import combinations

import pytest
import torch
from torch import Tensor

from seqvae.core.objectives import (
    PROPORTIONAL,
    controlled_weight,
    distance_to_target,
    importance_weighted_bound,
    negative_elbo,
)

LOG_PX = torch.tensor([-3.0, -5.0, -10.0], dtype=torch.float64)
# means over the examples 1, 0.5; sums over the units 0.5, 3, 1
KL = torch.tensor([[0.5, 0.0], [2.0, 1.0], [0.5, 0.5]], dtype=torch.float64)


def value(**settings: float) -> float:
    return negative_elbo(LOG_PX, KL, **settings).item()


def test_the_objective_is_the_mean_over_examples_and_the_sum_over_units() -> None:
    assert value() == pytest.approx(6 + 1.5)


def test_beta_weighs_the_divergence_and_not_the_reconstruction() -> None:
    assert value(beta=0.25) == pytest.approx(6 + 0.375)
    assert value(beta=0.0) == pytest.approx(6)


def test_the_floor_per_dimension_acts_on_the_mean_over_the_batch() -> None:
    # units at 1 and max(0.75, 0.5); a floor per example would give (1.5 + 3 + 1.5) / 3 = 2
    assert value(free_nats_per_dimension=0.75) == pytest.approx(6 + 1.75)
    # both units under the floor count as the floor
    assert value(free_nats_per_dimension=2.0) == pytest.approx(6 + 4)


def test_the_floor_per_dimension_and_example_acts_on_each_number() -> None:
    # (1.5 + 1.5) + (2 + 1.5) + (1.5 + 1.5); a floor on the means of units, or on the sums of examples, would give 3
    assert value(free_nats_per_dimension_and_example=1.5) == pytest.approx(6 + 9.5 / 3)
    assert value(free_nats_per_dimension_and_example=1.5, beta=0.5) == pytest.approx(6 + 9.5 / 6)
    kl = KL.clone().requires_grad_()
    negative_elbo(LOG_PX, kl, 0.6, free_nats_per_dimension_and_example=0.75).backward()
    assert kl.grad is not None
    assert torch.allclose(kl.grad, torch.tensor([[0.0, 0.0], [0.2, 0.2], [0.0, 0.0]], dtype=torch.float64))


def test_the_floor_on_the_total_acts_on_each_example() -> None:
    # (0 + 2 + 0) / 3; a floor on the mean of 1.5 would give 0.5
    assert value(free_nats_total=1.0) == pytest.approx(6 + 2 / 3)
    assert value(free_nats_total=5.0) == pytest.approx(6)


def test_beta_weighs_what_the_free_nats_leave() -> None:
    assert value(beta=0.5, free_nats_per_dimension=0.75) == pytest.approx(6 + 0.875)
    assert value(beta=0.5, free_nats_total=1.0) == pytest.approx(6 + 1 / 3)


KINDS = ("free_nats_per_dimension", "free_nats_per_dimension_and_example", "free_nats_total")


@pytest.mark.parametrize("kinds", list(combinations(KINDS, 2)))
def test_two_kinds_of_free_nats_at_once_are_refused(kinds: tuple[str, str]) -> None:
    match = rf"{kinds[0]}=0\.5 and {kinds[1]}=0\.5 exclude each other; set all but one of them to 0"
    with pytest.raises(ValueError, match=match):
        value(**dict.fromkeys(kinds, 0.5))


def test_units_under_the_floor_get_no_gradient_and_the_others_their_share() -> None:
    kl = KL.clone().requires_grad_()
    negative_elbo(LOG_PX, kl, beta=0.6, free_nats_per_dimension=0.75).backward()
    assert kl.grad is not None
    assert kl.grad.tolist() == pytest.approx(torch.tensor([[0.2, 0.0]] * 3))


def test_examples_under_the_total_get_no_gradient_and_the_others_their_share() -> None:
    kl = KL.clone().requires_grad_()
    negative_elbo(LOG_PX, kl, beta=0.6, free_nats_total=1.25).backward()
    assert kl.grad is not None
    assert torch.allclose(kl.grad, torch.tensor([[0.0, 0.0], [0.2, 0.2], [0.0, 0.0]], dtype=torch.float64))


@pytest.mark.parametrize(
    "settings", [{}, *({kind: 0.75} for kind in KINDS)], ids=["plain", "dimension", "example", "total"]
)
def test_parts_weighted_by_their_sizes_add_up_to_the_whole_with_its_gradient(settings: dict[str, float]) -> None:
    def run(parts: list[slice], kl_mean: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        log_px, kl = LOG_PX.clone().requires_grad_(), KL.clone().requires_grad_()
        shares = [len(LOG_PX[part]) / len(LOG_PX) for part in parts]
        losses = [negative_elbo(log_px[part], kl[part], 0.5, **settings, kl_mean=kl_mean) for part in parts]
        loss = torch.stack([share * part for share, part in zip(shares, losses, strict=True)]).sum()
        gradients = torch.autograd.grad(loss, (log_px, kl))
        return loss.detach(), gradients[0], gradients[1]

    whole = run([slice(0, 3)], None)
    parts = run([slice(0, 1), slice(1, 3)], KL.mean(0))
    for a, b in zip(whole, parts, strict=True):
        assert torch.allclose(a, b, atol=1e-12)


def test_without_the_mean_of_the_whole_the_floor_would_act_on_each_part() -> None:
    # the same parts as above, each with its own floor: what kl_mean is there to prevent
    parts = [negative_elbo(LOG_PX[p], KL[p], free_nats_per_dimension=0.75).item() for p in (slice(0, 1), slice(1, 3))]
    assert parts[0] / 3 + parts[1] * 2 / 3 != pytest.approx(value(free_nats_per_dimension=0.75))


@pytest.mark.parametrize("settings", [{}, *({kind: 0.75} for kind in KINDS)])
@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_divergence_that_is_not_finite_shows_in_the_objective(settings: dict[str, float], broken: float) -> None:
    kl = KL.clone()
    kl[1, 1] = broken
    assert not negative_elbo(LOG_PX, kl, **settings).isfinite()


def test_a_model_without_latent_units_has_its_reconstruction_as_objective() -> None:
    assert negative_elbo(LOG_PX, torch.zeros(3, 0, dtype=torch.float64)).item() == pytest.approx(6)


@pytest.mark.parametrize(("target", "distance", "sign"), [(1.0, 0.5, 1.0), (2.25, 0.75, -1.0)])
def test_the_distance_to_a_target_is_that_of_the_mean_divergence(target: float, distance: float, sign: float) -> None:
    # the mean is 1.5; the mean of the examples' own distances would be 5 / 6 and 13 / 12
    kl = KL.clone().requires_grad_()
    found = distance_to_target(kl, target)
    found.backward()
    assert found.item() == pytest.approx(distance)
    assert kl.grad is not None
    assert kl.grad.flatten().tolist() == pytest.approx([sign / 3] * 6)


def test_the_distances_of_parts_to_a_target_add_up_to_that_of_the_whole() -> None:
    parts = [distance_to_target(KL[part], 1.25, KL.mean(0)).item() for part in (slice(0, 1), slice(1, 3))]
    # the first part lies below the target and the second above, so their own distances would add up to 0.75
    assert parts == pytest.approx([-0.75, 0.75])
    assert parts[0] / 3 + parts[1] * 2 / 3 == pytest.approx(0.25)


def test_a_divergence_that_is_not_finite_has_no_distance() -> None:
    assert distance_to_target(KL * math.nan, 1.0).isnan()


def test_the_controlled_weight_is_that_of_the_formula() -> None:
    # Shao et al. 2020, equation 9, summed up from the start
    errors, gain = (-4.0, -2.0, 1.0, -0.5), 0.01
    integral = 0.0
    for count, error in enumerate(errors, 1):
        weight, integral = controlled_weight(6.0 - error, 6.0, integral, gain)
        assert integral == pytest.approx(-gain * sum(errors[:count]))
        assert weight == pytest.approx(PROPORTIONAL / (1 + math.exp(error)) - gain * sum(errors[:count]))


def test_the_controlled_weight_stays_between_zero_and_the_most_and_leaves_an_end_at_once() -> None:
    weight, integral = controlled_weight(1000.0, 5.0, 0.3, 0.01, most=0.4)
    assert (weight, integral) == (0.4, 0.4)
    assert controlled_weight(3.0, 5.0, integral, 0.01, most=0.4)[0] < 0.4, "the integral ran away"
    assert controlled_weight(0.0, 1e6, 0.3, 0.01) == (pytest.approx(0.0, abs=1e-300), 0.0)


def test_the_controller_brings_a_divergence_that_the_weight_lowers_to_its_target() -> None:
    kl, integral = 12.0, 0.0
    for _ in range(3000):
        weight, integral = controlled_weight(kl, 4.0, integral, 5e-4)
        kl += 0.02 * (12.0 * math.exp(-3.0 * weight) - kl)  # it follows the weight with a delay of fifty steps
    assert kl == pytest.approx(4.0, abs=1e-3)
    assert weight == pytest.approx(math.log(3.0) / 3.0, abs=1e-3)


def test_the_importance_weighted_bound_takes_the_mean_inside_of_the_logarithm() -> None:
    log_weights = torch.tensor([[1.0, 3.0, 8.0], [2.0, 2.0, 2.0]], dtype=torch.float64).log()
    # the mean outside would give log 24 / 3 for the first example
    assert importance_weighted_bound(log_weights).tolist() == pytest.approx([math.log(4), math.log(2)])


def test_the_importance_weighted_bound_of_one_sample_is_its_log_weight() -> None:
    assert importance_weighted_bound(torch.tensor([[-700.5], [3.0]])).tolist() == [-700.5, 3.0]


def test_the_importance_weighted_bound_holds_where_the_weights_themselves_underflow() -> None:
    log_weights = torch.tensor([[-2000.0, -2000.0 + math.log(3)]], dtype=torch.float64)
    assert importance_weighted_bound(log_weights).item() == pytest.approx(-2000 + math.log(2), abs=1e-10)


def test_the_importance_weighted_bound_lies_between_the_mean_and_the_largest_log_weight() -> None:
    log_weights = torch.randn(7, 5, dtype=torch.float64) * 3
    bound = importance_weighted_bound(log_weights)
    assert (bound > log_weights.mean(1)).all()
    assert (bound < log_weights.amax(1)).all()
