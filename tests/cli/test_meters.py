"""Files of several metres: the bars of one are read alone, and nothing leads from one metre to another."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from seqvae.model import load
from tests.cli.test_drums import SET, bars, save

Call = Callable[..., Result]


@pytest.fixture(scope="module")
def both(seqvae: Call, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run on 4/4 and 3/4, and files in one or both of them."""
    folder = tmp_path_factory.mktemp("meters")
    (folder / "data").mkdir()
    for number in range(4):
        save(folder / "data" / f"{number}.mid", bars(3, number), bars(3, number + 10, meter=(3, 4)))
    save(folder / "march.mid", bars(4, 20))
    save(folder / "waltz.mid", bars(4, 21, meter=(3, 4)))
    save(folder / "both.mid", bars(2, 22), bars(3, 23, meter=(3, 4)), bars(2, 24))
    result = seqvae("train", "drums", folder / "data", "--out", folder / "run", *SET)
    assert result.exit_code == 0, result.stderr
    return folder


@pytest.fixture(autouse=True)
def place(both: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(both)
    return both


def test_a_metre_leaves_the_bars_of_others_out_and_says_which(seqvae: Call, tmp_path: Path) -> None:
    options = ("--meter", "4/4", "--formats", "mid", "--out", tmp_path)
    told = "both.mid: bars: 3 of 3/4, left out\nboth.mid: bars of 3/4, left out: 3 to 5 (3)\n"
    result = seqvae("reconstruct", "run", "both.mid", *options)
    assert (result.exit_code, told in result.stderr) == (0, True), result.stderr
    assert ": 4 bars of 4/4, " in result.stdout
    result = seqvae("interpolate", "run", "both.mid", "march.mid", *options, "--steps", 3)
    assert (result.exit_code, told in result.stderr) == (0, True), result.stderr
    assert result.stdout.count(": 4 bars of 4/4, ") == 3
    result = seqvae("similar", "run", "both.mid", *options, "-n", 1)
    assert ": 4 bars of 4/4, " in result.stdout


def test_a_file_in_another_metre_than_that_which_is_asked_for_is_refused(
    seqvae: Call, refused: Callable[[Result, str], None], tmp_path: Path
) -> None:
    refused(
        seqvae("reconstruct", "run", "march.mid", "--meter", "3/4", "--out", tmp_path),
        "march.mid has no bar of 3/4, the metre that is read; it has 4 bars of 4/4; give another file, or pass "
        "--meter 4/4. See 'seqvae reconstruct --help'.",
    )


@pytest.mark.parametrize(
    "words", [("march.mid", "waltz.mid"), ("both.mid", "march.mid"), ("--corners", *["march.mid"] * 3, "waltz.mid")]
)
def test_nothing_leads_from_one_metre_to_another(
    words: tuple[str, ...], seqvae: Call, refused: Callable[[Result, str], None], tmp_path: Path
) -> None:
    one, two = ("3/4", "4/4") if "both.mid" in words else ("4/4", "3/4")
    result = seqvae("interpolate", "run", *words, "--out", tmp_path / "walk")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1] == (
        f"nothing leads from {one} to {two}, since what is made has one metre; give clips of one metre, or read the "
        f"bars of one alone, with --meter {one}"
    )
    assert not (tmp_path / "walk").exists()


def test_both_ends_in_one_metre_are_their_reconstructions() -> None:
    model = load("run").in_windows()
    walk = model.interpolate("waltz.mid", "waltz.mid#2", steps=3)
    last = model.reconstruct(["waltz.mid#2"])[0]
    assert [clip.meter for clip in walk[-1]] == [(3, 4)] * 2
    assert (walk[-1][0].hits == last[0].hits).all()
