"""Piano rolls: a box for each note, as long as it sounds and in its row, whatever line it stands in."""

import itertools

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

from seqvae.view import grids
from seqvae.view.piano_rolls import ATTACK, BAND, NOTE, PitchRows, Roll, words_within
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


CHORDS = ((0, "C"), (8, "F#dim"), (16, "G"), (24, "N.C."), (68, "Am"))


def places(axes: Axes) -> list[tuple[str, int]]:
    """The words in the band above the notes, and the step on which each begins."""
    low = axes.get_ylim()[1] - BAND
    return [(text.get_text(), int(x)) for text in axes.texts for x, y in [text.get_position()] if low < y < low + BAND]


def test_words_stand_above_the_notes_and_go_on_in_the_next_line() -> None:
    long = Roll(128, np.array([(0, 4, 60), (90, 94, 71)]), CHORDS)
    rows = PitchRows([long])
    assert rows.count == PitchRows([roll(128, (0, 4, 60), (90, 94, 71))]).count + BAND
    first, second = grids.grid_figure(long, rows, 4, 16).axes
    assert places(first) == [("C", 0), ("F#dim", 8), ("G", 16), ("N.C.", 24)]
    assert places(second) == [("N.C.", 0), ("Am", 4)], "bar 5 begins as bar 4 ended, and its second beat is a chord"
    assert boxes(first) == boxes(grids.grid_figure(roll(64, (0, 4, 60)), PitchRows([long]), 4, 16).axes[0])
    assert words_within(CHORDS, 16, 24) == [(0, "G")]


def test_words_are_as_large_above_eighty_eight_keys_as_above_an_octave() -> None:
    octave, keys = (Roll(32, np.array([(0, 4, 60), (8, 9, top)]), [(0, "F#m")]) for top in (66, 108))
    keys.notes[0, 2] = 21
    low, high = PitchRows([octave]), PitchRows([keys])
    assert high.count - 90 == 10, "a tenth of all is for words, as of thirty rows"
    assert low.count - 12 == BAND
    sizes = []
    for rows, one in ((low, octave), (high, keys)):
        (axes,) = grids.overview_figure([grids.Panel(one, 4, 16, "001")], rows).axes
        sizes += [text.get_fontsize() for text in axes.texts if text.get_text() == "F#m"]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.05), "in points"


def test_rolls_without_words_have_no_room_for_them() -> None:
    plain = roll(32, (0, 4, 60))
    (axes,) = grids.grid_figure(plain, PitchRows([plain]), 4, 16).axes
    assert axes.get_ylim()[1] == 12
    assert {text.get_text().strip() for text in axes.texts} == {"1", "1.2", "1.3", "1.4", "2", "2.2", "2.3", "2.4"}


def test_words_touch_neither_each_other_nor_the_edge_however_small_the_clip() -> None:
    """Eight chords a bar, with the longest of symbols."""
    one = Roll(32, np.array([(0, 4, 60), (8, 9, 84)]), [(step, "F#dim") for step in range(0, 32, 2)])
    rows = PitchRows([one])
    figures = (
        grids.grid_figure(one, rows, 4, 16),
        grids.strip_figure([one, one], rows, 4, 16),
        grids.palette_figure([[one, one], [one, one]], rows, 4, 16),
        grids.overview_figure([grids.Panel(one, 4, 16, "001")] * 3, rows),
    )
    for figure in figures:
        FigureCanvasAgg(figure)
        for axes in figure.axes:
            whole = axes.get_window_extent()
            words = [text.get_window_extent() for text in axes.texts if text.get_text() == "F#dim"]
            assert len(words) == 16
            assert all(left.x1 < right.x0 for left, right in itertools.pairwise(words))
            assert whole.x0 <= words[0].x0
            assert words[-1].x1 <= whole.x1
            assert all(whole.y0 + (whole.y1 - whole.y0) * (1 - BAND / rows.count) <= word.y0 for word in words)
            assert all(word.y1 <= whole.y1 for word in words)
