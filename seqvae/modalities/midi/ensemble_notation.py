"""Ensembles as notes of three tracks, sound and pictures: each part as what writes its own kind does it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seqvae.modalities.midi.classes import DrumClasses
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.drum_notation import DrumNotation
from seqvae.modalities.midi.ensemble import BASS, DRUMS, MELODY, Ensemble
from seqvae.modalities.midi.ensemble_part import TRACKS
from seqvae.modalities.midi.melody_notation import MelodyNotation
from seqvae.modalities.midi.notation import Sounding, Track

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI

    from seqvae.view.grids import Rows
    from seqvae.view.score_rows import Drawn


@dataclass(frozen=True)
class EnsembleNotation:
    """Ensembles with drums of these classes."""

    classes: DrumClasses

    @property
    def notes(self) -> str:
        """Notes, hits included."""
        return "notes"

    @property
    def _kit(self) -> DrumNotation:
        return DrumNotation(self.classes)

    def check(self, item: Ensemble) -> None:
        """Raises ValueError for events of another shape, of no step, or that are no pitches or sets of classes."""
        events = item.events
        if events.ndim != 2 or events.shape[1] != 3 or not len(events):
            raise ValueError(
                f"events of shape {events.shape} are no steps of melody, bass and drums; give ensembles of one step or "
                "more, with three events a step"
            )
        for part in (MELODY, BASS):
            MelodyNotation().check(item.voice(part))
        drums = events[:, DRUMS]
        if not 0 <= drums.min() <= drums.max() < 1 << len(self.classes):
            raise ValueError(
                f"sets of drums from {drums.min()} to {drums.max()} are not those of {len(self.classes)} drum classes; "
                "give ensembles with the class map that they were made with"
            )

    def tracks(self, first: Ensemble) -> list[Track[Ensemble]]:
        """The tracks of melody and bass, with the programs of the first ensemble, and of drums with its kit."""
        found: list[Track[Ensemble]] = []
        for part in (MELODY, BASS):
            notation = MelodyNotation(TRACKS[part])
            ((track, _),) = notation.tracks(first.voice(part))
            found.append((track, self._of_voice(notation, part)))
        ((track, _),) = self._kit.tracks(self.clip(first))
        return [*found, (track, lambda item: self._kit.sounding(self.clip(item)))]

    def _of_voice(self, notation: MelodyNotation, part: int) -> Callable[[Ensemble], Iterable[Sounding]]:
        return lambda item: notation.sounding(item.voice(part))

    def clip(self, item: Ensemble) -> Clip:
        """The drums of an ensemble."""
        hits = item.hits(len(self.classes))
        return Clip(hits, item.meter, item.steps_per_quarter, item.bpm, item.programs[DRUMS], item.changes)

    def heard(self, items: Sequence[Ensemble]) -> "EnsembleNotation":
        """All that is written, and no more."""
        return self

    def sound(self, midi: "PrettyMIDI", seconds: float, loop: bool) -> np.ndarray:
        """Plucked strings and the drum synthesizer together."""
        from seqvae.view import audio
        from seqvae.view.plucked import pluck

        strings = [
            (note.start, note.end, note.pitch, note.velocity)
            for track in midi.instruments
            for note in track.notes
            if not track.is_drum
        ]
        hits = [
            (note.start, note.pitch, note.velocity)
            for track in midi.instruments
            for note in track.notes
            if track.is_drum
        ]
        return audio.together(
            [pluck(strings, seconds=seconds, loop=loop), audio.render(hits, seconds=seconds, loop=loop)]
        )

    def drawn(self, item: Ensemble) -> "Drawn":
        """Melody and bass as piano rolls, above the hits."""
        from seqvae.view.score_rows import Drawn

        rolls = [MelodyNotation().drawn(item.voice(part)) for part in (MELODY, BASS)]
        return Drawn((item.hits(len(self.classes)), rolls[BASS], rolls[MELODY]))

    def rows(self, drawn: "Sequence[Drawn]") -> "Rows":
        """The rows of the drums, of the bass and of the melody, from the bottom."""
        from seqvae.view.score_rows import ScoreRows

        of_drums, *voices = ([own.bands[band] for own in drawn] for band in range(3))
        return ScoreRows([self._kit.rows(of_drums), *(MelodyNotation().rows(own) for own in voices)], TRACKS[::-1])
