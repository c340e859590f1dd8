"""The demo digits: strokes and paint in closed form, and pictures that a simple judge tells apart."""

import numpy as np
import pytest
from click.testing import CliRunner, Result

from seqvae.modalities.base import Report
from seqvae.modalities.images.reading import Reading, read_pictures, shape_of, splits_of
from tests.scripts.loaded import script

script("generate_sentences")
digits = script("generate_digits")


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    """1,500 pictures with their digits."""
    return digits.draw(1500, (0, 7))


def run(*arguments: object) -> Result:
    """The outcome of one call of the script."""
    return CliRunner().invoke(digits.main, [str(argument) for argument in arguments])


def test_a_curve_goes_through_its_points_and_is_straight_where_they_are():
    points = np.array([[0.0, 0.0], [1.0, 3.0], [2.0, 1.0], [5.0, 1.0]])
    through = digits.curve(4) @ points
    assert np.allclose(through[:: digits.CURVE], points)
    line = digits.curve(3) @ np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]])
    assert np.allclose(line[:, 1], 2 * line[:, 0])


def test_paint_covers_a_pixel_by_its_distance_from_the_line():
    # a horizontal piece 6 pixels long through the middles of pixels of row 14, with a pen 2.5 wide
    drawing = np.array([[-3.5, 0.5, 6.0, 0.0, 1.25]])
    (picture,) = digits.painted([drawing])
    assert picture[12:18, 12].tolist() == [0, 191, 255, 191, 0, 0]
    assert picture[14, 7:20].tolist() == [0, 0, 191, *[255] * 7, 191, 0, 0]
    corner = 1.25 + 0.5 - np.sqrt(2)
    assert picture[13, 9] == round(255 * corner)


def test_where_strokes_cross_the_paint_is_no_thicker():
    once = digits.painted([np.array([[-3.0, 0.0, 6.0, 0.0, 1.0]])])
    twice = digits.painted([np.array([[-3.0, 0.0, 6.0, 0.0, 1.0], [-3.0, 0.0, 3.0, 0.0, 1.0]])])
    assert np.array_equal(once, twice)


def test_every_form_stays_in_its_box():
    assert sorted(digits.FORMS) == list(range(10))
    for forms in digits.FORMS.values():
        for weight, form in forms:
            points = np.concatenate([np.array(stroke) for stroke in form])
            assert weight > 0
            assert 0 <= points.min() <= points.max() <= 1
            assert np.ptp(points[:, 1]) > 0.9


def test_each_digit_comes_as_often_and_no_picture_twice(drawn):
    pictures, labels = drawn
    assert np.bincount(labels).tolist() == [150] * 10
    assert len(set(labels[:20].tolist())) > 5
    assert len(np.unique(pictures.reshape(1500, -1), axis=0)) == 1500


def test_pictures_have_the_look_of_mnist(drawn):
    levels = drawn[0] / 255
    assert levels.shape == (1500, 28, 28)
    assert 0.10 < levels.mean() < 0.16  # MNIST: 0.13
    assert levels.max((1, 2)).min() > 0.9
    assert 0.45 < (levels[levels > 0] < 0.98).mean() < 0.7  # soft edges; MNIST: 0.61 of the pixels with ink
    border = np.concatenate([levels[:, :2], levels[:, -2:], levels[:, :, :2].mT, levels[:, :, -2:].mT], axis=1)
    assert border.mean() < 0.003
    places = np.arange(28) - 13.5
    ink = levels.sum((1, 2))
    across, down = (levels.sum(1) @ places) / ink, (levels.sum(2) @ places) / ink
    assert np.abs(np.stack([across, down])).max() < 2.5
    assert ink.std() / ink.mean() > 0.2


def test_the_five_nearest_neighbours_know_a_digit(drawn):
    flat, labels = drawn[0].reshape(1500, -1) / 255, drawn[1]
    known, asked = flat[:1200], flat[1200:]
    distances = (known**2).sum(1) - 2 * asked @ known.T
    nearest = np.argsort(distances, axis=1)[:, :5]
    votes = [np.bincount(labels[row], minlength=10).argmax() for row in nearest]
    assert np.mean(votes == labels[1200:]) > 0.95


def test_the_files_are_read_as_mnist_is_and_depend_on_the_seed_alone(tmp_path):
    for folder in ("one", "two"):
        result = run("generate", "--out", tmp_path / folder, "--train", 50, "--test", 20)
        assert result.exit_code == 0
        assert "train-images-idx3-ubyte.gz: 50 pictures of 28 x 28" in result.output
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(names) == 4
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert set(splits_of([tmp_path / "one"])) - {None} == {"train", "test"}
    for part, (split, count) in enumerate((("train", 50), ("test", 20))):
        reading = Reading(split=split)
        assert shape_of([tmp_path / "one"], reading) == (28, 28, 1)
        read = list(read_pictures([tmp_path / "one"], reading, (28, 28, 1), Report()))
        pictures, labels = digits.draw(count, (0, part))
        assert np.array_equal([picture.pixels[:, :, 0] for picture in read], pictures)
        assert [picture.label for picture in read] == [str(label) for label in labels]
    assert not np.array_equal(digits.draw(20, (1, 1))[0], digits.draw(20, (0, 1))[0])


def test_too_few_pictures_are_refused_in_one_sentence(tmp_path):
    result = run("generate", "--out", tmp_path, "--train", 3)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
