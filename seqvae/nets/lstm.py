"""The LSTM encoder and the teacher-forced LSTM decoder."""

from collections.abc import Iterable
from typing import Literal, NamedTuple, cast

import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor, nn
from torch.nn import functional as F

from seqvae.nets.likelihoods import Choice, Likelihood, product_dtype
from seqvae.nets.steps import Position, projected_rows
from seqvae.noise import Noise, dropout
from seqvae.types import Batch


class LSTMEncoder(nn.Module):
    """x to the last hidden states of an LSTM, both directions side by side (Bowman et al. 2016, section 2.1).

    `embed` maps steps to (B, T, E). Each direction is an LSTM of its own that starts at a real step, so padding
    is never read before the state that counts. `position` tells each step its place besides.
    """

    def __init__(
        self,
        embed: nn.Module,
        embedding: int,
        hidden: int,
        layers: int = 1,
        bidirectional: bool = True,
        input_dropout: float = 0.0,
        position: Position | None = None,
    ) -> None:
        super().__init__()
        self.embed = embed
        self.position = position
        self.input_dropout = input_dropout
        directions = 2 if bidirectional else 1
        self.features = directions * hidden
        sizes = [embedding + (position.width if position else 0)] + [self.features] * (layers - 1)
        self.layers = nn.ModuleList(
            nn.ModuleList(nn.LSTM(size, hidden, batch_first=True) for _ in range(directions)) for size in sizes
        )

    def forward(self, batch: Batch, noise: Noise | None = None) -> Float[Tensor, "B H"]:
        """(B, directions * hidden): the state after each example's last real step, and after its first."""
        inputs = dropout(self.embed(batch.x), self.input_dropout, noise, "encoder input")
        inputs = _with_position(inputs, self.position)
        backwards = _reversal(batch)
        outputs: list[Tensor] = []
        ends: list[Tensor] = []
        for layer in cast(Iterable[Iterable[nn.LSTM]], self.layers):
            if outputs:
                inputs = torch.cat([_reorder(x, backwards) if i else x for i, x in enumerate(outputs)], -1)
            outputs, ends = [], []
            for direction, lstm in enumerate(layer):
                states, _ = lstm(_reorder(inputs, backwards) if direction else inputs)  # (B, T, H)
                last = (batch.lengths - 1).view(-1, 1, 1).expand(-1, 1, states.shape[2])
                ends.append(states.gather(1, last).squeeze(1))
                outputs.append(states)
        return torch.cat(ends, -1)


def _reversal(batch: Batch) -> Int[Tensor, "B T"]:
    """For each step the step that stands there when the real steps are reversed and the padding stays."""
    steps = torch.arange(batch.x.shape[1], device=batch.x.device)
    return torch.where(batch.mask, batch.lengths.unsqueeze(1) - 1 - steps, steps)


def _with_position(inputs: Float[Tensor, "B T F"], position: Position | None) -> Float[Tensor, "B T FP"]:
    if position is None:
        return inputs
    places = position(inputs.shape[1]).to(inputs.dtype)
    return torch.cat([inputs, places.expand(len(inputs), -1, -1)], -1)


def _reorder(x: Float[Tensor, "B T F"], order: Int[Tensor, "B T"]) -> Float[Tensor, "B T F"]:
    return x.gather(1, order.unsqueeze(2).expand(-1, -1, x.shape[2]))


class StepWeights(NamedTuple):
    """A decoder's weights as single steps want them: inputs and states of a layer side by side, constants added up.

    `rows` (V, 4H): what each outcome as the last one adds to the gates of the first layer; None where outcomes have no
    rows of their own, and then the first weight holds their embedding's. `places` (T, 4H): what each position adds.
    `weights` (4H, F + H) of each layer, and `biases` (4H,) of those above the first, whose bias is in the state.
    """

    first: Tensor
    rows: Tensor | None
    places: Tensor | None
    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]


class State(NamedTuple):
    """A decoder between two steps: the code (B, Z), the hidden and cell states (L, B, H), the number of steps done,
    what the code adds to the gates of the first layer (B, 4H), and the decoder's weights for steps.
    """

    z: Tensor
    h: Tensor
    c: Tensor
    t: int = 0
    gates: Tensor | None = None
    steps: StepWeights | None = None

    def select(self, rows: Tensor) -> "State":
        """The state of some of the rows, by index or mask."""
        gates = None if self.gates is None else self.gates[rows]
        return State(self.z[rows], self.h[:, rows], self.c[:, rows], self.t, gates, self.steps)


def _add_product(gates: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """`gates` plus x times the weight, in the memory of `gates`; large blocks cost more to get than to fill."""
    if gates.dtype == weight.dtype:
        return gates.addmm_(x.to(gates.dtype), weight.T)
    return gates.add_(F.linear(x.to(weight.dtype), weight))


class LSTMDecoder(nn.Module):
    """z to p(x_t | x_<t, z): z sets the initial state and is concatenated to every step's input.

    `initial_state`: `cell` is c0 = W z, h0 = tanh(c0) (Kim et al. 2018; He et al. 2019); `dense` is the tanh of a
    dense layer for all states (Roberts et al. 2018). Word dropout blanks out whole inputs (Bowman et al. 2016,
    section 3.1). The input of the first step is a learned vector. `position` tells each step its place besides.
    """

    has_steps = True
    likelihood: Likelihood

    def __init__(
        self,
        embed: nn.Module,
        embedding: int,
        latent: int,
        hidden: int,
        likelihood: Likelihood,
        layers: int = 1,
        initial_state: Literal["cell", "dense"] = "cell",
        position: Position | None = None,
    ) -> None:
        super().__init__()
        self.embed = embed
        self.position = position
        self.latent = latent
        self.likelihood = likelihood
        self.initial_state = initial_state
        self.input_dropout = self.output_dropout = self.word_dropout = 0.0
        self.first = nn.Parameter(torch.zeros(embedding))
        self.lstm = nn.LSTM(embedding + latent + (position.width if position else 0), hidden, layers, batch_first=True)
        states = 1 if initial_state == "cell" else 2
        self.to_state = nn.Linear(latent, states * layers * hidden) if latent else None

    def with_dropout(self, inputs: float, outputs: float, words: float) -> "LSTMDecoder":
        """Set the probabilities of dropout on input embeddings, on outputs, and on whole inputs."""
        self.input_dropout, self.output_dropout, self.word_dropout = inputs, outputs, words
        return self

    def with_code_scale(self, scale: float) -> "LSTMDecoder":
        """Draw the weights of the layer from the code to the initial state anew from N(0, scale^2), its bias at zero.

        Magenta's MusicVAE takes 0.001 for the layers to and from the code. A scale of 0 changes nothing.
        """
        if scale and self.to_state is not None:
            nn.init.normal_(self.to_state.weight, std=scale)
            nn.init.zeros_(self.to_state.bias)
        return self

    def start(self, z: Float[Tensor, "B Z"]) -> State:
        """The state before the first step."""
        h, c = self._initial(z)
        dtype = product_dtype(z)
        with torch.autocast(z.device.type, enabled=False):  # what is added up for all steps keeps its precision
            steps, from_code, bias = self._steps(dtype)
            return State(z, h, c, 0, torch.addmm(bias, z.to(bias.dtype), from_code.T), steps)

    def _initial(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The hidden and cell states (L, B, H) before the first step."""
        shape = (self.lstm.num_layers, z.shape[0], self.lstm.hidden_size)
        if self.to_state is None:
            zeros = z.new_zeros(shape)
            return zeros, zeros
        states = self.to_state(z).unflatten(1, (-1, self.lstm.hidden_size)).transpose(0, 1)  # (L or 2L, B, H)
        if self.initial_state == "cell":
            return states.tanh().contiguous(), states.contiguous()
        c, h = states.tanh().chunk(2)
        return h.contiguous(), c.contiguous()

    def _steps(self, dtype: torch.dtype) -> tuple[StepWeights, Tensor, Tensor]:
        """The weights for steps, products in `dtype`; of the first layer those of the code (4H, Z), and its bias."""
        lstm, layers = self.lstm, range(self.lstm.num_layers)
        inputs, hidden = ([getattr(lstm, f"weight_{kind}_l{i}") for i in layers] for kind in ("ih", "hh"))
        biases = [getattr(lstm, f"bias_ih_l{i}") + getattr(lstm, f"bias_hh_l{i}") for i in layers]
        step, from_code, from_place = inputs[0].tensor_split([len(self.first), len(self.first) + self.latent], 1)
        rows = projected_rows(self.embed, step)
        inputs[0] = step if rows is None else step[:, :0]
        weights = [torch.cat(pair, 1).to(dtype) for pair in zip(inputs, hidden, strict=True)]
        places = None if self.position is None else self.position(self.position.window) @ from_place.T
        return StepWeights(step @ self.first, rows, places, tuple(weights), tuple(biases[1:])), from_code, biases[0]

    def step(self, state: State, x_prev: Integer[Tensor, "B ..."] | None) -> tuple[Float[Tensor, "B H"], State]:
        """One step: the output that the likelihood reads, and the next state."""
        steps, gates = state.steps, state.gates
        if steps is None or gates is None:
            raise ValueError("a state that `start` did not make cannot be stepped from; begin with start(z)")
        inputs = []
        if steps.rows is None:
            inputs = [self.first.expand(len(gates), -1) if x_prev is None else self.embed(x_prev)]
            gates = gates.clone()
        elif x_prev is None:
            gates = gates + steps.first
        else:
            gates = steps.rows[x_prev].add_(gates)
        if steps.places is not None:
            gates.add_(steps.places[state.t % len(steps.places)])
        hidden: list[Tensor] = []
        cells: list[Tensor] = []
        for h, c, weight in zip(state.h, state.c, steps.weights, strict=True):
            if hidden:
                gates = steps.biases[len(hidden) - 1].repeat(len(h), 1)
            i, f, g, o = _add_product(gates, torch.cat([*inputs, h], 1), weight).chunk(4, 1)
            cells.append(f.sigmoid() * c + i.sigmoid() * g.tanh())
            hidden.append(o.sigmoid() * cells[-1].tanh())
            inputs = [hidden[-1]]
        return hidden[-1], state._replace(h=torch.stack(hidden), c=torch.stack(cells), t=state.t + 1)

    @torch.no_grad()
    def draw_inputs(
        self, z: Float[Tensor, "B Z"], batch: Batch, noise: Noise, probability: float
    ) -> Integer[Tensor, "B T ..."]:
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
        state, previous = self.start(z), None
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
        """The outputs that the likelihood reads, teacher forced; those on padding mean nothing.

        With a sampling probability the decoder reads its own draws in part. They are made first, and then read like
        true steps: since no gradient passes through a draw, that is what sampling on the way would give.

        Raises ValueError for a sampling probability without noise.
        """
        steps, read = batch.x.shape[1], batch.x[:, :-1]
        if sampling_probability:
            if noise is None:
                raise ValueError(f"sampling_probability={sampling_probability} needs noise to draw with; give it noise")
            read = self.draw_inputs(z, batch, noise, sampling_probability)
        first = self.first.expand(len(batch), 1, -1)
        inputs = torch.cat([first, self.embed(read)], 1)  # step t sees x_{t-1}
        inputs = dropout(inputs, self.input_dropout, noise, "decoder input")
        if noise is not None and self.word_dropout:
            inputs = inputs * noise.keep("word", self.word_dropout, steps)
        inputs = torch.cat([inputs, z.unsqueeze(1).expand(-1, steps, -1).to(inputs.dtype)], -1)
        inputs = _with_position(inputs, self.position)
        h, c = self._initial(z)
        outputs, _ = self.lstm(inputs, (h.to(inputs.dtype), c.to(inputs.dtype)))
        return dropout(outputs, self.output_dropout, noise, "decoder output")

    def step_log_prob(
        self, z: Float[Tensor, "B Z"], batch: Batch, noise: Noise | None = None, sampling_probability: float = 0.0
    ) -> Float[Tensor, "B T"]:
        """log p(x_t | x_<t, z) of each step in nats, teacher forced, zero on padding.

        With a sampling probability (`hidden`) it is log p(x_t | what was read, z): to train on, not to evaluate.
        """
        real = batch.mask
        h = self.hidden(z, batch, noise, sampling_probability)
        if real.all():  # no copy of what is wanted whole
            return self.likelihood.log_prob(h.flatten(0, 1), batch.x.flatten(0, 1)).unflatten(0, real.shape)
        scored = self.likelihood.log_prob(h[real], batch.x[real])
        return scored.new_zeros(real.shape).masked_scatter(real, scored)

    def log_prob(
        self, z: Float[Tensor, "B Z"], batch: Batch, noise: Noise | None = None, sampling_probability: float = 0.0
    ) -> Float[Tensor, " B"]:
        """log p(x|z) in nats: the sum over real steps."""
        return self.step_log_prob(z, batch, noise, sampling_probability).sum(1)

    def predict(self, z: Float[Tensor, "B Z"], batch: Batch) -> Int[Tensor, "B T ..."]:
        """The most probable outcome of each step given the true steps before it."""
        return self.likelihood.mode(self.hidden(z, batch).flatten(0, 1)).unflatten(0, batch.x.shape[:2])
