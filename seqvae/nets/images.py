"""Dense and convolutional encoders and decoders of images."""

import itertools
import math
from typing import Literal, Protocol, cast, runtime_checkable

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from seqvae.nets.cross_entropy import BRIGHTEST
from seqvae.nets.likelihoods import Choice
from seqvae.nets.pixels import (
    BernoulliPixels,
    GaussianPixels,
    LaplacePixels,
    LogisticPixels,
    PixelLikelihood,
    Shape,
    levels,
)
from seqvae.noise import Noise
from seqvae.types import Batch

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "elu": nn.ELU,
    "silu": nn.SiLU,
}
LIKELIHOODS: dict[str, type[PixelLikelihood]] = {
    "bernoulli": BernoulliPixels,
    "gaussian": GaussianPixels,
    "laplace": LaplacePixels,
    "logistic": LogisticPixels,
}

Halves = tuple[nn.Sequential, int, nn.Sequential, nn.Module]  # encoder, its features, decoder, projection


@runtime_checkable
class ImageSizes(Protocol):
    """The sizes and wiring that `image_nets` reads; the modality's configuration has them."""

    @property
    def latent(self) -> int:
        """Latent units Z."""
        ...

    @property
    def net(self) -> Literal["dense", "conv"]:
        """Dense layers, or convolutions and deconvolutions."""
        ...

    @property
    def widths(self) -> str:
        """Units of the dense hidden layers in the encoder's order, such as 512,256."""
        ...

    @property
    def channels(self) -> str:
        """Channels of the convolutions in the encoder's order."""
        ...

    @property
    def dense(self) -> int:
        """Units of a dense layer between the convolutions and the code; 0 is none."""
        ...

    @property
    def activation(self) -> str:
        """What follows each hidden layer."""
        ...

    @property
    def likelihood(self) -> Literal["bernoulli", "gaussian", "laplace", "logistic"]:
        """The distribution of a pixel."""
        ...

    @property
    def pixel_scale(self) -> float:
        """The fixed scale of a Gaussian or Laplace pixel; 0 is a learned one."""
        ...

    @property
    def corruption(self) -> float:
        """How much the encoder's input is corrupted in training."""
        ...

    @property
    def corruption_kind(self) -> Literal["mask", "gaussian"]:
        """How it is corrupted."""
        ...

    @property
    def code_initial_scale(self) -> float:
        """The scale that the decoder's first layer starts with; 0 leaves it as torch draws it."""
        ...


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
        dtype = next(self.layers.parameters()).dtype
        shares = batch.x.squeeze(1).to(dtype).div_(BRIGHTEST)  # (B, H, W, C)
        if noise is not None and self.corruption is not None:
            shares = self.corruption(shares, noise)
        features: Tensor = self.layers(shares.permute(0, 3, 1, 2))
        return features


class ImageDecoder(nn.Module):
    """z to the distribution of an image: `layers`, then the likelihood with its projection. There is one step."""

    has_steps = False
    layers: nn.Sequential
    likelihood: PixelLikelihood

    def __init__(self, layers: nn.Sequential, likelihood: nn.Module, latent: int) -> None:
        super().__init__()
        self.layers = layers
        self.likelihood = likelihood  # type: ignore[assignment]
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

    def draw(self, z: Float[Tensor, "B Z"], noise: Noise, draw: Choice) -> UInt8[Tensor, "B 1 H W C"]:
        """One image for each code as `draw` says; the mean when it is greedy."""
        return self.likelihood.draw(self.layers(z), noise, draw).unsqueeze(1)


def image_nets(
    shape: Shape, model: ImageSizes, mean: Float[Tensor, "H W C"] | None = None
) -> tuple[ImageEncoder, ImageDecoder]:
    """Encoder and decoder of images of a shape (H, W, C), with weights drawn from torch's global generator.

    `mean` is the mean image of the training data, which the decoder starts at.
    """
    activation = ACTIVATIONS[model.activation]
    nets = _dense_nets if model.net == "dense" else _conv_nets
    layers, features, decoder_layers, projection = nets(shape, model, activation)
    corruption = Corruption(model.corruption, model.corruption_kind) if model.corruption else None
    decoder = ImageDecoder(decoder_layers, _likelihood(shape, model, projection, mean), model.latent)
    if model.code_initial_scale:
        first = cast(nn.Linear, decoder_layers[0])
        nn.init.normal_(first.weight, std=model.code_initial_scale)
        nn.init.zeros_(first.bias)
    return ImageEncoder(layers, features, corruption), decoder


def _dense_nets(shape: Shape, model: ImageSizes, activation: type[nn.Module]) -> Halves:
    values, widths = math.prod(shape), _sizes("widths", model.widths)
    encoder = [Flat(), *_dense([values, *widths], activation)]
    decoder = _dense([model.latent, *reversed(widths)], activation)
    projection = nn.Linear(widths[0], LIKELIHOODS[model.likelihood].outputs_per_value * values)
    return nn.Sequential(*encoder), widths[-1], nn.Sequential(*decoder), projection


def _conv_nets(shape: Shape, model: ImageSizes, activation: type[nn.Module]) -> Halves:
    """Convolutions that halve height and width (odd ones rounded up), and deconvolutions that undo each.

    Kernels of four pixels at stride two meet every pixel equally often, so deconvolutions draw no checkerboard.
    """
    height, width, colours = shape
    channels = [colours, *_sizes("channels", model.channels)]
    encoder: list[nn.Module] = []
    deconvolutions: list[nn.Module] = []
    for depth, (outer, inner) in enumerate(itertools.pairwise(channels)):
        odd = height % 2, width % 2
        padding = 1 + odd[0], 1 + odd[1]
        encoder += [nn.Conv2d(outer, inner, 4, 2, padding), activation()]
        given = outer if depth else LIKELIHOODS[model.likelihood].outputs_per_value * outer
        deconvolutions[:0] = [nn.ConvTranspose2d(inner, given, 4, 2, padding, odd), activation()]
        height, width = (height + odd[0]) // 2, (width + odd[1]) // 2
    *deconvolutions, projection, _ = deconvolutions
    innermost = height, width, channels[-1]
    between = [model.dense] if model.dense else []
    encoder += [Flat(), *_dense([math.prod(innermost), *between], activation)]
    codes = _dense([model.latent, *between, math.prod(innermost)], activation)
    decoder = nn.Sequential(*codes, Planes(innermost), *deconvolutions)
    return nn.Sequential(*encoder), model.dense or math.prod(innermost), decoder, projection


def _likelihood(
    shape: Shape, model: ImageSizes, projection: nn.Module, mean: Float[Tensor, "H W C"] | None
) -> nn.Module:
    if model.likelihood == "gaussian":
        return GaussianPixels(projection, shape, mean, model.pixel_scale)
    if model.likelihood == "laplace":
        return LaplacePixels(projection, shape, mean, model.pixel_scale)
    return (LogisticPixels if model.likelihood == "logistic" else BernoulliPixels)(projection, shape, mean)


def _sizes(name: str, text: str) -> list[int]:
    """The sizes of a comma-separated list. Raises ValueError when it is none."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and int(word) for word in words):
        raise ValueError(f"model.{name}={text} is not possible; give whole numbers from 1 with commas, such as 512,256")
    return [int(word) for word in words]


def _dense(sizes: list[int], activation: type[nn.Module]) -> list[nn.Module]:
    """Linear layers between the sizes, each with its activation."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), activation()]
    return layers
