"""Several parts in one picture: each in its own band, in the rows and colours that it has alone."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from seqvae.view.drum_grids import DrumRows
from seqvae.view.grids import grid_figure
from seqvae.view.piano_rolls import PitchRows, Roll
from seqvae.view.score_rows import Drawn, ScoreRows

NAMES = ("kick", "snare")


def score() -> tuple[Drawn, ScoreRows]:
    """A bar with two hits below a melody of one note, C4 for four steps."""
    hits = np.zeros((16, 2), bool)
    hits[[0, 8], [0, 1]] = True
    roll = Roll(16, np.array([[4, 8, 60]]))
    return Drawn((hits, roll)), ScoreRows([DrumRows([hits], NAMES), PitchRows([roll])], ("Drums", "Lead"))


def test_rows_stand_above_each_other_and_keep_their_names() -> None:
    drawn, rows = score()
    assert len(drawn) == 16
    assert rows.count == 2 * 2 + PitchRows([drawn.bands[1]]).count, "a row of drums is as high as two of a piano roll"
    names = dict(rows.names)
    assert (names[0.5], names[2.5]) == ("kick", "snare")
    (place,) = (place for place, name in rows.names if name == "C4")
    alone = {name: place for place, name in PitchRows([drawn.bands[1]]).names}
    assert place == alone["C4"] + 4
    assert [name for name, _ in rows.keys] == ["kick", "snare"]
    assert rows.height == pytest.approx(rows.count * 0.085)


def test_lines_part_the_rows_of_each_band() -> None:
    _, rows = score()
    assert rows.edges == [2, *range(5, rows.count)], "none within a row of drums, and none where bands meet"


def test_a_part_of_a_wide_range_is_as_high_as_thirty_semitones() -> None:
    hits = np.zeros((16, 2), bool)
    hits[0, 0] = True
    wide = Roll(16, np.array([[4, 8, 24], [8, 9, 71]]))  # C1 to B4, 48 semitones
    parts = DrumRows([hits], NAMES), PitchRows([wide])
    rows = ScoreRows(parts, ("Drums", "Lead"))
    assert parts[1].count == 50
    assert parts[1].height == pytest.approx(30 * 0.085)
    assert (rows.count, rows.height) == (4 + 30, pytest.approx(34 * 0.085))
    names = {name: place + 0.5 for place, name in rows.names}
    assert names["C1"] == pytest.approx(4 + 1.5 * 30 / 50), "its row is the second of fifty"
    assert names["C2"] - names["C1"] == pytest.approx(12 * 30 / 50)
    assert rows.edges == [2, *(pytest.approx(4 + row * 30 / 50) for row in (1, 13, 25, 37, 49))], "lines at each C"
    axes = Figure().add_subplot()
    axes.set(xlim=(0, 16), ylim=(0, rows.count))
    rows.draw(axes, Drawn((hits, wide)), 0, 16, 4)
    assert [band.get_ylim() for band in axes.child_axes] == [(0, 2), (0, 50)]


def test_each_part_is_drawn_in_its_band() -> None:
    drawn, rows = score()
    axes = Figure().add_subplot()
    axes.set(xlim=(0, 16), ylim=(0, rows.count))
    rows.draw(axes, drawn, 0, 16, 4)
    below, above = axes.child_axes
    assert below.get_ylim() == (0, 2)
    assert above.get_ylim() == (0, rows.count - 4)
    assert [len(one.collections[0].get_paths()) for one in (below, above)] == [2, 2], "hits; a note and its attack"
    titles = [one.texts[0] for one in (below, above)]
    assert [title.get_text() for title in titles] == ["Drums", "Lead"]
    (edge,) = (one for one in axes.collections if one.get_zorder() == 2)
    assert edge.get_segments()[0][:, 1].tolist() == [4.0, 4.0]


def test_a_score_is_a_picture_of_lines_of_bars() -> None:
    drawn, rows = score()
    figure = grid_figure(drawn, rows, 4, 16, "a bar")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[:2] == ["kick", "snare"]
    assert "C4" in labels
