"""Black and white pixels drawn from grey levels: exact probabilities, and draws that belong to images or to steps."""

import math

import pytest
import torch

from seqvae.modalities.images.binarisation import drawn, drawn_once
from seqvae.modalities.images.images import Images
from seqvae.modalities.images.settings import ImageData
from seqvae.noise import Noise
from seqvae.types import Batch


def batch_of(x: torch.Tensor, first_key: int = 0) -> Batch:
    """(B, H, W, C) as images."""
    return Batch(x.unsqueeze(1), torch.ones(len(x), dtype=torch.int64), torch.arange(first_key, first_key + len(x)))


def images(count: int = 7) -> Batch:
    """Different images of 5 x 3 in colour."""
    return batch_of(torch.randint(0, 256, (count, 5, 3, 3), dtype=torch.uint8))


def test_every_grey_level_is_white_as_often_as_it_says() -> None:
    """Each of 256 levels in 20,000 draws, within five standard errors sqrt(p (1 - p) / 20,000); exact at the ends."""
    levels = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).expand(20_000, -1, -1, -1)
    white = drawn(batch_of(levels), Noise(0, torch.arange(20_000))).x
    assert white.dtype == torch.uint8
    assert white.unique().tolist() == [0, 255]
    shares = (white == 255).double().mean(0).flatten()
    expected = torch.arange(256, dtype=torch.float64) / 255
    error = (expected * (1 - expected) / 20_000).sqrt()
    assert ((shares - expected).abs() <= 5 * error).all()
    assert (shares[0], shares[255]) == (0.0, 1.0)
    z_scores = ((shares - expected) / error)[1:255]
    assert abs(float(z_scores.mean())) < 5 / math.sqrt(254), "no bias over all levels"
    assert 0.7 < float(z_scores.std()) < 1.3


def test_the_share_of_white_is_exact_to_the_resolution_of_a_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """All 65536 values of a draw, each once: level v is white for round(65536 v / 255) of them."""
    draws = torch.arange(-32768, 32768, dtype=torch.int16)
    for level in (0, 1, 2, 127, 128, 200, 254, 255):
        batch = batch_of(torch.full((1, 256, 256, 1), level, dtype=torch.uint8))
        monkeypatch.setattr(Noise, "bits", lambda *_: draws.view(torch.int64).unsqueeze(0))
        assert int((drawn(batch, Noise(0, batch.keys)).x == 255).sum()) == round(65536 * level / 255)


@pytest.mark.parametrize("size", [(5, 3, 3), (1, 1, 1), (2, 2, 1), (7, 1, 1)])
def test_pixels_are_drawn_independently_of_each_other(size: tuple[int, int, int]) -> None:
    """Correlations of all pairs of pixels at grey 128 over 4,000 images, within five of 1 / sqrt(4,000)."""
    white = drawn(batch_of(torch.full((4000, *size), 128, dtype=torch.uint8)), Noise(1, torch.arange(4000))).x
    values = (white.flatten(1) == 255).double()
    assert white.shape == (4000, 1, *size)
    if values.shape[1] > 1:
        correlations = torch.corrcoef(values.T) - torch.eye(values.shape[1], dtype=torch.float64)
        assert correlations.abs().max() < 5 / math.sqrt(4000)


def test_what_is_black_or_white_already_stays_as_it_is() -> None:
    x = torch.randint(0, 2, (6, 5, 4, 1), dtype=torch.uint8) * 255
    assert torch.equal(drawn_once(batch_of(x), 3).x, x.unsqueeze(1))


def test_an_image_has_one_static_draw_wherever_it_stands() -> None:
    batch = images()
    whole = drawn_once(batch, 0)
    assert torch.equal(whole.keys, batch.keys)
    assert torch.equal(whole.lengths, batch.lengths)
    for row in range(len(batch)):
        alone = batch_of(batch.x[row], first_key=1000 + row)
        assert torch.equal(drawn_once(alone, 0).x[0], whole.x[row])
    order = torch.tensor([3, 0, 3, 6])
    assert torch.equal(drawn_once(batch.select(order), 0).x, whole.x[order])


def test_images_and_seeds_have_draws_of_their_own() -> None:
    grey = torch.full((1, 20, 20, 1), 128, dtype=torch.uint8)
    first = drawn_once(batch_of(grey), 0).x
    assert not torch.equal(first, drawn_once(batch_of(grey), 1).x)
    for place in (0, 1, 19, 210, 399):  # one pixel by one level, anywhere
        other = grey.clone()
        other.view(-1)[place] += 1
        share = float((drawn_once(batch_of(other), 0).x != first).double().mean())
        assert share == pytest.approx(0.5, abs=5 * math.sqrt(0.25 / 400)), place
    swapped = grey.clone()
    swapped.view(-1)[:2] = torch.tensor([129, 127], dtype=torch.uint8)  # the sum of all levels is the same
    assert (drawn_once(batch_of(swapped), 0).x != first).double().mean() > 0.3


def modality(**data: object) -> Images:
    return Images(ImageData(**data))  # type: ignore[arg-type]


def refuse() -> Batch:
    raise AssertionError("images have no partners")


def test_without_binarisation_training_and_evaluation_see_pixels_as_they_are() -> None:
    batch = images()
    noise = Noise(0, batch.keys, 4)
    assert torch.equal(modality().settle(batch).x, batch.x)
    assert torch.equal(modality().augment(batch, refuse, noise).x, batch.x)


def test_static_binarisation_shows_training_what_evaluation_sees() -> None:
    batch = images()
    static = modality(binarise="static", binarisation_seed=5)
    settled = static.settle(batch)
    assert torch.equal(settled.x, drawn_once(batch, 5).x)
    for step in (0, 1):
        assert torch.equal(static.augment(batch, refuse, Noise(0, batch.keys, step)).x, settled.x)
    assert not torch.equal(modality(binarise="static").settle(batch).x, settled.x)


def test_dynamic_binarisation_draws_anew_at_each_step_by_the_key() -> None:
    batch = images()
    dynamic = modality(binarise="dynamic", binarisation_seed=5)
    assert torch.equal(dynamic.settle(batch).x, drawn_once(batch, 5).x)
    found = [dynamic.augment(batch, refuse, Noise(0, batch.keys, step)).x for step in (0, 1, 2)]
    for x in found:
        assert x.unique().tolist() == [0, 255]
        assert torch.equal(x[batch.x == 0], batch.x[batch.x == 0])
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[1], found[2])
    assert torch.equal(dynamic.augment(batch, refuse, Noise(0, batch.keys, 1)).x, found[1])
    order = torch.tensor([6, 2])
    some = batch.select(order)
    assert torch.equal(dynamic.augment(some, refuse, Noise(0, some.keys, 1)).x, found[1][order])
    twins = batch_of(batch.x[:1, 0].expand(2, -1, -1, -1))
    x = dynamic.augment(twins, refuse, Noise(0, twins.keys)).x
    assert not torch.equal(x[0], x[1]), "equal images with keys of their own"
