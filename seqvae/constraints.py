"""Latent constraints of a run: critics of its codes, kept beside its weights, and draws moved to what they accept."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from seqvae.config import few, nearest
from seqvae.core.constraints import Critics, nearest_accepted
from seqvae.core.posterior import DiagonalGaussian
from seqvae.core.priors import Prior, StandardNormal
from seqvae.levels import YES_OR_NO, in_words
from seqvae.noise import Noise
from seqvae.priors import Watch, no_watch
from seqvae.runs.foreign import CRITICS
from seqvae.runs.run import Run

LABEL = "label"  # the attribute that data say themselves, where all others are measured
HIDDEN, BATCH, LEARNING_RATE, WEIGHT_DECAY = 128, 256, 2e-3, 1e-2
STEPS, ROUND = 800, 100  # of training, and between two looks at held-out codes
CANDIDATES = 16  # draws of the prior, of which one is chosen by what the critics say
MOST_VALUES = 20  # of an attribute that are named where another one was asked for
TRIES = 4  # other draws for one from which no accepted code was reached


@dataclass(frozen=True)
class Examples:
    """Codes, and which value of each attribute their items have, (N, A); -1 for none."""

    codes: DiagonalGaussian
    values: Int[Tensor, "N A"]


@dataclass(frozen=True)
class Constraints:
    """Critics with the names of the attributes and of their values; the shares of held-out codes that are told right.

    `real` is the share of held-out codes and as many draws of N(0, I) that the realism critic tells from each other;
    `right` has that of the values of each attribute that held-out items have. The values of an attribute that is
    measured are levels of numbers, between which its `limits` lie (`seqvae.levels`).
    """

    critics: Critics
    names: Mapping[str, tuple[str, ...]]
    real: float
    right: Mapping[str, float]
    limits: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def wanted(self, where: Mapping[str, Any]) -> dict[int, int]:
        """The places of the values that are asked for, by that of the attribute.

        Raises ValueError for an attribute or a value that is not known, with the nearest.
        """
        if not isinstance(where, Mapping) or not where:
            raise ValueError(f"where={where!r:.80} names no attribute; give a value by name, such as {self.example}")
        places = {}
        for name, value in where.items():
            if name not in self.names:
                raise ValueError(
                    f"samples cannot be chosen by '{name}' here, but by {few(self.names)}; give a value of that, such "
                    f"as {'='.join(*self.example.items())}.{nearest(str(name), self.names)}"
                )
            values = self.names[name]
            if str(value) not in values:
                raise ValueError(
                    f"{name}={value} cannot be asked for; {name} can be {few(values, MOST_VALUES)}."
                    f"{nearest(str(value), values)}"
                )
            places[list(self.names).index(name)] = values.index(str(value))
        return places

    @property
    def example(self) -> dict[str, str]:
        """One attribute with its first value."""
        name = next(iter(self.names))
        return {name: self.names[name][0]}

    def in_words(self, name: str) -> list[str]:
        """The values of an attribute, with the numbers of those that are measured: `high (above 14.5)`."""
        limits = self.limits.get(name)
        if limits is None or self.names[name] == YES_OR_NO:
            return list(self.names[name])
        return [f"{value} ({in_words(place, limits)})" for place, value in enumerate(self.names[name])]


@dataclass(frozen=True, eq=False)
class Constrained:
    """Draws of a prior, each moved to the nearest code that the critics accept: a prior that has no density."""

    prior: Prior
    constraints: Constraints
    where: Mapping[str, Any]
    kind: str = field(default="constrained", init=False)

    @property
    def latent(self) -> int:
        """The number of units."""
        return self.prior.latent

    def log_prob(self, z: Float[Tensor, "N Z"]) -> Float[Tensor, " N"]:
        """Raises ValueError."""
        raise ValueError("codes that are moved to where critics accept them have no density; take the prior itself")

    @cached_property
    def _wanted(self) -> dict[int, int]:
        return self.constraints.wanted(self.where)

    def codes(self, noise: Noise) -> Float[Tensor, "B Z"]:
        """A code for each example: one of its draws, moved; another one where no accepted code was reached from it."""
        found, lack = self._moved(noise)
        for again in range(TRIES):
            rows = lack.nonzero().squeeze(1)
            if not len(rows):
                break
            others, others_lack = self._moved(noise.select(rows).branch(f"again {again}"))
            better = others_lack < lack[rows]
            found[rows[better]], lack[rows[better]] = others[better], others_lack[better]
        return found

    def _moved(self, noise: Noise) -> tuple[Float[Tensor, "N Z"], Float[Tensor, " N"]]:
        """A code for each example, and what it lacks.

        Of several draws of the prior one is chosen by its weight: the more draws, the nearer to codes of data that have
        what is asked for. What is left to go from there is a short way.
        """
        critics = self.constraints.critics
        z = (
            self.prior.codes(noise.repeat(CANDIDATES))
            .detach()
            .double()
            .cpu()
            .unflatten(0, (len(noise.keys), CANDIDATES))
        )
        with torch.no_grad():
            of_normal = self.prior.kind == StandardNormal.kind
            log_weights = critics.log_weights(z.flatten(0, 1), self._wanted, of_normal).unflatten(0, z.shape[:2])
        gumbel = -(-noise.uniform("candidate", CANDIDATES).cpu().log()).log()
        chosen = z[torch.arange(len(z)), (log_weights + gumbel).argmax(1)]
        moved = nearest_accepted(lambda z: critics.lack(z, self._wanted), chosen, critics.scale)
        with torch.no_grad():
            return moved, critics.lack(moved, self._wanted)


def train_critics(
    training: Examples,
    held_out: Examples,
    names: Mapping[str, Sequence[str]],
    seed: int = 0,
    watch: Watch = no_watch,
) -> Constraints:
    """Critics trained on draws of the codes of data and of N(0, I): those that held-out codes speak best for.

    Raises ValueError for an attribute of which the training data have fewer than two values.
    """
    known = {name: tuple(values) for name, values in names.items()}
    for place, (name, values) in enumerate(known.items()):
        met = training.values[:, place].unique()
        if (met >= 0).sum() < 2:
            only = [values[value] for value in met.tolist() if value >= 0]
            what = f"the {name} '{only[0]}' alone" if only else f"no {name}"
            raise ValueError(f"the items have {what}, so that there is nothing to choose; give data of several")
    codes = training.codes
    moments = codes.mean.double().var(0, correction=0) + (2 * codes.log_scale.double()).exp().mean(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        sizes = [len(values) for values in known.values()]
        critics = Critics(codes.mean.float().mean(0), moments.sqrt().float(), sizes, HIDDEN)
        judged = _judged(held_out, seed)
        _train(critics, training, judged, watch)
    critics = critics.double().requires_grad_(False)
    critics.calibrate(judged[0].double(), judged[1])
    real, right = _shares(critics, *judged)
    return Constraints(critics, known, real, {name: right[place] for place, name in enumerate(known) if place in right})


def _judged(held_out: Examples, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """A draw of each held-out code, its values, and as many draws of N(0, I)."""
    noise = Noise(seed, torch.arange(len(held_out.codes.mean)))
    z = held_out.codes.rsample(noise)
    return z.float(), held_out.values, StandardNormal(z.shape[1]).codes(noise).float()


def _loss(critics: Critics, z: Tensor, values: Tensor, drawn: Tensor) -> Tensor:
    """The mean cross-entropy of all questions in nats: real or drawn, and the values of those that have one."""
    loss = F.softplus(-critics.real(z)).mean() + F.softplus(critics.real(drawn)).mean()
    for place in range(values.shape[1]):
        has = values[:, place] >= 0
        if has.any():
            loss = loss + F.nll_loss(critics.log_shares(z[has], place), values[has, place])
    return loss


def _train(critics: Critics, training: Examples, judged: tuple[Tensor, Tensor, Tensor], watch: Watch) -> None:
    """Fresh draws at each step; the weights end as those of the least loss on held-out codes."""
    mean, scale = training.codes.mean.float(), training.codes.log_scale.exp().float()
    optimizer = torch.optim.AdamW(critics.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    best, kept = math.inf, {name: weight.clone() for name, weight in critics.state_dict().items()}
    for step, rows in zip(range(1, STEPS + 1), _rows(len(mean)), strict=False):
        z = mean[rows] + scale[rows] * torch.randn(len(rows), critics.latent)
        loss = _loss(critics, z, training.values[rows], torch.randn(len(rows), critics.latent))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % ROUND == 0 or step == STEPS:
            watch(step, STEPS, "critics")
            with torch.no_grad():
                nats = float(_loss(critics, *judged))
            if nats < best:
                best, kept = nats, {name: weight.clone() for name, weight in critics.state_dict().items()}
    critics.load_state_dict(kept)


def _rows(items: int) -> Iterator[Tensor]:
    """Batches of places, epoch after epoch."""
    while True:
        yield from torch.randperm(items).split(BATCH)


def _shares(critics: Critics, z: Tensor, values: Tensor, drawn: Tensor) -> tuple[float, dict[int, float]]:
    """The share of codes that are told from draws, and of those whose value is, by the place of its attribute."""
    real = torch.cat([critics.real(z.double()) > 0, critics.real(drawn.double()) <= 0]).double().mean()
    right = {}
    for place in range(values.shape[1]):
        has = values[:, place] >= 0
        if has.any():
            guessed = critics.log_shares(z[has].double(), place).argmax(1)
            right[place] = float((guessed == values[has, place]).double().mean())
    return float(real), right


def keep_constraints(run: Run, constraints: Constraints | None) -> None:
    """Write critics into the run, beside the weights whose codes they judge; None takes away what is there."""
    if constraints is None:
        run.save_beside(run.used_step, CRITICS, {}, {})
        return
    values = {
        "names": {name: list(values) for name, values in constraints.names.items()},
        "hidden": constraints.critics.hidden, "real": constraints.real, "right": dict(constraints.right),
        "limits": {name: list(limits) for name, limits in constraints.limits.items()},
    }  # fmt: skip
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in constraints.critics.state_dict().items()}
    run.save_beside(run.used_step, CRITICS, values, tensors)


def kept_constraints(run: Run | None) -> Constraints | None:
    """The critics of the weights that are used; None where there are none. Raises ValueError for damaged ones."""
    values = run.beside(run.used_step, CRITICS) if run is not None and run.steps() else None
    if run is None or values is None:
        return None
    tensors = run.tensors_beside(run.used_step, CRITICS)
    try:
        names = {name: tuple(map(str, known)) for name, known in values["names"].items()}
        sizes = [len(known) for known in names.values()]
        critics = Critics(tensors["mean"], tensors["scale"], sizes, values["hidden"]).to(tensors["mean"].dtype)
        critics.load_state_dict(tensors)
        limits = {name: tuple(map(float, known)) for name, known in values.get("limits", {}).items()}
        return Constraints(critics.requires_grad_(False), names, float(values["real"]), dict(values["right"]), limits)
    except (KeyError, TypeError, RuntimeError, AttributeError, ValueError):
        raise ValueError(
            f"the critics in {run.path} were not written by seqvae; restore the folder from a copy, or make them again"
        ) from None


def constrained(prior: Prior, run: Run | None, where: Mapping[str, Any]) -> Constrained:
    """A prior whose draws are moved to codes that have these values, by the critics of a run.

    Raises ValueError where there are no critics, and for an attribute or a value that they do not know.
    """
    found = kept_constraints(run)
    if found is None:
        name, first = ("this model", "") if run is None else (run.path, run.copy_first)
        raise ValueError(
            f"{name} cannot choose its samples yet, since it has no critics that tell codes apart; {first}train some "
            "(seqvae constrain, seqvae.fit_constraints), or sample without a choice"
        )
    moved = Constrained(prior, found, where)
    found.wanted(where)
    return moved
