"""What tests of imported models have in common: TensorFlow's stored outputs, and ours beside them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqvae.core.posterior import DiagonalGaussian
from seqvae.types import Batch

TOLERANCE = 1e-5


def stored(folder: Path) -> dict[str, Tensor]:
    """Inputs and TensorFlow's outputs."""
    with np.load(folder / "io.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def check_posterior(q: DiagonalGaussian, values: dict[str, Tensor]) -> None:
    """Mean, scale and divergence are those that are stored."""
    assert torch.allclose(q.mean, values["mu"], rtol=0, atol=TOLERANCE)
    assert torch.allclose(q.scale, values["sigma"], rtol=0, atol=TOLERANCE)
    assert torch.allclose(q.kl().sum(1), values["kl"], rtol=0, atol=TOLERANCE)


def check_outputs(decoder: Any, z: Tensor, batch: Batch, outputs: Callable[[Tensor], Tensor], expected: Tensor) -> None:
    """The outputs (N, V) of real steps after true ones are as expected, of all steps at once and of one by one."""
    found = outputs(decoder.hidden(z, batch))
    assert torch.allclose(found[batch.mask], expected, rtol=0, atol=TOLERANCE)
    one_by_one, state = [], decoder.start(z)
    for t in range(batch.x.shape[1]):
        h, state = decoder.step(state, batch.x[:, t - 1] if t else None)
        one_by_one.append(outputs(h))
    assert torch.allclose(torch.stack(one_by_one, 1)[batch.mask], expected, rtol=0, atol=TOLERANCE)
