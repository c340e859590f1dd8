"""Encoder and decoder of images, whatever layers they are made of."""

from typing import Literal

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from seqvae.nets.cross_entropy import BRIGHTEST
from seqvae.nets.draws import Choice
from seqvae.nets.pixels import PixelLikelihood, Shape, levels
from seqvae.noise import Noise
from seqvae.types import Batch


class Flat(nn.Module):
    """(B, C, H, W) as (B, H * W * C): no copy where channels stand last in memory, where convolutions are fastest."""

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B F"]:
        """The values of each image in the order height, width, channel."""
        return x.permute(0, 2, 3, 1).flatten(1)


class Planes(nn.Module):
    """(B, H * W * C) as (B, C, H, W) with channels last in memory: what `Flat` undoes."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Float[Tensor, "B F"]) -> Float[Tensor, "B C H W"]:
        """The values of each image as planes."""
        return x.unflatten(1, self.shape).permute(0, 3, 1, 2)


class Corruption(nn.Module):
    """Shares of white (B, H, W, C) with noise on them, for an encoder that is to see through it (Vincent et al. 2008).

    mask: this share of the pixels is black, all channels of one together. gaussian: noise of this scale is added.
    """

    def __init__(self, amount: float, kind: Literal["mask", "gaussian"]) -> None:
        super().__init__()
        if amount < 0 or (kind == "mask" and amount >= 1):
            possible = "a share in [0, 1)" if kind == "mask" else "0 or more"
            raise ValueError(f"model.corruption={amount} is not possible with corruption_kind={kind}; give {possible}")
        self.amount = amount
        self.kind = kind

    def forward(self, shares: Float[Tensor, "B H W C"], noise: Noise) -> Float[Tensor, "B H W C"]:
        """The corrupted shares; an image meets the same noise in any batch."""
        shape = shares.shape[1:]
        if self.kind == "mask":
            kept = noise.keep("corruption", self.amount, 1, shape[0] * shape[1])
            return shares * kept.unflatten(2, (shape[0], shape[1], 1)).squeeze(1)
        return shares + noise.normal("corruption", shape.numel()).mul_(self.amount).to(shares).unflatten(1, shape)


class ImageEncoder(nn.Module):
    """An image to features: `layers` over its channels (C, H, W) as shares of white.

    With noise, that is in training, the layers see what `corruption` leaves of the image.
    """

    def __init__(self, layers: nn.Sequential, features: int, corruption: Corruption | None = None) -> None:
        super().__init__()
        self.layers = layers
        self.features = features
        self.corruption = corruption

    def forward(self, batch: Batch, noise: Noise | None = None) -> Float[Tensor, "B F"]:
        """Features of each image."""
        features: Tensor = self.layers(self.corrupted(batch, noise).permute(0, 3, 1, 2))
        return features

    def corrupted(self, batch: Batch, noise: Noise | None) -> Float[Tensor, "B H W C"]:
        """What the layers see of each image, as shares of white."""
        dtype = next(self.layers.parameters()).dtype
        shares = batch.x.squeeze(1).to(dtype).div_(BRIGHTEST)
        return shares if noise is None or self.corruption is None else self.corruption(shares, noise)


class ImageDecoder(nn.Module):
    """z to the distribution of an image: `layers`, then the likelihood with its projection. There is one step."""

    has_steps = False
    layers: nn.Sequential
    likelihood: PixelLikelihood

    def __init__(self, layers: nn.Sequential, likelihood: PixelLikelihood, latent: int) -> None:
        super().__init__()
        self.layers = layers
        self.likelihood = likelihood
        self.latent = latent

    def step_log_prob(
        self, z: Float[Tensor, "B Z"], batch: Batch, noise: Noise | None = None, sampling_probability: float = 0.0
    ) -> Float[Tensor, "B 1"]:
        """log p(x|z) in nats of the one step."""
        return self.log_prob(z, batch, noise, sampling_probability).unsqueeze(1)

    def log_prob(
        self, z: Float[Tensor, "B Z"], batch: Batch, noise: Noise | None = None, sampling_probability: float = 0.0
    ) -> Float[Tensor, " B"]:
        """log p(x|z) in nats. Images have no inputs of their own, so noise and sampling change nothing."""
        return self.likelihood.log_prob(self.layers(z), batch.x.squeeze(1))

    def predict(self, z: Float[Tensor, "B Z"], batch: Batch) -> UInt8[Tensor, "B 1 H W C"]:
        """The mean image, rounded to grey levels."""
        return levels(self.likelihood.mean(self.layers(z))).unsqueeze(1)

    def draw(self, z: Float[Tensor, "B Z"], noise: Noise, choice: Choice) -> UInt8[Tensor, "B 1 H W C"]:
        """One image for each code as `choice` says; the mean when it is greedy."""
        return self.likelihood.draw(self.layers(z), noise, choice).unsqueeze(1)
