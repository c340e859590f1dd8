"""What a training minimises: a loss of terms, schedules and a state of its own, with the whole group in view.

A group is all that one optimizer step is made from: some batches, each shared out among the processes. It is met in
parts, one for each batch in each process, whose losses add up to the loss of the group. What a loss has to know of the
whole group is surveyed first: a sum over all parts, such as the KL of each unit, or a table of which each part fills in
its own rows, such as the codes.

Of the second kind is a penalty on the codes of N examples by a kernel k, such as the maximum mean discrepancy: the mean
of k(z, z') over all pairs of the group. A part's survey is a table (N, Z) with its codes in its rows and zeros
elsewhere, and the sum of these tables holds all codes. Its loss is the sum of k(own z, any z') over N^2, and the parts'
losses add up to the mean over all pairs. A pair stands in two rows, and the survey has no gradient, so half of the
gradient would be missing: the loss is doubled, and its own value subtracted once without gradient.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from seqvae.core.discrepancy import Estimator, Kernel, discrepancy
from seqvae.core.objectives import controlled_weight, distance_to_target, negative_elbo
from seqvae.core.vae import ALL_PARTS, Codes, Terms
from seqvae.settings import Config
from seqvae.training.progress import State
from seqvae.training.schedules import StepValues

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
    """A loss, and what it asks of the loop. It holds no state: the state goes in and comes out as plain values.

    What most objectives have in common stands here: no state, all parts of the weights at every step, and, where one
    surveys its group, the KL of each unit summed over the examples.
    """

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
        return {}

    def trained_parts(self, state: State) -> tuple[str, ...]:
        """The parts of the weights, by their names in `core.vae.PARTS`, that the next step changes."""
        return ALL_PARTS

    def survey(self, codes: Codes, part: Part) -> Tensor:
        """What a part adds to the survey of its group, whose parts are summed before `loss` sees it, without gradient.

        Of the same shape for all parts: (Z,) for a sum over the examples, one number for each latent unit; or
        (group_examples, ...) for a table, with zeros outside the rows `part.rows`.
        """
        return codes.kl.sum(0)

    def loss(
        self, terms: Terms, part: Part, survey: Tensor | None, values: StepValues, state: State
    ) -> tuple[Tensor, Figures]:
        """What a part adds to the loss of its group, and to the figures, all of them scalars.

        The loss is in nats per example of the group, so a mean over the part's examples counts `part.share`. `survey`
        is the sum of what `survey` gave for all parts, of the shape that it has there; None where `surveys` is false.

        Its gradient has to be that of the group's loss in this part's terms, the survey held fixed. Where a process
        has no example left of a batch, another example stands in and counts for nothing: the loop sees to that.
        """
        ...

    def next_state(self, state: State, figures: Callable[[], Mapping[str, float]]) -> State:
        """The state after a step. `figures()` are the loss and the figures of the group, over all processes.

        To ask for them costs a look at the device, so an objective without a state does not.
        """
        return state


@dataclass(frozen=True)
class NegativeBound(Objective):
    """-E[log p(x|z)] + beta * KL with free bits; of several draws the negative importance-weighted bound. In nats."""

    free_nats_per_dimension: float = 0.0
    free_nats_total: float = 0.0
    free_nats_per_dimension_and_example: float = 0.0
    figures: tuple[str, ...] = ()

    @property
    def surveys(self) -> bool:
        """The floor of free bits acts on the mean over the group."""
        return self.free_nats_per_dimension > 0

    def loss(
        self, terms: Terms, part: Part, survey: Tensor | None, values: StepValues, state: State
    ) -> tuple[Tensor, Figures]:
        """The mean over this part's examples in nats, times its share, so that the parts add up to the group's mean."""
        if terms.bound is not None:
            return -terms.bound.mean() * part.share, {}
        kl_mean = None if survey is None else survey / part.group_examples
        loss = negative_elbo(
            terms.log_px, terms.kl, values.beta, self.free_nats_per_dimension, self.free_nats_total, kl_mean,
            self.free_nats_per_dimension_and_example,
        )  # fmt: skip
        return loss * part.share, {}


@dataclass(frozen=True)
class DistanceToTarget(Objective):
    """-E[log p(x|z)] + beta * |KL - target|, with the mean KL over the group. In nats."""

    target_nats: float
    figures: tuple[str, ...] = ()
    surveys: bool = True

    def loss(
        self, terms: Terms, part: Part, survey: Tensor | None, values: StepValues, state: State
    ) -> tuple[Tensor, Figures]:
        """The part's share; on which side of the target the KL is, is a matter of the group."""
        assert survey is not None
        distance = distance_to_target(terms.kl, self.target_nats, survey / part.group_examples)
        return (values.beta * distance - terms.log_px.mean()) * part.share, {}


@dataclass(frozen=True)
class ControlledKL(Objective):
    """-E[log p(x|z)] + weight * KL, whose weight a controller moves so that the KL comes to a target. In nats.

    Its state is the weight of the next step and the controller's integral. The weight starts at 0, so that the code is
    used before its KL costs something, and never exceeds the beta of the schedule.
    """

    target_nats: float
    gain: float
    most: float  # the final beta
    figures: tuple[str, ...] = ("beta", "kl_nats")
    surveys: bool = False

    def start(self) -> State:
        """A weight of 0."""
        return {"weight": 0.0, "integral": 0.0}

    def loss(
        self, terms: Terms, part: Part, survey: Tensor | None, values: StepValues, state: State
    ) -> tuple[Tensor, Figures]:
        """The part's share of the loss, of the weight and of the KL."""
        weight = min(_number(state["weight"]), values.beta)
        loss = negative_elbo(terms.log_px, terms.kl, weight) * part.share
        return loss, {"beta": loss.new_tensor(weight * part.share), "kl_nats": terms.kl.sum(1).mean() * part.share}

    def next_state(self, state: State, figures: Callable[[], Mapping[str, float]]) -> State:
        """The weight that the KL of the group asks for."""
        kl_nats, integral = figures()["kl_nats"], _number(state["integral"])
        weight, integral = controlled_weight(kl_nats, self.target_nats, integral, self.gain, self.most)
        return {"weight": weight, "integral": integral}


@dataclass(frozen=True)
class WithDiscrepancy(Objective):
    """Another objective plus weight * the maximum mean discrepancy between the codes of the group and the prior.

    With beta = 0 it is the Wasserstein autoencoder (Tolstikhin et al. 2018, WAE-MMD), whose codes may be points; with
    beta = 1 - alpha and weight = alpha + lambda - 1 the InfoVAE (Zhao et al. 2019, equation 6).
    """

    other: Objective
    weight: float
    kernel: Kernel
    estimator: Estimator
    surveys: bool = True

    @property
    def figures(self) -> tuple[str, ...]:
        """Those of the other, and the discrepancy."""
        return (*self.other.figures, "mmd")

    def start(self) -> State:
        """The other's."""
        return self.other.start()

    def trained_parts(self, state: State) -> tuple[str, ...]:
        """The other's."""
        return self.other.trained_parts(state)

    def survey(self, codes: Codes, part: Part) -> Tensor:
        """A table of all codes and, where the other asks for a survey, of their KL, (group_examples, Z or 2 Z)."""
        found = torch.cat([codes.z, codes.kl], 1) if self.other.surveys else codes.z
        table = found.new_zeros(part.group_examples, found.shape[1])
        table[part.rows] = found
        return table

    def loss(
        self, terms: Terms, part: Part, survey: Tensor | None, values: StepValues, state: State
    ) -> tuple[Tensor, Figures]:
        """The other's, whose survey is the sum of the table's KL, and the part's share of the discrepancy."""
        assert survey is not None
        units = terms.z.shape[1]
        divergences = survey[:, units:].sum(0) if self.other.surveys else None
        loss, figures = self.other.loss(terms, part, divergences, values, state)
        found = discrepancy(terms.z, self.kernel, self.estimator, survey[:, :units], part.rows)
        return loss + self.weight * found, {**figures, "mmd": found}

    def next_state(self, state: State, figures: Callable[[], Mapping[str, float]]) -> State:
        """The other's."""
        return self.other.next_state(state, figures)


def _number(value: float | int | str | bool | None) -> float:
    """A value of a state that is a number."""
    assert isinstance(value, (int, float))
    return float(value)


def objective_of(config: Config) -> Objective:
    """The objective that a configuration asks for."""
    asked, found = config.objective, _of_the_kl(config)
    return WithDiscrepancy(found, asked.mmd, asked.mmd_kernel, asked.mmd_estimator) if asked.mmd else found


def _of_the_kl(config: Config) -> Objective:
    """The objective without what acts on the codes of the group."""
    asked = config.objective
    if asked.target_kl_nats and asked.target_kl_by == "controller":
        return ControlledKL(asked.target_kl_nats, asked.target_kl_gain, asked.beta)
    if asked.target_kl_nats:
        return DistanceToTarget(asked.target_kl_nats)
    return NegativeBound(
        asked.free_nats_per_dimension, asked.free_nats_total, asked.free_nats_per_dimension_and_example
    )
