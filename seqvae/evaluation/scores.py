"""What single items cost under a model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from seqvae.core.vae import VAE, Terms
from seqvae.evaluation.likelihood import elbo, importance_weighted_nll
from seqvae.types import Batch


@dataclass(frozen=True)
class Scores:
    """The costs of each item in nats, all positive for discrete items, float64, in ascending order of the items' keys.

    `elbo_nats` = -(`reconstruction_nats` + `kl_nats`) is a lower bound on log p(x) and -`iw_nll_nats` a tighter one.
    `tokens` counts the steps, end of sequence included; `kl_per_unit_nats` is the mean over the items.
    """

    reconstruction_nats: Float[Tensor, " N"]
    kl_nats: Float[Tensor, " N"]
    iw_nll_nats: Float[Tensor, " N"]
    tokens: Int[Tensor, " N"]
    kl_per_unit_nats: Float[Tensor, " Z"]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def elbo_nats(self) -> Float[Tensor, " N"]:
        """The evidence lower bound of each item in nats, one draw of z."""
        return -(self.reconstruction_nats + self.kl_nats)

    def added_up(self, counts: Sequence[int]) -> "Scores":
        """The scores of things that are made of so many of these items each, one after another."""
        owner = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts, dtype=torch.int64))

        def added(values: Num[Tensor, " N"]) -> Num[Tensor, " M"]:
            return values.new_zeros(len(counts)).index_add(0, owner, values)

        return Scores(
            added(self.reconstruction_nats), added(self.kl_nats), added(self.iw_nll_nats), added(self.tokens),
            self.kl_per_unit_nats * (len(self) / max(1, len(counts))),
        )  # fmt: skip


def score(vae: VAE, batches: Iterable[Batch], few: Iterable[Batch], samples: int, seed: int = 0) -> Scores:
    """The costs of all items; `few` are the same items in batches for the importance-weighted part, K = `samples`.

    Raises ValueError as `elbo` and `importance_weighted_nll`.
    """
    reconstruction: list[float] = []
    kl: list[float] = []
    keys: list[int] = []

    def keep(batch: Batch, terms: Terms) -> None:
        reconstruction.extend((-terms.log_px).tolist())
        kl.extend(terms.kl.cpu().double().sum(1).tolist())
        keys.extend(batch.keys.tolist())

    bound = elbo(vae, batches, seed, keep)
    weighted = importance_weighted_nll(vae, few, samples, seed)
    order = torch.tensor(keys).argsort(stable=True)
    return Scores(
        reconstruction_nats=torch.tensor(reconstruction, dtype=torch.float64)[order],
        kl_nats=torch.tensor(kl, dtype=torch.float64)[order],
        iw_nll_nats=weighted.nll_nats,
        tokens=weighted.tokens,
        kl_per_unit_nats=bound.mean_kl_per_unit,
    )
