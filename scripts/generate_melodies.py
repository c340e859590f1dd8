"""The demo melodies: tunes of named styles with an accompaniment, composed by rules as MIDI, and a judge of keys.

A style is a page of songs and rhythms (melody_styles.py). A piece takes one song and a key, and makes two motifs for
each letter of the song: a rhythm, and how its notes go up and down. The motifs are laid over the chords: notes that are
long or on the first or third beat are notes of the chord, the others of the scale. So phrases of one letter over the
same chords are the same, and over other chords alike.

    python scripts/generate_melodies.py --help
"""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from composing import BAR, QUARTER, files_of, midi_of, read_midi, write_corpus
from generate_sentences import OneSentenceErrors
from melody_styles import MODES, STYLES, Style

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI

STEP = QUARTER // 4
GAP = STEP // 8  # ticks before its end at which a note is let go
NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
QUALITIES = {"": (0, 4, 7), "m": (0, 3, 7), "7": (0, 4, 7, 10), "m7": (0, 3, 7, 10), "maj7": (0, 4, 7, 11)}
LOWEST, HIGHEST = 60, 84  # of melodies
KEYS = (0, 2, 5, 7)  # tonics: C, D, F, G
WIDEST = 12  # semitones between neighbours
BASS, CHORD = 36, 48  # the lowest notes of the bass and of chords: both lie below all melodies
PHRASE = 4  # bars
Bar = tuple[tuple[int, str], tuple[int, str]]  # the chords of its halves: root (0 is C) and quality
Sung = tuple[int, int, int]  # the first step of a note, the step at which it ends, and its pitch
ARCHES = (
    (0, 1, 2, 0),
    (0, 2, 1, 0),
    (1, 0, 2, 0),
    (2, 1, 0, 0),
)  # of a phrase: where its bars begin, in notes of the scale


@dataclass(frozen=True)
class Note:
    """A note: the ticks at which it begins and ends, its pitch and velocity."""

    tick: int
    end: int
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Piece:
    """A melody and its accompaniment: their notes, tonic (0 is C), tempo, programs, and the chords of each bar."""

    style: str
    tonic: int
    bars: int
    bpm: int
    melody: tuple[Note, ...]
    accompaniment: tuple[Note, ...]
    chords: tuple[Bar, ...]
    programs: tuple[int, int]

    @property
    def key(self) -> str:
        """The tonic and the mode, such as Eb dorian."""
        return f"{NAMES[self.tonic]} {STYLES[self.style].mode}"


@dataclass(frozen=True)
class Motif:
    """A bar of a melody without its pitches: its rhythm, and how many notes of the scale each is above the first."""

    rhythm: str
    contour: tuple[int, ...]

    @property
    def places(self) -> list[tuple[int, int]]:
        """The steps of the bar at which each note begins and ends."""
        starts = [step for step, sign in enumerate(self.rhythm) if sign == "x"]
        return [(start, start + 1 + _held(self.rhythm[start + 1 :])) for start in starts]


def _held(rest: str) -> int:
    """How many steps of a rhythm go on with what sounds before them."""
    return len(list(itertools.takewhile(lambda sign: sign == "-", rest)))


def chord_of(symbol: str) -> tuple[int, str]:
    """The root and quality of a symbol.

    >>> chord_of("Bb"), chord_of("Am7"), chord_of("Dbmaj7")
    ((10, ''), (9, 'm7'), (1, 'maj7'))
    """
    letters = 2 if symbol[1:2] == "b" else 1
    return NAMES.index(symbol[:letters]), symbol[letters:]


def bars_of(chords: str) -> list[Bar]:
    """The two chords of each bar of a phrase.

    >>> bars_of("C|F G")
    [((0, ''), (0, '')), ((5, ''), (7, ''))]
    """
    bars = [[chord_of(symbol) for symbol in bar.split()] for bar in chords.split("|")]
    return [(bar[0], bar[-1]) for bar in bars]


def _contour(rhythm: str, leap: float, rng: random.Random) -> tuple[int, ...]:
    """How a melody goes: away and back, again and again, up or down, by steps or, in so many motifs, by thirds."""
    size = 2 if rng.random() < leap else 1
    turn, side = (2 if size == 2 else rng.choice((2, 3, 4))), rng.choice((-1, 1))
    return tuple(side * size * min(at % (2 * turn), -at % (2 * turn)) for at in range(rhythm.count("x")))


def _nearest(pitches: Sequence[int], to: int) -> int:
    """The pitch nearest to one, the lower of two."""
    return min(pitches, key=lambda pitch: (abs(pitch - to), pitch))


def _fitting(ladder: list[int], chord: tuple[int, str]) -> list[int]:
    """The notes of the scale that are notes of a chord."""
    root, quality = chord
    return [pitch for pitch in ladder if (pitch - root) % 12 in QUALITIES[quality]]


def _laid(motif: Motif, start: int, ladder: list[int], chords: Bar) -> list[Sung]:
    """The notes of a motif over the chords of a bar, from about the pitch `start` on."""
    notes: list[Sung] = []
    for number, ((step, end), height) in enumerate(zip(motif.places, motif.contour, strict=True)):
        fitting = _fitting(ladder, chords[step // 8])
        if not notes:
            first = ladder.index(_nearest(fitting, start))
        place = first + height
        place = -place if place < 0 else min(place, 2 * len(ladder) - 2 - place)  # a melody turns at its bounds
        pitch = ladder[place]
        if step % 8 == 0 or end - step >= 4:
            moves = number and height != motif.contour[number - 1]
            pitch = _nearest([tone for tone in fitting if not moves or tone != notes[-1][2]], pitch)
        notes.append((step, end, pitch))
    return notes


def _ending(rhythm: str, start: int, ladder: list[int], goals: list[int]) -> list[Sung]:
    """The notes of a bar that ends a phrase: by steps to the goal nearest to `start`."""
    places = Motif(rhythm, ()).places
    goal = ladder.index(_nearest(goals, start))
    side = 1 if (ladder.index(start) >= goal and goal + 3 < len(ladder)) or goal < 3 else -1
    left = range(len(places) - 1, -1, -1)  # notes to come: the last steps go straight to the goal, those before waver
    way = [goal + side * (number if number <= 3 else 3 - number % 2) for number in left]
    return [(*place, ladder[height]) for place, height in zip(places, way, strict=True)]


def _phrase(
    motifs: tuple[Motif, Motif, str],
    arch: tuple[int, ...],
    home: int,
    ladder: list[int],
    bars: list[Bar],
    closing: list[int],
) -> list[Sung]:
    """The notes of four bars: a motif, another, the first again, and an ending.

    `home` is about where the phrase is; `closing` are the pitches on which the piece may end, empty within it.
    """
    first, second, end = motifs
    notes: list[Sung] = []
    for bar, (motif, chords) in enumerate(zip((first, second, first), bars, strict=False)):
        height = min(ladder.index(_nearest(ladder, home)) + arch[bar], len(ladder) - 1)
        laid = _laid(motif, ladder[height], ladder, chords)
        notes += [(bar * 16 + step, bar * 16 + end, pitch) for step, end, pitch in laid]
    goals = closing or _fitting(ladder, bars[-1][1])
    start = notes[-1][2]
    return notes + [(48 + step, 48 + last, pitch) for step, last, pitch in _ending(end, start, ladder, goals)]


def compose(style: str, rng: random.Random) -> Piece:
    """A piece of a style: 8 to 16 bars in one of the keys, without a leap of more than an octave."""
    page = STYLES[style]
    tonic, bpm, song = rng.choice(KEYS), rng.randint(*page.bpm), rng.choice(page.songs)
    bars = [
        [(_moved(one, tonic), _moved(two, tonic)) for one, two in bars_of(phrase.partition(" ")[2])] for phrase in song
    ]
    letters = [phrase[0] for phrase in song]
    notes = _tune(page, tonic, letters, bars, rng)
    while any(abs(one[2] - two[2]) > WIDEST for one, two in itertools.pairwise(notes)):
        notes = _tune(page, tonic, letters, bars, rng)
    chords = tuple(itertools.chain(*bars))
    melody = tuple(_sung(note, rng) for note in notes)
    programs = rng.choice(page.programs[0]), page.programs[1]
    accompaniment = tuple(_accompanied(page.accompaniment, chords))
    return Piece(style, tonic, len(chords), bpm, melody, accompaniment, chords, programs)


def _tune(
    page: Style,
    tonic: int,
    letters: list[str],
    bars: list[list[Bar]],
    rng: random.Random,
) -> list[Sung]:
    """The notes of a song, from the letter and the bars of each of its phrases."""
    ladder = [pitch for pitch in range(LOWEST, HIGHEST + 1) if (pitch - tonic) % 12 in MODES[page.mode]]
    motifs = {}
    for letter in sorted(set(letters)):
        one, two = (Motif(rhythm, _contour(rhythm, page.leap, rng)) for rhythm in rng.sample(page.rhythms, 2))
        motifs[letter] = (one, two, rng.choice(page.ends)), rng.choice(ARCHES)
    home = {"A": LOWEST + 5 + rng.randrange(4), "B": LOWEST + 9 + rng.randrange(4)}  # the bridge is higher
    notes: list[Sung] = []
    for number, (letter, own) in enumerate(zip(letters, bars, strict=True)):
        closing = [pitch for pitch in ladder if pitch % 12 == tonic] if number == len(letters) - 1 else []
        phrase = _phrase(*motifs[letter], home[letter], ladder, own, closing)
        notes += [(number * 64 + step, number * 64 + end, pitch) for step, end, pitch in phrase]
    return notes


def plain(style: str) -> Piece:
    """Two bars in C over the chord of the tonic: the first two rhythms of a style, without anything left to chance."""
    page = STYLES[style]
    rng = random.Random(f"plain/{style}")
    ladder = [pitch for pitch in range(LOWEST, HIGHEST + 1) if pitch % 12 in MODES[page.mode]]
    motif = Motif(page.rhythms[0], _contour(page.rhythms[0], page.leap, rng))
    tonic = bars_of(page.songs[0][0].partition(" ")[2])[0][0]
    notes = _laid(motif, LOWEST + 7, ladder, (tonic, tonic))
    goals = [pitch for pitch in ladder if pitch % 12 == 0]
    notes += [(16 + step, 16 + end, pitch) for step, end, pitch in _ending(page.ends[0], notes[-1][2], ladder, goals)]
    melody = tuple(Note(step * STEP, end * STEP - GAP, pitch, 90) for step, end, pitch in notes)
    chords = ((tonic, tonic),) * 2
    accompaniment = tuple(_accompanied(page.accompaniment, chords))
    return Piece(
        style, 0, 2, sum(page.bpm) // 2, melody, accompaniment, chords, (page.programs[0][0], page.programs[1])
    )


def _moved(chord: tuple[int, str], tonic: int) -> tuple[int, str]:
    """A chord that was written in C, in another key."""
    return (chord[0] + tonic) % 12, chord[1]


def _sung(note: Sung, rng: random.Random) -> Note:
    """A note by ticks, as loud as its beat and its height ask for."""
    step, end, pitch = note
    beat = 12 if step % 16 == 0 else 6 if step % 4 == 0 else 0
    velocity = 78 + beat + (pitch - LOWEST) // 3 + rng.randint(-4, 4)
    return Note(step * STEP, end * STEP - GAP, pitch, velocity)


def _accompanied(pattern: str, chords: Sequence[Bar]) -> list[Note]:
    """The notes of an accompaniment: a bass below its chord in close position."""
    notes = []
    for bar, halves in enumerate(chords):
        for step, sign in enumerate(pattern):
            if sign not in "BAC123":
                continue
            root, quality = halves[step // 8]
            tones = sorted(CHORD + (root + tone) % 12 for tone in QUALITIES[quality])
            played = [BASS + root] if sign in "BA" else []
            played += tones if sign in "AC" else [tones[int(sign) - 1]] if sign.isdigit() else []
            tick, held = bar * BAR + step * STEP, 1 + _held(pattern[step + 1 :])
            notes += [Note(tick, tick + held * STEP - GAP, pitch, 56) for pitch in played]
    return notes


def to_midi(piece: Piece) -> "PrettyMIDI":
    """The piece in 4/4: a track Melody and a track Chords."""
    from pretty_midi import Instrument
    from pretty_midi import Note as Written

    midi = midi_of(piece.bars, piece.bpm)
    for name, notes, program in zip(
        ("Melody", "Chords"), (piece.melody, piece.accompaniment), piece.programs, strict=True
    ):
        track = Instrument(program=program, name=name)
        for note in notes:
            start, end = midi.tick_to_time(note.tick), midi.tick_to_time(note.end)
            track.notes.append(Written(note.velocity, note.pitch, start, end))
        midi.instruments.append(track)
    return midi


def keys_of(pitches: Sequence[int]) -> dict[str, int]:
    """How many of the notes fit in each key of the styles; ValueError where there are none.

    Pitches alone do not say which note of a scale is its home: what fits in C major fits in A minor, too.
    """
    if not pitches:
        raise ValueError("there are no notes in it; give MIDI files with a melody.")
    counts = [sum(pitch % 12 == note for pitch in pitches) for note in range(12)]
    return {
        f"{tonic} {mode}": sum(counts[(place + note) % 12] for note in notes)
        for mode, notes in MODES.items()
        for place, tonic in enumerate(NAMES)
    }


def key_of(pitches: Sequence[int]) -> tuple[str, int]:
    """The key that most of the notes fit in, the first of several, and how many do; ValueError where there are none."""
    return max(keys_of(pitches).items(), key=lambda key: key[1])


def name_of(pitch: int) -> str:
    """The name of a pitch, of which 60 is C4.

    >>> name_of(60), name_of(70)
    ('C4', 'Bb4')
    """
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


@click.group(cls=OneSentenceErrors)
def main() -> None:
    """Melodies of named styles with chords: compose them, or name the keys of MIDI files."""


@main.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write to.")
@click.option("--files", type=click.IntRange(len(STYLES)), default=320, show_default=True, help="Pieces, all styles.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides every piece.")
def generate(out: Path, files: int, seed: int) -> None:
    """Compose pieces of 8 to 16 bars of 4/4 into OUT/melodies, a folder for each style.

    Each has a track Melody and a track Chords. OUT/melodies/info.csv names the style, key, tempo and split (train,
    valid, test) of each. OUT/clips holds two plain bars in C of each style, such as folk.mid: ends for interpolations,
    not meant for training.
    """

    def written(style: str, rng: random.Random) -> tuple["PrettyMIDI", dict[str, int | str]]:
        piece = compose(style, rng)
        return to_midi(piece), {"key": piece.key, "bpm": piece.bpm}

    def written_plain(style: str) -> "PrettyMIDI":
        return to_midi(plain(style))

    write_corpus(out / "melodies", list(STYLES), files, seed, written, written_plain)


@main.command()
@click.argument("paths", type=click.Path(exists=True, path_type=Path), nargs=-1, required=True, metavar="FILE...")
@click.option("--key", "wanted", type=click.Choice(list(keys_of([60]))), metavar="KEY", help="Such as 'C major'.")
@click.option("--at-least", type=click.FloatRange(0, 1), default=0.0, help="Least share of all notes in their key.")
def check(paths: tuple[Path, ...], wanted: str | None, at_least: float) -> None:
    """Print notes, range and key of the melody of each MIDI file: its track Melody, or all but drums and Chords.

    The key is --key or, without it, the one that most of the notes of the file fit in: of few notes most fit in some
    key. Exits with 1 where fewer notes than --at-least stand in it, of all files together.
    """
    fitting = total = 0
    for file in files_of(paths):
        try:
            pitches = melody_of(read_midi(file))
            key, fit = (wanted, keys_of(pitches)[wanted]) if wanted else key_of(pitches)
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None
        fitting, total = fitting + fit, total + len(pitches)
        span = f"{name_of(min(pitches))} to {name_of(max(pitches))}"
        click.echo(f"{file}: {len(pitches)} notes from {span}, {fit} of them in {key}")
    click.echo(f"{fitting / total:.1%} of {total} notes stand in {wanted or 'the key of their file'}")
    if fitting < at_least * total:
        raise SystemExit(1)


def melody_of(midi: "PrettyMIDI") -> list[int]:
    """The pitches of the melody of a file, in the order in which they begin."""
    tracks = [track for track in midi.instruments if not track.is_drum and track.name != "Chords"]
    return [note.pitch for note in sorted((note for track in tracks for note in track.notes), key=lambda n: n.start)]


if __name__ == "__main__":
    main()
