"""Layers of an LSTM over whole sequences: torch's own, but where an own kernel is right or faster.

With 16 bits on a CPU torch 2.13 leaves LSTMs to oneDNN, whose backward pass for AMX instructions gives wrong gradients
for layers of 1,024 units and more, by more than their own length for what the layer reads. Such layers are computed
here, and two kinds that are faster here: those of 640 units and more in small batches, and those that read rows of a
table, such as one-hot steps: what each row adds to the gates is computed once for all steps, where torch multiplies
every step's input anew. Products are in 16 bits where they are asked for, and all else in 32; a step's numbers stay in
the cache until it is done.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from seqvae.nets.likelihoods import product_dtype
from seqvae.noise import Noise, dropout

LARGE = 1024  # units from which oneDNN's gradients in bf16 are wrong, where they are a multiple of 32
SUITED, FEW_ROWS = 640, 64  # units from which layers in bf16 are faster here, of batches of at most so many rows
NAMES = ("weight_ih_l", "weight_hh_l", "bias_ih_l", "bias_hh_l")

State = tuple[Float[Tensor, "L B H"], Float[Tensor, "L B H"]]


class Rows(NamedTuple):
    """What the steps of a layer read as rows of a table: `table` (V, 4H) is what each row adds to the gates.

    `which` (K, T, B) are the K rows of each step, and `constant` (B, 4H) is added to all steps.
    """

    table: Float[Tensor, "V G"]
    which: Int[Tensor, "K T B"]
    constant: Float[Tensor, "B G"]


def run_lstm(
    lstm: nn.LSTM,
    inputs: Float[Tensor, "B T F"],
    start: State | None = None,
    weights: Mapping[str, Float[Tensor, "_ _"]] | None = None,
    first_layer: int = 0,
) -> tuple[Float[Tensor, "B T H"], State]:
    """What the last layer of an LSTM of one direction, batches first, puts out, and the states at the end.

    Without a start from zeros. `weights` take the place of the LSTM's own, by name. Only the layers from `first_layer`
    on are run, and `start` has a state for each of them.
    """
    dtype = product_dtype(inputs)
    is_own = dtype == torch.bfloat16 and _is_own(lstm, inputs)
    if not weights and not first_layer and not is_own:
        return cast(tuple[Tensor, State], lstm(inputs, start))
    layers = [_layer(lstm, layer, weights or {}) for layer in range(first_layer, lstm.num_layers)]
    if start is None:
        zeros = inputs.new_zeros(len(layers), len(inputs), lstm.hidden_size)
        start = zeros, zeros
    if not is_own:
        flat = [weight for layer in layers for weight in layer]
        outputs, h, c = torch.lstm(inputs, start, flat, True, len(layers), 0.0, lstm.training, False, True)
        return outputs, (h, c)
    ends: list[tuple[Tensor, Tensor]] = []
    for layer, h, c in zip(layers, *start, strict=True):
        inputs, last = run_layer(layer, inputs, h, c, dtype)
        ends.append((inputs[:, -1], last))
    h, c = (torch.stack(states) for states in zip(*ends, strict=True))
    return inputs, (h, c)


def run_layer(
    layer: Sequence[Float[Tensor, "..."]],
    inputs: Float[Tensor, "B T F"],
    h: Float[Tensor, "B H"],
    c: Float[Tensor, "B H"],
    dtype: torch.dtype,
) -> tuple[Float[Tensor, "B T H"], Float[Tensor, "B H"]]:
    """What a layer of these weights and biases, in torch's order, puts out, and its last cells; products in `dtype`."""
    w_ih, w_hh, b_ih, b_hh = layer
    with torch.autocast(inputs.device.type, enabled=False):
        gates = F.linear(inputs.transpose(0, 1).to(dtype), w_ih.to(dtype))
        constant = (b_ih + b_hh).expand(len(h), -1)
        return cast(State, SequenceLSTM.apply(gates, None, None, constant, h, c, w_hh.to(dtype)))


def widest_multiplied(dtype: torch.dtype) -> int:
    """Inputs of so many numbers are read as rows where they can be; of fewer torch's own layer is as fast."""
    return 512 if dtype == torch.bfloat16 else 200


def run_layer_of_rows(
    lstm: nn.LSTM,
    rows: Rows,
    h: Float[Tensor, "B H"],
    c: Float[Tensor, "B H"],
    weights: Mapping[str, Float[Tensor, "_ _"]] | None = None,
) -> Float[Tensor, "B T H"]:
    """What the first layer of an LSTM puts out, from the states before its first step on; `weights`: see `run_lstm`."""
    _, w_hh, *_ = _layer(lstm, 0, weights or {})
    outputs: Tensor = SequenceLSTM.apply(None, *rows, h, c, w_hh.to(product_dtype(h)))[0]
    return outputs


def left_weights(
    lstm: nn.LSTM, weight_dropout: float, noise: Noise | None, first_layer: int = 0
) -> dict[str, Float[Tensor, "G H"]]:
    """With noise the recurrent weights of an LSTM without a share of them, which are new for each layer, by name."""
    weights: dict[str, Tensor] = {}
    if noise is not None and weight_dropout:
        shared = noise.shared()
        for layer in range(lstm.num_layers):
            name = f"weight_hh_l{layer}"
            whole = cast(Tensor, getattr(lstm, name))
            left = dropout(whole.unsqueeze(0), weight_dropout, shared, f"recurrent weights {first_layer + layer}")
            weights[name] = left.squeeze(0)
    return weights


def _is_own(lstm: nn.LSTM, inputs: Float[Tensor, "B T F"]) -> bool:
    """Whether layers in bf16 learn here, since torch's own are wrong or slower."""
    suited = lstm.hidden_size >= SUITED and len(inputs) <= FEW_ROWS
    return inputs.device.type == "cpu" and torch.is_grad_enabled() and (suited or lstm.hidden_size >= LARGE)


def _layer(lstm: nn.LSTM, layer: int, weights: Mapping[str, Float[Tensor, "_ _"]]) -> list[Float[Tensor, "..."]]:
    """The weights and biases of a layer in torch's order."""
    return [weights.get(f"{name}{layer}", getattr(lstm, f"{name}{layer}")) for name in NAMES]


class SequenceLSTM(torch.autograd.Function):
    """One layer of an LSTM (Hochreiter and Schmidhuber 1997, with forget gates; torch's order of gates i, f, g, o).

    gates (T, B, 4H) or None; a table (V, 4H) and which K of its rows are added to the gates of each step (K, T, B), or
    None; a constant (B, 4H) for all steps; h and c before the first step (B, H); a weight (4H, H), in whose type
    products are computed: h of all steps (B, T, H) in that type, and c after the last.
    """

    @staticmethod
    def forward(ctx, gates, table, which, constant, h, c, weight):  # type: ignore[no-untyped-def]
        rows, size = h.shape
        steps = len(gates) if which is None else which.shape[1]
        dtype, exact = weight.dtype, constant.dtype
        with torch.autocast(h.device.type, enabled=False):
            hidden = torch.empty(steps + 1, rows, size, dtype=dtype)
            cells = torch.empty(steps + 1, rows, size, dtype=exact)
            opened = torch.empty(steps, rows, 4 * size, dtype=dtype)
            hidden[0], cells[0] = h, c
            product = torch.empty(rows, 4 * size, dtype=dtype)
            own, squashed = torch.empty(rows, 4 * size, dtype=exact), torch.empty(rows, size, dtype=exact)
            i, f, g, o = own.chunk(4, 1)
            for t in range(steps):
                torch.mm(hidden[t], weight.T, out=product)
                torch.add(product, constant, out=own)
                if gates is not None:
                    own += gates[t]
                for places in () if which is None else which[:, t]:
                    own += table[places]
                own[:, : 2 * size].sigmoid_()
                g.tanh_()
                o.sigmoid_()
                torch.mul(f, cells[t], out=cells[t + 1]).addcmul_(i, g)
                torch.tanh(cells[t + 1], out=squashed)
                hidden[t + 1] = squashed.mul_(o)
                opened[t] = own
        ctx.save_for_backward(which, hidden, cells, opened, weight)
        ctx.table = None if table is None else table.shape
        ctx.kinds = (None if gates is None else gates.dtype, exact, exact, h.dtype, c.dtype, dtype)
        return hidden[1:].transpose(0, 1), cells[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad, grad_c):  # type: ignore[no-untyped-def]
        which, hidden, cells, opened, weight = ctx.saved_tensors
        steps, rows, size = len(opened), len(opened[0]), cells.shape[2]
        exact, late = cells.dtype, grad.transpose(0, 1)
        with torch.autocast(grad.device.type, enabled=False):
            slopes = torch.empty_like(opened)
            of_table = torch.zeros(ctx.table or 0, dtype=exact)
            own, change = torch.empty(2, rows, 4 * size, dtype=exact)
            (i, f, g, o), (di, df, dg, do) = own.chunk(4, 1), change.chunk(4, 1)
            of_constant = torch.zeros_like(own)
            squashed, through = torch.empty(2, rows, size, dtype=exact)
            back = torch.empty(rows, size, dtype=weight.dtype)
            dh, dc = torch.zeros_like(squashed), grad_c.to(exact, copy=True)
            for t in reversed(range(steps)):
                own.copy_(opened[t])
                dh += late[t]
                torch.tanh(cells[t + 1], out=squashed)
                torch.mul(dh, o, out=through)
                dc += torch.ops.aten.tanh_backward.grad_input(through, squashed, grad_input=through)
                torch.mul(dh, squashed, out=do)
                torch.mul(dc, g, out=di)
                torch.mul(dc, cells[t], out=df)
                torch.mul(dc, i, out=dg)
                for open_, slope in ((own[:, : 2 * size], change[:, : 2 * size]), (o, do)):
                    torch.ops.aten.sigmoid_backward.grad_input(slope, open_, grad_input=slope)
                torch.ops.aten.tanh_backward.grad_input(dg, g, grad_input=dg)
                of_constant += change
                for places in () if which is None else which[:, t]:
                    of_table.index_add_(0, places, change)
                slopes[t] = change
                dc *= f
                dh.copy_(torch.mm(slopes[t], weight, out=back))
            of_weight = slopes.flatten(0, 1).T @ hidden[:-1].flatten(0, 1)
        found = (slopes, of_table if ctx.table else None, of_constant, dh, dc, of_weight)
        kept = [
            None if one is None or kind is None else one.to(kind) for one, kind in zip(found, ctx.kinds, strict=True)
        ]
        return kept[0], kept[1], None, *kept[2:]
