"""Notes of a file to melody, bass and drums that are heard together, by MusicVAE's rule."""

import heapq
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
        for part in (MELODY, BASS):
            for line in self._lines(notes, part):
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
            kinds = [PARTS[part] for part in (MELODY, BASS) if self._is(line, notes, part)]
            program = most_frequent(notes.program[line.notes])
            found[f"{line}: {' and '.join(kinds) or 'neither melody nor bass'}, program {program}"] += int(
                np.count_nonzero(line.notes)
            )
        return found + Counter({PARTS[DRUMS]: int(np.count_nonzero(notes.channel == DRUM_CHANNEL))})

    def ways(self, segment: Segment, taken: Taken) -> list[Stretch[Ensemble]]:
        """The bars of a segment with each melody, bass and the drums."""
        assert taken.lines is not None
        of_note, bar = taken.lines[segment.places], segment.steps_of_bar
        laid: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # lines: events (T,), and the bars that they cover
        for number in sorted({line for way in taken.ways for line in way}):
            own = replace(segment, places=segment.places[of_note == number], step=segment.step[of_note == number])
            laid[number] = self._laid(own, number == taken.ways[0][DRUMS])
        key = segment.step * (int(taken.voices.max()) + 1) + taken.voices[segment.places]
        shared = np.unique(key) // (int(taken.voices.max()) + 1) // bar
        notes, places = (np.bincount(bars, minlength=segment.bars) for bars in (segment.step // bar, shared))
        ways = []
        for place, way in enumerate(taken.ways):
            events = joined(*(laid[number][0] for number in way))
            programs = tuple(self._program(segment, taken, number) for number in way)
            covered = _together([laid[number][1] for number in way], self.gap_bars)
            bpm, grid = float(segment.bpm[0]), segment.steps_per_quarter
            whole = Ensemble(events, segment.meter, grid, bpm, programs, segment.tempo_changes)
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
            events = self._voice.lay(segment).whole.events
            last = np.maximum(segment.step, np.floor(segment.end + 0.5).astype(np.int64) - 1)
        edges = np.zeros(segment.bars + 1, np.int64)
        np.add.at(edges, segment.step // bar, 1)
        np.add.at(edges, np.minimum(last // bar + 1, segment.bars), -1)
        return events, edges.cumsum()[:-1] > 0

    def _program(self, segment: Segment, taken: Taken, number: int) -> int:
        """The program that most notes of a line have in the whole file."""
        assert taken.lines is not None
        return most_frequent(segment.notes.program[taken.lines == number])

    def _lines(self, notes: Notes, part: int) -> list[Line]:
        """The lines of a file that are melodies or basses, those that play in most bars of 4/4 first."""
        found = (line for line in lines_of(notes) if self._is(line, notes, part))  # thousands would not fit into memory
        bar = 4 * notes.ticks_per_quarter
        return heapq.nsmallest(MOST_LINES, found, key=lambda line: -len(np.unique(notes.tick[line.notes] // bar)))

    def _is(self, line: Line, notes: Notes, part: int) -> bool:
        """Whether a line is a melody or a bass: by its name or number, or by its programs."""
        wanted, other = (self.melody, self.bass) if part == MELODY else (self.bass, self.melody)
        if wanted.strip():
            return line.is_called(wanted)
        programs = notes.program[line.notes]
        within = PROGRAMS_OF[part]
        is_kind = within.start <= int(programs.min()) and int(programs.max()) < within.stop
        return is_kind and not (other.strip() and line.is_called(other))


def _ways(melodies: Sequence[int], basses: Sequence[int], drums: int) -> list[tuple[int, ...]]:
    """Every melody with every bass and the drums, the first of each first, and no more than MOST_WAYS.

    >>> _ways([0, 1], [2, 3], 4)
    [(0, 2, 4), (0, 3, 4), (1, 2, 4), (1, 3, 4)]
    """
    pairs = itertools.product(range(len(melodies)), range(len(basses)))
    chosen = sorted(pairs, key=sum)[:MOST_WAYS]
    return [(melodies[one], basses[other], drums) for one, other in chosen]


def _together(parts: Sequence[np.ndarray], gap: int) -> np.ndarray:
    """(bars,) bool: the bars in which all parts play, or will or did within `gap` bars.

    Within the first and the last `gap` + 1 bars one part is enough.

    >>> one, other = np.array([1, 0, 0, 1, 0, 0, 0, 0], bool), np.ones(8, bool)
    >>> _together([one, other], 1).astype(int).tolist()
    [1, 1, 1, 1, 1, 0, 1, 1]
    """
    bars = len(parts[0])
    near = [np.convolve(part, np.ones(2 * gap + 1))[gap : gap + bars] > 0 for part in parts]
    covered: np.ndarray = np.all(near, axis=0)
    for end in (slice(0, gap + 1), slice(max(0, bars - gap - 1), bars)):
        covered[end] = any(bool(part[end].any()) for part in near)
    return covered
