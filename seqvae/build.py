"""A configuration to a VAE and its weights, and the device that computes it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from seqvae import modalities
from seqvae.config import merge
from seqvae.core.priors import flow_of_size
from seqvae.core.vae import ALL_PARTS, VAE, is_of
from seqvae.modalities.base import Modality
from seqvae.noise import GOLDEN
from seqvae.runs.run import BEST, TEMPERATURE, Run
from seqvae.settings import OF_OLDER_RUNS, Config, build_config, plain_sections

_BETWEEN_STAGES = GOLDEN  # of the seeds of neighbouring stages, so that no other seed of a user meets them


def build_vae(config: Config, modality: Modality, stage: int = 0) -> VAE:
    """An untrained VAE of a configuration; its weights are a function of `train.seed` and the stage, counted from 0."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed((config.train.seed + stage * _BETWEEN_STAGES) % 2**63)
        encoder, decoder = modality.nets(config.model)
        model = config.model
        prior = flow_of_size(model.latent) if model.prior == "flow" else None
        return VAE(
            encoder, decoder, model.scale, model.code_initial_scale, model.posterior, model.least_kl_nats,
            model.batch_norm_scale, prior,
        )  # fmt: skip


def read_config(run: Run) -> Config:
    """The configuration of a run. Raises ValueError when this version does not know a key of it."""
    settings = merge(OF_OLDER_RUNS, plain_sections(run.settings))
    try:
        kind = modalities.get(run.settings["modality"])
        return build_config(kind.name, kind.data_config, kind.model_config, settings)
    except ValueError as error:
        raise ValueError(
            f"{run.path / 'config.json'} does not fit this version of seqvae ({str(error).partition(';')[0]}); use "
            f"version {run.settings['version']}, which wrote it"
        ) from None


def open_run(path: Path, to_train: bool = False, checkpoint: int | str = BEST) -> tuple[Run, Config, Modality]:
    """A run folder with its configuration and its modality, ready to encode; see `Run` for the rest."""
    run = Run(path, to_train, checkpoint)
    config = read_config(run)
    modality = modalities.get(config.modality)(config.data)
    run.load_modality(modality)
    modality.sampling_temperature = run.settings.get(TEMPERATURE, modality.sampling_temperature)
    return run, config, modality


def weights_of(vae: VAE) -> dict[str, Tensor]:
    """The parameters by name on the CPU, and running statistics after them; tied ones stand there once."""
    return {name: weight.detach().cpu().contiguous() for name, weight in _all_weights(vae).items()}


def _all_weights(vae: VAE) -> dict[str, Tensor]:
    """The parameters, and those buffers that training changes."""
    kept = vae.state_dict().keys()
    return dict(vae.named_parameters()) | {name: buffer for name, buffer in vae.named_buffers() if name in kept}


def load_weights(vae: VAE, weights: Mapping[str, Tensor], source: Path, only: Sequence[str] = ALL_PARTS) -> None:
    """Put weights into a VAE, those of some parts (`core.vae.PARTS`) or all.

    Raises ValueError when they are those of another model.
    """
    own = {name: parameter for name, parameter in _all_weights(vae).items() if is_of(name, only)}
    weights = {name: weight for name, weight in weights.items() if only == ALL_PARTS or is_of(name, only)}
    wrong = [
        name
        for name in sorted(own.keys() | weights.keys())
        if name not in own or name not in weights or own[name].shape != weights[name].shape
    ]
    if wrong:
        raise ValueError(
            f"the weights in {source} do not fit its configuration ({wrong[0]} differs); restore the folder from a copy"
        )
    with torch.no_grad():
        for name, parameter in own.items():
            if not weights[name].isfinite().all():
                raise ValueError(f"the weights {name} in {source} are not finite; restore the folder from a copy")
            parameter.copy_(weights[name])
