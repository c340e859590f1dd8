"""What is held out, as the commands tell it: of files without windows, of a single song, of few items."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from tests.modalities.images.made import stack, write_idx, write_image
from tests.modalities.midi.songs import song, write

Call = Callable[..., Result]

SIZES = {"train.steps": 2, "train.threads": 1, "model.latent": 3, "model.encoder_hidden": 5, "model.decoder_hidden": 6}
SET = [word for key, value in SIZES.items() for word in ("--set", f"{key}={value}")]
SAME_SONG = (
    "too few files have windows to hold one out: validation is on other parts of the same song, whose figures are "
    "better than those of other music would be"
)


def done(result: Result) -> list[str]:
    """The lines of a call that did what it should."""
    assert result.exit_code == 0, result.stderr
    return result.stdout.splitlines()


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("seed", range(4))
def test_a_folder_is_trained_on_whatever_its_other_files_hold(seed: int, seqvae: Call) -> None:
    others = {f"short{number}.mid": song(1, number) for number in range(9)} | {"piano.mid": song(8, channel=0)}
    write(Path("mine"), {"a.mid": song(4), "b.mid": song(4, 1), "c.mid": song(4, 2), **others})
    words = "of 13 files 1 for validation and 0 for testing are held out whole"
    assert done(seqvae("inspect", "drums", "mine", "--split-seed", seed))[-3:] == [
        f"splits: {words}", "split train: 6 items", "split valid: 3 items, 0 of them stand in train, too",
    ]  # fmt: skip
    result = seqvae("train", "drums", "mine", "--split-seed", seed, "--out", "run", *SET)
    done(result)
    assert f"\n  {words}\n" in result.stderr


def test_a_single_song_is_validated_on_other_parts_of_it_and_all_commands_say_so(seqvae: Call) -> None:
    write(Path(), {"song.mid": song(44)})
    assert done(seqvae("inspect", "drums", "song.mid"))[-3:-1] == [f"splits: {SAME_SONG}", "split train: 39 items"]
    result = seqvae("train", "drums", "song.mid", "--out", "run", *SET)
    done(result)
    assert f"\n  {SAME_SONG}\n" in result.stderr
    assert f"\n    {SAME_SONG}\n" in seqvae("info", "run").stdout
    report = json.loads(Path("run/data.json").read_text())
    assert (report["train"]["items"], report["valid"]["items"]) == (39, 2)
    done(seqvae("encode", "run", "--file", "song.mid", "--split", "valid", "--out", "z.npz"))
    with np.load("z.npz") as arrays:
        first, second = (int(name.partition("#")[2]) for name in arrays["items"])
    assert second == first + 1


def test_validation_data_that_give_nothing_are_named(seqvae: Call, refused: Callable[..., None]) -> None:
    write(Path(), {"mine/a.mid": song(4), "short/b.mid": song(1)})
    refused(
        seqvae("train", "drums", "mine", "--valid", "short", "--out", "run", *SET),
        "the validation data are of no use: no window of 2 bars fits into short: the longest stretch of one metre has "
        "1 bar of 4/4; pass --bars 1, or give longer files",
    )
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("count", "line"),
    [
        (1, "the only one is validated on, too"),
        (2, "1 of them held out for validation"),
        (20, "2 of them held out for validation"),
    ],
)
def test_the_smallest_texts_are_trained_on_and_it_is_told_what_is_held_out(
    count: int, line: str, seqvae: Call, tiny: list[str]
) -> None:
    Path("few.txt").write_text("".join(f"line {number} of few\n" for number in range(count)))
    assert done(seqvae("inspect", "text", "few.txt", "--tokenizer", "word"))[-1] == f"splits: {line}"
    result = seqvae("train", "text", "few.txt", "--out", "run", *tiny)
    done(result)
    assert f"\n  {line}\n" in result.stderr


def test_small_classes_of_images_are_trained_on(seqvae: Call) -> None:
    for number in range(3):
        write_image(Path(f"mine/class{number}/only.png"), np.full((5, 4), 80 * number, np.uint8))
    lines = done(seqvae("inspect", "images", "mine"))
    assert "labels: 3 (class0, class1, class2)" in lines
    assert lines[-1] in [f"splits: {count} of them held out for validation" for count in (1, 2)]
    done(seqvae("train", "images", "mine", "--out", "run", "--epochs", 1, "--set", "model.widths=6"))
    figures = seqvae("evaluate", "run", "mine", "--importance-samples", 2)
    done(figures)
    assert "neighbour_accuracy" in figures.stdout


def test_a_split_of_images_that_cannot_be_read_speaks_for_itself_alone(
    seqvae: Call, refused: Callable[..., None]
) -> None:
    write_image(Path("mine/train/a.png"), stack(1, 5, 4)[0])
    for name in ("b", "c"):
        write(Path("mine/valid"), {f"{name}.png": b"nothing"})
    refused(
        seqvae("train", "images", "mine", "--out", "run", "--epochs", 1),
        "none of the 2 image files of the split 'valid' can be read, the first because it is in no known image format; "
        "give other files",
    )


def test_named_splits_of_images_are_told(seqvae: Call) -> None:
    write_idx(Path("mine/train-images-idx3-ubyte"), stack(7, 5, 4))
    write_idx(Path("mine/t10k-images-idx3-ubyte"), stack(7, 5, 4)[2:5])
    assert done(seqvae("inspect", "images", "mine"))[-3:] == [
        "splits: files are split as their names and folders say",
        "split train: 7 items, 2 of them held out for validation",
        "split test: 3 items, 3 of them stand in train, too",
    ]  # fmt: skip
