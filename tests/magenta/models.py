"""Variables of MusicVAE's models, of random values, by their sizes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

FIXTURE = Path(__file__).parent / "fixture"
FAMILIES = ("cat-drums_small", "nade-drums_reduced", "cat-mel_3layer_enc2")
FORWARDS, BACKWARDS = (
    f"encoder/cell_0/bidirectional_rnn/{way}/multi_rnn_cell/cell_0/lstm_cell" for way in ("fw", "bw")
)


def variables(
    inputs: int, read: int, outputs: int, units: int = 0, encoder: int = 5, decoder: Sequence[int] = (4, 3), z: int = 2
) -> dict[str, np.ndarray]:
    """A flat model: what a step is for its encoder and its decoder, what this gives, and hidden units of NADE."""
    random = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {}
    for name in (FORWARDS, BACKWARDS):
        shapes |= {f"{name}/kernel": (inputs + encoder, 4 * encoder), f"{name}/bias": (4 * encoder,)}
    for name, rows, columns in (
        ("encoder/mu", 2 * encoder, z),
        ("encoder/sigma", 2 * encoder, z),
        ("decoder/z_to_initial_state", z, 2 * sum(decoder)),
        ("decoder/output_projection", decoder[-1], outputs),
    ):
        shapes |= {f"{name}/kernel": (rows, columns), f"{name}/bias": (columns,)}
    below = read + z
    for layer, hidden in enumerate(decoder):
        name = f"decoder/multi_rnn_cell/cell_{layer}/lstm_cell"
        shapes |= {f"{name}/kernel": (below + hidden, 4 * hidden), f"{name}/bias": (4 * hidden,)}
        below = hidden
    if units:
        shapes |= {"decoder/nade/w_enc": (read, 1, units), "decoder/nade/w_dec_t": (read, units, 1)}
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def nade(classes: int = 9, units: int = 3) -> dict[str, np.ndarray]:
    """A NADE drum model."""
    return variables(classes + 1, classes, classes + units, units)


def mean_of(variables: dict[str, np.ndarray], inputs: np.ndarray, layers: int = 1) -> np.ndarray:
    """The posterior mean (Z,) of steps (T, F), cell by cell as TensorFlow's are defined."""
    for layer in range(layers):
        ways = []
        for way, order in (("fw", 1), ("bw", -1)):
            name = f"encoder/cell_{layer}/bidirectional_rnn/{way}/multi_rnn_cell/cell_0/lstm_cell"
            kernel, bias = variables[f"{name}/kernel"], variables[f"{name}/bias"]
            h = c = np.zeros(len(bias) // 4)
            states = []
            for x in inputs[::order]:
                i, g, f, o = np.split(np.concatenate([x, h]) @ kernel + bias, 4)
                c = c / (1 + np.exp(-f - 1)) + np.tanh(g) / (1 + np.exp(-i))
                h = np.tanh(c) / (1 + np.exp(-o))
                states.append(h)
            ways.append(states)
        inputs = np.concatenate([ways[0], ways[1][::-1]], 1)
    end = np.concatenate([ways[0][-1], ways[1][-1]])
    found: np.ndarray = end @ variables["encoder/mu/kernel"] + variables["encoder/mu/bias"]
    return found
