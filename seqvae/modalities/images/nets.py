"""The dense and convolutional nets of a model configuration."""

import itertools
import math
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from seqvae.modalities.images.settings import ImageModel
from seqvae.nets.images import Corruption, Flat, ImageDecoder, ImageEncoder, Planes
from seqvae.nets.pixels import (
    GAUSSIAN,
    LAPLACE,
    BernoulliPixels,
    Density,
    DensityPixels,
    LogisticPixels,
    PixelLikelihood,
    Shape,
)
from seqvae.nets.sizes import MOST_UNITS

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "elu": nn.ELU,
    "silu": nn.SiLU,
    "none": nn.Identity,
}
DENSITIES: dict[str, Density] = {"gaussian": GAUSSIAN, "squares": GAUSSIAN, "laplace": LAPLACE}
SCALE_OF_SQUARES = 0.5**0.5  # of a normal whose negative logarithm is the sum of squares and a constant
Halves = tuple[nn.Sequential, int, nn.Sequential, nn.Module]  # encoder, its features, decoder, projection


def image_nets(
    shape: Shape, model: ImageModel, mean: Float[Tensor, "H W C"] | None = None
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


def _dense_nets(shape: Shape, model: ImageModel, activation: type[nn.Module]) -> Halves:
    values, widths = math.prod(shape), _sizes("widths", model.widths)
    encoder = [Flat(), *_dense([values, *widths], activation)]
    decoder = _dense([model.latent, *reversed(widths)], activation)
    projection = nn.Linear(widths[0], _outputs_per_value(model) * values)
    return nn.Sequential(*encoder), widths[-1], nn.Sequential(*decoder), projection


def _conv_nets(shape: Shape, model: ImageModel, activation: type[nn.Module]) -> Halves:
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
        channels_out = outer if depth else _outputs_per_value(model) * outer
        deconvolutions[:0] = [nn.ConvTranspose2d(inner, channels_out, 4, 2, padding, odd), activation()]
        height, width = (height + odd[0]) // 2, (width + odd[1]) // 2
    *deconvolutions, projection, _ = deconvolutions
    innermost = height, width, channels[-1]
    between = [model.dense] if model.dense else []
    encoder += [Flat(), *_dense([math.prod(innermost), *between], activation)]
    codes = _dense([model.latent, *between, math.prod(innermost)], activation)
    decoder = nn.Sequential(*codes, Planes(innermost), *deconvolutions)
    return nn.Sequential(*encoder), model.dense or math.prod(innermost), decoder, projection


def _outputs_per_value(model: ImageModel) -> int:
    """What the projection gives for each value."""
    return LogisticPixels.outputs_per_value if model.likelihood == "logistic" else 1


def _likelihood(
    shape: Shape, model: ImageModel, projection: nn.Module, mean: Float[Tensor, "H W C"] | None
) -> PixelLikelihood:
    if model.likelihood in DENSITIES:
        scale = SCALE_OF_SQUARES if model.likelihood == "squares" else model.pixel_scale
        return DensityPixels(DENSITIES[model.likelihood], projection, shape, mean, scale)
    return (LogisticPixels if model.likelihood == "logistic" else BernoulliPixels)(projection, shape, mean)


def _sizes(name: str, text: str) -> list[int]:
    """The sizes of a comma-separated list. Raises ValueError when it is none."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and 0 < int(word) <= MOST_UNITS for word in words):
        raise ValueError(
            f"model.{name}={text} is not possible; give whole numbers from 1 to {MOST_UNITS} with commas, such as "
            "512,256"
        )
    return [int(word) for word in words]


def _dense(sizes: list[int], activation: type[nn.Module]) -> list[nn.Module]:
    """Linear layers between the sizes, each with its activation."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), activation()]
    return layers
