"""The LSTM encoder and the teacher-forced LSTM decoder."""

from collections.abc import Iterable
from typing import Literal, NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqvae.nets.likelihoods import Categorical
from seqvae.noise import Noise, dropout
from seqvae.types import Batch


class LSTMEncoder(nn.Module):
    """x to the last hidden states of an LSTM, both directions side by side (Bowman et al. 2016, section 2.1).

    `embed` maps steps to (B, T, E). Each direction is an LSTM of its own that starts at a real step, so padding
    is never read before the state that counts.
    """

    def __init__(
        self,
        embed: nn.Module,
        embedding: int,
        hidden: int,
        layers: int = 1,
        bidirectional: bool = True,
        input_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embed = embed
        self.input_dropout = input_dropout
        directions = 2 if bidirectional else 1
        self.features = directions * hidden
        sizes = [embedding] + [self.features] * (layers - 1)
        self.layers = nn.ModuleList(
            nn.ModuleList(nn.LSTM(size, hidden, batch_first=True) for _ in range(directions)) for size in sizes
        )

    def forward(self, batch: Batch, noise: Noise | None = None) -> Float[Tensor, "B H"]:
        """(B, directions * hidden): the state after each example's last real step, and after its first."""
        inputs = dropout(self.embed(batch.x), self.input_dropout, noise, "encoder input")
        backwards = _reversal(batch)
        ends: list[Tensor] = []
        for layer in cast(Iterable[Iterable[nn.LSTM]], self.layers):
            outputs, ends = [], []
            for direction, lstm in enumerate(layer):
                states, _ = lstm(_reorder(inputs, backwards) if direction else inputs)  # (B, T, H)
                last = (batch.lengths - 1).view(-1, 1, 1).expand(-1, 1, states.shape[2])
                ends.append(states.gather(1, last).squeeze(1))
                outputs.append(_reorder(states, backwards) if direction else states)
            inputs = torch.cat(outputs, -1)
        return torch.cat(ends, -1)


def _reversal(batch: Batch) -> Int[Tensor, "B T"]:
    """For each step the step that stands there when the real steps are reversed and the padding stays."""
    steps = torch.arange(batch.x.shape[1], device=batch.x.device)
    return torch.where(batch.mask, batch.lengths.unsqueeze(1) - 1 - steps, steps)


def _reorder(x: Float[Tensor, "B T F"], order: Int[Tensor, "B T"]) -> Float[Tensor, "B T F"]:
    return x.gather(1, order.unsqueeze(2).expand(-1, -1, x.shape[2]))


class State(NamedTuple):
    """A decoder between two steps: the code (B, Z), and the hidden and cell states (L, B, H)."""

    z: Tensor
    h: Tensor
    c: Tensor

    def select(self, rows: Tensor) -> "State":
        """The state of some of the rows, by index."""
        return State(self.z[rows], self.h[:, rows], self.c[:, rows])


class LSTMDecoder(nn.Module):
    """z to p(x_t | x_<t, z): z sets the initial state and is concatenated to every step's input.

    `initial_state`: `cell` is c0 = W z, h0 = tanh(c0) (Kim et al. 2018; He et al. 2019); `dense` is the tanh of a
    dense layer for all states (Roberts et al. 2018). Word dropout blanks out whole inputs (Bowman et al. 2016,
    section 3.1). The input of the first step is a learned vector.
    """

    has_steps = True

    def __init__(
        self,
        embed: nn.Module,
        embedding: int,
        latent: int,
        hidden: int,
        likelihood: Categorical,
        layers: int = 1,
        initial_state: Literal["cell", "dense"] = "cell",
    ) -> None:
        super().__init__()
        self.embed = embed
        self.latent = latent
        self.likelihood = likelihood
        self.initial_state = initial_state
        self.input_dropout = self.output_dropout = self.word_dropout = 0.0
        self.first = nn.Parameter(torch.zeros(embedding))
        self.lstm = nn.LSTM(embedding + latent, hidden, layers, batch_first=True)
        states = 1 if initial_state == "cell" else 2
        self.to_state = nn.Linear(latent, states * layers * hidden) if latent else None

    def with_dropout(self, inputs: float, outputs: float, words: float) -> "LSTMDecoder":
        """Set the probabilities of dropout on input embeddings, on outputs, and on whole inputs."""
        self.input_dropout, self.output_dropout, self.word_dropout = inputs, outputs, words
        return self

    def start(self, z: Float[Tensor, "B Z"]) -> State:
        """The state before the first step."""
        shape = (self.lstm.num_layers, z.shape[0], self.lstm.hidden_size)
        if self.to_state is None:
            zeros = z.new_zeros(shape)
            return State(z, zeros, zeros)
        states = self.to_state(z).unflatten(1, (-1, self.lstm.hidden_size)).transpose(0, 1)  # (L or 2L, B, H)
        if self.initial_state == "cell":
            return State(z, states.tanh().contiguous(), states.contiguous())
        c, h = states.tanh().chunk(2)
        return State(z, h.contiguous(), c.contiguous())

    def step(self, state: State, x_prev: Int[Tensor, " B"] | None) -> tuple[Float[Tensor, "B H"], State]:
        """One step: the output that the likelihood reads, and the next state."""
        batch = state.z.shape[0]
        inputs = self.first.expand(batch, -1) if x_prev is None else self.embed(x_prev)
        inputs = torch.cat([inputs, state.z], -1).unsqueeze(1)
        outputs, (h, c) = self.lstm(inputs, (state.h, state.c))
        return outputs.squeeze(1), State(state.z, h, c)

    def hidden(self, z: Float[Tensor, "B Z"], batch: Batch, noise: Noise | None = None) -> Float[Tensor, "B T H"]:
        """The outputs that the likelihood reads, teacher forced; those on padding mean nothing."""
        steps = batch.x.shape[1]
        first = self.first.expand(len(batch), 1, -1)
        inputs = torch.cat([first, self.embed(batch.x[:, :-1])], 1)  # step t sees x_{t-1}
        inputs = dropout(inputs, self.input_dropout, noise, "decoder input")
        if noise is not None and self.word_dropout:
            inputs = inputs * noise.keep("word", self.word_dropout, steps)
        inputs = torch.cat([inputs, z.unsqueeze(1).expand(-1, steps, -1).to(inputs.dtype)], -1)
        state = self.start(z)
        outputs, _ = self.lstm(inputs, (state.h.to(inputs.dtype), state.c.to(inputs.dtype)))
        return dropout(outputs, self.output_dropout, noise, "decoder output")

    def step_log_prob(self, z: Float[Tensor, "B Z"], batch: Batch, noise: Noise | None = None) -> Float[Tensor, "B T"]:
        """log p(x_t | x_<t, z) of each step in nats, teacher forced, zero on padding."""
        real = batch.mask
        scored = self.likelihood.log_prob(self.hidden(z, batch, noise)[real], batch.x[real])
        return scored.new_zeros(real.shape).masked_scatter(real, scored)

    def log_prob(self, z: Float[Tensor, "B Z"], batch: Batch, noise: Noise | None = None) -> Float[Tensor, " B"]:
        """log p(x|z) in nats: the sum over real steps."""
        return self.step_log_prob(z, batch, noise).sum(1)

    def predict(self, z: Float[Tensor, "B Z"], batch: Batch) -> Int[Tensor, "B T"]:
        """The most probable outcome of each step given the true steps before it."""
        return self.likelihood.mode(self.hidden(z, batch).flatten(0, 1)).unflatten(0, batch.x.shape[:2])
