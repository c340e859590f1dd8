"""Codes lead back to their items: spans of rows, and names that find the windows again."""

from pathlib import Path

import numpy as np
import pytest
import torch

from seqvae.codes import codes_of_items
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
