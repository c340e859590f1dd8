"""The configuration of images: how they are read, and what training sees of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from seqvae.config import key

LARGEST_SIZE = 1024
LEAST_STEPS = 2000  # a few hundred images would else be seen for some seconds only
READING_KEYS = frozenset({"binarise", "binarisation_seed"})
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "objective": {"schedule": "constant"},
    "train": {"batch_size": 128, "log_steps": 100},
}


@dataclass(frozen=True)
class ImageData:
    """How image files are read, and what training sees of them."""

    size: str = key(
        "", "height,width that images are resized to, or one number for squares; empty: all are of one size"
    )
    channels: Literal["auto", "grey", "rgb"] = key("auto", "auto: rgb where any image has colour, else grey")
    binarise: Literal["none", "static", "dynamic"] = key(
        "none",
        "pixels as they are; or drawn black or white with their grey level as probability of white: static once by "
        "binarisation_seed, dynamic anew each time in training (evaluation takes the static draw)",
    )
    binarisation_seed: int = key(0, "seed of the static draw", least=0, below=2**63)

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
