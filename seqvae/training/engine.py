"""Devices, processes and precision: the only file that knows Accelerate."""

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.state import AcceleratorState
from accelerate.utils import GradientAccumulationPlugin, InitProcessGroupKwargs, broadcast_object_list, gather_object
from torch import Tensor, nn

from seqvae.devices import computes_bf16, pick_device
from seqvae.training.optimizer import FUSED, gradient_norm, shrink_of, step_shrunk

PATIENCE = timedelta(hours=12)  # processes wait for the first one to learn and encode the data
WITHOUT_WAITING = ("cpu",)  # devices whose values can be looked at after each step without a delay


class Engine:
    """What this process computes with, and its place among the processes that train together."""

    def __init__(self, device: str, precision: str, suited: str = "fp32") -> None:
        """For `device` (auto, cpu, cuda, mps) and `precision` (auto, fp32, bf16, fp16).

        auto is the `suited` one, fp32 or bf16, if the devices of all processes compute it natively, else fp32.

        Raises ValueError when this machine lacks the device or the device lacks the precision.
        """
        picked = pick_device(device)
        on_cpu = picked.type == "cpu"
        if precision == "fp16" and on_cpu:
            raise ValueError("train.precision=fp16 needs a GPU; give train.precision=bf16 or fp32 on the CPU")
        if not torch.distributed.is_initialized():
            AcceleratorState._reset_state(reset_partial_state=True)  # else a process could train with one setting only
        self.chosen: str | None = None  # a sentence on the precision that auto became, where there is something to say
        if precision == "auto":
            PartialState(cpu=on_cpu, timeout=PATIENCE)  # all processes have to compute in the same precision
            everywhere = suited == "bf16" and all(gather_object([computes_bf16(picked)]))
            precision = "bf16" if everywhere else "fp32"
            if everywhere:
                what = "CPU" if on_cpu else "GPU"
                self.chosen = (
                    f"precision bf16, which this {what} computes natively; set train.precision=fp32 for exact single "
                    "precision"
                )
        self.precision = precision
        self._accelerator = Accelerator(
            cpu=on_cpu,
            mixed_precision={"fp32": "no"}.get(precision, precision),
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),  # the loop weights it by examples
            kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
        )
        self.device: torch.device = self._accelerator.device
        self.is_first: bool = self._accelerator.is_main_process
        self.process: int = self._accelerator.process_index
        self.processes: int = self._accelerator.num_processes
        self._shrink: Tensor | None = None  # what the next step divides gradients by
        self.looks_at_once = self.device.type in WITHOUT_WAITING

    def in_first_process(self, action: Callable[[], None]) -> None:
        """Do something in the first process while the others wait. Raises its ValueError or OSError in all of them."""
        failure: list[Exception | None] = [None]
        if self.is_first:
            try:
                action()
            except (ValueError, OSError) as error:
                failure[0] = error
        broadcast_object_list(failure)
        if failure[0] is not None:
            raise failure[0]

    def wait(self) -> None:
        """Until all processes are here."""
        self._accelerator.wait_for_everyone()

    def zeros(self, *shape: int) -> Tensor:
        """Sums that begin: on the device, in float64 where it has that."""
        dtype = torch.float32 if self.device.type == "mps" else torch.float64
        return torch.zeros(shape, dtype=dtype, device=self.device)

    def total(self, values: Tensor) -> Tensor:
        """The sum over all processes, the same in each."""
        total: Tensor = self._accelerator.reduce(values.clone(), "sum")
        return total

    def autocast(self) -> AbstractContextManager[None]:
        """The precision, for what does not run through the prepared model."""
        context: AbstractContextManager[None] = self._accelerator.autocast()
        return context

    def prepare_model(self, vae: nn.Module) -> nn.Module:
        """The model in the precision, its gradients averaged over the processes."""
        model: nn.Module = self._accelerator.prepare(vae)
        return model

    def prepare_optimizer(self, optimizer: torch.optim.Optimizer) -> AcceleratedOptimizer:
        """The optimizer, whose steps a scaler skips in fp16."""
        prepared: AcceleratedOptimizer = self._accelerator.prepare(optimizer)
        return prepared

    def gathering(self, model: nn.Module) -> AbstractContextManager[None]:
        """Gradients are added up in this process only: for all batches of a step but the last."""
        context: AbstractContextManager[None] = self._accelerator.no_sync(model)
        return context

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of this process's part of a loss, whose whole is the sum over the processes."""
        # gradients are averaged over processes, so each loss counts as many times as there are processes
        self._accelerator.backward(loss * self.processes)

    def clip(self, parameters: Iterable[Tensor], limit: float) -> Tensor:
        """Limit the norm of the gradient (0: no limit); the norm before that, the same in all processes.

        Gradients that a fused optimizer is to take are left as they are: it divides them in its own pass.
        """
        parameters = list(parameters)
        self._shrink = None
        if self._accelerator.scaler is None and (not limit or self.device.type in FUSED):
            norm = gradient_norm(parameters)
            self._shrink = shrink_of(norm, limit) if limit else None
            return norm
        norm = self._accelerator.clip_grad_norm_(parameters, limit or math.inf)
        if self._accelerator.scaler is not None:  # fp16: the scaler skips steps whose scaled gradient overflows
            norm = norm.nan_to_num(0.0, 0.0, 0.0)
        return norm

    def step(self, optimizer: AcceleratedOptimizer) -> None:
        """One step of a prepared optimizer; the gradients are gone afterwards."""
        # accelerate's own looks for a package on the disk at each step; it is needed for the scaler of fp16 alone
        if self._accelerator.scaler is None:
            step_shrunk(optimizer.optimizer, self._shrink)
        else:
            optimizer.step()
        optimizer.zero_grad()

    def state(self) -> dict[str, Any]:
        """Plain values that a checkpoint has to hold: the scaler's, in fp16."""
        scaler = self._accelerator.scaler
        return {} if scaler is None else {"scaler": scaler.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take out of a checkpoint's values what `state` gave."""
        scaler = state.pop("scaler", None)
        if scaler is not None and self._accelerator.scaler is not None:
            self._accelerator.scaler.load_state_dict(scaler)
