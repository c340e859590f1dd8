"""Melodies in pictures: one row a semitone, a box for each note as long as it sounds, chord symbols above them."""

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
BAND = 3  # rows of this height above the notes for words, where there are any
WORD, FAINT_WORD, LARGEST_WORD = "#22252b", "#8a8f99", 8.5  # points
LETTER_WIDTH = 0.7  # of the size of a word, about
NO_CHORD = "N.C."


@dataclass(frozen=True)
class Roll:
    """Notes (N, 3) of so many steps: the step on which each begins, the step before which it ends, its pitch.

    `words`, such as chord symbols, stand above them: the step of each and it, in order, each until the next one.
    """

    steps: int
    notes: np.ndarray
    words: Sequence[tuple[int, str]] = ()

    def __len__(self) -> int:
        return self.steps


def pitch_name(pitch: int) -> str:
    """A pitch as musicians write it.

    >>> pitch_name(60), pitch_name(70)
    ('C4', 'A#4')
    """
    return f"{LETTERS[pitch % 12]}{pitch // 12 - 1}"


class PitchRows:
    """A row for each semitone from the lowest to the highest note of some rolls, an octave at least.

    Where one of the rolls has words, there is a white band for them above.
    """

    def __init__(self, rolls: Sequence[Roll]) -> None:
        pitches = np.concatenate([roll.notes[:, 2] for roll in rolls])
        low, high = (int(pitches.min()), int(pitches.max())) if len(pitches) else (60, 71)
        missing = max(2, LEAST_ROWS - (high - low + 1))
        self._low = max(0, low - missing // 2)
        self._high = min(127, self._low + high - low + missing)
        lower = max(1.0, self._pitches / (MOST_ROWS - BAND))  # how many times the rows are lower
        self._band = round(BAND * lower) if any(roll.words for roll in rolls) else 0

    @property
    def count(self) -> int:
        """How many semitones they are, and rows of the band."""
        return self._pitches + self._band

    @property
    def _pitches(self) -> int:
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
        for row in range(self._pitches):
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
        if self._band:
            self._draw_words(axes, words_within(drawn.words, first, last), last - first)

    def _draw_words(self, axes: Axes, words: Sequence[tuple[int, str]], steps: int) -> None:
        """The words in their band, each smaller where it would run into the next one."""
        axes.axhspan(self._pitches, self.count, facecolor="white", edgecolor="none", zorder=1.5)
        whole = axes.get_window_extent()
        width, height = (side * 72 / axes.figure.dpi for side in (whole.width, whole.height))  # in points
        size = min(LARGEST_WORD, 0.7 * height * self._band / self.count)
        ends = [step for step, _ in words[1:]] + [steps] * bool(words)
        for (step, word), end in zip(words, ends, strict=True):
            own = min(size, width * (end - step) / steps / (len(word) + 1) / LETTER_WIDTH)
            colour = FAINT_WORD if word == NO_CHORD else WORD
            at = step + 0.4 * own / width * steps, self._pitches + 0.42 * self._band
            text = axes.text(*at, word, fontsize=own, color=colour, va="center", zorder=4)
            text.set_parse_math(False)


def words_within(words: Sequence[tuple[int, str]], first: int, last: int) -> list[tuple[int, str]]:
    """Words from one step to before another, counted from the first, on which the one stands that goes on there.

    >>> words_within([(0, "C"), (8, "G"), (16, "Am")], 10, 20)
    [(0, 'G'), (6, 'Am')]
    """
    before = [word for step, word in words if step <= first][-1:]
    return [(0, word) for word in before] + [(step - first, word) for step, word in words if first < step < last]
