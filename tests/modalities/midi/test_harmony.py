"""The chords of a file: inferred from what is played beside a melody, or read from its chord symbols."""

import numpy as np
import pytest

from seqvae.modalities.midi.chorded_part import AskedPart, ChordedPart
from seqvae.modalities.midi.chords import Progression, name
from seqvae.modalities.midi.grid import layout
from seqvae.modalities.midi.harmony import best_triads, spans_of_bar, symbols_of
from seqvae.modalities.midi.meters import Meter
from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.parser import parse
from seqvae.modalities.midi.voices import VoicePart
from tests.modalities.midi.smf import hits, meter, midi
from tests.modalities.midi.tunes import Played, song, track, words

LEAD = track([(0, 4, 72), (4, 8, 74), (8, 16, 76), (16, 24, 77), (28, 32, 79)], "Lead")  # two bars of 4/4


def read(notes: Notes, chords: str = "tracks", voice: str = "Lead", asked: str = "") -> list[str]:
    """The chord on each step of a piece, by its symbol."""
    own = VoicePart(voice)
    part = AskedPart(own, chords, Progression.of(asked)) if asked else ChordedPart(own, chords)
    taken = part.take(notes)
    (segment,) = layout(notes, taken.places).segments
    (stretch,) = part.ways(segment, taken)
    assert len(stretch.whole.chords) == len(stretch.whole.events)
    return [name(chord) for chord in stretch.whole.chords.tolist()]


def halves(notes: Notes, chords: str = "tracks", voice: str = "Lead") -> list[str]:
    """The chord of each half bar, on all eight steps of which it stands."""
    found = read(notes, chords, voice)
    spans = [set(found[first : first + 8]) for first in range(0, len(found), 8)]
    assert all(len(span) == 1 for span in spans)
    return [symbol for (symbol,) in spans]


def triad(pitches: str, seconds: tuple[int, ...] = ()) -> str:
    """The triad of pitches that sound for so long each, or all equally."""
    found = [int(pitch) for pitch in pitches.split()]
    time = np.array(seconds or [1] * len(found)).reshape(-1, 1)
    order = np.argsort(found)
    return name(int(best_triads(np.array(found)[order], time[order])[0]))


@pytest.mark.parametrize(
    ("pitches", "seconds", "chord"),
    [
        ("48 52 55", (), "C"),
        ("48 51 55", (), "Cm"),
        ("48 52 56", (), "Caug"),
        ("48 51 54", (), "Cdim"),
        ("52 60 67", (), "C"),  # an inversion
        ("49 53 56 73", (), "C#"),  # doubled notes
        ("43 47 50 53", (), "G"),  # G7 has Bdim in it, and its root is the bass
        ("47 50 53 55", (), "Bdim"),  # the same notes over B
        ("45 48 52 55", (), "Am"),  # Am7 or C6: the bass says which
        ("48 52 55 57", (), "C"),
        ("45 48 52 55", (2, 2, 2, 5), "C"),  # a share of 9/11 to 6/11 is more than the bass
        ("48 55", (), "C"),  # a bare fifth: major before minor
        ("55 64", (3, 2), "Em"),  # of E and G, both of Em and C, E is a root that sounds
        ("52 60", (2, 3), "C"),  # and not Eaug, of which E would be the bass
        ("48 54", (), "N.C."),  # two notes of diminished triads
        ("48", (), "N.C."),  # a single note is no triad
        ("48 60 72", (), "N.C."),
        ("48 49 50 51 52 53", (), "N.C."),  # half of the time or less
        ("48 49 50 52", (), "N.C."),
        ("48 52 50", (2, 2, 3), "C"),  # four of seven
        ("45 57 48 52 56", (4, 4, 2, 2, 1), "Am"),  # E, G#, C are Caug, of 5 of 13
    ],
)
def test_the_triad_is_the_one_with_the_largest_share_of_the_time(
    pitches: str, seconds: tuple[int, ...], chord: str
) -> None:
    assert triad(pitches, seconds) == chord


def test_triads_move_with_what_is_played() -> None:
    random = np.random.default_rng(0)
    pitches, time = np.arange(30, 90), random.integers(0, 5, (60, 40)) * (random.random((60, 40)) < 0.1)
    here, there = best_triads(pitches, time), best_triads(pitches + 5, time)
    assert len(set(here.tolist())) > 10
    kinds = [np.where(labels > 0, (labels - 1) // 12, -1) for labels in (here, there)]
    assert (kinds[0] == kinds[1]).mean() > 0.9  # of equal ones the lowest label, which may be another then
    same = (kinds[0] == kinds[1]) & (here > 0) & (kinds[0] != 2)  # an augmented triad is three of them
    assert ((there[same] - here[same]) % 12 == 5).mean() > 0.9


def test_there_is_no_chord_in_silence_and_without_any_note() -> None:
    assert best_triads(np.array([48, 52, 55]), np.array([[0, 1], [0, 1], [0, 1]])).tolist() == [0, 1]
    assert best_triads(np.zeros(0, np.int64), np.zeros((0, 3), np.int64)).tolist() == [0, 0, 0]


CHORDS: list[Played] = [
    *((0, 8, pitch) for pitch in (48, 52, 55)),
    *((8, 16, pitch) for pitch in (43, 47, 50)),
    *((16, 20, pitch) for pitch in (45, 48, 52)),  # half of the half bar is silent
]


def test_chords_are_inferred_for_each_half_bar_from_what_is_played_beside_the_melody() -> None:
    assert halves(song(LEAD, track(CHORDS, "Piano", channel=1))) == ["C", "G", "Am", "N.C."]


def test_a_note_counts_for_as_long_as_it_sounds_in_each_half_bar() -> None:
    held = track([(0, 32, 48), (0, 32, 52), (0, 12, 55), (12, 32, 57)], "Strings", channel=1)
    assert halves(song(LEAD, held)) == ["C", "C", "Am", "Am"], "in the second half G and A sound as long: C is the bass"
    late = track([(0, 32, 48), (0, 32, 52), (0, 11, 55), (11, 32, 57)], "Strings", channel=1)
    assert halves(song(LEAD, late)) == ["C", "C", "Am", "Am"], "21 of 24 against 19 of 24 and the bass"
    soon = track([(0, 32, 48), (0, 32, 52), (0, 9, 55), (9, 32, 57)], "Strings", channel=1)
    assert halves(song(LEAD, soon)) == ["C", "Am", "Am", "Am"]


def test_drums_and_the_melody_say_nothing_of_chords() -> None:
    drums = hits([(0, 36), (480, 38), (960, 42), (1440, 47)])
    piano = track(CHORDS, "Piano", channel=1)
    expected = read(song(LEAD, piano))
    assert read(song(LEAD, piano, drums)) == expected
    other = track([(0, 16, 60), (16, 31, 69), (31, 32, 49)], "Lead")
    assert read(song(other, piano)) == expected, "a melody changes no chord"
    assert set(read(song(LEAD, drums))) == {"N.C."}


def test_of_the_highest_voice_all_other_notes_are_played_beside_it() -> None:
    piano = track([*CHORDS, (0, 8, 76), (8, 16, 78), (16, 24, 80), (24, 32, 82)], "Piano")
    assert halves(song(piano), voice="highest") == ["C", "G", "Am", "N.C."]


def test_bars_that_cannot_be_halved_have_one_chord() -> None:
    waltz = meter(0, 3, 2)
    piano = track([(0, 6, 48), (0, 6, 52), (0, 12, 55), (12, 24, 45), (12, 24, 48), (12, 24, 52)], "Piano", channel=1)
    lead = track([(0, 4, 72), (20, 24, 72)], "Lead")
    assert read(parse(midi(waltz, lead, piano), "song.mid")) == ["C"] * 12 + ["Am"] * 12


@pytest.mark.parametrize(
    ("meter", "steps", "spans"), [((4, 4), 16, 2), ((2, 2), 16, 1), ((6, 8), 12, 2), ((3, 4), 12, 1), ((6, 32), 3, 1)]
)
def test_a_bar_has_as_many_chords_as_magentas(meter: Meter, steps: int, spans: int) -> None:
    assert spans_of_bar(meter, steps) == spans


def test_symbols_hold_from_the_nearest_step_on_and_before_the_first_there_is_no_chord() -> None:
    marks = words((4.4, "C"), (7.5, "Gm7"), (16, "N.C."), (19.6, "F"), (20, "E7"))
    found = read(song(LEAD, marks), "symbols")
    assert found == ["N.C."] * 4 + ["C"] * 4 + ["Gm"] * 8 + ["N.C."] * 4 + ["E"] * 12


def test_of_several_symbols_on_one_tick_the_last_holds() -> None:
    assert read(song(LEAD, words((0, "C"), (0, "F"))), "symbols") == ["F"] * 32


def test_markers_are_read_before_texts_and_these_before_lyrics_where_half_of_them_are_chords() -> None:
    texts, lyrics = words((0, "F"), kind=1), words((0, "G"), (8, "A"), (16, "love"), kind=5)
    verse = words((0, "Verse"), (0, "C"), (16, "Chorus"))
    assert set(read(song(LEAD, verse, texts, lyrics), "symbols")) == {"F"}, "one marker of three is a chord"
    both = words((0, "Verse"), (0, "C"), (16, "Chorus"), (16, "D"))
    assert read(song(LEAD, both, texts, lyrics), "symbols") == ["C"] * 16 + ["D"] * 16
    assert read(song(LEAD, lyrics), "symbols") == ["G"] * 8 + ["A"] * 24
    _, strange = symbols_of(song(LEAD, both))
    assert dict(strange) == {"Verse": 1, "Chorus": 1}


def test_symbols_in_the_letters_of_older_programs_are_read() -> None:
    assert set(read(song(LEAD, words((0, "C°"), charset="latin-1")), "symbols")) == {"Cdim"}


def test_a_file_without_symbols_is_left_out_where_they_are_asked_for() -> None:
    taken = ChordedPart(VoicePart("Lead"), "symbols").take(song(LEAD, track(CHORDS, channel=1), words((0, "Verse"))))
    assert (len(taken.places), taken.found, taken.lacks) == (0, 0, "chord symbols")


@pytest.mark.parametrize("chords", ["tracks", "symbols"])
def test_a_progression_stands_for_the_chords_of_a_file_that_has_none_and_for_no_others(chords: str) -> None:
    assert read(song(LEAD), chords, asked="C | G F") == ["C"] * 16 + ["G"] * 8 + ["F"] * 8
    assert set(read(song(LEAD, words((0, "E"))), chords, asked="C G")) == {"E"}
    accompanied = song(LEAD, track(CHORDS, channel=1))
    found = read(accompanied, chords, asked="E B")
    assert (found == read(accompanied)) == (chords == "tracks")
    assert (found == ["E"] * 16 + ["B"] * 16) == (chords == "symbols")


def test_a_progression_goes_on_from_one_metre_to_the_next() -> None:
    notes = parse(midi(meter(0, 4, 2) + meter(1920, 3, 2), LEAD), "song.mid")
    part = AskedPart(VoicePart("Lead"), "symbols", Progression.of("C G F"))
    taken = part.take(notes)
    found = [part.ways(segment, taken)[0].whole.chords.tolist() for segment in layout(notes, taken.places).segments]
    assert [[name(chord) for chord in own] for own in found] == [["C"] * 16, ["G"] * 12 + ["F"] * 12]


def test_what_is_played_goes_before_symbols_and_these_before_nothing() -> None:
    marks = words((0, "E"))
    assert halves(song(LEAD, track(CHORDS, channel=1), marks)) == ["C", "G", "Am", "N.C."]
    assert set(read(song(LEAD, marks))) == {"E"}
    assert set(read(song(LEAD))) == {"N.C."}
