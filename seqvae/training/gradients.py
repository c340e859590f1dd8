"""The gradient of one optimizer step: the parts of a group, what the objective says of them, what is counted."""

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from seqvae.core.vae import ALL_PARTS, PARTS, VAE, Terms, is_of
from seqvae.data import Batches
from seqvae.noise import Noise
from seqvae.training.engine import Engine
from seqvae.training.objective import Objective, Part
from seqvae.training.progress import State
from seqvae.training.schedules import StepValues
from seqvae.training.tally import Tally
from seqvae.types import Batch

COUNTED = ("examples", "tokens", "log_px", "kl")

Share = tuple[Batch, Part, float]  # this process's examples of a batch, their place in the group, and their weight


class Gradients:
    """Gradients of an objective on groups of batches, each batch shared out among the processes."""

    def __init__(
        self,
        vae: VAE,
        model: nn.Module,
        batches: Batches,
        objective: Objective,
        engine: Engine,
        tally: Tally,
        trained: Sequence[str] = ALL_PARTS,
    ) -> None:
        """`model` is the VAE as the engine prepared it. What is counted goes to the tally, under COUNTED.

        `trained` are the parts of the weights that any step may change. Where the means are none of them, their
        normalisation stays as well, so that an item keeps its code.
        """
        self._trained = trained
        self._by_batch = is_of(PARTS["mean"][0], trained)
        self._vae, self._model, self._batches = vae, model, batches
        self._objective, self._engine, self._tally = objective, engine, tally

    def backward(
        self,
        group: Sequence[np.ndarray],
        step: int,
        values: StepValues,
        state: State,
        parts: Sequence[str] = ALL_PARTS,
    ) -> dict[str, Tensor]:
        """Put the gradient of the group's loss into the parameters; return this process's part of loss and figures.

        Those are in nats per example of the group, one scalar for `loss` and for each of the objective's figures.

        Of each batch, an array of corpus indices, this process takes every n-th example. Parts of the weights that
        the objective does not train in this step, or that are not of `parts`, have no gradient.
        """
        shares = list(self._shares(group, step, values.ngram_share))
        survey = self._survey(shares, step, values) if self._objective.surveys and len(shares) > 1 else None
        names = ("loss", *self._objective.figures)
        sums = dict(zip(names, self._engine.zeros(len(names)), strict=True))
        for place, (batch, part, weight) in enumerate(shares):
            last = place == len(shares) - 1
            with contextlib.nullcontext() if last else self._engine.gathering(self._model):
                terms: Terms = self._model(
                    batch,
                    self._noise(batch, step),
                    sampling_probability=values.sampling_probability,
                    draws=values.draws,
                    by_batch=self._by_batch,
                )
                if self._objective.surveys and survey is None:  # of a single batch, for which this pass is enough
                    survey = self._engine.total(self._objective.survey(terms.codes, part) * weight)
                loss, figures = self._objective.loss(terms, part, survey, values, state)
                self._engine.backward(loss * weight)
            for name, value in {"loss": loss, **figures}.items():
                sums[name] += value.detach() * weight
            self._count(batch, terms, weight)
        self._drop_frozen(self._objective.trained_parts(state), parts, self._trained)
        return sums

    def totals(self, figures: dict[str, Tensor]) -> dict[str, float]:
        """Figures that `backward` returned, over all processes."""
        return dict(zip(figures, self._engine.total(torch.stack(list(figures.values()))).tolist(), strict=True))

    def _shares(self, group: Sequence[np.ndarray], step: int, ngram_share: float) -> Iterator[Share]:
        """This process's share of each batch; its weight is 0 where there are fewer examples than processes."""
        processes, before, total = self._engine.processes, 0, sum(map(len, group))
        for indices in group:
            own = indices[self._engine.process :: processes]
            stands_in = not len(own)
            batch = self._batches.varied(indices[:1] if stands_in else own, step, ngram_share)
            first = before if stands_in else before + self._engine.process
            before += len(indices)
            rows = slice(first, first + 1) if stands_in else slice(first, before, processes)
            yield batch.to(self._engine.device), Part(len(batch), total, rows), float(not stands_in)

    def _noise(self, batch: Batch, step: int) -> Noise:
        return Noise(self._batches.seed, batch.keys, step)

    def _survey(self, shares: Sequence[Share], step: int, values: StepValues) -> Tensor:
        """What the objective has to know of the whole group, in a pass of its own without gradient."""
        found: list[Tensor] = []
        with torch.no_grad(), self._engine.autocast():
            for batch, part, weight in shares:
                codes = self._vae.codes(
                    batch, self._noise(batch, step), samples=values.draws.samples, by_batch=self._by_batch
                )
                found.append(self._objective.survey(codes, part) * weight)
        sums = self._engine.zeros(*found[0].shape)
        for survey in found:
            sums += survey
        return self._engine.total(sums.to(found[0].dtype))

    def _count(self, batch: Batch, terms: Terms, weight: float) -> None:
        counts = (batch.lengths.new_tensor(len(batch)), batch.lengths.sum(), terms.log_px.sum(), terms.kl.sum())
        self._tally.add(dict(zip(COUNTED, counts, strict=True)), weight)

    def _drop_frozen(self, *trained: Sequence[str]) -> None:
        """Drop the gradients of all but the weights that are in each of the lists of parts."""
        for parts in trained:
            if parts == ALL_PARTS:
                continue
            for name, parameter in self._vae.named_parameters():
                if not is_of(name, parts):
                    parameter.grad = None
