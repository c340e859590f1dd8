"""Layers of an LSTM over whole sequences: torch's own, but where its backward pass is wrong.

With 16 bits on a CPU torch 2.13 leaves LSTMs to oneDNN, whose backward pass for AMX instructions gives wrong gradients
for layers of 1,024 units and more, by more than their own length for what the layer reads. Such layers are computed
here: products of all steps at once where steps do not wait for each other, in 16 bits, and everything else in 32.
"""

from collections.abc import Mapping
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.func import functional_call

from seqvae.nets.likelihoods import product_dtype

LARGE = 1024  # units from which oneDNN's gradients in bf16 are wrong, where they are a multiple of 32
NAMES = ("weight_ih_l", "weight_hh_l", "bias_ih_l", "bias_hh_l")

State = tuple[Float[Tensor, "L B H"], Float[Tensor, "L B H"]]


def run_lstm(
    lstm: nn.LSTM,
    inputs: Float[Tensor, "B T F"],
    start: State | None = None,
    weights: Mapping[str, Float[Tensor, "_ _"]] | None = None,
) -> tuple[Float[Tensor, "B T H"], State]:
    """What the last layer of an LSTM of one direction, batches first, puts out, and the states of all at the end.

    Without a start from zeros. `weights` take the place of the LSTM's own, by name.
    """
    own = dict(weights or {})
    dtype = product_dtype(inputs)
    is_wrong = inputs.device.type == "cpu" and dtype == torch.bfloat16 and lstm.hidden_size >= LARGE
    if not is_wrong or not torch.is_grad_enabled():
        found = functional_call(lstm, own, (inputs, start)) if own else lstm(inputs, start)
        return cast(tuple[Tensor, State], found)
    if start is None:
        zeros = inputs.new_zeros(lstm.num_layers, len(inputs), lstm.hidden_size)
        start = zeros, zeros
    ends: list[tuple[Tensor, Tensor]] = []
    for layer, (h, c) in enumerate(zip(*start, strict=True)):
        w_ih, w_hh, b_ih, b_hh = (own.get(f"{name}{layer}", getattr(lstm, f"{name}{layer}")) for name in NAMES)
        inputs, last = SequenceLSTM.apply(inputs, h, c, w_ih, w_hh, b_ih + b_hh, dtype)
        ends.append((inputs[:, -1], last))
    h, c = (torch.stack(states) for states in zip(*ends, strict=True))
    return inputs, (h, c)


class SequenceLSTM(torch.autograd.Function):
    """One layer of an LSTM (Hochreiter and Schmidhuber 1997, with forget gates; torch's order of gates i, f, g, o).

    x (B, T, F), h and c before the first step (B, H), weights (4H, F) and (4H, H), a bias (4H): h of all steps, of
    the type that products are computed in, and c after the last.
    """

    @staticmethod
    def forward(ctx, x, h, c, w_ih, w_hh, bias, dtype):  # type: ignore[no-untyped-def]
        exact = torch.float64 if dtype == torch.float64 else torch.float32
        rows, steps, _ = x.shape
        size = w_hh.shape[1]
        with torch.autocast(x.device.type, enabled=False):
            read, w_in, w_back = x.transpose(0, 1).to(dtype).contiguous(), w_ih.to(dtype), w_hh.to(dtype)  # (T, B, F)
            gates = torch.addmm(bias.to(dtype), read.flatten(0, 1), w_in.T).unflatten(0, (steps, rows))
            hidden = torch.empty(steps + 1, rows, size, dtype=dtype)
            cells, squashed = (torch.empty(steps + late, rows, size, dtype=exact) for late in (1, 0))
            open_ = torch.empty(steps, rows, 4 * size, dtype=exact)
            hidden[0], cells[0] = h, c
            product = torch.empty_like(gates[0])
            for t in range(steps):
                torch.mm(hidden[t], w_back.T, out=product)
                own = torch.add(product, gates[t], out=open_[t])
                own[:, : 2 * size].sigmoid_()
                own[:, 2 * size : 3 * size].tanh_()
                own[:, 3 * size :].sigmoid_()
                i, f, g, o = own.chunk(4, 1)
                torch.mul(f, cells[t], out=cells[t + 1]).addcmul_(i, g)
                hidden[t + 1] = o * torch.tanh(cells[t + 1], out=squashed[t])
        ctx.save_for_backward(read, hidden, cells, squashed, open_, w_in, w_back)
        ctx.types = [one.dtype for one in (x, h, c, w_ih, w_hh, bias)]
        return hidden[1:].transpose(0, 1), cells[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad, grad_c):  # type: ignore[no-untyped-def]
        read, hidden, cells, squashed, open_, w_in, w_back = ctx.saved_tensors
        steps, rows, _ = read.shape
        with torch.autocast(read.device.type, enabled=False):
            i, f, g, o = open_.chunk(4, 2)
            size = i.shape[2]
            # how the gates before they are squashed change c (the first three) and h, and how c changes h
            change = torch.cat([g * i * (1 - i), cells[:-1] * f * (1 - f), i * (1 - g * g), squashed * o * (1 - o)], 2)
            through = o * (1 - squashed * squashed)
            slopes = torch.empty(steps, rows, 4 * size, dtype=read.dtype)
            dh, dc = torch.zeros_like(cells[0]), grad_c.to(cells.dtype)
            late = grad.transpose(0, 1)
            for t in reversed(range(steps)):
                dh = dh + late[t]
                dc = torch.addcmul(dc, dh, through[t])
                own = change[t].unflatten(1, (4, size))
                slopes[t].unflatten(1, (4, size))[:, :3] = dc.unsqueeze(1) * own[:, :3]
                slopes[t, :, 3 * size :] = dh * own[:, 3]
                dh, dc = (slopes[t] @ w_back).to(dh.dtype), dc * f[t]
            flat = slopes.flatten(0, 1)
            dx = (flat @ w_in).unflatten(0, (steps, rows)).transpose(0, 1) if ctx.needs_input_grad[0] else None
            dw_in, dw_back = flat.T @ read.flatten(0, 1), flat.T @ hidden[:-1].flatten(0, 1)
            bias = flat.sum(0, dtype=dh.dtype)
        found = (dx, dh, dc, dw_in, dw_back, bias)
        return *(None if one is None else one.to(kind) for one, kind in zip(found, ctx.types, strict=True)), None
