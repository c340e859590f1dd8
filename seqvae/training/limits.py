"""Which values a training can use, checked before anything is read or written."""

import torch

from seqvae.config import Config
from seqvae.core.objectives import negative_elbo
from seqvae.core.schedules import kl_weight


def check_values(config: Config) -> None:
    """Raises ValueError for values of `objective` that exclude each other."""
    objective = config.objective
    kl_weight(0.0, objective.schedule, objective.beta_start, objective.beta, objective.cycles, objective.rising)
    nothing = torch.zeros(1, 1)
    negative_elbo(
        nothing[0], nothing, free_nats_per_dimension=objective.free_nats_per_dimension,
        free_nats_total=objective.free_nats_total,
    )  # fmt: skip
