"""The Python API on images: arrays, PIL images and paths in, arrays of pixels out."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import seqvae
from seqvae import generate
from seqvae.core.latent import slerp
from seqvae.data import collate
from seqvae.generate import Decoding
from seqvae.modalities.images.picture import Picture
from seqvae.model import Model
from seqvae.training.run import train
from seqvae.types import Batch
from tests.modalities.images.made import stack, write_image

SIZES = {"latent": 3, "widths": "12", "activation": "tanh"}
GREY, COLOUR = stack(40, 6, 5), stack(40, 6, 5, 3)


@cache
def trained(kind: str) -> Model:
    """A loaded run, with weights large enough to tell images apart; tests may change nothing."""
    folder = Path(mkdtemp())
    np.savez(folder / "images.npz", images=COLOUR if kind == "colour" else GREY)
    settings = {
        "data": {"binarise": "static"} if kind == "binary" else {},
        "model": {**SIZES, "likelihood": "logistic" if kind == "colour" else "bernoulli"},
        "train": {"epochs": 1, "threads": 1},
    }
    train("images", folder / "images.npz", folder / "run", settings, device="cpu")
    model = seqvae.load(folder / "run", "cpu")
    for layer in (model.vae.to_mean, model.vae.to_scale):
        layer.weight.mul_(8.0)  # type: ignore[union-attr]
    model.vae.decoder.layers[0].weight.mul_(8.0)  # type: ignore[attr-defined]
    return model


def means(model: Model, z: torch.Tensor) -> np.ndarray:
    """The mean images of codes by the decoder alone, (N, H, W) or (N, H, W, 3)."""
    decoder = model.vae.decoder
    shares = decoder.likelihood.mean(decoder.layers(z.to(model.vae.dtype)))  # type: ignore[operator, union-attr]
    return (shares * 255).round().to(torch.uint8).numpy().squeeze(3 if model.modality.shape[2] == 1 else ())


def assert_same(one: np.ndarray, other: np.ndarray) -> None:
    """Equal bytes, but for pixels that sums in another order round to the next level."""
    assert one.dtype == other.dtype == np.uint8
    assert one.shape == other.shape
    away = np.abs(one.astype(int) - other.astype(int))
    assert away.max() <= 1
    assert away.mean() < 0.05


def codes(model: Model, image: np.ndarray) -> torch.Tensor:
    return model.encode([image]).mean


@pytest.mark.parametrize(("kind", "images"), [("grey", GREY), ("colour", COLOUR), ("binary", GREY)])
def test_samples_are_means_by_default_and_draws_at_a_temperature(kind: str, images: np.ndarray) -> None:
    model = trained(kind)
    made = model.sample(4, seed=3)
    assert {(one.shape, one.dtype.name) for one in made} == {(images.shape[1:], "uint8")}
    expected = means(model, generate.prior_codes(model.vae, 4, seed=3))
    assert_same(np.stack(made), expected)
    assert_same(np.stack(model.sample(4, Decoding(), seed=3)), expected)
    drawn = model.sample(4, Decoding(1.0), seed=3)
    assert not np.array_equal(np.stack(drawn), expected)
    assert_same(np.stack(model.sample(2, Decoding(1.0), seed=3)), np.stack(drawn[:2]))
    if kind != "colour":
        assert np.unique(drawn).tolist() == [0, 255]
        assert len(np.unique(expected)) > 20


@pytest.mark.parametrize(("kind", "images"), [("grey", GREY), ("colour", COLOUR)])
def test_reconstructions_are_the_same_however_an_image_is_handed_in(
    kind: str, images: np.ndarray, tmp_path: Path
) -> None:
    model, array = trained(kind), images[7]
    path = write_image(tmp_path / "seven.png", array)
    pixels = array if array.ndim == 3 else array[:, :, None]
    given = [array, pixels, array / 255.0, Image.fromarray(array), path, str(path), Picture(pixels, "7")]
    made = model.reconstruct(given)
    assert len(made) == 7
    for one in made:
        assert_same(one, made[0])
    assert made[0].shape == array.shape
    assert_same(made[0], means(model, codes(model, array))[0])
    assert not np.array_equal(made[0], model.reconstruct([images[8]])[0])


def settled_batch(model: Model, image: np.ndarray) -> Batch:
    batch = collate([image[None, :, :, None]], [99])
    settled: Batch = model.modality.settle(batch)
    assert settled.x.unique().tolist() == [0, 255]
    return settled


def test_reconstructions_of_binarised_models_see_the_static_draw_of_the_image() -> None:
    model = trained("binary")
    alone = codes(model, GREY[3])
    together = model.encode(list(GREY[:9])).mean
    torch.testing.assert_close(alone[0], together[3], rtol=1e-5, atol=1e-6)
    black_and_white = model.vae.posterior(settled_batch(model, GREY[3])).mean
    torch.testing.assert_close(alone, black_and_white)
    assert not torch.allclose(alone, trained("grey").encode([GREY[3]]).mean, atol=1e-2)
    made = model.reconstruct([GREY[3]])[0]
    assert_same(made, means(model, black_and_white)[0])
    assert_same(model.vary(GREY[3], n=1, distance=0.0)[0], made)


@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_an_interpolation_goes_from_one_reconstruction_to_the_other(kind: str) -> None:
    model, images = trained(kind), COLOUR if kind == "colour" else GREY
    way = model.interpolate(images[0], images[1], steps=5)
    assert len(way) == 5
    first, last = model.reconstruct([images[0], images[1]])
    assert_same(way[0], first)
    assert_same(way[-1], last)
    middle = slerp(codes(model, images[0])[0], codes(model, images[1])[0], 0.5)
    assert_same(way[2], means(model, middle[None])[0])
    assert len({one.tobytes() for one in way}) == 5


def test_the_corners_of_a_palette_are_the_reconstructions() -> None:
    model = trained("grey")
    square = model.palette(list(GREY[:4]), size=3)
    assert len(square) == 9
    for cell, corner in zip((0, 2, 6, 8), model.reconstruct(list(GREY[:4])), strict=True):
        assert_same(square[cell], corner)


def test_variations_go_from_the_reconstruction_to_samples() -> None:
    model = trained("colour")
    (same,) = model.vary(COLOUR[5], n=1, distance=0.0)
    assert_same(same, model.reconstruct([COLOUR[5]])[0])
    far = model.vary(COLOUR[5], n=3, distance=1.0, seed=4)
    assert_same(np.stack(far), np.stack(model.sample(3, seed=4)))


@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_codes_of_every_kind_are_decoded_to_bytes(kind: str) -> None:
    model, images = trained(kind), COLOUR if kind == "colour" else GREY
    z = np.array([[0.0, 2.5, -1.0], [0.3, 0.0, 0.0]])
    made = model.decode(z)
    assert [(one.shape, one.dtype) for one in made] == [(images.shape[1:], np.uint8)] * 2
    assert_same(np.stack(made), means(model, torch.from_numpy(z)))
    for given in (z.tolist(), torch.from_numpy(z), z.astype(np.float32)):
        assert_same(np.stack(model.decode(given)), np.stack(made))
    made[0][:] = 0  # what users get is theirs
    assert model.decode(z)[0].any()
    with pytest.raises(ValueError, match=r"codes of shape \(2, 2\) do not fit this model; give \(N, 3\)"):
        model.decode(z[:, :2])


def test_images_of_another_size_or_kind_are_refused_in_one_sentence(tmp_path: Path) -> None:
    grey, colour = trained("grey"), trained("colour")
    wrong = write_image(tmp_path / "wrong.png", stack(1, 9, 9)[0])
    refusals = (
        (
            grey,
            stack(1, 5, 6)[0],
            "an image of 5 x 6 grey does not fit a model of 6 x 5 grey; resize it, or train with",
        ),
        (grey, COLOUR[0], "an image of 6 x 5 RGB does not fit a model of 6 x 5 grey; turn it into grey levels, or"),
        (colour, stack(1, 7, 5, 3)[0], "an image of 7 x 5 RGB does not fit a model of 6 x 5 RGB; resize it"),
        (grey, wrong, f"{wrong} is 9 x 9 grey, and 6 x 5 grey is needed; resize it"),
        (grey, GREY, "a list of 40 items stands where one is needed; give one of them"),
        (grey, None, "a NoneType is no image"),
        (grey, tmp_path / "missing.png", "missing.png"),
    )
    for model, given, sentence in refusals:
        for act in (model.encode, model.reconstruct):
            with pytest.raises(ValueError) as error:
                act([given])
            assert sentence in str(error.value)
            assert "\n" not in str(error.value)
    grey_in_colour = colour.reconstruct([GREY[0]])[0]
    assert_same(grey_in_colour, colour.reconstruct([np.repeat(GREY[0][:, :, None], 3, 2)])[0])


def several(kind: str) -> list[tuple[Any, int]]:
    """What users hand in where several images are expected, and how many each is."""
    images = GREY if kind == "grey" else COLOUR
    own: list[tuple[Any, int]] = [
        (images[:4], 4), (list(images[:4]), 4), (tuple(images[:4]), 4), (iter(images[:4]), 4),
        (torch.from_numpy(images[:4]), 4), (images[:4] / np.float32(255), 4), (images[:1], 1), (images[0], 1),
        (images[:0], 0), (Image.fromarray(images[0]), 1), ([Image.fromarray(image) for image in images[:4]], 4),
        (trained(kind).modality.accept(images[0])[0], 1), (trained(kind).windows(images[0]), 1),
    ]  # fmt: skip
    if kind == "grey":
        return [*own, (images[:4, :, :, None], 4), (images[:4, None], 4), (images[0][:, :, None], 1)]
    return own


def model_of(kind: str) -> Model:
    return trained(kind)


@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_an_array_of_images_is_as_many_items_and_one_image_is_a_list_of_one(kind: str) -> None:
    model, images = trained(kind), GREY if kind == "grey" else COLOUR
    expected = model.encode(list(images[:4])).mean
    made = model.reconstruct(list(images[:4]))
    for given, count in several(kind):
        assert torch.allclose(model.encode(given).mean, expected[:count], atol=1e-6), type(given)
    for given, count in several(kind):
        found = model.reconstruct(given)
        assert len(found) == count
        for one, other in zip(found, made, strict=False):
            assert_same(one, other)


def test_an_array_whose_size_is_the_models_in_one_way_only_is_read_that_way() -> None:
    colour = trained("colour")
    with pytest.raises(ValueError, match=r"shape \(3, 6, 5\) may be one image with its channels first, or three of"):
        colour.encode(GREY[:3])
    assert_same(colour.reconstruct(GREY[:3, :, :, None])[1], colour.reconstruct(GREY[1])[0])
    assert len(trained("grey").encode(GREY[:3]).mean) == 3
    with pytest.raises(ValueError, match="an image of 6 x 5 RGB does not fit a model of 6 x 5 grey; turn it into"):
        trained("grey").encode(COLOUR[:2])


@pytest.mark.parametrize("name", ["images.npz#3", "images.npz#39"])
def test_a_file_and_index_is_an_image_as_on_the_command_line(name: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", images=GREY)
    model, place = trained("grey"), int(name.partition("#")[2])
    expected = model.encode(GREY[place]).mean
    for given in (str(tmp_path / name), tmp_path / name, [tmp_path / name]):
        assert torch.allclose(model.encode(given).mean, expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"images\.npz has 40 images, so there is no #40; give .*images\.npz#0 to #39"):
        model.encode(str(tmp_path / "images.npz#40"))
    with pytest.raises(ValueError, match=r"images\.npz holds 40 images; name one as .*images\.npz#0, counted from 0"):
        model.encode(tmp_path / "images.npz")


def test_one_image_is_expected_where_walks_and_variations_begin() -> None:
    model = trained("grey")
    for one in (GREY[:1], [GREY[0]], GREY[0][:, :, None]):
        assert_same(model.vary(one, n=1)[0], model.vary(GREY[0], n=1)[0])
        assert_same(model.interpolate(one, GREY[1], 3)[1], model.interpolate(GREY[0], GREY[1], 3)[1])
    for action in (lambda: model.vary(GREY[:2]), lambda: model.interpolate(list(GREY[:2]), GREY[1])):
        with pytest.raises(ValueError, match="a list of 2 items stands where one is needed; give one of them"):
            action()


def test_what_is_no_list_of_images_is_refused_with_its_place() -> None:
    model = trained("grey")
    with pytest.raises(ValueError, match="item 1: a NoneType is no image; give an array"):
        model.encode([GREY[0], None])
    with pytest.raises(ValueError, match="a dict is no list of images; give a list of those that you mean"):
        model.encode({"images": GREY})


def test_ways_to_draw_that_images_do_not_have_are_refused() -> None:
    model = trained("grey")
    with pytest.raises(ValueError, match=r"beam=3 is for sequences, and this model makes all at once; leave it out"):
        model.sample(1, Decoding(beam=3))
    with pytest.raises(ValueError, match="beam=2 is for sequences"):
        model.interpolate(GREY[0], GREY[1], decoding=Decoding(beam=2))
    for settings in ({"top_k": 4}, {"top_p": 0.5}):
        with pytest.raises(ValueError, match="is not possible with pixels that are drawn each for itself"):
            model.sample(1, Decoding(1.0, **settings))  # type: ignore[arg-type]


def test_a_saved_model_makes_the_same_images(tmp_path: Path) -> None:
    model = trained("colour")
    model.save(tmp_path / "copy")
    copy = seqvae.load(tmp_path / "copy", "cpu")
    assert copy.modality.shape == (6, 5, 3)
    assert_same(np.stack(copy.sample(3, seed=1)), np.stack(model.sample(3, seed=1)))
    assert_same(copy.reconstruct([COLOUR[2]])[0], model.reconstruct([COLOUR[2]])[0])


def test_labels_change_nothing_in_training(tmp_path: Path) -> None:
    weights = []
    for name, labels in (("with", {"labels": np.arange(40) % 10}), ("without", {})):
        np.savez(tmp_path / f"{name}.npz", images=GREY, **labels)
        settings = {"model": SIZES, "train": {"epochs": 2, "batch_size": 8, "threads": 1}}
        run = train("images", tmp_path / f"{name}.npz", tmp_path / name, settings, device="cpu")
        weights.append(run.weights(run.steps()[-1]))
    assert weights[0].keys() == weights[1].keys()
    for name, weight in weights[0].items():
        assert torch.equal(weight, weights[1][name]), name


def test_models_evaluate_files_of_images(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", images=COLOUR[:9], labels=np.arange(9) % 2)
    figures = trained("colour").evaluate(tmp_path / "some.npz")
    assert (figures["items"], figures["importance_samples"]) == (9, 100)
    assert 0 < figures["bits_per_dimension"] < 12
    assert figures["iw_nll_nats"] <= -figures["elbo_nats"]
    np.savez(tmp_path / "other.npz", images=GREY[:9, :4])
    with pytest.raises(ValueError, match=r"other\.npz is 4 x 5 grey, and 6 x 5 RGB is needed"):
        trained("colour").evaluate([tmp_path / "other.npz"])


def test_images_that_are_kept_for_testing_are_not_trained_on_whatever_validates(tmp_path: Path) -> None:
    for split, count in (("train", 7), ("test", 4)):
        (tmp_path / "data" / split).mkdir(parents=True)
        for place in range(count):
            pixels = np.full((5, 4), 40 * place + (split == "test"), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / split / f"{place}.png")
    small = {"model": {"widths": "8"}, "train": {"steps": 1}}
    run = train("images", tmp_path / "data", tmp_path / "run", small, valid=tmp_path / "data" / "test", device="cpu")
    assert [run.report[name]["items"] for name in ("train", "valid")] == [7, 4]
    assert run.report["valid"]["repeated"] == 0
