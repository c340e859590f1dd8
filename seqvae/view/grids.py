"""Clips as pictures: steps from left to right over bars and beats; what stands in the rows is drawn by these."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from seqvae.view.sheet import shortened

INK = "#22252b"
FAINT = "#8a8f99"
EVEN_BEAT, ODD_BEAT = "#f1f2f5", "#e4e6eb"

MARGIN = 0.15  # inches, as are all lengths below
TITLE, NOTE = 0.4, 0.25
NAMES = 1.0  # the least width of the names of rows
LETTER, TITLE_LETTER, NOTE_LETTER = 0.07, 0.1, 0.066  # of them, of the title, and of the note below it
KEY, KEY_LETTER = 0.48, 0.058  # of the palette: a colour with what is left free around it, and its name
BEAT, SMALL = 0.8, 0.36  # its width, and the share of it that is left in rows of clips
OVERVIEW_SHAPE = 1.4  # its width by its height
LONGEST_LINE = 16  # beats
MOST_LINES = 40
LONGEST_LABEL = 16  # letters
LONGEST_NAME = 24


class Rows(Protocol):
    """The rows of a picture, from the bottom, which hold all clips of it; what is drawn of a clip is theirs to know."""

    @property
    def height(self) -> float:
        """Of all rows together, in inches, where there is room."""
        ...

    @property
    def count(self) -> int:
        """How many there are."""
        ...

    @property
    def edges(self) -> Sequence[float]:
        """Where two of them meet, of `count` from the bottom, and a line parts them."""
        ...

    @property
    def names(self) -> Sequence[tuple[float, str]]:
        """Those that have a name: their number from the bottom, or what lies between two, and it."""
        ...

    @property
    def keys(self) -> Sequence[tuple[str, str]]:
        """What colours mean: names and colours; empty where they mean nothing."""
        ...

    def draw(self, axes: Axes, drawn: Any, first: int, last: int, steps_per_beat: int) -> None:
        """The notes of a clip from one step to before another, the first at x = 0."""
        ...


@dataclass(frozen=True)
class Panel:
    """A clip of an overview: what is drawn of it, the steps of its beats and bars, and what stands above it."""

    drawn: Any
    steps_per_beat: int
    steps_per_bar: int
    label: str


def grid_figure(drawn: Any, rows: Rows, steps_per_beat: int, steps_per_bar: int, title: str = "") -> Figure:
    """One clip; long ones are broken into lines of about four bars, as in a score."""
    line = max(1, LONGEST_LINE * steps_per_beat // steps_per_bar) * steps_per_bar
    steps = len(drawn)
    starts = list(range(0, steps, line))
    if len(starts) > MOST_LINES:
        starts = starts[:MOST_LINES]
        shown, total = MOST_LINES * line // steps_per_bar, math.ceil(steps / steps_per_bar)
        title = f"{title} (bars 1 to {shown} of {total})".strip()
    width = min(steps, line) / steps_per_beat * BEAT
    left = _width(rows)
    figure = _figure(left + width, len(starts) * (rows.height + 0.35), title)
    for index, start in enumerate(starts):
        last = min(start + line, steps)
        top = 0.25 + index * (rows.height + 0.35)
        axes = _axes(figure, left, top, width * (last - start) / min(steps, line), rows.height)
        _draw(axes, drawn, rows, start, last, steps_per_beat, steps_per_bar)
        _name_rows(axes, rows, 8)
        _name_beats(axes, last - start, steps_per_beat, steps_per_bar, first_bar=start // steps_per_bar)
    return figure


def strip_figure(
    clips: Sequence[Any],
    rows: Rows,
    steps_per_beat: int,
    steps_per_bar: int,
    title: str = "",
    labels: Sequence[str] | None = None,
    note: str = "",
) -> Figure:
    """Clips of one length below each other, such as the steps of an interpolation from the first to the last.

    `labels` name the clips, by default 1, 2, 3 and so on. A `note` stands below the title.
    """
    labels = (
        [str(index + 1) for index in range(len(clips))]
        if labels is None
        else [shortened(label, LONGEST_LABEL) for label in labels]
    )
    left = _width(rows) + 0.2 + 0.12 * max(len(label) for label in labels)
    steps = max(len(drawn) for drawn in clips)
    width = steps / steps_per_beat * BEAT
    height = rows.height * 0.62
    pitch = height + 0.14
    first = 0.25 + NOTE * bool(note)
    figure = _figure(left + width, len(clips) * pitch + first - 0.05, title, note)
    for index, (drawn, label) in enumerate(zip(clips, labels, strict=True)):
        axes = _axes(figure, left, first + index * pitch, width * len(drawn) / steps, height)
        _draw(axes, drawn, rows, 0, len(drawn), steps_per_beat, steps_per_bar)
        _name_rows(axes, rows, 6.2)
        if index == 0:
            _name_beats(axes, len(drawn), steps_per_beat, steps_per_bar)
        middle = 1 - (TITLE + first + index * pitch + height / 2) / figure.get_figheight()
        _text(figure, MARGIN / figure.get_figwidth(), middle, label, 12)
    return figure


def palette_figure(
    grid: Sequence[Sequence[Any]],
    rows: Rows,
    steps_per_beat: int,
    steps_per_bar: int,
    title: str = "",
    corners: Sequence[str] = ("A", "B", "C", "D"),
) -> Figure:
    """A square of clips between four: `corners` name the first and last of the top row, then of the bottom row."""
    columns = len(grid[0])
    width = max(len(drawn) for line in grid for drawn in line) / steps_per_beat * BEAT * SMALL
    height = rows.height * 0.5
    across, down = width + 0.14, height + 0.14
    across_all = 0.7 + columns * across
    in_line, key = _keys(rows, across_all)
    figure = _figure(across_all, len(grid) * down + 0.4 + key, title)
    for i, line in enumerate(grid):
        for j, drawn in enumerate(line):
            axes = _axes(figure, 0.35 + j * across, 0.1 + i * down, width, height)
            _draw(axes, drawn, rows, 0, len(drawn), steps_per_beat, steps_per_bar)
    places = [(i, j) for i in (0, len(grid) - 1) for j in (0, columns - 1)]
    for (i, j), corner in zip(places, corners, strict=True):
        left = MARGIN + (0.1 if j == 0 else 0.35 + columns * across + 0.03)
        middle = 1 - (TITLE + 0.1 + i * down + height / 2) / figure.get_figheight()
        _text(figure, left / figure.get_figwidth(), middle, corner, 13)
    _name_colours(figure, rows, in_line)
    return figure


def sweep_figure(
    grid: Sequence[Sequence[Panel]],
    rows: Rows,
    names: Sequence[str],
    heads: Sequence[str],
    title: str = "",
    note: str = "",
) -> Figure:
    """Rows of clips, each behind its name, where it has one, and each column below its head."""
    beats = max(len(clip.drawn) / clip.steps_per_beat for line in grid for clip in line)
    width, height = beats * BEAT * SMALL, rows.height * 0.5
    across, down = width + 0.14, height + 0.14
    longest = max(len(shown(name)) for name in names)
    left = 0.15 + LETTER * longest if longest else 0.0
    across_all = max(left + len(heads) * across, TITLE_LETTER * len(title), NOTE_LETTER * len(note))
    in_line, key = _keys(rows, across_all)
    first = 0.25 + NOTE * bool(note)
    figure = _figure(across_all, first + len(grid) * down + key, title, note)
    wide, high = figure.get_size_inches()
    for i, (name, line) in enumerate(zip(names, grid, strict=True)):
        top = first + i * down
        for j, (clip, head) in enumerate(zip(line, heads, strict=True)):
            x = left + j * across
            own = width * len(clip.drawn) / clip.steps_per_beat / beats
            axes = _axes(figure, x, top, own, height)
            _draw(axes, clip.drawn, rows, 0, len(clip.drawn), clip.steps_per_beat, clip.steps_per_bar)
            if i == 0:
                _text(figure, (MARGIN + x) / wide, 1 - (TITLE + first - 0.12) / high, shortened(head, LONGEST_LABEL), 9)
        _text(figure, MARGIN / wide, 1 - (TITLE + top + height / 2) / high, shown(name), 8)
    _name_colours(figure, rows, in_line)
    return figure


def overview_figure(clips: Sequence[Panel], rows: Rows, title: str = "") -> Figure:
    """Clips of any metres and lengths in rows and columns, each under its label, about as high as wide in all."""
    beats = max(len(clip.drawn) / clip.steps_per_beat for clip in clips)
    width, height = max(0.4, beats * BEAT * 0.5), rows.height * 0.55
    across, down = width + 0.25, height + 0.35
    columns = math.ceil(math.sqrt(OVERVIEW_SHAPE * len(clips) * down / across))
    lines = math.ceil(len(clips) / columns)
    columns = math.ceil(len(clips) / lines)
    across_all = max(
        columns * across - 0.25, KEY + KEY_LETTER * max((len(shown(name)) for name, _ in rows.keys), default=0)
    )
    in_line, key = _keys(rows, across_all)
    figure = _figure(across_all, lines * down + 0.1 + key, title)
    for place, clip in enumerate(clips):
        line, column = divmod(place, columns)
        left, top = column * across, line * down + 0.2
        own = width * len(clip.drawn) / clip.steps_per_beat / beats
        axes = _axes(figure, left, top, own, height)
        _draw(axes, clip.drawn, rows, 0, len(clip.drawn), clip.steps_per_beat, clip.steps_per_bar)
        middle = 1 - (TITLE + top - 0.1) / figure.get_figheight()
        _text(figure, (MARGIN + left) / figure.get_figwidth(), middle, shortened(clip.label, LONGEST_LABEL), 8)
    _name_colours(figure, rows, in_line)
    return figure


def _keys(rows: Rows, width: float) -> tuple[int, float]:
    """How many of the colours' keys stand side by side in a figure, and the height of all of them."""
    widths = [KEY + KEY_LETTER * len(shown(name)) for name, _ in rows.keys]
    if not widths:
        return 1, 0.0
    in_line = len(widths) if sum(widths) <= width else max(1, int(width / max(widths)))
    return in_line, 0.2 * math.ceil(len(widths) / in_line)


def _name_colours(figure: Figure, rows: Rows, in_line: int) -> None:
    """What colours mean, at the bottom."""
    if not rows.keys:
        return
    keys = [Patch(facecolor=colour, label=shown(name)) for name, colour in rows.keys]
    legend = figure.legend(handles=keys, loc="lower center", ncols=in_line, frameon=False, fontsize=7.5)
    for text in legend.get_texts():
        text.set_parse_math(False)


def shown(name: str) -> str:
    """The name of a row as it is drawn: in one line of bounded length."""
    return shortened(" ".join(name.replace("_", " ").split()), LONGEST_NAME)


def _width(rows: Rows) -> float:
    """The room for the names left of their rows."""
    return max(NAMES, 0.1 + LETTER * max(len(shown(name)) for _, name in rows.names))


def _figure(width: float, height: float, title: str, note: str = "") -> Figure:
    """An empty figure with room for this content below its title; a note stands at the top of the content."""
    figure = Figure(figsize=(width + 2 * MARGIN, TITLE + height + MARGIN), facecolor="white")
    left, high = MARGIN / figure.get_figwidth(), figure.get_figheight()
    if title:
        _text(figure, left, 1 - TITLE / 2 / high, title, 11)
    if note:
        _text(figure, left, 1 - (TITLE + 0.02) / high, note, 8.5, FAINT, "normal")
    return figure


def _text(figure: Figure, x: float, y: float, text: str, size: float, colour: str = INK, weight: str = "bold") -> None:
    """Text from x on, centred on y, taken as it is: a dollar sign starts no formula."""
    figure.text(x, y, text, fontsize=size, color=colour, weight=weight, va="center").set_parse_math(False)


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


def _draw(axes: Axes, drawn: Any, rows: Rows, first: int, last: int, steps_per_beat: int, steps_per_bar: int) -> None:
    """A clip's steps from one to before another over its beats, bars and rows."""
    steps = last - first
    axes.set(xlim=(0, steps), ylim=(0, rows.count))
    for bar in range(0, steps, steps_per_bar):
        end = min(bar + steps_per_bar, steps)
        for number, beat in enumerate(range(bar, end, steps_per_beat)):
            shade = ODD_BEAT if number % 2 else EVEN_BEAT
            axes.axvspan(beat, min(beat + steps_per_beat, end), facecolor=shade, edgecolor="none", zorder=0)
    axes.hlines(rows.edges, 0, steps, color="white", linewidth=0.8, zorder=1)
    if steps_per_beat <= 6:  # lines between the steps of a finer grid would be a grey haze
        axes.vlines(range(1, steps), 0, rows.count, color="white", linewidth=0.5, zorder=1)
    rows.draw(axes, drawn, first, last, steps_per_beat)
    axes.vlines(range(0, steps + 1, steps_per_bar), 0, rows.count, color=INK, linewidth=1.1, zorder=2, clip_on=False)


def _name_rows(axes: Axes, rows: Rows, size: float) -> None:
    """The names of rows, left of them."""
    places, names = zip(*rows.names, strict=True)
    axes.set_yticks([place + 0.5 for place in places], [shown(name) for name in names], parse_math=False)
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
