"""How many CPU threads a step of training takes the least time with; small models are slower with many."""

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from seqvae.config import counted
from seqvae.core.vae import VAE
from seqvae.training.gradients import Gradients
from seqvae.training.progress import State
from seqvae.training.schedules import StepValues
from seqvae.training.tally import Tally

AS_FAST = 1.1  # times the least time: the most threads that are so fast are taken, so that noise seldom decides
SLOWER = 1.3  # times the least time, at which fewer threads are no longer tried
TRIES = 3  # of which the fastest counts; the first one is slow


def fastest(step: Callable[[], object], most: int, clock: Callable[[], float] = time.perf_counter) -> int:
    """The number of threads, `most` or a half, a quarter ... of it, that a step is fastest with.

    The number of threads is then that which was tried last.
    """
    times: dict[int, float] = {}
    threads = most
    while threads:
        torch.set_num_threads(threads)
        times[threads] = min(_seconds(step, clock) for _ in range(TRIES))
        if times[threads] > SLOWER * min(times.values()):
            break
        threads //= 2
    return max(number for number, taken in times.items() if taken <= AS_FAST * min(times.values()))


def _seconds(step: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    step()
    return clock() - start


def threads_for(
    vae: VAE, gradients: Gradients, tally: Tally, values: StepValues, state: State, group: Sequence[np.ndarray],
    say: Callable[[str], object],
) -> int:  # fmt: skip
    """Those that the gradient of this group is fastest with, of as many as torch uses now; nothing else changes.

    Where that is not torch's own choice it says so.
    """
    most = torch.get_num_threads()
    if most == 1:
        return most
    buffers = {name: buffer.clone() for name, buffer in vae.named_buffers()}

    def step() -> None:
        gradients.backward(group, 0, values, dict(state))
        vae.zero_grad()

    try:
        found = fastest(step, most)
    finally:
        torch.set_num_threads(most)
        tally.clear()
        for name, buffer in vae.named_buffers():
            buffer.copy_(buffers[name])
    if found != most:
        some = counted(found, "CPU threads")
        say(f"{some}, as a step is faster with {found} than with {most}; set train.threads to choose")
    return found
