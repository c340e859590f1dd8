"""What a training minimises: a loss of terms, schedules and a state of its own, with the whole group in view.

A group is all that one optimizer step is made from: some batches, each shared out among the processes. It is met in
parts, one for each batch in each process, whose losses add up to the loss of the group. What a loss has to know of the
whole group is surveyed first: a sum over all parts, such as the KL of each unit, or a table of which each part fills in
its own rows, such as the codes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from seqvae.core.objectives import negative_elbo
from seqvae.core.vae import ALL_PARTS, Codes, Terms
from seqvae.settings import Config
from seqvae.training.schedules import StepValues

State = Mapping[str, float | int | str | bool | None]  # plain values, which a checkpoint holds as JSON
Figures = Mapping[str, Tensor]  # scalars by name


@dataclass(frozen=True)
class Part:
    """Where some examples stand: one batch's in one process, among all of their group."""

    examples: int  # of this part
    group_examples: int  # of all batches and processes
    rows: slice  # the places of this part's among those

    @property
    def share(self) -> float:
        """This part's examples over those of the group: what its mean counts in the group's mean."""
        return self.examples / self.group_examples


class Objective(Protocol):
    """A loss, and what it asks of the loop. It holds no state: the state goes in and comes out as plain values."""

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of what `loss` gives besides the loss, for the log."""
        ...

    @property
    def surveys(self) -> bool:
        """Whether the loss has to know of the whole group."""
        ...

    def start(self) -> State:
        """The state before the first step."""
        ...

    def moves(self, state: State) -> tuple[str, ...]:
        """The parts of the weights, by their names in `core.vae.PARTS`, that the next step changes."""
        ...

    def survey(self, codes: Codes, part: Part) -> Tensor:
        """What a part adds to the survey of its group, a tensor of the same shape for all parts; without gradient."""
        ...

    def loss(
        self, terms: Terms, part: Part, survey: Tensor | None, values: StepValues, state: State
    ) -> tuple[Tensor, Figures]:
        """What a part adds to the loss of its group, and to the figures.

        Its gradient has to be that of the group's loss in this part's terms, the survey held fixed. Where a process
        has no example left of a batch, another example stands in and counts for nothing: the loop sees to that.
        """
        ...

    def next_state(self, state: State, figures: Callable[[], Mapping[str, float]]) -> State:
        """The state after a step. `figures()` are the loss and the figures of the group, over all processes.

        To ask for them costs a look at the device, so an objective without a state does not.
        """
        ...


@dataclass(frozen=True)
class NegativeBound:
    """-E[log p(x|z)] + beta * KL with free bits; of several draws the negative importance-weighted bound. In nats."""

    free_nats_per_dimension: float = 0.0
    free_nats_total: float = 0.0
    figures: tuple[str, ...] = ()

    @property
    def surveys(self) -> bool:
        """The floor of free bits acts on the mean over the group."""
        return self.free_nats_per_dimension > 0

    def start(self) -> State:
        """Nothing."""
        return {}

    def moves(self, state: State) -> tuple[str, ...]:
        """All weights."""
        return ALL_PARTS

    def survey(self, codes: Codes, part: Part) -> Tensor:
        """The KL of each unit, summed over the examples, (Z,)."""
        return codes.kl.sum(0)

    def loss(
        self, terms: Terms, part: Part, survey: Tensor | None, values: StepValues, state: State
    ) -> tuple[Tensor, Figures]:
        """The mean over this part's examples, times its share."""
        if terms.bound is not None:
            return -terms.bound.mean() * part.share, {}
        kl_mean = None if survey is None else survey / part.group_examples
        free, free_total = self.free_nats_per_dimension, self.free_nats_total
        return negative_elbo(terms.log_px, terms.kl, values.beta, free, free_total, kl_mean) * part.share, {}

    def next_state(self, state: State, figures: Callable[[], Mapping[str, float]]) -> State:
        """Nothing."""
        return state


def objective_of(config: Config) -> Objective:
    """The objective that a configuration asks for."""
    return NegativeBound(config.objective.free_nats_per_dimension, config.objective.free_nats_total)
