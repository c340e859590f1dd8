"""The training loop: one for all modalities and objectives."""

import math
import time
from collections.abc import Callable
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from seqvae.build import load_weights, weights_of
from seqvae.config import Values
from seqvae.core.vae import ALL_PARTS, VAE, parts_without
from seqvae.data import Batches, Part
from seqvae.runs.rescue import rescue
from seqvae.runs.run import Checkpoint, Run
from seqvae.settings import Config, Train
from seqvae.training.aggressive import DECODER, ENCODER, EncoderFirst, Group
from seqvae.training.ending import has_its_length, summary, why_early
from seqvae.training.engine import Engine
from seqvae.training.finite import FiniteCheck
from seqvae.training.gradients import COUNTED, Gradients
from seqvae.training.log import MetricsLog, Reporter, mend
from seqvae.training.objective import Objective, objective_of
from seqvae.training.optimizer import make_optimizer, named_optimizer_tensors, restore_optimizer
from seqvae.training.progress import Progress
from seqvae.training.schedules import Schedules
from seqvae.training.signals import noted_signals
from seqvae.training.stages import Stages
from seqvae.training.tally import Tally
from seqvae.training.threads import threads_for
from seqvae.training.validator import Validator

STEPS_BETWEEN_AGREEMENTS = 10  # several processes ask each other this often whether one of them saw a signal


def steps_of(train: Train, part: Part) -> int:
    """The optimizer steps of a stage, or an estimate where batches are counted in tokens."""
    by_epochs = math.ceil(Batches(part, train.batch_size, train.batch_by).count() / train.accumulate) * train.epochs
    return min(train.steps, by_epochs) if train.steps else by_epochs


class Interrupted(Exception):
    """Training was stopped by Ctrl-C or SIGTERM; a checkpoint was saved."""


def fit(
    vae: VAE,
    stages: Stages,
    run: Run,
    data: tuple[Part, Part],
    engine: Engine,
    reporter: Reporter,
    objective: Callable[[Config], Objective] = objective_of,
) -> Progress:
    """Train until the end of the last stage, from the run's last whole checkpoint where there is one.

    Order, noise and KL weight are functions of the seed and the position, so on a CPU a resumed run ends in
    the same bits as one that was never stopped. `data` is what to train and what to validate on. `objective` makes
    what is minimised from the configuration of a stage.

    Raises ValueError on a non-finite loss (the last checkpoint is kept), Interrupted after a signal.
    """
    threads = torch.get_num_threads()
    loop = _Loop(vae, stages, run, data, engine, reporter, objective)
    try:
        with noted_signals() as loop.signal_seen:
            loop.run_all()
    finally:
        loop.close()
        torch.set_num_threads(threads)
    return loop.progress


class _Loop:
    """The moving parts of one run."""

    def __init__(
        self,
        vae: VAE,
        stages: Stages,
        run: Run,
        data: tuple[Part, Part],
        engine: Engine,
        reporter: Reporter,
        objective: Callable[[Config], Objective],
    ) -> None:
        run.files  # noqa: B018 - read while they are there, for `is_in_place`
        self.stages, self.run, self.data, self.objective_of = stages, run, data, objective
        self.engine, self.reporter = engine, reporter
        self.vae = vae.to(engine.device)
        self.model: nn.Module = engine.prepare_model(self.vae)
        self.signal_seen: list[int] = []
        train = stages.config.train
        self.progress = Progress(threads=train.threads or torch.get_num_threads())
        found = run.last(reporter.message if engine.is_first else str)
        if found is None:
            self._begin()
            self._choose_threads()
        else:
            self._restore(*found)
        torch.set_num_threads(self.progress.threads)
        lost = mend(run.metrics_path, self.progress.metrics_bytes, self.progress.step) if engine.is_first else None
        if lost is not None:
            reporter.message(lost)
        self.log = (
            MetricsLog(run.metrics_path, self.progress.metrics_bytes, train.tensorboard, self.progress.step)
            if engine.is_first
            else None
        )
        self.clock = time.perf_counter()

    def _begin(self) -> None:
        self._enter()
        self.progress.objective = dict(self.objective.start())

    def _choose_threads(self) -> None:
        """A run keeps the number of its threads, so that it ends in the same bits when it is resumed."""
        if not self.config.train.threads and self.engine.looks_at_once and self.engine.processes == 1:
            group = list(islice(self.train.epoch(0), self.config.train.accumulate))
            made = self.vae, self.gradients, self.tally, self.schedules.at(self.progress), self.progress.objective
            self.progress.threads = threads_for(*made, group, self.reporter.message)

    def _enter(self) -> None:
        """Make what belongs to the stage that the progress stands in."""
        self.config = config = self.stages[self.progress.stage]
        settings = config.train
        size, by = settings.batch_size, settings.batch_by
        self.train = Batches(self.data[0], size, by, settings.seed, settings.length_spread, settings.ngram_order)
        valid = Batches(self.data[1], size, by)
        self.encoder_first = EncoderFirst(config, self.progress, self.train, valid)
        self.schedules = Schedules(config, len(self.data[0]))
        self.finite = FiniteCheck(settings)
        self.validator = Validator(
            self.vae, config, self.stages.modality, self.progress, self.schedules, self.finite, self.engine, self.train,
            valid, self.encoder_first,
        )  # fmt: skip
        self.optimizer = self.engine.prepare_optimizer(make_optimizer(self.vae, settings))
        self.names = [name for name, _ in self.vae.named_parameters()]
        self.objective = self.objective_of(config)
        self.figures = (*self.objective.figures, *["encoder_steps"] * config.objective.aggressive)
        names = (*COUNTED, "loss", "gradient_norm", *self.figures)
        self.tally = Tally(names, self.engine.zeros, self.engine.total)
        trained = parts_without(settings.frozen)
        self.gradients = Gradients(self.vae, self.model, self.train, self.objective, self.engine, self.tally, trained)

    def close(self) -> None:
        """Close the log."""
        if self.log is not None:
            self.log.close()

    def run_all(self) -> None:
        """Epochs until the end."""
        if not self.run.steps():
            self._save()
        if self.engine.is_first:
            nats = self.stages.modality.nats_of(self.stages.config.model)
            self.reporter.started(self._total_steps(), self.progress.step, nats)
        while not self.progress.finished:
            if not self._nothing_left():
                self._epoch()
            elif self.progress.stage + 1 < len(self.stages):
                self._next_stage()
            else:
                self._finish()

    def _total_steps(self) -> int:
        """Of all stages, unless one stops early."""
        return sum(steps_of(self.stages[stage].train, self.data[0]) for stage in range(len(self.stages)))

    def _nothing_left(self) -> bool:
        """Whether the stage is over."""
        train, progress = self.config.train, self.progress
        why = why_early(train, progress, self.schedules.is_annealed(progress))
        return why is not None or has_its_length(train, progress)

    def _epoch(self) -> None:
        """The rest of the current epoch, or what is left to do of it."""
        train, progress = self.config.train, self.progress
        rest = islice(self.train.epoch(progress.epoch), progress.offset, None)
        while group := list(islice(rest, train.accumulate)):
            self._step(group)
            if progress.step % train.log_steps == 0:
                self._log()
            if train.validate_steps and progress.step % train.validate_steps == 0:
                self._validate()
                self._save()
            elif progress.step % train.checkpoint_steps == 0:
                self._save()
            if self._nothing_left():
                return
            self._stop_if_asked()
        if not train.validate_steps and progress.validated_step != progress.step:  # else it ended here, by train.steps
            self._validate()
        progress.epoch, progress.offset, progress.examples = progress.epoch + 1, 0, 0
        if not self._nothing_left():
            if not train.validate_steps:  # else epochs may be a step or two, and checkpoints are counted in steps
                self._save()
            self._stop_if_asked()

    def _finish(self) -> None:
        self._end_stage()
        self.progress.unsaid = []  # the closing words say it
        self.progress.finished = True
        self._save()
        if not self.engine.is_first:
            return
        self.reporter.message(summary(self.config.train, self.progress, self.schedules.is_annealed(self.progress)))
        for words in self.validator.closing_words(self.run):
            self.reporter.message(words)

    def _end_stage(self) -> None:
        if self.progress.validated_step != self.progress.step:
            self._validate()
        self._log()

    def _next_stage(self) -> None:
        """From the checkpoint of a stage's end, which stays, to the start of the next, which follows from it."""
        self._end_stage()
        self.progress.note_end_of_stage()
        self._save()
        self._stop_if_asked()
        if self.engine.is_first:
            self.reporter.message(self.stages.ended(self.progress))
        self._say()
        self.progress.begin_next_stage()
        plan = self.stages.begin(self.vae, self.progress.stage)
        self._begin()
        if self.engine.is_first:
            self.reporter.message(f"{plan}, and starts from the last weights before it, of step {self.progress.step:,}")

    # One optimizer step ---------------------------------------------------------------------------------------

    def _step(self, group: list[np.ndarray]) -> None:
        """One optimizer step on the batches of a group, each shared out among the processes."""
        self._say()
        progress, is_on = self.progress, self.encoder_first.is_on
        if is_on:
            taken = self.encoder_first.settle(group, self._move_encoder, lambda: self.tally.totals()["tokens"])
            self.tally.add({"encoder_steps": self.engine.zeros(1)[0] + taken / self.engine.processes})
        figures, norm = self._move(group, progress.step, DECODER if is_on else ALL_PARTS)
        self.tally.add(figures)
        # the norm is the same in all processes, whose sums are added up
        self.tally.add({"gradient_norm": norm / self.engine.processes})
        progress.step += 1
        progress.offset += len(group)
        progress.examples += sum(map(len, group))
        if self.engine.is_first:
            self.reporter.stepped(progress.step)
        progress.objective = dict(self.objective.next_state(progress.objective, lambda: self.gradients.totals(figures)))

    def _move(self, group: Group, noise_step: int, parts: tuple[str, ...]) -> tuple[dict[str, Tensor], Tensor]:
        """Change parts of the weights by the gradient of a group; this process's figures, and the gradient's norm."""
        progress, values = self.progress, self.schedules.at(self.progress)
        figures = self.gradients.backward(group, noise_step, values, progress.objective, parts)
        norm = self.engine.clip(self.model.parameters(), self.config.train.clip)
        self.finite.note(progress.step + 1, progress.epoch + 1, np.concatenate(group), figures["loss"], norm)
        if self.engine.looks_at_once:  # elsewhere before anything is written
            self.finite.check()
        for settings in self.optimizer.param_groups:
            settings["lr"] = values.learning_rate
        self.engine.step(self.optimizer)
        return figures, norm

    def _move_encoder(self, group: Group, noise_step: int) -> float:
        """Change encoder and posterior alone; the loss of the group, over all processes."""
        return self.gradients.totals(self._move(group, noise_step, ENCODER)[0])["loss"]

    # Validation -----------------------------------------------------------------------------------------------

    def _validate(self) -> None:
        """Validate, log what was found, and go back to the best weights where that is due."""
        train, progress = self.config.train, self.progress
        found, decay = self.validator.validate()
        record = {"event": "validation", **self._place(), **found}
        self._log(record)
        # a folder that is gone has none, and the next checkpoint says so
        if decay and train.decay_to_best and progress.best_step is not None and self.run.is_in_place():
            self._return_to(progress.best_step)
        if self.engine.is_first:
            self.reporter.validation(record)

    def _say(self) -> None:
        """Pass on what the last validation has to say, now that training goes on."""
        for words in self.validator.said():
            if self.engine.is_first:
                self.reporter.message(words)

    def _return_to(self, step: int) -> None:
        """Put back weights and optimizer of a checkpoint."""
        checkpoint = self.run.load(step)
        load_weights(self.vae, checkpoint.weights, self.run.path)
        self._restore_optimizer(checkpoint)

    def _restore_optimizer(self, checkpoint: Checkpoint) -> None:
        restore_optimizer(self.optimizer, self.names, checkpoint.optimizer, checkpoint.state["optimizer_groups"])

    # Records, checkpoints, signals ----------------------------------------------------------------------------

    def _log(self, extra: Values | None = None) -> None:
        """Write the training figures since the last line, and then an extra record."""
        progress = self.progress
        self.finite.check()
        sums = self.tally.totals()
        self.tally.clear()
        if self.log is None:
            return
        self._tick()
        if sums["examples"]:
            record = self._record(sums)
            self.log.write(record)
            self.reporter.progress(record)
        progress.logged_step, progress.logged_seconds = progress.step, progress.seconds
        if extra is not None:
            self.log.write(extra)

    def _record(self, sums: dict[str, float]) -> Values:
        """A line of the log, from the sums since the last one.

        Batches are of about one length each, so the bound of a line depends on which lengths it met. It stands there as
        well as it would be of items of the data's mean length, which can be compared from line to line.
        """
        progress, values = self.progress, self.schedules.at(self.progress)
        examples, steps = sums["examples"], progress.step - progress.logged_step
        length = self.train.part.steps / len(self.train.part)
        return {
            "event": "train", **self._place(),
            "elbo_nats": (sums["log_px"] - sums["kl"]) / examples, "reconstruction_nats": -sums["log_px"] / examples,
            "elbo_nats_at_mean_length": sums["log_px"] / sums["tokens"] * length - sums["kl"] / examples,
            "kl_nats": None if self.vae.has_points else sums["kl"] / examples, "loss": sums["loss"] / steps,
            "beta": values.beta, **{name: sums[name] / steps for name in self.figures},
            **({"ngram_share": values.ngram_share} if self.config.train.ngram_share else {}),
            "learning_rate": values.learning_rate, "gradient_norm": sums["gradient_norm"] / steps,
            "tokens_per_second": sums["tokens"] / (progress.seconds - progress.logged_seconds),
            "seconds": progress.seconds,
        }  # fmt: skip

    def _place(self) -> dict[str, float]:
        """Where the run stands; the stage, counted from 1, where there are several."""
        place = {"step": self.progress.step, "epoch": self.schedules.epochs(self.progress)}
        return place | {"stage": self.progress.stage + 1} if len(self.stages) > 1 else place

    def _tick(self) -> None:
        now = time.perf_counter()
        self.progress.seconds += now - self.clock
        self.clock = now

    def _save(self) -> None:
        """A checkpoint of this moment; sums of all processes are gathered into the first's.

        Raises ValueError, before anything is written, when a weight is not finite; and when the folder was moved or
        deleted, with the place of a checkpoint that is written all the same.
        """
        self.finite.check()
        sums = list(self.tally.totals().values())
        self.tally.put(sums if self.engine.is_first else [])
        weights = weights_of(self.vae)
        self.finite.check_weights(weights, self.progress.step)
        if self.log is not None:
            self._tick()
            self.progress.metrics_bytes = self.log.size()
            self.progress.sums = sums
            tensors, groups = named_optimizer_tensors(self.optimizer, self.names)
            state = {**self.progress.to_dict(), "optimizer_groups": groups, **self.engine.state()}
            checkpoint = Checkpoint(weights, tensors, state)
            if not self.run.is_in_place():
                raise ValueError(rescue(self.run, self.log.handle, self.progress.step, checkpoint))
            self.run.save(self.progress.step, checkpoint)
        self.engine.wait()

    def _restore(self, step: int, checkpoint: Checkpoint) -> None:
        """Go to a checkpoint of the run."""
        state = dict(checkpoint.state)
        del state["optimizer_groups"]
        self.engine.restore(state)
        try:
            progress = Progress.from_dict(state)
            if progress.stage >= len(self.stages):
                raise ValueError(f"is of stage {progress.stage + 1}, and the run has {len(self.stages)}")
        except ValueError as error:
            raise ValueError(f"the state of step {step} in {self.run.path} {error}; restore it from a copy") from None
        self.progress = progress
        self._enter()
        self._restore_optimizer(checkpoint)
        load_weights(self.vae, checkpoint.weights, self.run.path)
        self.progress.finished = self.progress.finished and self._nothing_left()  # more epochs may be asked for
        if self.engine.is_first:
            self.tally.put(self.progress.sums)

    def _stop_if_asked(self) -> None:
        """After a signal to any of the processes: save and raise Interrupted, in all of them at the same step."""
        asked = bool(self.signal_seen)
        if self.engine.processes > 1:
            if self.progress.step % STEPS_BETWEEN_AGREEMENTS:
                return
            asked = bool(self.engine.total(self.engine.zeros(1) + asked)[0])
        if asked:
            self._save()
            raise Interrupted(f"stopped after step {self.progress.step}; a checkpoint is saved")
