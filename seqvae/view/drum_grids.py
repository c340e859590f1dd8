"""Drum clips as pictures: steps from left to right, one row a drum class, the kick at the bottom."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch

INK = "#22252b"
FAINT = "#8a8f99"
EVEN_BEAT, ODD_BEAT = "#f1f2f5", "#e4e6eb"
# The first word that a class name holds decides its colour; related drums have related colours.
COLOURS = {
    "kick": "#27408b", "bass drum": "#27408b", "snare": "#c8352b", "stick": "#e06c5f", "clap": "#e06c5f",
    "open hat": "#efb118", "open hi-hat": "#efb118", "hat": "#b87a0b", "low tom": "#1d7a4a",
    "low floor tom": "#1d7a4a", "mid": "#3fa66b", "high tom": "#7cc79a", "tom": "#3fa66b", "crash": "#7b3fa0",
    "splash": "#7b3fa0", "chinese": "#7b3fa0", "ride": "#2f93b5", "bell": "#2f93b5",
}  # fmt: skip
OTHER_COLOUR = "#6b7280"

MARGIN = 0.15  # inches, as are all lengths below
TITLE = 0.4
NAMES = 1.0  # the least width of the names of the classes
LETTER = 0.07  # of them
KEY, KEY_LETTER = 0.48, 0.058  # of the palette: a colour with what is left free around it, and its name
ROW = 0.2
BEAT = 0.8
OVERVIEW_SHAPE = 1.4  # its width by its height
LONGEST_LINE = 16  # beats
MOST_LINES = 40
MOST_ROWS = 12  # with more classes, only those that are hit get a row
LONGEST_LABEL = 16  # letters
LONGEST_NAME = 24


@dataclass(frozen=True)
class Panel:
    """A clip of an overview: hits (T, C), the steps of its beats and bars, and what stands above it."""

    hits: np.ndarray
    steps_per_beat: int
    steps_per_bar: int
    label: str


def grid_figure(
    hits: np.ndarray, names: Sequence[str], steps_per_beat: int, steps_per_bar: int, title: str = ""
) -> Figure:
    """One clip, hits (T, C); long ones are broken into lines of about four bars, as in a score."""
    rows = _rows([hits], names)
    line = max(1, LONGEST_LINE * steps_per_beat // steps_per_bar) * steps_per_bar
    starts = list(range(0, len(hits), line))
    if len(starts) > MOST_LINES:
        starts = starts[:MOST_LINES]
        shown, total = MOST_LINES * line // steps_per_bar, math.ceil(len(hits) / steps_per_bar)
        title = f"{title} (bars 1 to {shown} of {total})".strip()
    width = min(len(hits), line) / steps_per_beat * BEAT
    height = len(rows) * ROW
    left = _width([names[row] for row in rows])
    figure = _figure(left + width, len(starts) * (height + 0.35), title)
    for index, start in enumerate(starts):
        part = hits[start : start + line]
        top = 0.25 + index * (height + 0.35)
        axes = _axes(figure, left, top, width * len(part) / min(len(hits), line), height)
        _draw(axes, part[:, rows], [names[row] for row in rows], steps_per_beat, steps_per_bar)
        _name_rows(axes, [names[row] for row in rows], 8)
        _name_beats(axes, len(part), steps_per_beat, steps_per_bar, first_bar=start // steps_per_bar)
    return figure


def strip_figure(
    clips: Sequence[np.ndarray],
    names: Sequence[str],
    steps_per_beat: int,
    steps_per_bar: int,
    title: str = "",
    labels: Sequence[str] | None = None,
) -> Figure:
    """Clips of one length below each other, such as the steps of an interpolation from the first to the last.

    `labels` name the clips, by default 1, 2, 3 and so on.
    """
    labels = [str(index + 1) for index in range(len(clips))] if labels is None else [_short(label) for label in labels]
    rows = _rows(clips, names)
    kept = [names[row] for row in rows]
    left = _width(kept) + 0.2 + 0.12 * max(len(label) for label in labels)
    steps = max(len(hits) for hits in clips)
    width = steps / steps_per_beat * BEAT
    height = len(rows) * ROW * 0.62
    pitch = height + 0.14
    figure = _figure(left + width, len(clips) * pitch + 0.2, title)
    for index, (hits, label) in enumerate(zip(clips, labels, strict=True)):
        axes = _axes(figure, left, 0.25 + index * pitch, width * len(hits) / steps, height)
        _draw(axes, hits[:, rows], kept, steps_per_beat, steps_per_bar)
        _name_rows(axes, kept, 6.2)
        if index == 0:
            _name_beats(axes, len(hits), steps_per_beat, steps_per_bar)
        middle = 1 - (TITLE + 0.25 + index * pitch + height / 2) / figure.get_figheight()
        _text(figure, MARGIN / figure.get_figwidth(), middle, label, 12)
    return figure


def palette_figure(
    grid: Sequence[Sequence[np.ndarray]],
    names: Sequence[str],
    steps_per_beat: int,
    steps_per_bar: int,
    title: str = "",
    corners: Sequence[str] = ("A", "B", "C", "D"),
) -> Figure:
    """A square of clips between four: `corners` name the first and last of the top row, then of the bottom row."""
    clips = [hits for line in grid for hits in line]
    rows = _rows(clips, names)
    kept = [names[row] for row in rows]
    columns = len(grid[0])
    width = max(len(hits) for hits in clips) / steps_per_beat * BEAT * 0.36
    height = len(rows) * ROW * 0.5
    across, down = width + 0.14, height + 0.14
    across_all = 0.7 + columns * across
    in_line = _keys_in_line(kept, across_all)
    figure = _figure(across_all, len(grid) * down + 0.4 + 0.2 * math.ceil(len(kept) / in_line), title)
    for i, line in enumerate(grid):
        for j, hits in enumerate(line):
            axes = _axes(figure, 0.35 + j * across, 0.1 + i * down, width, height)
            _draw(axes, hits[:, rows], kept, steps_per_beat, steps_per_bar)
    places = [(i, j) for i in (0, len(grid) - 1) for j in (0, columns - 1)]
    for (i, j), corner in zip(places, corners, strict=True):
        left = MARGIN + (0.1 if j == 0 else 0.35 + columns * across + 0.03)
        middle = 1 - (TITLE + 0.1 + i * down + height / 2) / figure.get_figheight()
        _text(figure, left / figure.get_figwidth(), middle, corner, 13)
    _name_colours(figure, kept, in_line)
    return figure


def overview_figure(clips: Sequence[Panel], names: Sequence[str], title: str = "") -> Figure:
    """Clips of any metres and lengths in rows and columns, each under its label, about as high as wide in all."""
    rows = _rows([clip.hits for clip in clips], names)
    kept = [names[row] for row in rows]
    beats = max(len(clip.hits) / clip.steps_per_beat for clip in clips)
    width, height = max(0.4, beats * BEAT * 0.5), len(rows) * ROW * 0.55
    across, down = width + 0.25, height + 0.35
    columns = math.ceil(math.sqrt(OVERVIEW_SHAPE * len(clips) * down / across))
    lines = math.ceil(len(clips) / columns)
    columns = math.ceil(len(clips) / lines)
    across_all = max(columns * across - 0.25, KEY + KEY_LETTER * max(len(_shown(name)) for name in kept))
    in_line = _keys_in_line(kept, across_all)
    figure = _figure(across_all, lines * down + 0.1 + 0.2 * math.ceil(len(kept) / in_line), title)
    for place, clip in enumerate(clips):
        line, column = divmod(place, columns)
        left, top = column * across, line * down + 0.2
        own = width * len(clip.hits) / clip.steps_per_beat / beats
        axes = _axes(figure, left, top, own, height)
        _draw(axes, clip.hits[:, rows], kept, clip.steps_per_beat, clip.steps_per_bar)
        middle = 1 - (TITLE + top - 0.1) / figure.get_figheight()
        _text(figure, (MARGIN + left) / figure.get_figwidth(), middle, _short(clip.label), 8)
    _name_colours(figure, kept, in_line)
    return figure


def _keys_in_line(names: Sequence[str], width: float) -> int:
    """How many of the colours' keys stand side by side in a figure."""
    widths = [KEY + KEY_LETTER * len(_shown(name)) for name in names]
    return len(names) if sum(widths) <= width else max(1, int(width / max(widths)))


def _name_colours(figure: Figure, names: Sequence[str], in_line: int) -> None:
    """The names of the classes beside their colours, at the bottom."""
    keys = [Patch(facecolor=_colour(name), label=_shown(name)) for name in names]
    legend = figure.legend(handles=keys, loc="lower center", ncols=in_line, frameon=False, fontsize=7.5)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _rows(clips: Sequence[np.ndarray], names: Sequence[str]) -> list[int]:
    """The classes that get a row, from the bottom: all of a small class map; of a large one those hit, kicks first."""
    for hits in clips:
        if hits.ndim != 2 or not len(hits) or hits.shape[1] != len(names):
            raise ValueError(f"hits of shape {hits.shape} are not steps of {len(names)} classes; give a name for each")
    if len(names) <= MOST_ROWS:
        return list(range(len(names)))
    shades = [*dict.fromkeys(COLOURS.values()), OTHER_COLOUR]
    kept = [row for row in range(len(names)) if any(hits[:, row].any() for hits in clips)] or [0]
    return sorted(kept, key=lambda row: shades.index(_colour(names[row])))


def _colour(name: str) -> str:
    """The colour of a drum class, by its name."""
    return next((colour for word, colour in COLOURS.items() if word in name.lower().replace("_", " ")), OTHER_COLOUR)


def _short(label: str) -> str:
    """A label that leaves room for the clip."""
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"


def _shown(name: str) -> str:
    """The name of a class as it is drawn: in one line of bounded length."""
    name = " ".join(name.replace("_", " ").split())
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _width(names: Sequence[str]) -> float:
    """The room for the names left of their rows."""
    return max(NAMES, 0.1 + LETTER * max(len(_shown(name)) for name in names))


def _figure(width: float, height: float, title: str) -> Figure:
    """An empty figure with room for this content below its title."""
    figure = Figure(figsize=(width + 2 * MARGIN, TITLE + height + MARGIN), facecolor="white")
    if title:
        _text(figure, MARGIN / figure.get_figwidth(), 1 - TITLE / 2 / figure.get_figheight(), title, 11)
    return figure


def _text(figure: Figure, x: float, y: float, text: str, size: float) -> None:
    """Bold text from x on, centred on y, taken as it is: a dollar sign starts no formula."""
    figure.text(x, y, text, fontsize=size, color=INK, weight="bold", va="center").set_parse_math(False)


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place below the title, in inches."""
    across, down = figure.get_size_inches()
    bottom = down - TITLE - top - height
    axes = figure.add_axes(((MARGIN + left) / across, bottom / down, width / across, height / down))
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    return axes


def _draw(axes: Axes, hits: np.ndarray, names: Sequence[str], steps_per_beat: int, steps_per_bar: int) -> None:
    """A clip's hits as coloured boxes over its beats, bars and rows."""
    steps, rows = hits.shape
    axes.set(xlim=(0, steps), ylim=(0, rows))
    for bar in range(0, steps, steps_per_bar):
        end = min(bar + steps_per_bar, steps)
        for number, beat in enumerate(range(bar, end, steps_per_beat)):
            shade = ODD_BEAT if number % 2 else EVEN_BEAT
            axes.axvspan(beat, min(beat + steps_per_beat, end), facecolor=shade, edgecolor="none", zorder=0)
    axes.hlines(range(1, rows), 0, steps, color="white", linewidth=0.8, zorder=1)
    if steps_per_beat <= 6:  # lines between the steps of a finer grid would be a grey haze
        axes.vlines(range(1, steps), 0, rows, color="white", linewidth=0.5, zorder=1)
    # A hit on a fine grid is drawn wider than its step, or it could not be seen.
    length = max(0.84, steps_per_beat / 7)
    boxes = [
        [(x, y + 0.12), (x + length, y + 0.12), (x + length, y + 0.88), (x, y + 0.88)]
        for x, y in np.argwhere(hits) + np.array([0.08, 0.0])
    ]
    colours = [_colour(names[row]) for row in np.argwhere(hits)[:, 1]]
    hit = PolyCollection(boxes, facecolors=colours, edgecolors="white", linewidths=0.6, zorder=3)
    axes.add_collection(hit, autolim=False)
    axes.vlines(range(0, steps + 1, steps_per_bar), 0, rows, color=INK, linewidth=1.1, zorder=2, clip_on=False)


def _name_rows(axes: Axes, names: Sequence[str], size: float) -> None:
    """The names of the classes, left of their rows."""
    axes.set_yticks(np.arange(len(names)) + 0.5, [_shown(name) for name in names], parse_math=False)
    axes.tick_params(axis="y", length=0, labelsize=size, labelcolor=INK, pad=4)


def _name_beats(axes: Axes, steps: int, steps_per_beat: int, steps_per_bar: int, first_bar: int = 0) -> None:
    """Bars and beats above the rows, as sequencers count them: 1, 1.2, 1.3, 1.4, 2, ..."""
    for step in range(0, steps, steps_per_bar):
        axes.text(step, axes.get_ylim()[1], f" {first_bar + step // steps_per_bar + 1}", fontsize=8, weight="bold",
                  color=INK, va="bottom")  # fmt: skip
        for number, beat in enumerate(range(step, min(step + steps_per_bar, steps), steps_per_beat)):
            if number:
                label = f"{first_bar + step // steps_per_bar + 1}.{number + 1}"
                axes.text(beat, axes.get_ylim()[1], label, fontsize=6.5, color=FAINT, va="bottom")
