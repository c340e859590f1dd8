"""The weight of the KL term as a function of training progress."""

import math
from typing import Literal

Schedule = Literal["constant", "linear", "sigmoid", "cyclical"]


def kl_weight(
    progress: float,
    schedule: Schedule = "linear",
    start: float = 0.0,
    final: float = 1.0,
    cycles: int = 4,
    rising: float = 0.5,
) -> float:
    """beta at `progress`, which is 0 at the first step and 1 at the end of the rise.

    linear: Bowman et al. 2016 use a rise from 0; sigmoid: their logistic curve, rescaled to meet both ends exactly;
    cyclical: `cycles` rises to `final`, each linear over the share `rising` of its cycle and then constant
    (Fu et al. 2019, equation 6). After progress 1 the weight stays at `final`.

    Raises ValueError for negative progress, an unknown schedule, and cycles or a rising share that are not possible.

    >>> [kl_weight(p, "linear") for p in (0.0, 0.25, 1.0, 2.0)]
    [0.0, 0.25, 1.0, 1.0]
    >>> [kl_weight(p, "cyclical", cycles=2) for p in (0.0, 0.125, 0.25, 0.5, 1.0)]
    [0.0, 0.5, 1.0, 0.0, 1.0]
    """
    if progress < 0:
        raise ValueError(f"training progress {progress} is negative; it starts at 0")
    if schedule == "constant" or progress >= 1:
        return final
    if schedule == "linear":
        share = progress
    elif schedule == "sigmoid":
        steepness = 10.0
        low, high = _logistic(-steepness / 2), _logistic(steepness / 2)
        share = (_logistic(steepness * (progress - 0.5)) - low) / (high - low)
    elif schedule == "cyclical":
        if cycles < 1 or not 0 < rising <= 1:
            raise ValueError(f"cycles={cycles}, rising={rising} is not possible; give 1 or more and a share in (0, 1]")
        share = min((progress * cycles) % 1.0 / rising, 1.0)
    else:
        raise ValueError(f"no schedule '{schedule}'; there are constant, linear, sigmoid, cyclical")
    return start + (final - start) * share


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))
