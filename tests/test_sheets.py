"""Traversals and sweeps of models of all kinds: which units come first, and that cells are what the model makes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seqvae
from seqvae import pictures, sheets
from seqvae.attributes import Attribute, keep_attributes
from seqvae.core.posterior import DiagonalGaussian
from seqvae.modalities.items import Sweep
from seqvae.model import Model
from tests.test_drum_model import groove, piece
from tests.test_drum_model import model as drum_model
from tests.test_pictures import model as image_model
from tests.test_pictures import some_images
from tests.training.small import BRIEF, write_corpus


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[list[Any]], Sweep]]:
    """What modalities are asked to draw: pieces and how they stand."""
    found: list[tuple[list[list[Any]], Sweep]] = []
    for one in (drum_model(), image_model(3)):
        monkeypatch.setattr(
            type(one.modality), "picture", lambda self, pieces, sweep: found.append((pieces, sweep)) or "a figure"
        )
    return found


def hits(pieces: list[list[Any]]) -> list[np.ndarray]:
    return [clip.hits for (clip,) in pieces]


def test_the_units_that_say_most_come_first(drawn: list[tuple[list[list[Any]], Sweep]]) -> None:
    codes = drum_model().encode([groove(2, seed=seed) for seed in range(6)])
    nats = codes.kl().mean(0).tolist()
    order = sorted(range(5), key=lambda unit: -nats[unit])
    pictures.traversals(drum_model(), of=codes, units=3)
    pieces, sweep = drawn[0]
    assert sweep.names == [f"unit {unit + 1}, {nats[unit]:.2f} nats" for unit in order[:3]]
    assert sweep.heads == ["\N{MINUS SIGN}3", "\N{MINUS SIGN}2", "\N{MINUS SIGN}1", "0", "1", "2", "3"]
    for row, unit in enumerate(order[:3]):
        z = torch.zeros(7, 5, dtype=torch.float64)
        z[:, unit] = torch.arange(-3, 4)
        expected = drum_model().in_windows().decode(z)
        for one, other in zip(hits(pieces[7 * row :]), hits(expected), strict=False):
            np.testing.assert_array_equal(one, other)
    pictures.traversals(drum_model(), of=[groove(2, seed=seed) for seed in range(6)], units=3)
    assert drawn[1][1] == sweep
    other = DiagonalGaussian(torch.tensor([[0.0, 3.0, 1.0, 0.0, 2.0]]), torch.zeros(1, 5))
    pictures.traversals(drum_model(), of=other)
    assert [name.split(",")[0] for name in drawn[2][1].names] == [f"unit {unit}" for unit in (2, 5, 3, 1, 4)]


def test_traversals_of_an_item_are_in_its_metre_and_tempo(drawn: list[tuple[list[list[Any]], Sweep]]) -> None:
    waltz = groove(2, meter=(3, 4), bpm=70.0)
    pictures.traversals(drum_model(), waltz)
    pieces, sweep = drawn[0]
    assert {(clip.meter, clip.bpm, len(clip)) for (clip,) in pieces} == {((3, 4), 70.0, 24)}
    code = drum_model().encode([waltz]).mean[0]
    unit = int(sweep.names[0].removeprefix("unit ")) - 1
    group = drum_model().windows(waltz)
    moved = torch.zeros(5, dtype=torch.float64)
    moved[unit] = 2.0 - float(code[unit])
    ((clip,),) = drum_model().in_windows().reconstruct([group.moved(moved)])
    np.testing.assert_array_equal(pieces[5][0].hits, clip.hits)
    with pytest.raises(ValueError, match=r"^the item has 3 windows, each with a code of its own; give one of them"):
        pictures.traversals(drum_model(), piece(groove(6)))


def test_axes_of_sequences_go_from_minus_three_to_three(drawn: list[tuple[list[list[Any]], Sweep]]) -> None:
    pictures.principal_traversals(drum_model(), [groove(2, seed=seed) for seed in range(9)])
    pieces, sweep = drawn[0]
    assert [name.split(",")[0] for name in sweep.names] == [f"axis {place}" for place in range(1, 6)]
    assert len(pieces) == 5 * 7
    middles = hits(pieces)[3::7]
    assert all(np.array_equal(middles[0], one) for one in middles[1:])


# Sweeps --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model of sentences that has two attributes."""
    folder = tmp_path_factory.mktemp("sheets")
    run = seqvae.train("text", write_corpus(folder / "corpus.txt"), folder / "words", BRIEF)
    model = seqvae.load(run.path, "cpu")
    vectors = torch.randn(2, model.vae.latent, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 3
    made = {
        name: Attribute(name, "words", "", False, "means", 9, 1.0, 1.0, 0.0, 0.0, 1.5, 1.0, vector, vector.clone())
        for name, vector in zip(("old", "sees"), vectors, strict=True)
    }
    assert model.run is not None
    keep_attributes(model.run, made)
    return seqvae.load(run.path, "cpu")


def test_a_sweep_has_a_row_for_each_item_and_a_column_for_each_strength(sentences: Model, tmp_path: Path) -> None:
    items = ["the cat sees a dog", "a bird / not today"]
    groups = [sentences.windows(item, item) for item in items]
    moved, sweep = sheets.swept(sentences, groups, {"old": None, "sees": -0.5}, [-2, 0, 3])
    assert sentences.reconstruct(moved) == [
        seqvae.add_attributes(sentences, item, {"old": strength, "sees": -0.5})[0]
        for item in items for strength in (-2, 0, 3)
    ]  # fmt: skip
    assert (sweep.names, sweep.heads) == (items, ["\N{MINUS SIGN}2", "0", "3"])
    assert sweep.title == "old, from \N{MINUS SIGN}2 to 3, with sees \N{MINUS SIGN}0.5"
    assert sweep.note.endswith(", in deviations of the codes of the data")
    figure = pictures.sweep(sentences, items, "old", [-2, 0, 3])
    written = [text.get_text() for text in figure.texts]
    assert written[0] == "old, from \N{MINUS SIGN}2 to 3"
    assert written[2] == items[0]
    assert sheets.swept(sentences, groups[:1], ["old", "sees"], [0, 1])[1].names == [""]
    with pytest.raises(
        ValueError, match=r"^a sweep gives strengths, and each attribute has one; leave one of them out"
    ):
        pictures.sweep(sentences, items, {"old": 1.0})
    with pytest.raises(ValueError, match="a sweep needs an item to start from, and there is none; give at least one"):
        pictures.sweep(sentences, [], "old")
    with pytest.raises(ValueError, match="no attribute 'young'"):
        pictures.sweep(sentences, items, "young")
    assert [path.name for path in sentences.write(["a", "b"], tmp_path, Sweep(["x"], ["0", "1"]))] == [
        "sentences.txt", "sweep.png"
    ]  # fmt: skip


def test_sweeps_of_images_and_of_drums_are_drawn() -> None:
    images = some_images(4)
    figure = image_model(3).picture(images, Sweep(["a", "b"], ["0", "1"]))
    for shown, image in zip(figure.axes[0].images, images, strict=True):
        np.testing.assert_array_equal(np.asarray(shown.get_array()), image)
    clips = [groove(2, seed=seed, bpm=90.0 + seed) for seed in range(4)]
    assert len(drum_model().picture(clips, Sweep(["a", "b"], ["0", "1"])).axes) == 4
    below = drum_model().picture(clips, Sweep([""], list("0123"), "a title"))
    assert [text.get_text() for text in below.texts] == ["a title", "0", "1", "2", "3"]
    with pytest.raises(ValueError, match=r"^4 items are no 2 rows of 3 columns; give 6$"):
        drum_model().picture(clips, Sweep(["a", "b"], list("012")))


def test_a_language_model_has_no_units() -> None:
    class Language:
        run, vae = None, type("VAE", (), {"latent": 0})

    with pytest.raises(ValueError, match=r"^the model is a language model"):
        pictures.traversals(Language())  # type: ignore[arg-type]
