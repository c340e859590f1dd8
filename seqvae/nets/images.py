"""Dense and convolutional encoders and decoders of images."""

import itertools
from typing import Literal, Protocol

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from seqvae.nets.likelihoods import Draw
from seqvae.nets.pixels import BRIGHTEST, BernoulliPixels, PixelLikelihood, levels
from seqvae.noise import Noise
from seqvae.types import Batch

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "elu": nn.ELU,
    "silu": nn.SiLU,
}


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


class ImageEncoder(nn.Module):
    """An image to features: `layers` over its values as shares of white."""

    def __init__(self, layers: nn.Sequential, features: int) -> None:
        super().__init__()
        self.layers = layers
        self.features = features

    def forward(self, batch: Batch, noise: Noise | None = None) -> Float[Tensor, "B F"]:
        """Features of each image."""
        dtype = next(self.layers.parameters()).dtype
        shares = batch.x.squeeze(1).to(dtype).div_(BRIGHTEST)  # (B, H, W, C)
        features: Tensor = self.layers(shares.flatten(1))
        return features


class ImageDecoder(nn.Module):
    """z to the distribution of an image: `layers`, then the likelihood with its projection. There is one step."""

    has_steps = False
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

    def draw(self, z: Float[Tensor, "B Z"], noise: Noise, draw: Draw) -> UInt8[Tensor, "B 1 H W C"]:
        """One image for each code as `draw` says; the mean when it is greedy."""
        return self.likelihood.draw(self.layers(z), noise, draw).unsqueeze(1)


def image_nets(
    shape: tuple[int, int, int], model: ImageSizes, mean: Float[Tensor, "H W C"] | None = None
) -> tuple[ImageEncoder, ImageDecoder]:
    """Encoder and decoder of images of a shape (H, W, C), with weights drawn from torch's global generator.

    `mean` is the mean image of the training data, which the decoder starts at.
    """
    height, width, channels = shape
    values = height * width * channels
    widths = _sizes("widths", model.widths)
    activation = ACTIVATIONS[model.activation]
    encoder = ImageEncoder(_dense([values, *widths], activation), widths[-1])
    layers = _dense([model.latent, *reversed(widths)], activation)
    likelihood = BernoulliPixels(nn.Linear(widths[0], values), shape, mean)
    return encoder, ImageDecoder(layers, likelihood, model.latent)


def _sizes(name: str, text: str) -> list[int]:
    """The sizes of a comma-separated list. Raises ValueError when it is none."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and int(word) for word in words):
        raise ValueError(f"model.{name}={text} is not possible; give whole numbers from 1 with commas, such as 512,256")
    return [int(word) for word in words]


def _dense(sizes: list[int], activation: type[nn.Module]) -> nn.Sequential:
    """Linear layers between the sizes, each with its activation."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers)
