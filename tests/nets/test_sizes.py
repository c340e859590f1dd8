"""Sizes and wiring that exclude each other are refused in one sentence."""

import re
from typing import Any
from unittest.mock import Mock

import pytest

from seqvae.config import from_dict
from seqvae.modalities.images.settings import ImageModel
from seqvae.modalities.midi.settings import DrumModel, GrooveModel
from seqvae.modalities.midi.voice_settings import MelodyModel, TrioModel
from seqvae.modalities.text.settings import TextModel
from seqvae.nets.sequences import sequence_nets
from seqvae.nets.sizes import SequenceModel

SKIPS = ("none", "layers", "output", "both")


@pytest.mark.parametrize("name", ["least_kl_nats", "batch_norm_scale"])
@pytest.mark.parametrize(
    ("kind", "other"),
    [(SequenceModel, {"latent": 0}), (DrumModel, {"posterior": "point"}), (ImageModel, {"posterior": "point"})],
)
def test_a_floor_of_the_divergence_of_a_model_without_one_is_refused(
    name: str, kind: type, other: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=rf"model\.{name}=2 is not possible with model\.\w+=\w+, which has no KL"):
        from_dict(kind, {name: 2.0, **other}, "model")
    assert getattr(from_dict(kind, {name: 2.0}, "model"), name) == 2.0


WIDTHS = {
    SequenceModel: (
        "latent", "embedding", "encoder_hidden", "decoder_hidden", "segment_encoder_hidden", "conductor_hidden",
        "output_projection",
    ),
    TextModel: ("latent", "embedding"),
    MelodyModel: ("embedding", "position"),
    TrioModel: ("embedding", "position"),
    DrumModel: ("embedding", "position", "nade_hidden"),
    GrooveModel: ("embedding", "nade_hidden"),
    ImageModel: ("latent", "dense"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in WIDTHS.items() for name in names])
def test_a_layer_wider_than_any_memory_is_refused_with_the_range(kind: type, name: str) -> None:
    with pytest.raises(ValueError, match=rf"^model\.{name}=1000000000 is not possible; give [01] to 65536$"):
        from_dict(kind, {name: 10**9}, "model")
    assert getattr(from_dict(kind, {name: 65_536}, "model"), name) == 65_536


def test_two_floors_of_the_divergence_exclude_each_other() -> None:
    with pytest.raises(ValueError, match=r"model\.least_kl_nats=3 and model\.batch_norm_scale=0\.5 exclude each other"):
        from_dict(SequenceModel, {"least_kl_nats": 3.0, "batch_norm_scale": 0.5}, "model")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"code_skips": "output", "latent": 0}, "code_skips=output is not possible with model.latent=0"),
        (
            {"code_skips": "both"},
            "code_skips=both is not possible with model.decoder_layers=1, which has no layer above",
        ),
    ],
)
def test_a_code_that_is_read_where_there_is_none_or_no_layer_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        from_dict(SequenceModel, values, "model")


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        (SequenceModel, {"conductor_reads": "code"}, "conductor_reads=code is of a conductor, and there is none; set"),
        (SequenceModel, {"conductor_hidden": 9, "latent": 0}, "conductor_hidden=9 is not possible with model.latent=0"),
        (DrumModel, {"segment_encoder_hidden": 9, "latent": 0}, "segment_encoder_hidden=9 is not possible with model."),
        (
            DrumModel,
            {"segment_steps": 4},
            "segment_steps=4 is of a conductor or of an encoder over segments, and there",
        ),
        (TextModel, {"conductor_hidden": 9}, "conductor_hidden=9 works by segments, and text has no bars; set model."),
        (TextModel, {"segment_encoder_hidden": 9}, "segment_encoder_hidden=9 works by segments, and text has no bars"),
    ],
)
def test_segments_without_a_code_without_who_reads_them_or_of_no_length_are_refused(
    kind: type, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        from_dict(kind, values, "model")
    assert from_dict(kind, {"conductor_hidden": 9, "segment_steps": 4}, "model").segment_steps == 4


def test_the_output_layer_reads_the_code_where_that_is_asked_for() -> None:
    sizes = {"latent": 3, "decoder_hidden": 7, "decoder_layers": 2}
    read = {skips: SequenceModel(**sizes, code_skips=skips).output_features for skips in SKIPS}
    assert read == {"none": 7, "layers": 7, "output": 10, "both": 10}


def test_the_output_layer_reads_projected_states_and_the_code_beside_them() -> None:
    sizes = {"latent": 3, "decoder_hidden": 7, "output_projection": 5}
    assert SequenceModel(**sizes).output_features == 5
    assert SequenceModel(**sizes, code_skips="output").output_features == 8


def test_a_projection_that_fits_no_tied_embeddings_is_refused_by_name() -> None:
    model = SequenceModel(embedding=7, decoder_hidden=7, output_projection=5)
    words = r"model\.embedding=7 and model\.output_projection=5; make them equal"
    with pytest.raises(ValueError, match=words):
        sequence_nets(model, Mock(), Mock(), Mock(), tied_embeddings=True)


def test_tied_embeddings_have_the_size_of_all_that_the_output_layer_reads() -> None:
    model = SequenceModel(latent=3, embedding=7, decoder_hidden=7, code_skips="output")
    words = r"model\.embedding=7 and model\.decoder_hidden=7 \+ model\.latent=3; make them equal"
    with pytest.raises(ValueError, match=words):
        sequence_nets(model, Mock(), Mock(), Mock(), tied_embeddings=True)
