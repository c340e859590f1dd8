"""Walks through the latent space: z to z."""

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
    if steps < 2:
        raise ValueError(f"{steps} steps are too few; an interpolation counts both ends, so give at least 2")
    if mode not in ("slerp", "lerp"):
        raise ValueError(f"no interpolation mode '{mode}'; there are lerp, slerp")
    walk = slerp if mode == "slerp" else lerp
    shares: Sequence[float] = [i / (steps - 1) for i in range(steps)]
    return torch.stack([walk(a, b, share) for share in shares])
