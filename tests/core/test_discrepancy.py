"""The maximum mean discrepancy: closed forms, brute-force sums, draws of the prior, and parts that add up."""

import math

import pytest
import torch

from seqvae.core.discrepancy import Estimator, Kernel, discrepancy, kernel, kernel_to_prior

KINDS: tuple[Kernel, ...] = ("inverse_multiquadratic", "gaussian", "quadratic")


def test_a_kernel_of_two_codes_is_its_formula() -> None:
    a, b = torch.tensor([[1.0, -2.0, 0.5]]).double(), torch.tensor([[0.0, 1.0, 0.5], [1.0, -2.0, 0.5]]).double()
    # squared distances 10 and 0, C = 6
    assert kernel(a, b, "inverse_multiquadratic").tolist()[0] == pytest.approx([6 / 16, 1.0])
    assert kernel(a, b, "gaussian").tolist()[0] == pytest.approx([math.exp(-10 / 6), 1.0])
    # products -1.75 and 5.25
    assert kernel(a, b, "quadratic").tolist()[0] == pytest.approx([-0.875 + 0.765625, 2.625 + 6.890625])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variance", [1.0, 2.0])
@pytest.mark.parametrize("distance", [0.0, 1.3, 9.0, 60.0])
def test_the_kernel_to_the_prior_is_its_integral_over_the_plane(kind: Kernel, variance: float, distance: float) -> None:
    axis = torch.linspace(-12, 12, 601, dtype=torch.float64) * variance**0.5
    for units, points in ((1, axis.unsqueeze(1)), (2, torch.cartesian_prod(axis, axis))):
        density = torch.exp(-points.square().sum(1) / (2 * variance)) / (2 * math.pi * variance) ** (units / 2)
        z = torch.zeros(1, units, dtype=torch.float64)
        z[0, -1] = distance
        expected = (kernel(z, points, kind)[0] * density).sum() * (axis[1] - axis[0]) ** units
        assert kernel_to_prior(z, kind, variance).item() == pytest.approx(expected.item(), rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("units", "distance"), [(7, 3.0), (64, 8.0), (64, 30.0), (512, 22.0)])
def test_the_kernel_to_the_prior_is_a_mean_over_draws(kind: Kernel, units: int, distance: float) -> None:
    draws = torch.randn(20_000, units, dtype=torch.float64)
    z = torch.zeros(1, units, dtype=torch.float64)
    z[0, 0] = distance
    values = kernel(z, draws, kind)[0]
    assert kernel_to_prior(z, kind).item() == pytest.approx(values.mean().item(), abs=4 * values.std().item() / 141)


@pytest.mark.parametrize("kind", KINDS)
def test_the_discrepancy_is_that_of_sums_over_pairs_and_over_many_draws(kind: Kernel) -> None:
    z = 1.5 * torch.randn(5, 2, dtype=torch.float64) + 0.7
    prior = torch.randn(4000, 2, dtype=torch.float64)
    of_prior = (kernel(prior, prior, kind).sum() - 4000) / (4000 * 3999) - 2 * kernel(z, prior, kind).mean()
    # the standard error of each mean over 4,000 draws is below 0.3 / sqrt(4000) = 0.005, of squares of products 0.05
    error = 0.5 if kind == "quadratic" else 0.03
    estimators: tuple[Estimator, Estimator] = ("unbiased", "biased")
    for estimator, other in (estimators, estimators[::-1]):
        pairs = [(i, j) for i in range(5) for j in range(5) if estimator == "biased" or i != j]
        inner = sum(kernel(z[i : i + 1], z[j : j + 1], kind).item() for i, j in pairs) / len(pairs)
        expected = inner + of_prior.item()
        assert discrepancy(z, kind, estimator).item() == pytest.approx(expected, abs=error)
        assert abs(discrepancy(z, kind, other).item() - expected) > 2 * error - 0.01


def test_one_code_at_the_origin_has_the_closed_form_of_the_gaussian_kernel() -> None:
    """Two codes at 0 in one dimension, C = 2: 1 - 2 sqrt(C / (C + 2)) + sqrt(C / (C + 4))."""
    z = torch.zeros(2, 1, dtype=torch.float64)
    expected = 1 - 2 * math.sqrt(0.5) + math.sqrt(1 / 3)
    assert discrepancy(z, "gaussian").item() == pytest.approx(expected)
    assert discrepancy(z[:1], "gaussian").item() == 0.0, "a single code has no pair"


def test_the_quadratic_discrepancy_is_that_of_means_and_covariances_and_to_second_order_a_kl() -> None:
    z = torch.randn(9, 4, dtype=torch.float64) * torch.tensor([1.0, 0.5, 2.0, 0.1]) + 0.3
    mean, moments = z.mean(0), z.T @ z / 9
    expected = mean.square().sum() / 2 + (moments - torch.eye(4)).square().sum() / 4
    assert discrepancy(z, "quadratic", "biased").item() == pytest.approx(expected.item())
    # codes that have a mean and a covariance near those of the prior, exactly
    q, _ = torch.linalg.qr(torch.randn(64, 4, dtype=torch.float64))
    q = q - q.mean(0)
    white = q @ torch.linalg.inv(torch.linalg.cholesky(q.T @ q / 64)).T
    root = torch.eye(4, dtype=torch.float64) + 0.02 * torch.tensor(
        [[1.0, 2, 0, 0], [0, -1, 0, 1], [1, 0, 1, 0], [0, 0, 0, 2]], dtype=torch.float64
    )
    near = white @ root.T + 0.02
    covariance = root @ root.T
    kl = 0.5 * (covariance.trace() + 4 * 0.02**2 - 4 - covariance.logdet())
    assert discrepancy(near, "quadratic", "biased").item() == pytest.approx(kl.item(), rel=0.06)


@pytest.mark.parametrize("kind", KINDS)
def test_the_unbiased_estimate_of_codes_of_the_prior_is_zero_on_average(kind: Kernel) -> None:
    found = torch.stack([discrepancy(torch.randn(16, 3, dtype=torch.float64), kind) for _ in range(400)])
    error = found.std().item() / 20
    assert abs(found.mean().item()) < 4 * error
    biased = torch.stack([discrepancy(torch.randn(16, 3, dtype=torch.float64), kind, "biased") for _ in range(400)])
    assert biased.min() >= 0
    assert biased.mean().item() > 20 * error
    assert discrepancy(torch.randn(64, 3).double() + 1.0, kind).item() > 10 * error


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("estimator", ["unbiased", "biased"])
def test_the_parts_of_the_codes_add_up_to_the_whole_with_its_gradient(kind: Kernel, estimator: Estimator) -> None:
    z = torch.randn(7, 2, dtype=torch.float64, requires_grad=True)
    whole = discrepancy(z, kind, estimator)
    (expected,) = torch.autograd.grad(whole, z)
    pairs = kernel(z, z, kind)
    if estimator == "unbiased":
        pairs = pairs - pairs.diagonal().diag()
    plain = pairs.sum() / (42 if estimator == "unbiased" else 49) - 2 * kernel_to_prior(z, kind).mean()
    assert torch.allclose(torch.autograd.grad(plain, z)[0], expected, atol=1e-9)
    found = torch.zeros((), dtype=torch.float64)
    for rows in (slice(0, 7, 2), slice(1, 7, 2)):  # as two processes have them
        found = found + discrepancy(z[rows], kind, estimator, z.detach(), rows)
    assert found.item() == pytest.approx(whole.item(), rel=1e-9)
    assert torch.allclose(torch.autograd.grad(found, z)[0], expected, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_the_kernel_to_the_prior_is_its_slope(kind: Kernel) -> None:
    z = 2 * torch.randn(3, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: kernel_to_prior(x, kind), z.requires_grad_())
