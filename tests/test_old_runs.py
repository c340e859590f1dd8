"""Runs that an older version wrote are loaded, give what they gave then, and go on."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from seqvae import files
from seqvae.build import read_config
from seqvae.cli import main
from seqvae.runs.run import Run
from seqvae.training.run import resume, train
from tests.old_runs.write import MORE_STEPS, figures
from tests.training.small import records

FOLDER = Path(__file__).resolve().parent / "old_runs" / "format_1"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text())
DATA = {"words": "words.txt", "drums": "drums.mid", "images": "images.npz"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the old runs as the current folder, since they name their data by file alone."""
    shutil.copytree(FOLDER, tmp_path / "old")
    monkeypatch.chdir(tmp_path / "old")
    return tmp_path / "old"


def assert_as_then(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert len(found["means"]) == len(expected["means"]) > 0
    for mean, target in zip(found["means"], expected["means"], strict=True):
        assert mean == pytest.approx(target, abs=1e-6)
    for name in ("reconstructions", "samples"):
        assert [json.loads(json.dumps(item)) for item in found[name]] == expected[name], name


@pytest.mark.parametrize("name", DATA)
def test_an_old_run_gives_the_codes_and_items_that_it_gave_then(name: str, folder: Path) -> None:
    assert_as_then(figures(name, folder / name, folder / DATA[name]), EXPECTED[name])


def test_the_account_of_an_old_run_is_shown_in_groups(folder: Path) -> None:
    shown = CliRunner().invoke(main, ["info", "drums"])
    assert shown.exit_code == 0, shown.output
    account = shown.output.partition("\ndata\n")[2].partition("\n\n")[0].splitlines()
    groups = ["  files: 1 found; 1 read", "  hits: 150 found; 150 on the grid", "  windows: 12 found"]
    assert [line[2:] for line in account if line.startswith("    ")][:6] == groups * 2


def test_an_old_run_goes_on_as_it_would_have_then(folder: Path) -> None:
    resume("words", {"train": {"steps": MORE_STEPS}}, device="cpu")
    assert_as_then(figures("words", folder / "words", folder / "words.txt"), EXPECTED["resumed"])
    for name, value in EXPECTED["resumed"]["validation"].items():
        assert records(Run("words"))[-1][name] == (pytest.approx(value, rel=1e-6) if type(value) is float else value)


def test_the_data_of_an_old_run_may_be_named_as_it_was_then(folder: Path) -> None:
    steps = f"train.steps={MORE_STEPS}"
    done = CliRunner().invoke(main, ["train", "text", "words.txt", "--resume", "--out", "words", "--set", steps])
    assert done.exit_code == 0, done.output
    assert Run("words").steps()[-1] == MORE_STEPS


def test_a_run_of_an_old_format_that_goes_on_has_checkpoints_of_today(folder: Path) -> None:
    old = Run("words")
    assert old.settings["format"] == 1
    before, names = old.load(24), {name.partition(".")[2] for name in old.load(24).optimizer}
    run = resume("words", {"train": {"steps": MORE_STEPS}}, device="cpu")
    assert (run.settings["format"], run.settings["began_with_format"]) == (2, 1), "no older version is to read it"
    after = run.load(MORE_STEPS)
    assert after.weights.keys() == before.weights.keys()
    assert {name.partition(".")[2] for name in after.optimizer} == after.weights.keys()
    assert names.isdisjoint(after.weights)  # they were numbers
    assert "params" not in after.state["optimizer_groups"][0]
    again = resume("words", {"train": {"steps": MORE_STEPS + 6}}, device="cpu")
    assert again.steps()[-1] == MORE_STEPS + 6
    whole = Path("copy")
    shutil.copytree(FOLDER / "words", whole)
    resume(whole, {"train": {"steps": MORE_STEPS + 6}}, device="cpu")
    last = [place.load(MORE_STEPS + 6).weights for place in (again, Run(whole))]
    assert all(torch.equal(last[0][name], last[1][name]) for name in last[1])


def test_an_old_run_is_whole_wherever_its_renewal_is_cut_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace, seen = os.replace, []

    def replace_or_die(source: Path, target: Path) -> None:
        seen.append(Path(target).name)
        if seen[-1] == "config.json":
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", replace_or_die)
        with pytest.raises(KeyboardInterrupt):
            Run("words").renew()
    assert seen == ["manifest.json", "config.json"]
    assert_as_then(figures("words", folder / "words", folder / DATA["words"]), EXPECTED["words"])
    run = Run("words")
    assert run.settings["format"] == 1
    run.renew()
    assert Run("words").settings == {
        **json.loads((FOLDER / "words/config.json").read_text()),
        "format": 2,
        "began_with_format": 1,
    }
    assert run.is_in_place()
    assert_as_then(figures("words", folder / "words", folder / DATA["words"]), EXPECTED["words"])
    damaged = (folder / "words" / "config.json").read_text().replace('"latent": 2', '"latent": 3')
    (folder / "words" / "config.json").write_text(damaged)
    with pytest.raises(ValueError, match=r"config\.json is damaged"):
        Run("words")


def test_the_configuration_of_an_old_run_as_a_recipe_means_what_it_meant_then(folder: Path) -> None:
    old = read_config(Run("words"))
    assert (old.train.best_by, old.train.decay_steps) == ("bound", 0)
    again = train("text", "words.txt", "again", device="cpu", recipe="words/config.json")
    assert read_config(again) == old
