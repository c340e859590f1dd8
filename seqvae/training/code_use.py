"""Whether a model uses its latent code, judged on items that it was not trained on.

A small KL alone says little: free bits hold it up without the decoder reading the code, and a few nats of it may be
spent on what no reconstruction shows. So two figures are asked: how much the codes say about the items, and how much
the decoder gains from them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from seqvae.core.vae import VAE
from seqvae.evaluation.latent import CodeGain, code_gain, collect_posterior, mutual_information
from seqvae.training.validation import SEED
from seqvae.types import Batch

LITTLE_NATS = 1.5  # of mutual information; see `CodeUse.is_little`
LITTLE_SHARE = 1 / 3  # of what so few items can show at most
LITTLE_GAIN = 0.2  # of the nats of a reconstruction from another item's code
COLLAPSED = 1 / 3  # share of what is little, below which there is next to nothing


@dataclass(frozen=True)
class CodeUse:
    """What the codes of some items carry: I(x; z), at most ln of the items, and what the decoder gains from them."""

    items: int
    information_nats: float
    gain: CodeGain

    @property
    def most_nats(self) -> float:
        """The mutual information that so many items can show."""
        return math.log(self.items)

    @property
    def is_little(self) -> bool:
        """Whether the codes say next to nothing about their items, and the decoder gains next to nothing from them.

        Both have to hold: of data of few kinds a code that says all has little information, yet the reconstruction
        gains most of its nats from it. A single item shows nothing.
        """
        little = min(LITTLE_NATS, LITTLE_SHARE * self.most_nats)
        return self.information_nats < little and self.gain.nats < LITTLE_GAIN * abs(self.gain.shuffled_nats)

    @property
    def is_collapsed(self) -> bool:
        """Whether there is a third, or less, of what would be little."""
        little = min(LITTLE_NATS, LITTLE_SHARE * self.most_nats)
        return self.is_little and self.information_nats < COLLAPSED * little


def code_use(vae: VAE, batches: Sequence[Batch]) -> CodeUse:
    """The use of the codes of some items, in a pass of the encoder and two of the decoder.

    Raises ValueError when there are no items.
    """
    q, keys = collect_posterior(vae, batches)
    return CodeUse(len(keys), mutual_information(q, SEED, paired=True), code_gain(vae, batches, q, keys, SEED))
