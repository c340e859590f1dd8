"""Which values a training can use, checked before anything is read or written."""

import torch

from seqvae.config import Config, Train
from seqvae.core.objectives import negative_elbo
from seqvae.core.schedules import kl_weight, sampling_probability


def check_values(config: Config) -> None:
    """Raises ValueError for values of `objective` or `train` that exclude each other."""
    objective = config.objective
    kl_weight(0.0, objective.schedule, objective.beta_start, objective.beta, objective.cycles, objective.rising)
    sampling_probability(0, objective.sampling_schedule, objective.sampling_rate)
    nothing = torch.zeros(1, 1)
    negative_elbo(
        nothing[0], nothing, free_nats_per_dimension=objective.free_nats_per_dimension,
        free_nats_total=objective.free_nats_total,
    )  # fmt: skip
    _check_draws(config)
    _check_step_decay(config.train)


def _check_draws(config: Config) -> None:
    objective, samples = config.objective, config.objective.importance_samples
    if objective.first_importance_samples > samples:
        raise ValueError(
            f"objective.first_importance_samples={objective.first_importance_samples} is more than "
            f"objective.importance_samples={samples}, to which they grow; lower the first or raise the last"
        )
    free_nats = objective.free_nats_per_dimension or objective.free_nats_total
    if config.model.posterior == "point" and free_nats:
        raise ValueError(
            f"model.posterior=point has no KL term, of which {free_nats:g} nats would be free; set "
            "objective.free_nats_per_dimension and objective.free_nats_total to 0, or leave model.posterior=point out"
        )
    if samples == 1:
        return
    others = {
        "free nats": free_nats,
        "scheduled sampling": objective.sampling_schedule != "constant" or objective.sampling_rate,
        "a model whose codes are not drawn": config.model.latent == 0 or config.model.posterior == "point",
    }
    for what, is_there in others.items():
        if is_there:
            raise ValueError(
                f"objective.importance_samples={samples} does not go with {what}; set it to 1, or leave the other out"
            )


def _check_step_decay(train: Train) -> None:
    if not 0.0 < train.step_decay <= 1.0:
        raise ValueError(
            f"train.step_decay={train.step_decay} is not possible; give a factor in (0, 1], such as 0.9999"
        )
    if train.step_decay < 1.0 and train.cosine:
        raise ValueError(
            f"train.step_decay={train.step_decay} and train.cosine=true exclude each other, since each lowers the "
            "learning rate at every step; set step_decay to 1, or cosine to false"
        )
