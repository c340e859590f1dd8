"""An ensemble: what melody, bass and drums do on each step of a few bars."""

from dataclasses import dataclass, replace

import numpy as np

from seqvae.modalities.midi.excerpt import Excerpt
from seqvae.modalities.midi.meters import Meter
from seqvae.modalities.midi.phrase import Phrase, begun_anew, without_idle_offs
from seqvae.modalities.midi.tempo import Tempos

MELODY, BASS, DRUMS = range(3)  # the columns of its events
PARTS = ("melody", "bass", "drums")
PROGRAMS = (0, 32, 0)  # piano, acoustic bass, the standard kit
_BITS = np.arange(15)


@dataclass(frozen=True, eq=False)
class Ensemble(Excerpt):
    """Events (T, 3) int16: those of melody and bass as in a Phrase, and the drums that are hit, bit i for class i.

    `programs` are those of melody and bass, and the kit.
    """

    events: np.ndarray
    meter: Meter = (4, 4)
    steps_per_quarter: int = 4
    bpm: float = 120.0
    programs: tuple[int, ...] = PROGRAMS
    changes: Tempos = ()

    @property
    def steps(self) -> np.ndarray:
        """(T, 3) int16: the events."""
        return self.events

    @property
    def onsets(self) -> np.ndarray:
        """(T,) int64: how many notes and hits begin."""
        notes = (self.events[:, :DRUMS] >= 0).sum(1)
        total: np.ndarray = notes + (self.events[:, DRUMS, None] >> _BITS & 1).sum(1)
        return total

    @property
    def program(self) -> tuple[int, ...]:
        """Those of melody and bass, and the kit."""
        return self.programs

    def voice(self, part: int) -> Phrase:
        """The phrase of melody or bass."""
        return Phrase(
            self.events[:, part], self.meter, self.steps_per_quarter, self.bpm, self.programs[part], self.changes
        )

    def hits(self, classes: int) -> np.ndarray:
        """(T, C) bool: the drums that are hit."""
        found: np.ndarray = (self.events[:, DRUMS, None] >> np.arange(classes) & 1).astype(bool)
        return found

    def with_steps(self, steps: np.ndarray) -> "Ensemble":
        """The same with other events."""
        return replace(self, events=steps)

    def with_program(self, program: tuple[int, ...]) -> "Ensemble":
        """The same with other programs."""
        return replace(self, programs=program)

    def filled(self, length: int) -> "Ensemble":
        """The same, followed by silence up to this length."""
        missing = length - len(self.events)
        if missing <= 0:
            return self
        melody, bass = (self.voice(part).filled(length).events for part in (MELODY, BASS))
        return self.with_steps(joined(melody, bass, np.pad(self.events[:, DRUMS], (0, missing))))

    def taken(self, first: int, last: int) -> "Ensemble":
        """The events from one step to before another; a note that began before is not heard, as in MusicVAE."""
        events = self.events[first:last].copy()
        for part in (MELODY, BASS):
            events[:, part] = begun_anew(events[:, part])
        return Ensemble(events, self.meter, self.steps_per_quarter, self.bpm, self.programs, self.changes)

    def alone(self) -> "Ensemble":
        """The same, ending what sounds before it where a voice begins with silence."""
        melody, bass = (self.voice(part).alone().events for part in (MELODY, BASS))
        return self.with_steps(joined(melody, bass, self.events[:, DRUMS]))


def joined(melody: np.ndarray, bass: np.ndarray, drums: np.ndarray) -> np.ndarray:
    """The events (T,) of the three parts as those (T, 3) of an ensemble."""
    return np.stack([melody, bass, drums], 1).astype(np.int16)


def without_idle(events: np.ndarray) -> np.ndarray:
    """Events (T, 3) whose OFFs all end something; the others are HOLD."""
    melody, bass = (without_idle_offs(events[:, part]) for part in (MELODY, BASS))
    return joined(melody, bass, events[:, DRUMS])
