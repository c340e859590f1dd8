"""Published corpora as arrays."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from seqvae import downloads
from seqvae.modalities.images import idx


class LabelledImages(NamedTuple):
    """Images (N, H, W) uint8 and their labels (N,) uint8: a pair that `seqvae.train` and `Model.evaluate` take."""

    images: np.ndarray
    labels: np.ndarray


def mnist(folder: Path | str = "data/mnist") -> dict[str, LabelledImages]:
    """MNIST, handwritten digits of 28 x 28 pixels, by split: 60,000 of "train" and 10,000 of "test".

    Its four files are downloaded into the folder, 12 MB, unless they are there. Raises ValueError when they cannot be
    had, or are others than those that were published.

    >>> digits = seqvae.mnist()  # doctest: +SKIP
    >>> seqvae.train("images", digits["train"], "runs/plane", recipe="mnist-plane")  # doctest: +SKIP
    """
    paths = iter(map(idx.load, downloads.mnist(Path(folder))))
    return {"train": LabelledImages(next(paths), next(paths)), "test": LabelledImages(next(paths), next(paths))}
