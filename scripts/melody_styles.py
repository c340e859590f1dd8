"""The styles of the demo melodies: a page for each, as a musician would jot it down, in C; pieces are in several keys.

A rhythm is a bar of 4/4 in 16 steps: x a note begins, - it goes on, . silence. A song is a row of phrases of four bars:
its letter, which phrases with the same motifs share, and its chords, with "|" between bars; two in a bar share it.
An accompaniment is a bar of 16 steps as well: B the bass, C the chord, A both, 1 2 3 4 a note of the chord from below.
"""

from dataclasses import dataclass

MODES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "pentatonic": (0, 2, 4, 7, 9),
    "blues": (0, 3, 5, 6, 7, 10),
    "freygish": (0, 1, 4, 5, 7, 8, 10),
}


@dataclass(frozen=True)
class Style:
    """The mode, tempos (quarters a minute), songs, rhythms and programs of a style.

    `rhythms` are those of bars within a phrase, `ends` of its last one; a piece picks two and one for each letter.
    `programs` are those of the melody, of which a piece picks one, and of the chords. `leap` is the
    share of motifs that go by thirds, not by steps.
    """

    mode: str
    bpm: tuple[int, int]
    songs: tuple[tuple[str, ...], ...]
    rhythms: tuple[str, ...]
    ends: tuple[str, ...]
    accompaniment: str
    programs: tuple[tuple[int, ...], int]
    leap: float = 0.2


STYLES = {
    "folk": Style(
        "major",
        (96, 120),
        (
            ("A C|F|C|G", "A C|F|G|C", "B F|C|F|G", "A C|F|G|C"),
            ("A C|G|Am|F", "A C|G|F G|C", "B Am|Em|F|G", "A C|G|F G|C"),
            ("A C|C|F|G", "B F|C|F G|C"),
        ),
        ("x---x-x-x---x---", "x-x-x-x-x---x---", "x-----x-x---x---", "x---x---x-x-x-x-", "x-x-x---x-x-x---"),
        ("x---x---x-------", "x-x-x-x-x-------", "x---x-x-x---...."),
        "B---C---B---C---",
        ((73, 74, 24), 24),
    ),
    "lullaby": Style(
        "pentatonic",
        (66, 84),
        (
            ("A C|Am|F|C", "A C|Am|G|C", "B F|C|Am|G", "A C|Am|G|C"),
            ("A C|F|C|G", "B Am|F|G|C"),
        ),
        ("x-------x---x---", "x---x---x-------", "x-----x-x-------", "x-------x-------"),
        ("x-----------....", "x---x-------....", "x---------------"),
        "B-1-2-3-B-1-2-3-",
        ((10, 11, 8), 46),
        leap=0.15,
    ),
    "march": Style(
        "major",
        (104, 124),
        (
            ("A C|C|G|C", "A C|F|G|C", "B G|C|G|G", "A C|F|G|C"),
            ("A C|F|C|G", "B F|C|G|C"),
        ),
        ("x--xx---x--xx---", "x---x---x--xx---", "x--xx--xx---x---", "x---x---x---x---", "x--xx-x-x---x---"),
        ("x--xx---x---....", "x---x---x---....", "x--xx--xx---...."),
        "B---C---B---C---",
        ((56, 72, 57), 61),
        leap=0.5,
    ),
    "reel": Style(
        "dorian",
        (104, 124),
        (
            ("A Cm|Bb|Cm|Bb Cm", "A Cm|Bb|Cm|Bb Cm", "B Eb|Bb|F|Bb Cm", "B Eb|Bb|F|Bb Cm"),
            ("A Cm|Cm|Bb|Cm", "B F|Cm|Bb|Cm"),
        ),
        ("x-x-x-x-x-x-x-x-", "x---x-x-x-x-x-x-", "x-x-x-x-x---x-x-", "x-xxx-x-x-x-x-x-", "x-x-x-xxx-x-x-x-"),
        ("x-x-x-x-x-------", "x-x-x-x-x---x---"),
        "A---C---A---C---",
        ((40, 22, 73), 24),
        leap=0.25,
    ),
    "pop": Style(
        "minor",
        (84, 108),
        (
            ("A Cm|Ab|Eb|Bb", "A Cm|Ab|Bb|Cm", "B Ab|Bb|Eb|Bb", "A Cm|Ab|Bb|Cm"),
            ("A Cm|Bb|Ab|Bb", "B Fm|Cm|Ab Bb|Cm"),
        ),
        ("x--x--x-x--x--x-", "..x-x-x-x--x--x-", "x--x--x---x-x---", "x-xx--x-x--x----", "..xxx-x---x-x-x-"),
        ("x--x--x---------", "x--x--x-x---....", "..x-x-x-x-------"),
        "A-----A-A-----A-",
        ((81, 85, 4), 89),
    ),
    "blues": Style(
        "blues",
        (84, 116),
        (
            ("A C7|F7|C7|C7", "A F7|F7|C7|C7", "B G7|F7|C7|C7"),
            ("A C7|C7|C7|C7", "A F7|F7|C7|C7", "B G7|F7|C7|C7"),
        ),
        ("..x-x-x-x---....", "x-x-x---....x-x-", "x---x-x-x-----..", "x-x-x-x-x-------", "....x-x-x-x-x---"),
        ("x-x-x---........", "x---x-------....", "x-------........"),
        "A---A---A---A---",
        ((66, 22, 26), 16),
        leap=0.3,
    ),
    "bossa": Style(
        "major",
        (116, 140),
        (
            ("A Cmaj7|Am7|Dm7|G7", "A Cmaj7|Am7|Dm7 G7|Cmaj7", "B Fmaj7|Em7|Dm7|G7", "A Cmaj7|Am7|Dm7 G7|Cmaj7"),
            ("A Dm7|G7|Em7|Am7", "B Dm7|G7|Dm7 G7|Cmaj7"),
        ),
        ("x--x--x---x-x---", "..x--x--x---x---", "x-----x--x--x---", "x--x--x--x--x---", "....x--x--x-x---"),
        ("x--x--x---------", "x-----x-----....", "..x--x----------"),
        "B--C--C-B-C--C--",
        ((73, 66, 11), 24),
        leap=0.35,
    ),
    "freylekhs": Style(
        "freygish",
        (108, 136),
        (
            ("A C|C|Fm|C", "A C|C|Bbm|C", "B Fm|Fm|C|C", "B Fm|Db|Bbm|C"),
            ("A C|Bbm|C|C", "B Fm|C|Bbm|C"),
        ),
        ("x-x-x-x-x-x-x---", "x---x-xxx-x-x---", "x-xxx-x-x-xxx-x-", "x-x-x---x-x-x---", "x--xx-x-x--xx-x-"),
        ("x-x-x-x-x-------", "x-xxx-x-x---....", "x---x---x---...."),
        "B-C-B-C-B-C-B-C-",
        ((71, 40, 21), 21),
        leap=0.2,
    ),
}
