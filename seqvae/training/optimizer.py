"""The optimizers that can be chosen, and their state as tensors by name."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from seqvae.core.vae import VAE
from seqvae.runs.format_1 import optimizer_by_name
from seqvae.settings import Train

SMALL = 1e-6  # added to the norm of gradients, as torch does
FUSED = ("cpu", "cuda")  # devices that optimizers have a single pass for


def make_optimizer(vae: VAE, train: Train) -> torch.optim.Optimizer:
    """The optimizer of a configuration; its learning rate is set before each step."""
    fused = vae.device.type in FUSED
    parameters = list(vae.parameters())
    if train.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, train.learning_rate, momentum=train.momentum, weight_decay=train.weight_decay, fused=fused
        )
    kind = torch.optim.AdamW if train.optimizer == "adamw" else torch.optim.Adam
    return kind(parameters, train.learning_rate, weight_decay=train.weight_decay, fused=fused)


def named_optimizer_tensors(
    optimizer: torch.optim.Optimizer, names: Sequence[str]
) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """An optimizer's state as tensors by `KIND.PARAMETER`, and the settings of its one group as plain values.

    `names` are those of its parameters, in order.
    """
    content = optimizer.state_dict()
    tensors = {
        f"{kind}.{names[index]}": value.contiguous() if isinstance(value, Tensor) else torch.tensor(value)
        for index, values in content["state"].items()
        for kind, value in values.items()
        if value is not None
    }
    groups = [{key: value for key, value in group.items() if key != "params"} for group in content["param_groups"]]
    return tensors, groups


def restore_optimizer(
    optimizer: torch.optim.Optimizer, names: Sequence[str], tensors: Mapping[str, Tensor], groups: list[dict[str, Any]]
) -> None:
    """Put back what `named_optimizer_tensors` gave, or a version that wrote run folders of format 1.

    Raises ValueError when a tensor has no parameter of its name and shape: the optimizer would read past its end.
    """
    places = {name: place for place, name in enumerate(names)}
    parameters = optimizer.param_groups[0]["params"]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in optimizer_by_name(tensors, names).items():
        kind, _, name = key.partition(".")
        if name not in places or (value.dim() and value.shape != parameters[places[name]].shape):
            raise ValueError(
                f"the optimizer's {key} fits no weights of the model; restore the folder from a copy, or start a new "
                "run with `start_from`"
            )
        state.setdefault(places[name], {})[kind] = value
    whole = [{**group, "params": list(places.values())} for group in groups]
    optimizer.load_state_dict({"state": state, "param_groups": whole})


def gradient_norm(parameters: Iterable[Tensor]) -> Tensor:
    """The norm of the gradient of all parameters that have one."""
    norms = [torch.linalg.vector_norm(each.grad) for each in parameters if each.grad is not None]
    norm: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return norm


def shrink_of(norm: Float[Tensor, ""], limit: float) -> Float[Tensor, ""]:
    """What gradients of this norm are divided by, so that it is at most the limit."""
    return ((norm + SMALL) / limit).clamp(min=1.0)


def step_shrunk(optimizer: torch.optim.Optimizer, shrink: Float[Tensor, ""] | None) -> None:
    """A step of a fused optimizer by its gradients divided by `shrink`, without a pass of its own over them.

    Fused optimizers read what a gradient scaler sets. It is a step as after `torch.nn.utils.clip_grad_norm_`.
    """
    scaled: Any = optimizer
    single = None if shrink is None else shrink.float()
    scaled.grad_scale, scaled.found_inf = single, None if single is None else torch.zeros_like(single)
    optimizer.step()
