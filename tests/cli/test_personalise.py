"""`seqvae personalise`, and `seqvae sample --sliders`."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Call = Callable[..., Result]
Refused = Callable[..., None]
pytest.importorskip("sklearn")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.txt"
    path.write_text("the cook sees the pie .\nthe dog eats the seal .\nthe cook eats the song .\n", encoding="utf-8")
    return path


def test_a_copy_is_made_whose_samples_sliders_move(run: Path, own: Path, tmp_path: Path, seqvae: Call) -> None:
    mine = tmp_path / "mine"
    made = seqvae("personalise", run, own, "--out", mine)
    assert made.exit_code == 0, made.stderr
    assert made.stderr.startswith("the first 4 sliders of 4 hold 100% of how the codes differ")
    assert made.stdout.splitlines() == [
        f"{mine}: a copy of {run} that samples what is like {own}", f"next: seqvae sample {mine} --sliders 1.5"
    ]  # fmt: skip
    assert "  prior: gaussian, which samples come from\n" in seqvae("info", mine).stdout
    here, again, there = (
        seqvae("sample", mine, "--sliders", place, "-n", 8).stdout for place in ("-6,0,0,0", "-6,0,0,0", "6,0,0,0")
    )
    assert here == again
    assert here != there
    assert seqvae("sample", mine, "--sliders", 1).exit_code == 0


def test_what_cannot_be_is_refused(run: Path, own: Path, tmp_path: Path, seqvae: Call, refused: Refused) -> None:
    mine = tmp_path / "mine"
    assert seqvae("personalise", run, own).exit_code == 2  # without --out
    assert seqvae("personalise", run, "--out", mine).exit_code == 2  # without data
    refused(seqvae("personalise", run, own, "--out", own), f"{own} is a file; give a new or empty folder")
    seqvae("personalise", run, own, "--out", mine)
    for places, sentence in {
        "1,,2": "--sliders 1,,2 are no numbers; give some with commas, such as 1.5,-1",
        "0,0,0,0,0": "5 sliders are too many; there are 4",
        "nan": "a slider at nan is not possible; give standard deviations, such as -1.5",
    }.items():
        outcome = seqvae("sample", mine, "--sliders", places)
        assert outcome.exit_code == 2
        assert sentence in outcome.stderr
    plain = seqvae("sample", run, "--sliders", "1")
    assert plain.exit_code == 2
    assert "the prior of this model is standard, which has no sliders" in plain.stderr
