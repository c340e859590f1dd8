"""The models that come with the package: whole, small, named from anywhere, and never written to."""

import json
import re
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import seqvae
from seqvae.models import CARD, card_of, copy_model, folder_of, known_models, title_of
from seqvae.runs.run import Run

NAMES = list(known_models())
MOST_BYTES = 10_000_000


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_some() -> None:
    assert "digits" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_small_has_weights_of_16_bits_and_names_no_folder_of_the_machine_that_made_it(name: str) -> None:
    files = [path for path in known_models()[name].rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    (weights,) = [path for path in files if path.name == "weights.safetensors"]
    assert {weight.dtype for weight in load_file(weights).values()} == {torch.float16}
    for path in files:
        if path.suffix == ".json":
            assert not re.search(r'"(/[^"]|[A-Z]:)', path.read_text(encoding="utf-8")), path
    names = {path.name for path in files}
    assert {CARD, "config.json", "manifest.json"} <= names
    assert not names & {"optimizer.safetensors", "metrics.jsonl"}


@pytest.mark.parametrize("name", NAMES)
def test_a_model_samples_without_being_trained_and_its_results_do_not_hide_it(name: str, here: Path) -> None:
    model = seqvae.load(name)
    assert {weight.dtype for weight in model.vae.parameters()} == {torch.float32}
    (here / name / "sample").mkdir(parents=True)
    again = seqvae.load(Path(name))
    codes = [one.encode(one.sample(2)).mean for one in (model, again)]
    assert torch.equal(*codes)
    assert Run(Path(name)).is_of_package


@pytest.mark.parametrize("name", NAMES)
def test_a_card_names_data_licence_figures_and_the_commands_that_train_it_again(name: str) -> None:
    card = card_of(name)
    assert card.startswith(f"# {name}: {title_of(name)}\n")
    assert "\nData: " in card
    assert f"\n    seqvae train {seqvae.load(name).modality.name} " in card
    assert "seed 0" in card
    rows = re.findall(r"^\| (\w+) \| [^|]* \| (\S+) \| (\S+) \|$", card, re.M)
    assert "elbo_nats" in {figure for figure, *_ in rows} or "elbo_bits" in {figure for figure, *_ in rows}
    for figure, rounded, exact in rows:
        assert float(rounded) == pytest.approx(float(exact), rel=2e-3), figure  # what 16 bits lose


def test_a_run_of_the_users_own_goes_before_a_model_of_its_name(here: Path) -> None:
    copy_model("digits", here / "mine")
    settings = json.loads((here / "mine" / "config.json").read_text())
    shutil.move(here / "mine", here / "digits")
    assert not Run(here / "digits").is_of_package
    own = Run(Path("digits"))
    assert not own.is_of_package
    own.check_own()
    (here / "digits" / "config.json").unlink()  # what is left of a run is no model of the package either
    with pytest.raises(ValueError, match=r"no config\.json in it"):
        Run(Path("digits"))
    assert settings["sources"] == []


def test_the_name_that_is_meant_is_named() -> None:
    with pytest.raises(
        ValueError, match=r"groove is not a run folder \(.*\); give .* training\. Did you mean 'grooves'\?$"
    ):
        seqvae.load("groove")
    with pytest.raises(ValueError, match=r"; give the `out` folder of a training$"):
        seqvae.load("nope")


def test_a_path_that_ends_in_the_name_of_a_model_is_a_path(here: Path) -> None:
    with pytest.raises(ValueError, match="is not a run folder"):
        seqvae.load(here / "digits")
    (here / "digits").write_text("a file")
    with pytest.raises(ValueError, match="digits is not a run folder \\(it is a file\\)"):
        seqvae.load("digits")


def test_nothing_is_kept_beside_the_weights_of_the_package(here: Path) -> None:
    words = r"^digits comes with seqvae, and nothing is kept in it; copy it \(`seqvae.copy_model`\), "
    for fit in (seqvae.fit_prior, seqvae.fit_constraints, partial(seqvae.fit_attribute, name="slant")):
        with pytest.raises(ValueError, match=words):
            fit("digits")
    assert not list(here.iterdir())


def test_a_copy_is_a_run_of_ones_own(here: Path) -> None:
    seqvae.copy_model("digits", here / "mine")
    mine, digits = (np.asarray(seqvae.load(name).sample(1)[0]) for name in ("mine", "digits"))
    assert (mine == digits).all()
    (here / "file").touch()
    for name, what in (("mine", "not empty"), ("file", "a file")):
        with pytest.raises(ValueError, match=f"{name} is {what}; give `out` a new or empty folder"):
            copy_model("digits", here / name)
    with pytest.raises(
        ValueError, match=r"^no model 'digit' comes with seqvae; there are .*\. Did you mean 'digits'\?"
    ):
        folder_of("digit")
