"""Walks through the latent space: exact ends, even speed, and no NaN whatever the vectors are."""

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqvae.core.latent import interpolate, lerp, slerp

# One order of examples on every machine, and no time limit, which a busy machine would miss.
properties = settings(deadline=None, derandomize=True, database=None, max_examples=150)

MAGNITUDES = st.sampled_from([0.0, 1e-320, 1e-200, 1e-30, 1e-9, 1.0, 3.7, 1e9, 1e30, 1e200, 1e307])
ELEMENTS = st.builds(lambda size, share: size * share, MAGNITUDES, st.floats(-1.0, 1.0))
SHARES = st.floats(0.0, 1.0)


@st.composite
def pairs(draw: st.DrawFn, elements: st.SearchStrategy[float], smallest: int = 1) -> tuple[Tensor, Tensor]:
    """Two float64 vectors of one size."""
    size = draw(st.integers(smallest, 6))
    vector = st.lists(elements, min_size=size, max_size=size)
    return torch.tensor(draw(vector), dtype=torch.float64), torch.tensor(draw(vector), dtype=torch.float64)


ORDINARY = pairs(st.floats(-10.0, 10.0, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-3), smallest=2)


def vector(*elements: float) -> Tensor:
    return torch.tensor(elements, dtype=torch.float64)


def angle(a: Tensor, b: Tensor) -> float:
    """The angle between two vectors, by the half-angle form."""
    a, b = a / a.norm(), b / b.norm()
    return 2 * math.atan2(float((a - b).norm()), float((a + b).norm()))


def test_lerp_goes_along_the_straight_line() -> None:
    a, b = vector(1.0, -2.0, 0.0), vector(3.0, 2.0, 8.0)
    assert lerp(a, b, 0.25).tolist() == [1.5, -1.0, 2.0]


def test_slerp_goes_along_the_arc_while_the_length_changes_evenly() -> None:
    a, b = vector(2.0, 0.0, 0.0), vector(0.0, 4.0, 0.0)
    # a third of a right angle is 30 degrees, a third of the way from 2 to 4 is 8/3
    expected = vector(math.cos(math.pi / 6), math.sin(math.pi / 6), 0.0) * 8 / 3
    torch.testing.assert_close(slerp(a, b, 1 / 3), expected, rtol=1e-14, atol=1e-14)


@properties
@given(pairs(ELEMENTS, smallest=0), st.sampled_from(["slerp", "lerp"]), st.sampled_from([torch.float64, torch.float32]))
def test_both_ends_are_exact_and_nothing_between_them_is_nan_or_longer(
    vectors: tuple[Tensor, Tensor], mode: str, dtype: torch.dtype
) -> None:
    a, b = (v.to(dtype) for v in vectors)
    assume(bool(a.isfinite().all() and b.isfinite().all()))
    points = interpolate(a, b, 5, mode)
    assert torch.equal(points[0], a)
    assert torch.equal(points[-1], b)
    assert points.dtype == dtype
    assert points.isfinite().all()
    longest = max(float(a.double().abs().max()), float(b.double().abs().max())) if len(a) else 0.0
    assert (points.double().abs() <= longest * math.sqrt(max(1, len(a))) * (1 + 1e-6)).all()


@properties
@given(ORDINARY, SHARES)
def test_slerp_turns_at_a_constant_angular_speed(vectors: tuple[Tensor, Tensor], share: float) -> None:
    a, b = vectors
    assume(float(a.norm()) > 0 and float(b.norm()) > 0)
    whole = angle(a, b)
    assume(1e-4 < whole < math.pi - 1e-4)
    point = slerp(a, b, share)
    assert angle(a, point) == pytest.approx(share * whole, abs=1e-8)
    assert angle(point, b) == pytest.approx((1 - share) * whole, abs=1e-8)
    length = float(a.norm()) + share * float(b.norm() - a.norm())
    assert float(point.norm()) == pytest.approx(length, rel=1e-12)


@properties
@given(ORDINARY, SHARES, st.sampled_from([slerp, lerp]))
def test_the_way_back_is_the_way_there(vectors, share, walk) -> None:  # type: ignore[no-untyped-def]
    a, b = vectors
    torch.testing.assert_close(walk(a, b, share), walk(b, a, 1 - share), rtol=1e-9, atol=1e-8)


@properties
@given(ORDINARY, SHARES)
def test_slerp_between_equal_vectors_stays(vectors: tuple[Tensor, Tensor], share: float) -> None:
    a, _ = vectors
    assert torch.equal(slerp(a, a.clone(), share), a)


@properties
@given(ORDINARY, SHARES, st.floats(0.5, 4.0))
def test_slerp_between_equal_directions_is_the_straight_line(
    vectors: tuple[Tensor, Tensor], share: float, factor: float
) -> None:
    a, _ = vectors
    torch.testing.assert_close(slerp(a, factor * a, share), lerp(a, factor * a, share), rtol=1e-12, atol=1e-12)


@properties
@given(ORDINARY, SHARES, st.floats(0.5, 4.0))
def test_slerp_between_opposite_vectors_goes_round_and_not_through_zero(
    vectors: tuple[Tensor, Tensor], share: float, factor: float
) -> None:
    a, _ = vectors
    assume(float(a.norm()) > 0)
    point = slerp(a, -factor * a, share)
    assert float(point.norm()) == pytest.approx(float(a.norm()) * (1 + share * (factor - 1)), rel=1e-9)
    assert angle(a, point) == pytest.approx(share * math.pi, abs=1e-7)


def test_slerp_between_opposite_vectors_goes_by_the_nearest_axis() -> None:
    a = vector(3.0, 0.0, 4.0)
    torch.testing.assert_close(slerp(a, -a, 0.5), vector(0.0, 5.0, 0.0), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("walk", [slerp, lerp])
def test_a_zero_vector_is_joined_by_a_straight_line(walk) -> None:  # type: ignore[no-untyped-def]
    a = vector(3.0, -1.0, 4.0)
    zero = torch.zeros_like(a)
    torch.testing.assert_close(walk(a, zero, 0.25), 0.75 * a, rtol=1e-15, atol=0)
    torch.testing.assert_close(walk(zero, a, 0.25), 0.25 * a, rtol=1e-15, atol=0)
    assert torch.equal(walk(zero, zero, 0.25), zero)


def test_slerp_on_one_unit_is_the_straight_line() -> None:
    a, b = vector(-2.0), vector(6.0)
    assert [slerp(a, b, share).item() for share in (0.0, 0.25, 0.5, 1.0)] == [-2.0, 0.0, 2.0, 6.0]


@pytest.mark.parametrize("mode", ["slerp", "lerp"])
@pytest.mark.parametrize("angle_apart", [1e-12, 1e-8, 1e-5, math.pi - 1e-5, math.pi - 1e-8, math.pi - 1e-12])
def test_almost_equal_and_almost_opposite_vectors_are_walked_without_a_jump(mode: str, angle_apart: float) -> None:
    a = vector(0.6, 0.8, 0.0, 0.0)
    across = vector(0.0, 0.0, 0.0, 1.0)
    points = interpolate(a, math.cos(angle_apart) * a + math.sin(angle_apart) * across, 9, mode)
    strides = points.diff(dim=0).norm(dim=1)
    torch.testing.assert_close(strides, strides.mean().expand(8), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("mode", ["slerp", "lerp"])
def test_interpolate_counts_both_ends_and_keeps_even_steps(mode: str) -> None:
    a, b = vector(1.0, 0.0, 0.0), vector(0.0, 1.0, 0.0)
    points = interpolate(a, b, 4, mode)
    walk = slerp if mode == "slerp" else lerp
    assert points.shape == (4, 3)
    for row, share in zip(points, (0.0, 1 / 3, 2 / 3, 1.0), strict=True):
        torch.testing.assert_close(row, walk(a, b, share), rtol=0, atol=0)


def test_two_steps_are_the_two_ends() -> None:
    a, b = torch.tensor([1.0, 5.0, 0.0]), torch.tensor([0.0, 1.0, -7.0])
    assert torch.equal(interpolate(a, b, 2), torch.stack([a, b]))


def test_interpolate_refuses_one_step_and_an_unknown_mode() -> None:
    a, b = torch.zeros(3), torch.ones(3)
    with pytest.raises(ValueError, match=r"^1 steps are too few.*give at least 2$"):
        interpolate(a, b, 1)
    with pytest.raises(Exception, match="mode"):  # the type check of the test run, or the sentence for users
        interpolate(a, b, 3, "cubic")  # type: ignore[arg-type]
