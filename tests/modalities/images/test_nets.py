"""Image encoders and decoders of any size against formulas written out, alone and in batches, and their noise."""

import math
from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from seqvae.core.vae import VAE
from seqvae.modalities.images.nets import image_nets
from seqvae.modalities.images.settings import ImageModel
from seqvae.nets.draws import Choice
from seqvae.nets.images import Flat, ImageDecoder, ImageEncoder, Planes
from seqvae.noise import Noise
from seqvae.types import Batch

ROWS = 3
SHAPES = [(28, 27, 1), (5, 9, 3), (1, 2, 1), (13, 6, 3)]
LIKELIHOODS = ["bernoulli", "gaussian", "laplace", "logistic"]


SMALL = ImageModel(latent=4, widths="11,7", channels="5,8", activation="tanh")
NETS = [SMALL, replace(SMALL, net="conv"), replace(SMALL, net="conv", channels="3,5,8", dense=6)]
nets = pytest.mark.parametrize("sizes", NETS, ids=["dense", "conv", "conv with a dense layer"])
shapes = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: " x ".join(map(str, shape)))


def make(shape: tuple[int, int, int], sizes: ImageModel) -> tuple[ImageEncoder, ImageDecoder]:
    torch.manual_seed(0)
    encoder, decoder = image_nets(shape, sizes)
    return encoder.double(), decoder.double()


def batch(shape: tuple[int, int, int], rows: int = ROWS) -> Batch:
    x = torch.randint(256, (rows, 1, *shape), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    return Batch(x, torch.ones(rows, dtype=torch.long), torch.arange(70, 70 + rows))


def rows_of(data: Batch, rows: Tensor) -> Batch:
    return Batch(data.x[rows], data.lengths[rows], data.keys[rows])


def codes(rows: int = ROWS, latent: int = 4) -> Tensor:
    return torch.randn(rows, latent, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


# Wiring ---------------------------------------------------------------------------------------------------------


def test_dense_nets_are_their_formula() -> None:
    shape = (4, 3, 2)
    (encoder, decoder), data, z = make(shape, SMALL), batch(shape), codes()
    flat = data.x.flatten(1).double() / 255

    def through(layers: nn.Module, values: Tensor) -> Tensor:
        for layer in (module for module in layers.modules() if isinstance(module, nn.Linear)):
            values = torch.tanh(values @ layer.weight.T + layer.bias)
        return values

    assert torch.allclose(encoder(data), through(encoder.layers, flat), atol=1e-12)
    projection = decoder.likelihood.projection
    logits = through(decoder.layers, z) @ projection.weight.T + projection.bias
    expected = torch.distributions.Bernoulli(logits=logits, validate_args=False).log_prob(flat).sum(1)
    assert torch.allclose(decoder.log_prob(z, data), expected, atol=1e-10)


def test_the_decoder_mirrors_the_widths_of_the_encoder() -> None:
    encoder, decoder = make((4, 3, 2), replace(SMALL, widths=" 11, 7,5"))
    linear = [[m for m in net.modules() if isinstance(m, nn.Linear)] for net in (encoder, decoder)]
    assert [(m.in_features, m.out_features) for m in linear[0]] == [(24, 11), (11, 7), (7, 5)]
    assert [(m.in_features, m.out_features) for m in linear[1]] == [(4, 5), (5, 7), (7, 11), (11, 24)]
    assert encoder.features == 5


def test_convolutions_halve_the_image_and_deconvolutions_undo_it() -> None:
    encoder, decoder = make((28, 27, 3), replace(SMALL, net="conv", dense=6, likelihood="logistic"))
    seen: list[tuple[int, ...]] = []
    for net in (encoder, decoder):
        for module in net.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                module.register_forward_hook(lambda _, given, output: seen.append(tuple(output.shape[1:])))
    encoder(batch((28, 27, 3)))
    decoder.predict(codes(), batch((28, 27, 3)))
    assert seen == [(5, 14, 14), (8, 7, 7), (6,), (6,), (8 * 7 * 7,), (5, 14, 14), (6, 28, 27)]
    assert encoder.features == 6


@pytest.mark.parametrize("size", range(1, 12))
def test_deconvolutions_give_every_size_back(size: int) -> None:
    shape = (size, 12 - size, 1)
    _, decoder = make(shape, replace(SMALL, net="conv", channels="2,3,4"))
    assert decoder.predict(codes(), batch(shape)).shape == (ROWS, 1, *shape)


def test_a_deconvolution_weighs_all_inner_pixels_alike() -> None:
    for shape in ((12, 16, 1), (13, 17, 1)):
        _, decoder = make(shape, replace(SMALL, net="conv", channels="2"))
        projection = decoder.likelihood.projection
        with torch.no_grad():
            nn.init.ones_(projection.weight)
            nn.init.zeros_(projection.bias)
        inner = projection(torch.ones(1, 2, -(-shape[0] // 2), -(-shape[1] // 2), dtype=torch.float64))[..., 2:-2, 2:-2]
        assert torch.equal(inner, torch.full_like(inner, 8.0))  # two by two taps of two channels


def test_flat_and_planes_undo_each_other() -> None:
    x = torch.randn(ROWS, 2, 3, 4)
    flat = Flat()(x)
    assert flat[1, (2 * 4 + 3) * 2 + 1] == x[1, 1, 2, 3]
    assert torch.equal(Planes((3, 4, 2))(flat), x)


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("relu", torch.relu),
        ("tanh", torch.tanh),
        ("softplus", nn.functional.softplus),
        ("elu", nn.functional.elu),
        ("silu", nn.functional.silu),
    ],
)
def test_each_activation_is_torchs(activation: str, function) -> None:  # type: ignore[no-untyped-def]
    encoder, _ = make((4, 3, 2), replace(SMALL, widths="7", activation=activation))
    linear = encoder.layers[1]
    flat = batch((4, 3, 2)).x.flatten(1).double() / 255
    assert torch.allclose(encoder(batch((4, 3, 2))), function(linear(flat)), atol=1e-12)


@nets
def test_without_an_activation_the_nets_are_linear(sizes: ImageModel) -> None:
    shape = (5, 6, 2)
    encoder, decoder = make(shape, replace(sizes, activation="none"))
    (one, other), share = torch.rand(2, 3, 2, 5, 6, dtype=torch.float64), 2.5
    z, w = codes(3), codes(6)[3:]

    def logits(code: Tensor) -> Tensor:
        return decoder.likelihood.projection(decoder.layers(code))  # type: ignore[operator]

    for net, a, b in ((encoder.layers, one, other), (logits, z, w)):
        between = net(a + share * (b - a))
        assert torch.allclose(between, net(a) + share * (net(b) - net(a)), atol=1e-12)
        assert (between - net(a)).abs().max() > 1e-3
    bent, _ = make(shape, replace(sizes, activation="relu"))
    layers = bent.layers
    assert not torch.allclose(layers(one + share * (other - one)), layers(one) + share * (layers(other) - layers(one)))


def test_squares_are_a_normal_whose_nats_are_the_sum_of_squares_and_a_constant() -> None:
    shape = (4, 3, 2)
    data, z = batch(shape), codes()
    _, decoder = make(shape, replace(SMALL, likelihood="squares"))
    errors = data.x.squeeze(1).double() / 255 - decoder.likelihood.mean(decoder.layers(z))
    constant = 24 * 0.5 * math.log(math.pi)
    expected = -errors.square().sum((1, 2, 3)) - constant
    assert torch.allclose(decoder.log_prob(z, data), expected, rtol=1e-6)
    assert not [name for name, _ in decoder.named_parameters() if name.endswith("log_scale")]
    with pytest.raises(
        ValueError, match=r"^model.pixel_scale=0.5 is not possible with model.likelihood=squares, whose"
    ):
        ImageModel(likelihood="squares", pixel_scale=0.5)


@nets
def test_the_layer_from_the_code_starts_as_small_as_asked(sizes: ImageModel) -> None:
    _, decoder = make((28, 27, 1), replace(sizes, code_initial_scale=0.001, latent=40, widths="400"))
    first = decoder.layers[0]
    assert first.in_features == 40
    assert first.weight.std().item() == pytest.approx(0.001, rel=0.2)
    assert first.bias.abs().max() == 0


@pytest.mark.parametrize("widths", ["", "400,", "0", "4.5", "12,-3", "two"])
@pytest.mark.parametrize("net", ["dense", "conv"])
def test_sizes_that_are_no_list_of_whole_numbers_are_refused(net: Literal["dense", "conv"], widths: str) -> None:
    name = "widths" if net == "dense" else "channels"
    with pytest.raises(ValueError, match=f"model.{name}={widths} is not possible; give whole numbers"):
        image_nets((4, 3, 1), replace(SMALL, net=net, **{name: widths}))


# What the VAE asks of both --------------------------------------------------------------------------------------


@shapes
@nets
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_an_image_scores_the_same_alone_and_in_a_batch(
    shape: tuple[int, int, int], sizes: ImageModel, likelihood: str
) -> None:
    (encoder, decoder), data, z = make(shape, replace(sizes, likelihood=likelihood)), batch(shape), codes()
    features, scores, guesses = encoder(data), decoder.log_prob(z, data), decoder.predict(z, data)
    assert torch.equal(decoder.step_log_prob(z, data), scores.unsqueeze(1))
    assert guesses.dtype == torch.uint8
    assert torch.equal(guesses.squeeze(1), (decoder.likelihood.mean(decoder.layers(z)) * 255).round().byte())
    for row in torch.arange(ROWS).split(1):
        alone = rows_of(data, row)
        assert torch.allclose(encoder(alone), features[row], atol=1e-12)
        assert torch.allclose(decoder.log_prob(z[row], alone), scores[row], rtol=1e-12)
        assert torch.equal(decoder.predict(z[row], alone), guesses[row])


@shapes
@nets
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_every_parameter_gets_a_gradient(shape: tuple[int, int, int], sizes: ImageModel, likelihood: str) -> None:
    vae = VAE(*make(shape, replace(sizes, likelihood=likelihood))).double()
    data = batch(shape)
    terms = vae(data, Noise(0, data.keys))
    (terms.log_px.sum() - terms.kl.sum()).backward()
    for name, parameter in vae.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@nets
def test_rows_of_repeated_examples_score_as_the_example_does(sizes: ImageModel) -> None:
    shape, samples = (5, 9, 3), 4
    (_, decoder), data, z = make(shape, sizes), batch(shape), codes(ROWS * 4)
    together = decoder.log_prob(z, data.repeat(samples)).unflatten(0, (ROWS, samples))
    for sample in range(samples):
        assert torch.allclose(decoder.log_prob(z[sample::samples], data), together[:, sample], rtol=1e-12)


@nets
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_autocast_gives_nearly_the_same_importance_weights(sizes: ImageModel, likelihood: str) -> None:
    vae = VAE(*make((28, 27, 1), replace(sizes, likelihood=likelihood))).float()
    data = batch((28, 27, 1))
    exact = vae.log_weights(data, Noise(0, data.keys), 5)
    with torch.autocast("cpu", torch.bfloat16):
        cast = vae.log_weights(data, Noise(0, data.keys), 5)
    assert cast.dtype == torch.float32
    assert torch.allclose(cast, exact, rtol=0.005)
    cast.sum().backward()
    assert all(parameter.grad.dtype == torch.float32 for parameter in vae.parameters())


def test_the_mean_image_is_what_the_decoder_starts_near() -> None:
    image = torch.rand(28, 27, 1)
    torch.manual_seed(0)
    _, decoder = image_nets((28, 27, 1), replace(SMALL, code_initial_scale=1e-6), image)
    nn.init.zeros_(decoder.layers[2].bias)
    start = decoder.predict(torch.ones(1, 4), batch((28, 27, 1), 1))[0, 0].double() / 255
    assert torch.allclose(start, image.clamp(0.005, 0.995).double(), atol=0.003)


@nets
def test_draws_are_those_of_the_likelihood(sizes: ImageModel) -> None:
    (_, decoder), z, noise = make((5, 9, 3), sizes), codes(), Noise(0, torch.arange(ROWS))
    drawn = decoder.draw(z, noise, Choice())
    assert torch.equal(drawn.squeeze(1), decoder.likelihood.draw(decoder.layers(z), noise, Choice()))
    assert set(drawn.unique().tolist()) == {0, 255}
    assert torch.equal(decoder.draw(z, noise, Choice(temperature=0.0)), decoder.predict(z, batch((5, 9, 3))))


# Corruption -----------------------------------------------------------------------------------------------------


def corrupted(kind: Literal["mask", "gaussian"], amount: float, shape: tuple[int, int, int], rows: int) -> Tensor:
    """The shares of white (B, H, W, C) that the layers see of white images."""
    encoder, _ = make(shape, replace(SMALL, corruption=amount, corruption_kind=kind))
    encoder.layers = nn.Sequential(Flat(), nn.Linear(math.prod(shape), math.prod(shape)).double())
    with torch.no_grad():
        encoder.layers[1].weight.copy_(torch.eye(math.prod(shape)))
        encoder.layers[1].bias.zero_()
    data = batch(shape, rows)
    data.x.fill_(255)
    return encoder(data, Noise(0, data.keys)).unflatten(1, shape)


def test_a_mask_blackens_its_share_of_the_pixels_in_all_channels() -> None:
    seen = corrupted("mask", 0.3, (28, 27, 3), 9)
    assert set(seen.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(seen, seen[..., :1].expand_as(seen))
    pixels = 9 * 28 * 27
    assert abs(1 - seen[..., 0].mean().item() - 0.3) <= 5 * math.sqrt(0.21 / pixels)


def test_gaussian_corruption_adds_noise_of_its_scale() -> None:
    seen = corrupted("gaussian", 0.3, (28, 27, 3), 9)
    assert seen.mean().item() == pytest.approx(1.0, abs=0.01)
    assert seen.std().item() == pytest.approx(0.3, rel=0.02)
    assert not torch.equal(seen[0], seen[1])


@nets
@pytest.mark.parametrize("kind", ["mask", "gaussian"])
def test_only_training_is_corrupted_and_each_image_in_its_own_way(sizes: ImageModel, kind: str) -> None:
    noisy = replace(sizes, corruption=0.4, corruption_kind=kind)
    (encoder, decoder), (clean, _), data = make((5, 9, 3), noisy), make((5, 9, 3), sizes), batch((5, 9, 3))
    noise, order = Noise(0, data.keys), torch.tensor([2, 0])
    assert torch.equal(encoder(data), clean(data))
    seen = encoder(data, noise)
    assert not torch.allclose(seen, encoder(data), atol=1e-3)
    assert torch.allclose(encoder(rows_of(data, order), noise.select(order)), seen[order], atol=1e-12)
    assert torch.equal(decoder.log_prob(codes(), data, noise), decoder.log_prob(codes(), data))  # the target is clean


@pytest.mark.parametrize(("kind", "amount"), [("mask", 1.0), ("mask", -0.1), ("gaussian", -0.1)])
def test_an_impossible_corruption_is_refused(kind: Literal["mask", "gaussian"], amount: float) -> None:
    with pytest.raises(ValueError, match=rf"model.corruption={amount} is not possible with corruption_kind={kind}"):
        image_nets((4, 3, 1), replace(SMALL, corruption=amount, corruption_kind=kind))
