"""Planes and axes of the latent space: quantiles in picture order, axes against numpy, one coordinate at a time."""

import math
from statistics import NormalDist

import numpy as np
import pytest
import torch

from seqvae.core.latent import plane_grid, principal_axes, traversal


def test_the_plane_goes_through_the_middles_of_cells_of_equal_prior_mass_from_the_top_left() -> None:
    grid = plane_grid(3)
    q = NormalDist().inv_cdf(5 / 6)  # the middle of the last third
    expected = [[-q, q], [0, q], [q, q], [-q, 0], [0, 0], [q, 0], [-q, -q], [0, -q], [q, -q]]
    torch.testing.assert_close(grid, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-12)


def test_the_plane_of_thirty_rows_is_symmetric_and_reaches_as_far_as_its_outermost_cells() -> None:
    grid = plane_grid(30)
    assert grid.shape == (900, 2)
    assert grid.abs().max().item() == pytest.approx(NormalDist().inv_cdf(59 / 60), rel=1e-12)
    torch.testing.assert_close(grid, -grid.flip(0), rtol=0, atol=1e-12)


def test_a_plane_of_no_rows_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a plane of 0 rows is not possible; give 1 or more$"):
        plane_grid(0)


def test_principal_axes_are_the_eigenvectors_of_the_covariance_longest_first() -> None:
    random = np.random.default_rng(0)
    codes = random.normal(size=(50, 3)) @ np.diag([0.5, 3.0, 1.0]) @ np.linalg.qr(random.normal(size=(3, 3)))[0] + 2.0
    mean, axes, scales = principal_axes(torch.from_numpy(codes))
    variances, vectors = np.linalg.eigh(np.cov(codes, rowvar=False))
    np.testing.assert_allclose(mean, codes.mean(0), rtol=1e-12)
    np.testing.assert_allclose(scales, np.sqrt(variances[::-1]), rtol=1e-9)
    np.testing.assert_allclose(abs(axes.numpy() @ vectors[:, ::-1]), np.eye(3), atol=1e-9)
    assert all(row[abs(row).argmax()] > 0 for row in axes.numpy())


def test_codes_are_their_mean_and_their_coordinates_along_the_axes() -> None:
    codes = torch.randn(7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mean, axes, scales = principal_axes(codes)
    along = (codes - mean) @ axes.T
    torch.testing.assert_close(mean + along @ axes, codes)
    torch.testing.assert_close(along.std(0), scales)


def test_fewer_codes_than_units_still_give_an_axis_for_each_unit() -> None:
    codes = torch.tensor([[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, -1.0, 0.0]])
    mean, axes, scales = principal_axes(codes)
    assert mean.tolist() == [0, 0, 0, 0]
    assert axes[0].tolist() == [0, 0, 1, 0]
    torch.testing.assert_close(axes @ axes.T, torch.eye(4, dtype=torch.float64))
    assert scales.tolist() == pytest.approx([math.sqrt(2), 0, 0, 0])


def test_one_code_varies_in_nothing_and_none_is_refused() -> None:
    mean, _, scales = principal_axes(torch.tensor([[3.0, -1.0]]))
    assert mean.tolist() == [3, -1]
    assert scales.tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"^0 codes have no principal axes; give at least one$"):
        principal_axes(torch.zeros(0, 2))


def test_a_traversal_sets_one_unit_and_leaves_the_others() -> None:
    code = torch.tensor([1.0, 5.0, -2.0], dtype=torch.float64)
    walk = traversal(code, torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64), [-3.0, 0.5])
    assert walk.tolist() == [[1, -3, -2], [1, 0.5, -2]]


def test_a_traversal_along_an_axis_counts_in_lengths_of_the_axis() -> None:
    axis = torch.tensor([3.0, 4.0], dtype=torch.float64)  # of length 5
    walk = traversal(torch.tensor([4.0, -3.0], dtype=torch.float64) + 7 * axis, axis, [0.0, 2.0])
    torch.testing.assert_close(walk, torch.tensor([[4.0, -3.0], [10.0, 5.0]], dtype=torch.float64))
