"""Walks through the latent space and axes of it: z to z."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor


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
    # the half-angle form keeps its precision at both ends, where the arc cosine of a scalar product loses it
    angle = 2 * torch.atan2((unit_a - unit_b).norm(), (unit_a + unit_b).norm())
    across = unit_b - unit_a * (unit_a @ unit_b)
    if across.norm() < 1e-9:
        if unit_a @ unit_b > 0 or a.shape[0] == 1:
            return lerp(a, b, share)
        axis = torch.zeros_like(unit_a)
        axis[unit_a.abs().argmin()] = 1.0
        across = axis - unit_a * (unit_a @ axis)
    direction = torch.cos(share * angle) * unit_a + torch.sin(share * angle) * across / across.norm()
    return (direction * torch.lerp(length_a, length_b, share)).to(a)


def _exact(a: Float[Tensor, " Z"]) -> Float[Tensor, " Z"]:
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
    return walk(a, b, even_shares(steps), mode)


def even_shares(steps: int) -> list[float]:
    """The shares of the way, from 0 to 1, at which `steps` points stand equally far apart, both ends counted.

    Raises ValueError for fewer than two steps.
    """
    if steps < 2:
        raise ValueError(f"{steps} steps are too few; an interpolation counts both ends, so give at least 2")
    return [i / (steps - 1) for i in range(steps)]


def walk(
    a: Float[Tensor, " Z"], b: Float[Tensor, " Z"], shares: Sequence[float], mode: Literal["slerp", "lerp"] = "slerp"
) -> Float[Tensor, "S Z"]:
    """The points at these shares of the way from a (0) to b (1); both ends are exact.

    Raises ValueError for an unknown mode.
    """
    if mode not in ("slerp", "lerp"):
        raise ValueError(f"no interpolation mode '{mode}'; there are lerp, slerp")
    point = slerp if mode == "slerp" else lerp
    return torch.stack([point(a, b, share) for share in shares])


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
