"""A conductor over the segments of a sequence: each is decoded anew, with an output of the conductor as its code."""

from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar, cast, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from seqvae.nets.decoder import State
from seqvae.nets.lstm import initial_layer, initial_states
from seqvae.nets.sizes import SequenceModel
from seqvae.noise import Noise

StateT = TypeVar("StateT", bound=State)


@runtime_checkable
class Core(Protocol[StateT]):
    """What a conductor asks of the recurrence below it: one that can begin anew between any two steps."""

    latent: int

    def start(self, z: Float[Tensor, "B Z"], before: StateT | None = None) -> StateT:
        """The state before the first step; after the state `before` steps are counted on, and all else is new."""
        ...

    def step(self, state: StateT, x_prev: Shaped[Tensor, "B ..."] | None) -> tuple[Float[Tensor, "B H"], StateT]:
        """The output of one step, and the next state."""
        ...

    def inputs(self, read: Shaped[Tensor, "B R ..."], noise: Noise | None = None) -> Float[Tensor, "B R+1 F"]:
        """What R + 1 steps read besides the code."""
        ...

    def outputs(
        self, z: Float[Tensor, "B Z"], inputs: Float[Tensor, "B T F"], noise: Noise | None = None
    ) -> Float[Tensor, "B T H"]:
        """The outputs of steps that read these inputs, from the initial state of the code on."""
        ...


@dataclass(frozen=True)
class HierarchyState(Generic[StateT]):
    """The hidden and cell states of the conductor's layers, the core's state in the segment, and the steps done."""

    h: Float[Tensor, "L B H"]
    c: Float[Tensor, "L B H"]
    core: StateT
    t: int = 0

    def select(self, rows: Int[Tensor, " N"] | Bool[Tensor, " B"]) -> "HierarchyState[StateT]":
        """The state of some of the rows, by index or mask."""
        return replace(self, h=self.h[:, rows], c=self.c[:, rows], core=self.core.select(rows))


class Hierarchy(nn.Module, Generic[StateT]):
    """The `Recurrence` of a conductor over a core (Roberts et al. 2018, section 3.2).

    The conductor is an LSTM that does one step for each `segment` steps of the sequence. z sets its initial state, as
    `model.initial_state` and `model.code_initial_scale` say, and is read nowhere else: its output is the code of the
    core, which begins anew with it in each segment, and forgets all of the segment before but its last step, which it
    reads. So what segments have in common can go through z alone. The core's positions and dropout are those of the
    whole sequence. The conductor reads a constant 1 (MusicVAE's: 0), whose weight is one more bias.
    """

    def __init__(self, core: Core[StateT], model: SequenceModel, segment: int) -> None:
        super().__init__()
        self.core = core
        self.segment = segment
        self.latent, self.initial_state = model.latent, model.initial_state
        layers, hidden = model.conductor_layers, model.conductor_hidden
        self.conductor = nn.LSTM(1, hidden, layers, batch_first=True)
        self.to_state = initial_layer(model, layers, hidden)

    def start(self, z: Float[Tensor, "B Z"]) -> HierarchyState[StateT]:
        """The state before the first step."""
        code, h, c = self._conduct(*self._initial(z), 1)
        return HierarchyState(h, c, self.core.start(code.squeeze(1)))

    def step(
        self, state: HierarchyState[StateT], x_prev: Shaped[Tensor, "B ..."] | None
    ) -> tuple[Float[Tensor, "B H"], HierarchyState[StateT]]:
        """The core's output of one step, and the next state."""
        if state.t and state.t % self.segment == 0:
            code, h, c = self._conduct(state.h, state.c, 1)
            state = replace(state, h=h, c=c, core=self.core.start(code.squeeze(1), state.core))
        output, core = self.core.step(state.core, x_prev)
        return output, replace(state, core=core, t=state.t + 1)

    def hidden(
        self, z: Float[Tensor, "B Z"], read: Shaped[Tensor, "B R ..."], noise: Noise | None = None
    ) -> Float[Tensor, "B R+1 H"]:
        """The core's outputs of R + 1 steps, those of all segments at once; noise switches its dropout on."""
        inputs = self.core.inputs(read, noise)
        steps = inputs.shape[1]
        length = min(self.segment, steps)
        segments = -(-steps // length)
        codes, _, _ = self._conduct(*self._initial(z), segments)
        inputs = F.pad(inputs, (0, 0, 0, segments * length - steps)).unflatten(1, (segments, length))
        outputs = self.core.outputs(codes.flatten(0, 1), inputs.flatten(0, 1), noise)
        return outputs.unflatten(0, (len(z), segments)).flatten(1, 2)[:, :steps]

    def _initial(self, z: Float[Tensor, "B Z"]) -> tuple[Float[Tensor, "L B H"], Float[Tensor, "L B H"]]:
        """The conductor's hidden and cell states before its first step."""
        return initial_states(self.to_state, z, self.conductor.hidden_size, self.initial_state)

    def _conduct(
        self, h: Float[Tensor, "L B H"], c: Float[Tensor, "L B H"], segments: int
    ) -> tuple[Float[Tensor, "B S H"], Float[Tensor, "L B H"], Float[Tensor, "L B H"]]:
        """The codes of the next segments, and the conductor's states after them."""
        dtype = cast(Tensor, self.conductor.weight_ih_l0).dtype
        constant = torch.ones(h.shape[1], segments, 1, dtype=dtype, device=h.device)
        codes, (h, c) = self.conductor(constant, (h.to(dtype), c.to(dtype)))
        return codes, h, c
