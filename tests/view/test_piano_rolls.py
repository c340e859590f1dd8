"""Piano rolls: a box for each note, as long as it sounds and in its row, whatever line it stands in."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

from seqvae.view import grids
from seqvae.view.piano_rolls import ATTACK, NOTE, PitchRows, Roll
from seqvae.view.sheet import png


def roll(steps: int, *notes: tuple[int, int, int]) -> Roll:
    return Roll(steps, np.array(notes, dtype=np.int64).reshape(-1, 3))


def boxes(axes: Axes, colour: str = NOTE) -> list[tuple[int, int, int]]:
    """The first and last step of each box of a colour, rounded, and its row."""
    collection = next(item for item in axes.collections if isinstance(item, PolyCollection))
    found = []
    for path, shade in zip(collection.get_paths(), collection.get_facecolor(), strict=True):
        (left, low), (right, _) = path.vertices[:4].min(0), path.vertices[:4].max(0)
        if to_hex(shade) == colour:
            found.append((round(left), round(right), int(low)))
    return found


def test_a_note_is_a_box_as_long_as_it_sounds_in_the_row_of_its_pitch() -> None:
    one = roll(32, (0, 4, 60), (8, 9, 71), (30, 32, 48))
    rows = PitchRows([one])
    (axes,) = grids.grid_figure(one, rows, 4, 16, "a tune").axes
    named = dict(rows.names)
    bottom = {name: row for row, name in named.items()}["C3"]
    assert boxes(axes) == [(0, 4, bottom + 12), (8, 9, bottom + 23), (30, 32, bottom)]
    assert [start for start, _, _ in boxes(axes, ATTACK)] == [0, 8, 30]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["C3", "G3", "C4", "G4", "C5"]
    assert axes.get_ylim() == (0, rows.count)


def test_a_note_over_the_end_of_a_line_goes_on_in_the_next_one_without_a_new_attack() -> None:
    long = roll(128, (60, 70, 62), (100, 101, 64))
    first, second = grids.grid_figure(long, PitchRows([long]), 4, 16).axes
    assert [box[:2] for box in boxes(first)] == [(60, 64)]
    assert [box[:2] for box in boxes(second)] == [(0, 6), (36, 37)]
    assert [start for start, _, _ in boxes(first, ATTACK)] == [60]
    assert [start for start, _, _ in boxes(second, ATTACK)] == [36]


def test_clips_of_one_picture_share_their_rows_of_an_octave_at_least() -> None:
    low, high, silent = roll(32, (0, 1, 50)), roll(32, (0, 1, 80)), roll(32)
    rows = PitchRows([low, high, silent])
    assert rows.count == 80 - 50 + 1 + 2
    assert PitchRows([low]).count == 12
    assert PitchRows([silent]).count == 14
    assert PitchRows([roll(4, (0, 1, 127))]).count <= 13
    figures = (
        grids.strip_figure([low, high, silent], rows, 4, 16, "strip"),
        grids.palette_figure([[low, high], [high, silent]], rows, 4, 16, "palette"),
        grids.overview_figure([grids.Panel(low, 4, 16, "001"), grids.Panel(high, 4, 12, "002")], rows, "overview"),
    )
    assert [len(figure.axes) for figure in figures] == [3, 4, 2]
    for figure in figures:
        assert not figure.legends, "colours mean nothing here"
        assert png(figure).startswith(b"\x89PNG")
        for axes in figure.axes:
            place = axes.get_position()
            assert 0 < place.x0 < place.x1 < 1 + 1e-9
            assert 0 < place.y0 < place.y1 < 1
    assert boxes(figures[0].axes[1])[0][2] - boxes(figures[0].axes[0])[0][2] == 30


@pytest.mark.parametrize("steps_per_beat", [4, 24])
def test_a_picture_is_the_same_every_time(steps_per_beat: int) -> None:
    one = roll(4 * steps_per_beat, (0, steps_per_beat, 60))
    pictures = [png(grids.grid_figure(one, PitchRows([one]), steps_per_beat, 4 * steps_per_beat)) for _ in range(2)]
    assert pictures[0] == pictures[1]
