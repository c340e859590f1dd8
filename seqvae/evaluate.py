"""The published evaluation of a model on a corpus: one table of figures with their units."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from seqvae import generate
from seqvae.core.vae import VAE
from seqvae.data import Batches, Corpus, Part
from seqvae.evaluation.latent import active_units, collect_posterior, mutual_information
from seqvae.evaluation.likelihood import bits_per_byte, elbo, importance_weighted_nll, perplexity
from seqvae.evaluation.reconstruction import self_bleu, token_accuracy
from seqvae.generate import Decoding
from seqvae.modalities.base import Modality
from seqvae.types import Batch

Watch = Callable[[int, int, str], None]  # done, total, what
TOKENS_PER_BATCH = 4096

UNITS = {
    "items": "items",
    "tokens": "tokens, end of sequence counted, padding not",
    "elbo_nats": "nats per item",
    "reconstruction_nats": "nats per item, -log p(x|z), one draw of z",
    "kl_nats": "nats per item",
    "kl_bits": "bits per item",
    "iw_nll_nats": "nats per item, -log p(x), importance weighted",
    "importance_samples": "draws of z per item",
    "perplexity": "per token, exp(iw_nll_nats x items / tokens)",
    "bits_per_byte": "bits per byte of UTF-8, line ends counted",
    "mutual_information_nats": "nats, at most ln(items), give or take sqrt(Z / 2 items)",
    "active_units": "latent units whose posterior mean has variance > 0.01",
    "step_accuracy_teacher_forced": "share of tokens, from the posterior mean",
    "exact_match": "share of items, greedy from the posterior mean",
    "bleu": "BLEU-4 of the reconstructions, 0 to 100",
    "self_bleu": "BLEU-4 of each prior sample against the others, 0 to 100",
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How much the evaluation draws: samples of z per item, samples from the prior, their temperature, the seed."""

    importance_samples: int = 100
    prior_samples: int = 200
    temperature: float = 1.0
    seed: int = 0


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
        "kl_bits": bound.mean_kl_nats / math.log(2),
        "iw_nll_nats": weighted.mean_nll_nats,
        "importance_samples": settings.importance_samples if vae.latent else 1,
        "perplexity": perplexity(weighted.total_nll_nats, weighted.total_tokens),
        "bits_per_byte": bits_per_byte(weighted.total_nll_nats, corpus.bytes) if corpus.bytes else None,
        "step_accuracy_teacher_forced": token_accuracy(vae, read("accuracy")).share,
    }
    decoding = Decoding(max_steps=modality.max_steps, end=modality.end)
    if vae.latent:
        figures |= _latent_figures(vae, read("latent code"), settings.seed)
        figures |= _reconstruction_figures(vae, modality, batches, decoding, watch)
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
    vae: VAE, modality: Modality, batches: Batches, decoding: Decoding, watch: Watch
) -> dict[str, float | None]:
    """The modality's comparison of all items with their greedy reconstructions from the posterior mean."""
    truth, guess = [], []
    total = len(batches.part)
    watch(0, total, "reconstructions")
    for indices in batches.in_order():
        arrays = [batches.part.corpus[int(index)] for index in indices]
        truth += [modality.decode(x) for x in arrays]
        guess += [modality.decode(x) for x in generate.reconstruct(vae, arrays, decoding)]
        watch(len(truth), total, "reconstructions")
    return modality.metrics(truth, guess)
