"""Melodies in pictures: one row a semitone, a box for each note as long as it sounds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

NOTE, ATTACK = "#2f6f9f", "#173f5f"
SHADED, BLACK_KEYS = "#d3d7df", (1, 3, 6, 8, 10)  # rows of the black keys are darker
LETTERS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
ROW = 0.085  # inches
LEAST_ROWS = 12
MOST_ROWS = 30  # of this height; of more, each is as much lower
NAMED = (0, 7)  # C and G


@dataclass(frozen=True)
class Roll:
    """Notes (N, 3) of so many steps: the step on which each begins, the step before which it ends, its pitch."""

    steps: int
    notes: np.ndarray

    def __len__(self) -> int:
        return self.steps


def pitch_name(pitch: int) -> str:
    """A pitch as musicians write it.

    >>> pitch_name(60), pitch_name(70)
    ('C4', 'A#4')
    """
    return f"{LETTERS[pitch % 12]}{pitch // 12 - 1}"


class PitchRows:
    """A row for each semitone from the lowest to the highest note of some rolls, an octave at least."""

    def __init__(self, rolls: Sequence[Roll]) -> None:
        pitches = np.concatenate([roll.notes[:, 2] for roll in rolls])
        low, high = (int(pitches.min()), int(pitches.max())) if len(pitches) else (60, 71)
        missing = max(2, LEAST_ROWS - (high - low + 1))
        self._low = max(0, low - missing // 2)
        self._high = min(127, self._low + high - low + missing)

    @property
    def count(self) -> int:
        """How many semitones they are."""
        return self._high - self._low + 1

    @property
    def height(self) -> float:
        """In inches."""
        return min(self.count, MOST_ROWS) * ROW

    @property
    def edges(self) -> Sequence[float]:
        """Between all rows, or where these are low, between octaves."""
        return [row for row in range(1, self.count) if self.count <= MOST_ROWS or not (row + self._low) % 12]

    @property
    def names(self) -> list[tuple[int, str]]:
        """The names of each C and G."""
        return [(p - self._low, pitch_name(p)) for p in range(self._low, self._high + 1) if p % 12 in NAMED]

    @property
    def keys(self) -> list[tuple[str, str]]:
        """None: every note has the same colour."""
        return []

    def draw(self, axes: Axes, drawn: Roll, first: int, last: int, steps_per_beat: int) -> None:
        """A box for each note that sounds within these steps, with a dark edge where it begins."""
        for row in range(self.count):
            if (row + self._low) % 12 in BLACK_KEYS:
                axes.axhspan(row, row + 1, facecolor=SHADED, alpha=0.55, edgecolor="none", zorder=0.5)
        edge = max(0.22, steps_per_beat / 24)
        boxes, colours = [], []
        for start, end, pitch in drawn.notes.tolist():
            if end <= first or start >= last:
                continue
            left, right, low = max(start, first) - first, min(end, last) - first, pitch - self._low + 0.08
            spans = [(left + 0.06, right - 0.06, NOTE)]
            if start >= first:
                spans.append((left + 0.06, left + 0.06 + edge, ATTACK))
            for a, b, colour in spans:
                boxes.append([(a, low), (b, low), (b, low + 0.84), (a, low + 0.84)])
                colours.append(colour)
        axes.add_collection(PolyCollection(boxes, facecolors=colours, linewidths=0, zorder=3), autolim=False)
