"""The decoder of sequences: what stands on the step protocol, once for all recurrences and likelihoods.

A recurrence, flat or hierarchical, turns the code and what was read into hidden states; a likelihood turns a hidden
state into the distribution of one step. Neither knows the other.
"""

from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from seqvae.nets.draws import Choice
from seqvae.nets.given import GivenBeside
from seqvae.nets.likelihoods import Likelihood
from seqvae.noise import Noise, dropout
from seqvae.types import Batch

StateT = TypeVar("StateT", bound="State")


@runtime_checkable
class State(Protocol):
    """What a recurrence keeps between two steps, of all rows of a batch."""

    def select(self: StateT, rows: Int[Tensor, " N"] | Bool[Tensor, " B"]) -> StateT:
        """The state of some of the rows, by index or mask; of some several times."""
        ...


@runtime_checkable
class Recurrence(Protocol[StateT]):
    """The code and the steps before to a hidden state, one step at a time (`start`, `step`) or all at once (`hidden`).

    Both ways give the same; the rows of a batch do not meet.
    """

    latent: int

    def start(self, z: Float[Tensor, "B Z"], *, given: Int[Tensor, "B T"] | None = None) -> StateT:
        """The state before the first step; `given` are the outcomes that are held beside all steps, where some are."""
        ...

    def step(self, state: StateT, x_prev: Shaped[Tensor, "B ..."] | None) -> tuple[Float[Tensor, "B H"], StateT]:
        """The hidden state of one step, and the next state. `x_prev` is the step before, None at the first."""
        ...

    def hidden(
        self, z: Float[Tensor, "B Z"], read: Shaped[Tensor, "B R ..."], noise: Noise | None = None,
        given: Int[Tensor, "B R+1"] | None = None,
    ) -> Float[Tensor, "B R+1 H"]:  # fmt: skip
        """The hidden states of R + 1 steps; noise switches dropout on.

        Step t has read `read[:, :t]` and, where there is something given, `given[:, : t + 1]`.
        """
        ...


@dataclass(frozen=True)
class CodedState(Generic[StateT]):
    """The state of a recurrence, and the code beside it."""

    state: StateT
    code: Float[Tensor, "B Z"]

    def select(self, rows: Int[Tensor, " N"] | Bool[Tensor, " B"]) -> "CodedState[StateT]":
        """The state and the code of some of the rows, by index or mask."""
        return CodedState(self.state.select(rows), self.code[rows])


class CodeAtOutput(nn.Module, Generic[StateT]):
    """A recurrence with z beside each of its hidden states, (B, T, H + Z): so the output layer reads the code itself.

    (Dieng et al. 2019, section 4.) `output_dropout` is that of the hidden states, `locked` its kind; the code stays
    whole.
    """

    def __init__(self, recurrence: Recurrence[StateT], output_dropout: float = 0.0, locked: bool = False) -> None:
        super().__init__()
        self.recurrence = recurrence
        self.latent = recurrence.latent
        self.output_dropout, self.locked = output_dropout, locked

    def start(self, z: Float[Tensor, "B Z"], *, given: Int[Tensor, "B T"] | None = None) -> CodedState[StateT]:
        """The state before the first step."""
        return CodedState(self.recurrence.start(z, given=given), z)

    def step(
        self, state: CodedState[StateT], x_prev: Shaped[Tensor, "B ..."] | None
    ) -> tuple[Float[Tensor, "B HZ"], CodedState[StateT]]:
        """The hidden state of one step with the code, and the next state."""
        h, following = self.recurrence.step(state.state, x_prev)
        return torch.cat([h, state.code.to(h.dtype)], 1), replace(state, state=following)

    def hidden(
        self, z: Float[Tensor, "B Z"], read: Shaped[Tensor, "B R ..."], noise: Noise | None = None,
        given: Int[Tensor, "B R+1"] | None = None,
    ) -> Float[Tensor, "B R+1 HZ"]:  # fmt: skip
        """The hidden states of R + 1 steps with the code; noise switches dropout on."""
        h = self.recurrence.hidden(z, read, noise, given)
        h = dropout(h, self.output_dropout, noise, "decoder output", self.locked)
        return torch.cat([h, z.to(h.dtype).unsqueeze(1).expand(-1, h.shape[1], -1)], 2)


class SequenceDecoder(nn.Module, Generic[StateT]):
    """z to p(x_t | x_<t, z): the hidden states of a recurrence, read by a likelihood.

    `output_dropout` is the dropout between the two, `locked` its kind. A step x may be of any number type and shape.

    Where it `reads_held`, a step is (2,) integers: what is said, and what is given beside it, such as a chord. The
    recurrence then reads what was said before and what is given up to the step itself, and the likelihood is a
    `GivenBeside`: log p(x|z) is log p(said | given, z).
    """

    has_steps = True
    recurrence: Recurrence[StateT]
    likelihood: Likelihood

    def __init__(
        self, recurrence: Recurrence[StateT], likelihood: Likelihood, output_dropout: float = 0.0, locked: bool = False
    ) -> None:
        super().__init__()
        self.recurrence = recurrence
        self.likelihood = likelihood
        self.latent = recurrence.latent
        self.output_dropout, self.locked = output_dropout, locked
        self.reads_held = isinstance(likelihood, GivenBeside)

    def start(self, z: Float[Tensor, "B Z"], held: Shaped[Tensor, "B T ..."] | None = None) -> StateT:
        """The state before the first step; `held` are steps whose given part is known, where the decoder reads it.

        Raises ValueError where they are missing.
        """
        if not self.reads_held:
            return self.recurrence.start(z)
        if held is None:
            raise ValueError(
                "this decoder reads what is given beside its steps, such as chords; hold steps that have it"
            )
        return self.recurrence.start(z, given=held[..., 1])

    def step(self, state: StateT, x_prev: Shaped[Tensor, "B ..."] | None) -> tuple[Float[Tensor, "B H"], StateT]:
        """One step: the hidden state that the likelihood reads, and the next state."""
        if self.reads_held and x_prev is not None and x_prev.ndim == 2:  # beam search has what is said alone
            x_prev = x_prev[:, 0]
        return self.recurrence.step(state, x_prev)

    @torch.no_grad()
    def draw_inputs(
        self, z: Float[Tensor, "B Z"], batch: Batch, noise: Noise, probability: float
    ) -> Shaped[Tensor, "B R ..."]:
        """What steps read of the step before: a draw of the decoder's own with the probability, else what stands there.

        Each draw is from p(x_t | what was read before, z), as generation draws, without dropout (scheduled sampling,
        Bengio et al. 2015, section 2.4). An example draws the same at any padding and in any batch.
        """
        read = batch.x[:, :-1].clone()
        if probability >= 1.0:
            drawn = torch.ones_like(batch.mask[:, :-1])
        else:
            drawn = ~noise.keep("scheduled sampling", probability, read.shape[1]).squeeze(2)
        rows = drawn.T.nonzero()[:, 1].split(drawn.sum(0).tolist())  # for each step, the rows that are drawn there
        own = Noise(0, noise.bits("scheduled sampling draws", 1).squeeze(1))  # has steps of its own
        state, previous = self.start(z, batch.x), None
        for t in range(max((t + 1 for t, some in enumerate(rows) if len(some)), default=0)):
            h, state = self.step(state, previous)
            if len(rows[t]):
                chosen = self.likelihood.draw(h[rows[t]], own.select(rows[t]).at(t), Choice())
                read[rows[t], t] = chosen.to(read.dtype)
            previous = read[:, t]
        return read

    def hidden(
        self, z: Float[Tensor, "B Z"], batch: Batch, noise: Noise | None = None, sampling_probability: float = 0.0
    ) -> Float[Tensor, "B T H"]:
        """The hidden states that the likelihood reads, teacher forced; those on padding mean nothing.

        With a sampling probability the decoder reads its own draws in part. They are made first, and then read like
        true steps: since no gradient passes through a draw, that is what sampling on the way would give.

        Raises ValueError for a sampling probability without noise.
        """
        read = batch.x[:, :-1]
        if sampling_probability:
            if noise is None:
                raise ValueError(f"sampling_probability={sampling_probability} needs noise to draw with; give it noise")
            read = self.draw_inputs(z, batch, noise, sampling_probability)
        said, given = (read[..., 0], batch.x[..., 1]) if self.reads_held else (read, None)
        h = self.recurrence.hidden(z, said, noise, given)
        return dropout(h, self.output_dropout, noise, "decoder output", self.locked)

    def step_log_prob(
        self, z: Float[Tensor, "B Z"], batch: Batch, noise: Noise | None = None, sampling_probability: float = 0.0
    ) -> Float[Tensor, "B T"]:
        """log p(x_t | x_<t, z) of each step in nats, teacher forced, zero on padding.

        With a sampling probability (`hidden`) it is log p(x_t | what was read, z): to train on, not to evaluate.
        """
        real = batch.mask
        h, x = self.hidden(z, batch, noise, sampling_probability).flatten(0, 1), batch.x.flatten(0, 1)
        places = real.flatten().nonzero().squeeze(1)  # found once: a GPU is waited for
        if len(places) == len(x):  # no copy of what is wanted whole
            return self.likelihood.log_prob(h, x).unflatten(0, real.shape)
        scored = self.likelihood.log_prob(h.index_select(0, places), x.index_select(0, places))
        return scored.new_zeros(len(x)).index_copy(0, places, scored).unflatten(0, real.shape)

    def log_prob(
        self, z: Float[Tensor, "B Z"], batch: Batch, noise: Noise | None = None, sampling_probability: float = 0.0
    ) -> Float[Tensor, " B"]:
        """log p(x|z) in nats: the sum over real steps."""
        return self.step_log_prob(z, batch, noise, sampling_probability).sum(1)

    def predict(self, z: Float[Tensor, "B Z"], batch: Batch) -> Shaped[Tensor, "B T ..."]:
        """The most probable outcome of each step after the true steps before it; what is given is left 0."""
        return self.likelihood.mode(self.hidden(z, batch).flatten(0, 1)).unflatten(0, batch.x.shape[:2])
