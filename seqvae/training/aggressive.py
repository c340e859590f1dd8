"""Aggressive training of an encoder that lags behind its decoder (He et al. 2019, algorithm 1).

Before each step of the decoder the encoder and the posterior take steps of their own, on batches drawn at random, until
the loss falls no longer. The decoder then moves alone. The phase ends for good when the mutual information of the
validation data falls; from then on all parts move together.

The first of the encoder's batches is the decoder's, as in the authors' code. The others are drawn without repetition
where theirs may repeat, a validation takes the place of an epoch where it comes more often, and the gradient is clipped
by the norm of the parts that move. An epoch, and a step, are those of the decoder.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice

import numpy as np

from seqvae.core.vae import VAE
from seqvae.data import Batches
from seqvae.evaluation.latent import collect_posterior, mutual_information
from seqvae.settings import Config
from seqvae.training.engine import Engine
from seqvae.training.progress import Progress

Group = Sequence[np.ndarray]  # batches of corpus indices, for one optimizer step

ENCODER = ("encoder", "posterior")
DECODER = ("decoder", "prior")
MOST_STEPS = 100  # of the encoder, before one of the decoder
COMPARED = 10  # steps, whose loss is compared with that of as many before
MOST_ITEMS = 5000  # whose mutual information is estimated, since its time grows with their square
ORDERS = 2**32  # above the number of any epoch, so that no order of an epoch is met again
AFTERWARDS = " on the validation data: from here on encoder and decoder move together"
NOISES = 2**25  # steps between the noise of one of the encoder's steps and that of the next


@dataclass(frozen=True)
class EncoderFirst:
    """The phase of a stage in which the encoder moves first; the run's progress keeps its state, `encoder_first`."""

    config: Config
    progress: Progress
    train: Batches
    valid: Batches

    @property
    def is_on(self) -> bool:
        """Whether the encoder takes steps of its own before the decoder does."""
        return self.config.objective.aggressive and not self.progress.encoder_first.get("is_over", False)

    def settle(self, group: Group, move: Callable[[Group, int], float], tokens: Callable[[], float]) -> int:
        """Move the encoder until its loss falls no longer; the number of steps that it took.

        `group` are the batches that the decoder's step will see, and the first of the encoder's. `move(group, noise)`
        makes a step and gives the loss in nats per example, `tokens()` how many were met so far; what is compared is
        the loss per token over COMPARED steps.
        """
        others, before, nats, met = self._others(), math.inf, 0.0, tokens()
        for taken in range(1, MOST_STEPS + 1):
            nats += move(group, self.progress.step + taken * NOISES) * sum(map(len, group))
            if taken % COMPARED == 0:
                now = tokens()
                if not nats / (now - met) < before:
                    return taken
                before, nats, met = nats / (now - met), 0.0, now
            group = list(islice(others, self.config.train.accumulate))
        return MOST_STEPS

    def _others(self) -> Iterator[np.ndarray]:
        """Batches in a random order, which is another one for each step; anew when all of them were met."""
        for turn in count(1):
            yield from self.train.epoch(turn * ORDERS + self.progress.step)

    def validated(self, vae: VAE, engine: Engine) -> tuple[float, str | None]:
        """The mutual information of the validation data and their codes, in nats; a sentence where it ends the phase.

        Of at most about MOST_ITEMS items, from all lengths, by the authors' estimator; the same in all processes. It is
        another figure than what `code_use` says of fewer items by an estimator of less error, so it has another name.
        """
        found = engine.zeros(1)
        if engine.is_first:
            chosen = self.valid.some(MOST_ITEMS)
            with engine.autocast():
                q, _ = collect_posterior(vae, (self.valid.load(indices).to(engine.device) for indices in chosen))
            found += mutual_information(q)
        nats = float(engine.total(found)[0])
        best = self.progress.encoder_first.get("information_nats")
        falls = isinstance(best, (int, float)) and nats < best
        self.progress.encoder_first = {"information_nats": nats, "is_over": falls}
        return nats, f"the mutual information fell from {best:.2f} to {nats:.2f} nats{AFTERWARDS}" if falls else None
