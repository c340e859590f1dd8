"""Chord symbols to triads and back, their transposition, progressions laid on bars."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqvae.modalities.midi.chords import (
    CHORDS,
    MOST_BARS,
    TONES,
    Progression,
    label,
    name,
    parse,
    progression_of,
    symbols_of,
    transposed,
)

# symbols and their triads, as Magenta's chord_symbols_lib has their thirds and fifths
TRIADS = {
    "C": "C Cmaj CM7 Cmaj7 C6 C6/9 C7 C9 C13 C7b9 C7(b9,#11) Cadd9 C/E CΔ7 C7b5 Csus4 C7sus4 Csus2 C5 C7alt B# Dbb",
    "Am": "Am Amin Ami A- Am7 A-7 Am6 Am9 Am11 Amin7 Am/C AmMaj7 Am(maj7) Am#5",
    "Bdim": "Bdim B° Bo7 Bø Bø7 Bm7b5 Bm7-5 B-7b5 Bmin7(b5) Bdim7 Cb°",
    "Eaug": "Eaug E+ E7#5 E+7 E7+5 Eaug7 E7#9#5 Fb+",
    "F#m": "F#m Gbm G♭m7 F♯m F#m/C#",
    "N.C.": "N.C. NC n.c. N.C",
}


@pytest.mark.parametrize(("triad", "symbol"), [(triad, one) for triad, own in TRIADS.items() for one in own.split()])
def test_a_symbol_is_the_triad_of_its_third_and_fifth(triad: str, symbol: str) -> None:
    chord = parse(symbol)
    assert ("" if chord is None else name(chord)) == triad


@pytest.mark.parametrize(
    "word", ["", "H", "am", "Chorus", "Fade", "Add", "Bad", "Verse 1", "Cx", "C/", "C/H", "Do it", "7", "#", "Em Am"]
)
def test_a_word_is_no_chord(word: str) -> None:
    assert parse(word) is None


def test_a_long_word_is_answered_at_once() -> None:
    assert parse("C" + "sus2" * 5000) is None


def test_labels_are_those_of_magenta() -> None:
    """TriadChordOneHotEncoding: 0 is none; major is root + 1, minor root + 13, augmented root + 25, diminished + 37."""
    assert [parse(symbol) for symbol in ("N.C.", "C", "B", "Cm", "Bm", "Caug", "Baug", "Cdim", "Bdim")] == [
        0, 1, 12, 13, 24, 25, 36, 37, 48,
    ]  # fmt: skip
    assert CHORDS == 49
    assert label(10, 2) == 35


@given(st.integers(0, CHORDS - 1), st.integers(-30, 30))
def test_a_transposed_chord_has_its_root_moved_and_its_quality_kept(chord: int, semitones: int) -> None:
    moved = int(transposed(np.array([chord]), semitones)[0])
    if chord == 0:
        assert moved == 0
    else:
        assert divmod(moved - 1, 12) == ((chord - 1) // 12, ((chord - 1) % 12 + semitones) % 12)
    assert int(transposed(torch.tensor([chord]), torch.tensor(semitones))[0]) == moved
    assert parse(name(chord)) == chord


@pytest.mark.parametrize(
    ("symbol", "notes"),
    [("C", "C E G"), ("Bm", "B D F#"), ("Eaug", "E Ab C"), ("Bdim", "B D F"), ("Am7", "A C E"), ("N.C.", "")],
)
def test_the_tones_of_a_chord_are_its_triad(symbol: str, notes: str) -> None:
    (own,) = np.nonzero(TONES[parse(symbol)])
    assert own.tolist() == sorted(parse(note) - 1 for note in notes.split()), (
        "labels of major triads count roots from 1"
    )


def test_a_progression_is_one_chord_a_bar_or_several_between_bar_lines() -> None:
    one = Progression.of("C, G  Am\tF")
    assert [[name(chord) for chord in bar] for bar in one.bars] == [["C"], ["G"], ["Am"], ["F"]]
    assert str(one) == "C G Am F"
    several = Progression.of("| C G | Am |")
    assert [[name(chord) for chord in bar] for bar in several.bars] == [["C", "G"], ["Am"]]
    assert Progression.of(str(several)) == several


def test_a_double_bar_line_is_one_and_the_bar_before_comes_once_more() -> None:
    assert Progression.of("C || G Am ||") == Progression.of("C | G Am")
    assert Progression.of("C||G") == Progression.of("C G"), "and not one bar of two"
    assert Progression.of("C % G %") == Progression.of("C C G G")
    assert Progression.of("C | G Am | % | % | F") == Progression.of("C | G Am | G Am | G Am | F")


def test_a_progression_is_repeated_over_the_bars_from_any_of_them_on() -> None:
    progression = Progression.of("C | G Am F | N.C.")
    c, g, a, f = (parse(symbol) for symbol in ("C", "G", "Am", "F"))
    assert progression.laid(0, 6, 6).tolist() == [c] * 6
    assert progression.laid(1, 12, 6).tolist() == [g, g, a, a, f, f, *[0] * 6]
    assert progression.laid(5, 9, 6).tolist() == [*[0] * 6, c, c, c], "bar 5 is the third of the second round"
    assert progression.laid(1, 4, 4).tolist() == [g, g, a, f], "thirds of four steps"


def test_the_chord_of_a_bar_is_the_one_on_most_of_its_steps() -> None:
    assert str(progression_of(np.array([8, 1, 1, 1, 0, 0, 22, 22]), 4)) == "C N.C."


def test_a_symbol_stands_where_its_chord_begins() -> None:
    found = symbols_of([np.array([1, 1, 0, 22, 22, 1]), np.zeros(0, np.int16), np.array([1])])
    assert found == [[(0, "C"), (2, "N.C."), (3, "Am"), (5, "C")], [], [(0, "C")]]


@pytest.mark.parametrize(
    ("asked", "spelled"),
    [
        ("B C# Bbm Ebm", "B Db Bbm Ebm"),  # of Gb major all twelve notes, with six signs
        ("Bbm Gbdim Abm", "Bbm Gbdim Abm"),
        ("E C#m A B", "E C#m A B"),
        ("E Dbm A B | Abm", "E C#m A B | G#m"),
        ("Eb Cm Ab A#", "Eb Cm Ab Bb"),
        ("D Bm G F#m A# D D", "D Bm G F#m A# D D"),  # sharps of D major for all of them
        ("C Am G#dim F G", "C Am Abdim F G"),  # C major has no signs: flats
        ("C#", "Db"),
        ("F#", "Gb"),
        ("F#m", "F#m"),  # of A major, E major and D major, all in sharps
        ("N.C. C# N.C.", "N.C. Db N.C."),
        ("N.C.", "N.C."),
    ],
)
def test_a_progression_is_spelled_in_sharps_or_in_flats_and_never_in_both(asked: str, spelled: str) -> None:
    assert str(Progression.of(asked)) == spelled
    assert Progression.of(spelled) == Progression.of(asked)


def test_windows_of_a_piece_are_spelled_together() -> None:
    e_major, lone = Progression.of("E A B E").laid(0, 4, 1), Progression.of("Db").laid(0, 1, 1)
    assert symbols_of([e_major, lone])[1] == [(0, "C#")]
    assert symbols_of([lone]) == [[(0, "Db")]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("C H", r"data\.progression=C H is not possible, since 'H' is no chord symbol; write chords such as C, F#m, "),
        ("G am", r"since 'am' is no chord symbol, whose root is a capital letter; write"),
        ("BB C", r"since 'BB' is no chord symbol; write"),
        ("C | | G", r"has a bar without a chord; write"),
        ("% C", r"data\.progression=% C is not possible, since % has no bar before it; write chords such as"),
        ("C | G %", r"since % stands for a whole bar, and this one has others; write"),
        (" ", r"data\.progression= has a bar without a chord"),
        ("C C C C C C C C C |", r"has 9 chords in a bar; give up to 8 between bar lines"),
        ("C " * (MOST_BARS + 1), r"\.\.\. has 1025 bars; give up to 1024"),
        ("Q" * 500, r"^data\.progression=Q{60}\.\.\. is not possible, since 'Q{60}\.\.\.' is no chord symbol"),
        ("|", r"has a bar without a chord"),
    ],
)
def test_what_is_no_progression_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Progression.of(text)
