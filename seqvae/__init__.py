"""Latent spaces of sequences: train, sample, reconstruct, interpolate, evaluate."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqvae.adding import add_attributes
    from seqvae.api import resume, train
    from seqvae.attribute_fitting import fit_attribute
    from seqvae.choosing import at_sliders, where
    from seqvae.datasets import mnist
    from seqvae.finding import Index, index
    from seqvae.fitting import fit_constraints, fit_prior, personalise
    from seqvae.generate import Decoding
    from seqvae.local_direction import Neighbours
    from seqvae.magenta.runs import import_magenta
    from seqvae.modalities.items import Items
    from seqvae.model import Model, load
    from seqvae.models import copy_model

__version__ = "0.1.0"
__all__ = [
    "Decoding",
    "Index",
    "Items",
    "Model",
    "Neighbours",
    "__version__",
    "add_attributes",
    "at_sliders",
    "copy_model",
    "fit_attribute",
    "fit_constraints",
    "fit_prior",
    "import_magenta",
    "index",
    "load",
    "mnist",
    "personalise",
    "resume",
    "train",
    "where",
]

_PUBLIC = {
    "Decoding": "seqvae.generate",
    "Index": "seqvae.finding",
    "Items": "seqvae.modalities.items",
    "Model": "seqvae.model",
    "Neighbours": "seqvae.local_direction",
    "add_attributes": "seqvae.adding",
    "at_sliders": "seqvae.choosing",
    "copy_model": "seqvae.models",
    "fit_attribute": "seqvae.attribute_fitting",
    "fit_constraints": "seqvae.fitting",
    "fit_prior": "seqvae.fitting",
    "import_magenta": "seqvae.magenta.runs",
    "index": "seqvae.finding",
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
