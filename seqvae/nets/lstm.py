"""The LSTM encoder, and the LSTM as the recurrence of a decoder."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, NamedTuple, cast

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from seqvae.nets.corruption import StepCorruption
from seqvae.nets.likelihoods import product_dtype
from seqvae.nets.sequence_lstm import Rows, left_weights, run_layer_of_rows, run_lstm, widest_multiplied
from seqvae.nets.sizes import SequenceModel
from seqvae.nets.steps import OneHot, Position, projected_rows
from seqvae.noise import Noise, dropout
from seqvae.types import Batch


class LSTMEncoder(nn.Module):
    """x to the last hidden states of an LSTM, both directions side by side (Bowman et al. 2016, section 2.1).

    `embed` maps steps to (B, T, E), E = `embedding`. Each direction is an LSTM of its own that starts at a real step,
    so padding is never read before the states that count. `position` adds each step's place to its input. With
    `model.pooling` it is the mean, or the maximum of each unit, over the states of all real steps in place of the last
    one: every step is then as near to the code as the last (Long et al. 2019, section 3). With noise, that is in
    training, it reads what `corruption` leaves of x.
    """

    def __init__(
        self,
        embed: nn.Module,
        embedding: int,
        model: SequenceModel,
        position: Position | None = None,
        corruption: StepCorruption | None = None,
    ) -> None:
        super().__init__()
        self.embed = embed
        self.position = position
        self.corruption = corruption
        self.input_dropout, self.locked = model.encoder_dropout, model.locked_dropout
        self.pooling = model.pooling
        directions, hidden = 2 if model.bidirectional else 1, model.encoder_hidden
        self.features = directions * hidden
        sizes = [embedding + (position.width if position else 0)] + [self.features] * (model.encoder_layers - 1)
        self.layers = nn.ModuleList(
            nn.ModuleList(nn.LSTM(size, hidden, batch_first=True) for _ in range(directions)) for size in sizes
        )

    def forward(self, batch: Batch, noise: Noise | None = None) -> Float[Tensor, "B H"]:
        """(B, directions * hidden): the state after each example's last real step, and after its first; or pooled."""
        return self.read(self.inputs(batch, noise))

    def inputs(self, batch: Batch, noise: Noise | None = None) -> Batch:
        """What the LSTM reads of a batch, whose steps are then vectors (B, T, F); noise switches dropout on."""
        blanked = None
        if noise is not None and self.corruption is not None:
            batch, blanked = self.corruption(batch, noise)
        inputs = dropout(self.embed(batch.x), self.input_dropout, noise, "encoder input", self.locked)
        if blanked is not None:
            inputs = inputs.masked_fill(blanked.unsqueeze(2), 0.0)
        return replace(batch, x=_with_position(inputs, self.position))

    def read(self, batch: Batch) -> Float[Tensor, "B H"]:
        """The features of a batch of `inputs`."""
        whole = bool(batch.mask.all())  # windows, bars: what looks for ends takes twice as long to learn through
        inputs, backwards = batch.x, None if whole else _reversal(batch)
        outputs: list[Tensor] = []
        ends: list[Tensor] = []
        for layer in cast(Iterable[Iterable[nn.LSTM]], self.layers):
            if outputs:
                inputs = torch.cat([_reorder(x, backwards) if i else x for i, x in enumerate(outputs)], -1)
            outputs, ends = [], []
            for direction, lstm in enumerate(layer):
                states, _ = run_lstm(lstm, _reorder(inputs, backwards) if direction else inputs)  # (B, T, H)
                ends.append(_pooled(states, batch, self.pooling, whole))
                outputs.append(states)
        return torch.cat(ends, -1)


def _pooled(
    states: Float[Tensor, "B T H"], batch: Batch, pooling: Literal["last", "mean", "max"], whole: bool
) -> Float[Tensor, "B H"]:
    """The state of each example's last real step, or the mean or the maximum over its real steps."""
    if pooling == "last":
        if whole:
            return states[:, -1]
        last = (batch.lengths - 1).view(-1, 1, 1).expand(-1, 1, states.shape[2])
        return states.gather(1, last).squeeze(1)
    padding = ~batch.mask.unsqueeze(2)
    if pooling == "max":
        return states.masked_fill(padding, -torch.inf).amax(1)
    return states.masked_fill(padding, 0.0).sum(1) / batch.lengths.unsqueeze(1).to(states.dtype)


def _reversal(batch: Batch) -> Int[Tensor, "B T"]:
    """For each step the step that stands there when the real steps are reversed and the padding stays."""
    steps = torch.arange(batch.x.shape[1], device=batch.x.device)
    return torch.where(batch.mask, batch.lengths.unsqueeze(1) - 1 - steps, steps)


def _with_position(inputs: Float[Tensor, "B T F"], position: Position | None) -> Float[Tensor, "B T FP"]:
    if position is None:
        return inputs
    places = position(inputs.shape[1]).to(inputs.dtype)
    return torch.cat([inputs, places.expand(len(inputs), -1, -1)], -1)


def _reorder(x: Float[Tensor, "B T F"], order: Int[Tensor, "B T"] | None) -> Float[Tensor, "B T F"]:
    """The steps in this order; without one all of them reversed."""
    if order is None:
        return x.flip(1)
    return x.gather(1, order.unsqueeze(2).expand(-1, -1, x.shape[2]))


class StepWeights(NamedTuple):
    """A decoder's weights as single steps want them: inputs and states of a layer side by side, constants added up.

    `rows`: what each outcome as the last one adds to the gates of the first layer; None where outcomes have no rows of
    their own, and then the first of the `weights` holds their embedding's. `places`: what each position of a window
    adds; `given`: what each outcome adds that is held beside the step. `biases`: those of the layers above the first,
    whose bias is in the state. `from_code`: the weight of the code and the bias, of each layer that reads the code.
    G = 4H are the gates.
    """

    first: Float[Tensor, " G"]
    rows: Float[Tensor, "V G"] | None
    places: Float[Tensor, "W G"] | None
    weights: tuple[Float[Tensor, "G _"], ...]
    biases: tuple[Float[Tensor, " G"], ...]
    from_code: tuple[tuple[Float[Tensor, "G Z"], Float[Tensor, " G"]], ...]
    given: Float[Tensor, "V G"] | None = None


class LSTMState(NamedTuple):
    """An LSTM decoder between two steps: the hidden and cell states of its layers, and the number of steps done.

    `gates`: what the code adds to the gates of the first layer; `steps`: the weights for steps; `above`: what the code
    adds to the gates of the other layers, where it does; `given`: the outcome that is held beside each step, where one
    is.
    """

    h: Float[Tensor, "L B H"]
    c: Float[Tensor, "L B H"]
    gates: Float[Tensor, "B G"]
    steps: StepWeights
    t: int = 0
    above: tuple[Float[Tensor, "B G"], ...] = ()
    given: Int[Tensor, "B T"] | None = None

    def select(self, rows: Int[Tensor, " N"] | Bool[Tensor, " B"]) -> "LSTMState":
        """The state of some of the rows, by index or mask."""
        above = tuple(gates[rows] for gates in self.above)
        given = None if self.given is None else self.given[rows]
        return self._replace(h=self.h[:, rows], c=self.c[:, rows], gates=self.gates[rows], above=above, given=given)


def _add_product(
    gates: Float[Tensor, "B G"], x: Float[Tensor, "B F"], weight: Float[Tensor, "G F"]
) -> Float[Tensor, "B G"]:
    """`gates` plus x times the weight, in the memory of `gates`; large blocks cost more to get than to fill."""
    if gates.dtype == weight.dtype:
        return gates.addmm_(x.to(gates.dtype), weight.T)
    return gates.add_(F.linear(x.to(weight.dtype), weight))


class LSTMRecurrence(nn.Module):
    """The `Recurrence` of an LSTM: z sets the initial state and is concatenated to every step's input.

    `model.initial_state`: `cell` is c0 = W z, h0 = tanh(c0) (Kim et al. 2018; He et al. 2019); `dense` is the tanh of
    a dense layer for all states (Roberts et al. 2018). `embed` maps steps to (B, T, E), E = `embedding`; the input of
    the first step is a learned vector, and `position` adds each step's place to its input. `given` adds an outcome that
    is held beside each step, such as a chord, and that the step itself reads: it is never said. Word dropout blanks out
    whole inputs (Bowman et al. 2016, section 3.1). Where `model.code_initial_scale` is not 0, the layer from the code
    starts normal with that scale, its bias at zero (Magenta's MusicVAE: 0.001). With `model.code_skips` of layers each
    layer above the first, an LSTM of its own in `above`, reads z beside the layer below (Dieng et al. 2019, section 4).
    `model.output_projection` is a linear layer from the hidden states to what leaves the recurrence. Weight dropout
    leaves out recurrent weights, the same for all examples of a step of training (Merity et al. 2018, section 2).
    """

    def __init__(
        self,
        embed: nn.Module,
        embedding: int,
        model: SequenceModel,
        position: Position | None = None,
        given: OneHot | None = None,
    ) -> None:
        super().__init__()
        self.embed = embed
        self.position, self.given = position, given
        self.latent = model.latent
        self.initial_state = model.initial_state
        self.input_dropout, self.locked = model.input_dropout, model.locked_dropout
        self.word_dropout, self.weight_dropout = model.word_dropout, model.weight_dropout
        inputs = embedding + model.latent + (position.width if position else 0) + (given.width if given else 0)
        layers, hidden = model.decoder_layers, model.decoder_hidden
        self.first = nn.Parameter(torch.zeros(embedding))
        skips = layers - 1 if model.code_skips in ("layers", "both") else 0
        self.lstm = nn.LSTM(inputs, hidden, layers - skips, batch_first=True)
        self.above = nn.ModuleList(nn.LSTM(hidden + model.latent, hidden, batch_first=True) for _ in range(skips))
        projected = model.output_projection
        self.projection = nn.Linear(hidden, projected, bias=False) if projected else nn.Identity()
        self.to_state = initial_layer(model, layers, hidden) if model.latent else None

    @property
    def input_width(self) -> int:
        """The size of what a step reads besides the code: that of `inputs`."""
        beside = (one.width for one in (self.position, self.given) if one is not None)
        return len(self.first) + sum(beside)

    def start(
        self, z: Float[Tensor, "B Z"], before: LSTMState | None = None, given: Int[Tensor, "B T"] | None = None
    ) -> LSTMState:
        """The state before the first step; after the state `before` steps are counted on, and all else is new.

        `given` are the outcomes beside all steps, which a state `before` holds already.
        """
        h, c = self._initial(z)
        dtype = product_dtype(z)
        with torch.autocast(z.device.type, enabled=False):  # what is added up for all steps keeps its precision
            steps, t = (self._steps(dtype), 0) if before is None else (before.steps, before.t)
            given = given if before is None else before.given
            gates, *above = (torch.addmm(bias, z.to(bias.dtype), weight.T) for weight, bias in steps.from_code)
            return LSTMState(h, c, gates, steps, t, tuple(above), given)

    def _initial(self, z: Float[Tensor, "B Z"]) -> tuple[Float[Tensor, "L B H"], Float[Tensor, "L B H"]]:
        """The hidden and cell states before the first step."""
        shape = (self.lstm.num_layers + len(self.above), z.shape[0], self.lstm.hidden_size)
        if self.to_state is None:
            zeros = z.new_zeros(shape)
            return zeros, zeros
        return initial_states(self.to_state, z, self.lstm.hidden_size, self.initial_state)

    def _steps(self, dtype: torch.dtype) -> StepWeights:
        """The weights for steps, products in `dtype`."""
        layers = [(self.lstm, i) for i in range(self.lstm.num_layers)]
        layers += [(lstm, 0) for lstm in cast(Iterable[nn.LSTM], self.above)]
        inputs, hidden = ([getattr(lstm, f"weight_{kind}_l{i}") for lstm, i in layers] for kind in ("ih", "hh"))
        biases = [getattr(lstm, f"bias_ih_l{i}") + getattr(lstm, f"bias_hh_l{i}") for lstm, i in layers]
        ends = [len(self.first), len(self.first) + self.latent, self.latent + self.input_width]
        ends[2] -= self.given.width if self.given else 0
        step, from_code, from_place, from_given = inputs[0].tensor_split(ends, 1)
        rows = projected_rows(self.embed, step)
        inputs[0] = step if rows is None else step[:, :0]
        code_weights = [(from_code, biases[0])]
        for layer in range(self.lstm.num_layers, len(layers)):
            inputs[layer], from_code = inputs[layer].tensor_split([self.lstm.hidden_size], 1)
            code_weights.append((from_code, biases[layer]))
        weights = [torch.cat(pair, 1).to(dtype) for pair in zip(inputs, hidden, strict=True)]
        places = None if self.position is None else self.position(self.position.window) @ from_place.T
        plain = tuple(biases[1 : self.lstm.num_layers])
        given = None if self.given is None else projected_rows(self.given, from_given)
        return StepWeights(step @ self.first, rows, places, tuple(weights), plain, tuple(code_weights), given)

    def step(self, state: LSTMState, x_prev: Shaped[Tensor, "B ..."] | None) -> tuple[Float[Tensor, "B H"], LSTMState]:
        """The output of one step, and the next state."""
        steps, gates = state.steps, state.gates
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
        if steps.given is not None and state.given is not None:
            gates.add_(steps.given[state.given[:, state.t]])
        hidden: list[Tensor] = []
        cells: list[Tensor] = []
        for h, c, weight in zip(state.h, state.c, steps.weights, strict=True):
            if hidden and state.above:
                gates = state.above[len(hidden) - 1].clone()
            elif hidden:
                gates = steps.biases[len(hidden) - 1].repeat(len(h), 1)
            i, f, g, o = _add_product(gates, torch.cat([*inputs, h], 1), weight).chunk(4, 1)
            cells.append(f.sigmoid() * c + i.sigmoid() * g.tanh())
            hidden.append(o.sigmoid() * cells[-1].tanh())
            inputs = [hidden[-1]]
        output = self.projection(hidden[-1])
        return output, state._replace(h=torch.stack(hidden), c=torch.stack(cells), t=state.t + 1)

    def hidden(
        self, z: Float[Tensor, "B Z"], read: Shaped[Tensor, "B R ..."], noise: Noise | None = None,
        given: Int[Tensor, "B R+1"] | None = None,
    ) -> Float[Tensor, "B R+1 H"]:  # fmt: skip
        """The outputs of R + 1 steps; noise switches the dropout of inputs on."""
        if self._reads_rows(z, noise):
            return self._of_rows(z, read, noise, given)
        return self.outputs(z, self.inputs(read, noise, given), noise)

    def _reads_rows(self, z: Float[Tensor, "B Z"], noise: Noise | None) -> bool:
        """Whether steps are read as rows of tables, and so wide that not multiplying them pays."""
        by_rows = isinstance(self.embed, OneHot) and (noise is None or not self.input_dropout)
        return by_rows and z.device.type == "cpu" and self.lstm.input_size >= widest_multiplied(product_dtype(z))

    def _of_rows(
        self, z: Float[Tensor, "B Z"], read: Int[Tensor, "B R"], noise: Noise | None, given: Int[Tensor, "B R+1"] | None
    ) -> Float[Tensor, "B R+1 H"]:
        """The outputs of R + 1 steps; what the code and each outcome add to the gates is computed once for all."""
        state = self.start(z)
        steps, rows = state.steps, cast(Tensor, state.steps.rows)
        first, blank = len(rows), len(rows) + 1
        tables = [rows, steps.first.unsqueeze(0), torch.zeros_like(steps.first).unsqueeze(0)]
        said = F.pad(read.T.long(), (0, 0, 1, 0), value=first)  # step t sees x_{t-1}
        if noise is not None and self.word_dropout:
            said = said.masked_fill(~noise.keep("word", self.word_dropout, len(said)).squeeze(2).T, blank)
        which, ends = [said], blank + 1
        if steps.places is not None:
            tables.append(steps.places)
            which.append((torch.arange(len(said)) % len(steps.places) + ends).unsqueeze(1).expand_as(said))
            ends += len(steps.places)
        if steps.given is not None and given is not None:
            tables.append(steps.given)
            which.append(given.T.long() + ends)
        weights = left_weights(self.lstm, self.weight_dropout, noise)
        whole = self.lstm.num_layers
        inputs = Rows(torch.cat(tables), torch.stack(which), state.gates)
        outputs = run_layer_of_rows(self.lstm, inputs, state.h[0], state.c[0], weights)
        if whole > 1:
            start = state.h[1:whole].to(outputs.dtype), state.c[1:whole].to(outputs.dtype)
            outputs, _ = run_lstm(self.lstm, outputs, start, weights, first_layer=1)
        return self._above(outputs, z, state.h, state.c, noise)

    def inputs(
        self, read: Shaped[Tensor, "B R ..."], noise: Noise | None = None, given: Int[Tensor, "B R+1"] | None = None
    ) -> Float[Tensor, "B R+1 F"]:
        """What R + 1 steps read besides the code: the step before and, where there are, their position and `given`."""
        first = self.first.expand(len(read), 1, -1)
        inputs = torch.cat([first, self.embed(read)], 1)  # step t sees x_{t-1}
        inputs = dropout(inputs, self.input_dropout, noise, "decoder input", self.locked)
        if noise is not None and self.word_dropout:
            inputs = inputs * noise.keep("word", self.word_dropout, inputs.shape[1])
        inputs = _with_position(inputs, self.position)
        if self.given is None or given is None:
            return inputs
        return torch.cat([inputs, self.given(given).to(inputs.dtype)], -1)

    def outputs(
        self, z: Float[Tensor, "B Z"], inputs: Float[Tensor, "B T F"], noise: Noise | None = None
    ) -> Float[Tensor, "B T H"]:
        """The outputs of steps that read these inputs, from the initial state of the code on."""
        code = z.unsqueeze(1).expand(-1, inputs.shape[1], -1)
        step, place = inputs.tensor_split([len(self.first)], -1)
        inputs = torch.cat([step, code.to(inputs.dtype), place], -1)
        h, c = self._initial(z)
        h, c = h.to(inputs.dtype), c.to(inputs.dtype)
        whole = self.lstm.num_layers
        weights = left_weights(self.lstm, self.weight_dropout, noise)
        outputs, _ = run_lstm(self.lstm, inputs, (h[:whole], c[:whole]), weights)
        return self._above(outputs, z, h, c, noise)

    def _above(
        self, outputs: Float[Tensor, "B T H"], z: Float[Tensor, "B Z"], h: Float[Tensor, "L B H"],
        c: Float[Tensor, "L B H"], noise: Noise | None,
    ) -> Float[Tensor, "B T P"]:  # fmt: skip
        """What leaves the recurrence: the layers that read the code beside the layer below, and the projection."""
        h, c = h.to(outputs.dtype), c.to(outputs.dtype)
        code = z.unsqueeze(1).expand(-1, outputs.shape[1], -1).to(outputs.dtype)
        for layer, lstm in enumerate(cast(Iterable[nn.LSTM], self.above), self.lstm.num_layers):
            weights = left_weights(lstm, self.weight_dropout, noise, layer)
            start = h[layer : layer + 1], c[layer : layer + 1]
            outputs, _ = run_lstm(lstm, torch.cat([outputs, code], -1), start, weights)
        return cast(Tensor, self.projection(outputs))


def initial_layer(model: SequenceModel, layers: int, hidden: int) -> nn.Linear:
    """The layer by which `initial_states` reads the code, of the size and the initial scale that the model says."""
    states = 1 if model.initial_state == "cell" else 2
    layer = nn.Linear(model.latent, states * layers * hidden)
    if model.code_initial_scale:
        nn.init.normal_(layer.weight, std=model.code_initial_scale)
        nn.init.zeros_(layer.bias)
    return layer


def initial_states(
    layer: nn.Linear, z: Float[Tensor, "B Z"], hidden: int, kind: Literal["cell", "dense"]
) -> tuple[Float[Tensor, "L B H"], Float[Tensor, "L B H"]]:
    """The hidden and cell states of an LSTM's layers before the first step, of `hidden` units each."""
    states = layer(z).unflatten(1, (-1, hidden)).transpose(0, 1)  # (L or 2L, B, H)
    if kind == "cell":
        return states.tanh().contiguous(), states.contiguous()
    c, h = states.tanh().chunk(2)
    return h.contiguous(), c.contiguous()
