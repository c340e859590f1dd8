"""Notes of a file to one voice: the highest or the lowest, that of a track, or of tracks of a name."""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

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
    notes: np.ndarray  # (N,) int64: their places among all notes of the file, in order

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


def lines_of(notes: Notes) -> list[Line]:
    """The lines of a file that have notes, by track and then by channel; those of a file of format 0 by channel."""
    places = np.flatnonzero(notes.channel != DRUM_CHANNEL)
    key = notes.track[places] << 4 | notes.channel[places]
    order = key.argsort(kind="stable")
    places, key = places[order], key[order]
    first = np.flatnonzero(np.diff(key, prepend=-1)).tolist()  # of each line
    tracks, bounds = (key[first] >> 4).tolist(), pairwise([*first, len(key)])
    named = enumerate(zip(tracks, bounds, strict=True), 1)
    return [Line(number, notes.names.get(track, ""), places[slice(*own)]) for number, (track, own) in named]


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
        """The notes that are heard of those at some places (N,), in order, whatever track they are of."""
        pitch = notes.pitch[chosen]
        held = (pitch >= self.lowest_pitch) & (pitch <= self.highest_pitch)
        places = chosen[held]
        heard = self._heard(notes, places)
        unheld = Counter(pitch[~held].tolist())
        return Taken(heard, len(chosen), unheld, np.zeros(len(notes), np.int64), len(places) - len(heard))

    def of_piece(self, notes: Notes) -> "VoicePart":
        """The same, or the only track of a piece that has the name under which melodies are written."""
        if self.is_extreme or len(self.chosen(notes)):
            return self
        lines = lines_of(notes)
        written = len(lines) == 1 and lines[0].name == TRACK_NAME
        return VoicePart(TRACK_NAME, self.lowest_pitch, self.highest_pitch) if written else self

    def where(self, notes: Notes) -> Counter[str]:
        """The notes of each track, and of drums."""
        found = Counter({str(line): len(line.notes) for line in lines_of(notes)})
        drums = int(np.count_nonzero(notes.channel == DRUM_CHANNEL))
        return found + Counter({DRUMS: drums})

    def ways(self, segment: Segment, taken: Taken) -> list[Stretch[Phrase]]:
        """The bars of a segment, in the only way."""
        return [self.lay(segment)]

    def lay(self, segment: Segment) -> Stretch[Phrase]:
        """The voice of a segment on the grid, with the program that most of its notes have."""
        events, heard = self.events_of(segment)
        counts = np.bincount(segment.step // segment.steps_of_bar, minlength=segment.bars)
        program, bpm = most_frequent(segment.program[heard]), float(segment.bpm[0])
        whole = Phrase(events, segment.meter, segment.steps_per_quarter, bpm, program, segment.tempo_changes)
        return Stretch(whole, counts, segment.bpm, keeps_silence=False)

    def events_of(self, segment: Segment) -> tuple[np.ndarray, np.ndarray]:
        """The events (T,) of a segment, and which of its notes they are, (K,): of those on one step one is heard."""
        length = segment.bars * segment.steps_of_bar
        order = np.argsort(segment.step << 7 | self._height(segment.pitch), kind="stable")
        step = segment.step[order]
        heard = order[np.append(step[1:] != step[:-1], True)[: len(step)]]
        start = segment.step[heard]
        end = np.maximum(start + 1, np.floor(segment.end[heard] + 0.5).astype(np.int64))
        following = np.append(start[1:], length)[: len(start)]
        events = np.full(length, HOLD, np.int16)
        events[end[end < following]] = OFF
        events[start] = segment.pitch[heard]
        return events, heard

    def digest(self, item: Phrase) -> bytes:
        """The digest of the phrase's events."""
        return item.digest

    def _height(self, pitch: np.ndarray) -> np.ndarray:
        """Pitches, 0 to 127, or upside down, so that the one that is heard is the largest."""
        return 127 - pitch if self.voice == "lowest" else pitch

    def chosen(self, notes: Notes) -> np.ndarray:
        """(N,) int64: the places, in order, of the notes of the tracks that are read."""
        if self.is_extreme:
            return np.flatnonzero(notes.channel != DRUM_CHANNEL)
        own = [line.notes for line in lines_of(notes) if line.is_called(self.voice)]
        return np.sort(np.concatenate([np.zeros(0, np.int64), *own]))

    def _heard(self, notes: Notes, places: np.ndarray) -> np.ndarray:
        """Those of the notes, by their places in order, that no other one hides."""
        tick, height, end = notes.tick[places], self._height(notes.pitch[places]), notes.end[places]
        order = _in_order(tick, height, end)
        places, tick, height, end = (x[order] for x in (places, tick, height, end))
        if not self.is_extreme:
            return places[np.flatnonzero(np.diff(tick, prepend=-1))]
        overlap = notes.ticks_per_quarter / OVERLAP
        kept, last, top, until = list[int](), -1, 0, -1  # of the note that sounds
        for place, at, own, over in zip(*(x.tolist() for x in (places, tick, height, end)), strict=True):
            if at == last or (own < top and until > at and (until >= over or until > at + overlap)):
                continue
            kept.append(place)
            last, top, until = at, own, over
        return np.array(kept, dtype=np.int64)


def _in_order(tick: np.ndarray, height: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The places of notes (N,) by tick, the highest first, and of those of one height the longest.

    Those are left out of which no voice can be made: that begin with a higher one, and end with it or before.
    """
    key = tick << 7 | 127 - height
    order = key.argsort(kind="stable")
    key, end = key[order], end[order]
    heard = np.append(True, (key[1:] >> 7 != key[:-1] >> 7) | (end[1:] > end[:-1]))
    own = np.flatnonzero(heard[: len(key)])
    return order[own[np.lexsort((-end[own], key[own]))]]
