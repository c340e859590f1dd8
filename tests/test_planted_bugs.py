"""The tests catch what they are there for: bugs that are planted in a copy of the package."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.plant_bugs import planted, read_bugs

SCRIPT = Path(__file__).resolve().parent / "plant_bugs.py"


def test_every_planted_bug_has_its_place_once() -> None:
    for bug in read_bugs():
        planted(bug)


@pytest.mark.slow
def test_every_planted_bug_is_caught() -> None:
    run = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "ESCAPED" not in run.stdout


def test_a_bug_that_no_name_fits_is_an_error_of_its_own() -> None:
    run = subprocess.run([sys.executable, str(SCRIPT), "no such bug"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (2, "no bug's name holds no such bug; --list shows the names\n")
