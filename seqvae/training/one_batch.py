"""Training on one batch again and again, to see that a model can learn at all, and what that came to."""

import numpy as np
import torch

from seqvae.config import Values, counted, merge
from seqvae.core.vae import VAE
from seqvae.data import Batches, Part
from seqvae.evaluation.likelihood import elbo
from seqvae.generate import Length, decode
from seqvae.modalities.base import Modality
from seqvae.settings import Config, build_config, plain_sections

EXACT = "so it learns, and what it does not learn of all data is a matter of their size, of time or of the objective"
SHORT = (
    "a model that can learn them brings back all: train longer (train.epochs), with another train.learning_rate, "
    "larger nets, a batch of fewer, or without dropout; if that changes nothing, look at the data"
)


def first_batch(part: Part, config: Config) -> Part:
    """The items of the first batch of a training."""
    train = config.train
    return part.alone(next(Batches(part, train.batch_size, train.batch_by, train.seed, train.length_spread).epoch(0)))


def suited_to_one_batch(config: Config, asked: Values, modality: Modality) -> Config:
    """The configuration without a KL term, unless something of the objective was asked for, and without an n-gram.

    What is to be seen is whether everything comes back, which a KL term can hold up. Items that an n-gram draws, unless
    they were asked for, would take the place of those of the batch.
    """
    if not config.train.overfit_batch or config.stages:
        return config
    without: dict[str, dict[str, float]] = {}
    if config.model.latent and not asked.get("objective"):
        without["objective"] = {"beta": 0.0}
    if "ngram_share" not in asked.get("train", {}):
        without["train"] = {"ngram_share": 0.0}
    values = merge(plain_sections(config.to_dict()), without)
    return build_config(modality.name, modality.data_config, modality.model_config, values)


@torch.inference_mode()
def what_was_reached(vae: VAE, part: Part, modality: Modality, device: torch.device) -> str:
    """A sentence: the reconstruction in nats, how many items come back exactly, and what that says.

    Items of which each number is a level, as images, do not come back exactly; a language model brings back none.
    """
    batches = Batches(part, 64)
    loaded = [batches.load(indices).to(device) for indices in batches.in_order()]
    found = f"of one batch the reconstruction is {elbo(vae, loaded).mean_reconstruction_nats:.3f} nats"
    if not vae.latent or not vae.decoder.has_steps:
        return f"{found}; it goes towards the least that is possible as training goes on"
    exact = 0
    for batch in loaded:
        truth = [x[:length].cpu().numpy() for x, length in zip(batch.x, batch.lengths.tolist(), strict=True)]
        length = Length(modality.max_steps if modality.end is not None else max(map(len, truth)), modality.end)
        guess = decode(vae, vae.posterior(batch).mean, length)
        if modality.end is None:  # sequences end where the batch does
            guess = [y[: len(x)] for x, y in zip(truth, guess, strict=True)]
        exact += sum(np.array_equal(x, y) for x, y in zip(truth, guess, strict=True))
    words = f"{found}, and {exact} of {counted(len(part), modality.words.items)} come back exactly"
    return f"{words}, {EXACT}" if exact == len(part) else f"{words}; {SHORT}"
