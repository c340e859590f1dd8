"""How probable the data are under a model: evidence lower bound, importance-weighted likelihood, perplexity."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqvae.core.objectives import importance_weighted_bound
from seqvae.core.posterior import DiagonalGaussian
from seqvae.core.vae import VAE, Terms
from seqvae.noise import Noise
from seqvae.types import Batch

STEPS_PER_CHUNK = 65536  # rows times steps that one call of the decoder sees: long sequences get fewer rows
VALUES_PER_CHUNK = 2**22  # and rows times the numbers of an item: so do large images


@dataclass(frozen=True)
class Elbo:
    """The evidence lower bound and its parts, in nats: sums over the items, and means per item under `mean_...`.

    `elbo_nats` = -(`reconstruction_nats` + `kl_nats`), where both parts are positive costs. `tokens` counts steps,
    end of sequence included.
    """

    items: int
    tokens: int
    reconstruction_nats: float
    kl_per_unit: Float[Tensor, " Z"]

    @property
    def kl_nats(self) -> float:
        """KL(q(z|x) || p(z)) in nats, summed over units and items."""
        return float(self.kl_per_unit.sum())

    @property
    def elbo_nats(self) -> float:
        """The lower bound on log p(x) in nats, summed over items."""
        return -(self.reconstruction_nats + self.kl_nats)

    @property
    def mean_reconstruction_nats(self) -> float:
        """-log p(x|z) in nats per item."""
        return self.reconstruction_nats / self.items

    @property
    def mean_kl_nats(self) -> float:
        """KL(q(z|x) || p(z)) in nats per item, summed over units."""
        return self.kl_nats / self.items

    @property
    def mean_elbo_nats(self) -> float:
        """The lower bound on log p(x) in nats per item."""
        return self.elbo_nats / self.items

    @property
    def mean_kl_per_unit(self) -> Float[Tensor, " Z"]:
        """KL of each latent unit in nats per item, (Z,)."""
        return self.kl_per_unit / self.items


@dataclass(frozen=True)
class ItemLikelihoods:
    """-log p(x) of each item in nats, its tokens (end of sequence included) and its key; ascending keys."""

    nll_nats: Float[Tensor, " N"]
    tokens: Int[Tensor, " N"]
    keys: Int[Tensor, " N"]

    @property
    def total_nll_nats(self) -> float:
        """-log p in nats, summed over items."""
        return float(self.nll_nats.sum())

    @property
    def mean_nll_nats(self) -> float:
        """-log p in nats per item."""
        return self.total_nll_nats / len(self.nll_nats)

    @property
    def total_tokens(self) -> int:
        """Tokens of all items, end of sequence included."""
        return int(self.tokens.sum())


@torch.inference_mode()
def elbo(vae: VAE, batches: Iterable[Batch], seed: int = 0, keep: Callable[[Batch, Terms], None] | None = None) -> Elbo:
    """The evidence lower bound in nats with beta = 1, summed over items.

    One draw of z for each item, keyed by the item, and the KL in closed form (Kingma and Welling 2014, equation 10).
    Sums are float64; `keep` sees the terms of each batch. Raises ValueError when there are no items.
    """
    items = tokens = 0
    reconstruction = 0.0
    kl = torch.zeros(vae.latent, dtype=torch.float64)
    for batch in batches:
        terms: Terms = vae(batch, Noise(seed, batch.keys), dropout=False)
        items += len(batch)
        tokens += int(batch.lengths.sum())
        reconstruction -= float(terms.log_px.cpu().double().sum())
        kl += terms.kl.cpu().double().sum(0)
        if keep is not None:
            keep(batch, terms)
    if not items:
        raise ValueError("0 items cannot be scored; give batches with at least one item")
    return Elbo(items=items, tokens=tokens, reconstruction_nats=reconstruction, kl_per_unit=kl)


@torch.inference_mode()
def importance_weighted_nll(
    vae: VAE, batches: Iterable[Batch], samples: int, seed: int = 0, rows_per_chunk: int = 2048
) -> ItemLikelihoods:
    """-log (1/K) sum_k p(x, z_k) / q(z_k|x) of each item in nats, with K = `samples` (Burda et al. 2016, equation 8).

    On average an upper bound on -log p(x) that falls as K rises. Without latent units it is exact, and one sample is
    taken. The encoder runs once an item. The decoder sees at most `rows_per_chunk` rows (and STEPS_PER_CHUNK steps
    and VALUES_PER_CHUNK values, but always one row) at a time, over items and over K; the draws belong to the items, so
    the chunks change nothing but the rounding. Raises ValueError for no items, and for fewer than one sample or row.
    """
    if samples < 1 or rows_per_chunk < 1:
        raise ValueError(f"samples={samples} and rows_per_chunk={rows_per_chunk} must both be 1 or more")
    samples = samples if vae.latent else 1
    # numbers, not tensors: small ones that stay would keep freed chunks from being used again, and memory would grow
    nll: list[float] = []
    tokens: list[int] = []
    keys: list[int] = []
    for batch in batches:
        steps, values = batch.x.shape[1], batch.x[0].numel()
        rows = max(1, min(rows_per_chunk, STEPS_PER_CHUNK // steps, VALUES_PER_CHUNK // values))
        for part, q in _parts(batch, vae.posterior(batch), max(1, rows // samples)):
            nll += (-_log_likelihood(vae, part, q, Noise(seed, part.keys), samples, rows)).tolist()
            tokens += part.lengths.tolist()
            keys += part.keys.tolist()
    if not nll:
        raise ValueError("0 items cannot be scored; give batches with at least one item")
    all_keys, order = torch.tensor(keys).sort(stable=True)
    return ItemLikelihoods(
        nll_nats=torch.tensor(nll, dtype=torch.float64)[order], tokens=torch.tensor(tokens)[order], keys=all_keys
    )


def _parts(batch: Batch, q: DiagonalGaussian, items: int) -> Iterator[tuple[Batch, DiagonalGaussian]]:
    """At most `items` items at a time, shortest first, so that a part is padded to its own longest only."""
    for rows in batch.lengths.argsort(stable=True).split(items):
        lengths = batch.lengths[rows]
        part = Batch(x=batch.x[rows, : int(lengths.max())], lengths=lengths, keys=batch.keys[rows])
        yield part, DiagonalGaussian(q.mean[rows], q.log_scale[rows])


def _log_likelihood(
    vae: VAE, batch: Batch, q: DiagonalGaussian, noise: Noise, samples: int, rows: int
) -> Float[Tensor, " B"]:
    """The importance-weighted bound of each item, on the CPU in float64, with at most `rows` rows at a time."""
    codes = q.rsample(noise, samples).unflatten(0, (len(batch), samples))  # (B, K, Z): all draws once, then sliced
    chunks = codes.split(max(1, rows // len(batch)), dim=1)
    log_weights = torch.cat([vae.log_weights_of(z.flatten(0, 1), batch, q).cpu().double() for z in chunks], 1)
    return importance_weighted_bound(log_weights)


def spelling_nats(symbols: int, byte_count: int) -> float:
    """The cost of spelling words or characters that a vocabulary lacks, byte by byte: (bytes + symbols) ln 257.

    Each of 256 bytes and an end is as probable as any other. A model that says "unknown" has not said which word; with
    this it has, and its figures can be compared with those of models that can spell.

    >>> round(spelling_nats(1, 3) / math.log(2), 2)  # a word of three bytes
    32.02
    """
    return (byte_count + symbols) * math.log(257)


def perplexity(nll_nats: float, tokens: int) -> float:
    """exp(nll / tokens): the size of a uniform choice as hard as the model's, per token.

    `nll_nats` is a sum and `tokens` its number of tokens, end of sequence included. Comparable only between models
    of the same tokens. Raises ValueError for no tokens.

    >>> round(perplexity(8 * math.log(3), 8), 9)
    3.0
    """
    if tokens < 1:
        raise ValueError(f"a perplexity over {tokens} tokens is not possible; give at least one token")
    try:
        return math.exp(nll_nats / tokens)
    except OverflowError:
        return math.inf


def bits_per_byte(nll_nats: float, byte_count: int) -> float:
    """nll / (bytes ln 2): bits to store one byte of the text, comparable between tokenizers.

    `nll_nats` is a sum and `byte_count` the size of the same items. Raises ValueError for no bytes.

    >>> round(bits_per_byte(12 * math.log(2), 4), 9)
    3.0
    """
    if byte_count < 1:
        raise ValueError(f"bits per byte over {byte_count} bytes are not possible; give at least one byte")
    return nll_nats / (byte_count * math.log(2))
