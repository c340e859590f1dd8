"""The published evaluation of a model on a corpus: one table of figures with their units."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch

from seqvae import generate
from seqvae.core.vae import VAE
from seqvae.corpus import Corpus
from seqvae.data import Batches, Part
from seqvae.evaluation.latent import active_units, collect_posterior, mutual_information
from seqvae.evaluation.likelihood import bits_per_byte, elbo, importance_weighted_nll, perplexity
from seqvae.evaluation.reconstruction import free_running_accuracy, self_bleu, step_accuracy, token_accuracy
from seqvae.generate import Decoding
from seqvae.modalities.base import Modality
from seqvae.noise import Noise
from seqvae.types import Batch

Watch = Callable[[int, int, str], None]  # done, total, what
TOKENS_PER_BATCH = 4096

UNITS = {
    "items": "items",
    "tokens": "tokens, end of sequence counted, padding not",
    "elbo_nats": "nats per item",
    "elbo_bits": "bits per item",
    "reconstruction_nats": "nats per item, -log p(x|z), one draw of z",
    "reconstruction_bits": "bits per item",
    "kl_nats": "nats per item",
    "kl_bits": "bits per item",
    "iw_nll_nats": "nats per item, -log p(x), importance weighted",
    "importance_samples": "draws of z per item",
    "perplexity": "per token, exp(iw_nll_nats x items / tokens)",
    "bits_per_byte": "bits per byte of UTF-8, line ends counted",
    "mutual_information_nats": "nats, at most ln(items), give or take sqrt(Z / 2 items)",
    "active_units": "latent units whose posterior mean has variance > 0.01",
    "step_accuracy_teacher_forced": "share of tokens, the true ones before each given",
    "step_accuracy_free_running": "share of steps, most probable after own draws at temperature 1",
    "step_accuracy_drawn": "share of steps, those draws themselves",
    "step_accuracy_greedy": "share of steps, greedy",
    "exact_match": "share of items, greedy",
    "bleu": "BLEU-4 of the reconstructions, 0 to 100",
    "self_bleu": "BLEU-4 of each prior sample against the others, 0 to 100",
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How much the evaluation draws: samples of z per item, samples from the prior, their temperature, the seed.

    `codes`: reconstructions are made from the posterior mean, or from one code drawn from the posterior.
    """

    importance_samples: int = 100
    prior_samples: int = 200
    temperature: float = 1.0
    codes: Literal["mean", "drawn"] = "mean"
    seed: int = 0

    @property
    def code_seed(self) -> int | None:
        """The seed that draws the codes of reconstructions; None for the mean."""
        return None if self.codes == "mean" else self.seed


def evaluate(vae: VAE, modality: Modality, corpus: Corpus, settings: Settings, watch: Watch) -> dict[str, Any]:
    """All figures of UNITS for a model on a corpus; None where one does not apply."""
    batches = Batches(Part(corpus), TOKENS_PER_BATCH, "tokens")

    def read(what: str) -> Iterator[Batch]:
        done = 0
        watch(0, len(corpus), what)
        for indices in batches.in_order():
            yield batches.load(indices).to(vae.device)
            done += len(indices)
            watch(done, len(corpus), what)

    bound = elbo(vae, read("evidence lower bound"), settings.seed)
    weighted = importance_weighted_nll(vae, read("likelihood"), settings.importance_samples, settings.seed)
    figures: dict[str, Any] = dict.fromkeys(UNITS)
    figures |= {
        "items": bound.items,
        "tokens": bound.tokens,
        "elbo_nats": bound.mean_elbo_nats,
        "reconstruction_nats": bound.mean_reconstruction_nats,
        "kl_nats": bound.mean_kl_nats,
        "elbo_bits": bound.mean_elbo_nats / math.log(2),
        "reconstruction_bits": bound.mean_reconstruction_nats / math.log(2),
        "kl_bits": bound.mean_kl_nats / math.log(2),
        "iw_nll_nats": weighted.mean_nll_nats,
        "importance_samples": settings.importance_samples if vae.latent else 1,
        "perplexity": perplexity(weighted.total_nll_nats, weighted.total_tokens),
        "bits_per_byte": bits_per_byte(weighted.total_nll_nats, corpus.bytes) if corpus.bytes else None,
        "step_accuracy_teacher_forced": token_accuracy(vae, read("accuracy"), settings.code_seed).share,
    }
    decoding = Decoding(max_steps=modality.max_steps, end=modality.end)
    if vae.latent:
        figures |= _latent_figures(vae, read("latent code"), settings.seed)
        figures |= _reconstruction_figures(vae, modality, batches, decoding, settings, watch)
        if modality.end is None:
            accuracies = free_running_accuracy(vae, read("free running"), settings.seed, settings.code_seed)
            names = ("step_accuracy_free_running", "step_accuracy_drawn")
            figures |= {name: accuracy.share for name, accuracy in zip(names, accuracies, strict=True)}
    watch(0, 1, "samples")
    drawn = Decoding(max_steps=modality.max_steps, end=modality.end, temperature=settings.temperature)
    samples = [modality.decode(x) for x in generate.sample(vae, settings.prior_samples, drawn, settings.seed)]
    figures["self_bleu"] = self_bleu(samples) if samples and isinstance(samples[0], str) else None
    watch(1, 1, "samples")
    return figures


def _latent_figures(vae: VAE, batches: Iterator[Batch], seed: int) -> dict[str, Any]:
    q, _ = collect_posterior(vae, batches)
    return {"mutual_information_nats": mutual_information(q, seed), "active_units": active_units(q.mean)}


def _reconstruction_figures(
    vae: VAE, modality: Modality, batches: Batches, decoding: Decoding, settings: Settings, watch: Watch
) -> dict[str, float | None]:
    """The modality's comparison of all items with their greedy reconstructions, and the accuracy of their steps.

    Steps are compared one by one where all sequences have a length that is given; elsewhere a missing word would count
    as many.
    """
    fixed = modality.end is None
    truth: list[np.ndarray] = []
    greedy: list[np.ndarray] = []
    watch(0, len(batches.part), "reconstructions")
    for indices in batches.in_order():
        batch = batches.load(indices).to(vae.device)
        with torch.inference_mode():
            q = vae.posterior(batch)
            z = q.mean if settings.codes == "mean" else q.rsample(Noise(settings.seed, batch.keys))
        truth += [batches.part.corpus[int(index)] for index in indices]
        if fixed:
            decoding = replace(decoding, max_steps=batch.x.shape[1])
        greedy += generate.decode(vae, z, decoding)
        watch(len(truth), len(batches.part), "reconstructions")
    items = [modality.decode(x) for x in truth]
    figures = modality.metrics(items, [modality.decode(x, item) for x, item in zip(greedy, items, strict=True)])
    if fixed:
        figures["step_accuracy_greedy"] = step_accuracy(truth, greedy).share
    return figures
