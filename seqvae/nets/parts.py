"""Steps of several parts, such as those of an ensemble: what reads them, an LSTM for each part, and one density.

A step x is (P,) integers, an outcome of each part.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seqvae.nets.draws import Choice
from seqvae.nets.likelihoods import Likelihood
from seqvae.nets.lstm import LSTMRecurrence, LSTMState
from seqvae.noise import Noise


class PartsInput(nn.Module):
    """Steps (..., P) as what one module reads of each part, side by side (..., width).

    `parts`: the module of each part, and the size of what it gives.
    """

    def __init__(self, parts: Sequence[tuple[nn.Module, int]]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(part for part, _ in parts)
        self.width = sum(width for _, width in parts)

    def forward(self, x: Int[Tensor, "*any P"]) -> Float[Tensor, "*any E"]:
        """Steps (..., P) to (..., width)."""
        return torch.cat([read(x[..., part]) for part, read in enumerate(self.parts)], -1)


@dataclass(frozen=True)
class PartsState:
    """The states of LSTMs side by side, each of its own part."""

    parts: tuple[LSTMState, ...]

    def select(self, rows: Int[Tensor, " N"] | Bool[Tensor, " B"]) -> "PartsState":
        """The states of some of the rows, by index or mask."""
        return PartsState(tuple(part.select(rows) for part in self.parts))


class PartsRecurrence(nn.Module):
    """An LSTM for each part, which reads the code and the steps of its own part alone (Magenta's `hierdec-trio`).

    A `Recurrence`, and the core of a conductor. What leaves it are the outputs of all parts side by side. So what the
    parts have in common goes through the code: none hears another but through what the encoder wrote down.
    """

    def __init__(self, parts: Sequence[LSTMRecurrence]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.latent = parts[0].latent

    @property
    def lstms(self) -> list[LSTMRecurrence]:
        """The LSTM of each part."""
        return list(cast(Iterable[LSTMRecurrence], self.parts))

    def start(
        self, z: Float[Tensor, "B Z"], before: PartsState | None = None, given: Int[Tensor, "B T"] | None = None
    ) -> PartsState:
        """The state before the first step; after the state `before` steps are counted on, and all else is new."""
        known = [None] * len(self.parts) if before is None else before.parts
        return PartsState(tuple(part.start(z, own, given) for part, own in zip(self.lstms, known, strict=True)))

    def step(self, state: PartsState, x_prev: Int[Tensor, "B P"] | None) -> tuple[Float[Tensor, "B H"], PartsState]:
        """The outputs of one step, and the next state."""
        outputs, states = [], []
        for part, (lstm, own) in enumerate(zip(self.lstms, state.parts, strict=True)):
            output, following = lstm.step(own, None if x_prev is None else x_prev[:, part])
            outputs.append(output)
            states.append(following)
        return torch.cat(outputs, 1), PartsState(tuple(states))

    def hidden(
        self, z: Float[Tensor, "B Z"], read: Int[Tensor, "B R P"], noise: Noise | None = None,
        given: Int[Tensor, "B R+1"] | None = None,
    ) -> Float[Tensor, "B R+1 H"]:  # fmt: skip
        """The outputs of R + 1 steps; noise switches the dropout of inputs on."""
        return self.outputs(z, self.inputs(read, noise, given), noise)

    def inputs(
        self, read: Int[Tensor, "B R P"], noise: Noise | None = None, given: Int[Tensor, "B R+1"] | None = None
    ) -> Float[Tensor, "B R+1 F"]:
        """What R + 1 steps of each part read besides the code, side by side; each reads what is given."""
        parts = enumerate(self.lstms)
        return torch.cat([lstm.inputs(read[..., part], _of_part(noise, part), given) for part, lstm in parts], -1)

    def outputs(
        self, z: Float[Tensor, "B Z"], inputs: Float[Tensor, "B T F"], noise: Noise | None = None
    ) -> Float[Tensor, "B T H"]:
        """The outputs of steps that read these inputs, from the initial states of the code on."""
        own = inputs.split([lstm.input_width for lstm in self.lstms], -1)
        pairs = enumerate(zip(self.lstms, own, strict=True))
        return torch.cat([lstm.outputs(z, x, _of_part(noise, part)) for part, (lstm, x) in pairs], -1)


class PartsLikelihood(nn.Module):
    """Steps whose parts are independent given h, each by a likelihood of its own: log p(x|h) = sum_p log p(x_p|h_p).

    Each factor is normalised, and so is their product. `own` numbers of h are those of each part, one after another,
    and h_p are these and whatever stands behind the numbers of all parts; with 0 each part reads all of h.
    """

    def __init__(self, parts: Sequence[Likelihood], own: int = 0) -> None:
        super().__init__()
        self.parts = nn.ModuleList(cast(Sequence[nn.Module], parts))
        self.own = own

    def _by_part(self, h: Float[Tensor, "N H"]) -> list[tuple[Likelihood, Float[Tensor, "N F"]]]:
        """The likelihood of each part, and what it reads."""
        parts = [cast(Likelihood, part) for part in self.parts]
        if not self.own:
            return [(part, h) for part in parts]
        *states, rest = h.split([self.own] * len(parts) + [h.shape[1] - self.own * len(parts)], 1)
        if rest.shape[1]:
            states = [torch.cat([state, rest], 1) for state in states]
        return list(zip(parts, states, strict=True))

    def part_log_prob(self, h: Float[Tensor, "N H"], x: Int[Tensor, "N P"]) -> Float[Tensor, "N P"]:
        """log p(x_p|h_p) in nats of each part of each row."""
        return torch.stack([one.log_prob(own, x[:, part]) for part, (one, own) in enumerate(self._by_part(h))], 1)

    def log_prob(self, h: Float[Tensor, "N H"], x: Int[Tensor, "N P"]) -> Float[Tensor, " N"]:
        """log p(x|h) in nats of each row."""
        return self.part_log_prob(h, x).sum(1)

    def mode(self, h: Float[Tensor, "N H"]) -> Int[Tensor, "N P"]:
        """The most probable outcome of each part of each row, which together are the most probable step."""
        return torch.stack([one.mode(own) for one, own in self._by_part(h)], 1)

    def draw(self, h: Float[Tensor, "N H"], noise: Noise, choice: Choice) -> Int[Tensor, "N P"]:
        """One outcome of each part of each row, by random numbers of its own; top k and nucleus are of each part."""
        drawn = [
            one.draw(own, noise.branch(f"part {part}"), choice) for part, (one, own) in enumerate(self._by_part(h))
        ]
        return torch.stack(drawn, 1)


def _of_part(noise: Noise | None, part: int) -> Noise | None:
    return None if noise is None else noise.branch(f"part {part}")
