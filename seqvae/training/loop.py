"""The training loop: the only file that knows Accelerate, devices, processes and precision."""

import contextlib
import math
import signal
import time
from collections.abc import Iterator
from itertools import islice
from types import FrameType
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from seqvae.checkpoint import Checkpoint, Run, named_optimizer_tensors, restore_optimizer
from seqvae.config import Config, Train
from seqvae.core.objectives import negative_elbo
from seqvae.core.vae import VAE, Terms
from seqvae.data import Batches
from seqvae.model import load_weights, pick_device, weights_of
from seqvae.noise import Noise
from seqvae.training.log import MetricsLog, Reporter
from seqvae.training.progress import Progress
from seqvae.types import Batch

VALIDATION_SEED = 1  # one draw of z for each validation item, the same at every validation
COLLAPSED_NATS = 0.1  # below this KL, with no active unit, the latent code carries nothing
ACTIVE_VARIANCE = 0.01


class Interrupted(Exception):
    """Training was stopped by Ctrl-C or SIGTERM; a checkpoint was saved."""


def accelerator_for(device: str, precision: str) -> Accelerator:
    """The engine for `device` (auto, cpu, cuda, mps) and `precision`.

    Raises ValueError when this machine lacks the device or the device lacks the precision.
    """
    on_cpu = pick_device(device).type == "cpu"
    if precision == "fp16" and on_cpu:
        raise ValueError("precision fp16 needs a GPU; use --precision bf16 or fp32 on the CPU")
    return Accelerator(cpu=on_cpu, mixed_precision={"fp32": "no"}.get(precision, precision))


def make_optimizer(vae: VAE, train: Train) -> torch.optim.Optimizer:
    """The optimizer of a configuration; its learning rate is set before each step."""
    fused = vae.device.type in ("cpu", "cuda")
    parameters = list(vae.parameters())
    if train.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, train.learning_rate, momentum=train.momentum, weight_decay=train.weight_decay, fused=fused
        )
    kind = torch.optim.AdamW if train.optimizer == "adamw" else torch.optim.Adam
    return kind(parameters, train.learning_rate, weight_decay=train.weight_decay, fused=fused)


def fit(
    vae: VAE, config: Config, run: Run, train: Batches, valid: Batches, accelerator: Accelerator, reporter: Reporter
) -> Progress:
    """Train until the configured end, from the run's last whole checkpoint where there is one.

    Order, noise and KL weight are functions of the seed and the position, so on a CPU a resumed run ends in
    the same bits as one that was never stopped.

    Raises ValueError on a non-finite loss (the last checkpoint is kept), Interrupted after a signal.
    """
    loop = _Loop(vae, config, run, train, valid, accelerator, reporter)
    with _signals() as loop.signal_seen:
        try:
            loop.run_all()
        finally:
            loop.close()
    return loop.progress


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """A list that a first SIGINT or SIGTERM is put into; a second one acts at once."""
    seen: list[int] = []
    previous: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        for other, handler in previous.items():
            signal.signal(other, handler)

    with contextlib.suppress(ValueError):  # not in the main thread: no signals arrive there
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, note)
    try:
        yield seen
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


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
        self.validated_step = -1
        self.sums = self._zeros(6)  # examples, tokens, log p(x|z), KL, loss and gradient norm of the steps
        self._restore()
        torch.set_num_threads(self.progress.threads)
        self.log = (
            MetricsLog(run.metrics_path, self.progress.metrics_bytes, config.train.tensorboard)
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
        if not self.progress.finished and self.progress.step == 0:
            self._save()
        if self.accelerator.is_main_process:
            self.reporter.started(self._total_steps(), self.progress.step)
        while not self.progress.finished:
            self._epoch()

    def _total_steps(self) -> int:
        train = self.config.train
        by_epochs = math.ceil(self.train.count() / train.accumulate) * train.epochs
        return min(train.steps, by_epochs) if train.steps else by_epochs

    def _epoch(self) -> None:
        train, progress = self.config.train, self.progress
        rest = islice(self.train.epoch(progress.epoch), progress.offset, None)
        while group := list(islice(rest, train.accumulate)):
            self._step(group)
            ended = bool(train.steps) and progress.step >= train.steps
            if progress.step % train.log_steps == 0:
                self._log()
            if train.validate_steps and progress.step % train.validate_steps == 0:
                self._validate()
                ended = ended or progress.finished
                self._save()
            elif progress.step % train.checkpoint_steps == 0:
                self._save()
            if ended:
                break
            self._stop_if_asked()
        else:
            ended = False
            if not train.validate_steps:
                self._validate()
            progress.epoch, progress.offset, progress.examples = progress.epoch + 1, 0, 0
        progress.finished = progress.finished or ended or progress.epoch >= train.epochs
        if progress.finished:
            self._finish()
        self._save()
        if not progress.finished:
            self._stop_if_asked()

    def _finish(self) -> None:
        if self.validated_step != self.progress.step:
            self._validate()
        self._log()

    # One optimizer step ---------------------------------------------------------------------------------------

    def _step(self, group: list[np.ndarray]) -> None:
        """One optimizer step on the batches of a group, each shared out among the processes."""
        progress, objective = self.progress, self.config.objective
        total = sum(map(len, group))
        beta = progress.beta(objective, len(self.train.part))
        parts = [self._share(indices) for indices in group]
        kl_mean = self._kl_mean_before(parts, total) if objective.free_nats_per_dimension and len(parts) > 1 else None
        loss_sum = self._zeros(1)
        for place, (batch, weight) in enumerate(parts):
            last = place == len(parts) - 1
            with contextlib.nullcontext() if last else self.accelerator.no_sync(self.model):
                terms: Terms = self.model(batch, self._noise(batch))
                if objective.free_nats_per_dimension and kl_mean is None:
                    kl_mean = self._reduce(terms.kl.detach().sum(0) * weight) / total
                loss = negative_elbo(
                    terms.log_px, terms.kl, beta, objective.free_nats_per_dimension, objective.free_nats_total, kl_mean
                ) * (weight * len(batch) / total)
                # gradients are averaged over processes, so each loss counts as many times as there are processes
                self.accelerator.backward(loss * self.accelerator.num_processes)
            loss_sum += loss.detach()
            self._count(batch, terms, weight)
        norm = self._clip()
        self._check_finite(loss_sum, norm, group)
        for settings in self.optimizer.param_groups:
            settings["lr"] = progress.learning_rate(self.config.train)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.sums[4] += loss_sum[0]
        self.sums[5] += norm / self.accelerator.num_processes
        progress.step += 1
        progress.offset += len(group)
        progress.examples += total

    def _share(self, indices: np.ndarray) -> tuple[Batch, float]:
        """This process's examples of a batch with their weight, 0 where there are fewer examples than processes."""
        own = indices[self.accelerator.process_index :: self.accelerator.num_processes]
        batch = self.train.load(own if len(own) else indices[:1])
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

    def _clip(self) -> Tensor:
        limit = self.config.train.clip or math.inf
        norm: Tensor = self.accelerator.clip_grad_norm_(self.model.parameters(), limit)
        return norm

    def _check_finite(self, loss: Tensor, norm: Tensor, group: list[np.ndarray]) -> None:
        """Raises ValueError before a non-finite gradient reaches the weights. With fp16 the scaler skips such steps."""
        norm_is_scaled_away = self.config.train.precision == "fp16"
        if torch.isfinite(loss).all() and (norm_is_scaled_away or torch.isfinite(norm)):
            return
        progress = self.progress
        what = "gradient" if torch.isfinite(loss).all() else "loss"
        items = ", ".join(str(index) for index in np.concatenate(group)[:8])
        raise ValueError(
            f"the {what} is not finite at step {progress.step + 1} (epoch {progress.epoch + 1}, items {items}, ...); "
            f"the checkpoint before it is kept: lower train.learning_rate (now {self.config.train.learning_rate:g}) "
            f"or train.clip (now {self.config.train.clip:g}), or use --precision fp32, and train again"
        )

    # Validation -----------------------------------------------------------------------------------------------

    def _validate(self) -> None:
        """The beta = 1 bound on the validation data; decides on best, decay and the end."""
        train, progress = self.config.train, self.progress
        record = {"event": "validation", "step": progress.step, "epoch": self._epochs(), **self._validation_figures()}
        best, decay = progress.judge(-record["elbo_nats"], train)
        progress.finished = bool(train.stop_patience) and progress.stalled >= train.stop_patience
        record |= {"best": best, "learning_rate": progress.learning_rate(train)}
        self._log(record)
        self.validated_step = progress.step
        if decay and train.decay_to_best and progress.best_step is not None:
            best_checkpoint = self.run.load(progress.best_step)
            load_weights(self.vae, best_checkpoint.weights, self.run.path)
            restore_optimizer(self.optimizer, best_checkpoint.optimizer, best_checkpoint.state["optimizer_groups"])
        if self.accelerator.is_main_process:
            self.reporter.validation(record)
            if self.vae.latent and record["kl_nats"] < COLLAPSED_NATS and not record["active_units"]:
                self.reporter.message(COLLAPSE_ADVICE.format(kl=record["kl_nats"]))

    def _validation_figures(self) -> dict[str, Any]:
        latent = self.vae.latent
        sums = self._zeros(4 + 2 * latent)  # items, tokens, log p(x|z), KL; posterior means and their squares
        processes = self.accelerator.num_processes
        with torch.inference_mode(), self.accelerator.autocast():
            for indices in islice(self.valid.in_order(), self.accelerator.process_index, None, processes):
                batch = self.valid.load(indices).to(self.accelerator.device)
                terms = self.vae(batch, Noise(VALIDATION_SEED, batch.keys), dropout=False)
                mean = terms.mean.to(sums)
                sums[:4] += torch.stack(
                    [
                        value.to(sums)
                        for value in (batch.mask.any(1).sum(), batch.lengths.sum(), terms.log_px.sum(), terms.kl.sum())
                    ]
                )
                sums[4:] += torch.cat([mean.sum(0), (mean**2).sum(0)])
        sums = self._reduce(sums).cpu()
        items, tokens, log_px, kl = sums[:4].tolist()
        means, squares = (sums[4:] / items).chunk(2)
        return {
            "elbo_nats": (log_px - kl) / items,
            "reconstruction_nats": -log_px / items,
            "kl_nats": kl / items,
            "active_units": int((squares - means**2 > ACTIVE_VARIANCE).sum()),
            "perplexity_bound": math.exp(min((kl - log_px) / tokens, 700.0)),
        }

    # Records, checkpoints, signals ----------------------------------------------------------------------------

    def _epochs(self) -> float:
        return self.progress.epoch + self.progress.examples / len(self.train.part)

    def _log(self, extra: dict[str, Any] | None = None) -> None:
        """Write the training figures since the last line, and then an extra record."""
        progress = self.progress
        examples, tokens, log_px, kl, loss, norm = self._reduce(self.sums).tolist()
        self.sums.zero_()
        if self.log is None:
            return
        now = time.perf_counter()
        if examples:
            steps = progress.step - progress.logged_step
            record = {
                "event": "train", "step": progress.step, "epoch": self._epochs(), "elbo_nats": (log_px - kl) / examples,
                "reconstruction_nats": -log_px / examples, "kl_nats": kl / examples, "loss": loss / steps,
                "beta": progress.beta(self.config.objective, len(self.train.part)),
                "learning_rate": progress.learning_rate(self.config.train), "gradient_norm": norm / steps,
                "tokens_per_second": tokens / (now - self.clock), "seconds": progress.seconds + now - self.clock,
            }  # fmt: skip
            self.log.write(record)
            self.reporter.progress(record)
        progress.logged_step = progress.step
        progress.seconds += now - self.clock
        self.clock = now
        if extra is not None:
            self.log.write(extra)

    def _save(self) -> None:
        """A checkpoint of this moment; sums of all processes are gathered into the first's."""
        sums = self._reduce(self.sums)
        self.sums = sums if self.accelerator.is_main_process else torch.zeros_like(sums)
        if self.log is not None:
            now = time.perf_counter()
            self.progress.seconds += now - self.clock
            self.clock = now
            self.progress.metrics_bytes = self.log.size()
            self.progress.sums = sums.tolist()
            tensors, groups = named_optimizer_tensors(self.optimizer)
            state = {**self.progress.to_dict(), "optimizer_groups": groups}
            if self.accelerator.scaler is not None:
                state["scaler"] = self.accelerator.scaler.state_dict()
            self.run.save(self.progress.step, Checkpoint(weights_of(self.vae), tensors, state))
        self.accelerator.wait_for_everyone()

    def _restore(self) -> None:
        """Go to the run's newest whole checkpoint, if it has one."""
        found = self.run.last()
        if found is None:
            return
        _, checkpoint = found
        state = dict(checkpoint.state)
        restore_optimizer(self.optimizer, checkpoint.optimizer, state.pop("optimizer_groups"))
        scaler = state.pop("scaler", None)
        if scaler is not None and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(scaler)
        load_weights(self.vae, checkpoint.weights, self.run.path)
        self.progress = Progress(**state)
        self.progress.finished = self._is_finished()
        if self.accelerator.is_main_process and self.progress.sums:
            self.sums = torch.tensor(self.progress.sums).to(self.sums)

    def _is_finished(self) -> bool:
        """Whether a restored run has nothing left to do; more epochs may have been asked for since."""
        train, progress = self.config.train, self.progress
        stopped_early = bool(train.stop_patience) and progress.stalled >= train.stop_patience
        return stopped_early or progress.epoch >= train.epochs or 0 < train.steps <= progress.step

    def _stop_if_asked(self) -> None:
        asked = self._reduce(self._zeros(1) + len(self.signal_seen)) if self.accelerator.num_processes > 1 else None
        if bool(self.signal_seen) if asked is None else bool(asked[0]):
            self._save()
            raise Interrupted(f"stopped after step {self.progress.step}; a checkpoint is saved")

    def _zeros(self, size: int) -> Tensor:
        dtype = torch.float32 if self.accelerator.device.type == "mps" else torch.float64
        return torch.zeros(size, dtype=dtype, device=self.accelerator.device)

    def _reduce(self, values: Tensor) -> Tensor:
        total: Tensor = self.accelerator.reduce(values.clone(), "sum")
        return total


COLLAPSE_ADVICE = (
    "the latent code has collapsed: its KL is {kl:.3f} nats and no unit is active, so the decoder ignores z and samples "
    "will differ only by chance. Remedies, from mild to strong: --set objective.schedule=cyclical; "
    "--set model.word_dropout=0.4; --set objective.beta=0.4; --set objective.free_nats_per_dimension=0.25"
)
