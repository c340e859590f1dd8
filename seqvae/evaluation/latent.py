"""What the latent code carries: posteriors of a whole set, mutual information, active units."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqvae.core.posterior import DiagonalGaussian
from seqvae.core.vae import VAE
from seqvae.noise import Noise
from seqvae.types import Batch

NEIGHBOURS = 5  # that vote on the label of an item


@torch.inference_mode()
def collect_posterior(vae: VAE, batches: Iterable[Batch]) -> tuple[DiagonalGaussian, Int[Tensor, " N"]]:
    """q(z|x) of every item, (N, Z) in float64 on the CPU, and the items' keys; rows in ascending order of the keys.

    Raises ValueError when there are no items.
    """
    means, log_scales, keys = [], [], []
    for batch in batches:
        q = vae.posterior(batch)
        means.append(q.mean.cpu().double())
        log_scales.append(q.log_scale.cpu().double())
        keys.append(batch.keys.cpu())
    if not keys:
        raise ValueError("0 items have no posterior; give batches with at least one item")
    all_keys, order = torch.cat(keys).sort(stable=True)
    return DiagonalGaussian(torch.cat(means)[order], torch.cat(log_scales)[order]), all_keys


def active_units(mean: Float[Tensor, "N Z"], threshold: float = 0.01) -> int:
    """The number of latent units whose posterior mean varies over the data by more than `threshold`.

    Var_x(E_q[z]) > 0.01 (Burda et al. 2016, section 5.2), with the unbiased variance (divided by N - 1), as the
    published text models count. One item varies in nothing and gives 0.

    >>> active_units(torch.tensor([[0.08, 0.06], [-0.08, -0.06]]))  # variances 0.0128 and 0.0072
    1
    """
    if mean.shape[0] < 2 or mean.shape[1] == 0:
        return 0
    return int((mean.double().var(0) > threshold).sum())


def neighbour_accuracy(
    mean: Float[Tensor, "N Z"], labels: Int[Tensor, " N"], neighbours: int = NEIGHBOURS, pairs_per_chunk: int = 2**22
) -> float | None:
    """The share in [0, 1] of items whose nearest other items, by posterior mean, vote for their label.

    Each item is left out of its own neighbours; of labels with equally many votes the smallest wins. Items with a label
    below 0 have none and are left out. None where fewer than two have one. At most `pairs_per_chunk` distances exist
    at once (but always a row).

    >>> neighbour_accuracy(torch.tensor([[0.0], [0.1], [5.0], [5.2]]), torch.tensor([3, 3, 3, 7]), neighbours=1)
    0.5
    """
    mean, labels = mean[labels >= 0].double(), labels[labels >= 0]
    items = len(labels)
    if items < 2:
        return None
    mean = mean - mean.mean(0)  # distances come from products, which a far-off mean would leave no digits
    right = 0
    for rows in torch.arange(items).split(max(1, pairs_per_chunk // items)):
        distances = torch.cdist(mean[rows], mean)
        distances[torch.arange(len(rows)), rows] = torch.inf
        nearest = distances.topk(min(neighbours, items - 1), largest=False).indices
        right += int((labels[nearest].mode(1).values == labels[rows]).sum())
    return right / items


@torch.inference_mode()
def mutual_information(q: DiagonalGaussian, seed: int = 0, pairs_per_chunk: int = 2**22, paired: bool = False) -> float:
    """I(x; z) under q in nats: E_x[-H(q(z|x))] - E_x E_q(z|x)[log q(z)], where q(z) = (1/N) sum_n q(z|x_n).

    The aggregated posterior q(z) runs over all N items (Hoffman and Johnson 2016). The estimator is that of He et
    al. 2019 and Li et al. 2019: the negative entropy in closed form, and log q(z) at one draw of z for each item. The
    true value lies between 0 and ln N, so N items cannot show more than ln N; the estimate may leave these limits by
    its sampling error, of the order of sqrt(Z / (2 N)). Figures averaged over batches of B items instead, as in part
    of the literature, are capped at ln B and not comparable.

    `paired` takes log q(z|x) at that draw as well, in place of the negative entropy, which is its mean. Of codes that
    carry little the two logarithms are then nearly equal, and the sampling error nearly nothing; and the estimate never
    exceeds ln N.

    Time grows with N^2 and memory with N: at most `pairs_per_chunk` densities exist at once (but always a row of N).
    Row n draws the noise of key n. Raises ValueError when there are no items.
    """
    items, units = q.mean.shape
    if items == 0:
        raise ValueError("0 items have no mutual information; give at least one item")
    if units == 0:
        return 0.0
    whole = DiagonalGaussian(q.mean.cpu().double(), q.log_scale.cpu().double())
    z = whole.rsample(Noise(seed, torch.arange(items)))
    log_qz = _log_aggregated(z, whole, max(1, pairs_per_chunk // items))
    if paired:
        return float((whole.log_prob(z) - log_qz).mean())
    negative_entropy = -(whole.log_scale + 0.5 * math.log(2 * math.pi * math.e)).sum(1)  # (N,)
    return float((negative_entropy - log_qz).mean())


@dataclass(frozen=True)
class CodeGain:
    """-log p(x|z) in nats per item: with the items' own codes, and with those of other items."""

    own_nats: float
    shuffled_nats: float

    @property
    def nats(self) -> float:
        """What the decoder gains from an item's own code, in nats per item."""
        return self.shuffled_nats - self.own_nats


@torch.inference_mode()
def code_gain(
    vae: VAE, batches: Iterable[Batch], q: DiagonalGaussian, keys: Int[Tensor, " N"], seed: int = 0
) -> CodeGain:
    """E[-log p(x|z')] - E[-log p(x|z)] in nats per item, where z is drawn from q(z|x) and z' is another item's code.

    Zero for a decoder that ignores z, whatever its posterior; the codes are shuffled among the items, and no item keeps
    its own. Since a wrong code does harm beside giving no help, the gain is no smaller than the mutual information of a
    model that fits: it then is I(x; z) plus KL(p(x) p(z) || p(x, z)).

    `q` and `keys` are those of `collect_posterior` for the same items; the draws are those of `elbo` with this seed.
    The gain of a single item is 0. Raises ValueError when there are no items.
    """
    items = len(keys)
    if not items:
        raise ValueError("0 items have no codes to shuffle; give batches with at least one item")
    z = q.rsample(Noise(seed, keys)).to(vae.dtype)
    others = _others(items, seed)
    own = shuffled = 0.0
    for batch in batches:
        rows = torch.searchsorted(keys, batch.keys.cpu())
        for_each = (z[rows], z[others[rows]])
        log_px = [vae.decoder.log_prob(codes.to(batch.x.device), batch).cpu().double().sum() for codes in for_each]
        own, shuffled = own - float(log_px[0]), shuffled - float(log_px[1])
    return CodeGain(own / items, shuffled / items)


def _others(items: int, seed: int) -> Int[Tensor, " N"]:
    """For each row another one, so that each is met once: the next in a circle of random order."""
    order = torch.randperm(items, generator=torch.Generator().manual_seed(seed))
    others = torch.empty_like(order)
    others[order] = order.roll(-1)
    return others


def _log_aggregated(z: Float[Tensor, "M Z"], q: DiagonalGaussian, rows: int) -> Float[Tensor, " M"]:
    """log (1/N) sum_n q(z|x_n) of each code, `rows` codes at a time.

    The squares are expanded so that a chunk is one matrix product, several times as fast as differences of all pairs.
    The rounding grows with (mean / scale)^2; in float64, with the means centred, it stays below the sampling error
    down to scales of a millionth of the means.
    """
    centre = q.mean.mean(0)
    z, mean = z - centre, q.mean - centre
    precision = torch.exp(-2 * q.log_scale)
    factors = torch.cat([-0.5 * precision, mean * precision], 1).T  # (2Z, N)
    constant = (-0.5 * mean**2 * precision - q.log_scale - 0.5 * math.log(2 * math.pi)).sum(1)  # (N,)
    powers = torch.cat([z**2, z], 1)  # (M, 2Z)
    sums = [torch.logsumexp(torch.addmm(constant, part, factors), 1) for part in powers.split(rows)]
    return torch.cat(sums) - math.log(q.mean.shape[0])
