"""Pictures of models: the images that the model makes of the right codes, and words that say what is shown."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from seqvae import pictures
from seqvae.build import build_vae
from seqvae.core.latent import plane_grid, principal_axes
from seqvae.modalities.images.images import Images
from seqvae.modalities.images.picture import Picture
from seqvae.model import Model, load
from seqvae.settings import build_config
from seqvae.training.run import train
from tests.training.small import EVERYTHING, write_corpus

HEIGHT, WIDTH = 5, 4


def some_images(count: int, channels: int = 1) -> list[np.ndarray]:
    pixels = np.random.default_rng(0).integers(0, 256, (count, HEIGHT, WIDTH, channels), dtype=np.uint8)
    return [image[:, :, 0] if channels == 1 else image for image in pixels]


@cache
def model(latent: int = 2, channels: int = 1, posterior: str = "gaussian", corruption: float = 0.0) -> Model:
    """An untrained model in double precision whose images depend on all units, on each one differently."""
    values = {"model": {"latent": latent, "widths": "7", "posterior": posterior}, "train": {"seed": 3}}
    values["model"]["corruption"] = corruption
    config = build_config("images", Images.data_config, Images.model_config, values)
    images = Images(config.data)
    images.fit(lambda: [Picture(image.reshape(HEIGHT, WIDTH, channels)) for image in some_images(9, channels)])
    vae = build_vae(config, images).double()
    with torch.no_grad():  # an untrained model would say the same whatever the code
        for parameter in vae.parameters():
            parameter.mul_(3.0)
    return Model(config, images, vae)


@pytest.fixture(scope="module")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model of sentences, trained for two epochs."""
    folder = tmp_path_factory.mktemp("pictures")
    values = {**EVERYTHING, "train": {**EVERYTHING["train"], "epochs": 2, "log_steps": 1}}
    run = train("text", write_corpus(folder / "sentences.txt"), folder / "words", values, device="cpu")
    return load(run.path, "cpu")


def shown(figure: Figure) -> list[np.ndarray]:
    """The images of a figure in the order in which they were drawn."""
    return [np.asarray(image.get_array()) for image in figure.axes[0].images]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def points(figure: Figure) -> np.ndarray:
    """The points of a plane, sorted."""
    found = np.asarray(figure.axes[0].collections[0].get_offsets())
    return found[np.lexsort(found.T)]


def test_the_manifold_of_two_units_is_what_the_quantiles_of_the_prior_become() -> None:
    figure = pictures.manifold(model(), 3)
    (mosaic,), made = shown(figure), model().decode(plane_grid(3))
    for place, image in enumerate(made):
        top, left = HEIGHT * (place // 3), WIDTH * (place % 3)
        np.testing.assert_array_equal(mosaic[top : top + HEIGHT, left : left + WIDTH], image)
    assert len({image.tobytes() for image in made}) == 9
    assert "each image stands for 1/9 of it" in texts(figure)[1]


def test_the_manifold_of_more_units_is_the_plane_of_the_principal_axes_of_items() -> None:
    items = some_images(12)
    figure = pictures.manifold(model(5), 3, items)
    mean, axes, scales = principal_axes(model(5).encode(items).mean)
    middle_right = mean + plane_grid(3)[5, 0] * scales[0] * axes[0]
    (expected,) = model(5).decode(middle_right[None])
    np.testing.assert_array_equal(shown(figure)[0][HEIGHT : 2 * HEIGHT, 2 * WIDTH :], expected)
    share = [round(100 * float(scale**2 / (scales**2).sum())) for scale in scales]
    labels = figure.axes[1].get_xlabel(), figure.axes[1].get_ylabel()
    assert labels == (f"first axis, {share[0]} % of the variance", f"second axis, {share[1]} %")
    assert texts(figure) == [
        "3 x 3 images across a plane through 5 latent units",
        "the two longest principal axes of 12 codes of the model; along all others it is at their mean",
    ]


@pytest.mark.parametrize(("latent", "posterior"), [(2, "point"), (2, "gaussian"), (4, "gaussian")])
def test_the_axes_of_a_manifold_are_coordinates_of_codes(latent: int, posterior: str) -> None:
    points_of, grid = model(latent, posterior=posterior), plane_grid(9)
    codes = torch.randn(50, latent, dtype=torch.float64) * torch.arange(latent, 0, -1) * 7 + 20
    figure = pictures.manifold(points_of, 9, codes)
    mean, axes, scales = principal_axes(codes)
    if latent == 2:
        mean, axes, scales = codes.mean(0), torch.eye(2, dtype=torch.float64), codes.std(0, correction=0)
    for axis, ticks in enumerate((figure.axes[1].xaxis, figure.axes[1].yaxis)):
        written = [float(label.get_text().replace("\N{MINUS SIGN}", "-")) for label in ticks.get_ticklabels()]
        assert len(written) >= 3
        centre = float(mean[axis]) if latent == 2 else 0.0
        expected = torch.special.ndtr((torch.tensor(written) - centre) / scales[axis])
        np.testing.assert_allclose(ticks.get_ticklocs(), expected.numpy(), atol=1e-6)
        # what `--at` makes of a written coordinate is what stands there
        place = grid[:, 1 - axis].abs().argsort()[:9]
        row = sorted(place.tolist())[4]
        (made,) = points_of.decode((mean + (grid[row] * scales[:2]) @ axes[:2])[None])
        top, left = HEIGHT * (row // 9), WIDTH * (row % 9)
        np.testing.assert_array_equal(shown(figure)[0][top : top + HEIGHT, left : left + WIDTH], made)


def test_notes_say_how_many_codes_are_of_training_items() -> None:
    codes = torch.randn(50, 3, dtype=torch.float64)
    for draw in (pictures.plane, pictures.manifold, pictures.principal_traversals):
        note = texts(draw(model(3), items=codes, trained_on=41))
        assert any("50 codes of the model (41 of training items)" in line for line in note)
    note = texts(pictures.manifold(model(2, posterior="point"), 3, codes[:, :2], 41))
    assert any("50 codes of the model (41 of training items)" in line for line in note)


def test_codes_far_off_the_prior_are_shown_without_it() -> None:
    near = torch.randn(50, 2, dtype=torch.float64)
    assert pictures.prior_fits(near)
    assert not pictures.prior_fits(9 * near)
    figure = pictures.plane(model(), 9 * near)
    assert not figure.axes[0].patches
    assert texts(figure)[1].endswith("means of q(z|x); the prior does not hold them")


def test_a_manifold_needs_items_unless_the_prior_is_a_plane() -> None:
    for other in (model(5), model(2, posterior="point")):
        with pytest.raises(ValueError, match="only the prior of two latent units is a plane; give items"):
            pictures.manifold(other, 3)
    with pytest.raises(ValueError, match="a plane needs two latent units, and the model has 1"):
        pictures.manifold(model(1), 3, some_images(4))


def test_the_plane_of_two_units_shows_the_means_of_the_codes_and_the_prior() -> None:
    items = some_images(12)
    figure = pictures.plane(model(), items, np.arange(12) % 3, ["a", "b", "c"])
    codes = model().encode(items).mean.numpy()
    np.testing.assert_allclose(points(figure), codes[np.lexsort(codes.T)], rtol=1e-12)
    assert len(figure.axes[0].patches) == 3
    assert texts(figure)[1].startswith("12 codes of the model: means of q(z|x)")


def test_the_plane_of_a_plain_autoencoder_has_no_prior() -> None:
    assert not pictures.plane(model(2, posterior="point"), some_images(12)).axes[0].patches


def test_the_plane_of_more_units_shows_the_coordinates_along_the_two_longest_axes() -> None:
    codes = model(5).encode(some_images(12)).mean
    figure = pictures.plane(model(5), codes)
    mean, axes, scales = principal_axes(codes)
    along = ((codes - mean) @ axes[:2].T).numpy()
    np.testing.assert_allclose(points(figure), along[np.lexsort(along.T)], rtol=1e-9)
    share = round(100 * float(scales[0] ** 2 / (scales**2).sum()))
    assert figure.axes[0].get_xlabel() == f"first axis, {share} % of the variance"


def test_a_projection_by_neighbours_takes_the_place_of_the_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = model(5).encode(some_images(12)).mean
    asked: list[tuple[str, int]] = []

    def first_two(values: np.ndarray, projection: str, seed: int) -> np.ndarray:
        asked.append((projection, seed))
        return values[:, 2:4]

    monkeypatch.setattr(pictures, "by_neighbours", first_two)
    figure = pictures.plane(model(5), codes, projection="umap", seed=3)
    expected = codes[:, 2:4].numpy()
    np.testing.assert_allclose(points(figure), expected[np.lexsort(expected.T)], rtol=1e-9)
    assert asked == [("umap", 3)]
    assert (figure.axes[0].get_xlabel(), texts(figure)[0]) == ("UMAP 1", "The latent space by UMAP")


def test_traversals_set_one_unit_and_keep_the_others_of_the_item() -> None:
    item = some_images(1)[0]
    figure = pictures.traversals(model(3), item)
    code = model(3).encode([item]).mean[0]
    names = [name for name in texts(figure) if name.startswith("unit ")]
    assert sorted(names) == ["unit 1", "unit 2", "unit 3"]
    effects = []
    for row, name in enumerate(names):
        images = shown(figure)[13 * row : 13 * (row + 1)]
        for place, value in ((0, -3.0), (7, 0.5), (12, 3.0)):
            changed = code.clone()
            changed[int(name.removeprefix("unit ")) - 1] = value
            np.testing.assert_array_equal(images[place], model(3).decode(changed[None])[0])
        effects.append(np.abs(np.stack(images).astype(float) - images[6]).mean())
    assert effects == sorted(effects, reverse=True)


def test_traversals_show_twenty_units_at_most() -> None:
    figure = pictures.traversals(model(23))
    assert len(shown(figure)) == 20 * 13


def test_principal_traversals_go_through_the_mean_of_the_codes_in_standard_deviations() -> None:
    items = some_images(12)
    figure = pictures.principal_traversals(model(3), items)
    mean, axes, scales = principal_axes(model(3).encode(items).mean)
    assert len(shown(figure)) == 3 * 13
    for row in range(3):
        np.testing.assert_array_equal(shown(figure)[13 * row + 6], model(3).decode(mean[None])[0])
        end = mean + 3.0 * scales[row] * axes[row]
        np.testing.assert_array_equal(shown(figure)[13 * row + 12], model(3).decode(end[None])[0])


def test_codes_that_are_all_alike_have_no_axes() -> None:
    with pytest.raises(ValueError, match=r"^4 codes that are all alike have no axes; give more items$"):
        pictures.principal_traversals(model(3), torch.ones(4, 3))


def test_samples_are_those_of_the_model() -> None:
    figure = pictures.samples(model(channels=3), 6, seed=5)
    for drawn, image in zip(shown(figure), model(channels=3).sample(6, seed=5), strict=True):
        np.testing.assert_array_equal(drawn, image)


def test_reconstructions_stand_below_their_originals() -> None:
    items = some_images(5)
    figure = pictures.reconstructions(model(), items, 3)
    images = shown(figure)
    for place, (item, made) in enumerate(zip(items[:3], model().reconstruct(items[:3]), strict=True)):
        np.testing.assert_array_equal(images[2 * place], item)
        np.testing.assert_array_equal(images[2 * place + 1], made)


def test_denoising_shows_what_the_encoder_met_what_came_of_it_and_the_truth() -> None:
    noisy_model, items = model(channels=3, corruption=0.4), some_images(12, 3)
    figure = pictures.denoising(noisy_model, items, 11, seed=4)
    assert [name for name in texts(figure) if name in ("noisy", "denoised", "clean")] == [
        "noisy",
        "denoised",
        "clean",
    ] * 2
    images = np.stack(shown(figure)).reshape(11, 3, HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(images[:, 2], np.stack(items[:11]))
    black = (images[:, 0] == 0).all(3)
    assert 0.25 < black.mean() < 0.55
    np.testing.assert_array_equal(images[:, 0], np.where(black[..., None], 0, images[:, 2]))
    for noisy, denoised, _ in images:  # the noise of the first row is what the second is made of
        np.testing.assert_array_equal(denoised, noisy_model.reconstruct([noisy])[0])
    assert pictures.corrupts(noisy_model)
    for one in (items[0], iter(items[:1])):  # whatever the other pictures take
        noisy = shown(pictures.denoising(noisy_model, one, seed=4))[0]
        np.testing.assert_array_equal(noisy, images[0, 0])
    with pytest.raises(ValueError, match=r"^the model was trained without noise; train with model.corruption=0.3"):
        pictures.denoising(model(), some_images(2))


def test_an_interpolation_leads_from_one_original_to_the_other() -> None:
    a, b = some_images(2)
    figure = pictures.interpolation(model(), a, b, 4)
    expected = [a, *model().interpolate(a, b, 4), b]
    for drawn, image in zip(shown(figure), expected, strict=True):
        np.testing.assert_array_equal(drawn, image)
    assert "great arc" in texts(figure)[1]


def test_codes_that_are_points_are_joined_by_straight_lines() -> None:
    points_of, (a, b) = model(3, posterior="point"), some_images(2)
    figure = pictures.interpolation(points_of, a, b, 3)
    middle = points_of.encode([a, b]).mean.mean(0, keepdim=True)
    np.testing.assert_array_equal(shown(figure)[2], points_of.decode(middle)[0])
    assert "straight line" in texts(figure)[1]


def test_the_network_runs_from_the_data_to_the_code_and_back() -> None:
    found = pictures.layers(model())
    assert found[0].name == "x"
    assert found[0].output_shape == (1, HEIGHT, WIDTH, 1)
    assert [layer.output_shape for layer in found if layer.name == "z"] == [(1, 2)]
    assert sum(layer.parameters for layer in found) == sum(weight.numel() for weight in model().vae.parameters())
    assert f"{sum(layer.parameters for layer in found):,} parameters" in texts(pictures.network(model()))


def test_a_model_of_sentences_has_losses_a_network_and_a_plane(text_model: Model) -> None:
    assert text_model.run is not None
    assert text_model.run is not None
    for other in (text_model, text_model.run.path, str(text_model.run.path)):
        assert texts(pictures.losses(other)) == texts(pictures.losses(text_model.run))
    with pytest.raises(ValueError, match="this model is of no run, so it has no losses; give the folder of a run"):
        pictures.losses(model())
    figure = pictures.losses(text_model.run)
    assert texts(figure)[0] == "Training of words"
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["negative ELBO", "reconstruction", "KL"]
    assert len(figure.axes[0].lines[0].get_xdata()) > 2
    assert len(points(pictures.plane(text_model, ["the cat sees a dog", "a bird", "not today"]))) == 3
    assert pictures.layers(text_model)[0].output_shape == (1, 16)
    assert "to_mean" in texts(pictures.network(text_model))


def test_pictures_of_images_need_a_model_of_images(text_model: Model) -> None:
    with pytest.raises(
        ValueError, match=r"made of images, and this is a model of text; plot its plane, or its traversals$"
    ):
        pictures.samples(text_model)


def test_losses_of_a_damaged_file_are_refused_in_a_sentence(text_model: Model, tmp_path: Path) -> None:
    class Damaged:
        path = tmp_path
        metrics_path = tmp_path / "metrics.jsonl"

    Damaged.metrics_path.write_text('{"event": "train", "step\n')
    with pytest.raises(ValueError, match=r"metrics.jsonl is damaged; the model is not, restore the file from a copy$"):
        pictures.losses(Damaged())  # type: ignore[arg-type]


def test_labels_of_a_plane_are_those_of_the_items_or_places_among_names() -> None:
    items, words = some_images(12), ["b", "a", "c"] * 4
    expected = pictures.plane(model(), items, np.array([1, 0, 2] * 4), ["a", "b", "c"])
    for labels in (words, np.array(words)):
        found = pictures.plane(model(), items, labels)
        assert texts(found) == texts(expected)
        np.testing.assert_array_equal(points(found), points(expected))
    codes = model().encode(items).mean.numpy()
    np.testing.assert_allclose(points(pictures.plane(model(), codes, words)), points(expected), rtol=1e-12)
