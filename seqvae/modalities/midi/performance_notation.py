"""Performances as notes of a drum track, sound and pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seqvae.modalities.midi.classes import DrumClasses
from seqvae.modalities.midi.drum_notation import DrumNotation
from seqvae.modalities.midi.notation import Sounding, Track
from seqvae.modalities.midi.performance import LOUDEST, MOST_PLACES, Performance
from seqvae.modalities.midi.writing import TICKS_PER_QUARTER

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI

    from seqvae.view.grids import Rows


@dataclass(frozen=True)
class PerformanceNotation:
    """Performances of these classes, written as clips are, with the velocity and time of each hit."""

    classes: DrumClasses

    @property
    def notes(self) -> str:
        """Hits."""
        return "hits"

    def check(self, item: Performance) -> None:
        """Raises ValueError for steps of other classes, of none, or numbers that are no velocities and places."""
        played, classes = item.played, len(self.classes)
        if played.ndim != 3 or not len(played) or played.shape[1:] != (classes, 2):
            raise ValueError(
                f"an array of shape {played.shape} is no steps of {classes} drum classes with velocity and place; give "
                "performances of one step or more, with the class map that they were made with"
            )
        least, most = played.min((0, 1)), played.max((0, 1))
        possible = np.array([[0, -MOST_PLACES], [LOUDEST, MOST_PLACES]])
        if played.dtype.kind not in "iu" or (least < possible[0]).any() or (most > possible[1]).any():
            raise ValueError(
                f"velocities from {least[0]} to {most[0]} and places from {least[1]} to {most[1]} ({played.dtype}) are "
                f"not possible; give velocities from 0 (no hit) to {LOUDEST} and places from -{MOST_PLACES} to "
                f"{MOST_PLACES}, all whole numbers"
            )

    def tracks(self, first: Performance) -> "list[Track[Performance]]":
        """A drum track with the kit of the first performance."""
        return [(track, self.sounding) for track, _ in DrumNotation(self.classes).tracks(first.clip)]

    def sounding(self, item: Performance) -> Iterator[Sounding]:
        """A note of a step for each hit. The last place of a step may be no tick of its own: it is that before."""
        latest = 0.5 - item.steps_per_quarter / TICKS_PER_QUARTER
        starts = np.minimum(item.offsets, latest) + np.arange(len(item))[:, None]
        for step, index in np.argwhere(item.hits).tolist():
            start = float(starts[step, index])
            yield start, start + 1, self.classes.pitches[index][0], int(item.velocities[step, index])

    def heard(self, items: Sequence[Performance]) -> "PerformanceNotation":
        """All that is written, and no more."""
        return self

    def sound(self, midi: "PrettyMIDI", seconds: float, loop: bool) -> np.ndarray:
        """The drum synthesizer's samples."""
        return DrumNotation(self.classes).sound(midi, seconds, loop)

    def drawn(self, item: Performance) -> np.ndarray:
        """(T, C, 2) float64: how loud each hit is, 0 to 1, and how many steps late."""
        return np.stack([item.velocities / 127, item.offsets], 2)

    def rows(self, drawn: Sequence[np.ndarray]) -> "Rows":
        """A row for each class."""
        from seqvae.view.drum_grids import DrumRows

        return DrumRows(drawn, self.classes.names)
