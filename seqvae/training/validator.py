"""A validation and what follows from it: whether the weights are the best so far, and what is said of the code."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from seqvae.build import load_weights
from seqvae.config import Values
from seqvae.core.vae import VAE
from seqvae.data import Batches
from seqvae.evaluation.latent import CodeGain
from seqvae.evaluation.likelihood import elbo
from seqvae.modalities.base import Modality
from seqvae.runs.run import Run
from seqvae.settings import Config
from seqvae.training.advice import advice_on_fit, advice_on_the_code, advice_when_it_happens
from seqvae.training.aggressive import EncoderFirst
from seqvae.training.code_use import CodeUse, code_use
from seqvae.training.engine import Engine
from seqvae.training.finite import FiniteCheck
from seqvae.training.progress import Progress
from seqvae.training.schedules import Schedules
from seqvae.training.validation import SEED, validate
from seqvae.types import Batch

MOST_ITEMS = 1000  # about so many of all lengths are looked at
SEEN = 15  # training items for each whose code is looked at, so that looking takes some 3 % of the time


@dataclass
class Validator:
    """Validates one stage of a run, and keeps in the run's progress what came of it."""

    vae: VAE
    config: Config
    modality: Modality
    progress: Progress
    schedules: Schedules
    finite: FiniteCheck
    engine: Engine
    train: Batches
    valid: Batches
    encoder_first: EncoderFirst

    def validate(self) -> tuple[Values, bool]:
        """The figures with the verdict that these weights are the best or not; whether the learning rate is to decay.

        The objective decides, or the bound. Raises ValueError for one that is not finite.
        """
        train, progress, engine = self.config.train, self.progress, self.engine
        self.finite.check()
        with engine.autocast():
            figures = validate(self.vae, self._share(), engine.zeros(1), engine.total, self.config.objective)
        if self._is_due():
            use = self._looked()
            figures |= {"mutual_information_nats": use.information_nats, "code_gain_nats": use.gain.nats}
            self._note(use)
        if self.encoder_first.is_on:
            figures["encoder_first_information_nats"], end = self.encoder_first.validated(self.vae, engine)
            progress.unsaid += [end] if end is not None else []
        bound = figures.get("iw_bound_nats", figures["elbo_nats"])
        judged = figures.get("objective_nats", -bound) if train.best_by == "objective" else -bound
        self.finite.check_validation(judged, progress.step)
        best, decay = progress.judge(judged, train)
        return {**figures, "best": best, "learning_rate": self.schedules.at(progress).learning_rate}, decay

    def _share(self) -> Iterator[Batch]:
        """This process's share of the validation data."""
        for indices in islice(self.valid.in_order(), self.engine.process, None, self.engine.processes):
            yield self.valid.load(indices).to(self.engine.device)

    def _some(self, batches: Batches) -> list[Batch]:
        """About MOST_ITEMS items of all lengths."""
        return [batches.load(indices).to(self.engine.device) for indices in batches.some(MOST_ITEMS)]

    def _looked(self) -> CodeUse:
        """What the codes of some validation items carry; the same in all processes."""
        found = self.engine.zeros(4)
        if self.engine.is_first:
            with self.engine.autocast():
                use = code_use(self.vae, self._some(self.valid))
            found += found.new_tensor([use.items, use.information_nats, use.gain.own_nats, use.gain.shuffled_nats])
        items, information, own, shuffled = self.engine.total(found).tolist()
        return CodeUse(round(items), information, CodeGain(own, shuffled))

    def _is_due(self) -> bool:
        """Whether this validation, by its place in the training alone, is one that looks at the code.

        That is one in so many that training sees SEEN items in between for each that is looked at.
        """
        if not self._has_codes_to_compare():
            return False
        progress, train, items = self.progress, self.config.train, len(self.train.part)
        if train.validate_steps:
            number, rest = divmod(progress.step, train.validate_steps)
            seen = train.validate_steps * train.accumulate * items / self.train.count()
        else:
            number, rest = progress.epoch + 1, items - progress.examples
            seen = items
        return not rest and number % math.ceil(SEEN * min(MOST_ITEMS, len(self.valid.part)) / seen) == 0

    def _has_codes_to_compare(self) -> bool:
        return self.vae.latent > 0 and not self.vae.has_points and len(self.valid.part) > 1

    def _note(self, use: CodeUse) -> None:
        """Remember what there is to say of a code that is not used at the final beta."""
        progress = self.progress
        if use.is_little and not progress.collapsed_step and self.schedules.is_annealed(progress):
            progress.collapsed_step = progress.step
            progress.unsaid.append(advice_when_it_happens(use, progress.step, self.config, self.modality))

    def said(self) -> list[str]:
        """What is worth a word, once, also where the run was stopped before it was said."""
        said, self.progress.unsaid = self.progress.unsaid, []
        return said

    def closing_words(self, run: Run) -> list[str]:
        """What helps, at the end of a run, in the first of its processes; `vae` gets the weights that are used.

        Its code and its fit are judged by those weights, so that what is said is true of what a user will see.
        """
        progress, engine = self.progress, self.engine
        step = progress.step if progress.best_step is None else progress.best_step
        if step != progress.step:
            load_weights(self.vae, run.weights(step), run.path)
        found = []
        with engine.autocast():
            if self._has_codes_to_compare():
                use = code_use(self.vae, self._some(self.valid))
                found.append(advice_on_the_code(use, step, self.config, self.modality))
            if not self.config.train.overfit_batch:  # of which everything is to be fitted, however few there are
                found.append(self._advice_on_fit())
        return [words for words in found if words is not None]

    def _advice_on_fit(self) -> str | None:
        """What helps where the items were few, by the weights that are in `vae`."""
        nats = [elbo(self.vae, self._some(each), SEED) for each in (self.train, self.valid)]
        of_train, of_valid = (each.mean_reconstruction_nats for each in nats)
        return advice_on_fit(of_train, of_valid, self.progress, len(self.train.part), self.config, self.modality)
