"""The published evaluation of a model on a corpus: one table of figures with their units."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from seqvae import generate
from seqvae.core.posterior import DiagonalGaussian
from seqvae.core.priors import Prior
from seqvae.core.vae import VAE
from seqvae.corpus import Corpus
from seqvae.data import Batches, Part
from seqvae.devices import computes_bf16
from seqvae.evaluation.latent import (
    NEIGHBOURS,
    active_units,
    code_gain,
    collect_posterior,
    mutual_information,
    neighbour_accuracy,
)
from seqvae.evaluation.likelihood import bits_per_byte, elbo, perplexity, spelling_nats
from seqvae.evaluation.reconstruction import free_running_accuracy, step_accuracy, token_accuracy
from seqvae.evaluation.scores import Scores, score
from seqvae.generate import GREEDY, Decoding, Length, at
from seqvae.modalities.base import Modality
from seqvae.modalities.items import Figures
from seqvae.nets.cross_entropy import BRIGHTEST
from seqvae.nets.images import ImageDecoder
from seqvae.nets.likelihoods import has_perplexity
from seqvae.nets.pixels import DensityPixels
from seqvae.noise import Noise
from seqvae.types import Batch

Watch = Callable[[int, int, str], None]  # done, total, what
Keep = Callable[[Scores], None]
TOKENS_PER_BATCH = 4096
VALUES_PER_BATCH = 2**19
FEW_SAMPLES = 100  # with more, the importance-weighted likelihood goes by smaller batches, so that progress is seen

UNITS = {
    "items": "items",
    "tokens": "tokens, end of sequence counted, padding not",
    "elbo_nats": "nats per item",
    "elbo_bits": "bits per item",
    "reconstruction_nats": "nats per item, -log p(x|z), one draw of z",
    "reconstruction_bits": "bits per item",
    "kl_nats": "nats per item",
    "kl_bits": "bits per item",
    "elbo_fitted_prior_nats": "nats per item, with the prior that was fitted in place of N(0, I)",
    "elbo_fitted_prior_bits": "bits per item",
    "kl_fitted_prior_nats": "nats per item, E[log q(z|x) - log p(z)], one draw of z",
    "kl_fitted_prior_bits": "bits per item",
    "iw_nll_nats": "nats per item, -log p(x), importance weighted",
    "importance_samples": "draws of z per item",
    "perplexity": "per token, exp(iw_nll_nats x items / tokens)",
    "perplexity_per_word": "per word between spaces and end of item, unknown words charged as in unknown_nats",
    "bits_per_character": "bits per character, line ends counted, unknown words charged",
    "bits_per_byte": "bits per byte of UTF-8, line ends counted, unknown words charged",
    "unknown_nats": "nats per item to spell what the vocabulary lacks, each byte and end one of 257",
    "words": "words between spaces, and one end an item: the denominator of perplexity_per_word",
    "characters": "characters, line ends counted",
    "bytes": "bytes of UTF-8, line ends counted",
    "bits_per_dimension": "bits per pixel and channel, importance weighted",
    "mutual_information_nats": "nats, an estimate; the true value is 0 to the cap",
    "mutual_information_cap_nats": "nats, ln(items): so many items cannot show more",
    "mutual_information_error_nats": "nats, the estimate's sampling error, sqrt(Z / 2 items)",
    "code_gain_nats": "nats per item that the decoder gains from an item's code, over codes shuffled among the items",
    "active_units": "latent units whose posterior mean has variance > 0.01",
    "step_accuracy_teacher_forced": "share of tokens, each after the true ones before it",
    "step_accuracy_free_running": "share of steps, most probable after own draws at temperature 1",
    "step_accuracy_drawn": "share of steps, those draws themselves",
    "step_accuracy_greedy": "share of steps, greedy",
    "exact_match": "share of items, greedy",
    "bleu": "",
    "samples": "items drawn from the prior",
    "sample_temperature": "temperature of the samples",
    "self_bleu": "",
    "neighbour_accuracy": f"share of items whose {NEIGHBOURS} nearest by posterior mean vote for their label",
}

OF_SAMPLES = ("samples", "sample_temperature")  # how the samples were made that figures are of


def units(modality: Modality) -> dict[str, str]:
    """The figures of a modality with their units: the common ones, and its own in their place or beside them.

    The names that are the same for all modalities stand in every evaluation, with None where they do not apply.
    """
    of_samples = modality.sample_units
    return {**UNITS, **modality.units, **of_samples, **{of_data(name): unit for name, unit in of_samples.items()}}


def of_data(name: str) -> str:
    """The name of a figure of the data that stands beside a figure of samples.

    >>> of_data("sample_hits"), of_data("self_bleu")
    ('data_hits', 'data_self_bleu')
    """
    return f"data_{name.removeprefix('sample_')}"


MOST_TRAINING = 2**16  # items of the training data, at equal distances, that baselines are made of
MOST_IMPORTANCE_SAMPLES = 100_000  # all codes of an item are in memory at once


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How much the evaluation draws: samples of z per item, samples from the prior, their temperature, the seed.

    A temperature of None is the modality's own for samples.
    `codes`: reconstructions are made from the posterior mean, or from one code drawn from the posterior.
    `precision`: of matrix products. auto: bf16 for likelihoods, where importance sampling takes the time, of a modality
    whose `score_precision` it is and where the device computes it natively; codes, reconstructions and samples in fp32.
    """

    importance_samples: int = 100
    prior_samples: int = 200
    temperature: float | None = None
    codes: Literal["mean", "drawn"] = "mean"
    seed: int = 0
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    def __post_init__(self) -> None:
        """Raises ValueError for a number of importance samples, a temperature or a precision that is not possible."""
        if not 1 <= self.importance_samples <= MOST_IMPORTANCE_SAMPLES:
            raise ValueError(
                f"importance_samples={self.importance_samples} is not possible; give 1 to {MOST_IMPORTANCE_SAMPLES}"
            )
        if self.precision not in ("auto", "fp32", "bf16"):
            raise ValueError(f"precision={self.precision!r} is not possible; give auto, fp32 or bf16")
        at(self.temperature, GREEDY)

    @property
    def code_seed(self) -> int | None:
        """The seed that draws the codes of reconstructions; None for the mean."""
        return None if self.codes == "mean" else self.seed

    def precision_of(self, vae: VAE, modality: Modality) -> Literal["fp32", "bf16", "bf16 likelihoods"]:
        """What the precision means for a model where it is; one in double precision is not rounded unasked."""
        if self.precision != "auto":
            return self.precision
        suited = modality.score_precision == "bf16" and next(vae.parameters()).dtype == torch.float32
        return "bf16 likelihoods" if suited and computes_bf16(vae.device) else "fp32"


def evaluate(
    vae: VAE,
    modality: Modality,
    corpus: Corpus,
    settings: Settings,
    watch: Watch | None = None,
    keep: Keep | None = None,
    training: Corpus | None = None,
    prior: Prior | None = None,
) -> Figures:
    """All figures of `units` for a model on a corpus; None where one does not apply.

    `watch` sees how far it is, and `keep` the scores of the single items, where the model has a likelihood. `training`
    is what the model was trained on, for `Modality.baseline_metrics`. With a `prior` other than N(0, I) samples are
    drawn from it, and the bound is there with it, too.
    """
    with _products(vae, modality, settings, ("bf16",)):
        return _figures(vae, modality, corpus, settings, watch or _ignored, keep or _ignored, training, prior)


def score_items(
    vae: VAE, modality: Modality, items: Sequence[Sequence[np.ndarray]], importance_samples: int, seed: int
) -> Scores:
    """What each item costs, made of one or several arrays; row n draws the noise of key n, as in an evaluation.

    Raises ValueError for a plain autoencoder, which has no likelihood, and for a number of samples out of range.
    """
    if vae.has_points:
        raise ValueError("a plain autoencoder (model.posterior=point) has no likelihood; score with another model")
    samples = Settings(importance_samples=importance_samples).importance_samples
    batches = partial(generate.batches_of, vae, [x for arrays in items for x in arrays], settle=modality.settle)
    return score(vae, batches(), batches(), samples, seed).added_up([len(arrays) for arrays in items])


def _ignored(*values: object) -> None:
    """Does nothing: nobody wants to see this."""


def _products(vae: VAE, modality: Modality, settings: Settings, low: Sequence[str]) -> torch.autocast:
    """Matrix products are in bf16 at these precisions of an evaluation."""
    enabled = settings.precision_of(vae, modality) in low
    return torch.autocast(vae.device.type, torch.bfloat16, enabled=enabled)


def _figures(
    vae: VAE, modality: Modality, corpus: Corpus, settings: Settings, watch: Watch, keep: Keep,
    training: Corpus | None, prior: Prior | None,
) -> Figures:  # fmt: skip
    batches = Batches(Part(corpus), _tokens_per_batch(corpus), "tokens")

    def read(what: str, batches: Batches = batches) -> Iterator[Batch]:
        done = 0
        watch(0, len(corpus), what)
        for indices in batches.in_order():
            yield batches.load(indices).to(vae.device)
            done += len(indices)
            watch(done, len(corpus), what)

    figures: Figures = dict.fromkeys(units(modality))
    figures["items"] = len(corpus)
    if vae.has_points:
        figures["reconstruction_nats"] = elbo(vae, read("reconstruction"), settings.seed).mean_reconstruction_nats
    else:
        with _products(vae, modality, settings, ("bf16", "bf16 likelihoods")):
            figures |= _likelihood_figures(vae, corpus, settings, read, keep)
    likelihood = None if vae.decoder.has_steps else cast(ImageDecoder, vae.decoder).likelihood
    if isinstance(likelihood, DensityPixels):
        figures["summed_error"] = likelihood.summed_error(cast(float, figures["reconstruction_nats"]))
    if vae.latent:
        figures |= _latent_figures(vae, read, corpus.labels, settings.seed)
        if prior is not None and prior != vae.own_prior and not vae.has_points:
            figures |= _fitted_prior_figures(
                figures, *collect_posterior(vae, read("prior")), vae.own_prior, prior, settings.seed
            )
        figures |= _reconstruction_figures(vae, modality, batches, settings, watch, training)
    if vae.decoder.has_steps:
        figures["tokens"] = corpus.steps
        accuracy = token_accuracy(vae, read("accuracy"), settings.code_seed, step_type=modality.step_type)
        figures |= accuracy.shares("step_accuracy_teacher_forced", modality.step_type.parts)
        if vae.latent and modality.end is None:
            accuracies = free_running_accuracy(
                vae, read("free running"), settings.seed, settings.code_seed, step_type=modality.step_type
            )
            names = ("step_accuracy_free_running", "step_accuracy_drawn")
            for name, accuracy in zip(names, accuracies, strict=True):
                figures |= accuracy.shares(name, modality.step_type.parts)
    has_prior = not vae.has_points or (prior is not None and prior != vae.own_prior)
    if modality.sample_units and has_prior:
        figures |= _sample_figures(vae, modality, corpus, settings, watch, prior)
    return figures


def _tokens_per_batch(corpus: Corpus) -> int:
    """So many steps that a batch of large ones, such as images, stays small."""
    return max(1, min(TOKENS_PER_BATCH, VALUES_PER_BATCH * corpus.steps // max(1, corpus.values)))


def _likelihood_figures(
    vae: VAE, corpus: Corpus, settings: Settings, read: Callable[..., Iterator[Batch]], keep: Keep
) -> Figures:
    """The bounds, and what follows from them where log p(x|z) is that of a normalised, discrete x."""
    samples = settings.importance_samples if vae.latent else 1
    size = _tokens_per_batch(corpus) * FEW_SAMPLES // max(FEW_SAMPLES, samples)
    few = Batches(Part(corpus), max(1, size), "tokens")
    scores = score(vae, read("evidence lower bound"), read("likelihood", few), samples, settings.seed)
    keep(scores)
    total_nats = float(scores.iw_nll_nats.sum())
    figures: Figures = {"importance_samples": samples, "iw_nll_nats": total_nats / len(corpus)}
    for name in ("elbo", "reconstruction", "kl"):
        nats = float(getattr(scores, f"{name}_nats").mean())
        figures |= {f"{name}_nats": nats, f"{name}_bits": nats / math.log(2)}
    figures |= _size_figures(corpus, total_nats)
    if has_perplexity(vae.decoder):
        figures["perplexity"] = perplexity(total_nats, int(scores.tokens.sum()))
    elif not vae.decoder.has_steps and _has_levels(vae, read("pixels")):
        figures["bits_per_dimension"] = total_nats / (corpus.values * math.log(2))
    return figures


def _size_figures(corpus: Corpus, nll_nats: float) -> Figures:
    """Figures by word, character and byte of the items themselves, which tokenizers share; `nll_nats` is of all items.

    What unknown symbols hide is charged by `spelling_nats`.
    """
    hidden = corpus.modality.hidden(corpus.report)
    if hidden is None or corpus.bytes is None:
        return {}
    charge = spelling_nats(hidden.symbols, hidden.bytes)
    size = corpus.bytes + hidden.more_bytes
    figures: Figures = {"bytes": size, "bits_per_byte": bits_per_byte(nll_nats + charge, size)}
    if "words" in corpus.sizes:
        characters = corpus.sizes["characters"] + hidden.more_characters
        figures |= {
            "unknown_nats": charge / len(corpus),
            "words": corpus.sizes["words"],
            "characters": characters,
            "perplexity_per_word": perplexity(nll_nats + charge, corpus.sizes["words"]),
            "bits_per_character": (nll_nats + charge) / (characters * math.log(2)),
        }
    return figures


def _has_levels(vae: VAE, batches: Iterator[Batch]) -> bool:
    """Whether the nats of these images are those of a distribution over grey levels, or over black and white."""
    discrete = cast(ImageDecoder, vae.decoder).likelihood.discrete
    if discrete == "when binary":
        grey = sum(int(((batch.x != 0) & (batch.x != BRIGHTEST)).sum()) for batch in batches)  # to the end of the watch
        return grey == 0
    return bool(discrete)


def _sample_figures(
    vae: VAE, modality: Modality, corpus: Corpus, settings: Settings, watch: Watch, prior: Prior | None
) -> Figures:
    """The figures of samples, and of as many items of the corpus, chosen by the seed; what is given is these items'."""
    watch(0, 1, "samples")
    n, temperature = settings.prior_samples, settings.temperature
    drawn = Decoding(modality.sampling_temperature if temperature is None else temperature)
    chosen = np.random.default_rng(settings.seed).permutation(len(corpus))[:n]
    own = [corpus[int(index)] for index in chosen]
    held = [own[place % len(own)] for place in range(n)] if modality.given([None], 1) is not None else None
    arrays = generate.sample(vae, n, Length(modality.max_steps, modality.end), drawn, settings.seed, held, prior)
    figures: Figures = {"samples": n, "sample_temperature": drawn.temperature}
    figures |= modality.sample_metrics([modality.decode(x) for x in arrays])
    items = [modality.decode(x) for x in own]
    figures |= {of_data(name): value for name, value in modality.sample_metrics(items).items()}
    watch(1, 1, "samples")
    return figures


def _latent_figures(vae: VAE, read: Callable[[str], Iterator[Batch]], labels: np.ndarray | None, seed: int) -> Figures:
    q, keys = collect_posterior(vae, read("latent code"))
    accuracy = None if labels is None else neighbour_accuracy(q.mean, torch.from_numpy(labels[keys.numpy()]))
    return {
        **({} if vae.has_points else _information(q, seed)),
        # a single item has no other's code
        "code_gain_nats": code_gain(vae, read("shuffled codes"), q, keys, seed).nats if len(keys) > 1 else None,
        "active_units": active_units(q.mean),
        "neighbour_accuracy": accuracy,
    }


def _fitted_prior_figures(
    figures: Figures, q: DiagonalGaussian, keys: Int[Tensor, " N"], own: Prior, prior: Prior, seed: int
) -> Figures:
    """The bound with a fitted prior: what the KL to the model's own and the reconstruction are, at the draws of `elbo`.

    E_q[log q(z|x) - log p(z)] = KL(q || own) + E_q[log own(z) - log p(z)], the last by one draw of each item.
    """
    z = q.rsample(Noise(seed, keys))
    with torch.no_grad():
        more = float((own.log_prob(z).double() - prior.log_prob(z).double()).cpu().mean())
    kl = cast(float, figures["kl_nats"]) + more
    elbo_nats = -(cast(float, figures["reconstruction_nats"]) + kl)
    return {
        "elbo_fitted_prior_nats": elbo_nats,
        "elbo_fitted_prior_bits": elbo_nats / math.log(2),
        "kl_fitted_prior_nats": kl,
        "kl_fitted_prior_bits": kl / math.log(2),
    }


def _information(q: DiagonalGaussian, seed: int) -> Figures:
    items, units = q.mean.shape
    return {
        "mutual_information_nats": mutual_information(q, seed),
        "mutual_information_cap_nats": math.log(items),
        "mutual_information_error_nats": math.sqrt(units / (2 * items)),
    }


def _reconstruction_figures(
    vae: VAE, modality: Modality, batches: Batches, settings: Settings, watch: Watch, training: Corpus | None
) -> dict[str, float | None]:
    """The modality's comparison of all items with their greedy reconstructions, and the accuracy of their steps.

    Beside them are the modality's baselines, where the training data are known.

    Steps are compared one by one where the length of all sequences is known before; elsewhere a missing word would
    count as many.
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
        length = Length(batch.x.shape[1] if fixed else modality.max_steps, modality.end)
        greedy += generate.decode(vae, z, length, held=truth[-len(batch) :] if modality.holds else None)
        watch(len(truth), len(batches.part), "reconstructions")
    items = [modality.decode(x) for x in truth]
    guesses = [modality.decode(x, item) for x, item in zip(greedy, items, strict=True)]
    figures = modality.metrics(items, guesses)
    if training is not None and modality.has_baselines:
        chosen = range(0, len(training), math.ceil(len(training) / MOST_TRAINING))
        figures |= modality.baseline_metrics(items, guesses, [training[index] for index in chosen])
    if fixed and vae.decoder.has_steps:
        right = step_accuracy(truth, greedy, step_type=modality.step_type)
        figures |= right.shares("step_accuracy_greedy", modality.step_type.parts)
    return figures
