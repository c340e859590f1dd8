"""How far gradients of an LSTM layer in bf16 are from those in fp32, by torch and by the toolkit, and the time of both.

Distances are shares of the length of the gradient in fp32: of what the layer reads, and of its recurrent weights. A
rounding to bf16 is .4 % of a number at most. The ratio of times is torch's over the toolkit's, the median of
neighbouring turns, forward and backward, on one batch.

    python benchmarks/lstm_gradients.py
    python benchmarks/lstm_gradients.py --hidden 1024 --rows 32 --steps 22 --seconds 10
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from twins import compare

from seqvae.nets.sequence_lstm import NAMES, run_layer

HIDDEN = (256, 512, 960, 1023, 1024, 1040, 1056, 1500, 2048)
Pass = Callable[[], tuple[Tensor, Tensor]]


def passes(options: argparse.Namespace, hidden: int) -> dict[str, Pass]:
    """Forward and backward through the same layer: in fp32, by torch in bf16, and by the toolkit in bf16."""
    torch.manual_seed(0)
    lstm = nn.LSTM(options.width, hidden, batch_first=True)
    x = torch.randn(options.rows, options.steps, options.width, requires_grad=True)
    slope = torch.randn(options.rows, options.steps, hidden)
    zeros = torch.zeros(options.rows, hidden)

    def gradients(found: Tensor) -> tuple[Tensor, Tensor]:
        of_x, of_weights = torch.autograd.grad(found, (x, lstm.weight_hh_l0), slope.to(found.dtype))
        return of_x, of_weights

    def by_torch(sixteen: bool) -> tuple[Tensor, Tensor]:
        with torch.autocast("cpu", torch.bfloat16, enabled=sixteen):
            found = lstm(x)[0]
        return gradients(found)

    def by_toolkit() -> tuple[Tensor, Tensor]:
        layer = [getattr(lstm, f"{name}0") for name in NAMES]
        return gradients(run_layer(layer, x, zeros, zeros, torch.bfloat16)[0])

    return {"fp32": lambda: by_torch(False), "torch": lambda: by_torch(True), "toolkit": by_toolkit}


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=int, nargs="+", default=HIDDEN, help="units of the layer")
    parser.add_argument("--width", type=int, default=512, help="numbers that it reads at each step")
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--steps", type=int, default=22)
    parser.add_argument("--seconds", type=float, default=3.0, help="of timing each line")
    options = parser.parse_args()
    instructions = [name for name, there in torch.cpu.get_capabilities().items() if there and "bf16" in name]
    print(f"{', '.join(instructions) or 'no bf16 instructions'}; torch {torch.__version__}")
    print("| units | torch: of inputs | of weights | toolkit: of inputs | of weights | time, torch / toolkit |")
    print("| --- | --- | --- | --- | --- | --- |")
    for hidden in options.hidden:
        runs = passes(options, hidden)
        exact = runs["fp32"]()
        cells = [
            f"{float((found - true).norm() / true.norm()):.1%}"
            for name in ("torch", "toolkit")
            for found, true in zip(runs[name](), exact, strict=True)
        ]
        ratio = compare(runs["toolkit"], runs["torch"], options.rows, options.seconds, time.perf_counter).split()[-1]
        print(f"| {hidden:,} | {' | '.join(cells)} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
