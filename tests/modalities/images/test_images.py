"""The image modality: pictures of one shape in, arrays and PNG files out, and what is learned, saved and told apart."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqvae.config import from_dict
from seqvae.files import store
from seqvae.modalities.base import Modality, Report
from seqvae.modalities.images.images import IMAGES_OF_MEAN, LEARNED, Images
from seqvae.modalities.images.picture import Picture
from seqvae.modalities.images.settings import ImageData, ImageModel
from tests.modalities.images.made import mnist_like, stack, write_idx, write_image


def modality(**data: Any) -> Images:
    return Images(ImageData(**data))


def fitted(pixels: np.ndarray, **data: Any) -> Images:
    images = modality(**data)
    images.fit(lambda: (Picture(one) for one in pixels))
    return images


GREY, RGB = stack(5, 6, 4, 1), stack(5, 6, 4, 3)


def test_it_is_a_modality_without_steps() -> None:
    images = fitted(GREY)
    assert isinstance(images, Modality)
    assert (images.max_steps, images.end, images.sampling_temperature) == (1, None, 0.0)
    assert images.size_bytes(Picture(GREY[0])) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "nats are negative ELBO per item"),
        ({"likelihood": "squares"}, "nats are negative ELBO per item"),  # its density is below 1 everywhere
        (
            {"likelihood": "gaussian"},
            "nats are negative ELBO per item; of densities, which may exceed 1, so that nats below 0 are possible and "
            "lower is better",
        ),
        (
            {"posterior": "point"},
            "nats are -log p(x|z) per item, the reconstruction alone, since an autoencoder has no KL",
        ),
    ],
)
def test_training_says_what_its_nats_are(changes: dict[str, str], expected: str) -> None:
    assert Images(ImageData()).nats_of(from_dict(ImageModel, changes, "model")) == expected


def test_a_folder_is_read_with_its_labels_and_its_splits(tmp_path: Path) -> None:
    made = mnist_like(tmp_path, train=7, test=3)
    images = modality()
    pictures = list(images.read([tmp_path], Report()))
    assert len(pictures) == 10
    images.fit(lambda: iter(pictures))
    for split, part, count in (("train", "train", 7), ("test", "test", 3)):
        own = images.of_split(split, [tmp_path])  # type: ignore[arg-type]
        assert own is not None
        assert (own.split, images.split) == (split, "all"), "a copy"
        found = list(own.read([tmp_path], Report()))
        assert np.array_equal(np.stack([picture.pixels[:, :, 0] for picture in found]), made[f"x_{part}"])
        assert [images.label_of(picture) for picture in found] == [str(label) for label in made[f"y_{part}"]]
        assert len(found) == count
    assert images.of_split("valid", [tmp_path]) is None


def test_once_fitted_it_refuses_images_of_another_shape(tmp_path: Path) -> None:
    images = fitted(GREY)
    write_image(tmp_path / "a.png", stack(1, 8, 8)[0])
    with pytest.raises(ValueError, match=r"a\.png is 8 x 8 grey, and 6 x 4 grey is needed; resize it, or train with"):
        list(images.read([tmp_path], Report()))
    resizing = fitted(GREY, size="6,4")
    assert [picture.pixels.shape for picture in resizing.read([tmp_path], Report())] == [(6, 4, 1)]


def test_what_is_handed_in_is_taken_by_value_whatever_it_is(tmp_path: Path) -> None:
    from PIL import Image

    pixels = GREY[2]
    write_image(tmp_path / "it.png", pixels[:, :, 0])
    images = fitted(GREY)
    floats = pixels[:, :, 0] / 255.0
    picture = Picture(pixels, "seven")
    for given in (
        pixels, pixels[:, :, 0], floats, floats.astype(np.float32), Image.fromarray(pixels[:, :, 0]),
        tmp_path / "it.png", str(tmp_path / "it.png"), picture,
    ):  # fmt: skip
        (accepted,) = images.accept(given)
        assert np.array_equal(accepted.pixels, pixels)
        assert accepted.label == ("seven" if given is picture else None)
    assert fitted(RGB).accept(pixels[:, :, 0])[0] == Picture(np.repeat(pixels, 3, axis=2))


def test_what_is_no_image_of_the_model_is_refused_in_one_sentence(tmp_path: Path) -> None:
    images = fitted(GREY)
    mnist_like(tmp_path)
    for given, sentence in (
        (
            3,
            "an int is no image; give an array (height, width) or (height, width, 3), a PIL image or the path of a "
            "file",
        ),
        (GREY, "a list of 5 items stands where one is needed; give one of them"),
        (
            stack(1, 4, 6)[0],
            "an image of 4 x 6 grey does not fit a model of 6 x 4 grey; resize it, or train with data.size=4,6 ",
        ),
        (RGB[0], "an image of 6 x 4 RGB does not fit a model of 6 x 4 grey; turn it into grey levels, or train with"),
        (GREY[0].astype(np.int64), "the array holds int64; give uint8"),
        (GREY[0] * 1.0, "the array holds floats from"),
    ):
        with pytest.raises(ValueError) as error:
            images.accept(given)
        assert sentence in str(error.value)
        assert "\n" not in str(error.value)
    several = write_idx(tmp_path / "b" / "train-images-idx3-ubyte", GREY[:, :, :, 0])
    with pytest.raises(ValueError, match=r"idx3-ubyte holds 5 images; name one as .*idx3-ubyte#0, counted from 0"):
        images.accept(several)
    with pytest.raises(ValueError, match="the shape of the images is not known yet"):
        modality().accept(GREY[0])


def test_what_users_get_back_has_no_axis_for_a_single_channel() -> None:
    grey, colour = fitted(GREY), fitted(RGB)
    assert np.array_equal(grey.present([grey.decode(grey.encode(Picture(GREY[1]), Report()))]), GREY[1, :, :, 0])
    assert np.array_equal(colour.present([colour.decode(colour.encode(Picture(RGB[1]), Report()))]), RGB[1])
    x = grey.encode(Picture(GREY[3]), Report())
    assert (x.shape, x.dtype) == ((1, 6, 4, 1), np.uint8)


def write(modality: Images, images: list[np.ndarray], folder: Path) -> list[Path]:
    written = modality.write([modality.accept(image) for image in images])
    return [store(folder, file.name, file.content()) for result in written for file in result.files]


def test_pictures_are_written_losslessly_and_with_a_sheet_of_all(tmp_path: Path) -> None:
    from PIL import Image

    images = fitted(RGB)
    paths = write(images, list(RGB), tmp_path / "out")
    assert [path.name for path in paths] == ["001.png", "002.png", "003.png", "004.png", "005.png", "images.png"]
    for path, pixels in zip(paths[:-1], RGB, strict=True):
        assert np.array_equal(np.asarray(Image.open(path)), pixels)
    single, enlarged = write(fitted(GREY), [GREY[0, :, :, 0]], tmp_path / "one")
    assert [single.name, enlarged.name] == ["001.png", "images.png"]
    with Image.open(single) as image:
        assert image.mode == "L"
        assert np.array_equal(np.asarray(image), GREY[0, :, :, 0])


def test_the_mean_image_is_that_of_the_first_ten_thousand_and_starts_the_decoder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert IMAGES_OF_MEAN == 10_000
    images = fitted(RGB)
    assert images.shape == (6, 4, 3)
    assert np.array_equal(images._mean, np.rint(RGB.astype(float).mean(0)))
    model = from_dict(ImageModel, {"latent": 2, "widths": "5"}, "model")
    _, decoder = images.nets(model)
    start = decoder.likelihood.projection.bias.detach().sigmoid().numpy()  # type: ignore[union-attr]
    assert start == pytest.approx(images._mean.ravel() / 255, abs=1e-6)
    monkeypatch.setattr("seqvae.modalities.images.images.IMAGES_OF_MEAN", 2)
    assert np.array_equal(fitted(RGB)._mean, np.rint(RGB[:2].astype(float).mean(0)))
    with pytest.raises(ValueError, match="there is no image to learn from; give other files"):
        fitted(RGB[:0])


def test_what_was_learned_survives_saving(tmp_path: Path) -> None:
    images = fitted(RGB)
    assert images.save(tmp_path) == [tmp_path / LEARNED]
    loaded = modality()
    loaded.load(tmp_path)
    assert loaded.shape == (6, 4, 3)
    assert np.array_equal(loaded._mean, images._mean)
    assert loaded._mean.dtype == np.uint8
    model = from_dict(ImageModel, {"latent": 2, "widths": "5", "net": "conv", "channels": "2"}, "model")
    biases = []
    for one in (images, loaded):
        torch.manual_seed(0)
        biases.append(one.nets(model)[1].likelihood.projection.bias)  # type: ignore[union-attr]
    assert torch.equal(*biases)


@pytest.mark.parametrize(
    "content",
    [
        "{}", "[]", "3", '{"shape": [2, 2, 1]}', '{"shape": [2, 2], "mean": [1, 2, 3, 4]}',
        '{"shape": [2, 2, 1], "mean": [1, 2, 3]}', '{"shape": [2, 2, 1], "mean": null}',
        '{"shape": [2, 2, 1], "mean": [1, 2, 3, 256]}', '{"shape": [2, 2, 1], "mean": [1, 2, 3, -1]}',
        '{"shape": [2, 2, 1], "mean": "1234"}', '{"shape": [2, 1, 2], "mean": [1, 2, 3, 4]}',
        '{"shape": [-2, -2, 1], "mean": [1, 2, 3, 4]}', '{"shape": [0, 2, 1], "mean": []}',
        '{"shape": [2, -1, 1], "mean": [1, 2, 3, 4]}', '{"shape": ["2", 2, 1], "mean": [1, 2, 3, 4]}',
        '{"shape": [2.7, 2, 1], "mean": [1, 2, 3, 4]}', '{"shape": [2, 2, 1], "mean": [1.5, 2, 3, 4]}',
        '{"shape": [2, 2, 1], "mean": [1, 2',
    ],
)  # fmt: skip
def test_damaged_memories_are_refused_by_name(content: str, tmp_path: Path) -> None:
    (tmp_path / LEARNED).write_text(content)
    with pytest.raises(ValueError, match=r"images\.json") as error:
        modality().load(tmp_path)
    assert "copy" in str(error.value) or "JSON" in str(error.value)


def test_a_missing_memory_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"images\.json is missing; restore the folder from a copy"):
        modality().load(tmp_path)
    (tmp_path / LEARNED).write_text(json.dumps({"shape": [1, 2, 1], "mean": [0, 255]}))
    whole = modality()
    whole.load(tmp_path)
    assert whole.shape == (1, 2, 1)


def test_the_fingerprint_tells_apart_what_is_encoded_differently_and_nothing_else() -> None:
    whole = fitted(GREY).fingerprint()
    assert fitted(GREY).fingerprint() == whole
    assert fitted(255 - GREY).fingerprint() == whole, "the mean changes no pixel"
    for same in ({"binarise": "static"}, {"binarise": "dynamic"}, {"binarisation_seed": 7}):
        assert fitted(GREY, **same).fingerprint() == whole, "the cache is shared"
    other = [fitted(RGB), fitted(stack(2, 4, 6, 1)), fitted(GREY, size="6,4"), fitted(GREY, channels="grey")]
    split = fitted(GREY)
    split.split = "train"
    assert len({whole, split.fingerprint(), *(one.fingerprint() for one in other)}) == 6
    assert fitted(GREY, size="6").fingerprint() != fitted(GREY, size="6,4").fingerprint()


@pytest.mark.parametrize(
    ("size", "expected"),
    [("", None), ("28", (28, 28)), ("32,48", (32, 48)), (" 3 x 5 ", (3, 5)), ("1024", (1024, 1024))],
)
def test_sizes_are_height_and_width(size: str, expected: tuple[int, int] | None) -> None:
    assert ImageData(size=size).resized_to == expected


@pytest.mark.parametrize("size", ["0", "1025", "3,", "3,4,5", "a", "-3", "3.5", "28,0"])
def test_sizes_that_are_none_are_refused(size: str) -> None:
    with pytest.raises(ValueError, match=r"data\.size=.* is not possible; give height,width such as 32,48"):
        ImageData(size=size)


def test_the_error_of_pictures_is_the_mean_square_of_shares_of_white() -> None:
    images = fitted(GREY)
    black, white = (Picture(np.full((2, 1, 1), level, np.uint8)) for level in (0, 255))
    half = Picture(np.array([[[0]], [[51]]], np.uint8))
    assert images.metrics([black, white], [white, white]) == {"mean_squared_error": 0.5}
    assert images.metrics([black], [half])["mean_squared_error"] == pytest.approx(0.2**2 / 2)
    assert images.metrics([half], [black])["mean_squared_error"] == pytest.approx(0.2**2 / 2), "bytes do not wrap"
    assert images.metrics([], []) == {"mean_squared_error": None}
