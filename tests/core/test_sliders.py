"""Sliders of a Gaussian whose axes are known."""

import math

import pytest
import torch

from seqvae.core.priors import Mixture
from seqvae.core.sliders import AtSliders, principal_axes, share_of_variance
from seqvae.noise import Noise

MEAN = torch.tensor([5.0, -1.0, 2.0], dtype=torch.float64)
TURNED = torch.tensor([[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)  # axes are columns
DEVIATIONS = torch.tensor([0.5, 3.0, 1.0], dtype=torch.float64)


def gaussian() -> Mixture:
    covariance = TURNED @ torch.diag(DEVIATIONS**2) @ TURNED.T
    return Mixture(torch.zeros(1).double(), MEAN[None], torch.linalg.cholesky(covariance)[None])


def test_axes_are_the_directions_of_most_variance_longest_first() -> None:
    expected = torch.tensor([[2.4, -1.8, 0.0], [0.0, 0.0, 1.0], [0.3, 0.4, 0.0]], dtype=torch.float64)
    assert torch.allclose(principal_axes(gaussian()), expected, atol=1e-12)  # the largest part of each is positive
    assert share_of_variance(principal_axes(gaussian()), 1) == pytest.approx(9.0 / 10.25)
    assert share_of_variance(principal_axes(gaussian()), 3) == pytest.approx(1.0)


def test_all_sliders_say_where_the_code_is() -> None:
    found = AtSliders(gaussian(), (2.0, -1.0, 0.5)).codes(Noise(0, torch.arange(2)))
    expected = MEAN + torch.tensor([4.8, -3.6, -1.0]).double() + 0.5 * torch.tensor([0.3, 0.4, 0.0]).double()
    assert torch.allclose(found, expected.expand(2, 3), atol=1e-7)


def test_moving_a_slider_moves_each_sample_along_its_axis_alone() -> None:
    noise = Noise(0, torch.arange(40))
    here, there = (AtSliders(gaussian(), (place,)).codes(noise) for place in (0.0, 1.5))
    assert torch.allclose(there - here, torch.tensor([3.6, -2.7, 0.0]).double().expand(40, 3), atol=1e-7)
    along = (here - MEAN) @ (principal_axes(gaussian())[0] / 9.0)
    assert float(along.abs().max()) < 1e-12
    assert float(here[:, 2].std()) == pytest.approx(1.0, abs=0.3)  # what no slider says is drawn


def test_without_sliders_draws_are_those_of_the_gaussian() -> None:
    z = AtSliders(gaussian(), ()).codes(Noise(1, torch.arange(4000)))
    covariance = gaussian().factors[0] @ gaussian().factors[0].T
    assert torch.allclose(torch.cov(z.T), covariance, atol=0.35)
    assert torch.allclose(z.mean(0), MEAN, atol=0.15)


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ((0.0,) * 4, "4 sliders are too many; there are 3"),
        ((0.0, math.nan), "a slider at nan is not possible; give standard deviations, such as -1.5"),
        ((math.inf,), "a slider at inf is not possible"),
    ],
)
def test_sliders_that_cannot_be_are_refused(places: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AtSliders(gaussian(), places)


def test_codes_on_a_plane_have_no_density() -> None:
    with pytest.raises(ValueError, match="have no density; take the Gaussian itself"):
        AtSliders(gaussian(), (1.0,)).log_prob(MEAN[None])
