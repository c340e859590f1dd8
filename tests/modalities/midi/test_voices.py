"""One voice of a file: which track it is, what hides a note, how long notes last, and what is said where none is."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pretty_midi import Instrument, Note, PrettyMIDI

from seqvae.modalities.base import Report
from seqvae.modalities.midi.midi_objects import from_midi
from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.parser import parse
from seqvae.modalities.midi.phrase import HOLD, OFF
from seqvae.modalities.midi.voice_settings import MelodyData
from seqvae.modalities.midi.voices import VoicePart, lines_of
from tests.modalities.midi.smf import hits, meter, midi, off, on
from tests.modalities.midi.songs import counts_of, write
from tests.modalities.midi.tunes import STEP, cut, events, song, source_of, track

_, X = HOLD, OFF
LEAD = track([(0, 4, 60), (4, 8, 62), (12, 16, 64)], "Lead")
PIANO = track([(0, 16, 48), (0, 2, 55), (8, 12, 72)], "Piano", channel=1)


def test_a_pitch_stands_where_it_begins_an_off_where_silence_does() -> None:
    assert events(song(LEAD)) == [60, _, _, _, 62, _, _, _, X, _, _, _, 64, _, _, _]


def test_a_note_that_is_struck_again_begins_anew_without_an_off() -> None:
    assert events(song(track([(0, 2, 60), (2, 4, 60), (6, 7, 60)]))) == [60, _, 60, _, X, _, 60, X] + [_] * 8


def test_ends_go_to_the_nearest_step_and_every_note_has_one() -> None:
    ends = song(track([(0, 1.4, 60), (3, 3.1, 62), (6, 7.5, 64), (10, 12.6, 65)]))
    assert events(ends) == [60, X, _, 62, X, _, 64, _, X, _, 65, _, _, X, _, _]


def test_a_later_note_ends_the_one_before_and_of_those_at_once_the_highest_is_heard() -> None:
    chords = song(track([(0, 8, 60), (0, 4, 67), (0, 4, 64), (2, 6, 59)], "Lead"))
    assert events(chords, voice="Lead")[:7] == [67, _, 59, _, _, _, X], "as in MusicVAE, within one track"
    assert events(chords, voice="highest")[:5] == [67, _, _, _, X]
    assert events(chords, voice="lowest")[:9] == [60, _, 59, _, _, _, X, _, _]


def test_of_notes_on_one_step_of_the_grid_the_highest_is_heard() -> None:
    rolled = track([(0, 4, 60), (0.2, 4, 64), (0.4, 4, 62)], "Lead")
    assert events(song(rolled), voice="Lead")[:5] == [64, _, _, _, X]
    assert events(song(rolled), voice="lowest")[:5] == [60, _, _, _, X]


def test_the_highest_voice_of_all_tracks_is_what_sounds_above_all_others() -> None:
    low = track([(0, 16, 48), (2, 3, 52), (9, 10, 50), (11, 12, 52)], "Low", channel=1)
    assert events(song(LEAD, low)) == [60, _, _, _, 62, _, _, _, X, 50, X, 52, 64, _, _, _]
    assert events(song(LEAD, low), voice="lowest") == [48] + [_] * 15


@pytest.mark.parametrize(("end", "heard"), [(4.9, True), (5.1, False), (8, False)])
def test_a_lower_note_is_heard_where_a_higher_one_is_played_legato_into_it(end: float, heard: bool) -> None:
    found = events(song(track([(0, end, 67), (4, 8, 60)])))
    assert (found[4] == 60) is heard


def test_a_short_note_under_a_longer_one_is_not_heard() -> None:
    assert events(song(track([(0, 4.5, 67), (4, 4.4, 60)])))[:6] == [67, _, _, _, _, X]


def test_what_a_hidden_note_would_hide_is_heard() -> None:
    tracks = song(track([(0, 8, 72), (6, 16, 60), (10, 12, 55)]))
    assert events(tracks)[8:13] == [X, _, 55, _, X], "60 is not heard, so it hides nothing"


# One plain pass over the notes by onset, at once the highest first, of equals the longest: the rule of the docstring.
def heard_by_hand(rows: list[tuple[int, int, int]], quarter: int, sign: int, covers: bool) -> list[int]:
    found: list[int] = []
    for place in sorted(range(len(rows)), key=lambda place: (rows[place][0], -sign * rows[place][1], -rows[place][2])):
        at, pitch, end = rows[place]
        if found:
            begun, top, until = rows[found[-1]]
            hidden = covers and sign * pitch < sign * top and until > at
            if at == begun or (hidden and (until >= end or 4 * (until - at) > quarter)):
                continue
        found.append(place)
    return found


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(60, 63), st.integers(0, 5)), max_size=14),
    st.sampled_from(["highest", "lowest", "Lead"]),
)
def test_any_notes_are_heard_as_the_rule_says(notes: list[tuple[int, int, int]], voice: str) -> None:
    rows = sorted([(at, pitch, at + length) for at, pitch, length in notes], key=lambda row: row[:2])
    tick, pitch, end = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    read = Notes(8, tick, pitch, np.full_like(tick, 99), np.zeros_like(tick), names={0: "Lead"}, ends=lambda: end)
    expected = heard_by_hand(rows, 8, -1 if voice == "lowest" else 1, voice != "Lead")
    assert VoicePart(voice).take(read).places.tolist() == expected


def test_a_track_is_chosen_by_its_number_or_its_name() -> None:
    both = song(LEAD, PIANO)
    lead, piano = events(both, voice="Lead"), events(both, voice="piano")
    assert events(both, voice="track 1") == events(both, voice="Track #1") == lead
    assert events(both, voice="track 2") == piano
    assert piano[:10] == [55, _, X, _, _, _, _, _, 72, _]
    two = song(LEAD, track([(8, 12, 72)], "lead", channel=1))
    assert events(two, voice="Lead")[8] == 72, "tracks of one name are one voice"


def test_a_number_means_one_track_even_where_another_is_called_so() -> None:
    shifted = song(track([(0, 4, 70)], "Track 2"), track([(8, 12, 50)], "Track 3", channel=1))
    assert events(shifted, voice="track 2") == [_] * 8 + [50, _, _, _, X, _, _, _]
    with pytest.raises(ValueError, match=r"no notes on track 3 in 1 file; .*: 1 Track 2 \(1\), 2 Track 3"):
        cut(shifted, voice="track 3")


def test_capital_letters_make_no_name_of_the_highest_or_lowest_voice() -> None:
    both = song(LEAD, PIANO)
    assert events(both, voice=" Lowest") == events(both, voice="lowest") != events(both)
    assert events(both, voice="HIGHEST") == events(both)


def test_tracks_count_where_they_have_notes_and_channels_of_one_track_are_several() -> None:
    one = parse(midi(on(0, 60, channel=0) + on(0, 70, channel=3) + on(0, 36) + off(STEP, 60, 0), form=0), "zero.mid")
    assert [str(line) for line in lines_of(one)] == ["1", "2"]
    assert events(one, voice="track 2")[0] == 70
    named = song(b"\0\xff\x03\x05Words", LEAD, track([(0, 1, 36)], "Kit", channel=9), PIANO)
    assert [str(line) for line in lines_of(named)] == ["1 Lead", "2 Piano"]


def test_names_are_one_line_in_any_encoding() -> None:
    latin, long = b"\0\xff\x03\x05Fl\xf6te", b"\0\xff\x03\x32" + b"a\nb  " * 10
    read = song(latin + track([(0, 1, 60)]), long + track([(0, 1, 61)], channel=1))
    assert [line.name for line in lines_of(read)] == ["Flöte", "a b " * 9 + "a b"]


def test_an_object_has_the_tracks_of_its_file() -> None:
    made = PrettyMIDI(resolution=480)
    for name, pitch in (("Lead", 60), ("Bass", 40)):
        made.instruments.append(Instrument(5, name=name))
        made.instruments[-1].notes.append(Note(90, pitch, 0.0, 0.5))
    read = from_midi(made)
    assert [str(line) for line in lines_of(read)] == ["1 Lead", "2 Bass"]
    assert events(read, voice="track 2")[0] == 40
    assert cut(read, voice="Lead")[0].program == 5


def test_windows_stand_alone_what_began_before_is_not_heard_in_them() -> None:
    long = song(track([(0, 20, 60), (24, 40, 62), (44, 48, 64)]))
    first, second, third = cut(long, bars=1)
    assert first.events.tolist() == [60] + [_] * 15
    assert second.events.tolist() == [_] * 8 + [62] + [_] * 7, "not even its end, as in MusicVAE"
    assert third.events.tolist() == [_] * 12 + [64, _, _, _]
    assert cut(long, bars=3)[0].events[20] == X


def test_windows_without_notes_are_left_out_and_counted_and_keep_their_numbers(tmp_path: Path) -> None:
    write(tmp_path, {"a.mid": midi(track([(0, 1, 60), (16 * 4, 16 * 4 + 1, 62)]))})
    source, report = source_of(bars=1), Report()
    found = list(source.read([tmp_path], report))
    assert [phrase.events.max() for phrase in found] == [60, 62]
    assert counts_of(report)["windows without notes, left out"] == 3
    assert counts_of(report)["windows found"] == 2
    named = list(source.named([tmp_path], Report(), [(4, 4)]))
    assert [each.name.rpartition("#")[2] for each in named] == ["0", "4"]
    assert len(cut(parse((tmp_path / "a.mid").read_bytes(), "a"), bars=1)) == 5, "a whole piece has its silence"


def test_every_note_is_accounted_for(tmp_path: Path) -> None:
    notes = [(0, 4, 60), (0, 4, 55), (1, 3, 50), (6, 7, 110), (8, 9, 62), (8.3, 9.5, 61), (40, 41, 60)]
    write(tmp_path, {"a.mid": midi(track(notes), track([(0, 1, 36)], channel=9))})
    report = Report()
    list(source_of(hop=2).read([tmp_path], report))
    counts = counts_of(report)
    assert counts["notes found"] == 7
    assert counts["notes hidden by a higher one"] == 2
    assert counts["notes of pitches not from 21 to 108: 110"] == 1
    assert counts["notes lost to the grid: grace notes closer than 1/12 of a quarter"] == 1
    assert counts["notes outside of windows"] == 1
    assert counts["notes on the grid"] == 2


def test_the_program_is_that_of_most_notes() -> None:
    tracks = song(track([(0, 1, 90)], channel=0, program=7), track([(4, 5, 60), (8, 9, 60)], channel=1, program=73))
    assert cut(tracks)[0].program == 73
    assert cut(tracks, voice="track 1")[0].program == 7


def test_pieces_may_be_taken_for_another_metre_than_they_say() -> None:
    quarters = parse(midi(meter(0, 1, 2) + track([(step, step + 1, 60 + step) for step in range(16)])), "a.mid")
    assert [phrase.meter for phrase in cut(quarters, bars=1)] == [(1, 4)] * 4
    (whole,) = cut(quarters, bars=1, assume_meter="4/4")
    assert (whole.meter, whole.events.tolist()) == ((4, 4), list(range(60, 76)))
    with pytest.raises(
        ValueError, match=r"^data.assume_meter=4 is not possible; write beats/unit, such as 4/4 or 6/8$"
    ):
        MelodyData(assume_meter="4")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"voice": "Flute"},
            "has no notes on a track called Flute in 1 file; tracks with notes: 1 Lead (3), 2 Piano (3), drums (2); "
            "pass one of these as data.voice='track N' or data.voice=NAME",
        ),
        (
            {"voice": "track 3"},
            "has no notes on track 3 in 1 file; tracks with notes: 1 Lead (3), 2 Piano (3), drums (2); pass one of "
            "these as data.voice='track N' or data.voice=NAME",
        ),
        (
            {"lowest_pitch": 100},
            "the range from 100 to 108 holds no pitch of PATH: it has 48 (1), 55 (1), 60 (1), 62 (1), 64 (1), 72 (1); "
            "pass another data.lowest_pitch or data.highest_pitch",
        ),
    ],
)
def test_a_voice_that_is_not_there_is_refused_with_those_that_are(
    settings: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    write(tmp_path, {"a.mid": midi(b"", LEAD, PIANO, hits([(0, 36), (960, 38)]))})
    with pytest.raises(ValueError) as caught:
        list(source_of(**settings).read([tmp_path], Report()))
    assert str(caught.value) == (
        f"{tmp_path} {sentence}" if "PATH" not in sentence else sentence.replace("PATH", str(tmp_path))
    )


def test_files_of_drums_alone_have_no_melody(tmp_path: Path) -> None:
    write(tmp_path, {"a.mid": midi(hits([(0, 36), (960, 38)]))})
    with pytest.raises(
        ValueError,
        match=r"no notes on any track but drums in 1 file; tracks with notes: drums \(2\); give files with a melody$",
    ):
        list(source_of().read([tmp_path], Report()))


def test_no_voice_is_offered_of_a_file_of_drums_alone() -> None:
    with pytest.raises(ValueError, match=r"called Lead in 1 file; tracks with notes: drums \(2\); give files with"):
        cut(song(track([(0, 1, 36), (4, 5, 38)], channel=9)), voice="Lead")


def test_tracks_are_named_by_their_numbers_in_order() -> None:
    many = song(*(track([(0, 1, 60)], channel=n % 9) for n in range(11)))
    with pytest.raises(
        ValueError, match=r"tracks with notes: 1 \(1\), 2 \(1\), 3 \(1\), 4 \(1\), 5 \(1\), 6 \(1\), ..."
    ):
        cut(many, voice="nobody")


@pytest.mark.parametrize("voice", ["track 0", " "])
def test_a_voice_that_cannot_be_is_refused_at_once(voice: str) -> None:
    with pytest.raises(ValueError, match="give highest, lowest, 'track N' with N from 1, or the name of a track"):
        MelodyData(voice=voice)


def test_what_is_heard_is_monophonic_whatever_is_played() -> None:
    """Against a plain reading of the rule of the highest voice, note by note, on random music."""
    rng = np.random.default_rng(0)
    for _try in range(20):
        starts = rng.integers(0, 60, 30)
        played = [(int(s), int(s + rng.integers(1, 12)), int(rng.integers(50, 80))) for s in starts]
        tick = [(s, -p, -e) for s, e, p in played]
        kept: list[tuple[int, int, int]] = []
        for s, p, e in sorted(tick):
            start, pitch, end = s, -p, -e
            if kept and kept[-1][0] == start:
                continue
            sounding = [one for one in kept[-1:] if one[2] > start and one[1] > pitch]
            if any(one[2] >= end or one[2] > start + 1 for one in sounding):
                continue
            kept.append((start, pitch, end))
        expected = np.full(64, HOLD)
        for number, (_start, _pitch, end) in enumerate(kept):
            following = kept[number + 1][0] if number + 1 < len(kept) else 64
            if end < following:
                expected[end] = OFF
        for start, pitch, _end in kept:
            expected[start] = pitch
        found = cut(song(*(track([one], channel=n % 9) for n, one in enumerate(played))), bars=4)[0].events
        assert found.tolist() == expected[: len(found)].tolist()
