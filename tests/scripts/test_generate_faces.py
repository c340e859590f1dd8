"""The demo faces: portraits of one person are alike, and the folders are read with splits and labels."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from seqvae.modalities.images.reading import Reading
from tests.modalities.images.made import read
from tests.scripts.loaded import script

script("generate_sentences")
faces = script("generate_faces")


def run(*arguments: object) -> Result:
    """The outcome of one call of the script."""
    return CliRunner().invoke(faces.main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve people to train on, three to test on, four portraits of each."""
    folder = tmp_path_factory.mktemp("faces")
    result = run("generate", "--out", folder, "--people", 12, "--held-out", 3, "--portraits", 4)
    assert result.output.splitlines() == [
        f"{folder / 'train'}: 48 portraits of 12 people",
        f"{folder / 'test'}: 12 portraits of 3 people",
    ]
    return folder


def test_portraits_are_read_as_colour_with_a_label_for_each_person(folder: Path) -> None:
    for split, people in (("train", 12), ("test", 3)):
        pictures, _ = read(folder, Reading(split=split))  # type: ignore[arg-type]
        assert {picture.pixels.shape for picture in pictures} == {(64, 64, 3)}
        labels = [picture.label for picture in pictures]
        assert [labels.count(label) for label in sorted(set(labels))] == [4] * people


def test_two_portraits_of_a_person_are_more_alike_than_those_of_two(folder: Path) -> None:
    pictures, _ = read(folder, Reading(split="train"))
    # the middle of the face: the background is of the portrait, not of the person
    centres = np.stack([picture.pixels[18:50, 20:44].astype(float) for picture in pictures])
    away = np.sqrt(((centres[:, None] - centres) ** 2).mean((2, 3, 4)))
    people = np.repeat(np.arange(12), 4)
    same = (people[:, None] == people) & ~np.eye(48, dtype=bool)
    assert 0 < away[same].mean() < 0.7 * away[people[:, None] != people].mean()
    nearest = (away + 1e9 * np.eye(48)).argmin(1)
    assert (people[nearest] == people).mean() > 0.6  # by chance 0.07


def test_nobody_is_in_both_parts_and_a_seed_decides_every_portrait(folder: Path, tmp_path: Path) -> None:
    for name, seed in (("again", 0), ("other", 1)):
        run("generate", "--out", tmp_path / name, "--people", 2, "--held-out", 1, "--portraits", 1, "--seed", seed)
    first = Path("train", "person-0000", "00.png")
    contents = [(root / first).read_bytes() for root in (folder, tmp_path / "again", tmp_path / "other")]
    assert contents[0] == contents[1] != contents[2]
    assert (folder / "test" / "person-0000" / "00.png").read_bytes() != contents[0]


def test_a_count_of_nought_is_refused_in_a_sentence(tmp_path: Path) -> None:
    result = run("generate", "--out", tmp_path / "new", "--people", 0)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert not (tmp_path / "new").exists()
