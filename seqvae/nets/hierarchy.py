"""Segments of a sequence: an encoder that reads over them, and a conductor over a decoder that begins anew in each."""

from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar, cast, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from seqvae.nets.decoder import State
from seqvae.nets.lstm import LSTMEncoder, initial_layer, initial_states
from seqvae.nets.sequence_lstm import run_lstm
from seqvae.nets.sizes import SequenceModel
from seqvae.nets.steps import Position
from seqvae.noise import Noise
from seqvae.types import Batch

StateT = TypeVar("StateT", bound=State)

FORGET_BIAS = 2.0  # of a new conductor: with torch's 0 its state, all that it has of z, halves at each step


def in_segments(x: Float[Tensor, "B T F"], segment: int) -> Float[Tensor, "B N S F"]:
    """The steps by segments of so many, the last one filled up with zeros; a single segment has no more than T steps.

    >>> in_segments(torch.arange(1.0, 6.0).view(1, 5, 1), 3).squeeze(3).tolist()
    [[[1.0, 2.0, 3.0], [4.0, 5.0, 0.0]]]
    """
    steps = x.shape[1]
    length = min(segment, steps)
    segments = -(-steps // length)
    return F.pad(x, (0, 0, 0, segments * length - steps)).unflatten(1, (segments, length))


class SegmentEncoder(nn.Module):
    """x to features by segments: one encoder reads each by itself, another reads over what the first has of them.

    (MusicVAE's hierarchical encoder, Magenta's `hier-mel_16bar`.) Embedding, corruption, dropout and positions are
    those of `steps`, over the whole sequence. `over` has `model.segment_encoder_hidden` units and is else like `steps`.
    """

    def __init__(self, steps: LSTMEncoder, model: SequenceModel, segment: int) -> None:
        super().__init__()
        self.steps = steps
        self.segment = segment
        sizes = replace(model, encoder_hidden=model.segment_encoder_hidden, encoder_dropout=0.0)
        self.over = LSTMEncoder(nn.Identity(), steps.features, sizes)
        self.features = self.over.features

    def forward(self, batch: Batch, noise: Noise | None = None) -> Float[Tensor, "B H"]:
        """(B, directions * hidden): what is read over the segments that have a real step."""
        inputs = self.steps.inputs(batch, noise)
        x = in_segments(inputs.x, self.segment)
        segments, length = x.shape[1:3]
        begins = torch.arange(0, segments * length, length, device=x.device)
        lengths = (inputs.lengths.unsqueeze(1) - begins).clamp(1, length)  # of padding alone: read, and not read over
        keys = inputs.keys.repeat_interleave(segments)
        read = self.steps.read(Batch(x.flatten(0, 1), lengths.flatten(), keys)).unflatten(0, (len(x), segments))
        real = torch.div(inputs.lengths + length - 1, length, rounding_mode="floor")
        return self.over.read(Batch(read, real, inputs.keys))


@runtime_checkable
class Core(Protocol[StateT]):
    """What a conductor asks of the recurrence below it: one that can begin anew between any two steps."""

    latent: int

    def start(
        self, z: Float[Tensor, "B Z"], before: StateT | None = None, given: Int[Tensor, "B T"] | None = None
    ) -> StateT:
        """The state before the first step; after the state `before` steps are counted on, and all else is new."""
        ...

    def step(self, state: StateT, x_prev: Shaped[Tensor, "B ..."] | None) -> tuple[Float[Tensor, "B H"], StateT]:
        """The output of one step, and the next state."""
        ...

    def inputs(
        self, read: Shaped[Tensor, "B R ..."], noise: Noise | None = None, given: Int[Tensor, "B R+1"] | None = None
    ) -> Float[Tensor, "B R+1 F"]:
        """What R + 1 steps read besides the code."""
        ...

    def outputs(
        self, z: Float[Tensor, "B Z"], inputs: Float[Tensor, "B T F"], noise: Noise | None = None
    ) -> Float[Tensor, "B T H"]:
        """The outputs of steps that read these inputs, from the initial state of the code on."""
        ...


@dataclass(frozen=True)
class HierarchyState(Generic[StateT]):
    """The hidden and cell states of the conductor's layers, the core's state in the segment, and the steps done.

    `z` is the code where the conductor reads it.
    """

    h: Float[Tensor, "L B H"]
    c: Float[Tensor, "L B H"]
    core: StateT
    t: int = 0
    z: Float[Tensor, "B Z"] | None = None

    def select(self, rows: Int[Tensor, " N"] | Bool[Tensor, " B"]) -> "HierarchyState[StateT]":
        """The state of some of the rows, by index or mask."""
        z = None if self.z is None else self.z[rows]
        return replace(self, h=self.h[:, rows], c=self.c[:, rows], core=self.core.select(rows), z=z)


class Hierarchy(nn.Module, Generic[StateT]):
    """The `Recurrence` of a conductor over a core (Roberts et al. 2018, section 3.2).

    The conductor is an LSTM that does one step for each `segment` steps of the sequence. z sets its initial state, as
    `model.initial_state` and `model.code_initial_scale` say: its output is the code of the core, which begins anew with
    it in each segment, and forgets all of the segment before but its last step, which it reads. So what segments have
    in common can go through z alone. The core's positions and dropout are those of the whole sequence.

    The conductor reads a constant 1 (MusicVAE's: 0), whose weight is one more bias. With `model.conductor_reads` of the
    code it reads z as well, and the mean of the `position` vectors of a segment's steps, so that a late segment is as
    near to z as the first. A new one has open forget gates (Jozefowicz et al. 2015): a constant alone never says again
    what is forgotten of z.
    """

    def __init__(
        self, core: Core[StateT], model: SequenceModel, segment: int, position: Position | None = None
    ) -> None:
        super().__init__()
        self.core = core
        self.segment = segment
        self.latent, self.initial_state = model.latent, model.initial_state
        layers, hidden = model.conductor_layers, model.conductor_hidden
        self.reads_code = model.conductor_reads == "code"
        self.position = position if self.reads_code else None
        inputs = 1 + (model.latent if self.reads_code else 0) + (self.position.width if self.position else 0)
        self.conductor = nn.LSTM(inputs, hidden, layers, batch_first=True)
        with torch.no_grad():
            for layer in range(layers):
                cast(Tensor, getattr(self.conductor, f"bias_ih_l{layer}"))[hidden : 2 * hidden] += FORGET_BIAS
        self.to_state = initial_layer(model, layers, hidden)

    def start(self, z: Float[Tensor, "B Z"], *, given: Int[Tensor, "B T"] | None = None) -> HierarchyState[StateT]:
        """The state before the first step; the core reads what is given."""
        code, h, c = self._conduct(z, *self._initial(z), 1)
        return HierarchyState(h, c, self.core.start(code.squeeze(1), given=given), z=z if self.reads_code else None)

    def step(
        self, state: HierarchyState[StateT], x_prev: Shaped[Tensor, "B ..."] | None
    ) -> tuple[Float[Tensor, "B H"], HierarchyState[StateT]]:
        """The core's output of one step, and the next state."""
        if state.t and state.t % self.segment == 0:
            code, h, c = self._conduct(state.z, state.h, state.c, 1, state.t // self.segment)
            state = replace(state, h=h, c=c, core=self.core.start(code.squeeze(1), state.core))
        output, core = self.core.step(state.core, x_prev)
        return output, replace(state, core=core, t=state.t + 1)

    def hidden(
        self, z: Float[Tensor, "B Z"], read: Shaped[Tensor, "B R ..."], noise: Noise | None = None,
        given: Int[Tensor, "B R+1"] | None = None,
    ) -> Float[Tensor, "B R+1 H"]:  # fmt: skip
        """The core's outputs of R + 1 steps, those of all segments at once; noise switches its dropout on."""
        inputs = in_segments(self.core.inputs(read, noise, given), self.segment)
        segments = inputs.shape[1]
        codes, _, _ = self._conduct(z, *self._initial(z), segments)
        outputs = self.core.outputs(codes.flatten(0, 1), inputs.flatten(0, 1), noise)
        return outputs.unflatten(0, (len(z), segments)).flatten(1, 2)[:, : read.shape[1] + 1]

    def _initial(self, z: Float[Tensor, "B Z"]) -> tuple[Float[Tensor, "L B H"], Float[Tensor, "L B H"]]:
        """The conductor's hidden and cell states before its first step."""
        return initial_states(self.to_state, z, self.conductor.hidden_size, self.initial_state)

    def _conduct(
        self, z: Float[Tensor, "B Z"] | None, h: Float[Tensor, "L B H"], c: Float[Tensor, "L B H"], segments: int,
        done: int = 0,
    ) -> tuple[Float[Tensor, "B S H"], Float[Tensor, "L B H"], Float[Tensor, "L B H"]]:  # fmt: skip
        """The codes of the next segments after those that are done, and the conductor's states after them."""
        weight = cast(Tensor, self.conductor.weight_ih_l0)
        inputs = [torch.ones(h.shape[1], segments, 1, dtype=weight.dtype, device=h.device)]
        if z is not None and self.reads_code:
            inputs.append(z.to(weight.dtype).unsqueeze(1).expand(-1, segments, -1))
        if self.position is not None:
            places = self.position((done + segments) * self.segment)
            places = places.unflatten(0, (done + segments, self.segment))[done:].mean(1)
            inputs.append(places.to(weight.dtype).expand(h.shape[1], -1, -1))
        codes, (h, c) = run_lstm(self.conductor, torch.cat(inputs, 2), (h.to(weight.dtype), c.to(weight.dtype)))
        return codes, h, c
