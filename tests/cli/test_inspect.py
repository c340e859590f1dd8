"""`seqvae inspect --out`: the first items of a corpus on a sheet, where items have a picture."""

import math
from collections.abc import Callable
from pathlib import Path

from click.testing import Result
from PIL import Image

SONG = Path(__file__).parents[1] / "old_runs" / "format_1" / "drums.mid"


def test_the_first_windows_of_drums_are_drawn_as_step_grids(seqvae: Callable[..., Result], here: Path) -> None:
    result = seqvae("inspect", "drums", SONG, "--out", "first.png")
    assert result.exit_code == 0, result.stderr
    count = int(result.stdout.partition(" windows")[0].rpartition(" ")[2])
    assert count > 1
    assert result.stdout.splitlines()[-1] == f"first.png: the first {min(count, 16)} windows"
    with Image.open("first.png") as sheet:  # three windows side by side, each higher than 200 pixels with its name
        assert sheet.width > sheet.height > 200 * math.ceil(min(count, 16) / 3)


def test_text_has_no_picture_and_no_such_option(seqvae: Callable[..., Result], here: Path) -> None:
    result = seqvae("inspect", "text", "sentences.txt", "--out", "first.png")
    assert result.exit_code == 2
    assert result.stderr.startswith("No such option '--out'")


def test_an_input_is_not_drawn_over_and_not_read_in_vain(
    seqvae: Callable[..., Result], refused: Callable[..., None], here: Path
) -> None:
    (here / "song.mid").write_bytes(SONG.read_bytes())
    result = seqvae("inspect", "drums", "song.mid", "--out", "song.mid")
    refused(result, "song.mid is an input and would be overwritten; give --out another file")
    assert result.stdout == ""
    assert (here / "song.mid").read_bytes() == SONG.read_bytes()
