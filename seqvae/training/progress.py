"""Where a run stands: everything about the training that a checkpoint has to hold besides tensors."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from seqvae.core.schedules import kl_weight, sampling_probability
from seqvae.settings import Config, Objective, Train

GROWTH = 0.75  # of the training, in which the importance samples grow to their last number


def _fits(kind: Any, value: Any) -> bool:
    if kind == list[float]:
        return isinstance(value, list) and all(_fits(float, number) for number in value)
    return isinstance(value, kind) or (isinstance(value, int) and isinstance(0.0, kind))


@dataclass
class Progress:
    """Position in the data, the validation history, and the sums of metrics since the last log line."""

    step: int = 0  # optimizer steps done
    epoch: int = 0  # epochs finished
    offset: int = 0  # batches of the current epoch that are done
    examples: int = 0  # examples of the current epoch that are done
    best_nats: float | None = None  # lowest negative ELBO (beta = 1) on the validation data
    best_step: int | None = None
    validated_step: int = -1
    stalled: int = 0  # validations since the last improvement
    stalled_since_decay: int = 0
    rate_factor: float = 1.0  # product of the decays of the learning rate
    logged_step: int = 0
    logged_seconds: float = 0.0
    seconds: float = 0.0
    metrics_bytes: int = 0
    sums: list[float] = field(default_factory=list)  # of the training figures, since the last log line
    finished: bool = False
    threads: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; floats survive exactly."""
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Progress":
        """What `to_dict` gave. Raises ValueError when a key is missing, unknown or of another type."""
        known = {declared.name: declared for declared in fields(Progress)}
        different = sorted(known.keys() ^ values.keys())
        different += [name for name in known.keys() & values.keys() if not _fits(known[name].type, values[name])]
        if different:
            raise ValueError(f"is not that of a training ({different[0]} is missing or not possible)")
        return Progress(**values)

    def learning_rate(self, train: Train, epoch_examples: int) -> float:
        """The learning rate of the next step: warm-up from zero, times the decays so far, times the cosine.

        A decay by the step stops at `train.least_learning_rate` (Magenta's MusicVAE: (rate - least) * 0.9999^step +
        least); the other factors then act on what it gives.
        """
        factor = self.rate_factor
        if train.warmup_steps:
            factor *= min(1.0, (self.step + 1) / train.warmup_steps)
        if train.cosine:
            factor *= 0.5 * (1.0 + math.cos(math.pi * self.share(train, epoch_examples)))
        rate = train.learning_rate
        least = min(train.least_learning_rate, rate)
        if train.step_decay < 1.0:
            rate = (rate - least) * train.step_decay**self.step + least
        return rate * factor

    def share(self, train: Train, epoch_examples: int) -> float:
        """How much of the training is done, in [0, 1]."""
        done = self.epochs(epoch_examples) / train.epochs
        return min(1.0, max(done, self.step / train.steps) if train.steps else done)

    def epochs(self, epoch_examples: int) -> float:
        """Epochs done, with the fraction of the current one."""
        return self.epoch + self.examples / epoch_examples

    def beta(self, objective: Objective, epoch_examples: int) -> float:
        """The weight of the KL term at the next step; progress is counted in steps, or in (fractional) epochs."""
        return kl_weight(
            self._annealing(objective, epoch_examples),
            objective.schedule,
            objective.beta_start,
            objective.beta,
            objective.cycles,
            objective.rising,
        )

    def sampling_probability(self, objective: Objective) -> float:
        """The share of the decoder's inputs that it draws itself at the next step."""
        return sampling_probability(self.step, objective.sampling_schedule, objective.sampling_rate)

    def importance_samples(self, config: Config, epoch_examples: int) -> int:
        """The draws of z for each example at the next step: growing by equal factors over GROWTH of the training."""
        last = config.objective.importance_samples
        first = config.objective.first_importance_samples or last
        grown = min(1.0, self.share(config.train, epoch_examples) / GROWTH)
        return round(first * (last / first) ** grown)

    def annealed(self, objective: Objective, epoch_examples: int) -> bool:
        """Whether the weight of the KL term is at its final value."""
        return objective.schedule == "constant" or self._annealing(objective, epoch_examples) >= 1.0

    def _annealing(self, objective: Objective, epoch_examples: int) -> float:
        """Share of the schedule of beta that is done; above 1 after its end."""
        if objective.anneal_steps:
            return self.step / objective.anneal_steps
        return self.epochs(epoch_examples) / objective.anneal_epochs if objective.anneal_epochs else 1.0

    def judge(self, nats: float, train: Train) -> tuple[bool, bool]:
        """Take in a validation's negative ELBO; (is it the best so far, is the learning rate to decay now)."""
        self.validated_step = self.step
        best = self.best_nats is None or nats < self.best_nats
        if best:
            self.best_nats, self.best_step = nats, self.step
            self.stalled = self.stalled_since_decay = 0
            return True, False
        self.stalled += 1
        self.stalled_since_decay += 1
        if not train.decay_patience or self.epoch + 1 < train.decay_from_epoch:
            return False, False
        decay = self.stalled_since_decay >= train.decay_patience
        if decay:
            self.rate_factor *= train.decay
            self.stalled_since_decay = 0
        return False, decay
