"""`seqvae models`, and commands that take the name of one of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

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
    refused(seqvae("models", "digits", "--out", "mine"), "mine is in use; give --out a new or empty folder")
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


def test_samples_are_drawn_at_the_temperature_of_the_model_which_is_said(seqvae: Call) -> None:
    drawn = seqvae("sample", "sentences", "-n", 3)
    assert drawn.stderr == "drawn at temperature 0.5, which suits this model; --temperature gives another\n"
    asked = seqvae("sample", "sentences", "-n", 3, "--temperature", 0.5)
    assert (asked.stdout, asked.stderr) == (drawn.stdout, "")
    assert "drawn at" not in seqvae("sample", "digits", "-n", 1).stderr
    assert "\nSamples are drawn at temperature 0.5, where none is asked for.\n" in card_of("sentences")


def test_a_label_that_is_not_there_is_answered_with_all_that_are(seqvae: Call, refused: Callable[..., None]) -> None:
    refused(
        seqvae("sample", "digits", "--where", "label=12"),
        "label=12 cannot be asked for; label can be 0, 1, 2, 3, 4, 5, 6, 7, 8, 9. Did you mean '2'?",
    )
