"""TensorFlow's LSTM layers as torch's, of one size for all layers of a stack.

A layer that is smaller than another of its stack is filled up with units of zero weights: their cells and states stay
at zero, no gradient reaches them, and nothing reads them, so the stack is the same function.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_FORGET_BIAS = 1.0  # TensorFlow's cells add it when they run


@dataclass(frozen=True)
class Filled:
    """So many numbers in a row, and how many they become with the zeros behind them."""

    own: int
    whole: int


def filled(values: np.ndarray, axis: int, runs: Sequence[Filled]) -> np.ndarray:
    """The values with the zeros of each run of numbers along an axis.

    >>> filled(np.array([1, 2, 3]), 0, [Filled(1, 2), Filled(2, 3)]).tolist()
    [1, 0, 2, 3, 0]
    """
    cuts = np.cumsum([run.own for run in runs])[:-1]
    pieces = []
    for piece, run in zip(np.split(values, cuts, axis), runs, strict=True):
        widths = [(0, 0)] * values.ndim
        widths[axis] = (0, run.whole - run.own)
        pieces.append(np.pad(piece, widths))
    return np.concatenate(pieces, axis)


def torch_layer(
    kernel: np.ndarray, bias: np.ndarray, inputs: Sequence[Filled], hidden: Filled
) -> dict[str, np.ndarray]:
    """The weights of torch's LSTM, by the beginnings of their names.

    TensorFlow's kernel has a row for each input and then for each unit, and columns of the gates input, cell, forget,
    output; torch's weights have a row for each unit of the gates input, forget, cell, output.
    """
    i, c, f, o = np.split(bias, 4)
    bias = np.concatenate([i, f + np.asarray(_FORGET_BIAS, f.dtype), c, o])
    i, c, f, o = np.split(kernel, 4, 1)
    kernel = np.concatenate([i, f, c, o], 1)
    gates = [hidden] * 4
    kernel = filled(filled(kernel, 1, gates), 0, [*inputs, hidden]).T
    width = sum(run.whole for run in inputs)
    biases = filled(bias, 0, gates)
    return {
        "weight_ih": kernel[:, :width],
        "weight_hh": kernel[:, width:],
        "bias_ih": biases,
        "bias_hh": np.zeros_like(biases),  # torch has two, of which only the sum counts
    }


def initial_states(values: np.ndarray, sizes: Sequence[Filled]) -> np.ndarray:
    """What the code gives to the initial states, along the first axis: all cells, then all hidden states.

    TensorFlow has the cell and the hidden state of the first layer, then of the second, and so on.
    """
    runs = np.split(values, np.cumsum([run.own for run in sizes for _ in range(2)])[:-1])
    ordered = [filled(run, 0, [size]) for kind in range(2) for run, size in zip(runs[kind::2], sizes, strict=True)]
    return np.concatenate(ordered)
