"""The training loop: the only file that knows Accelerate, devices, processes and precision."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import GradientAccumulationPlugin, InitProcessGroupKwargs, broadcast_object_list
from torch import Tensor

from seqvae.build import load_weights, pick_device, weights_of
from seqvae.core.importance import Draws
from seqvae.core.objectives import negative_elbo
from seqvae.core.vae import VAE, Terms
from seqvae.data import Batches
from seqvae.noise import Noise
from seqvae.runs.run import Checkpoint, Run
from seqvae.settings import Config
from seqvae.training.finite import FiniteCheck
from seqvae.training.log import MetricsLog, Reporter
from seqvae.training.optimizer import gradient_norm, make_optimizer, named_optimizer_tensors, restore_optimizer
from seqvae.training.progress import Progress
from seqvae.training.signals import noted_signals
from seqvae.training.validation import collapse_advice, validate
from seqvae.types import Batch

PATIENCE = timedelta(hours=12)  # processes wait for the first one to learn and encode the data
WITHOUT_WAITING = ("cpu",)  # devices whose values can be looked at after each step without a delay
STEPS_BETWEEN_AGREEMENTS = 10  # several processes ask each other this often whether one of them saw a signal


class Interrupted(Exception):
    """Training was stopped by Ctrl-C or SIGTERM; a checkpoint was saved."""


def accelerator_for(device: str, precision: str) -> Accelerator:
    """The engine for `device` (auto, cpu, cuda, mps) and `precision`.

    Raises ValueError when this machine lacks the device or the device lacks the precision.
    """
    on_cpu = pick_device(device).type == "cpu"
    if precision == "fp16" and on_cpu:
        raise ValueError("precision fp16 needs a GPU; use --precision bf16 or fp32 on the CPU")
    if not torch.distributed.is_initialized():
        AcceleratorState._reset_state(reset_partial_state=True)  # else a process could train with one setting only
    return Accelerator(
        cpu=on_cpu,
        mixed_precision={"fp32": "no"}.get(precision, precision),
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),  # the loop does it, weighted by examples
        kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
    )


def in_first_process(accelerator: Accelerator, action: Callable[[], None]) -> None:
    """Do something in the first process while the others wait. Raises its ValueError or OSError in all of them."""
    failure: list[Exception | None] = [None]
    if accelerator.is_main_process:
        try:
            action()
        except (ValueError, OSError) as error:
            failure[0] = error
    broadcast_object_list(failure)
    if failure[0] is not None:
        raise failure[0]


def fit(
    vae: VAE, config: Config, run: Run, train: Batches, valid: Batches, accelerator: Accelerator, reporter: Reporter
) -> Progress:
    """Train until the configured end, from the run's last whole checkpoint where there is one.

    Order, noise and KL weight are functions of the seed and the position, so on a CPU a resumed run ends in
    the same bits as one that was never stopped.

    Raises ValueError on a non-finite loss (the last checkpoint is kept), Interrupted after a signal.
    """
    threads = torch.get_num_threads()
    loop = _Loop(vae, config, run, train, valid, accelerator, reporter)
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
        config: Config,
        run: Run,
        train: Batches,
        valid: Batches,
        accelerator: Accelerator,
        reporter: Reporter,
    ) -> None:
        self.config, self.run, self.train, self.valid = config, run, train, valid
        self.accelerator, self.reporter = accelerator, reporter
        self.vae = vae.to(accelerator.device)
        self.model: torch.nn.Module
        self.optimizer: Any
        self.model, self.optimizer = accelerator.prepare(self.vae, make_optimizer(self.vae, config.train))
        self.progress = Progress(threads=config.train.threads or torch.get_num_threads())
        self.signal_seen: list[int] = []
        self.advice: str | None = None  # of the last validation, where it was too early to tell it
        self.finite = FiniteCheck(config.train)
        self.sums = self._zeros(6)  # examples, tokens, log p(x|z), KL, loss and gradient norm of the steps
        self._restore()
        torch.set_num_threads(self.progress.threads)
        self.log = (
            MetricsLog(run.metrics_path, self.progress.metrics_bytes, config.train.tensorboard, self.progress.step)
            if accelerator.is_main_process
            else None
        )
        self.clock = time.perf_counter()

    def close(self) -> None:
        """Close the log."""
        if self.log is not None:
            self.log.close()

    def run_all(self) -> None:
        """Epochs until the end."""
        if not self.run.steps():
            self._save()
        if self.accelerator.is_main_process:
            self.reporter.started(self._total_steps(), self.progress.step)
        while not self.progress.finished:
            if self._nothing_left():
                self._finish()
            else:
                self._epoch()

    def _total_steps(self) -> int:
        train = self.config.train
        by_epochs = math.ceil(self.train.count() / train.accumulate) * train.epochs
        return min(train.steps, by_epochs) if train.steps else by_epochs

    def _nothing_left(self) -> bool:
        train, progress = self.config.train, self.progress
        stopped_early = 0 < train.stop_patience <= progress.stalled
        return stopped_early or progress.epoch >= train.epochs or 0 < train.steps <= progress.step

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
        if self.progress.validated_step != self.progress.step:
            self._validate()
        self._log()
        self.progress.finished = True
        self._save()
        if self.advice is not None:
            self.reporter.message(self.advice)

    # One optimizer step ---------------------------------------------------------------------------------------

    def _step(self, group: list[np.ndarray]) -> None:
        """One optimizer step on the batches of a group, each shared out among the processes."""
        progress = self.progress
        loss = self._gradients(group)
        parameters, limit = self.model.parameters(), self.config.train.clip
        clips = limit or self.accelerator.scaler is not None
        norm: Tensor = (
            self.accelerator.clip_grad_norm_(parameters, limit or math.inf) if clips else gradient_norm(parameters)
        )
        if self.accelerator.scaler is not None:  # fp16: the scaler skips steps whose scaled gradient overflows
            norm = norm.nan_to_num(0.0, 0.0, 0.0)
        self.finite.note(progress.step + 1, progress.epoch + 1, np.concatenate(group), loss, norm)
        if self.accelerator.device.type in WITHOUT_WAITING:  # elsewhere before anything is written
            self.finite.check()
        for settings in self.optimizer.param_groups:
            settings["lr"] = self._learning_rate()
        # accelerate's own looks for a package on the disk at each step; it is needed for the scaler of fp16 alone
        (self.optimizer.optimizer if self.accelerator.scaler is None else self.optimizer).step()
        self.optimizer.zero_grad()
        self.sums[4] += loss
        self.sums[5] += norm / self.accelerator.num_processes  # the same in all processes, whose sums are added up
        progress.step += 1
        progress.offset += len(group)
        progress.examples += sum(map(len, group))

    def _gradients(self, group: list[np.ndarray]) -> Tensor:
        """Leave the gradient of the group's mean loss in the parameters; this process's part of that loss."""
        objective, total = self.config.objective, sum(map(len, group))
        beta = self.progress.beta(objective, len(self.train.part))
        sampling = self.progress.sampling_probability(objective)
        draws = Draws(
            self.progress.importance_samples(self.config, len(self.train.part)), beta,
            objective.estimator == "doubly_reparameterized", objective.kept_samples,
        )  # fmt: skip
        parts = [self._share(indices) for indices in group]
        free = objective.free_nats_per_dimension
        kl_mean = self._kl_mean_before(parts, total) if free and len(parts) > 1 else None
        loss_sum = self._zeros(1)[0]
        for place, (batch, weight) in enumerate(parts):
            last = place == len(parts) - 1
            with contextlib.nullcontext() if last else self.accelerator.no_sync(self.model):
                noise = self._noise(batch)
                terms: Terms = self.model(batch, noise, sampling_probability=sampling, draws=draws)
                if free and kl_mean is None:
                    kl_mean = self._reduce(terms.kl.detach().sum(0) * weight) / total
                if terms.bound is None:
                    loss = negative_elbo(terms.log_px, terms.kl, beta, free, objective.free_nats_total, kl_mean)
                else:
                    loss = -terms.bound.mean()
                loss = loss * (weight * len(batch) / total)
                # gradients are averaged over processes, so each loss counts as many times as there are processes
                self.accelerator.backward(loss * self.accelerator.num_processes)
            loss_sum += loss.detach()
            self._count(batch, terms, weight)
        return loss_sum

    def _share(self, indices: np.ndarray) -> tuple[Batch, float]:
        """This process's examples of a batch with their weight, 0 where there are fewer examples than processes."""
        own = indices[self.accelerator.process_index :: self.accelerator.num_processes]
        batch = self.train.varied(own if len(own) else indices[:1], self.progress.step)
        return batch.to(self.accelerator.device), float(len(own) > 0)

    def _noise(self, batch: Batch) -> Noise:
        return Noise(self.config.train.seed, batch.keys, self.progress.step)

    def _kl_mean_before(self, parts: list[tuple[Batch, float]], total: int) -> Tensor:
        """The mean KL of each unit over the whole group, which the floor of free bits has to see."""
        sums = self._zeros(self.vae.latent)
        with torch.no_grad(), self.accelerator.autocast():
            for batch, weight in parts:
                sums += self.vae.posterior(batch, self._noise(batch)).kl().sum(0) * weight
        return self._reduce(sums.float()) / total

    def _count(self, batch: Batch, terms: Terms, weight: float) -> None:
        values = [batch.lengths.new_tensor(len(batch)), batch.lengths.sum(), terms.log_px.sum(), terms.kl.sum()]
        self.sums[:4] += torch.stack([value.detach().to(self.sums) for value in values]) * weight

    # Validation -----------------------------------------------------------------------------------------------

    def _validate(self) -> None:
        """The beta = 1 bound on the validation data; decides on the best, the decay and the end."""
        train, progress = self.config.train, self.progress
        self.finite.check()
        with self.accelerator.autocast():
            samples = self.config.objective.importance_samples
            figures = validate(self.vae, self._validation_batches(), self._zeros(1), self._reduce, samples)
        bound = figures.get("iw_bound_nats", figures["elbo_nats"])
        self.finite.check_validation(bound, progress.step)
        best, decay = progress.judge(-bound, train)
        record = {
            "event": "validation", "step": progress.step, "epoch": self._epochs(), **figures, "best": best,
            "learning_rate": self._learning_rate(),
        }  # fmt: skip
        self._log(record)
        if decay and train.decay_to_best and progress.best_step is not None:
            best_checkpoint = self.run.load(progress.best_step)
            load_weights(self.vae, best_checkpoint.weights, self.run.path)
            restore_optimizer(self.optimizer, best_checkpoint.optimizer, best_checkpoint.state["optimizer_groups"])
        if self.accelerator.is_main_process:
            self.reporter.validation(record)
            self.advice = collapse_advice(record, self.vae, self.config.objective.beta)
            several = len(self.valid.part) > 1  # the means of one item have no variance, so no unit is active
            if self.advice is not None and several and progress.annealed(self.config.objective, len(self.train.part)):
                self.reporter.message(self.advice)
                self.advice = None

    def _validation_batches(self) -> Iterator[Batch]:
        """This process's share of the validation data."""
        first, processes = self.accelerator.process_index, self.accelerator.num_processes
        for indices in islice(self.valid.in_order(), first, None, processes):
            yield self.valid.load(indices).to(self.accelerator.device)

    # Records, checkpoints, signals ----------------------------------------------------------------------------

    def _epochs(self) -> float:
        return self.progress.epochs(len(self.train.part))

    def _learning_rate(self) -> float:
        return self.progress.learning_rate(self.config.train, len(self.train.part))

    def _log(self, extra: dict[str, Any] | None = None) -> None:
        """Write the training figures since the last line, and then an extra record."""
        progress = self.progress
        self.finite.check()
        examples, tokens, log_px, kl, loss, norm = self._reduce(self.sums).tolist()
        self.sums.zero_()
        if self.log is None:
            return
        self._tick()
        if examples:
            steps = progress.step - progress.logged_step
            record = {
                "event": "train", "step": progress.step, "epoch": self._epochs(), "elbo_nats": (log_px - kl) / examples,
                "reconstruction_nats": -log_px / examples, "kl_nats": kl / examples, "loss": loss / steps,
                "beta": progress.beta(self.config.objective, len(self.train.part)),
                "learning_rate": self._learning_rate(), "gradient_norm": norm / steps,
                "tokens_per_second": tokens / (progress.seconds - progress.logged_seconds), "seconds": progress.seconds,
            }  # fmt: skip
            self.log.write(record)
            self.reporter.progress(record)
        progress.logged_step, progress.logged_seconds = progress.step, progress.seconds
        if extra is not None:
            self.log.write(extra)

    def _tick(self) -> None:
        now = time.perf_counter()
        self.progress.seconds += now - self.clock
        self.clock = now

    def _save(self) -> None:
        """A checkpoint of this moment; sums of all processes are gathered into the first's.

        Raises ValueError, before anything is written, when a weight is not finite.
        """
        self.finite.check()
        sums = self._reduce(self.sums)
        self.sums = sums if self.accelerator.is_main_process else torch.zeros_like(sums)
        weights = weights_of(self.vae)
        self.finite.check_weights(weights, self.progress.step)
        if self.log is not None:
            self._tick()
            self.progress.metrics_bytes = self.log.size()
            self.progress.sums = sums.tolist()
            tensors, groups = named_optimizer_tensors(self.optimizer)
            state = {**self.progress.to_dict(), "optimizer_groups": groups}
            if self.accelerator.scaler is not None:
                state["scaler"] = self.accelerator.scaler.state_dict()
            self.run.save(self.progress.step, Checkpoint(weights, tensors, state))
        self.accelerator.wait_for_everyone()

    def _restore(self) -> None:
        """Go to the run's newest whole checkpoint, if it has one."""
        found = self.run.last(self.reporter.message if self.accelerator.is_main_process else str)
        if found is None:
            return
        step, checkpoint = found
        state = dict(checkpoint.state)
        restore_optimizer(self.optimizer, checkpoint.optimizer, state.pop("optimizer_groups"))
        scaler = state.pop("scaler", None)
        if scaler is not None and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(scaler)
        load_weights(self.vae, checkpoint.weights, self.run.path)
        try:
            self.progress = Progress.from_dict(state)
        except ValueError as error:
            raise ValueError(f"the state of step {step} in {self.run.path} {error}; restore it from a copy") from None
        self.progress.finished = self.progress.finished and self._nothing_left()  # more epochs may be asked for
        if self.accelerator.is_main_process and self.progress.sums:
            self.sums = torch.tensor(self.progress.sums, dtype=self.sums.dtype).to(self.sums)

    def _stop_if_asked(self) -> None:
        """After a signal to any of the processes: save and raise Interrupted, in all of them at the same step."""
        asked = bool(self.signal_seen)
        if self.accelerator.num_processes > 1:
            if self.progress.step % STEPS_BETWEEN_AGREEMENTS:
                return
            asked = bool(self._reduce(self._zeros(1) + asked)[0])
        if asked:
            self._save()
            raise Interrupted(f"stopped after step {self.progress.step}; a checkpoint is saved")

    def _zeros(self, size: int) -> Tensor:
        dtype = torch.float32 if self.accelerator.device.type == "mps" else torch.float64
        return torch.zeros(size, dtype=dtype, device=self.accelerator.device)

    def _reduce(self, values: Tensor) -> Tensor:
        total: Tensor = self.accelerator.reduce(values.clone(), "sum")
        return total
