"""The weight of the KL term: the values of each schedule at chosen points."""

import math
import re

import pytest

from seqvae.core.schedules import kl_weight, sampling_probability

SCHEDULES = ("linear", "sigmoid", "cosine", "cyclical")


def test_the_constant_schedule_is_its_final_value_from_the_first_step() -> None:
    assert [kl_weight(p, "constant", start=0.1, final=0.7) for p in (0.0, 0.3, 1.0, 5.0)] == [0.7] * 4


def test_the_linear_schedule_rises_evenly_from_start_to_final() -> None:
    weights = [kl_weight(p, "linear", start=0.2, final=0.6) for p in (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)]
    assert weights == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6, 0.6])


def test_the_sigmoid_schedule_is_the_logistic_curve_stretched_to_both_ends() -> None:
    weights = [kl_weight(p, "sigmoid", start=0.2, final=0.6) for p in (0.0, 0.25, 0.5, 0.75, 1.0)]
    # (tanh(2.5 (2 p - 1)) / tanh(2.5) + 1) / 2 is the same curve in another form
    shares = [(math.tanh(2.5 * (2 * p - 1)) / math.tanh(2.5) + 1) / 2 for p in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert weights == pytest.approx([0.2 + 0.4 * share for share in shares])
    assert weights[1] == pytest.approx(0.2 + 0.4 * 0.070102, abs=1e-5)


def test_the_cosine_schedule_is_half_a_cosine() -> None:
    weights = [kl_weight(p, "cosine", start=0.2, final=0.6) for p in (0.0, 1 / 6, 0.25, 0.5, 2 / 3, 1.0)]
    # sin^2(pi p / 2) is the same curve: at a quarter (1 - sqrt(1/2)) / 2, at two thirds 3/4
    shares = [0.0, math.sin(math.pi / 12) ** 2, (1 - math.sqrt(0.5)) / 2, 0.5, 0.75, 1.0]
    assert weights == pytest.approx([0.2 + 0.4 * share for share in shares])


def test_the_cyclical_schedule_rises_and_rests_in_each_cycle() -> None:
    points = [0.0, 0.05, 0.1, 0.15, 0.2, 0.26, 1 / 3, 0.3834, 0.99]
    weights = [kl_weight(p, "cyclical", start=0.1, final=0.5, cycles=3, rising=0.6) for p in points]
    # each cycle is a third long; the rise ends at 0.2 of it
    expected = [0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.1, 0.2, 0.5]
    assert weights == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_rise_begins_at_start_and_ends_at_final(schedule: str) -> None:
    assert kl_weight(0.0, schedule, start=0.25, final=0.75) == 0.25
    assert kl_weight(1.0, schedule, start=0.25, final=0.75) == 0.75
    assert kl_weight(40.0, schedule, start=0.25, final=0.75) == 0.75


@pytest.mark.parametrize("schedule", ["linear", "sigmoid", "cosine"])
def test_a_schedule_of_one_rise_never_falls(schedule: str) -> None:
    weights = [kl_weight(i / 97, schedule) for i in range(120)]
    assert weights == sorted(weights)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_weight_may_fall_from_start_to_final(schedule: str) -> None:
    assert kl_weight(0.0, schedule, start=1.0, final=0.2) == 1.0
    assert 0.2 < kl_weight(0.04, schedule, start=1.0, final=0.2) < 1.0


def test_a_cycle_that_only_rises_is_a_saw() -> None:
    weights = [kl_weight(p, "cyclical", cycles=2, rising=1.0) for p in (0.125, 0.25, 0.4375, 0.5)]
    assert weights == pytest.approx([0.25, 0.5, 0.875, 0.0])


@pytest.mark.parametrize(("cycles", "rising"), [(0, 0.5), (-1, 0.5), (4, 0.0), (4, 1.5), (4, -0.1)])
def test_cycles_that_are_not_possible_are_refused(cycles: int, rising: float) -> None:
    with pytest.raises(ValueError, match=f"cycles={cycles}, rising={rising} is not possible; give 1 or more"):
        kl_weight(0.5, "cyclical", cycles=cycles, rising=rising)


def test_negative_progress_is_refused() -> None:
    with pytest.raises(ValueError, match=r"training progress -0\.1 is negative; it starts at 0"):
        kl_weight(-0.1)


def test_the_share_of_drawn_inputs_is_that_of_musicvaes_formulas() -> None:
    assert sampling_probability(10**9) == 0.0
    assert sampling_probability(3, "constant", 0.4) == 0.4
    assert [sampling_probability(s, "exponential", 0.9) for s in (0, 1, 10)] == pytest.approx([0, 0.1, 1 - 0.9**10])
    for step in (0, 500, 6908, 30_000):
        expected = 1 - 1000 / (1000 + math.exp(step / 1000))
        assert sampling_probability(step, "inverse_sigmoid", 1000.0) == pytest.approx(expected)
    assert sampling_probability(10**8, "inverse_sigmoid", 10.0) == 1.0  # where exp(step / rate) overflows


@pytest.mark.parametrize(
    ("schedule", "rate", "possible"),
    [
        ("constant", 1.1, "from 0 to 1"),
        ("constant", -0.1, "from 0 to 1"),
        ("exponential", 1.0, "between 0 and 1"),
        ("exponential", 0.0, "between 0 and 1"),
        ("inverse_sigmoid", 0.5, "of 1 or more"),
        ("inverse_sigmoid", math.inf, "of 1 or more"),
    ],
)
def test_a_sampling_rate_outside_its_range_is_refused(schedule: str, rate: float, possible: str) -> None:
    message = f"a sampling rate of {rate} is not possible with the schedule {schedule}; give a number {possible}"
    with pytest.raises(ValueError, match=re.escape(message)):
        sampling_probability(0, schedule, rate)
