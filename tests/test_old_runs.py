"""Runs that an older version wrote are loaded, give what they gave then, and go on."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from seqvae.runs.run import Run
from seqvae.training.run import resume
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


def test_an_old_run_goes_on_as_it_would_have_then(folder: Path) -> None:
    resume("words", {"train": {"steps": MORE_STEPS}}, device="cpu")
    assert_as_then(figures("words", folder / "words", folder / "words.txt"), EXPECTED["resumed"])
    for name, value in EXPECTED["resumed"]["validation"].items():
        assert records(Run("words"))[-1][name] == (pytest.approx(value, rel=1e-6) if type(value) is float else value)
