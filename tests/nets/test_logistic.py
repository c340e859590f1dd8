"""The logistic distribution in bins: against its distribution function, in the tails, and by numerical inversion."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from seqvae.nets.logistic import log_mass, truncated_quantile


def cdf(x: Any, location: float = 0.0, scale: float = 1.0) -> Any:
    """The distribution function of the logistic distribution, as it is written in books."""
    return 1 / (1 + np.exp(-(np.asarray(x) - location) / scale))


def test_what_a_bin_holds_is_a_difference_of_the_distribution_function() -> None:
    centre, half = torch.tensor([-1.5, 0.3, 2.0], dtype=torch.float64), torch.tensor([0.2, 1.5, 0.01]).double()
    expected = [cdf(c + h) - cdf(c - h) for c, h in zip(centre.tolist(), half.tolist(), strict=True)]
    assert log_mass(centre, half).exp().tolist() == pytest.approx(expected, rel=1e-9)


def test_an_open_bin_holds_all_that_is_beyond() -> None:
    centre, half = torch.tensor([-1.0, 0.5, 3.0], dtype=torch.float64), torch.full((3,), 0.25, dtype=torch.float64)
    below, above = torch.tensor([True, False, False]), torch.tensor([False, False, True])
    expected = [cdf(-0.75), cdf(0.75) - cdf(0.25), cdf(-2.75)]
    assert log_mass(centre, half, below, above).exp().tolist() == pytest.approx(expected, rel=1e-12)
    assert torch.equal(log_mass(centre, half, below | True, above | True), torch.zeros(3).double())


def test_nothing_is_lost_in_the_tails_on_either_side() -> None:
    centre, half = torch.tensor([-500.0, 500.0]), torch.tensor([0.5, 0.5])
    # far out the density is exp(-|x|): the bin holds exp(-499.5) - exp(-500.5)
    expected = -499.5 + math.log1p(-math.exp(-1.0))
    assert log_mass(centre, half).tolist() == pytest.approx([expected] * 2, rel=1e-6)


@pytest.mark.parametrize("location", [-0.7, 0.0, 0.4, 1.3, -2.5])
def test_a_truncated_quantile_is_where_its_share_is_below(location: float) -> None:
    share = torch.linspace(0.01, 0.99, 25, dtype=torch.float64)
    value = truncated_quantile(share, torch.full_like(share, location), torch.full_like(share, 0.3), 1.2)
    low, high = (cdf(end, location, 0.3) for end in (-1.2, 1.2))
    below = (cdf(value, location, 0.3) - low) / (high - low)
    assert below.tolist() == pytest.approx(share.tolist(), abs=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_of_a_location_far_outside_the_nearest_end_is_left(dtype: torch.dtype) -> None:
    share, scale = torch.tensor([0.001, 0.5, 0.999], dtype=dtype), torch.full((3,), 0.01, dtype=dtype)
    for side in (-1.0, 1.0):
        value = truncated_quantile(share, torch.full_like(scale, 40.0 * side), scale, 1.0)
        assert value.tolist() == pytest.approx([side] * 3, abs=0.1)
        assert value.isfinite().all()
