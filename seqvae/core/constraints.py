"""Latent constraints: critics that say what a code stands for, and the way to the nearest code that they accept.

Over a model that stays as it is, one critic tells codes of data from draws of N(0, I), others read attributes from a
code, and a draw of the prior is moved until all of them accept it (Engel, Hoffman and Roberts 2018, "Latent
constraints", section 3).
"""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

Lacks = Callable[[Float[Tensor, "N Z"]], Float[Tensor, " N"]]
STEPS, RATE = 60, 0.1  # of the way at most, and how far each goes, in standard deviations of codes
MOMENTUM, MEMORY = 0.9, 0.999  # Adam's (Kingma and Ba 2015, algorithm 1)
LEAST = 0.97  # p of an answer that is accepted, where half of the codes of data have so much


class Critics(nn.Module):
    """How real a code is, and what its attributes are: two hidden layers for each question.

    `mean` and `scale` (Z,) are those of the codes of data; of each attribute there are so many `values`. `least` has
    the log p at which an answer is accepted: that a code is real, then each value of each attribute (see `calibrate`).
    """

    mean: Float[Tensor, " Z"]
    scale: Float[Tensor, " Z"]
    least: Float[Tensor, " Q"]

    def __init__(
        self, mean: Float[Tensor, " Z"], scale: Float[Tensor, " Z"], values: Sequence[int], hidden: int
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean.clone())
        self.register_buffer("scale", scale.clone())
        self.register_buffer("least", torch.full((1 + sum(values),), math.log(LEAST)))
        self.latent, self.values, self.hidden = len(mean), tuple(values), hidden
        self.realism = _layers(self.latent, 1, hidden)
        self.attributes = nn.ModuleList(_layers(self.latent, count, hidden) for count in self.values)

    def real(self, z: Float[Tensor, "N Z"]) -> Float[Tensor, " N"]:
        """log p(real | z) - log p(drawn | z): how much more a code is like those of data than like draws of N(0, I)."""
        logits: Tensor = self.realism(self._standardised(z))
        return logits.squeeze(1)

    def log_shares(self, z: Float[Tensor, "N Z"], attribute: int) -> Float[Tensor, "N V"]:
        """log p(value | z) of each value of an attribute."""
        logits: Tensor = self.attributes[attribute](self._standardised(z))
        return logits.log_softmax(1)

    def log_weights(
        self, z: Float[Tensor, "N Z"], wanted: Mapping[int, int], of_normal: bool = True
    ) -> Float[Tensor, " N"]:
        """log of q(z) p(values | z) / p(z), but for a constant, of draws of p; q is the aggregated posterior.

        With these weights draws are codes of data that have the values wanted of attributes. p is N(0, I), from which
        the realism critic tells codes of data; or it is not `of_normal` but fitted to q, and taken to be it.
        """
        log_weights = self.real(z) if of_normal else torch.zeros_like(z[:, 0])
        for attribute, value in wanted.items():
            log_weights = log_weights + self.log_shares(z, attribute)[:, value]
        return log_weights

    def lack(self, z: Float[Tensor, "N Z"], wanted: Mapping[int, int]) -> Float[Tensor, " N"]:
        """What codes lack to be accepted by all critics, in nats: the sum of max(0, least - log p) of each answer."""
        lack = (self.least[0] - F.logsigmoid(self.real(z))).clamp(min=0)
        for attribute, value in wanted.items():
            log_p = self.log_shares(z, attribute)[:, value]
            lack = lack + (self._least_of(attribute)[value] - log_p).clamp(min=0)
        return lack

    def calibrate(self, z: Float[Tensor, "N Z"], values: Int[Tensor, "N A"]) -> None:
        """Take as `least` what half of these codes of data have, or `LEAST` where they have more.

        Where data are like the prior, or do not say what an attribute is, no code has a p near 1 but such as no data
        have; to ask for it would lead away from them.
        """
        self.least[0] = _median(F.logsigmoid(self.real(z)))
        for attribute, count in enumerate(self.values):
            log_p = self.log_shares(z, attribute)
            for value in range(count):
                self._least_of(attribute)[value] = _median(log_p[values[:, attribute] == value, value])

    def _least_of(self, attribute: int) -> Float[Tensor, " V"]:
        return self.least[1:].split(self.values)[attribute]

    def _standardised(self, z: Float[Tensor, "N Z"]) -> Float[Tensor, "N Z"]:
        return (z - self.mean) / self.scale


def _median(log_p: Float[Tensor, " N"]) -> float:
    return min(math.log(LEAST), float(log_p.median())) if len(log_p) else math.log(LEAST)


def _layers(inputs: int, outputs: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, outputs)
    )


def nearest_accepted(lack: Lacks, z: Float[Tensor, "N Z"], scale: Float[Tensor, " Z"]) -> Float[Tensor, "N Z"]:
    """Each code moved downhill in what it lacks until that is nothing, or `STEPS` are taken.

    A code that lacks nothing stays, so that none goes further than it has to; a row's way depends on its own code
    alone. `scale` is what a unit's steps are measured in (Adam, of steps of about `RATE` scales).

    >>> moved = nearest_accepted(lambda z: (1 - z[:, 0]).clamp(min=0), torch.tensor([[0.0, 5.0], [2.0, 5.0]]),
    ...     torch.ones(2))
    >>> [[round(value) for value in row] for row in moved.tolist()]
    [[1, 5], [2, 5]]
    """
    z = z.detach().clone()
    mean, square = torch.zeros_like(z), torch.zeros_like(z)
    for step in range(1, STEPS + 1):
        with torch.enable_grad():
            z.requires_grad_(True)
            lacking = lack(z)
            (slope,) = torch.autograd.grad(lacking.sum(), z)
        z = z.detach()
        moving = lacking.detach() > 0
        if not moving.any():
            break
        slope = slope * scale
        mean = MOMENTUM * mean + (1 - MOMENTUM) * slope
        square = MEMORY * square + (1 - MEMORY) * slope**2
        direction = mean / (1 - MOMENTUM**step) / ((square / (1 - MEMORY**step)).sqrt() + 1e-12)
        z = z - RATE * scale * direction * moving.unsqueeze(1)
    return z
