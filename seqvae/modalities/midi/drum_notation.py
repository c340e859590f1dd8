"""Drum clips as notes of a drum track, sound and pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seqvae.modalities.midi.classes import DrumClasses
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.notation import VELOCITY, Sounding, Track

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI

    from seqvae.view.grids import Rows


@dataclass(frozen=True)
class DrumNotation:
    """Clips of these classes, each of which is written by its first pitch."""

    classes: DrumClasses

    @property
    def notes(self) -> str:
        """Hits."""
        return "hits"

    def check(self, item: Clip) -> None:
        """Raises ValueError for hits of other classes, or of no step."""
        if item.hits.ndim != 2 or not len(item.hits) or item.hits.shape[1] != len(self.classes):
            raise ValueError(
                f"hits of shape {item.hits.shape} are not steps of {len(self.classes)} drum classes; give clips of one "
                "step or more, with the class map that they were made with"
            )

    def tracks(self, first: Clip) -> "list[Track[Clip]]":
        """A drum track with the kit of the first clip."""
        from pretty_midi import Instrument

        return [(Instrument(program=int(first.kit), is_drum=True, name="Drums"), self.sounding)]

    def sounding(self, item: Clip) -> Iterator[Sounding]:
        """A note of a step for each hit; no grid has steps of more than a 16th."""
        for step, index in np.argwhere(item.hits).tolist():
            yield step, step + 1, self.classes.pitches[index][0], VELOCITY

    def heard(self, items: Sequence[Clip]) -> "DrumNotation":
        """All that is written, and no more."""
        return self

    def sound(self, midi: "PrettyMIDI", seconds: float, loop: bool) -> np.ndarray:
        """The drum synthesizer's samples."""
        from seqvae.view import audio

        hits = [(note.start, note.pitch, note.velocity) for drums in midi.instruments for note in drums.notes]
        return audio.render(hits, seconds=seconds, loop=loop)

    def drawn(self, item: Clip) -> np.ndarray:
        """The hits."""
        return item.hits

    def rows(self, drawn: Sequence[np.ndarray]) -> "Rows":
        """A row for each class."""
        from seqvae.view.drum_grids import DrumRows

        return DrumRows(drawn, self.classes.names)
