"""Walks through the latent space: z to z."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor


def lerp(a: Float[Tensor, " Z"], b: Float[Tensor, " Z"], share: float) -> Float[Tensor, " Z"]:
    """The point at `share` of the straight line from a (0) to b (1); both ends are exact."""
    if share == 0.0:
        return a.clone()
    if share == 1.0:
        return b.clone()
    return a + (b - a) * share


def slerp(a: Float[Tensor, " Z"], b: Float[Tensor, " Z"], share: float) -> Float[Tensor, " Z"]:
    """The point at `share` of the arc from a (0) to b (1); both ends are exact.

    The direction moves along the great circle and the length changes evenly (Shoemake 1985, for vectors of any
    length; White 2016, section 2.1). Directions that are equal, or a vector of length zero, are joined by a straight
    line. Between opposite vectors, where every great circle is as short, the arc goes through the direction that is
    perpendicular to a and nearest to a coordinate axis.
    """
    if share in (0.0, 1.0):
        return lerp(a, b, share)
    length_a, length_b = a.double().norm(), b.double().norm()
    if length_a == 0 or length_b == 0:
        return lerp(a, b, share)
    unit_a, unit_b = a.double() / length_a, b.double() / length_b
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
    return (direction * (length_a + (length_b - length_a) * share)).to(a.dtype)


def interpolate(
    a: Float[Tensor, " Z"], b: Float[Tensor, " Z"], steps: int, mode: Literal["slerp", "lerp"] = "slerp"
) -> Float[Tensor, "S Z"]:
    """`steps` points from a to b, both ends counted and exact.

    Raises ValueError for fewer than two steps or an unknown mode.
    """
    if steps < 2:
        raise ValueError(f"{steps} steps are too few; an interpolation counts both ends, so give at least 2")
    if mode not in ("slerp", "lerp"):
        raise ValueError(f"no interpolation mode '{mode}'; there are lerp, slerp")
    walk = slerp if mode == "slerp" else lerp
    shares: Sequence[float] = [i / (steps - 1) for i in range(steps)]
    return torch.stack([walk(a, b, share) for share in shares])
