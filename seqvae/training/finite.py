"""Stops a run at the first number that is not finite, and says where that was."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from seqvae.settings import Train


class FiniteCheck:
    """The losses and gradient norms that nobody has looked at yet.

    On a GPU looking at a value waits for the device, so many steps are noted and then checked at once.
    """

    def __init__(self, train: Train) -> None:
        self._train = train
        self._steps: list[tuple[int, int, np.ndarray]] = []  # step, epoch, items
        self._values: list[Tensor] = []

    def note(self, step: int, epoch: int, items: np.ndarray, loss: Tensor, norm: Tensor) -> None:
        """Remember the loss and the gradient norm of a step on these items; steps and epochs count from 1."""
        self._steps.append((step, epoch, items))
        self._values.append(torch.stack([loss, norm.to(loss)]))

    def check(self) -> None:
        """Raises ValueError for the first noted step whose loss or gradient is not finite; forgets all of them."""
        steps, values = self._steps, self._values
        self._steps, self._values = [], []
        finite = torch.stack(values).isfinite() if values else torch.ones(0, 2)
        if finite.all():
            return
        place = int((~finite).any(1).nonzero()[0])
        step, epoch, items = steps[place]
        what = "gradient" if finite[place, 0] else "loss"
        shown = ", ".join(map(str, items[:8])) + (", ..." if len(items) > 8 else "")
        raise ValueError(f"the {what} is not finite at step {step} (epoch {epoch}, items {shown}); {self._remedies()}")

    def check_validation(self, nats: float, step: int) -> None:
        """Raises ValueError when the loss on the validation data is not finite."""
        if not math.isfinite(nats):
            raise ValueError(f"the validation loss is not finite after step {step}; {self._remedies()}")

    def check_weights(self, weights: Mapping[str, Tensor], step: int) -> None:
        """Raises ValueError when a weight that is about to be written is not finite."""
        for name, weight in weights.items():
            if not weight.isfinite().all():
                raise ValueError(f"the weights {name} are not finite after step {step}; {self._remedies()}")

    def _remedies(self) -> str:
        return (
            f"the last good checkpoint is kept: lower train.learning_rate (now {self._train.learning_rate:g}) or "
            f"train.clip (now {self._train.clip:g}), or use train.precision=fp32, and train again"
        )
