"""One voice of a file with its chords: the same notes as without, and a chord on each step beside them."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from seqvae.modalities.midi.chords import Progression
from seqvae.modalities.midi.excerpt import Stretch
from seqvae.modalities.midi.grid import Segment, bar_number
from seqvae.modalities.midi.harmony import Accompaniment, Asked, Harmony, symbols_of
from seqvae.modalities.midi.notes import DRUM_CHANNEL, Notes
from seqvae.modalities.midi.part import PartWords, Taken
from seqvae.modalities.midi.phrase import Phrase
from seqvae.modalities.midi.voices import VoicePart

LACKING = "chord symbols"  # what a file has none of, in reports
LENT = "to the chords asked for, having no others"  # what it is read to


@dataclass(frozen=True)
class ChordedPart:
    """A voice, and the chords that it is played to.

    Of `tracks` they are inferred (`Accompaniment`) from all notes but drums and those of the voice's own tracks or, of
    the highest or lowest voice of all tracks, but those that are heard. Where nothing else is played they are read from
    chord symbols, and where there are none either there is no chord. Of `symbols` they are read from these alone, and a
    file without any is left out.
    """

    voice: VoicePart
    chords: Literal["tracks", "symbols"]

    @property
    def otherwise(self) -> Harmony | None:
        """What gives the chords of a file that has nothing of them."""
        return None

    @property
    def words(self) -> PartWords:
        """How to speak of notes."""
        own = self.voice.words
        if self.chords == "tracks":
            return own
        symbols = (
            "chord symbols are markers, texts or lyrics of a file; training with data.chords=tracks needs none, and a "
            "trained model takes others in their place, such as data.progression='C G'"
        )
        return replace(own, lacking=symbols)

    def take(self, notes: Notes) -> Taken:
        """The notes that are heard of the voice, and what gives the chords; none of a file without symbols for them."""
        taken = self.voice.take(notes)
        symbols, strange = symbols_of(notes)
        harmony: Harmony | None = symbols or self.otherwise
        if self.chords == "tracks":
            beside = self._beside(notes, taken)
            if len(beside) or harmony is None:
                strange = Counter()
                harmony = Accompaniment(notes.pitch[beside], notes.tick[beside], notes.end[beside])
        elif harmony is None and taken.found:
            none = np.zeros(0, np.int64)
            return Taken(none, 0, Counter(), np.zeros(len(notes), np.int64), lacks=LACKING)
        return replace(taken, harmony=harmony, strange_texts=strange)

    def of_piece(self, notes: Notes) -> "ChordedPart":
        """The same, of the voice of a single piece."""
        return replace(self, voice=self.voice.of_piece(notes))

    def where(self, notes: Notes) -> Counter[str]:
        """The notes of each track, and of drums."""
        return self.voice.where(notes)

    def ways(self, segment: Segment, taken: Taken) -> list[Stretch[Phrase]]:
        """The bars of a segment with their chords, in the only way."""
        stretch, harmony = self.voice.lay(segment), taken.harmony
        assert harmony is not None
        before = bar_number(segment.notes, segment.start) - 1
        return [replace(stretch, whole=replace(stretch.whole, chords=harmony.of(segment), bars_before=before))]

    def digest(self, item: Phrase) -> bytes:
        """The digest of the phrase's events and chords."""
        return item.digest

    def _beside(self, notes: Notes, taken: Taken) -> np.ndarray:
        """The places of the notes that are played beside the voice."""
        beside = notes.channel != DRUM_CHANNEL
        beside[taken.places if self.voice.is_extreme else self.voice.chosen(notes)] = False
        return np.flatnonzero(beside)


@dataclass(frozen=True)
class AskedPart(ChordedPart):
    """The same, a progression standing for the chords of a file that has nothing of them.

    Of `tracks` that is also one whose other tracks make no triad.
    """

    asked: Progression

    @property
    def otherwise(self) -> Harmony:
        """The progression, bar after bar."""
        return Asked(self.asked)

    def ways(self, segment: Segment, taken: Taken) -> list[Stretch[Phrase]]:
        """The bars of a segment with their chords, or to the progression, in the only way."""
        harmony = taken.harmony
        if isinstance(harmony, Accompaniment) and not harmony.makes_triads(segment, taken.places):
            harmony = self.otherwise
        (stretch,) = super().ways(segment, replace(taken, harmony=harmony))
        return [replace(stretch, lent=LENT if isinstance(harmony, Asked) else "")]
