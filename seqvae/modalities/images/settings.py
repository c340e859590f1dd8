"""The configuration of images: how they are read, what training sees of them, and the nets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from seqvae.config import Values, key
from seqvae.nets.sizes import MOST_UNITS, OF_DECODER, CodeModel

LARGEST_SIZE = 1024
LEAST_STEPS = 2000  # a few hundred images would else be seen for some seconds only
FEW_ITEMS = 2000  # of which smaller batches learn in half the steps
SUITED_TO_FEW: Mapping[str, Values] = {"train": {"batch_size": 32, "steps": 1000, "stop_patience": 8}}
DEFAULTS: Mapping[str, Values] = {
    "objective": {"schedule": "constant"},
    "train": {"batch_size": 128, "log_steps": 100},
}


@dataclass(frozen=True)
class ImageData:
    """How image files are read, and what training sees of them."""

    size: str = key(
        "",
        "height,width that images are resized to, or one number for squares; empty: all are of one size",
        metavar="H,W",
    )
    channels: Literal["auto", "grey", "rgb"] = key("auto", "auto: rgb where any image has colour, else grey")
    binarise: Literal["none", "static", "dynamic"] = key(
        "none",
        "pixels as they are; or drawn black or white with their grey level as probability of white: static once by "
        "binarisation_seed, dynamic anew each time in training (evaluation takes the static draw)",
        use="training",
    )
    binarisation_seed: int = key(0, "seed of the static draw", least=0, below=2**63, use="training")

    def __post_init__(self) -> None:
        """Raises ValueError for a size that is not possible."""
        self.resized_to  # noqa: B018 - checks it

    @property
    def resized_to(self) -> tuple[int, int] | None:
        """(height, width) that images are resized to, or None. Raises ValueError for what is no size."""
        if not self.size:
            return None
        match = re.fullmatch(r"\s*([0-9]+)\s*(?:[,x]\s*([0-9]+)\s*)?", self.size)
        height, width = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not (1 <= height <= LARGEST_SIZE and 1 <= width <= LARGEST_SIZE):
            raise ValueError(
                f"data.size={self.size} is not possible; give height,width such as 32,48, or one number for squares, "
                f"each 1 to {LARGEST_SIZE}"
            )
        return height, width


@dataclass(frozen=True)
class ImageModel(CodeModel):
    """Sizes and wiring of the encoder and decoder of images. Widths and channels stand in the encoder's order."""

    latent: int = key(20, "latent units Z; 2 for pictures of the plane", least=1, most=MOST_UNITS)
    net: Literal["dense", "conv"] = key("dense", "dense layers, or convolutions and deconvolutions of stride 2")
    widths: str = key("400", "dense: units of the hidden layers, such as 512,256; the decoder has them in reverse")
    channels: str = key("32,64", "conv: channels of the convolutions, each of which halves height and width")
    dense: int = key(0, "conv: units of a dense layer before and after the code; 0: none", least=0, most=MOST_UNITS)
    activation: Literal["relu", "tanh", "softplus", "elu", "silu", "none"] = key(
        "relu", "what follows each hidden layer; none: nets that are linear, up to the sigmoid of the pixels"
    )
    likelihood: Literal["bernoulli", "gaussian", "squares", "laplace", "logistic"] = key(
        "bernoulli",
        "of a pixel: bernoulli (binary cross-entropy), gaussian (squared error by a scale), squares (the sum of "
        "squared errors of tutorials: gaussian of scale 0.7071), laplace (absolute error), logistic (256 discretised "
        "levels)",
        parts=OF_DECODER,
    )
    pixel_scale: float = key(
        0.0,
        "gaussian, laplace: fixed scale of a pixel, of which 1 is the way from black to white; 0: learned",
        least=0,
        parts=OF_DECODER,
    )
    corruption: float = key(0.0, "how much the encoder's input is corrupted in training (denoising); 0: not", least=0)
    corruption_kind: Literal["mask", "gaussian"] = key(
        "mask", "mask: this share of the pixels is black; gaussian: noise of this scale"
    )

    def __post_init__(self) -> None:
        """Raises ValueError for a scale beside a likelihood that has its own, and as `CodeModel`."""
        super().__post_init__()
        if self.pixel_scale and self.likelihood == "squares":
            raise ValueError(
                f"model.pixel_scale={self.pixel_scale} is not possible with model.likelihood=squares, whose scale is "
                "fixed; leave it out, or choose gaussian"
            )
