"""Notes of a file to melody, bass and drums that are heard together, by MusicVAE's rule."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from seqvae.config import counted
from seqvae.modalities.midi.classes import DrumClasses
from seqvae.modalities.midi.ensemble import BASS, DRUMS, MELODY, PARTS, Ensemble, joined
from seqvae.modalities.midi.excerpt import Stretch, most_frequent
from seqvae.modalities.midi.grid import Segment
from seqvae.modalities.midi.hits import DrumPart
from seqvae.modalities.midi.notes import DRUM_CHANNEL, Notes
from seqvae.modalities.midi.part import PartWords, Taken
from seqvae.modalities.midi.voices import Line, VoicePart, lines_of

PROGRAMS_OF = {MELODY: range(32), BASS: range(32, 40)}  # MusicVAE's: pianos to guitars, and basses
TRACKS = ("Melody", "Bass", "Drums")  # their names in what is written
MOST_LINES = 16  # of each kind that are taken of a file, those that play in most bars
MOST_WAYS = 24  # in which they are combined


@dataclass(frozen=True)
class EnsemblePart:
    """Every melody with every bass and the drums of a file (Roberts et al. 2018; Magenta's converter of trios).

    A line is what one channel of one track plays. It is a melody or a bass where all its notes have such programs, or
    where it has the name or number of `melody` or `bass`. Drums are the hits of channel 10, all of them one kit. Of
    notes that begin at once the highest is heard, and a note ends where the next begins, as in a track of `VoicePart`.

    A window has all three parts: no bar of it is more than `gap_bars` away from one in which the part plays. At either
    end of a stretch of one metre it is enough that one part plays within `gap_bars` + 1 bars (Magenta does so, that
    what it cut and wrote can be read again).

    The lines that play in most bars come first: with the first of each kind a whole piece is read, and its windows are
    numbered before those of all other combinations. Of files with many lines the first are combined.
    """

    classes: DrumClasses
    melody: str = ""
    bass: str = ""
    lowest_pitch: int = 21
    highest_pitch: int = 108
    gap_bars: int = 2

    @property
    def words(self) -> PartWords:
        """How to speak of notes."""
        range_ = f"from {self.lowest_pitch} to {self.highest_pitch}"
        return PartWords(
            notes="notes",
            channel="the tracks that are read",
            holder="part",
            held=f"{range_} or of a drum class",
            outside=f"of pitches not {range_}, or of no drum class",
            places="tracks",
            map=f"the range {range_} and the class map",
            other_channel="pass one of these as data.melody or data.bass ('track N' or NAME), or give other files",
            other_map="pass another data.lowest_pitch or data.highest_pitch, or data.classes",
            wanted="files with melody, bass and drums",
            hidden="hidden by a higher one",
            close="grace notes and flams",
            window=f"melody, bass and drums within {counted(self.gap_bars, 'bars')} of each of its bars",
        )

    @property
    def _voice(self) -> VoicePart:
        """How a single line is read."""
        return VoicePart("track 1", self.lowest_pitch, self.highest_pitch)

    @property
    def _kit(self) -> DrumPart:
        return DrumPart(self.classes)

    def take(self, notes: Notes) -> Taken:
        """The notes that are heard of melodies, basses and drums; none where one of the three is missing."""
        lines, voices = np.full(len(notes), -1, np.int64), np.full(len(notes), -1, np.int64)
        taken: list[Taken] = []
        numbers: dict[int, list[int]] = {MELODY: [], BASS: []}
        kinds = [(line, self._kinds(line, notes)) for line in lines_of(notes)]
        for part in (MELODY, BASS):
            for line in _busiest([line for line, own in kinds if part in own], notes):
                own = self._voice.take_of(notes, line.notes)
                if len(own.places):
                    lines[own.places] = voices[own.places] = len(taken)
                    numbers[part].append(len(taken))
                    taken.append(own)
        drums = self._kit.take(notes)
        lines[drums.places], voices[drums.places] = len(taken), len(taken) + drums.voices[drums.places]
        missing = [PARTS[part] for part, own in numbers.items() if not own]
        missing += [] if len(drums.places) else [PARTS[DRUMS]]
        if missing:
            none = np.zeros(0, np.int64)
            return Taken(none, 0, Counter(), np.zeros(len(notes), np.int64), lacks=" or ".join(missing))
        return Taken(
            np.flatnonzero(lines >= 0),
            drums.found + sum(own.found for own in taken),
            sum((own.unheld for own in taken), drums.unheld),
            voices,
            sum(own.hidden for own in taken),
            lines=lines,
            ways=_ways(numbers[MELODY], numbers[BASS], len(taken)),
        )

    def of_piece(self, notes: Notes) -> "EnsemblePart":
        """The same, or melody and bass by their names where the piece was written by this package."""
        written = TRACKS[:DRUMS]
        if [line.name for line in lines_of(notes)] != list(written):
            return self
        return replace(self, melody=written[MELODY], bass=written[BASS])

    def where(self, notes: Notes) -> Counter[str]:
        """The notes of each track, with what it is taken for, and of drums."""
        found: Counter[str] = Counter()
        for line in lines_of(notes):
            kinds = [PARTS[part] for part in self._kinds(line, notes)]
            program = most_frequent(notes.program[line.notes])
            found[f"{line}: {' and '.join(kinds) or 'neither melody nor bass'}, program {program}"] += len(line.notes)
        return found + Counter({PARTS[DRUMS]: int(np.count_nonzero(notes.channel == DRUM_CHANNEL))})

    def ways(self, segment: Segment, taken: Taken) -> list[Stretch[Ensemble]]:
        """The bars of a segment with each melody, bass and the drums."""
        assert taken.lines is not None
        of_note, bar = taken.lines[segment.places], segment.steps_of_bar
        laid: dict[int, tuple[np.ndarray, np.ndarray, int]] = {}  # lines: events (T,), the bars near to it, its program
        own_programs = _programs(segment.notes, taken.lines)
        for number in sorted({line for way in taken.ways for line in way}):
            own = np.flatnonzero(of_note == number)
            line = replace(segment, places=segment.places[own], step=segment.step[own])
            events, played = self._laid(line, number == taken.ways[0][DRUMS])
            laid[number] = events, _near(played, self.gap_bars), int(own_programs[number])
        voices = int(taken.voices.max()) + 1
        key = np.sort(segment.step * voices + taken.voices[segment.places])
        shared = key[np.flatnonzero(np.diff(key, prepend=-1))] // (voices * bar)
        notes, places = (np.bincount(bars, minlength=segment.bars) for bars in (segment.step // bar, shared))
        bpm, grid, changes = float(segment.bpm[0]), segment.steps_per_quarter, segment.tempo_changes
        ways = []
        for place, way in enumerate(taken.ways):
            events, near, programs = zip(*(laid[number] for number in way), strict=True)
            whole = Ensemble(joined(*events), segment.meter, grid, bpm, programs, changes)
            covered = _together(near, self.gap_bars)
            ways.append(Stretch(whole, notes, segment.bpm, False, covered, places, repeats=place > 0))
        return ways

    def digest(self, item: Ensemble) -> bytes:
        """The digest of the ensemble's events."""
        return item.digest

    def _laid(self, segment: Segment, is_drums: bool) -> tuple[np.ndarray, np.ndarray]:
        """The events (T,) of one line, and the bars (bars,) bool in which it plays."""
        bar = segment.steps_of_bar
        if is_drums:
            hits = self._kit.lay(segment).whole.hits
            events = hits @ (1 << np.arange(hits.shape[1], dtype=np.int32))
            last = segment.step
        else:
            events, _ = self._voice.events_of(segment)
            last = np.maximum(segment.step, np.floor(segment.end + 0.5).astype(np.int64) - 1)
        begin, end = segment.step // bar, np.minimum(last // bar + 1, segment.bars)
        edges = np.bincount(begin, minlength=segment.bars + 1) - np.bincount(end, minlength=segment.bars + 1)
        return events, edges.cumsum()[:-1] > 0

    def _kinds(self, line: Line, notes: Notes) -> list[int]:
        """Whether a line is a melody, a bass or none of both: by its name or number, or by its programs."""
        voices = {MELODY: self.melody, BASS: self.bass}
        called = [part for part, voice in voices.items() if voice.strip() and line.is_called(voice)]
        programs = notes.program[line.notes]
        first, last = int(programs.min()), int(programs.max())
        return called or [
            part
            for part, voice in voices.items()
            if not voice.strip() and first in PROGRAMS_OF[part] and last in PROGRAMS_OF[part]
        ]


def _busiest(lines: Sequence[Line], notes: Notes) -> list[Line]:
    """The lines that play in most bars of 4/4, those first, and no more than MOST_LINES."""
    bar = 4 * notes.ticks_per_quarter
    return sorted(lines, key=lambda line: -np.count_nonzero(np.diff(notes.tick[line.notes] // bar)))[:MOST_LINES]


def _programs(notes: Notes, lines: np.ndarray) -> np.ndarray:
    """The program that most notes of each line have in the whole file, the lowest of several; `lines` as in Taken."""
    of_lines = np.flatnonzero(lines >= 0)
    counts = np.bincount(lines[of_lines] << 7 | notes.program[of_lines], minlength=(int(lines.max()) + 1) << 7)
    programs: np.ndarray = counts.reshape(-1, 128).argmax(1)
    return programs


def _ways(melodies: Sequence[int], basses: Sequence[int], drums: int) -> list[tuple[int, ...]]:
    """Every melody with every bass and the drums, the first of each first, and no more than MOST_WAYS.

    >>> _ways([0, 1], [2, 3], 4)
    [(0, 2, 4), (0, 3, 4), (1, 2, 4), (1, 3, 4)]
    """
    pairs = itertools.product(range(len(melodies)), range(len(basses)))
    chosen = sorted(pairs, key=sum)[:MOST_WAYS]
    return [(melodies[one], basses[other], drums) for one, other in chosen]


def _near(part: np.ndarray, gap: int) -> np.ndarray:
    """(bars,) bool: the bars in which a part plays, or will or did within `gap` bars."""
    near: np.ndarray = np.convolve(part, np.ones(2 * gap + 1))[gap : gap + len(part)] > 0
    return near


def _together(near: Sequence[np.ndarray], gap: int) -> np.ndarray:
    """(bars,) bool: the bars to which all parts are near; of the first and the last `gap` + 1 bars one is enough.

    >>> one, other = np.array([1, 0, 0, 1, 0, 0, 0, 0], bool), np.ones(8, bool)
    >>> _together([_near(one, 1), other], 1).astype(int).tolist()
    [1, 1, 1, 1, 1, 0, 1, 1]
    """
    bars = len(near[0])
    covered: np.ndarray = np.all(near, axis=0)
    for end in (slice(0, gap + 1), slice(max(0, bars - gap - 1), bars)):
        covered[end] = any(bool(part[end].any()) for part in near)
    return covered
