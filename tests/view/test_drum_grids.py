"""Pictures of clips: the right boxes in the right places, names and bar lines, whatever the size."""

import io
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import imread

from seqvae.view import drum_grids, grids
from seqvae.view.drum_grids import DrumRows
from seqvae.view.sheet import png

NAMES = ("kick", "snare", "closed hat", "open hat", "low tom", "mid tom", "high tom", "crash", "ride")


def some_hits(steps: int = 32, classes: int = 9, seed: int = 0) -> np.ndarray:
    """Hits in one cell of four."""
    return np.random.default_rng(seed).random((steps, classes)) < 0.25


def grid_figure(hits: np.ndarray, names: Sequence[str], *more: object) -> Figure:
    return grids.grid_figure(hits, DrumRows([hits], names), *more)  # type: ignore[arg-type]


def strip_figure(clips: Sequence[np.ndarray], names: Sequence[str], *more: object) -> Figure:
    return grids.strip_figure(clips, DrumRows(clips, names), *more)  # type: ignore[arg-type]


def palette_figure(square: Sequence[Sequence[np.ndarray]], names: Sequence[str], *more: object) -> Figure:
    clips = [clip for line in square for clip in line]
    return grids.palette_figure(square, DrumRows(clips, names), *more)  # type: ignore[arg-type]


def overview_figure(panels: Sequence[grids.Panel], names: Sequence[str], title: str = "") -> Figure:
    return grids.overview_figure(panels, DrumRows([panel.drawn for panel in panels], names), title)


def boxes(axes: Axes) -> dict[tuple[int, int], str]:
    """Colour of the box in each cell (step, row from the bottom) that has one."""
    collection = next(item for item in axes.collections if isinstance(item, PolyCollection))
    corners = np.array([path.vertices[:4].min(0) for path in collection.get_paths()]).reshape(-1, 2)
    colours = collection.get_facecolor()
    return {(int(x), int(y)): to_hex(colour) for (x, y), colour in zip(corners, colours, strict=True)}


def bar_lines(axes: Axes) -> list[float]:
    """Where the bar lines stand, in steps."""
    lines = [item for item in axes.collections if isinstance(item, LineCollection)]
    dark = [item for item in lines if to_hex(item.get_color()[0]) == grids.INK]
    return [segment[0, 0] for item in dark for segment in item.get_segments()]


def row_names(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def texts(axes: Axes) -> list[str]:
    return [text.get_text().strip() for text in axes.texts]


def titles(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def test_each_hit_is_a_box_on_its_step_with_the_kick_at_the_bottom():
    hits = some_hits()
    (axes,) = grid_figure(hits, NAMES, 4, 16, "a clip").axes
    assert set(boxes(axes)) == {(int(step), int(row)) for step, row in np.argwhere(hits)}
    assert row_names(axes) == list(NAMES)
    assert axes.get_ylim() == (0, 9)  # rows count from the bottom
    assert axes.get_xlim() == (0, 32)


def test_a_hit_that_is_played_is_as_high_as_it_is_loud_and_stands_where_it_is_heard():
    drawn = np.zeros((32, 9, 2))
    drawn[0, 0], drawn[5, 0], drawn[20, 8] = (1.0, 0.0), (0.5, -0.4), (1 / 127, 0.25)
    (axes,) = grid_figure(drawn, NAMES, 4, 16).axes
    collection = next(item for item in axes.collections if isinstance(item, PolyCollection))
    corners = [path.vertices[:4] for path in collection.get_paths()]
    found = [(*corner.min(0), corner[:, 1].max() - corner[:, 1].min()) for corner in corners]
    assert np.array(found) == pytest.approx(
        np.array([(0.08, 0.12, 0.76), (4.68, 0.12, 0.76 * 0.6), (20.33, 8.12, 0.76 * (0.2 + 0.8 / 127))]), abs=1e-9
    )
    assert len({round(float(np.ptp(corner[:, 0])), 9) for corner in corners}) == 1


def test_classes_that_are_hit_get_a_row_however_they_are_drawn():
    names = [f"drum {number}" for number in range(20)]
    drawn = np.zeros((16, 20, 2))
    drawn[3, 7] = 0.5, -0.25
    drawn[4, 9, 1] = 0.3  # late, and no hit
    assert [name for _, name in DrumRows([drawn], names).names] == ["drum 7"]


def test_drums_have_colours_of_their_own_and_bar_lines_and_beats_are_named():
    hits = np.ones((32, 9), dtype=bool)
    (axes,) = grid_figure(hits, NAMES, 4, 16).axes
    assert len(set(boxes(axes).values())) == 9
    assert all(boxes(axes)[0, row] == boxes(axes)[31, row] for row in range(9))
    assert bar_lines(axes) == [0, 16, 32]
    assert texts(axes) == ["1", "1.2", "1.3", "1.4", "2", "2.2", "2.3", "2.4"]


def test_beats_start_anew_with_each_bar_of_an_odd_metre():
    (axes,) = grid_figure(some_hits(28), NAMES, 4, 14).axes
    assert bar_lines(axes) == [0, 14, 28]
    named = [(text.get_text().strip(), text.get_position()[0]) for text in axes.texts]
    assert named == [("1", 0), ("1.2", 4), ("1.3", 8), ("1.4", 12), ("2", 14), ("2.2", 18), ("2.3", 22), ("2.4", 26)]
    shades = [(patch.get_x(), patch.get_width(), to_hex(patch.get_facecolor())) for patch in axes.patches]
    assert [(x, width) for x, width, _ in shades] == [
        (0, 4),
        (4, 4),
        (8, 4),
        (12, 2),
        (14, 4),
        (18, 4),
        (22, 4),
        (26, 2),
    ]
    assert [shade for _, _, shade in shades] == [grids.EVEN_BEAT, grids.ODD_BEAT] * 4


def test_a_song_is_broken_into_lines_of_four_bars_and_none_of_its_hits_is_lost():
    hits = some_hits(13 * 16)
    figure = grid_figure(hits, NAMES, 4, 16, "song")
    assert len(figure.axes) == 4
    found = {(64 * line + step, row) for line, axes in enumerate(figure.axes) for step, row in boxes(axes)}
    assert found == {(int(step), int(row)) for step, row in np.argwhere(hits)}
    assert [texts(axes)[0] for axes in figure.axes] == ["1", "5", "9", "13"]
    tops = [axes.get_position().y1 for axes in figure.axes]
    assert tops == sorted(tops, reverse=True)
    widths = [axes.get_position().width for axes in figure.axes]
    assert widths[3] == pytest.approx(widths[0] / 4)


def test_a_very_long_song_says_how_much_of_it_is_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grids, "MOST_LINES", 3)
    figure = grid_figure(some_hits(15 * 16, 2), NAMES[:2], 4, 16, "song")
    assert len(figure.axes) == 3
    assert titles(figure) == ["song (bars 1 to 12 of 15)"]


def test_hits_on_a_fine_grid_are_wide_enough_to_be_seen():
    hits = np.zeros((192, 9), dtype=bool)
    hits[[0, 23], 1] = True
    (axes,) = grid_figure(hits, NAMES, 24, 96).axes
    collection = next(item for item in axes.collections if isinstance(item, PolyCollection))
    widths = [np.ptp(path.vertices[:4, 0]) for path in collection.get_paths()]
    assert widths == [pytest.approx(24 / 7)] * 2


def test_of_a_large_class_map_only_what_is_hit_gets_a_row_the_kick_first():
    names = ["open hat edge", "acoustic bass drum", *(f"pad {index}" for index in range(11)), "acoustic snare"]
    hits = np.zeros((16, 14), dtype=bool)
    hits[0, 0] = hits[4, 13] = hits[8, 1] = True
    (axes,) = grid_figure(hits, names, 4, 16).axes
    assert row_names(axes) == ["acoustic bass drum", "acoustic snare", "open hat edge"]
    assert set(boxes(axes)) == {(8, 0), (4, 1), (0, 2)}
    (silent,) = grid_figure(np.zeros((16, 14), dtype=bool), names, 4, 16).axes
    assert len(row_names(silent)) == 1


def test_a_strip_has_one_row_of_boxes_for_each_clip_from_top_to_bottom():
    clips = [some_hits(seed=seed) for seed in range(8)]
    figure = strip_figure(clips, NAMES, 4, 16, "rock to samba", ["rock", *"234567", "samba"])
    assert titles(figure) == ["rock to samba", "rock", *"234567", "samba"]
    assert len(figure.axes) == 8
    for axes, hits in zip(figure.axes, clips, strict=True):
        assert set(boxes(axes)) == {(int(step), int(row)) for step, row in np.argwhere(hits)}
        assert row_names(axes) == list(NAMES)
    tops = [axes.get_position().y1 for axes in figure.axes]
    assert tops == sorted(tops, reverse=True)
    assert len({round(axes.get_position().x0, 9) for axes in figure.axes}) == 1
    labels = figure.texts[1:]
    for axes, label in zip(figure.axes, labels, strict=True):
        assert axes.get_position().y0 < label.get_position()[1] < axes.get_position().y1
    assert titles(strip_figure(clips[:3], NAMES, 4, 16)) == ["1", "2", "3"]


def test_long_labels_get_room_beside_the_names_of_the_drums():
    labels = ["breakbeat", "x", "a very long name of a file.mid"]
    figure = strip_figure([some_hits()] * 3, NAMES, 4, 16, "", labels)
    assert titles(figure) == ["breakbeat", "x", "a very long nam…"]
    figure.canvas.draw()
    names = min(label.get_window_extent().x0 for axes in figure.axes for label in axes.get_yticklabels())
    assert all(text.get_window_extent().x1 < names for text in figure.texts)


def test_a_sweep_has_a_named_row_for_each_line_of_clips_and_a_head_above_each_column():
    grid = [[some_hits(16 * (i + 1), seed=3 * i + j) for j in range(3)] for i in range(2)]
    panels = [[grids.Panel(hits, 4, 16, "") for hits in line] for line in grid]
    rows = DrumRows([hits for line in grid for hits in line], NAMES)
    figure = grids.sweep_figure(panels, rows, ["unit 4", "unit 0"], ["-1", "0", "1"], "Units", "a note")
    assert titles(figure) == ["Units", "a note", "-1", "0", "1", "unit 4", "unit 0"]
    for place, axes in enumerate(figure.axes):
        expected = grid[place // 3][place % 3]
        assert set(boxes(axes)) == {(int(step), int(row)) for step, row in np.argwhere(expected)}
    first, below = figure.axes[0].get_position(), figure.axes[3].get_position()
    assert first.width == pytest.approx(below.width / 2), "a bar is as wide as half of two"
    assert first.y0 > below.y1
    assert below.y0 < figure.texts[-1].get_position()[1] < below.y1
    for head, axes in zip(figure.texts[2:5], figure.axes, strict=False):
        assert head.get_position()[0] == pytest.approx(axes.get_position().x0)
        assert head.get_position()[1] > axes.get_position().y1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(NAMES)


def test_a_note_stands_between_the_title_and_the_clips():
    figure = grids.strip_figure([some_hits()], DrumRows([some_hits()], NAMES), 4, 16, "a title", ["1"], "a note")
    figure.canvas.draw()
    title, note, _ = (text.get_window_extent() for text in figure.texts)
    beats = min(text.get_window_extent().y0 for text in figure.axes[0].texts)
    assert title.y0 > note.y1
    assert note.y0 > max(text.get_window_extent().y1 for text in figure.axes[0].texts) > beats


def test_a_palette_is_a_square_with_its_corners_named_and_a_key_of_colours():
    grid = [[some_hits(seed=3 * i + j) for j in range(3)] for i in range(3)]
    figure = palette_figure(grid, NAMES, 4, 16, "four grooves")
    assert len(figure.axes) == 9
    for index, axes in enumerate(figure.axes):
        assert set(boxes(axes)) == {(int(step), int(row)) for step, row in np.argwhere(grid[index // 3][index % 3])}
    places = {text.get_text(): text.get_position() for text in figure.texts}
    assert places["A"][0] == places["C"][0] < figure.axes[0].get_position().x0
    assert places["B"][0] == places["D"][0] > figure.axes[2].get_position().x1
    assert places["A"][1] == places["B"][1] > places["C"][1] == places["D"][1]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(NAMES)


def test_an_overview_has_each_clip_under_its_label_in_its_own_metre():
    lengths = ((32, 4, 16), (24, 4, 12), (24, 6, 12), (16, 4, 16), (32, 4, 16))
    clips = [
        grids.Panel(some_hits(steps, seed=seed), beat, bar, f"00{seed}")
        for seed, (steps, beat, bar) in enumerate(lengths)
    ]
    figure = overview_figure(clips, NAMES, "five clips")
    assert len(figure.axes) == 5
    for axes, clip in zip(figure.axes, clips, strict=True):
        assert set(boxes(axes)) == {(int(step), int(row)) for step, row in np.argwhere(clip.drawn)}
        assert bar_lines(axes) == list(range(0, len(clip.drawn) + 1, clip.steps_per_bar))
    assert titles(figure) == ["five clips", *(clip.label for clip in clips)]
    places = [axes.get_position() for axes in figure.axes]
    assert places[1].width / places[0].width == pytest.approx(24 / 32), "a beat is as wide in every clip"
    assert places[2].width / places[0].width == pytest.approx(4 / 8)
    assert len({round(place.y0, 6) for place in places}) == 3
    for place, label in zip(places, figure.texts[1:], strict=True):
        assert label.get_position()[0] == pytest.approx(place.x0)
        assert 0 < (label.get_position()[1] - place.y1) * figure.get_figheight() < 0.2
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(NAMES)


def test_an_overview_of_many_clips_is_no_strip_and_overlaps_nowhere():
    many = [grids.Panel(some_hits(seed=seed), 4, 16, f"{seed:03}") for seed in range(60)]
    figure = overview_figure(many, NAMES)
    width, height = figure.get_size_inches()
    assert 0.9 < width / height < 2
    places = [axes.get_position() for axes in figure.axes]
    for index, one in enumerate(places):
        assert 0 <= one.x0 < one.x1 <= 1
        assert 0 < one.y0 < one.y1 < 1
        for other in places[:index]:
            assert one.x0 >= other.x1 or other.x0 >= one.x1 or one.y0 >= other.y1 or other.y0 >= one.y1


def test_nothing_is_drawn_beyond_the_edge():
    clips = [some_hits(seed=seed) for seed in range(3)]
    for figure in (
        grid_figure(some_hits(9 * 16), NAMES, 4, 16, "song"),
        strip_figure(clips, NAMES, 4, 16, "strip"),
        palette_figure([clips] * 3, NAMES, 4, 16, "palette"),
    ):
        for axes in figure.axes:
            place = axes.get_position()
            assert place.x0 > 0 < place.y0
            assert place.x1 < 1 > place.y1
        picture = imread(io.BytesIO(png(figure)))[..., :3]
        edges = (picture[:3], picture[-3:], picture[:, :3], picture[:, -3:])
        assert all((edge == 1).all() for edge in edges)


def test_any_names_of_classes_are_drawn_whole_and_taken_as_they_are():
    names = ("_a$\\bad{$", "acoustic bass drum", "the open\nhat of my neighbour in the attic", *NAMES[3:])
    clips = [some_hits(seed=seed) for seed in range(2)]
    drawn = ["a$\\bad{$", "acoustic bass drum", "the open hat of my neig…"]
    for figure in (grid_figure(some_hits(), names, 4, 16), strip_figure(clips, names, 4, 16)):
        assert row_names(figure.axes[0])[:3] == drawn
        figure.canvas.draw()
        assert min(label.get_window_extent().x0 for label in figure.axes[0].get_yticklabels()) > 0
    figure = palette_figure([clips, clips], names, 4, 16)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [*drawn, *NAMES[3:]]
    figure.canvas.draw()
    key = figure.legends[0].get_window_extent()
    assert key.x0 > 0
    assert key.x1 < figure.bbox.width
    assert key.y1 < min(axes.get_window_extent().y0 for axes in figure.axes)


def test_the_picture_shows_a_hit_in_its_colour():
    hits = np.zeros((16, 9), dtype=bool)
    hits[8, 0] = True
    figure = grid_figure(hits, NAMES, 4, 16)
    picture = imread(io.BytesIO(png(figure)))
    place = figure.axes[0].get_position()
    row = round((1 - place.y0 - place.height * 0.5 / 9) * len(picture))
    column = round((place.x0 + place.width * 8.5 / 16) * picture.shape[1])
    assert to_hex(picture[row, column]) == drum_grids.COLOURS["kick"]
    assert to_hex(picture[row, column + round(place.width / 16 * picture.shape[1])]) == grids.EVEN_BEAT
    again = grid_figure(hits, NAMES, 4, 16)
    assert png(again) == png(figure), "the same clip is the same picture, byte for byte"


def test_titles_are_taken_as_they_are():
    figure = grid_figure(some_hits(), NAMES, 4, 16, "50$ and 60$ in 日本.mid")  # a warning would be an error
    assert titles(figure) == ["50$ and 60$ in 日本.mid"]
    assert png(figure).startswith(b"\x89PNG")


def test_a_picture_that_would_be_too_large_is_made_smaller():
    figure = strip_figure([some_hits(64 * 16, 2)], NAMES[:2], 4, 16)
    picture = imread(io.BytesIO(png(figure)))
    assert 19_000 < max(picture.shape) <= 20_000


def test_hits_that_do_not_fit_their_names_are_refused():
    for hits in (some_hits(32, 8), np.zeros((0, 9), dtype=bool), np.zeros(9, dtype=bool)):
        with pytest.raises(ValueError, match="are not steps of 9 classes"):
            grid_figure(hits, NAMES, 4, 16)


def test_pictures_leave_the_state_of_pyplot_alone():
    code = "import sys; from seqvae.view import drum_grids; print('matplotlib.pyplot' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
