"""Objectives of the tests: the usual one with something that happens on the way."""

import signal
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from torch import Tensor

from seqvae.core.vae import Codes, Terms
from seqvae.settings import Config
from seqvae.training.objective import Figures, Objective, Part, objective_of
from seqvae.training.progress import State
from seqvae.training.schedules import StepValues


class Watched:
    """An objective whose steps are counted from 1: `after(step)` is called at the end of each, `factor` at its loss."""

    def __init__(
        self, objective: Objective, after: Callable[[int], Any] = int, factor: Callable[[int], float] = lambda step: 1.0
    ) -> None:
        self._objective, self._after, self._factor, self._step = objective, after, factor, 1
        self.figures, self.surveys = objective.figures, objective.surveys

    def start(self) -> State:
        return self._objective.start()

    def trained_parts(self, state: State) -> tuple[str, ...]:
        return self._objective.trained_parts(state)

    def survey(self, codes: Codes, part: Part) -> Tensor:
        return self._objective.survey(codes, part)

    def loss(
        self, terms: Terms, part: Part, survey: Tensor | None, values: StepValues, state: State
    ) -> tuple[Tensor, Figures]:
        loss, figures = self._objective.loss(terms, part, survey, values, state)
        return loss * self._factor(self._step), figures

    def next_state(self, state: State, figures: Callable[[], Mapping[str, float]]) -> State:
        state = self._objective.next_state(state, figures)
        self._after(self._step)
        self._step += 1
        return state


def after_step(
    step: int, action: Callable[[], Any], objective: Callable[[Config], Objective] = objective_of
) -> Callable[[Config], Objective]:
    """Something happens at the end of a step, counted over all stages."""
    steps = count(1)
    return lambda config: Watched(objective(config), lambda _: next(steps) == step and action())


def stopped_after(step: int, objective: Callable[[Config], Objective] = objective_of) -> Callable[[Config], Objective]:
    """A signal arrives at the end of a step."""
    return after_step(step, lambda: signal.raise_signal(signal.SIGTERM), objective)


def spoiled_at(step: int) -> Callable[[Config], Objective]:
    """The loss of a step is NaN."""
    return lambda config: Watched(objective_of(config), factor=lambda now: float("nan") if now == step else 1.0)
