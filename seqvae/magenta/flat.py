"""What Magenta's flat models have in common: the variables of a checkpoint to our configuration and weights.

Flat: a bidirectional encoder and one decoder that runs over the whole window. Sizes are not stored; they follow from
the shapes.
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
    "what can be imported are cat-drums_2bar_small and _big, nade-drums_2bar_reduced and _full, and cat-mel_2bar_big"
)
MOST_LAYERS = 8
PARTS = ("encoder/", "decoder/", "core_decoder/", "hierarchical_encoder/")  # beginnings of names
_TRAINING = ("/Adam", "/Adam_1", "/ExponentialMovingAverage")  # ends of names that the optimizer keeps
_NADE, _OUTPUT = "decoder/nade", "decoder/output_projection"
_STATE = "decoder/z_to_initial_state"


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


class FlatVariables(abc.ABC):
    """The variables of a flat model. Raises ValueError for those that no such model has."""

    modality: ClassVar[str]
    recipe: ClassVar[str]  # what the published models were trained with, but for their sizes

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
    def decoder(self) -> list[Cell]:
        """The layers of the decoder."""
        return self._cells("decoder/multi_rnn_cell/cell_{}/lstm_cell")

    @cached_property
    def read(self) -> int:
        """The size of a step as the decoder reads it."""
        return self.decoder[0].inputs - self.latent

    @cached_property
    def units(self) -> int:
        """The hidden units of NADE; 0 where steps are combinations."""
        return self._shape(f"{_NADE}/w_enc", 3)[2] if f"{_NADE}/w_enc" in self.shapes else 0

    @cached_property
    def given(self) -> int:
        """The size of a step as the encoder reads it."""
        return self.encoder[0][0].inputs

    @cached_property
    def outputs(self) -> int:
        """The numbers that the decoder gives for a step."""
        return self._shape(f"{_OUTPUT}/bias", 1)[0]

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

    def _decoder_weights(self) -> dict[str, np.ndarray]:
        hidden = max(cell.hidden for cell in self.decoder)
        sizes = [Filled(cell.hidden, hidden) for cell in self.decoder]
        numbers = 2 * sum(size.own for size in sizes)
        front = "decoder.recurrence"
        weights = {
            f"{front}.first": np.zeros(self.read, np.float32),  # the first step reads zeros
            f"{front}.to_state.weight": initial_states(self._take(f"{_STATE}/kernel", self.latent, numbers).T, sizes),
            f"{front}.to_state.bias": initial_states(self._take(f"{_STATE}/bias", numbers), sizes),
        }
        inputs = [Filled(self.read + self.latent, self.read + self.latent)]
        for layer, cell in enumerate(self.decoder):
            found = self._layer(cell, inputs, hidden)
            weights |= {f"{front}.lstm.{name}_l{layer}": values for name, values in found.items()}
            inputs = [sizes[layer]]
        kernel = self._take(f"{_OUTPUT}/kernel", sizes[-1].own, self.outputs)
        weights["decoder.likelihood.projection.weight"] = filled(kernel, 0, inputs).T
        weights["decoder.likelihood.projection.bias"] = self._take(f"{_OUTPUT}/bias", self.outputs)
        if self.units:
            reading = self._take(f"{_NADE}/w_enc", self.read, 1, self.units)
            scoring = self._take(f"{_NADE}/w_dec_t", self.read, self.units, 1)
            weights |= {"decoder.likelihood.reading": reading[:, 0], "decoder.likelihood.scoring": scoring[:, :, 0]}
        return weights

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
            "decoder_hidden": max(cell.hidden for cell in self.decoder),
            "decoder_layers": len(self.decoder),
            **nade,
        }

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
