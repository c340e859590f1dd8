"""A phrase: what a single voice does on each step of a few bars."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from seqvae.modalities.midi.chords import TONES, symbols_of
from seqvae.modalities.midi.excerpt import Excerpt
from seqvae.modalities.midi.meters import Meter, steps_per_bar
from seqvae.modalities.midi.tempo import Tempos

HOLD, OFF = -2, -1  # nothing happens: what sounds sounds on, and silence lasts; what sounds ends. Else a pitch begins
PITCHES_FROM = 2  # labels below are hold (0) and off (1), as in MusicVAE


@dataclass(frozen=True, eq=False)
class Phrase(Excerpt):
    """Events (T,) int16: on each step a pitch that begins, OFF or HOLD; and what it takes to write them as MIDI.

    Every phrase stands alone: nothing sounds before its first pitch, and what sounds at its end ends there. A pitch
    that begins while it sounds is struck again. Where the phrase has `chords` (T,) int16 they are what it is played to,
    labels of `seqvae.modalities.midi.chords`; they are no notes of it. `bars_before` of its file come before it.
    """

    events: np.ndarray
    meter: Meter = (4, 4)
    steps_per_quarter: int = 4
    bpm: float = 120.0
    program: int = 0
    changes: Tempos = ()
    chords: np.ndarray | None = None
    bars_before: int = 0

    @property
    def steps(self) -> np.ndarray:
        """(T,) int16, the events; or with the chords beside them, (T, 2) int16."""
        return self.events if self.chords is None else np.stack([self.events, self.chords], 1)

    @classmethod
    def texts_of(cls, items: "Sequence[Phrase]") -> list[list[tuple[int, str]]]:
        """The chord symbols, each on the step where its chord begins, those of all items spelled together."""
        return symbols_of([np.zeros(0, np.int16) if item.chords is None else item.chords for item in items])

    @property
    def lacks(self) -> str:
        """A chord, where its chords are known and none of them is one."""
        return "a chord" if self.chords is not None and not self.chords.any() else ""

    @property
    def onsets(self) -> np.ndarray:
        """(T,) int64: 1 where a pitch begins."""
        return (self.events >= 0).astype(np.int64)

    @property
    def notes(self) -> np.ndarray:
        """(N, 3) int64: the step on which each note begins, the step before which it ends, its pitch."""
        places = np.flatnonzero(self.events != HOLD)
        ends = np.append(places[1:], len(self.events))[: len(places)]
        sounds = self.events[places] >= 0
        return np.stack([places, ends, self.events[places]], 1)[sounds].astype(np.int64)

    def with_steps(self, steps: np.ndarray) -> "Phrase":
        """The same with other events (T,) to no chords, or with other events and chords (T, 2)."""
        events, chords = (steps, None) if steps.ndim == 1 else (steps[:, 0], steps[:, 1])
        return replace(self, events=events, chords=chords)

    def with_events(self, events: np.ndarray) -> "Phrase":
        """The same with other events (T,), as many as there are, to the same chords."""
        return replace(self, events=events)

    def with_chords(self, chords: np.ndarray) -> "Phrase":
        """The same to other chords (T,)."""
        return replace(self, chords=chords.astype(np.int16))

    def with_program(self, program: int) -> "Phrase":
        """The same with another program."""
        return replace(self, program=program)

    def filled(self, length: int) -> "Phrase":
        """The same, followed by silence up to this length, to no chord."""
        missing = length - len(self.events)
        if missing <= 0:
            return self
        silence = np.full(missing, HOLD, self.events.dtype)
        silence[0] = OFF
        chords = None if self.chords is None else np.pad(self.chords, (0, missing))
        return replace(self, events=without_idle_offs(np.concatenate([self.events, silence])), chords=chords)

    def taken(self, first: int, last: int) -> "Phrase":
        """The events from one step to before another; a note that began before is not heard, as in MusicVAE."""
        chords = None if self.chords is None else self.chords[first:last]
        before = self.bars_before + first // steps_per_bar(self.meter, self.steps_per_quarter)
        events = begun_anew(self.events[first:last])
        return Phrase(events, self.meter, self.steps_per_quarter, self.bpm, self.program, self.changes, chords, before)

    def alone(self) -> "Phrase":
        """The same, ending what sounds before it where it begins with silence."""
        if not len(self.events) or self.events[0] != HOLD:
            return self
        events = self.events.copy()
        events[0] = OFF
        return self.with_events(events)


def labels_of(events: np.ndarray, lowest: int, highest: int) -> np.ndarray:
    """Events (T,) as labels, uint16: 0 is HOLD, 1 OFF, and 2 onwards the pitches from the lowest (MusicVAE's).

    Raises ValueError for pitches that are outside.

    >>> labels_of(np.array([OFF, 60, HOLD]), 60, 71).tolist()
    [1, 2, 0]
    """
    pitches = events[events >= 0]
    if len(pitches) and not lowest <= pitches.min() <= pitches.max() <= highest:
        raise ValueError(
            f"a phrase with pitches from {pitches.min()} to {pitches.max()} does not fit; give pitches from {lowest} "
            f"to {highest}"
        )
    return np.where(events < 0, events + PITCHES_FROM, events - lowest + PITCHES_FROM).astype(np.uint16)


def events_of(labels: np.ndarray, lowest: int) -> np.ndarray:
    """Labels (T,) as events, int16; an OFF that ends nothing is a HOLD."""
    labels = labels.astype(np.int16)
    events = np.where(labels < PITCHES_FROM, labels - PITCHES_FROM, labels + lowest - PITCHES_FROM)
    return without_idle_offs(events.astype(np.int16))


def f1_of_notes(truth: Sequence[Phrase], guess: Sequence[Phrase]) -> float | None:
    """The F1, 0 to 1, of notes that begin on the same step at the same pitch; None where none begins."""
    right = notes = 0
    for one, other in zip(truth, guess, strict=True):
        right += int(((one.events == other.events) & (one.events >= 0)).sum())
        notes += int(one.onsets.sum() + other.onsets.sum())
    return 2 * right / notes if notes else None


def share_of_chord_tones(phrases: Sequence[Phrase]) -> float | None:
    """The share, 0 to 1, of notes that are of the triad on which they begin, of those that begin on one; None of none.

    >>> events, chords = np.array([60, 62, 64, HOLD, 65]), np.array([1, 1, 22, 22, 0])
    >>> share_of_chord_tones([Phrase(events, chords=chords)])  # C on C, D on C, E on Am, F on no chord
    0.6666666666666666
    """
    inside = notes = 0
    for phrase in phrases:
        starts, pitches = phrase.notes[:, 0], phrase.notes[:, 2]
        own = np.zeros(len(starts), np.int64) if phrase.chords is None else phrase.chords[starts]
        inside += int(TONES[own, pitches % 12].sum())
        notes += int((own > 0).sum())
    return inside / notes if notes else None


def begun_anew(events: np.ndarray) -> np.ndarray:
    """Events (T,) out of longer ones whose OFFs all end something: the first is HOLD where it ends what was before.

    >>> begun_anew(np.array([HOLD, OFF, 60, OFF])).tolist() == [HOLD, HOLD, 60, OFF]
    True
    """
    if len(events) and events[first := (events != HOLD).argmax()] == OFF:
        events = events.copy()
        events[first] = HOLD
    return events


def without_idle_offs(events: np.ndarray) -> np.ndarray:
    """Events (T,) whose OFFs all end something; the others, such as those before the first pitch, are HOLD.

    >>> without_idle_offs(np.array([OFF, 60, OFF, OFF, HOLD])).tolist() == [HOLD, 60, OFF, HOLD, HOLD]
    True
    """
    (places,) = (events != HOLD).nonzero()
    kinds = events[places] == OFF
    idle = kinds.copy()
    idle[1:] &= kinds[:-1]
    if not idle.any():
        return events
    events = events.copy()
    events[places[idle]] = HOLD
    return events
