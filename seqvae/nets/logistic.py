"""The logistic distribution cut into bins: what a bin holds, and the value of a share of all."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

FARTHEST = 80.0  # scales from the location that are told apart: much farther out tails are zero in single precision


def log_mass(
    centre: Float[Tensor, "*any"],
    half: Float[Tensor, "*any"],
    open_below: Bool[Tensor, "*any"] | None = None,
    open_above: Bool[Tensor, "*any"] | None = None,
) -> Float[Tensor, "*any"]:
    """log of what the standard logistic distribution holds within `half` of `centre`, in nats; open ends are infinite.

    With s the sigmoid, a and b the ends of a bin: s(a) - s(b) = s(a) s(-b) (1 - exp(b - a)), whose logarithm loses
    nothing in the tails.
    """
    below_upper, above_lower = F.logsigmoid(centre + half), F.logsigmoid(half - centre)
    between = torch.log(-torch.expm1(-2 * half))
    if open_above is not None:
        below_upper, between = below_upper.masked_fill(open_above, 0.0), between.masked_fill(open_above, 0.0)
    if open_below is not None:
        above_lower, between = above_lower.masked_fill(open_below, 0.0), between.masked_fill(open_below, 0.0)
    return below_upper + above_lower + between


def truncated_quantile(
    share: Float[Tensor, " N"], location: Float[Tensor, " N"], scale: Float[Tensor, " N"], most: float
) -> Float[Tensor, " N"]:
    """The value below which there is this share of a logistic distribution that was cut off beyond -most and most.

    On the side of the location the two tails, however thin, are told apart: those above it, mirrored where it is above
    zero.
    """
    mirrored = location > 0
    share, place = torch.where(mirrored, 1 - share, share), -location.abs()
    lower, upper = ((end - place).div(scale).clamp(max=FARTHEST).neg().sigmoid() for end in (-most, most))
    value = place - scale * (lower + share * (upper - lower)).logit()
    return torch.where(mirrored, -value, value).clamp(-most, most)
