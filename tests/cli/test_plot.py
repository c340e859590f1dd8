"""`seqvae plot`: which pictures there are of a model, where they go, and from which data they are made."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from seqvae import pictures
from seqvae.model import Model
from seqvae.runs.run import Run

Call = Callable[..., Result]

OF_ALL = ["losses", "network", "plane"]
OF_PLANES = [*OF_ALL, "manifold", "samples", "reconstructions", "traversals", "interpolations"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty images of 5 x 4 pixels in three classes."""
    folder = tmp_path_factory.mktemp("plot") / "images"
    for place, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (30, 5, 4), dtype=np.uint8)):
        path = folder / ("ant", "bee", "cow")[place % 3] / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


def trained(seqvae: Call, folder: Path, name: str, *settings: str) -> Path:
    values = ("model.widths=6", "train.epochs=1", "train.batch_size=9", "train.threads=1", *settings)
    out = folder.parent / name
    result = seqvae("train", "images", folder, "--out", out, *(word for value in values for word in ("--set", value)))
    assert result.exit_code == 0, result.stderr
    return out


@pytest.fixture(scope="module")
def plane(seqvae: Call, folder: Path) -> Path:
    return trained(seqvae, folder, "plane", "model.latent=2")


def made(result: Result) -> list[str]:
    """The names of the files that the command told of."""
    assert result.exit_code == 0, result.stderr
    return [Path(line.partition(": ")[0]).name for line in result.stdout.splitlines()]


def files(names: list[str]) -> list[str]:
    return [file for name in names for file in ([f"{name}.png"] + ["network.txt"] * (name == "network"))]


def test_all_pictures_of_a_plane_go_into_the_run(seqvae: Call, plane: Path) -> None:
    result = seqvae("plot", plane)
    assert made(result) == files(OF_PLANES)
    assert sorted(path.name for path in (plane / "plot").iterdir()) == sorted(files(OF_PLANES))
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in (plane / "plot").glob("*.png"))
    assert result.stdout.splitlines()[0] == (
        f"{plane / 'plot' / 'losses.png'}: negative ELBO, reconstruction and KL over the epochs"
    )
    text = (plane / "plot" / "network.txt").read_text().splitlines()
    assert text[0].split() == ["layer", "kind", "output", "parameters"]
    assert text[1].split() == ["x", "Data", "5", "x", "4", "x", "1"]


def test_the_same_seed_gives_the_same_pictures(seqvae: Call, plane: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        seqvae("plot", plane, "--only", "samples,plane", "--out", tmp_path / name, "--seed", seed)
    samples = [(tmp_path / name / "samples.png").read_bytes() for name in "abc"]
    assert samples[0] == samples[1] != samples[2]
    assert (tmp_path / "a" / "plane.png").read_bytes() == (tmp_path / "b" / "plane.png").read_bytes()


def test_more_units_are_shown_along_principal_axes(seqvae: Call, folder: Path, tmp_path: Path) -> None:
    run = trained(seqvae, folder, "three", "model.latent=3")
    assert made(seqvae("plot", run, "--out", tmp_path / "p")) == files([*OF_PLANES[:-1], "axes", "interpolations"])


def test_a_plain_autoencoder_has_no_pictures_of_a_prior(
    seqvae: Call, folder: Path, tmp_path: Path, refused: Callable[[Result, str], None]
) -> None:
    run = trained(seqvae, folder, "points", "model.latent=2", "model.posterior=point")
    names = [*OF_ALL, "manifold", "reconstructions", "axes", "interpolations"]
    result = seqvae("plot", run, "--out", tmp_path / "p")
    assert made(result) == files(names)
    assert result.stdout.splitlines()[0] == f"{tmp_path / 'p' / 'losses.png'}: reconstruction over the epochs"
    refused(
        seqvae("plot", run, "--only", "losses,samples"),
        f"there is no picture 'samples' of this model; there are {', '.join(names)}. See 'seqvae plot --help'.",
    )


def test_a_denoising_model_has_a_picture_of_it(
    seqvae: Call, plane: Path, folder: Path, tmp_path: Path, refused: Callable[[Result, str], None]
) -> None:
    run = trained(seqvae, folder, "denoising", "model.corruption=0.3")
    assert made(seqvae("plot", run, "--only", "denoising", "--out", tmp_path / "p")) == ["denoising.png"]
    refused(
        seqvae("plot", plane, "--only", "denoising"),
        f"there is no picture 'denoising' of this model; there are {', '.join(OF_PLANES)}. See 'seqvae plot --help'.",
    )


def test_a_model_of_sentences_has_all_pictures_but_those_of_images(seqvae: Call, run: Path, here: Path) -> None:
    assert made(seqvae("plot", run, "sentences.txt", "--out", "p")) == files([*OF_ALL, "traversals", "axes"])


def test_pictures_of_a_run_that_was_replaced_go_when_all_of_the_new_one_are_drawn(
    seqvae: Call, run: Path, here: Path
) -> None:
    shutil.copytree(run, here / "run", ignore=shutil.ignore_patterns("plot"))
    folder = here / "run" / "plot"
    folder.mkdir()
    for name in ("manifold.png", "samples.png", "mine.png"):
        (folder / name).write_bytes(b"of before")
    result = seqvae("plot", "run", "--only", "losses")
    assert result.exit_code == 0, result.stderr
    names = ["losses.png", "manifold.png", "mine.png", "samples.png"]
    assert sorted(path.name for path in folder.iterdir()) == names, "one picture alone replaces itself alone"
    result = seqvae("plot", "run")
    assert result.exit_code == 0, result.stderr
    names = ["axes.png", "losses.png", "mine.png", "network.png", "network.txt", "plane.png", "traversals.png"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert (folder / "mine.png").read_bytes() == b"of before"


def test_pictures_that_need_no_data_are_drawn_when_these_are_gone(
    seqvae: Call, plane: Path, folder: Path, tmp_path: Path, refused: Callable[[Result, str], None]
) -> None:
    images, copy = tmp_path / "images", tmp_path / "run"
    shutil.copytree(folder, images)
    trained_copy = trained(seqvae, images, "run", "model.latent=2")
    assert trained_copy == copy
    shutil.rmtree(images / "bee")
    names = ["losses", "network", "manifold", "samples"]
    assert made(seqvae("plot", copy, "--only", ",".join(names))) == files(names)
    result = seqvae("plot", copy, "--only", "plane")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"the data of {copy} cannot be read; give DATA ({images} changed since the run")
    result = seqvae("plot", copy, "--only", "losses,plane", "--out", "of-some")
    assert (result.exit_code, result.stdout) == (2, "")
    assert not Path("of-some").exists()
    assert made(seqvae("plot", copy, folder, "--only", "plane")) == ["plane.png"]


def test_bad_names_places_and_data_are_refused(
    seqvae: Call, plane: Path, folder: Path, tmp_path: Path, refused: Callable[[Result, str], None]
) -> None:
    result = seqvae("plot", plane, "--only", "plan")
    assert "no picture 'plan'; choose among losses, network, plane," in result.stderr
    assert result.exit_code == 2
    (tmp_path / "file").write_text("")
    refused(seqvae("plot", plane, "--out", tmp_path / "file"), f"{tmp_path / 'file'} is a file; give --out a folder")
    refused(
        seqvae("plot", plane, folder / "ant" / "0.png", "--only", "plane"),
        f"{folder / 'ant' / '0.png'} has one item only; give DATA with more",
    )
    refused(
        seqvae("plot", plane, "--split", "test", "--only", "plane"),
        f"--split test is shown by no name in {folder}; leave it out, or give files named such as train-images*, "
        "t10k-images*, or folders train, valid and test. See 'seqvae plot --help'.",
    )


def test_an_option_of_reading_without_data_is_refused(
    seqvae: Call, run: Path, here: Path, refused: Callable[[Result, str], None]
) -> None:
    refused(
        seqvae("plot", run, "--only", "losses", "--encoding", "latin-1"),
        "--encoding says how DATA are read; give DATA, or leave it out. See 'seqvae plot --help'.",
    )
    assert made(seqvae("plot", run, "sentences.txt", "--only", "plane", "--encoding", "latin-1", "--out", "p")) == [
        "plane.png"
    ]


def drawn_plane(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[str]]]:
    """The number of codes of each plane that is drawn from now on, and the labels of them all, sorted."""
    found, draw = [], pictures.plane

    def plane(model: Model, codes: Tensor, labels: np.ndarray, names: list[str], **keys: int) -> Figure:
        found.append((len(codes), sorted(names[place] for place in labels)))
        return draw(model, codes, labels, names, **keys)

    monkeypatch.setattr(pictures, "plane", plane)
    return found


def test_training_items_are_drawn_as_well_where_few_are_for_validation(
    seqvae: Call, plane: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = drawn_plane(monkeypatch)
    result = seqvae("plot", plane, "--only", "plane", "--out", tmp_path / "p")
    held_out = Run(plane).report["train"]["held_out"]
    assert found == [(30, 10 * ["ant"] + 10 * ["bee"] + 10 * ["cow"])]
    assert result.stdout == (
        f"{tmp_path / 'p' / 'plane.png'}: codes in two dimensions, by label where there are any; of 30 items "
        f"{30 - held_out} are training items\n"
    )
    monkeypatch.setattr("seqvae.cli.plot.FEW_CODES", held_out)
    result = seqvae("plot", plane, "--only", "plane", "--out", tmp_path / "p")
    assert found[1][0] == held_out
    assert result.stdout.endswith(": codes in two dimensions, by label where there are any\n")
    seqvae("plot", plane, folder, "--only", "plane", "--out", tmp_path / "p")
    assert found[2][0] == 30, "DATA are drawn as they are"


def test_labels_of_validation_and_training_items_keep_their_names(
    seqvae: Call, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (1, 4):
        (tmp_path / "valid" / "bee").mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "bee" / f"{place}.png", tmp_path / "valid" / "bee")
    (tmp_path / "valid" / "dog").mkdir()
    shutil.copy(folder / "cow" / "2.png", tmp_path / "valid" / "dog")
    settings = ("model.widths=6", "train.epochs=1", "train.threads=1", "model.latent=3")
    words = [word for value in settings for word in ("--set", value)]
    run = tmp_path / "run"
    assert seqvae("train", "images", folder, "--valid", tmp_path / "valid", "--out", run, *words).exit_code == 0
    found = drawn_plane(monkeypatch)
    result = seqvae("plot", run, "--only", "plane,manifold,axes,reconstructions", "--out", tmp_path / "p")
    assert found == [(33, 10 * ["ant"] + 12 * ["bee"] + 10 * ["cow"] + ["dog"])]
    lines = result.stdout.splitlines()
    assert [line.endswith("; of 33 items 30 are training items") for line in lines] == [True, True, True, False]
