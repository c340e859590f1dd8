"""The tests catch what they are there for: bugs that are planted in a copy of the package."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.plant_bugs import part_of, planted, read_bugs

PARTS = 12  # that are tested side by side
SCRIPT = Path(__file__).resolve().parent / "plant_bugs.py"


def test_every_planted_bug_has_its_place_once() -> None:
    for bug in read_bugs():
        planted(bug)


def test_every_planted_bug_is_in_one_part() -> None:
    parts = [bug.name for part in range(PARTS) for bug in part_of(read_bugs(), part + 1, PARTS)]
    assert sorted(parts) == sorted(bug.name for bug in read_bugs())


@pytest.mark.slow
@pytest.mark.parametrize("part", range(1, PARTS + 1))
def test_every_planted_bug_is_caught(part: int) -> None:
    command = [sys.executable, str(SCRIPT), "--part", f"{part}/{PARTS}"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "ESCAPED" not in run.stdout


def test_a_bug_that_no_name_fits_is_an_error_of_its_own() -> None:
    run = subprocess.run([sys.executable, str(SCRIPT), "no such bug"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (2, "no bug's name holds no such bug; --list shows the names\n")
