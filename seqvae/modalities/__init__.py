"""The registry of modalities: one line each, imported only when asked for."""

from importlib import import_module

from seqvae.config import nearest
from seqvae.modalities.base import Modality

REGISTRY = {
    "drums": "seqvae.modalities.midi.drums:Drums",
    "groove": "seqvae.modalities.midi.groove:Groove",
    "images": "seqvae.modalities.images.images:Images",
    "melody": "seqvae.modalities.midi.melody:Melody",
    "text": "seqvae.modalities.text.sentences:Text",
    "trio": "seqvae.modalities.midi.trio:Trio",
}


def get(name: str) -> type[Modality]:
    """The class of a modality. Raises ValueError for an unknown name, with the nearest known one."""
    if name not in REGISTRY:
        raise ValueError(f"no modality '{name}'; there are {', '.join(sorted(REGISTRY))}.{nearest(name, REGISTRY)}")
    module, _, attribute = REGISTRY[name].partition(":")
    modality: type[Modality] = getattr(import_module(module), attribute)
    return modality
