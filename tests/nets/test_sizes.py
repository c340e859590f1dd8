"""Sizes and wiring that exclude each other are refused in one sentence."""

from typing import Any

import pytest

from seqvae.config import from_dict
from seqvae.modalities.images.settings import ImageModel
from seqvae.modalities.midi.settings import DrumModel
from seqvae.nets.sizes import SequenceModel


@pytest.mark.parametrize(
    ("kind", "other"),
    [(SequenceModel, {"latent": 0}), (DrumModel, {"posterior": "point"}), (ImageModel, {"posterior": "point"})],
)
def test_a_least_divergence_of_a_model_without_one_is_refused(kind: type, other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"model\.least_kl_nats=2 is not possible with model\.\w+=\w+, which has no"):
        from_dict(kind, {"least_kl_nats": 2.0, **other}, "model")
    assert from_dict(kind, {"least_kl_nats": 2.0}, "model").least_kl_nats == 2.0
