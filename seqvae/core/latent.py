"""Walks through the latent space and axes of it: z to z."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Shift = Tensor | Callable[[Float[Tensor, "N Z"]], Float[Tensor, "N Z"]]  # what is added to codes, or how it follows


def lerp(a: Float[Tensor, " Z"], b: Float[Tensor, " Z"], share: float) -> Float[Tensor, " Z"]:
    """The point at `share` of the straight line from a (0) to b (1); both ends are exact."""
    return torch.lerp(_exact(a), _exact(b), share).to(a)


def slerp(a: Float[Tensor, " Z"], b: Float[Tensor, " Z"], share: float) -> Float[Tensor, " Z"]:
    """The point at `share` of the arc from a (0) to b (1); both ends are exact.

    The direction moves along the great circle and the length changes evenly (Shoemake 1985, for vectors of any
    length; White 2016, section 2.1). Directions that are equal, or a vector of length zero, are joined by a straight
    line. Between opposite vectors, where every great circle is as short, the arc goes through the direction that is
    perpendicular to a and nearest to a coordinate axis; on one unit there is none, and the line goes through zero.
    """
    if share in (0.0, 1.0):
        return lerp(a, b, share)
    (unit_a, length_a), (unit_b, length_b) = _polar(_exact(a)), _polar(_exact(b))
    if length_a == 0 or length_b == 0:
        return lerp(a, b, share)
    angle, across = _arc(unit_a, unit_b)
    if across is None:
        return lerp(a, b, share)
    direction = torch.cos(share * angle) * unit_a + torch.sin(share * angle) * across / across.norm()
    return (direction * torch.lerp(length_a, length_b, share)).to(a)


def _arc(a: Float[Tensor, " Z"], b: Float[Tensor, " Z"]) -> tuple[Float[Tensor, ""], Float[Tensor, " Z"] | None]:
    """The angle from one direction to another, and what is perpendicular to the first on that way; None: no arc."""
    # the half-angle form keeps its precision at both ends, where the arc cosine of a scalar product loses it
    angle = 2 * torch.atan2((a - b).norm(), (a + b).norm())
    across = b - a * (a @ b)
    if across.norm() < 1e-9:
        if a @ b > 0 or a.shape[0] == 1:
            return angle, None
        axis = torch.zeros_like(a)
        axis[a.abs().argmin()] = 1.0
        across = axis - a * (a @ axis)
    return angle, across


def _exact(a: Float[Tensor, "*N Z"]) -> Float[Tensor, "*N Z"]:
    """In float64 and on the CPU: some devices have no float64."""
    return a.to("cpu", torch.float64)


def _polar(a: Float[Tensor, " Z"]) -> tuple[Float[Tensor, " Z"], Float[Tensor, ""]]:
    """Direction and length. The squares are taken of shares of the largest element, so that none overflows."""
    if not a.any():
        return a, a.sum()
    largest = a.abs().max()
    shares = a / largest
    return shares / shares.norm(), largest * shares.norm()


def interpolate(
    a: Float[Tensor, " Z"], b: Float[Tensor, " Z"], steps: int, mode: Literal["slerp", "lerp"] = "slerp"
) -> Float[Tensor, "S Z"]:
    """`steps` points from a to b, both ends counted and exact.

    Raises ValueError for fewer than two steps or an unknown mode.
    """
    return Path(torch.stack([a, b]), mode).at(even_places(steps))


def even_places(steps: int, legs: Sequence[float] = (1.0,)) -> list[float]:
    """The places of `steps` points of a path of legs of these lengths, as far apart as whole numbers of points allow.

    Place i is waypoint i, i + 1/2 is halfway from it to the next; all waypoints, both ends too, are among them. Each
    further point goes to the leg whose points are the farthest apart.

    >>> even_places(6, [1.0, 2.0])
    [0.0, 0.5, 1.0, 1.3333333333333333, 1.6666666666666665, 2.0]

    Raises ValueError for fewer points than waypoints.
    """
    if steps < 2:
        raise ValueError(f"{steps} steps are too few; an interpolation counts both ends, so give at least 2")
    if steps <= len(legs):
        least = len(legs) + 1
        raise ValueError(f"{steps} steps are too few for a walk through {least} items; give at least {least}")
    strides = [1] * len(legs)
    for _ in range(steps - 1 - len(legs)):
        widest = max(range(len(legs)), key=lambda leg: legs[leg] / strides[leg])
        strides[widest] += 1
    return [0.0, *(leg + stride / strides[leg] for leg in range(len(legs)) for stride in range(1, strides[leg] + 1))]


@dataclass(frozen=True, eq=False)
class Path:
    """A smooth path through waypoints, each of which it hits exactly.

    Between two it is `slerp` or `lerp`. Through more it is a Catmull-Rom spline (Catmull and Rom 1974): a cubic in each
    leg, the speed at a waypoint from the legs on its two sides, at the ends as in a natural spline. Time runs by the
    square roots of the legs' lengths, or by `times`, for which no leg turns back on itself (centripetal; Yuksel et al.
    2011), and in that time the speed does not jump. A path whose last waypoint is its first is closed: it leaves as it
    comes back.

    With slerp directions and lengths go their own ways. Directions are splined on the sphere: tangents along great arcs
    give each leg its control points (Bezier's, by de Casteljau's scheme with slerp in place of lerp; Shoemake 1985).
    Lengths rise and fall monotonically in each leg (Fritsch and Butland 1984), so that no point is longer or shorter
    than the waypoints about it. On one unit, and where a waypoint is zero, which has no direction, it is as with lerp.

    Raises ValueError for an unknown mode and fewer than two waypoints.
    """

    waypoints: Float[Tensor, "N Z"]
    mode: Literal["slerp", "lerp"] = "slerp"
    times: Sequence[float] | None = None  # how long each leg takes; several paths that share them keep together

    def __post_init__(self) -> None:
        if self.mode not in ("slerp", "lerp"):
            raise ValueError(f"no interpolation mode '{self.mode}'; there are lerp, slerp")
        if len(self.waypoints) < 2:
            raise ValueError(f"a path through {len(self.waypoints)} waypoints is not possible; give two or more")

    def at(self, places: Sequence[float]) -> Float[Tensor, "S Z"]:
        """The points at these places: place i is waypoint i, i + 1/2 halfway in time from it to the next."""
        point = slerp if self._on_arcs else lerp
        if len(self.waypoints) == 2:
            a, b = self.waypoints
            return torch.stack([point(a, b, place) for place in places])
        controls, last = self._controls(), len(self.waypoints) - 2
        found = []
        for place in places:
            leg = min(int(place), last)
            share = place - leg
            if share in (0.0, 1.0):
                found.append(self.waypoints[leg + int(share)])
                continue
            points = controls[leg]
            while len(points) > 1:
                points = [point(a, b, share) for a, b in pairwise(points)]
            found.append(points[0].to(self.waypoints))
        return torch.stack(found)

    @property
    def _on_arcs(self) -> bool:
        straight = self.waypoints.shape[1] == 1 or (len(self.waypoints) > 2 and not self.waypoints.any(1).all())
        return self.mode == "slerp" and not straight

    def _controls(self) -> list[list[Float[Tensor, " Z"]]]:
        """The four control points of each leg: a waypoint, how it is left, how the next is reached, the next one."""
        points = [_exact(waypoint) for waypoint in self.waypoints]
        times = leg_lengths([self.waypoints], 0.5) if self.times is None else list(self.times)
        closed = torch.equal(points[0], points[-1])
        tangent: Callable[..., tuple[Tensor, Tensor]] = _tangent_on_arcs if self._on_arcs else _tangent
        around = [(points[-2], points[0], points[1], times[-1], times[0])] if closed else []
        around += [
            (points[place - 1], points[place], points[place + 1], times[place - 1], times[place])
            for place in range(1, len(points) - 1)
        ]
        found = [tangent(*each) for each in around]
        if closed:
            found.append(found[0])
        else:
            half = slerp if self._on_arcs else lerp
            (reached, _), (_, left) = found[0], found[-1]
            found = [(points[0], half(points[0], reached, 0.5)), *found, (half(points[-1], left, 0.5), points[-1])]
        return [[a, out, into, b] for (a, (_, out)), (b, (into, _)) in pairwise(zip(points, found, strict=True))]


def leg_lengths(paths: Sequence[Float[Tensor, "N Z"]], power: float = 1.0) -> list[float]:
    """How far it is from each waypoint to the next, in all of these paths together, to a power."""
    squares = torch.stack([_exact(waypoints).diff(dim=0).square().sum(1) for waypoints in paths]).sum(0)
    return (squares ** (power / 2)).tolist()


def _tangent(
    before: Float[Tensor, " Z"], here: Float[Tensor, " Z"], after: Float[Tensor, " Z"], time_before: float, time: float
) -> tuple[Float[Tensor, " Z"], Float[Tensor, " Z"]]:
    """The control points before and after a waypoint: a third of the legs' times away from it at its speed."""
    there, on = _speeds(here - before, after - here, time_before, time)
    return here - there, here + on


def _tangent_on_arcs(
    before: Float[Tensor, " Z"], here: Float[Tensor, " Z"], after: Float[Tensor, " Z"], time_before: float, time: float
) -> tuple[Float[Tensor, " Z"], Float[Tensor, " Z"]]:
    """The same on the sphere of directions, and of the lengths."""
    (unit, length), (unit_before, length_before), (unit_after, length_after) = map(_polar, (here, before, after))
    there, on = _speeds(-_towards(unit, unit_before), _towards(unit, unit_after), time_before, time)
    shorter, longer = _monotone(length - length_before, length_after - length, time_before, time)
    return _moved(unit, -there) * (length - shorter), _moved(unit, on) * (length + longer)


def _speeds(
    come: Float[Tensor, " Z"], go: Float[Tensor, " Z"], time_before: float, time: float
) -> tuple[Float[Tensor, " Z"], Float[Tensor, " Z"]]:
    """A third of the way that the time of either leg takes at the speed of the parabola through three points.

    The speed is the mean of those of the legs, each weighted by the time of the other. A leg that takes no time goes
    nowhere: the path stands still there.
    """
    if time_before == 0.0 or time == 0.0:
        return torch.zeros_like(come), torch.zeros_like(go)
    speed = (come * time / time_before + go * time_before / time) / (time_before + time)
    return speed * time_before / 3, speed * time / 3


def _monotone(
    come: Float[Tensor, ""], go: Float[Tensor, ""], time_before: float, time: float
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """A third of the change in either leg at a speed that neither overshoots: 0 at a summit, else a harmonic mean."""
    if come * go <= 0:
        return torch.zeros_like(come), torch.zeros_like(go)
    weights = 2 * time + time_before, time + 2 * time_before
    speed = 3 * (time_before + time) / (weights[0] * time_before / come + weights[1] * time / go)
    return speed * time_before / 3, speed * time / 3


def _towards(a: Float[Tensor, " Z"], b: Float[Tensor, " Z"]) -> Float[Tensor, " Z"]:
    """What leads from one direction to another along the great arc: perpendicular to the first, as long as the arc."""
    angle, across = _arc(a, b)
    return torch.zeros_like(a) if across is None else across / across.norm() * angle


def _moved(a: Float[Tensor, " Z"], tangent: Float[Tensor, " Z"]) -> Float[Tensor, " Z"]:
    """The direction at the end of the great arc that leaves a direction along a tangent, as long as this is."""
    angle = tangent.norm()
    return a if angle == 0 else torch.cos(angle) * a + torch.sin(angle) * tangent / angle


def plane_grid(size: int) -> Float[Tensor, "N Z"]:
    """(size * size, 2) points of the plane, row by row as in a picture: the first row has the largest second unit.

    Each is the middle of a cell that holds an equal share of a standard normal prior: the quantiles of (i + 1/2) / size
    (Kingma and Welling 2014, appendix A, draw their manifolds through the inverse of the normal distribution). What is
    decoded from them stands for the whole prior, and nothing is shown twice because of the middle's larger density.

    Raises ValueError when size is below 1.

    >>> plane_grid(1)
    tensor([[0., 0.]], dtype=torch.float64)
    """
    if size < 1:
        raise ValueError(f"a plane of {size} rows is not possible; give 1 or more")
    shares = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    across = torch.special.ndtri(shares)
    return torch.stack([across.repeat(size), across.flip(0).repeat_interleave(size)], 1)


def principal_axes(
    codes: Float[Tensor, "N Z"],
) -> tuple[Float[Tensor, " Z"], Float[Tensor, "Z Z"], Float[Tensor, " Z"]]:
    """The mean of the codes, their principal axes (rows, longest first) and the standard deviation along each axis.

    By singular values of the centred codes; deviations are unbiased (divided by N - 1). The axes are orthonormal; each
    points to where its largest element is positive, so that equal codes give equal pictures. In float64, on the CPU.

    Raises ValueError when there are no codes.
    """
    items, units = codes.shape
    if items == 0:
        raise ValueError("0 codes have no principal axes; give at least one")
    centred = codes.detach().to("cpu", torch.float64)
    mean = centred.mean(0)
    # With fewer items than units the thin form lacks the axes along which nothing varies.
    _, values, axes = torch.linalg.svd(centred - mean, full_matrices=items < units)
    scales = torch.zeros(units, dtype=torch.float64)
    scales[: len(values)] = values / max(1, items - 1) ** 0.5
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True)) if units else torch.ones(0, 1, dtype=torch.float64)
    return mean, axes * torch.where(largest < 0, -1.0, 1.0), scales


def traversal(code: Float[Tensor, " Z"], axis: Float[Tensor, " Z"], values: Sequence[float]) -> Float[Tensor, "S Z"]:
    """The code with its coordinate along an axis (of any length above 0) set to each value, in lengths of the axis.

    A unit vector sets one unit and leaves the others; along a principal axis times its deviation, values count
    deviations from zero.
    """
    steps = torch.as_tensor(values, dtype=code.dtype, device=code.device)
    axis = axis.to(code)
    return code + (steps - (code @ axis) / (axis @ axis)).unsqueeze(1) * axis


def times(strength: float, shift: Shift) -> Shift:
    """A multiple of what is added to codes."""
    return strength * shift if isinstance(shift, Tensor) else lambda z: strength * shift(z)


def sum_of(shifts: Sequence[Shift]) -> Shift:
    """All of them at once, each as it is where the codes are before; at least one."""
    fixed = [shift for shift in shifts if isinstance(shift, Tensor)]
    if len(fixed) == len(shifts):
        return reduce(operator.add, fixed)
    return lambda z: reduce(operator.add, (shift_at(shift, z) for shift in shifts))


def shift_at(shift: Shift, z: Float[Tensor, "N Z"]) -> Float[Tensor, "*N Z"]:
    """What is added to these codes."""
    return shift if isinstance(shift, Tensor) else shift(z.cpu().double())
