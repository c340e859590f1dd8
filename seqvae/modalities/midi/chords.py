"""Chords as triads: their labels, the symbols that stand for them, and progressions of a few bars.

A label is one of 49: 0 is no chord, then 12 major, 12 minor, 12 augmented and 12 diminished triads, each by its root
from C on (Magenta's TriadChordOneHotEncoding, which MusicVAE's chord-conditioned models read).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

QUALITIES = ("", "m", "aug", "dim")  # as symbols end
THIRDS_AND_FIFTHS = ((4, 7), (3, 7), (4, 8), (3, 6))  # of each quality, in semitones above the root
CHORDS = 1 + 12 * len(QUALITIES)
NO_CHORD = "N.C."
ROOTS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")  # of a chord by itself
FLATS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
KEYS = (0, 5, 7, 10, 2, 3, 9, 8, 4, 1, 11, 6)  # major ones, those of fewest signs first, of as many the one in flats
SHARP_KEYS = (7, 2, 9, 4, 11)  # G, D, A, E, B
SCALE = (0, 2, 4, 5, 7, 9, 11)  # major, in semitones
MOST_OF_BAR = 8  # chords of one bar of a progression
MOST_BARS = 1024  # of a progression
MOST_SHOWN = 60  # characters of it in a sentence
LONGEST_SYMBOL = 24  # characters
AGAIN = "%"  # of a progression: the bar before
POSSIBLE = (
    "write chords such as C, F#m, Bb7, Gdim, Eaug or N.C., one a bar, or bars of several between bar lines: C G | Am; "
    "% is the bar before"
)

_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NONE = re.compile(r"N\.?\s?C\.?|no chord", re.IGNORECASE)
_ROOT = r"[A-G](?:##|bb|[#b♯♭])?"
_MORE = r"(?:maj|Maj|MAJ|M|Δ|add|no|omit|sus|alt|dom|[#b♯♭+-])?(?:2|4|5|6/9|6|7|9|11|13)|sus|alt|Δ|[(),\s]"
_SYMBOL = re.compile(
    rf"(?P<root>{_ROOT})"
    r"(?P<kind>maj|Maj|MAJ|major|min|Min|MIN|minor|mi|ma|M|m|-|dim|°|o|aug|\+|ø)?"
    rf"(?P<more>(?:{_MORE})*)"
    rf"(?:/(?P<bass>{_ROOT}))?"
)
_MINOR, _DIMINISHED, _AUGMENTED = ("min", "Min", "MIN", "minor", "mi", "m", "-"), ("dim", "°", "o", "ø"), ("aug", "+")


def label(root: int, quality: int) -> int:
    """The label of a triad: root 0 (C) to 11 (B), quality by its place in QUALITIES.

    >>> label(0, 0), label(9, 1), label(11, 3)
    (1, 22, 48)
    """
    return 1 + 12 * quality + root


def name(chord: int) -> str:
    """The symbol of a label by itself; of several that belong together see `names`.

    >>> [name(chord) for chord in (0, 1, 22, 31, 48)]
    ['N.C.', 'C', 'Am', 'F#aug', 'Bdim']
    """
    return NO_CHORD if chord == 0 else ROOTS[(chord - 1) % 12] + QUALITIES[(chord - 1) // 12]


def names(chords: Sequence[int] | np.ndarray) -> list[str]:
    """The symbols of labels that belong together, roots in sharps where their key has sharps, and else in flats.

    The key is the major one that has most of the notes of the triads or, of several, the one of fewest signs.

    >>> names([1, 22, 6, 11]), names([10, 19, 5]), names([12, 2, 23, 16])
    (['C', 'Am', 'F', 'Bb'], ['A', 'F#m', 'E'], ['B', 'Db', 'Bbm', 'Ebm'])
    """
    labels = [int(chord) for chord in chords]
    sounding = TONES[labels].sum(0) if labels else np.zeros(12, np.int64)
    of_key = [sounding[[(key + step) % 12 for step in SCALE]].sum() for key in KEYS]
    roots = SHARPS if KEYS[int(np.argmax(of_key))] in SHARP_KEYS else FLATS
    return [NO_CHORD if chord == 0 else roots[(chord - 1) % 12] + QUALITIES[(chord - 1) // 12] for chord in labels]


def parse(symbol: str) -> int | None:
    """The label of the triad of a chord symbol; None for what is none.

    The triad has the symbol's third and fifth; sevenths, added notes and basses are left out. A fifth that is lowered
    makes a minor triad diminished, one that is raised makes a major one augmented; suspended thirds, bare fifths and
    what else is none of the four have the major or minor triad of their root.

    >>> [name(parse(symbol)) for symbol in ("C", "F#m7", "Bbmaj7/D", "Bm7b5", "E7#5", "Gsus4", "N.C.")]
    ['C', 'F#m', 'Bb', 'Bdim', 'Eaug', 'G', 'N.C.']
    >>> parse("Chorus"), parse("H"), parse("am")
    (None, None, None)
    """
    text = symbol.strip()
    if _NONE.fullmatch(text):
        return 0
    match = _SYMBOL.fullmatch(text) if len(text) <= LONGEST_SYMBOL else None
    if match is None:
        return None
    root = _pitch_class(match["root"])
    kind, more = match["kind"] or "", match["more"].replace("♯", "#").replace("♭", "b")
    if kind in _DIMINISHED or (kind in _MINOR and re.search(r"[b-]5", more)):
        return label(root, 3)
    if kind in _MINOR:
        return label(root, 1)
    return label(root, 2 if kind in _AUGMENTED or re.search(r"[#+]5", more) else 0)


def _pitch_class(root: str) -> int:
    """The pitch class of a letter with accidentals.

    >>> [_pitch_class(root) for root in ("C", "Cb", "F♯", "Bbb")]
    [0, 11, 6, 9]
    """
    raised = sum(root.count(sign) for sign in "#♯") - sum(root[1:].count(sign) for sign in "b♭")
    return (_LETTERS[root[0]] + raised) % 12


def _tones() -> np.ndarray:
    """(49, 12) bool: the pitch classes of each label."""
    found = np.zeros((CHORDS, 12), bool)
    for quality, intervals in enumerate(THIRDS_AND_FIFTHS):
        for root in range(12):
            found[label(root, quality), [(root + interval) % 12 for interval in (0, *intervals)]] = True
    return found


TONES = _tones()


def pitches(chord: int, lowest: int) -> list[int]:
    """The MIDI pitches of a triad in root position, its root less than an octave above the lowest; none of no chord.

    >>> pitches(1, 48), pitches(22, 48), pitches(0, 48)
    ([48, 52, 55], [57, 60, 64], [])
    """
    quality, root = divmod(chord - 1, 12)
    return [lowest + (root - lowest) % 12 + up for up in (0, *THIRDS_AND_FIFTHS[quality])] if chord else []


@dataclass(frozen=True)
class Progression:
    """The chords of bars, which are repeated: of each bar one or several labels, which share it equally."""

    bars: tuple[tuple[int, ...], ...]

    @staticmethod
    def of(text: str) -> "Progression":
        """Symbols apart by spaces or commas, one a bar; where there are bar lines, `|`, all between two are of a bar.

        A double bar line is one, and `%` the bar before once more.

        >>> Progression.of("C G | % || Am") == Progression(((1, 8), (1, 8), (22,)))
        True

        Raises ValueError, of `data.progression`, for what is no chord symbol, and for none at all.
        """
        what = f"data.progression={_shortened(text.strip())}"
        bars = [re.split(r"[\s,]+", bar.strip(" \t\n,")) for bar in re.split(r"\|+", text.strip(" |\t\n"))]
        if "|" not in text:
            bars = [[symbol] for bar in bars for symbol in bar]
        found: list[tuple[int, ...]] = []
        for bar in bars:
            if bar == [AGAIN] and found:
                found.append(found[-1])
                continue
            if AGAIN in bar:
                why = "stands for a whole bar, and this one has others" if len(bar) > 1 else "has no bar before it"
                raise ValueError(f"{what} is not possible, since {AGAIN} {why}; {POSSIBLE}")
            found.append(_labels_of(bar, what))
        if len(found) > MOST_BARS:
            raise ValueError(f"{what} has {len(found)} bars; give up to {MOST_BARS}, which are repeated")
        return Progression(tuple(found))

    def laid(self, first: int, steps: int, bar: int) -> np.ndarray:
        """(T,) int16: the chord on each of some steps, of bars of so many steps, from the bar of a number on.

        >>> Progression.of("C G | Am").laid(1, 12, 8).tolist()
        [22, 22, 22, 22, 22, 22, 22, 22, 1, 1, 1, 1]
        """
        place = np.arange(steps)
        own = [self.bars[(first + number) % len(self.bars)] for number in range(-(-steps // bar))]
        return np.array([own[t // bar][t % bar * len(own[t // bar]) // bar] for t in place.tolist()], dtype=np.int16)

    def __str__(self) -> str:
        """The symbols, spelled together, with bar lines where a bar has several."""
        apart = " " if all(len(bar) == 1 for bar in self.bars) else " | "
        spelled = iter(names([chord for bar in self.bars for chord in bar]))
        return apart.join(" ".join(next(spelled) for _ in bar) for bar in self.bars)


def _labels_of(bar: Sequence[str], what: str) -> tuple[int, ...]:
    """The labels of the symbols of a bar. Raises ValueError, which says of `what`, where it has none, or too many."""
    labels = []
    for symbol in filter(None, bar):
        chord = parse(symbol)
        if chord is None:
            capital = symbol[0].islower() and parse(symbol[0].upper() + symbol[1:]) is not None
            why = f"'{_shortened(symbol)}' is no chord symbol{', whose root is a capital letter' * capital}"
            raise ValueError(f"{what} is not possible, since {why}; {POSSIBLE}")
        labels.append(chord)
    if not labels:
        raise ValueError(f"{what} has a bar without a chord; {POSSIBLE}")
    if len(labels) > MOST_OF_BAR:
        raise ValueError(f"{what} has {len(labels)} chords in a bar; give up to {MOST_OF_BAR} between bar lines")
    return tuple(labels)


def _shortened(text: str) -> str:
    """A text for a sentence."""
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def progression_of(chords: np.ndarray, bar: int) -> Progression:
    """The chord that stands on most steps of each bar, of chords (T,) and bars of so many steps; the lowest of several.

    >>> str(progression_of(np.array([1, 1, 1, 8, 22, 22]), 4))
    'C Am'
    """
    starts = range(0, len(chords), bar)
    return Progression(tuple((int(np.bincount(chords[start : start + bar]).argmax()),) for start in starts))


def transposed(chords: Any, semitones: Any) -> Any:
    """Labels, an array or a tensor, with their roots moved up by some semitones; no chord stays none.

    >>> [name(chord) for chord in transposed(np.array([0, 1, 24, 48]), 2)]
    ['N.C.', 'D', 'C#m', 'C#dim']
    """
    is_chord = (chords > 0) * 1
    place = chords - is_chord  # from 0 on
    return is_chord * (place // 12 * 12 + (place % 12 + semitones) % 12 + 1)


def symbols_of(windows: Sequence[np.ndarray]) -> list[list[tuple[int, str]]]:
    """For each of several windows of chords (T,) the steps on which a chord begins, and its symbol, spelled together.

    >>> symbols_of([np.array([0, 0, 1, 1, 22]), np.array([22, 22])])
    [[(0, 'N.C.'), (2, 'C'), (4, 'Am')], [(0, 'Am')]]
    """
    places = [np.flatnonzero(np.diff(chords, prepend=-1)).tolist() for chords in windows]
    spelled = iter(names([chords[place] for chords, own in zip(windows, places, strict=True) for place in own]))
    return [[(place, next(spelled)) for place in own] for own in places]
