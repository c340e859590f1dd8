"""Notes of a file to one voice: the highest or the lowest, that of a track, or of tracks of a name."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seqvae.modalities.midi.excerpt import Stretch, most_frequent
from seqvae.modalities.midi.grid import Segment
from seqvae.modalities.midi.notes import DRUM_CHANNEL, Notes
from seqvae.modalities.midi.part import PartWords, Taken
from seqvae.modalities.midi.phrase import HOLD, OFF, Phrase

EXTREMES = ("highest", "lowest")
DRUMS = "drums"  # what all notes of drums are called together
TRACK_NAME = "Melody"  # of what is written
OVERLAP = 4  # to the quarter: a note that sounds on for less into the next one is played legato
TRACK = re.compile(r"track\s*#?(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Line:
    """The notes of one channel of one track, drums excepted: its number, from 1 in the order of the file, and name."""

    number: int
    name: str
    notes: np.ndarray  # (M,) bool of all notes of the file

    def __str__(self) -> str:
        return f"{self.number} {self.name}".strip()

    def is_called(self, voice: str) -> bool:
        """Whether it is the voice `track N` of its number, or has that name."""
        number = track_number(voice)
        return self.name.casefold() == voice.strip().casefold() if number is None else self.number == number


def track_number(voice: str) -> int | None:
    """The number N of a voice `track N`; None for any other."""
    match = TRACK.fullmatch(voice.strip())
    return int(match[1]) if match else None


def lines_of(notes: Notes) -> Iterator[Line]:
    """The lines of a file that have notes, by track and then by channel; those of a file of format 0 by channel."""
    key = notes.track << 4 | notes.channel
    melodic = notes.channel != DRUM_CHANNEL
    for number, each in enumerate(np.unique(key[melodic]).tolist(), 1):
        yield Line(number, notes.names.get(each >> 4, ""), key == each)


@dataclass(frozen=True)
class VoicePart:
    """One voice of a file, pitches from `lowest_pitch` to `highest_pitch`; drums are left out.

    `voice` is `highest` or `lowest`, of all tracks; `track N`, counted from 1 among those that have notes (a track
    that holds several channels counts once for each), whatever tracks are called; or the name of one or several tracks,
    large and small letters being the same.

    Of notes that begin at once, or on one step of the grid, the highest is heard (of the lowest voice: the lowest), and
    a note ends where the next one begins: so does MusicVAE (Roberts et al. 2018, Magenta's melodies) read a track.
    In all tracks together the highest voice is what sounds above all others: a lower note is left out while a higher
    one is heard, unless that is played legato into it, that is for no more than a sixteenth and not to its end.
    MusicVAE, which takes the tracks one by one, has nothing of that kind.

    A note lasts for a step or more, up to the step nearest to its end. One that is struck again while it sounds begins
    anew, without a note-off between. Windows stand alone: in the one where a note begins it ends with the last step,
    and in the next one it is not heard (no pitch, and no note-off either), as in MusicVAE.
    """

    voice: str = "highest"
    lowest_pitch: int = 21
    highest_pitch: int = 108

    @property
    def words(self) -> PartWords:
        """How to speak of notes."""
        number, range_ = track_number(self.voice), f"from {self.lowest_pitch} to {self.highest_pitch}"
        named = "" if self.voice in EXTREMES else f"track {number}" if number else f"a track called {self.voice}"
        return PartWords(
            notes="notes",
            channel=named or "any track but drums",
            holder="voice",
            held=range_,
            outside=f"of pitches not {range_}",
            places="tracks",
            map=f"the range {range_}",
            other_channel="pass one of these as data.voice='track N' or data.voice=NAME"
            if named
            else "give other files",
            other_map="pass another data.lowest_pitch or data.highest_pitch",
            wanted="files with a melody",
            foreign=DRUMS,
            hidden=f"hidden by a {'lower' if self.voice == 'lowest' else 'higher'} one",
            close="grace notes",
        )

    @property
    def is_extreme(self) -> bool:
        """Whether it is the highest or lowest voice of all tracks."""
        return self.voice in EXTREMES

    def take(self, notes: Notes) -> Taken:
        """The notes that are heard of the voice."""
        return self.take_of(notes, self.chosen(notes))

    def take_of(self, notes: Notes, chosen: np.ndarray) -> Taken:
        """The notes that are heard of those (M,) bool, whatever track they are of."""
        held = chosen & (notes.pitch >= self.lowest_pitch) & (notes.pitch <= self.highest_pitch)
        places = np.flatnonzero(held)
        heard = self._heard(notes, places)
        unheld = Counter(notes.pitch[chosen & ~held].tolist())
        voices = np.zeros(len(notes), np.int64)
        return Taken(heard, int(np.count_nonzero(chosen)), unheld, voices, len(places) - len(heard))

    def of_piece(self, notes: Notes) -> "VoicePart":
        """The same, or the only track of a piece that has the name under which melodies are written."""
        if self.is_extreme or self.chosen(notes).any():
            return self
        lines = list(lines_of(notes))
        written = len(lines) == 1 and lines[0].name == TRACK_NAME
        return VoicePart(TRACK_NAME, self.lowest_pitch, self.highest_pitch) if written else self

    def where(self, notes: Notes) -> Counter[str]:
        """The notes of each track, and of drums."""
        found = Counter({str(line): int(np.count_nonzero(line.notes)) for line in lines_of(notes)})
        drums = int(np.count_nonzero(notes.channel == DRUM_CHANNEL))
        return found + Counter({DRUMS: drums})

    def ways(self, segment: Segment, taken: Taken) -> list[Stretch[Phrase]]:
        """The bars of a segment, in the only way."""
        return [self.lay(segment)]

    def lay(self, segment: Segment) -> Stretch[Phrase]:
        """The voice of a segment on the grid, with the program that most of its notes have."""
        bar, grid = segment.steps_of_bar, segment.steps_per_quarter
        length = segment.bars * bar
        order = np.lexsort((self._height(segment.pitch), segment.step))
        step = segment.step[order]
        last = order[np.append(step[1:] != step[:-1], True)[: len(step)]]  # of those on a step the one that is heard
        start = segment.step[last]
        end = np.maximum(start + 1, np.floor(segment.end[last] + 0.5).astype(np.int64))
        following = np.append(start[1:], length)[: len(start)]
        events = np.full(length, HOLD, np.int16)
        events[end[end < following]] = OFF
        events[start] = segment.pitch[last]
        counts = np.bincount(segment.step // bar, minlength=segment.bars)
        program = most_frequent(segment.program[last])
        whole = Phrase(events, segment.meter, grid, float(segment.bpm[0]), program, segment.tempo_changes)
        return Stretch(whole, counts, segment.bpm, keeps_silence=False)

    def digest(self, item: Phrase) -> bytes:
        """The digest of the phrase's events."""
        return item.digest

    def _height(self, pitch: np.ndarray) -> np.ndarray:
        """Pitches, or their negatives, so that the one that is heard is the largest."""
        return -pitch if self.voice == "lowest" else pitch

    def chosen(self, notes: Notes) -> np.ndarray:
        """(M,) bool: the notes of the tracks that are read."""
        if self.voice in EXTREMES:
            return notes.channel != DRUM_CHANNEL
        chosen = np.zeros(len(notes), bool)
        for line in lines_of(notes):
            if line.is_called(self.voice):
                chosen |= line.notes
        return chosen

    def _heard(self, notes: Notes, places: np.ndarray) -> np.ndarray:
        """Those of the notes, by their places in order, that no other one hides."""
        tick, height, end = notes.tick[places], self._height(notes.pitch[places]), notes.end[places]
        order = np.lexsort((-end, -height, tick))
        covers, overlap = self.voice in EXTREMES, notes.ticks_per_quarter / OVERLAP
        kept, last, top, until = list[int](), -1, 0, -1  # of the note that sounds
        for place, at, own, over in zip(*(x[order].tolist() for x in (places, tick, height, end)), strict=True):
            if at == last or (covers and own < top and until > at and (until >= over or until > at + overlap)):
                continue
            kept.append(place)
            last, top, until = at, own, over
        return np.array(kept, dtype=np.int64)
