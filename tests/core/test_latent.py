"""Walks through the latent space: exact ends, even speed, and no NaN whatever the vectors are."""

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqvae.core.latent import Path, even_places, interpolate, leg_lengths, lerp, slerp

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


def points(count: int, units: int = 5, seed: int = 0) -> Tensor:
    return torch.randn(count, units, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


MODES = pytest.mark.parametrize("mode", ["slerp", "lerp"])


@MODES
def test_a_path_through_two_is_the_plain_walk_bit_for_bit(mode: str) -> None:
    a, b = points(2)
    places = [0.0, 0.1, 1 / 3, 0.7, 1.0]
    walk = slerp if mode == "slerp" else lerp
    assert torch.equal(Path(torch.stack([a, b]), mode).at(places), torch.stack([walk(a, b, p) for p in places]))


@MODES
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("closed", [False, True])
def test_a_path_hits_every_waypoint_exactly(mode: str, dtype: torch.dtype, closed: bool) -> None:
    waypoints = points(6).to(dtype)
    waypoints[2] *= 30.0
    if closed:
        waypoints[-1] = waypoints[0]
    assert torch.equal(Path(waypoints, mode).at([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), waypoints)


def test_a_path_of_straight_lines_is_the_spline_of_catmull_and_rom() -> None:
    """With equal times: the matrix of Catmull and Rom (1974) in the inner leg, a natural end in the outer ones."""
    p = points(4)
    found = Path(p, "lerp", [1.0, 1.0, 1.0]).at([1.3, 0.5])
    t = torch.tensor([1.0, 0.3, 0.3**2, 0.3**3], dtype=torch.float64)
    matrix = torch.tensor([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]], dtype=torch.float64) / 2
    torch.testing.assert_close(found[0], t @ matrix @ p, rtol=1e-12, atol=1e-12)
    speed = (p[2] - p[0]) / 2  # at p[1]; the cubic from p[0] whose second derivative there is zero
    third = (speed - (p[1] - p[0])) / 2
    torch.testing.assert_close(found[1], p[0] + (p[1] - p[0] - third) / 2 + third / 8, rtol=1e-12, atol=1e-12)


@MODES
@pytest.mark.parametrize("times", [None, [1.0, 2.0, 0.5, 1.5, 3.0]])
def test_a_closed_path_is_smooth_at_every_waypoint_the_seam_too(mode: str, times: list[float] | None) -> None:
    """The speed in time, by differences on both sides, is the same; and the way round from elsewhere is the same."""
    open_end = points(5, seed=3) * torch.tensor([1.0, 2.0, 0.7, 1.4, 3.0], dtype=torch.float64)[:, None]
    path = Path(torch.cat([open_end, open_end[:1]]), mode, times)
    taken, step = times or leg_lengths([path.waypoints], 0.5), 1e-6
    for place in range(5):
        before, here, after = path.at([place - step if place else 5 - step, float(place), place + step])
        speeds = (here - before) / (step * taken[place - 1]), (after - here) / (step * taken[place])
        torch.testing.assert_close(*speeds, rtol=1e-4, atol=1e-4)
    turned = Path(torch.cat([open_end[2:], open_end[:3]]), mode, times and [*times[2:], *times[:2]])
    torch.testing.assert_close(turned.at([0.4, 3.7]), path.at([2.4, 0.7]), rtol=1e-12, atol=1e-12)


def test_a_path_on_arcs_keeps_the_length_of_its_waypoints_and_stays_between_lengths_that_differ() -> None:
    unit = torch.nn.functional.normalize(points(5), dim=1)
    places = even_places(60, [1.0] * 4)
    torch.testing.assert_close(Path(3 * unit).at(places).norm(dim=1), torch.full((60,), 3.0).double())
    lengths = Path(unit * vector(1.0, 8.0, 0.1, 0.2, 5.0)[:, None]).at(places).norm(dim=1)
    for place, length in zip(places, lengths.tolist(), strict=True):
        a, b = ([1.0, 8.0, 0.1, 0.2, 5.0][min(4, end)] for end in (int(place), math.ceil(place)))
        assert min(a, b) - 1e-9 <= length <= max(a, b) + 1e-9


@MODES
def test_the_way_back_along_a_path_is_the_way_there(mode: str) -> None:
    waypoints = points(5)
    there, back = Path(waypoints, mode).at([0.3, 1.5, 3.2]), Path(waypoints.flip(0), mode).at([3.7, 2.5, 0.8])
    torch.testing.assert_close(there, back, rtol=1e-9, atol=1e-9)


@MODES
def test_equal_and_zero_and_opposite_waypoints_are_walked_without_nan(mode: str) -> None:
    a, b = points(2)
    for waypoints in (
        [a, a, b],
        [a, b, b, a],
        [a, 0 * a, b],
        [a, -a, a],
        [a, b, a],
        [0 * a, 0 * a, 0 * a],
        [a, 2 * a, b],
    ):
        found = Path(torch.stack(waypoints), mode).at(even_places(17, [1.0] * (len(waypoints) - 1)))
        assert found.isfinite().all()
        assert float(found.norm(dim=1).max()) < 4 * float(torch.stack(waypoints).norm(dim=1).max() + 1)
    stands = Path(torch.stack([a, a, b]), mode).at([0.5])[0]
    torch.testing.assert_close(stands, a, rtol=1e-12, atol=1e-12)


def test_points_go_to_the_legs_where_they_are_the_farthest_apart() -> None:
    assert even_places(5) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert even_places(7, [1.0, 4.0, 1.0]) == [0.0, 1.0, 1.25, 1.5, 1.75, 2.0, 3.0]
    assert even_places(4, [0.0, 0.0, 0.0]) == [0.0, 1.0, 2.0, 3.0]


def test_the_lengths_of_legs_are_those_of_all_paths_together() -> None:
    a, b = torch.zeros(3, 2), torch.tensor([[0.0], [3.0], [3.0]])
    a[:, 0] = torch.tensor([0.0, 4.0, 5.0])
    assert leg_lengths([a, torch.cat([b, b * 0], 1)]) == [5.0, 1.0]
    assert leg_lengths([a], 0.5) == [2.0, 1.0]


def test_a_path_of_one_waypoint_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a path through 1 waypoints is not possible; give two or more$"):
        Path(points(1))
