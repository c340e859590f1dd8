"""Phrases as notes of a track, sound and pictures."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from seqvae.modalities.midi.chords import pitches
from seqvae.modalities.midi.meters import steps_per_bar
from seqvae.modalities.midi.notation import VELOCITY, Sounding, Track
from seqvae.modalities.midi.phrase import Phrase
from seqvae.modalities.midi.voices import TRACK_NAME

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI

    from seqvae.view.grids import Rows
    from seqvae.view.piano_rolls import Roll

STRINGS, SOFT, LOWEST_ROOT = 48, 45, 48  # of chords: General MIDI's program, their velocity, and C3


@dataclass(frozen=True)
class MelodyNotation:
    """Phrases, each note of which is written as long as it sounds, in a track of a name.

    One that `plays_chords` has a second track, of the chords that the phrases are played to.
    """

    name: str = TRACK_NAME
    plays_chords: bool = False

    @property
    def notes(self) -> str:
        """Notes."""
        return "notes"

    def check(self, item: Phrase) -> None:
        """Raises ValueError for events of another shape, of no step, or that are no pitches."""
        if item.events.ndim != 1 or not len(item.events) or not -2 <= item.events.min() <= item.events.max() <= 127:
            raise ValueError(
                f"events of shape {item.events.shape} are no steps of one voice; give phrases of one step or more, "
                "whose events are pitches from 0 to 127, -1 (off) or -2 (hold)"
            )

    def tracks(self, first: Phrase) -> "list[Track[Phrase]]":
        """A track with the program of the first phrase, and one of soft strings for chords."""
        from pretty_midi import Instrument

        found: list[Track[Phrase]] = [(Instrument(program=int(first.program), name=self.name), self.sounding)]
        if self.plays_chords and first.chords is not None:
            found.append((Instrument(program=STRINGS, name="Chords"), self.chords_sounding))
        return found

    def sounding(self, item: Phrase) -> Iterator[Sounding]:
        """The notes of a phrase."""
        for first, last, pitch in item.notes.tolist():
            yield first, last, pitch, VELOCITY

    def chords_sounding(self, item: Phrase) -> Iterator[Sounding]:
        """The three notes of each chord, from its root between C3 and B3 up; they are struck again in each bar."""
        chords = np.zeros(len(item), np.int16) if item.chords is None else item.chords
        bar = steps_per_bar(item.meter, item.steps_per_quarter)
        starts = np.flatnonzero((np.diff(chords, prepend=-1) != 0) | (np.arange(len(chords)) % bar == 0)).tolist()
        for first, last in itertools.pairwise([*starts, len(chords)]):
            for pitch in pitches(int(chords[first]), LOWEST_ROOT):
                yield first, last, pitch, SOFT

    def heard(self, items: Sequence[Phrase]) -> "MelodyNotation":
        """The same with the chords, where some phrase has one; they are played nowhere but in sound."""
        return replace(self, plays_chords=any(item.chords is not None and item.chords.any() for item in items))

    def sound(self, midi: "PrettyMIDI", seconds: float, loop: bool) -> np.ndarray:
        """A plucked string's samples."""
        from seqvae.view.plucked import pluck

        notes = [(note.start, note.end, note.pitch, note.velocity) for one in midi.instruments for note in one.notes]
        return pluck(notes, seconds=seconds, loop=loop)

    def drawn(self, item: Phrase) -> "Roll":
        """The notes as a piano roll, under the chord symbols."""
        from seqvae.view.piano_rolls import Roll

        return Roll(len(item), item.notes, *type(item).texts_of([item]))

    def rows(self, drawn: "Sequence[Roll]") -> "Rows":
        """A row for each semitone."""
        from seqvae.view.piano_rolls import PitchRows

        return PitchRows(drawn)
