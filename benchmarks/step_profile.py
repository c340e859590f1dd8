"""Where the time of a training step goes, by part of the model: hooks on the toolkit's loop, which itself has none.

Each moment belongs to one part. Forward, functions are wrapped that the loop calls; backward, marks on the tensors
between the parts say when the gradient passes them.
"""

import contextlib
import functools
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch
from twins import Clock

from seqvae.core.vae import VAE
from seqvae.data import Batches
from seqvae.nets.decoder import SequenceDecoder
from seqvae.nets.likelihoods import Categorical
from seqvae.training.engine import Engine

DATA, UPDATE, REST = "data", "clip and optimizer", "rest: losses, sums, log"
ENCODER, DECODER, OUTPUT = "encoder and posterior", "decoder: embedding, LSTM", "projection and cross-entropy"
PARTS = (DATA, ENCODER, DECODER, OUTPUT, UPDATE, REST)

Place = tuple[str, str]  # a part, and the way: forward or backward


class Stopwatch:
    """Seconds by part and way; time is charged to the innermost part that is entered."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.clear()

    def clear(self) -> None:
        """Forget what was measured."""
        self.seconds: dict[Place, float] = defaultdict(float)
        self.inside: list[Place] = [(REST, "forward")]
        self.since = self.clock()

    def charge(self) -> None:
        """Give the time up to now to the part that is entered."""
        now = self.clock()
        self.seconds[self.inside[-1]] += now - self.since
        self.since = now

    @contextlib.contextmanager
    def part(self, name: str, way: str = "forward") -> Iterator[None]:
        """While it lasts, time belongs to the part."""
        self.charge()
        self.inside.append((name, way))
        yield
        self.charge()
        self.inside.pop()

    def mark(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """x itself; what is computed backward once its gradient is known belongs to the part."""

        def reached() -> None:
            self.charge()
            self.inside[-1] = name, "backward"

        marked: torch.Tensor = _Mark.apply(x, reached)
        return marked


class _Mark(torch.autograd.Function):
    """The identity, which says when the backward pass comes by."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, reached: Callable[[], None]) -> torch.Tensor:
        ctx.reached = reached
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        ctx.reached()
        return grad, None


@contextlib.contextmanager
def watched(watch: Stopwatch) -> Iterator[None]:
    """While it lasts, training charges its time to the parts."""

    def wrap(owner: type, name: str, part: str, way: str = "forward", before: str = "") -> Any:
        plain = getattr(owner, name)

        @functools.wraps(plain)
        def timed(self: Any, *given: Any, **named: Any) -> Any:
            if before:  # the first argument comes from that part
                given = watch.mark(given[0], before), *given[1:]
            with watch.part(part, way):
                return plain(self, *given, **named)

        return mock.patch.object(owner, name, timed)

    with (
        wrap(Batches, "varied", DATA),
        wrap(VAE, "posterior", ENCODER),
        wrap(SequenceDecoder, "log_prob", DECODER, before=ENCODER),
        wrap(Categorical, "log_prob", OUTPUT, before=DECODER),
        wrap(Engine, "backward", OUTPUT, "backward"),
        wrap(Engine, "clip", UPDATE),
        wrap(Engine, "step", UPDATE),
    ):
        yield


def lines_of(watch: Stopwatch, steps: int) -> list[str]:
    """Rows of a table: milliseconds of a step forward, backward, and together, and the share of all."""
    total, rows = sum(watch.seconds.values()), []
    for part in PARTS:
        ways = [watch.seconds.get((part, way), 0.0) for way in ("forward", "backward")]
        times = [f"{1000 * seconds / steps:.1f}" if seconds else "" for seconds in ways]
        rows.append(f"| {part} | {' | '.join(times)} | {1000 * sum(ways) / steps:.1f} | {sum(ways) / total:.0%} |")
    return [*rows, f"| all | | | {1000 * total / steps:.1f} | |"]
