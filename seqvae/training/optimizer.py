"""The optimizers that can be chosen, and their state as tensors by name."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from seqvae.core.vae import VAE
from seqvae.settings import Train


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


def named_optimizer_tensors(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """An optimizer's state as tensors by name and its parameter groups as plain values."""
    content = optimizer.state_dict()
    tensors = {
        f"{index}.{name}": value.contiguous() if isinstance(value, Tensor) else torch.tensor(value)
        for index, values in content["state"].items()
        for name, value in values.items()
        if value is not None
    }
    return tensors, content["param_groups"]


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], groups: list[dict[str, Any]]
) -> None:
    """Put back what `named_optimizer_tensors` gave."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def gradient_norm(parameters: Iterable[Tensor]) -> Tensor:
    """The norm of the gradient of all parameters that have one."""
    norms = [torch.linalg.vector_norm(each.grad) for each in parameters if each.grad is not None]
    norm: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return norm
