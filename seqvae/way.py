"""What all ways from items to codes and back have in common: windows encoded, arrays decoded, pieces given back."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from seqvae import generate
from seqvae.codes import Windows, aligned, all_windows, beside_codes
from seqvae.core.posterior import DiagonalGaussian
from seqvae.core.priors import Prior
from seqvae.core.vae import VAE
from seqvae.generate import Decoding, Length
from seqvae.modalities.base import Modality
from seqvae.modalities.items import Item
from seqvae.variation import distances_of_tries, distinct, key_of

WINDOWS_APART = 2**32  # keys of the noise of a window's variations from those of the next, which are fewer


@dataclass(frozen=True, eq=False)
class Variation:
    """The windows of a variation, and their codes (W, Z)."""

    windows: list[Item]
    codes: Tensor


@dataclass(frozen=True)
class Way:
    """The way through a VAE and back; `presents`: whether windows are put together into what the user handed in.

    `drawn_from` is the prior of codes that belong to no item; None is the one that the VAE was trained with.
    """

    modality: Modality
    vae: VAE
    presents: bool = True
    drawn_from: Prior | None = None

    @property
    def prior(self) -> Prior:
        """The density of codes that belong to no item."""
        return self.vae.own_prior if self.drawn_from is None else self.drawn_from

    def length(self, groups: Sequence[Windows] = ()) -> Length:
        """How long sequences may be; where none ends by itself, all are as long as the longest window."""
        end, most = self.modality.end, self.modality.max_steps
        if end is None and groups:
            most = max((len(x) for group in groups for x in group.arrays), default=most)
        return Length(most, end)

    def numbers(self, windows: int, length: Length) -> int:
        """How many numbers a result of so many windows can have, with their codes."""
        return windows * (self.vae.latent + length.max_steps * math.prod(self.modality.step_type.shape))

    def posterior(self, groups: Sequence[Windows]) -> DiagonalGaussian:
        """q(z|x) of the windows of all groups, one after another; those that are codes already stay as they are."""
        arrays = [x for group in groups for x in group.arrays]
        return beside_codes(generate.encode(self.vae, arrays, settle=self.modality.settle), groups)

    def aligned(self, items: Sequence[Item]) -> tuple[list[Tensor], list[list[Item]], Length]:
        """Of each window of the longest item the codes of all and the windows themselves; the length of the first."""
        groups = all_windows(self.modality, items, self.vae.latent)
        means = self.posterior(groups).mean.split([len(group) for group in groups])
        return *aligned(self.modality, groups, means), self.length(groups[:1])

    def lengths(self, length: Length, likes: Sequence[Sequence[Item]] = ((None,),)) -> list[Length]:
        """The length for each window of a piece, with the steps that it keeps a part of, where no code holds that part.

        Of several windows at one place it is the first that is no code; from codes alone one window is made.
        """
        first = [next((like for like in several if like is not None), None) for several in likes]
        given = self.modality.given(first, length.max_steps)
        return [length] * len(first) if given is None else [replace(length, held=held) for held in given]

    def held(self, groups: Sequence[Windows], by_hits: bool = False, anew: bool = False) -> list[np.ndarray] | None:
        """The steps of which what is made keeps a part: hits, with `by_hits`, or the modality's part unless `anew`.

        None where nothing is kept. Raises ValueError for codes in the place of an item, of which nobody knows the
        steps, and for what is to be made anew, and would be so anyhow or cannot be.
        """
        if anew and by_hits:
            raise ValueError("a feel is that of hits which are kept, and anew=True keeps none; leave one of them out")
        if anew and not self.modality.keeps:
            raise ValueError(
                f"anew=True is for models that keep a part of what they read, and all {self.modality.words.items} of "
                "this one are made as a whole; leave it out"
            )
        steps = self.length(groups).max_steps
        given = [self.modality.given(group.items, steps) for group in groups]
        if any(own is not None for own in given):
            return [x for own in given if own is not None for x in own]
        if anew or not (by_hits or self.modality.keeps):
            return None
        arrays = [x for group in groups for x in group.of_item.arrays]
        return arrays if by_hits else [self.modality.kept(x) for x in arrays]

    def with_feel(self, groups: Sequence[Windows], feel: Windows) -> Tensor:
        """The codes of the windows of `feel` for those of each group, one after another, repeated where they are fewer.

        Raises ValueError for items of this modality, which have no feel, and for two metres.
        """
        self.modality.check_feel()
        means = self.posterior([feel]).mean
        for item, other in ((item, other) for group in groups for item in group.items for other in feel.items):
            if item is not None and other is not None:
                self.modality.as_long_as(item, other)
        return means[[place % len(means) for group in groups for place in range(len(group))]]

    def varied(
        self, group: Windows, means: Tensor, n: int, distance: float, decoding: Decoding, seed: int,
        known: Sequence[Hashable] = (),
    ) -> list[Variation]:  # fmt: skip
        """`n` variations of the codes of an item's windows, at a distance towards codes of the prior.

        No two are equal, and none equals what the codes themselves give or a known one (`key_of`), as far as twenty
        more tries each can tell; see `Model.vary`.
        """
        length = self.length([group])
        lengths = self.lengths(length, [[like] for like in group.items])

        def made(towards: Tensor, distances: Sequence[float], keys: Tensor) -> list[Variation]:
            moved = (
                generate.vary(self.vae, z, towards, distances, keys + window * WINDOWS_APART, own, decoding, seed)
                for window, (z, own) in enumerate(zip(means, lengths, strict=True))
            )
            codes = torch.stack([generate.moved(z, towards, distances) for z in means], 1)
            windows = [self.decoded(arrays, group.items) for arrays in zip(*moved, strict=True)]
            return [Variation(own, z) for own, z in zip(windows, codes, strict=True)]

        def more(place: int) -> list[Variation]:
            distances = distances_of_tries(distance)
            towards = generate.further_prior_codes(self.vae, place, len(distances), seed, self.prior)
            return made(towards, distances, torch.full((len(distances),), place))

        found = made(generate.prior_codes(self.vae, n, seed, self.prior), [distance] * n, torch.arange(n))
        if not distance:
            return found

        def key(variation: Variation) -> Hashable:
            return key_of(self.modality, variation.windows)

        unchanged = key(made(means[:1], [0.0], torch.tensor([0]))[0])
        return distinct(found, more, key, [unchanged, tuple(x.tobytes() for x in group.arrays), *known])

    def piece(self, arrays: Sequence[np.ndarray], like: Sequence[Item]) -> Item:
        """One item for the user, from the arrays of its windows; `like` are the windows that it stands for."""
        return self.given_back(self.decoded(arrays, like))

    def decoded(self, arrays: Sequence[np.ndarray], like: Sequence[Item]) -> list[Item]:
        """The window of each array."""
        return [self.modality.decode(x, own) for x, own in zip(arrays, like, strict=True)]

    def given_back(self, windows: list[Item]) -> Item:
        """The windows of one item, put together where that is asked for."""
        return self.modality.present(windows) if self.presents else windows

    def made(self, arrays: Sequence[np.ndarray]) -> list[Item]:
        """One item for each array."""
        return [self.piece([x], [None]) for x in arrays]
