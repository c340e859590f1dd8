"""Latent spaces of sequences: train, sample, reconstruct, interpolate, evaluate."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqvae.api import resume, train
    from seqvae.choosing import at_sliders, where
    from seqvae.datasets import mnist
    from seqvae.fitting import fit_constraints, fit_prior, personalise
    from seqvae.generate import Decoding
    from seqvae.magenta.runs import import_magenta
    from seqvae.modalities.items import Items
    from seqvae.model import Model, load

__version__ = "0.1.0"
__all__ = [
    "Decoding",
    "Items",
    "Model",
    "__version__",
    "at_sliders",
    "fit_constraints",
    "fit_prior",
    "import_magenta",
    "load",
    "mnist",
    "personalise",
    "resume",
    "train",
    "where",
]

_PUBLIC = {
    "Decoding": "seqvae.generate",
    "Items": "seqvae.modalities.items",
    "Model": "seqvae.model",
    "at_sliders": "seqvae.choosing",
    "fit_constraints": "seqvae.fitting",
    "fit_prior": "seqvae.fitting",
    "import_magenta": "seqvae.magenta.runs",
    "load": "seqvae.model",
    "mnist": "seqvae.datasets",
    "personalise": "seqvae.fitting",
    "resume": "seqvae.api",
    "train": "seqvae.api",
    "where": "seqvae.choosing",
}


def __getattr__(name: str) -> Any:
    """Import torch only when something that needs it is used."""
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'seqvae' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
