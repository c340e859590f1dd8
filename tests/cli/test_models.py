"""`seqvae models`, and commands that take the name of one of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import seqvae as package
from seqvae.constraints import kept_constraints
from seqvae.models import card_of, known_models, title_of

Call = Callable[..., Result]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_models_are_listed_shown_and_copied(here: Path, seqvae: Call, refused: Callable[..., None]) -> None:
    lines = seqvae("models").stdout.splitlines()
    assert [line.split(maxsplit=1) for line in lines] == [[name, title_of(name)] for name in known_models()]
    assert seqvae("models", "digits").stdout == card_of("digits")
    copied = seqvae("models", "digits", "--out", "mine")
    assert copied.stdout.splitlines() == ["mine: a copy of digits", "next: seqvae sample mine"]
    refused(seqvae("models", "digits", "--out", "mine"), "mine is not empty; give --out a new or empty folder")
    known = ", ".join(known_models())
    refused(
        seqvae("models", "dogits"), f"no model 'dogits' comes with seqvae; there are {known}. Did you mean 'digits'?"
    )
    refused(
        seqvae("models", "--out", "other"),
        "--out copies one model; name it, such as: seqvae models digits --out runs/mine. See 'seqvae models --help'.",
    )


def test_a_name_stands_where_a_run_does_and_results_go_into_a_folder_of_that_name(here: Path, seqvae: Call) -> None:
    for _ in range(2):  # the results of the first call do not hide the model from the second
        made = seqvae("sample", "digits", "-n", 2)
        assert made.exit_code == 0, made.stderr
        assert {path.name for path in (here / "digits" / "sample").glob("*.png")}
    assert seqvae("info", "digits").exit_code == 0


def test_a_model_of_the_package_is_not_changed(here: Path, seqvae: Call, refused: Callable[..., None]) -> None:
    refused(
        seqvae("fit-prior", "digits"),
        "digits comes with seqvae, and nothing is kept in it; copy it (seqvae models NAME --out FOLDER), and name the "
        "copy",
    )
    refused(
        seqvae("sample", "grooves", "--where", "density=high"),
        "grooves cannot choose its samples yet, since it has no critics that tell codes apart; copy it (seqvae models "
        "NAME --out FOLDER), train some (seqvae constrain, seqvae.fit_constraints), or sample without a choice",
    )
    assert (
        "; copy it (seqvae models NAME --out FOLDER), fit one "
        in seqvae("sample", "digits", "--prior", "fitted").stderr
    )
    listed = seqvae("attribute", "list", "digits").stderr.splitlines()[-1]
    assert listed == "next: seqvae models digits --out FOLDER, seqvae attribute fit FOLDER NAME DATA"
    assert not list(here.iterdir())


def test_a_copy_says_that_its_training_data_are_not_there(
    here: Path, seqvae: Call, refused: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQVAE_CACHE", str(here / "cache"))
    seqvae("models", "digits", "--out", "mine")
    words = "mine came without its training data; give DATA to whose codes it is to be fitted"
    for command in (["attribute", "fit", "mine", "slant"], ["fit-prior", "mine"], ["constrain", "mine"]):
        refused(seqvae(*command), words)
    assert "train: 60,000 items\n" in seqvae("info", "mine").stdout


def test_priors_and_critics_are_fitted_to_a_split_of_data(
    here: Path, seqvae: Call, refused: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.setattr("seqvae.constraints.STEPS", 10)
    package.copy_model("digits", "mine")
    random = np.random.default_rng(0)
    for split, most in (("train", 256), ("test", 128)):
        (here / "data" / split).mkdir(parents=True)
        np.save(here / "data" / split / "images.npy", random.integers(0, most, (60, 28, 28), np.uint8))
    for command in (["fit-prior", "--kind", "gaussian"], ["constrain", "--by", "brightness"]):
        whole, split, folder = (
            seqvae(command[0], "mine", *words, *command[1:]).stderr
            for words in (["data"], ["data", "--split", "test"], ["data/test"])
        )
        assert "held-out code" in split
        assert split == folder != whole
        refused(
            seqvae(command[0], "mine", "--split", "test"),
            f"--split says how DATA are read; give DATA, or leave it out. See 'seqvae {command[0]} --help'.",
        )


def test_samples_are_drawn_at_the_temperature_of_the_model_which_is_said(seqvae: Call) -> None:
    drawn = seqvae("sample", "sentences", "-n", 3)
    assert drawn.stderr == "drawn at temperature 0.5, which suits this model; --temperature gives another\n"
    asked = seqvae("sample", "sentences", "-n", 3, "--temperature", 0.5)
    assert (asked.stdout, asked.stderr) == (drawn.stdout, "")
    assert "drawn at" not in seqvae("sample", "digits", "-n", 1).stderr
    assert "\nSamples are drawn at temperature 0.5, where none is asked for.\n" in card_of("sentences")


def test_of_labels_it_is_said_how_often_their_critic_is_right(seqvae: Call) -> None:
    drawn = seqvae("sample", "digits", "--where", "label=8", "-n", 1)
    told = package.load("digits").run
    right = kept_constraints(told).right["label"]
    assert drawn.stderr == (
        f"label=8: nobody measures it of samples; its critic is right of {right:.1%} of held-out codes\n"
    )
    assert 0.5 < right < 1


def test_a_file_of_many_images_is_no_input(here: Path, seqvae: Call, refused: Callable[..., None]) -> None:
    np.save(here / "many.npy", np.zeros((101, 28, 28), np.uint8))
    refused(
        seqvae("reconstruct", "digits", "many.npy"),
        "many.npy has 101 images; give one of them, such as many.npy#0, or --file many.npy for all of its images",
    )
    np.save(here / "fewer.npy", np.zeros((100, 28, 28), np.uint8))
    assert len(seqvae("reconstruct", "digits", "fewer.npy").stdout.splitlines()) == 101
    for word in ("", "#0"):
        refused(
            seqvae("reconstruct", "digits", word),
            f"'{word}' names no file; give the path of a file, or FILE#INDEX for a single image",
        )


def test_a_label_that_is_not_there_is_answered_with_all_that_are(seqvae: Call, refused: Callable[..., None]) -> None:
    refused(
        seqvae("sample", "digits", "--where", "label=12"),
        "label=12 cannot be asked for; label can be 0, 1, 2, 3, 4, 5, 6, 7, 8, 9. Did you mean '2'?",
    )
