"""Codes lead back to their items: spans of rows, and names that find the windows again."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from seqvae.codes import Codes, codes_of_items
from seqvae.core.posterior import DiagonalGaussian
from seqvae.modalities.images.images import Images
from seqvae.modalities.images.settings import ImageData
from seqvae.modalities.text.sentences import Text
from seqvae.modalities.text.settings import TextData
from tests.test_drum_model import groove, model, piece


def test_rows_are_divided_among_items_in_order() -> None:
    mean = torch.arange(12.0, dtype=torch.float64).reshape(6, 2)
    codes = codes_of_items(DiagonalGaussian(mean, -mean), [["a#0", "a#2", "a#4"], ["b"], ["c#0", "c#2"]])
    assert codes.spans == (slice(0, 3), slice(3, 4), slice(4, 6))
    for item, rows in enumerate(([0, 1, 2], [3], [4, 5])):
        assert torch.equal(codes.of(item).mean, mean[rows])
        assert torch.equal(codes.of(item).log_scale, -mean[rows])
        assert codes.of(item).spans == (slice(0, len(rows)),)
    assert codes.of(-1).names == ("c#0", "c#2")
    for item in (3, -4):
        with pytest.raises(ValueError, match=rf"^there is no item {item}; there are 3, counted from 0$"):
            codes.of(item)


def test_codes_of_pieces_say_whose_they_are_and_decode_as_before() -> None:
    first, second = piece(groove(5, 1)), piece(groove(2, 2))
    codes = model().encode([first, second, groove(1, 3)])
    assert codes.spans == (slice(0, 3), slice(3, 4), slice(4, 5))
    assert codes.names == ("item 0#0", "item 0#2", "item 0#4", "item 1#0", "item 2")
    assert torch.allclose(codes.of(1).mean, model().encode([second]).mean)
    assert len(model().decode(codes.of(0).mean)) == 3


def test_a_row_of_texts_and_images_bears_the_sentence_the_file_or_the_place() -> None:
    text, images = Text(TextData()), Images(ImageData())
    for modality, item, name in (
        (text, "a sentence", "a sentence"),
        (images, Path("a.png"), "a.png"),
        (images, "stack.npz#3", "stack.npz#3"),
        (images, np.zeros((5, 4)), "item 2"),
    ):
        assert modality.window_names(modality.as_named(item, "item 2"), 1) == [name]


def three() -> Codes:
    """Two windows of a, one of b."""
    mean = torch.tensor([[1.0, 2.0], [3.0, 5.0], [7.0, -4.0]], dtype=torch.float64)
    return codes_of_items(DiagonalGaussian(mean, mean / 10), [["a#0", "a#2"], ["b"]])


def test_rows_and_slices_of_codes_keep_their_names_and_items() -> None:
    codes = three()
    assert (len(codes), repr(codes)) == (3, "<Codes: 3 rows of 2 units, 2 items: a#0, a#2, b>")
    for rows, places, names, spans in (
        (1, [1], ("a#2",), (slice(0, 1),)),
        (-1, [2], ("b",), (slice(0, 1),)),
        (slice(1, 3), [1, 2], ("a#2", "b"), (slice(0, 1), slice(1, 2))),
        (slice(0, 2), [0, 1], ("a#0", "a#2"), (slice(0, 2),)),
        ([2, 0], [2, 0], ("b", "a#0"), (slice(0, 1), slice(1, 2))),
        ([2, 2, 0, 1], [2, 2, 0, 1], ("b", "b", "a#0", "a#2"), (slice(0, 1), slice(1, 2), slice(2, 4))),
        (np.array([True, False, True]), [0, 2], ("a#0", "b"), (slice(0, 1), slice(1, 2))),
    ):
        part = codes[rows]
        assert torch.equal(part.mean, codes.mean[places])
        assert torch.equal(part.log_scale, codes.log_scale[places])
        assert (part.names, part.spans) == (names, spans)
    assert [one.names for one in codes] == [("a#0",), ("a#2",), ("b",)]
    with pytest.raises(IndexError):
        codes[3]


def test_codes_are_drawn_by_seed_and_row_about_their_mean() -> None:
    codes = three()
    drawn = torch.stack([codes.sample(seed) for seed in range(1000)])
    error = 5 * codes.scale / 1000**0.5
    assert ((drawn.mean(0) - codes.mean).abs() < error).all()
    assert ((drawn.std(0) - codes.scale).abs() < error).all()
    assert torch.equal(codes.sample(3), codes.sample(seed=3))
    assert torch.equal(codes.sample(3)[:2], codes[:2].sample(3))


def test_arithmetic_is_that_of_the_means() -> None:
    codes = three()
    a, b = codes[0], codes[2]
    halfway = a + 0.5 * (b - a)
    assert halfway.mean.tolist() == [[4.0, -1.0]]
    assert halfway.scale.tolist() == [[0.0, 0.0]]
    assert (halfway.names, (b - a).names, (0.5 * a + 0.5 * b).names) == (("a#0",), ("",), ("",))
    moved = codes + (b - a)  # a direction
    assert moved.mean.tolist() == [[7.0, -4.0], [9.0, -1.0], [13.0, -10.0]]
    assert (moved.names, moved.spans) == (codes.names, codes.spans)
    for found in (np.array([1.0, -1.0]) - codes, torch.tensor([1.0, -1.0]) - codes):
        assert found.mean.tolist() == [[0.0, -3.0], [-2.0, -6.0], [-6.0, 3.0]]
        assert found.names == codes.names
    path = a + torch.tensor([[0.0], [0.5], [1.0]]) * (b - a)
    assert path.mean.tolist() == [[1.0, 2.0], [4.0, -1.0], [7.0, -4.0]]
    assert (path.names, path.spans) == (("a#0",) * 3, (slice(0, 1), slice(1, 2), slice(2, 3)))
    assert (-codes / 2).mean.tolist() == [[-0.5, -1.0], [-1.5, -2.5], [-3.5, 2.0]]
    with pytest.raises(
        ValueError, match=r"codes of shapes \(3, 2\) and \(2, 2\) do not go together; give as many rows"
    ):
        codes + codes[:2]
    with pytest.raises(TypeError):
        a * b


@pytest.mark.parametrize("shape", [(3, 3, 2), (3, 1, 2), (1, 1, 1), (3,), (3, 3), (4, 2)])
def test_arrays_of_other_shapes_than_codes_have_are_refused(shape: tuple[int, ...]) -> None:
    for operand in (np.zeros(shape), torch.zeros(shape)):
        message = rf"^codes of shapes \(3, 2\) and {re.escape(str(shape))} do not go together; .* or one, of 2 units$"
        with pytest.raises(ValueError, match=message):
            three() + operand
    one_unit = codes_of_items(DiagonalGaussian(torch.zeros(1, 1), torch.zeros(1, 1)), [["a"]])
    with pytest.raises(ValueError, match=r"\(1, 1\) and \(5,\) do not go together"):
        one_unit - np.ones(5)
    assert (three() + np.zeros((1, 2))).mean.tolist() == three().mean.tolist()
    assert (three() + np.zeros((3, 1))).mean.tolist() == three().mean.tolist()


def test_codes_are_the_array_of_their_means_to_numpy() -> None:
    codes = three()
    means = np.asarray(codes)
    assert means.tolist() == codes.mean.tolist()
    assert (means.shape, means.dtype, np.array(codes, "float32").dtype) == ((3, 2), np.float64, np.float32)
    means[0, 0] = 9.0
    assert codes.mean[0, 0] == 1.0, "an array of its own"
    assert np.mean(np.asarray(codes[:2]), 0).tolist() == [2.0, 3.5]
    assert np.stack([codes[0], codes[2]]).tolist() == [[[1.0, 2.0]], [[7.0, -4.0]]]
    assert np.asarray(np.array([1.0, 1.0]) + codes).tolist() == (codes.mean + 1.0).tolist(), "the codes do the sum"


def test_codes_stand_where_items_do() -> None:
    first, second = piece(groove(5, 1)), piece(groove(2, 2))
    codes = model().encode([first, second])
    with pytest.raises(ValueError, match=r"is codes of 2 items, and one is needed; give those of one, such as"):
        model().interpolate(codes, second)
    assert model().encode([codes.of(1), first]).names == ("item 1#0", "item 1#0", "item 1#2", "item 1#4")
    walk = model().in_windows().interpolate(codes.of(0), codes.of(1), steps=3)
    assert [len(windows) for windows in walk] == [3, 3, 3]
    expected = model().in_windows().decode(codes.mean)
    assert [window.hits.tolist() for window in walk[0]] == [one.hits.tolist() for (one,) in expected[:3]]
    assert [window.hits.tolist() for window in walk[2]] == [expected[3][0].hits.tolist()] * 3
    assert len(model().vary(codes[0], n=2)) == 2
    assert len(model().reconstruct(codes)) == 4
    for call in (lambda: model().score([codes[0]]), lambda: model().change(first, codes[0])):
        with pytest.raises(ValueError, match="codes stand where an item is needed; give the item, or decode the codes"):
            call()
    with pytest.raises(
        ValueError, match=f"is a code of 1 unit, and this model has {model().vae.latent}; give codes of its own"
    ):
        model().interpolate(Codes(codes.mean[:1, :1], codes.mean[:1, :1], ("",), (slice(0, 1),)), codes[0])
