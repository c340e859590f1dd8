"""What changes with training progress: the weight of the KL term, the share of inputs that a decoder draws itself."""

import math
from typing import Literal

Schedule = Literal["constant", "linear", "sigmoid", "cosine", "cyclical"]
SamplingSchedule = Literal["constant", "exponential", "inverse_sigmoid"]


def kl_weight(
    progress: float,
    schedule: Schedule = "linear",
    start: float = 0.0,
    final: float = 1.0,
    cycles: int = 4,
    rising: float = 0.5,
) -> float:
    """beta at `progress`, which is 0 at the first step and 1 at the end of the rise.

    It is start + (final - start) * share, where the share of the way at progress p is

    - linear: p (Bowman et al. 2016, section 3.1, by steps instead of a sigmoid);
    - sigmoid: (s(p) - s(0)) / (s(1) - s(0)) with s(p) = 1 / (1 + exp(-10 (p - 1/2))), their logistic curve, stretched
      so that it meets both ends;
    - cosine: (1 - cos(pi p)) / 2, half a cosine (one of the rises in Fu et al. 2019, section 3.2);
    - cyclical: min(1, frac(p * cycles) / rising), so many equal cycles, each a linear rise over the share `rising`
      of its length and then a rest (Fu et al. 2019, equations 6 and 7, with 4 cycles, of which half is rising);
    - constant: 1.

    After progress 1 the weight stays at `final`.

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
    elif schedule == "cosine":
        share = 0.5 * (1.0 - math.cos(math.pi * progress))
    elif schedule == "cyclical":
        if cycles < 1 or not 0 < rising <= 1:
            raise ValueError(f"cycles={cycles}, rising={rising} is not possible; give 1 or more and a share in (0, 1]")
        share = min((progress * cycles) % 1.0 / rising, 1.0)
    else:
        raise ValueError(f"no schedule '{schedule}'; there are constant, linear, sigmoid, cosine, cyclical")
    return start + (final - start) * share


def sampling_probability(step: int, schedule: SamplingSchedule = "constant", rate: float = 0.0) -> float:
    """The probability that a decoder's input is a draw of its own at an optimizer step: scheduled sampling.

    One minus the probability of a true input in Bengio et al. 2015, section 2.4, as Magenta's MusicVAE sets it:
    constant: `rate`; exponential: 1 - rate^step; inverse_sigmoid: 1 - rate / (rate + exp(step / rate)), about one half
    at step rate * log(rate).

    Raises ValueError for an unknown schedule, and for a rate outside [0, 1], (0, 1) or [1, infinity).

    >>> [round(sampling_probability(step, "inverse_sigmoid", 1000.0), 3) for step in (0, 2000, 6908, 20000)]
    [0.001, 0.007, 0.5, 1.0]
    """
    possible = {
        "constant": 0.0 <= rate <= 1.0,
        "exponential": 0.0 < rate < 1.0,
        "inverse_sigmoid": 1.0 <= rate < math.inf,
    }
    if schedule not in possible:
        raise ValueError(f"no sampling schedule '{schedule}'; there are {', '.join(possible)}")
    if not possible[schedule]:
        ranges = {"constant": "from 0 to 1", "exponential": "between 0 and 1", "inverse_sigmoid": "of 1 or more"}
        raise ValueError(
            f"a sampling rate of {rate} is not possible with the schedule {schedule}; give a number {ranges[schedule]}"
        )
    if schedule == "constant":
        return rate
    if schedule == "exponential":
        return 1.0 - rate**step
    return 1.0 / (1.0 + rate * math.exp(-step / rate))


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))
