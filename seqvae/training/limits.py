"""Which values a training can use, checked before anything is read or written."""

import torch

from seqvae.config import Config
from seqvae.core.objectives import negative_elbo
from seqvae.core.schedules import kl_weight

LEAST: dict[str, float] = {
    "objective.beta": 0, "objective.beta_start": 0, "objective.anneal_epochs": 0, "objective.anneal_steps": 0,
    "objective.free_nats_per_dimension": 0, "objective.free_nats_total": 0,
    "train.epochs": 1, "train.steps": 0, "train.batch_size": 1, "train.accumulate": 1, "train.learning_rate": 0,
    "train.weight_decay": 0, "train.momentum": 0, "train.warmup_steps": 0, "train.clip": 0, "train.decay": 0,
    "train.decay_patience": 0, "train.stop_patience": 0, "train.validate_steps": 0, "train.checkpoint_steps": 1,
    "train.log_steps": 1, "train.seed": 0, "train.threads": 0,
}  # fmt: skip


def check_values(config: Config) -> None:
    """Raises ValueError for a value of `objective` or `train` that no training can use."""
    for key, least in LEAST.items():
        section, _, name = key.partition(".")
        value = getattr(getattr(config, section), name)
        if value < least:
            raise ValueError(f"{key}={value} is not possible; give {least:g} or more")
    objective = config.objective
    kl_weight(0.0, objective.schedule, objective.beta_start, objective.beta, objective.cycles, objective.rising)
    nothing = torch.zeros(1, 1)
    negative_elbo(
        nothing[0], nothing, free_nats_per_dimension=objective.free_nats_per_dimension,
        free_nats_total=objective.free_nats_total,
    )  # fmt: skip
