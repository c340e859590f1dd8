"""The optimizers that can be chosen."""

import torch

from seqvae.config import Train
from seqvae.core.vae import VAE


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
