"""What changes from step to step of a training: the weight of the KL term, the draws of z, the learning rate."""

import math
from dataclasses import dataclass

from seqvae.core.importance import Draws
from seqvae.core.schedules import kl_weight, sampling_probability
from seqvae.settings import Config
from seqvae.training.progress import Progress

RISE = 10.0  # epochs of a rise of beta whose length is not asked for
GROWTH = 0.75  # of a stage, in which the importance samples grow to their last number


@dataclass(frozen=True)
class StepValues:
    """What the schedules say for one optimizer step."""

    beta: float  # weight of the KL term
    sampling_probability: float  # share of the decoder's inputs that it draws itself
    draws: Draws  # how z is drawn
    learning_rate: float
    ngram_share: float  # share of the items that the n-gram draws


@dataclass(frozen=True)
class Schedules:
    """The schedules of one stage, for a training whose epochs have so many examples; they begin with the stage."""

    config: Config
    examples: int

    def at(self, progress: Progress) -> StepValues:
        """The values of the step that comes next."""
        objective = self.config.objective
        beta = kl_weight(
            self._annealing(progress),
            objective.schedule,
            objective.beta_start,
            objective.beta,
            objective.cycles,
            objective.rising,
        )
        doubly = objective.estimator == "doubly_reparameterized"
        return StepValues(
            beta,
            sampling_probability(progress.stage_steps, objective.sampling_schedule, objective.sampling_rate),
            Draws(self._importance_samples(progress), beta, doubly, objective.kept_samples),
            self._learning_rate(progress),
            self.config.train.ngram_share * (1.0 - self._share(progress)),
        )

    def epochs(self, progress: Progress) -> float:
        """Epochs done, with the fraction of the current one."""
        return progress.epoch + progress.examples / self.examples

    def is_annealed(self, progress: Progress) -> bool:
        """Whether the weight of the KL term is at its final value."""
        return self.config.objective.schedule == "constant" or self._annealing(progress) >= 1.0

    def _annealing(self, progress: Progress) -> float:
        """Share of the schedule of beta that is done, by steps or by (fractional) epochs; above 1 after its end.

        Cycles whose length is not asked for go over the whole stage (Fu et al. 2019, section 3.2).
        """
        objective = self.config.objective
        if objective.anneal_steps:
            return progress.stage_steps / objective.anneal_steps
        if objective.anneal_epochs is None and objective.schedule == "cyclical":
            return self._share(progress)
        epochs = RISE if objective.anneal_epochs is None else objective.anneal_epochs
        return self._own_epochs(progress) / epochs if epochs else 1.0

    def _own_epochs(self, progress: Progress) -> float:
        """Epochs of the stage that are done, with the fraction of the current one."""
        return progress.stage_epochs + progress.examples / self.examples

    def _share(self, progress: Progress) -> float:
        """How much of the stage is done, in [0, 1]."""
        train = self.config.train
        done = self._own_epochs(progress) / train.epochs
        return min(1.0, max(done, progress.stage_steps / train.steps) if train.steps else done)

    def _importance_samples(self, progress: Progress) -> int:
        """The draws of z for each example: growing by equal factors over GROWTH of the stage."""
        last = self.config.objective.importance_samples
        first = self.config.objective.first_importance_samples or last
        grown = min(1.0, self._share(progress) / GROWTH)
        return round(first * (last / first) ** grown)

    def _learning_rate(self, progress: Progress) -> float:
        """Warm-up from zero, times the decays so far, times the cosine.

        A decay by the step stops at `train.least_learning_rate` (Magenta's MusicVAE: (rate - least) * 0.9999^step +
        least); the other factors then act on what it gives.
        """
        train, factor, step = self.config.train, progress.rate_factor, progress.stage_steps
        if train.warmup_steps:
            factor *= min(1.0, (step + 1) / train.warmup_steps)
        if train.cosine:
            factor *= 0.5 * (1.0 + math.cos(math.pi * self._share(progress)))
        rate = train.learning_rate
        least = min(train.least_learning_rate, rate)
        if train.step_decay < 1.0:
            rate = (rate - least) * train.step_decay**step + least
        return rate * factor
