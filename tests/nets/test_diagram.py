"""The layers of whole models: their order, their shapes, and parameters that add up."""

import pytest
import torch
from torch import nn

from seqvae.core.vae import VAE
from seqvae.modalities.images.nets import image_nets
from seqvae.modalities.images.settings import ImageModel
from seqvae.modalities.midi.settings import DrumModel
from seqvae.nets.diagram import Layer, layers_of, text_of
from seqvae.nets.likelihoods import Bernoulli, Categorical
from seqvae.nets.sequences import sequence_nets
from seqvae.nets.steps import Position, bits_of_labels, step_input
from seqvae.types import Batch


def image_model(**sizes: object) -> VAE:
    return VAE(*image_nets((6, 5, 1), ImageModel(**sizes)))


def images() -> Batch:
    return Batch(torch.zeros(2, 1, 6, 5, 1, dtype=torch.uint8), torch.ones(2, dtype=torch.long), torch.arange(2))


def steps(labels: bool = True) -> Batch:
    x = torch.zeros(3, 8, dtype=torch.long) if labels else torch.zeros(3, 8, 4, dtype=torch.uint8)
    return Batch(x, torch.tensor([8, 5, 2]), torch.arange(3))


def sequence_model(labels: bool = True, latent: int = 5, **sizes: object) -> VAE:
    """The nets of sets of four classes, by labels or by events."""
    model = DrumModel(latent=latent, encoder_hidden=7, decoder_hidden=11, **sizes)

    def read(one_hot: bool) -> tuple[nn.Module, int]:
        return step_input(4, labels, model.embedding, model.shared_classes, one_hot)

    def likelihood() -> nn.Module:
        features = bits_of_labels(4) if model.shared_classes else None
        return Categorical(11, 16, True, features) if labels else Bernoulli(11, 4)

    position = (lambda: Position(4, 2, model.position)) if model.position else lambda: None
    return VAE(*sequence_nets(model, lambda: read(False), likelihood, lambda: read(True), position))


def weights_of(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_a_dense_model_is_listed_from_the_data_to_the_code_and_back() -> None:
    assert layers_of(image_model(latent=3, widths="8,4"), images()) == [
        Layer("encoder.layers.0", "Flat", (2, 30), 0),
        Layer("encoder.layers.1", "Linear", (2, 8), 30 * 8 + 8),
        Layer("encoder.layers.2", "ReLU", (2, 8), 0),
        Layer("encoder.layers.3", "Linear", (2, 4), 8 * 4 + 4),
        Layer("encoder.layers.4", "ReLU", (2, 4), 0),
        Layer("to_mean", "Linear", (2, 3), 4 * 3 + 3),
        Layer("to_scale", "Linear", (2, 3), 4 * 3 + 3),
        Layer("z", "Code", (2, 3), 0),
        Layer("decoder.layers.0", "Linear", (2, 4), 3 * 4 + 4),
        Layer("decoder.layers.1", "ReLU", (2, 4), 0),
        Layer("decoder.layers.2", "Linear", (2, 8), 4 * 8 + 8),
        Layer("decoder.layers.3", "ReLU", (2, 8), 0),
        Layer("decoder.likelihood.projection", "Linear", (2, 30), 8 * 30 + 30),
    ]


def test_a_weight_beside_the_layers_of_its_module_stands_before_them() -> None:
    layers = layers_of(image_model(net="conv", channels="2,3", likelihood="gaussian"), images())
    assert layers[-2:] == [
        Layer("decoder.likelihood.log_scale", "Parameter", (1,), 1),
        Layer("decoder.likelihood.projection", "ConvTranspose2d", (2, 6, 5, 1), 2 * 16 + 1),
    ]


SEQUENCES = [
    {},
    {"embedding": 3},
    {"embedding": 3, "shared_classes": True},
    {"embedding": 3, "position": 2, "encoder_layers": 2, "bidirectional": False},
    {"labels": False},
    {"labels": False, "embedding": 3, "decoder_layers": 2},
    {"latent": 0, "embedding": 3},
]


@pytest.mark.parametrize("sizes", SEQUENCES, ids=lambda sizes: ", ".join(map(str, sizes)) or "plain")
def test_the_parameters_of_a_sequence_model_add_up(sizes: dict[str, object]) -> None:
    model = sequence_model(**sizes)
    layers = layers_of(model, steps(bool(sizes.get("labels", True))))
    assert sum(layer.parameters for layer in layers) == weights_of(model)
    names = [layer.name for layer in layers]
    assert len(set(names)) == len(names)
    assert ("z" in names) == bool(model.latent)
    assert names.index("decoder.recurrence.lstm") < names.index("decoder.likelihood.projection")
    if model.latent:
        assert names.index("encoder.layers.0.0") < names.index("to_mean") < names.index("decoder.recurrence.lstm")


def test_an_lstm_shows_its_outputs() -> None:
    by_name = {layer.name: layer for layer in layers_of(sequence_model(embedding=3), steps())}
    lstm = by_name["encoder.layers.0.1"]
    assert lstm == Layer("encoder.layers.0.1", "LSTM", (3, 8, 7), 4 * 7 * (3 + 7 + 2))
    assert by_name["decoder.recurrence.lstm"].output_shape == (3, 8, 11)


def test_what_works_by_segments_shows_what_it_gives_of_each() -> None:
    sizes = {"segment_encoder_hidden": 5, "conductor_hidden": 6, "conductor_layers": 2, "segment_steps": 3}
    model = sequence_model(embedding=3, **sizes)
    layers = layers_of(model, steps())
    assert sum(layer.parameters for layer in layers) == weights_of(model)
    by_name = {layer.name: layer for layer in layers}
    read, over = (by_name[f"encoder.{name}.layers.0.1"] for name in ("steps", "over"))
    assert read == Layer("encoder.steps.layers.0.1", "LSTM", (3, 3, 3, 7), 4 * 7 * (3 + 7 + 2))
    assert over == Layer("encoder.over.layers.0.1", "LSTM", (3, 3, 5), 4 * 5 * (14 + 5 + 2))
    conductor, core = (by_name[f"decoder.recurrence.{name}"] for name in ("conductor", "core.lstm"))
    assert conductor == Layer("decoder.recurrence.conductor", "LSTM", (3, 3, 6), 4 * 6 * (1 + 6 + 2 + 6 + 6 + 2))
    assert core == Layer("decoder.recurrence.core.lstm", "LSTM", (3, 3, 3, 11), 4 * 11 * (3 + 6 + 11 + 2))
    assert layers.index(conductor) < layers.index(core)
    assert [line.split()[2:7] for line in text_of(layers).splitlines() if ".core.lstm" in line] == [
        ["3", "x", "3", "x", "11"]
    ]


def test_what_leaves_its_input_as_it_is_is_no_layer() -> None:
    layers = layers_of(sequence_model(embedding=3), steps()) + layers_of(image_model(activation="none"), images())
    assert not [layer for layer in layers if layer.kind == "Identity"]


class TiedDecoder(nn.Module):
    """Shares its weight with another layer, and has a layer whose weights it uses without running it."""

    def __init__(self, other: nn.Linear) -> None:
        super().__init__()
        self.read = nn.Linear(3, 2)
        self.back = nn.Linear(4, 3)
        self.back.weight = other.weight

    def predict(self, z: torch.Tensor, batch: Batch) -> torch.Tensor:
        return self.back(z @ self.read.weight.T @ torch.ones(2, 4))


class Tied(nn.Module):
    """A model with that decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Linear(4, 3)
        self.decoder = TiedDecoder(self.into)

    def posterior(self, batch: Batch) -> torch.distributions.Normal:
        return torch.distributions.Normal(self.into(batch.x), 1.0)


def tied_layers() -> list[Layer]:
    model, batch = Tied(), Batch(torch.ones(5, 4), torch.full((5,), 4), torch.arange(5))
    assert weights_of(model) == 12 + 3 + 8 + 3
    return layers_of(model, batch)


def test_shared_weights_count_once_and_unseen_ones_where_they_stand() -> None:
    assert tied_layers() == [
        Layer("into", "Linear", (5, 3), 15),
        Layer("z", "Code", (5, 3), 0),
        Layer("decoder.read", "Linear", (), 8),
        Layer("decoder.back", "Linear", (5, 3), 3),
    ]


def test_a_model_is_left_as_it_was() -> None:
    model = image_model()
    layers_of(model, images())
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_text_is_aligned_and_sums_the_parameters() -> None:
    assert text_of([*tied_layers(), Layer("scale", "Parameter", (1,), 1000)]).splitlines() == [
        "layer         kind       output  parameters",
        "into          Linear     3               15",
        "z             Code       3",
        "decoder.read  Linear                      8",
        "decoder.back  Linear     3                3",
        "scale         Parameter  1            1,000",
        "total                                 1,026",
    ]
