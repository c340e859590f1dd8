"""Codes as points of a plane that keeps neighbours together: t-SNE and UMAP."""

import importlib
import warnings
from types import ModuleType
from typing import Literal, get_args

import numpy as np

Projection = Literal["pca", "tsne", "umap"]
NAMES = {"tsne": "t-SNE", "umap": "UMAP"}
_NEEDED = {"tsne": ("sklearn.manifold", "scikit-learn", "latent"), "umap": ("umap", "umap-learn", "map")}  # of an extra
PERPLEXITY, NEIGHBOURS = 30.0, 15  # at most; of few codes fewer
LEAST = 4  # codes


def check_projection(projection: str) -> None:
    """Raises ValueError for an unknown projection, and where the package that makes it is not installed."""
    if projection not in get_args(Projection):
        raise ValueError(f"no projection {projection!r}; there are {', '.join(get_args(Projection))}")
    if projection in NAMES:
        _module_of(projection)


def by_neighbours(codes: np.ndarray, projection: Projection, seed: int = 0) -> np.ndarray:
    """(N, 2) points of codes (N, Z) that keep neighbours together.

    By t-SNE (van der Maaten and Hinton 2008) or UMAP (McInnes et al. 2018). How far groups are from each other, and how
    large they are, means nothing in them.

    Raises ValueError for fewer than four codes, and as `check_projection`.
    """
    check_projection(projection)
    if len(codes) < LEAST:
        raise ValueError(f"{len(codes)} codes are too few for {NAMES[projection]}; give {LEAST} or more, or take pca")
    module, exact = _module_of(projection), np.asarray(codes, np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the libraries choose by themselves, they say
        if projection == "tsne":
            perplexity = min(PERPLEXITY, (len(exact) - 1) / 3)
            made = module.TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
        else:
            made = module.UMAP(n_neighbors=min(NEIGHBOURS, len(exact) - 1), random_state=seed, n_jobs=1)
        return np.asarray(made.fit_transform(exact), np.float64)


def _module_of(projection: str) -> ModuleType:
    """What makes a projection. Raises ValueError where it is not installed."""
    name, package, extra = _NEEDED[projection]
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ValueError(
            f"projection={projection} is made with {package}, which is not here; install it with pip install "
            f"'seqvae[{extra}]', or take another one"
        ) from None
