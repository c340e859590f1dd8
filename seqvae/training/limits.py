"""Which values a training can use, checked before anything is read or written."""

from collections.abc import Mapping

import numpy as np
import torch

from seqvae.config import Values, flag_of, is_of_models
from seqvae.core.objectives import negative_elbo
from seqvae.core.schedules import kl_weight, sampling_probability
from seqvae.core.vae import PARTS, is_of, parts_without
from seqvae.modalities.base import Modality
from seqvae.settings import STAGES, Config, Objective, Train, idle_lengths
from seqvae.training.stages import check_parts

OF_CODES = ("mmd",)  # keys of `objective` that ask something of codes
OF_THE_KL = (
    "free_nats_per_dimension_and_example",
    "target_kl_nats",
    "aggressive",
)  # keys of `objective` that ask something of the KL of a code


def check_values(config: Config) -> None:
    """Raises ValueError for values of `objective` or `train` that exclude each other, in any stage."""
    for place, stage in enumerate(config.stages, 1):
        check_parts(stage.keep or (), f"stage {place} to keep")
    for whole in config.of_each_stage():
        _check_stage(whole)


def check_lengths(values: Values) -> None:
    """Raises ValueError for `train.epochs` or `train.steps` of a new run that every one of its stages overrides.

    `values` are plain values that `build_config` takes.
    """
    for name in idle_lengths(values):
        own = ", ".join(str(table["train"][name]) for table in values[STAGES])
        raise ValueError(
            f"train.{name}={values['train'][name]} changes nothing, since every stage has its own train.{name} "
            f"({own}); leave it out, or change train.{name} in the [[stages]] tables of the recipe"
        )


def check_drawn(config: Config, modality: Modality) -> None:
    """Raises ValueError for items of an n-gram where the steps of a modality are no single labels."""
    step = modality.step_type if any(stage.train.ngram_share for stage in config.of_each_stage()) else None
    if step is not None and (step.shape or np.dtype(step.dtype).kind not in "iu"):
        raise ValueError(
            f"train.ngram_share does not go with {modality.name}, whose steps are no single labels for an n-gram to "
            "count; leave it out"
        )


def check_asked(values: Values, data_config: type) -> None:
    """Raises ValueError for a key of `data` that is asked of a trained model, such as the chords of what is made.

    `values` are plain values that `build_config` takes.
    """
    asked = values.get("data", {})
    for name, value in asked.items() if isinstance(asked, Mapping) else ():
        if is_of_models(data_config, name) and value != getattr(data_config, name):
            raise ValueError(
                f"data.{name}={value!s:.60} is for what a trained model makes, and training takes none; leave it out, "
                f"and pass {flag_of(data_config, name)} to commands that use the model, such as sample"
            )


def _check_stage(config: Config) -> None:
    objective = config.objective
    kl_weight(0.0, objective.schedule, objective.beta_start, objective.beta, objective.cycles, objective.rising)
    sampling_probability(0, objective.sampling_schedule, objective.sampling_rate)
    nothing = torch.zeros(1, 1)
    negative_elbo(
        nothing[0], nothing, free_nats_per_dimension=objective.free_nats_per_dimension,
        free_nats_total=objective.free_nats_total,
        free_nats_per_dimension_and_example=objective.free_nats_per_dimension_and_example,
    )  # fmt: skip
    _check_freeze(config)
    _check_code(config)
    _check_target(objective)
    _check_draws(config)
    _check_normalised(config)
    _check_step_decay(config.train)
    if config.train.ngram_share > 1:
        raise ValueError(f"train.ngram_share={config.train.ngram_share} is no share; give a number from 0 to 1")


def _check_freeze(config: Config) -> None:
    """Raises ValueError for parts to freeze that do not exist, are to be trained all the same, or are all there are."""
    frozen = config.train.frozen
    check_parts(frozen, "train.freeze to keep as they are")
    parts = [part for part in parts_without(frozen) if part != "prior" or config.model.prior != "standard"]
    if config.objective.aggressive and not is_of(PARTS["encoder"][0], parts):
        raise ValueError(
            f"train.freeze={config.train.freeze} leaves the encoder as it is, and objective.aggressive=true trains it "
            "most of all; leave one of them out"
        )
    if not (parts if config.model.latent else is_of(PARTS["decoder"][0], parts)):
        raise ValueError(f"train.freeze={config.train.freeze} leaves nothing to train; leave one of the parts out")


def _check_code(config: Config) -> None:
    """Raises ValueError for keys of `objective` that act on a code, or on its KL, which the model does not have."""
    for name in OF_CODES + OF_THE_KL:
        value = getattr(config.objective, name)
        if not value:
            continue
        if config.model.latent == 0:
            raise ValueError(
                f"objective.{name}={value} does not go with model.latent=0, a language model without a code; set "
                f"model.latent, or leave objective.{name} out"
            )
        if name in OF_THE_KL and config.model.posterior == "point":
            raise ValueError(
                f"objective.{name}={value} does not go with model.posterior=point, whose codes have no KL; set "
                f"model.posterior=gaussian, or leave objective.{name} out"
            )


def _check_target(objective: Objective) -> None:
    """Raises ValueError for a target of the KL beside what acts on the KL otherwise."""
    if not objective.target_kl_nats:
        return
    for name in ("free_nats_per_dimension", "free_nats_per_dimension_and_example", "free_nats_total"):
        if getattr(objective, name):
            raise ValueError(
                f"objective.target_kl_nats={objective.target_kl_nats} and objective.{name}={getattr(objective, name)} "
                "exclude each other, since both say how large the KL is to be; set one of them to 0"
            )
    if not objective.beta:
        raise ValueError(
            f"objective.target_kl_nats={objective.target_kl_nats} does not go with objective.beta=0, the largest "
            "weight that holds the KL there; set objective.beta, such as 1"
        )


def _check_draws(config: Config) -> None:
    objective, samples = config.objective, config.objective.importance_samples
    if objective.first_importance_samples > samples:
        raise ValueError(
            f"objective.first_importance_samples={objective.first_importance_samples} is more than "
            f"objective.importance_samples={samples}, to which they grow; lower the first or raise the last"
        )
    if samples == 1:
        for name, idle in (("kept_samples", 0.0), ("estimator", "reparameterized")):
            if getattr(objective, name) != idle:
                raise ValueError(
                    f"objective.{name}={getattr(objective, name)} is for several draws; leave it out, or give "
                    "objective.importance_samples, such as 50"
                )
        return
    single = "scheduled sampling, free nats, a target of the KL and a discrepancy are for a single draw"
    for section, name, idle, why in (
        ("objective", "free_nats_per_dimension", 0.0, single),
        ("objective", "free_nats_per_dimension_and_example", 0.0, single),
        ("objective", "free_nats_total", 0.0, single),
        ("objective", "target_kl_nats", 0.0, single),
        ("objective", "mmd", 0.0, single),
        ("objective", "sampling_schedule", "constant", single),
        ("objective", "sampling_rate", 0.0, single),
        ("model", "posterior", "gaussian", "points are not drawn"),
    ):
        value = getattr(getattr(config, section), name)
        if value != idle:
            raise ValueError(
                f"objective.importance_samples={samples} does not go with {section}.{name}={value}, since {why}; set "
                f"{section}.{name}={idle:{'g' if isinstance(idle, float) else ''}}, or importance_samples to 1"
            )
    if config.model.latent == 0:
        raise ValueError(
            f"objective.importance_samples={samples} does not go with model.latent=0, which has no code to draw; set "
            "model.latent, or importance_samples to 1"
        )


def check_processes(config: Config, processes: int) -> None:
    """Raises ValueError for several processes of a model whose means are normalised over the whole batch."""
    if config.model.batch_norm_scale and processes > 1:
        raise ValueError(
            f"model.batch_norm_scale={config.model.batch_norm_scale:g} is not possible with {processes} processes, "
            "none of which sees a whole batch; train in one process, or set model.batch_norm_scale to 0"
        )


def _check_normalised(config: Config) -> None:
    train, scale = config.train, config.model.batch_norm_scale
    if scale and train.batch_by == "examples" and train.batch_size == 1:
        raise ValueError(
            f"model.batch_norm_scale={scale:g} is not possible with train.batch_size=1, since it normalises over the "
            "examples of a batch; give larger batches (several that are accumulated are normalised each by itself)"
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
