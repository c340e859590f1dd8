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
SOFTEST = 0.2  # height of the softest hit by that of the loudest
MOST_ROWS = 12  # with more classes, only those that are hit get a row


class DrumRows:
    """A row for each drum class; what is drawn of a clip are its hits (T, C), or how loud and late they are (T, C, 2).

    The first of these two numbers is from 0, no hit, to 1, the second one in steps: a box is as high as its hit is
    loud, and stands where it is heard.

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
    def edges(self) -> Sequence[float]:
        """Between all rows."""
        return range(1, self.count)

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
        shown = drawn[first:last, self._rows]
        places = np.argwhere(_hits(shown))
        loud, late = shown[tuple(places.T)].T if shown.ndim == 3 else (np.ones(len(places)), np.zeros(len(places)))
        # A hit on a fine grid is drawn wider than its step, or it could not be seen.
        length = max(0.84, steps_per_beat / 7)
        lefts, tops = places[:, 0] + 0.08 + late, places[:, 1] + 0.12 + 0.76 * (SOFTEST + (1 - SOFTEST) * loud)
        boxes = [
            [(x, y + 0.12), (x + length, y + 0.12), (x + length, top), (x, top)]
            for x, y, top in zip(lefts, places[:, 1], tops, strict=True)
        ]
        colours = [_colour(self._names[row]) for row in places[:, 1]]
        hit = PolyCollection(boxes, facecolors=colours, edgecolors="white", linewidths=0.6, zorder=3)
        axes.add_collection(hit, autolim=False)


def _rows(clips: Sequence[np.ndarray], names: Sequence[str]) -> list[int]:
    """The classes that get a row, from the bottom: all of a small class map; of a large one those hit, kicks first."""
    for hits in map(_hits, clips):
        if hits.ndim != 2 or not len(hits) or hits.shape[1] != len(names):
            raise ValueError(f"hits of shape {hits.shape} are not steps of {len(names)} classes; give a name for each")
    if len(names) <= MOST_ROWS:
        return list(range(len(names)))
    shades = [*dict.fromkeys(COLOURS.values()), OTHER_COLOUR]
    kept = [row for row in range(len(names)) if any(_hits(clip)[:, row].any() for clip in clips)] or [0]
    return sorted(kept, key=lambda row: shades.index(_colour(names[row])))


def _hits(drawn: np.ndarray) -> np.ndarray:
    """(T, C): where a class is hit."""
    return drawn[..., 0] > 0 if drawn.ndim == 3 else drawn


def _colour(name: str) -> str:
    """The colour of a drum class, by its name."""
    return next((colour for word, colour in COLOURS.items() if word in name.lower().replace("_", " ")), OTHER_COLOUR)
