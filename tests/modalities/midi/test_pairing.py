"""Where notes end: paired note-offs, and rules for those that are missing; checked against other readers."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.pairing import KeyEvents, end_ticks
from seqvae.modalities.midi.parser import MOST_QUARTERS, parse
from tests.modalities.midi.smf import END, chunk, header, midi, number, off, on, program


def ends(*tracks: bytes, ticks_per_quarter: int = 480) -> list[tuple[int, int, int]]:
    """(tick, pitch, end) of the notes."""
    read = parse(midi(*tracks, ticks_per_quarter=ticks_per_quarter), "a.mid")
    return list(zip(read.tick.tolist(), read.pitch.tolist(), read.end.tolist(), strict=True))


@pytest.mark.parametrize(
    ("track", "expected"),
    [
        (on(3, 36) + off(4, 36), [(3, 7)]),
        (on(3, 36) + on(4, 36, velocity=0), [(3, 7)]),
        (on(3, 36) + off(0, 36), [(3, 3)]),
        (on(3, 36) + off(4, 36) + on(0, 36) + off(2, 36), [(3, 7), (7, 9)]),
        (on(3, 36) + on(4, 36) + off(2, 36) + off(5, 36), [(3, 9), (7, 14)]),
        (on(3, 36) + on(0, 36) + off(2, 36) + off(5, 36), [(3, 5), (3, 10)]),
        (on(3, 36) + on(4, 36) + off(0, 36) + off(5, 36), [(3, 7), (7, 12)]),
        (on(3, 36) + off(9, 38), [(3, 12)]),
        (on(3, 36) + on(4, 38) + on(2, 36), [(3, 9), (7, 9), (9, 9)]),
        (on(3, 36) + number(9) + b"\xb9\x04\x40", [(3, 12)]),
        (on(3, 36) + on(4, 36) + off(5, 36), [(3, 7), (7, 12)]),
        (off(2, 36) + on(1, 36) + off(4, 36), [(3, 7)]),
        (off(2, 36) + on(1, 36) + number(5) + b"\xb9\x04\x40", [(3, 8)]),
        (on(3, 36) + off(4, 36) + off(4, 36), [(3, 7)]),
        (on(3, 36) + off(4, 36, channel=3), [(3, 7)]),
    ],
    ids=[
        "closed", "closed by velocity 0", "no length", "closed where the next begins", "the oldest is closed first",
        "two at once", "one closed where another begins", "closed by another pitch: never", "never closed",
        "the track goes on", "closed together", "closed before", "closed before and never again", "closed twice",
        "closed on another channel: never",
    ],
)  # fmt: skip
def test_each_note_ends_with_its_own_note_off_or_the_next_event_of_its_key(
    track: bytes, expected: list[tuple[int, int]]
) -> None:
    assert [(tick, end) for tick, _, end in ends(track)] == expected


def test_a_missing_note_off_on_one_key_leaves_the_others_alone() -> None:
    track = on(0, 40) + on(0, 36) + on(10, 36) + on(0, 40) + off(10, 36) + off(10, 40) + off(10, 40)
    assert ends(track) == [(0, 36, 10), (0, 40, 30), (10, 36, 20), (10, 40, 40)]


def test_notes_are_paired_within_their_track() -> None:
    assert ends(on(0, 36) + off(9, 36), on(4, 36) + off(1, 36)) == [(0, 36, 9), (4, 36, 5)]
    assert ends(on(0, 36), off(7, 36)) == [(0, 36, 0)], "a track that ends with its note"
    assert ends(on(0, 36), on(4, 36) + off(3, 40)) == [(0, 36, 0), (4, 36, 7)], "each to the end of its own track"


def test_a_broken_track_ends_where_it_breaks() -> None:
    content = on(0, 36) + on(5, 38) + number(9) + b"\xb9\x04\x40" + b"\x03"
    read = parse(header(1) + chunk(content), "a.mid")
    assert (read.end.tolist(), read.damage) == ([17, 17], "track 1 breaks off")


def test_no_note_goes_on_beyond_the_last_quarter() -> None:
    """Note-offs there are left out; they are no reason to refuse a file, as notes there are."""
    late = on(0, 36) + on(5, 38) + off(1, 38) + off(0x0FFFFFFF, 36)
    assert ends(late, ticks_per_quarter=1) == [(0, 36, MOST_QUARTERS), (5, 38, 6)]
    silent = on(0, 36) + number(0x0FFFFFFF) + b"\xb9\x04\x40"
    assert ends(silent, ticks_per_quarter=1) == [(0, 36, MOST_QUARTERS)]


def test_bytes_that_are_no_data_bytes_close_nothing() -> None:
    assert ends(on(0, 36) + number(1) + b"\x89\xa4\x40" + off(3, 36)) == [(0, 36, 4)]


def test_programs_are_those_in_force_at_each_note() -> None:
    changes = program(0, 8) + on(5, 36) + program(1, 16) + on(0, 36) + on(2, 36) + program(0, 30)
    read = parse(midi(changes, on(4, 60, channel=2) + program(3, 5, channel=2) + on(0, 60, channel=2)), "a.mid")
    found = list(zip(read.tick.tolist(), read.channel.tolist(), read.program.tolist(), strict=True))
    assert found == [(4, 2, 0), (5, 9, 8), (6, 9, 16), (7, 2, 5), (8, 9, 30)]


def test_a_change_of_program_long_after_the_last_note_is_none_of_it_and_of_no_other_channel() -> None:
    late = b"".join(program(0x0FFFFFFF, 9, channel=1) for _ in range(400))  # beyond 2 ** 36 ticks
    read = parse(midi(program(0, 4, channel=2) + on(0, 60, channel=1) + on(0, 61, channel=2) + late), "a.mid")
    assert read.program.tolist() == [0, 4]


# One plain pass over the events, key by key; the rule of the docstring and nothing else.
def ends_by_hand(events: list[tuple[int, int, bool]], last: int) -> list[int]:
    by_key: dict[int, list[int]] = defaultdict(list)
    for place, (_, key, _) in enumerate(events):
        by_key[key].append(place)
    found = {}
    for places in by_key.values():
        struck, released, opened = [], [], []
        for place in places:
            (struck if events[place][2] else released).append(place)
            opened.append(len(struck) - len(released))
        for rank, place in enumerate(struck):
            after = [other for other in places if other > place]
            if opened[-1] == 0 and min(opened) >= 0:
                found[place] = events[released[rank]][0]
            else:
                found[place] = events[after[0]][0] if after else last
    return [found[place] for place in sorted(found)]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([True, True, False])), max_size=30),
    st.booleans(),
)
def test_any_events_are_paired_as_the_rule_says(steps: list[tuple[int, int, bool]], closed: bool) -> None:
    tick, events = 0, []
    for delta, key, is_on in steps:
        tick += delta
        events.append((tick, key, is_on))
    if closed:  # as many note-offs as note-ons, so that both rules are met often
        for key in range(4):
            open_notes = sum(1 if is_on else -1 for _, its, is_on in events if its == key)
            events += [(tick + 5 + key, key, False)] * open_notes
            tick += (5 + key) * (open_notes > 0)
    columns = [np.array([event[column] for event in events], dtype=np.int64) for column in range(3)]
    is_on = columns[2].astype(bool)
    found = end_ticks(KeyEvents(columns[0], columns[1], is_on, np.array([tick + 9])))
    assert found[is_on].tolist() == ends_by_hand(events, tick + 9)


def rows(read: Notes) -> list[tuple[int, ...]]:
    """Onset, pitch, velocity, end and program of the notes."""
    arrays = (read.tick, read.pitch, read.velocity, read.end, read.program)
    return sorted(zip(*(array.tolist() for array in arrays), strict=True))


def theirs(data: bytes) -> list[tuple[int, ...]]:
    """What symusic reads of a file."""
    import symusic

    score = symusic.Score.from_midi(data)
    return sorted(
        (note.time, note.pitch, note.velocity, note.time + note.duration, track.program)
        for track in score.tracks
        for note in track.notes
    )


@pytest.mark.parametrize(("corpus", "step", "files"), [("gmd", 10, 115), ("pop909", 40, 23), ("karaoke", 8, 19)])
def test_symusic_finds_the_same_ends_velocities_and_programs(
    corpus: str, step: int, files: int, shared_data: Path
) -> None:
    """In good files; drummers strike a drum again before its note-off, in one hit of twenty."""
    found = sorted((shared_data / corpus).rglob("*.mid"))[::step]
    assert len(found) == files
    for file in found:
        data = file.read_bytes()
        assert rows(parse(data, file)) == theirs(data), file


def test_a_file_without_an_end_of_track_is_read_to_its_last_event() -> None:
    whole = midi(on(0, 36) + on(7, 38))
    assert parse(whole[: -len(END)], "a.mid").end.tolist() == [7, 7]
