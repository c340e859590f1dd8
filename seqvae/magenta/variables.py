"""What Magenta's models have in common: the variables of a checkpoint to our configuration and weights.

A bidirectional encoder, and a decoder that runs over the whole window; or a conductor, and below it a core decoder, or
one for each part, that begins anew in each segment. Sizes are not stored; they follow from the shapes.
"""

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np

from seqvae.config import counted
from seqvae.magenta.lstm import Filled, filled, initial_states, torch_layer
from seqvae.magenta.places import AGAIN

POSSIBLE = (
    "what can be imported are cat-drums_2bar_small and _big, nade-drums_2bar_reduced and _full, cat-mel_2bar_big, "
    "groovae_2bar_humanize, _tap_fixed_velocity and _add_closed_hh, groovae_4bar, and flat and hierdec models of "
    "melodies and trios of 16 bars"
)
MOST_LAYERS = 8
PARTS = ("encoder/", "decoder/", "core_decoder/", "hierarchical_encoder/")  # beginnings of names
Projection = tuple[np.ndarray, np.ndarray]  # weight and bias
_TRAINING = ("/Adam", "/Adam_1", "/ExponentialMovingAverage")  # ends of names that the optimizer keeps
_CONDUCTOR, _CORE = "decoder/hierarchical_level_0", "core_decoder/"
_FLAT, _HIERARCHICAL = "decoder", "core_decoder/decoder"  # where decoders stand
_CONDUCTOR_INPUT = 1  # a number that is always zero


class Variables(Protocol):
    """An open checkpoint of any form: its name in errors, the shapes of its variables, and their values."""

    name: str

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each variable by its name."""
        ...

    def read(self, name: str) -> np.ndarray:
        """The values of a variable. Raises ValueError where there are none, or damaged ones."""
        ...


@dataclass(frozen=True)
class Cell:
    """An LSTM layer of TensorFlow: the name in front of its kernel and bias, and its sizes."""

    name: str
    inputs: int
    hidden: int


class ModelVariables(abc.ABC):
    """The variables of a model. Raises ValueError for those that no such model has."""

    modality: ClassVar[str]

    def __init__(self, found: Variables) -> None:
        self._found = found
        self.shapes = {
            name: shape
            for name, shape in found.shapes.items()
            if name.startswith(PARTS) and not name.endswith(_TRAINING)
        }
        self._used: set[str] = set()

    # Sizes ----------------------------------------------------------------------------------------------------

    def _shape(self, name: str, axes: int) -> tuple[int, ...]:
        """The shape of a variable. Raises ValueError when it is not there, or has another number of axes."""
        shape = self.shapes.get(name)
        if shape is None or len(shape) != axes:
            what = "is missing" if shape is None else f"has {counted(len(shape), 'axes')}"
            raise ValueError(
                f"{self._found.name} is no model of MusicVAE that is known here ({name} {what}); {POSSIBLE}"
            )
        return shape

    def _cells(self, pattern: str) -> list[Cell]:
        """The layers of a stack, from the first on."""
        cells: list[Cell] = []
        while (name := pattern.format(len(cells))) + "/kernel" in self.shapes and len(cells) <= MOST_LAYERS:
            (rows, _), (gates,) = self._shape(f"{name}/kernel", 2), self._shape(f"{name}/bias", 1)
            cells.append(Cell(name, rows - gates // 4, gates // 4))
        if not 0 < len(cells) <= MOST_LAYERS:
            number = f"more than {MOST_LAYERS}" if cells else "no"
            raise ValueError(f"{self._found.name} has {number} layers {pattern.format('*')}; {POSSIBLE}")
        return cells

    @cached_property
    def latent(self) -> int:
        """The latent units."""
        return self._shape("encoder/mu/bias", 1)[0]

    @cached_property
    def encoder(self) -> list[list[Cell]]:
        """The layers of the encoder, forwards and backwards."""
        pattern = "encoder/cell_{{}}/bidirectional_rnn/{}/multi_rnn_cell/cell_0/lstm_cell"
        forwards, backwards = (self._cells(pattern.format(way)) for way in ("fw", "bw"))
        if [cell.hidden for cell in forwards] != [cell.hidden for cell in backwards]:
            raise ValueError(f"{self._found.name} has an encoder of unlike directions; {POSSIBLE}")
        return [list(pair) for pair in zip(forwards, backwards, strict=True)]

    @cached_property
    def conductor(self) -> list[Cell]:
        """The layers of the conductor; none where there is no conductor."""
        return self._cells(f"{_CONDUCTOR}/cell_{{}}/lstm_cell") if self.is_hierarchical else []

    @property
    def is_hierarchical(self) -> bool:
        """Whether there is a conductor."""
        return any(name.startswith((_CORE, _CONDUCTOR)) for name in self.shapes)

    @cached_property
    def cores(self) -> list[str]:
        """Where the decoders stand: of a conductor's parts one for each, else one."""
        parts: list[str] = []
        while any(name.startswith(f"{_CORE}core_decoder_{len(parts)}/") for name in self.shapes):
            parts.append(f"{_CORE}core_decoder_{len(parts)}/decoder")
        return parts or [_HIERARCHICAL if self.is_hierarchical else _FLAT]

    @cached_property
    def decoders(self) -> list[list[Cell]]:
        """The layers of each decoder."""
        found = [self._cells(f"{core}/multi_rnn_cell/cell_{{}}/lstm_cell") for core in self.cores]
        if len({len(cells) for cells in found}) > 1:
            raise ValueError(f"{self._found.name} has decoders of unlike numbers of layers; {POSSIBLE}")
        return found

    @property
    def code(self) -> int:
        """The size of the code that decoders read: the latent units, or what the conductor gives."""
        return self.conductor[-1].hidden if self.is_hierarchical else self.latent

    @cached_property
    def reads(self) -> list[int]:
        """The size of a step as each decoder reads it."""
        return [cells[0].inputs - self.code for cells in self.decoders]

    @property
    def read(self) -> int:
        """The size of a step as all decoders read it."""
        return sum(self.reads)

    @cached_property
    def units(self) -> int:
        """The hidden units of NADE; 0 where steps are combinations."""
        name = f"{self.cores[0]}/nade/w_enc"
        return self._shape(name, 3)[2] if name in self.shapes else 0

    @cached_property
    def given(self) -> int:
        """The size of a step as the encoder reads it."""
        return self.encoder[0][0].inputs

    @cached_property
    def gives(self) -> list[int]:
        """The numbers that each decoder gives for a step."""
        return [self._shape(f"{core}/output_projection/bias", 1)[0] for core in self.cores]

    @property
    def outputs(self) -> int:
        """The numbers that all decoders give for a step."""
        return sum(self.gives)

    # Values ---------------------------------------------------------------------------------------------------

    def _take(self, name: str, *shape: int) -> np.ndarray:
        """The values of a variable of this shape. Raises ValueError for another shape."""
        if self._shape(name, len(shape)) != shape:
            raise ValueError(
                f"{self._found.name} does not fit together: {name} has the shape {self.shapes[name]}, and the others "
                f"want {shape}; {AGAIN}"
            )
        self._used.add(name)
        return self._found.read(name)

    def _layer(self, cell: Cell, inputs: list[Filled], hidden: int) -> dict[str, np.ndarray]:
        own = sum(run.own for run in inputs)
        kernel = self._take(f"{cell.name}/kernel", own + cell.hidden, 4 * cell.hidden)
        bias = self._take(f"{cell.name}/bias", 4 * cell.hidden)
        return torch_layer(kernel, bias, inputs, Filled(cell.hidden, hidden))

    def _encoder_weights(self) -> dict[str, np.ndarray]:
        hidden = max(cell.hidden for layer in self.encoder for cell in layer)
        weights: dict[str, np.ndarray] = {}
        inputs = [Filled(self.given, self.given)]
        for layer, cells in enumerate(self.encoder):
            for way, cell in enumerate(cells):
                found = self._layer(cell, inputs, hidden)
                weights |= {f"encoder.layers.{layer}.{way}.{name}_l0": values for name, values in found.items()}
            inputs = [Filled(cell.hidden, hidden) for cell in cells]
        for ours, theirs in (("to_mean", "mu"), ("to_scale", "sigma")):
            kernel = self._take(f"encoder/{theirs}/kernel", sum(run.own for run in inputs), self.latent)
            weights[f"{ours}.weight"] = filled(kernel, 0, inputs).T
            weights[f"{ours}.bias"] = self._take(f"encoder/{theirs}/bias", self.latent)
        return weights

    def _states(self, name: str, code: Filled, sizes: list[Filled]) -> dict[str, np.ndarray]:
        """The layer from a code to the initial states of layers of these sizes."""
        kernel = filled(self._take(f"{name}/kernel", code.own, 2 * sum(size.own for size in sizes)), 0, [code])
        bias = self._take(f"{name}/bias", kernel.shape[1])
        return {"to_state.weight": initial_states(kernel.T, sizes), "to_state.bias": initial_states(bias, sizes)}

    def _stack(self, cells: list[Cell], inputs: list[Filled], hidden: int) -> dict[str, np.ndarray]:
        """The layers of an LSTM, each of which is filled up to so many units."""
        weights: dict[str, np.ndarray] = {}
        for layer, cell in enumerate(cells):
            found = self._layer(cell, inputs, hidden)
            weights |= {f"{name}_l{layer}": values for name, values in found.items()}
            inputs = [Filled(cell.hidden, hidden)]
        return weights

    def _conductor_weights(self) -> dict[str, np.ndarray]:
        """The weights of the conductor by our names in it."""
        hidden = max(cell.hidden for cell in self.conductor)
        sizes = [Filled(cell.hidden, hidden) for cell in self.conductor]
        stack = self._stack(self.conductor, [Filled(_CONDUCTOR_INPUT, _CONDUCTOR_INPUT)], hidden)
        stack["weight_ih_l0"] = np.zeros_like(stack["weight_ih_l0"])  # Magenta's reads zeros, and ours ones
        states = self._states(f"{_CONDUCTOR}/initial_state", Filled(self.latent, self.latent), sizes)
        return {**states, **{f"conductor.{name}": values for name, values in stack.items()}}

    def _core_weights(self, number: int) -> dict[str, np.ndarray]:
        """The weights of a decoder by our names in its recurrence."""
        core, cells, read = self.cores[number], self.decoders[number], self.reads[number]
        hidden = self._decoder_hidden
        code = Filled(self.code, max((cell.hidden for cell in self.conductor), default=self.code))
        sizes = [Filled(cell.hidden, hidden) for cell in cells]
        stack = self._stack(cells, [Filled(read, read), code], hidden)
        return {
            "first": np.zeros(read, np.float32),  # the first step reads zeros
            **self._states(f"{core}/z_to_initial_state", code, sizes),
            **{f"lstm.{name}": values for name, values in stack.items()},
        }

    def _projection(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """The weight (outputs, H) and the bias of a decoder's output layer."""
        name, size = f"{self.cores[number]}/output_projection", self.decoders[number][-1].hidden
        kernel = self._take(f"{name}/kernel", size, self.gives[number])
        weight: np.ndarray = filled(kernel, 0, [Filled(size, self._decoder_hidden)]).T
        return weight, self._take(f"{name}/bias", self.gives[number])

    @property
    def _decoder_hidden(self) -> int:
        return max(cell.hidden for cells in self.decoders for cell in cells)

    def _decoder_weights(self) -> dict[str, np.ndarray]:
        front = "decoder.recurrence."
        weights = {}
        if self.is_hierarchical:
            weights = {front + name: values for name, values in self._conductor_weights().items()}
            front += "core."
        for number in range(len(self.cores)):
            own = f"{front}parts.{number}." if len(self.cores) > 1 else front
            weights |= {own + name: values for name, values in self._core_weights(number).items()}
        projections = [self._projection(number) for number in range(len(self.cores))]
        for own, (weight, bias) in self._scores(projections).items():
            weights |= {f"decoder.likelihood.{own}weight": weight, f"decoder.likelihood.{own}bias": bias}
        if self.units:
            name = f"{self.cores[0]}/nade"
            reading = self._take(f"{name}/w_enc", self.read, 1, self.units)
            scoring = self._take(f"{name}/w_dec_t", self.read, self.units, 1)
            weights |= {"decoder.likelihood.reading": reading[:, 0], "decoder.likelihood.scoring": scoring[:, :, 0]}
        return weights

    def _scores(self, projections: list[Projection]) -> dict[str, Projection]:
        """The output layers by our names in the likelihood, of those of the decoders."""
        (projection,) = projections
        return {"projection.": projection}

    def weights(self) -> dict[str, np.ndarray]:
        """The weights by our names. Raises ValueError when a variable of the model has no place among them."""
        weights = self._encoder_weights() | self._decoder_weights()
        if others := self.shapes.keys() - self._used:
            raise ValueError(
                f"{self._found.name} has the variable {min(others)}, which has no place in the model as it is known "
                f"here; {POSSIBLE}"
            )
        return weights

    # Configuration --------------------------------------------------------------------------------------------

    @property
    def model(self) -> Mapping[str, Any]:
        """The values of `model.*` that say the sizes."""
        nade = {"step_likelihood": "nade", "nade_hidden": self.units} if self.units else {}
        return {
            "latent": self.latent,
            "encoder_hidden": max(cell.hidden for layer in self.encoder for cell in layer),
            "encoder_layers": len(self.encoder),
            "decoder_hidden": self._decoder_hidden,
            "decoder_layers": len(self.decoders[0]),
            "conductor_hidden": max((cell.hidden for cell in self.conductor), default=0),
            **({"conductor_layers": len(self.conductor)} if self.conductor else {}),
            **nade,
        }

    @property
    @abc.abstractmethod
    def recipe(self) -> str:
        """What the published models were trained with, but for their sizes."""

    @property
    @abc.abstractmethod
    def fits(self) -> bool:
        """Whether the sizes of a step are those of this family. Raises ValueError where a variable is missing."""

    @property
    @abc.abstractmethod
    def data(self) -> Mapping[str, Any]:
        """The values of `data.*` that say what a step is."""

    @abc.abstractmethod
    def learned(self) -> dict[str, Any]:
        """What the modality would have learned from a corpus: Magenta's windows are in 4/4 and written at 120 bpm."""
