"""`seqvae inspect`: the data as training reads them, and `--out`, the first items of a corpus on a sheet."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from seqvae.build import open_run
from seqvae.modalities.images.images import Images
from seqvae.modalities.midi.drums import Drums
from seqvae.modalities.text.sentences import Text
from seqvae.training import run

SONG = Path(__file__).parents[1] / "old_runs" / "format_1" / "drums.mid"


def test_the_first_windows_of_drums_are_drawn_as_step_grids(seqvae: Callable[..., Result], here: Path) -> None:
    result = seqvae("inspect", "drums", SONG, "--out", "first.png")
    assert result.exit_code == 0, result.stderr
    count = int(result.stdout.partition(" windows")[0].rpartition(" ")[2])
    assert count > 1
    assert result.stdout.splitlines()[-1] == f"first.png: the first {min(count, 16)} windows"
    with Image.open("first.png") as sheet:  # three windows side by side, each higher than 200 pixels with its name
        assert sheet.width > sheet.height > 200 * math.ceil(min(count, 16) / 3)


def test_a_window_that_is_drawn_stands_under_the_address_that_other_commands_take(
    seqvae: Callable[..., Result], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr("seqvae.view.grids._text", lambda figure, x, y, words, size: drawn.append(words))
    (here / "folder").mkdir()
    for name in ("a.mid", "b.mid"):
        (here / "folder" / name).write_bytes(SONG.read_bytes())
    assert seqvae("inspect", "drums", "folder/a.mid", "folder/b.mid", "--out", "first.png").exit_code == 0
    assert drawn[1:] == [*(f"a.mid#{place}" for place in range(11)), *(f"b.mid#{place}" for place in range(5))]


def test_text_has_no_picture_and_no_such_option(seqvae: Callable[..., Result], here: Path) -> None:
    result = seqvae("inspect", "text", "sentences.txt", "--out", "first.png")
    assert result.exit_code == 2
    assert result.stderr.startswith("No such option '--out'")


def test_an_input_is_not_drawn_over_and_not_read_in_vain(
    seqvae: Callable[..., Result], refused: Callable[..., None], here: Path
) -> None:
    (here / "song.mid").write_bytes(SONG.read_bytes())
    result = seqvae("inspect", "drums", "song.mid", "--out", "song.mid")
    refused(result, "song.mid is an input and would be overwritten; give --out another file")
    assert result.stdout == ""
    assert (here / "song.mid").read_bytes() == SONG.read_bytes()


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training ends when the data are read."""
    monkeypatch.setattr(run, "fit", lambda *_: None)


def first_lines(result: Result) -> list[str]:
    assert result.exit_code == 0, result.stderr
    return result.output.splitlines()


def test_few_sentences_are_inspected_by_the_defaults_that_training_has_for_them(
    seqvae: Callable[..., Result], here: Path, untrained: None
) -> None:
    trained = first_lines(seqvae("train", "text", "sentences.txt", "--out", "run"))
    inspected = first_lines(seqvae("inspect", "text", "sentences.txt"))
    said = next(line for line in trained if line.startswith("for "))
    assert said.startswith("for 22 sentences the defaults are data.vocabulary_size=")
    assert said in inspected
    steps = next(line for line in inspected if line.startswith("steps: ")).split()[1]
    assert any(f"24 items, {steps} steps" in line for line in trained)
    modality = open_run(here / "run")[2]
    assert isinstance(modality, Text)
    assert f"vocabulary: {modality.outcomes} tokens" in inspected
    chosen = first_lines(seqvae("inspect", "text", "sentences.txt", "--tokenizer", "word"))
    assert "vocabulary: 13 tokens" in chosen
    (kept,) = (line for line in chosen if line.startswith("for "))
    assert kept.startswith("for 22 sentences the defaults are model."), "what is asked for is not changed"


def test_few_sentences_are_encoded_by_their_defaults_when_inspected(
    seqvae: Callable[..., Result], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = first_lines(seqvae("inspect", "text", "sentences.txt", "--tokenizer", "character"))
    monkeypatch.setattr(Text, "suited_to", lambda *_: {"data": {"tokenizer": "character"}})
    lines = first_lines(seqvae("inspect", "text", "sentences.txt"))
    (steps,) = (line for line in lines if line.startswith("steps: "))
    assert steps in usual


def test_few_windows_and_images_are_inspected_by_the_defaults_that_training_has_for_them(
    seqvae: Callable[..., Result], here: Path, untrained: None
) -> None:
    np.save("images.npy", np.random.default_rng(0).integers(0, 256, (30, 5, 4), dtype=np.uint8))
    for kind, data in ((Drums, SONG), (Images, "images.npy")):
        trained = first_lines(seqvae("train", kind.name, data, "--out", f"run-{kind.name}"))
        inspected = first_lines(seqvae("inspect", kind.name, data))
        (said,) = (line for line in inspected if line.startswith("for "))
        assert said in trained


def test_many_items_are_inspected_by_the_defaults_for_them(
    seqvae: Callable[..., Result], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Text, "few_items", 23)
    monkeypatch.setattr(Text, "least_steps", 0)
    lines = first_lines(seqvae("inspect", "text", "sentences.txt"))
    assert "vocabulary_size" not in next(line for line in lines if line.startswith("for 22 sentences"))


def test_files_of_which_none_is_for_training_are_inspected_all_the_same(
    seqvae: Callable[..., Result], here: Path
) -> None:
    (here / "data" / "test").mkdir(parents=True)
    Image.new("L", (4, 5)).save("data/test/a.png")
    assert first_lines(seqvae("inspect", "images", "data"))[-1].startswith("split test: 1 item")
