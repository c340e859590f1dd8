"""Drum clips in pictures: one row a drum class, the kick at the bottom."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

# The first word that a class name holds decides its colour; related drums have related colours.
COLOURS = {
    "kick": "#27408b", "bass drum": "#27408b", "snare": "#c8352b", "stick": "#e06c5f", "clap": "#e06c5f",
    "open hat": "#efb118", "open hi-hat": "#efb118", "hat": "#b87a0b", "low tom": "#1d7a4a",
    "low floor tom": "#1d7a4a", "mid": "#3fa66b", "high tom": "#7cc79a", "tom": "#3fa66b", "crash": "#7b3fa0",
    "splash": "#7b3fa0", "chinese": "#7b3fa0", "ride": "#2f93b5", "bell": "#2f93b5",
}  # fmt: skip
OTHER_COLOUR = "#6b7280"

ROW = 0.2  # inches
MOST_ROWS = 12  # with more classes, only those that are hit get a row


class DrumRows:
    """A row for each drum class; what is drawn of a clip are its hits (T, C).

    Of a large class map there are rows for the classes that some clip hits, kicks first. Raises ValueError for hits of
    no step, or of another number of classes than there are names.
    """

    def __init__(self, clips: Sequence[np.ndarray], names: Sequence[str]) -> None:
        self._rows = _rows(clips, names)
        self._names = [names[row] for row in self._rows]

    @property
    def count(self) -> int:
        """How many classes have a row."""
        return len(self._rows)

    @property
    def height(self) -> float:
        """In inches."""
        return self.count * ROW

    @property
    def names(self) -> list[tuple[int, str]]:
        """The names of all rows."""
        return list(enumerate(self._names))

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Each class and its colour."""
        return [(name, _colour(name)) for name in self._names]

    def draw(self, axes: Axes, drawn: np.ndarray, first: int, last: int, steps_per_beat: int) -> None:
        """A coloured box for each hit."""
        places = np.argwhere(drawn[first:last, self._rows])
        # A hit on a fine grid is drawn wider than its step, or it could not be seen.
        length = max(0.84, steps_per_beat / 7)
        boxes = [
            [(x, y + 0.12), (x + length, y + 0.12), (x + length, y + 0.88), (x, y + 0.88)]
            for x, y in places + np.array([0.08, 0.0])
        ]
        colours = [_colour(self._names[row]) for row in places[:, 1]]
        hit = PolyCollection(boxes, facecolors=colours, edgecolors="white", linewidths=0.6, zorder=3)
        axes.add_collection(hit, autolim=False)


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
