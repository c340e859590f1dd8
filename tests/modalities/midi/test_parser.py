"""MIDI bytes to note-ons: what is read, what is repaired, what is refused; and no bytes hang or fill the memory."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.parser import MOST_BYTES, MOST_CHANGES, MidiError, parse
from tests.modalities.midi.smf import END, chunk, header, hits, meter, midi, number, off, on, program, tempo

ROOT = Path(__file__).resolve().parents[3]
MEGABYTES, SECONDS = 300, 2.0  # that one file may take


def notes(data: bytes) -> list[tuple[int, int]]:
    """(tick, pitch) of the note-ons."""
    read = parse(data, "a.mid")
    return list(zip(read.tick.tolist(), read.pitch.tolist(), strict=True))


def refusal(data: bytes) -> str:
    with pytest.raises(MidiError) as caught:
        parse(data, Path("songs/a.mid"))
    assert caught.value.path == Path("songs/a.mid")
    assert str(caught.value) == f"songs/a.mid is not read: {caught.value.reason}"
    return caught.value.reason


def test_note_ons_of_all_tracks_are_sorted_by_tick_and_pitch() -> None:
    read = parse(midi(on(5, 42, 9) + on(0, 36, 7, channel=3), on(2, 50, 8), ticks_per_quarter=96), "a.mid")
    assert read.ticks_per_quarter == 96
    assert read.tick.tolist() == [2, 5, 5]
    assert read.pitch.tolist() == [50, 36, 42]
    assert read.velocity.tolist() == [8, 7, 9]
    assert read.channel.tolist() == [9, 3, 9]
    assert len(read) == 3


@pytest.mark.parametrize(
    ("track", "expected"),
    [
        (on(3, 36) + off(0, 36), [(3, 36)]),
        (on(3, 36) + on(4, 38), [(3, 36), (7, 38)]),
        (on(3, 36) + on(4, 36) + off(5, 36), [(3, 36), (7, 36)]),
        (on(3, 36) + on(0, 36) + off(5, 36) + off(0, 36), [(3, 36), (3, 36)]),
        (off(3, 36) + on(0, 36), [(3, 36)]),
        (on(3, 36) + on(4, 36, velocity=0), [(3, 36)]),
    ],
    ids=["zero length", "never closed", "closed together", "at once", "closed before", "velocity 0 is a note-off"],
)
def test_every_note_on_counts(track: bytes, expected: list[tuple[int, int]]) -> None:
    assert notes(midi(track)) == expected


def test_running_status_lasts_through_meta_events_and_system_messages() -> None:
    track = on(1, 36) + b"\x02\x26\x40" + b"\0\xff\x01\x01a" + b"\x03\x2a\x40" + b"\0\xf0\x02\x01\xf7" + b"\x04\x2e\x40"
    assert notes(midi(track)) == [(1, 36), (3, 38), (6, 42), (10, 46)]


def test_running_status_of_events_with_one_byte() -> None:
    assert notes(midi(b"\x01\xd9\x40\x01\x41\x01\x42" + on(1, 36) + b"\0\xc9\x05\x01\x06" + on(1, 38))) == [
        (4, 36),
        (6, 38),
    ]


def test_system_messages_that_have_no_place_in_a_file_are_passed_over() -> None:
    others = b"\x01\xf1\x05\x01\xf2\x05\x06\x01\xf3\x05" + b"".join(
        bytes([1, s]) for s in (0xF4, 0xF5, 0xF6, 0xF8, 0xFE)
    )
    assert notes(midi(others + on(1, 36))) == [(9, 36)]


@pytest.mark.parametrize("delta", [0, 127, 128, 16383, 16384, 2097151, 2097152])
def test_numbers_of_one_to_four_bytes(delta: int) -> None:
    assert notes(midi(on(delta, 36), ticks_per_quarter=960)) == [(delta, 36)]


def test_metres_tempos_and_programs() -> None:
    conductor = meter(0, 3, 2) + tempo(10, 500_000) + meter(20, 7, 3) + tempo(0, 400_000)
    drums = program(0, 8) + on(5, 36) + program(1, 16) + on(0, 1, channel=2) + program(0, 30, channel=2)
    read = parse(midi(conductor, drums), "a.mid")
    assert read.meters == [(0, 3, 4), (30, 7, 8)]
    assert read.tempos == [(10, 120.0), (30, 150.0)]
    assert read.programs == {9: 8, 2: 30}  # that in force at the first note; a change at its very tick counts


def test_changes_of_all_tracks_are_in_order_of_time() -> None:
    tracks = meter(7, 5, 4) + tempo(1, 600_000) + program(0, 3), meter(2, 3, 2) + tempo(1, 300_000) + program(5, 9)
    read = parse(midi(*tracks, on(8, 36)), "a.mid")
    assert read.meters == [(2, 3, 4), (7, 5, 16)]
    assert read.tempos == [(3, 200.0), (8, 100.0)]
    assert read.programs == {9: 9}  # of two at the tick of the first note, that of the later track


def test_metres_and_tempos_that_mean_nothing_are_left_out() -> None:
    track = meter(0, 0, 2) + meter(0, 4, 255) + tempo(0, 0) + b"\0\xff\x58\x01\x03" + b"\0\xff\x51\x02\x03\x04"
    read = parse(midi(track + on(0, 36)), "a.mid")
    assert (read.meters, read.tempos, len(read)) == ([], [], 1)


def test_bytes_that_are_no_data_bytes_cost_the_least() -> None:
    read = parse(midi(on(0, 36, 129) + on(1, 200, 50) + program(0, 208) + on(1, 38)), "a.mid")
    assert read.pitch.tolist() == [36, 38]
    assert read.velocity.tolist() == [127, 100]


TRACK = on(1, 36) + on(1, 38)
OTHER = on(5, 42)


@pytest.mark.parametrize(
    "data",
    [
        header(2) + chunk(TRACK + END) + chunk(OTHER + END, length=1000),
        header(2) + chunk(TRACK + END, length=1000) + chunk(OTHER + END),
        header(2) + chunk(TRACK + END, length=3) + chunk(OTHER + END),
        header(2) + chunk(TRACK + END, length=0) + chunk(OTHER + END),
        header(2) + chunk(TRACK + END, length=2**32 - 1) + chunk(OTHER + END, length=2**31),
        header(2) + chunk(TRACK + END + b"junk after the end") + chunk(OTHER + END) + b"\0" * 9,
        header(1) + chunk(TRACK + END) + chunk(OTHER + END),
        header(900) + chunk(TRACK) + chunk(OTHER),
        header(2) + chunk(b"unknown", b"XFIH") + chunk(TRACK + END) + chunk(b"?", b"XFKM", 50) + chunk(OTHER + END),
        header(2) + b"junk" + chunk(TRACK + END) + chunk(OTHER + END),
        b"MThd\0\0\0\x08\0\x01\0\x02\x01\xe0ab" + chunk(TRACK + END) + chunk(OTHER + END),
        b"RIFF\0\0\0\0RMIDdata\0\0\0\0" + midi(TRACK, OTHER),
        b"\0" * 128 + midi(TRACK, OTHER),
        midi(TRACK, OTHER, form=7),
    ],
    ids=lambda data: data[:24].hex(),
)
def test_wrong_lengths_counts_and_wrappers_are_repaired(data: bytes) -> None:
    read = parse(data, "a.mid")
    assert (read.pitch.tolist(), read.damage) == ([36, 38, 42], "")


def test_what_stands_before_a_damage_is_read() -> None:
    whole = midi(on(1, 36) + on(1, 38) + on(1, 42))
    cut = whole[: -len(END) - 1]
    read = parse(cut, "a.mid")
    assert (read.pitch.tolist(), read.damage) == ([36, 38], "track 1 breaks off")
    read = parse(midi(on(1, 36) + b"\xff\xff\xff\xff\x7f\x99\x26\x40", on(1, 50)), "a.mid")
    assert (read.pitch.tolist(), read.damage) == ([36, 50], "track 1 holds a number of more than four bytes")
    read = parse(midi(on(1, 36) + b"\0\xff\x01\x90\x00abc"), "a.mid")
    assert (read.pitch.tolist(), read.damage) == ([36], "track 1 breaks off")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"<html>not found</html>", "it is no MIDI file (no MThd header)"),
        (b"MThd\0\0\0\x06\0\x01", "it breaks off in its header"),
        (header(1), "it has no track (MTrk chunk)"),
        (header(1) + chunk(b"words", b"TEXT"), "it has no track (MTrk chunk)"),
        (midi(TRACK, ticks_per_quarter=0), "it has 0 ticks a quarter"),
        (midi(TRACK, ticks_per_quarter=0xE728), "it counts time in SMPTE frames, not in quarters"),
        (midi(TRACK, OTHER, form=2), "its 2 tracks are pieces of their own (format 2)"),
        (midi(b"\xff" * 1000), "track 1 holds a number of more than four bytes before any note"),
        (midi(b"\0\x24\x40"), "track 1 starts with no event before any note"),
        (midi(on(0, 36)) + b"\0" * MOST_BYTES, "it is larger than 2 MB"),
        (midi(TRACK, on(2**28 - 1, 36)), "it has notes beyond its 16384th quarter"),
        (
            midi(on(0, 36) + tempo(0, 1) * (MOST_CHANGES + 1)),
            "it changes metre, tempo or program more than 16384 times",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    assert refusal(data) == reason


def test_one_track_of_format_2_and_a_file_without_notes_are_read() -> None:
    assert notes(midi(TRACK, form=2)) == [(1, 36), (2, 38)]
    assert notes(midi(tempo(0, 500_000))) == []


def test_the_error_goes_from_process_to_process() -> None:
    error = pickle.loads(pickle.dumps(MidiError("a.mid", "it is empty")))
    assert (error.path, error.reason, str(error)) == ("a.mid", "it is empty", "a.mid is not read: it is empty")


def test_symusic_finds_the_same_notes_in_good_files(shared_data: Path) -> None:
    """Every tenth file of the Groove MIDI Dataset; symusic leaves out hits that are never closed."""
    import symusic

    files = sorted((shared_data / "gmd").rglob("*.mid"))[::10]
    assert len(files) == 115
    for file in files:
        data = file.read_bytes()
        read = parse(data, file)
        score = symusic.Score.from_midi(data)
        theirs = sorted((note.time, note.pitch, note.velocity) for track in score.tracks for note in track.notes)
        assert theirs == sorted(zip(read.tick.tolist(), read.pitch.tolist(), read.velocity.tolist(), strict=True))
        meters = [(change.time, change.numerator, change.denominator) for change in score.time_signatures]
        assert read.meters == meters
        np.testing.assert_allclose([bpm for _, bpm in read.tempos], [change.qpm for change in score.tempos], rtol=1e-6)


# Run in a process of its own, which may take so many megabytes more than it has when everything is loaded.
BOUNDED = f"""
import resource, sys, time
from pathlib import Path
from hypothesis import HealthCheck, given, settings, strategies as st
from seqvae.modalities.midi.classes import PITCHES
from seqvae.modalities.midi.grid import layout
from seqvae.modalities.midi.hits import DrumPart
from seqvae.modalities.midi.parser import MidiError, parse

def go(data, name):
    start = time.process_time()
    try:
        part, notes = DrumPart(PITCHES, None), parse(data, name)
        stretches = [part.lay(segment) for segment in layout(notes, part.take(notes).places, 24).segments]
        outcome = str(sum(len(bars.cut(bar, 1).hits) > 0 for bars in stretches for bar in range(bars.bars)))
        assert (notes.end >= notes.tick).all() and len(notes.program) == len(notes), name
    except MidiError as error:
        outcome = error.reason
    assert time.process_time() - start < {SECONDS}, (name, time.process_time() - start)
    return outcome

def limit():
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + {MEGABYTES} * 10**6,) * 2)
"""


def bounded(code: str, *arguments: str) -> list[str]:
    """The lines that code prints after BOUNDED, in a process of its own."""
    if not sys.platform.startswith("linux"):
        pytest.skip("no limit of memory to set on this system")
    command = [sys.executable, "-c", BOUNDED + code, *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout.splitlines()


EACH_FILE = """
import os
for path in sys.argv[1:]:
    sys.stdout.flush()
    if not os.fork():  # a process for each file
        limit()
        print(go(Path(path).read_bytes(), path), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0, path
"""


def test_strange_and_malformed_files_are_read_or_refused_in_bounded_time_and_memory(shared_data: Path) -> None:
    files = sorted(path for path in (shared_data / "midi-edge").rglob("*.*") if path.suffix != ".json")
    outcomes = bounded(EACH_FILE, *map(str, files))
    assert len(outcomes) == len(files) == 129
    refused = {file.name: outcome for file, outcome in zip(files, outcomes, strict=True) if not outcome.isdigit()}
    assert refused == {
        "division_zero.mid": "it has 0 ticks a quarter",
        "format2_two_tracks.mid": "its 2 tracks are pieces of their own (format 2)",
        "no_tracks.mid": "it has no track (MTrk chunk)",
        "test-2-tracks-type-2.mid": "its 2 tracks are pieces of their own (format 2)",
        "test-empty-file.mid": "it is empty",
        "test-not-a-midi-file.mid": "it is no MIDI file (no MThd header)",
        "zero_bytes.mid": "it is empty",
    }


MUTATE = """
import random
good = bytes.fromhex(sys.argv[1])
edits = st.lists(
    st.tuples(st.sampled_from("replace insert delete repeat".split()), st.integers(0, 2**20), st.binary(max_size=9)),
    min_size=1, max_size=12,
)
tried = outcomes = 0

@settings(max_examples=int(sys.argv[2]), deadline=None, derandomize=True, database=None,
          suppress_health_check=list(HealthCheck))
@given(edits, st.integers(0, 2**20))
def mutated(edits, cut):
    global tried, outcomes
    data = good
    for kind, place, content in edits:
        place %= len(data) + 1
        length = len(content)
        if kind == "replace":
            data = data[:place] + content + data[place + length :]
        elif kind == "insert":
            data = data[:place] + content + data[place:]
        elif kind == "delete":
            data = data[:place] + data[place + length :]
        else:
            data = data[:place] + data[max(0, place - 40 * length) :]
    if cut % 4 == 0:
        data = data[: cut % (len(data) + 1)]
    tried += 1
    outcomes += go(data, "mutated").isdigit()

limit()
mutated()
print(tried, outcomes)
"""


def good_file() -> bytes:
    """A file with what files have: two tracks, metres, tempos, programs, text, running status, long numbers."""
    conductor = meter(0, 4, 2) + tempo(0, 500_000) + b"\0\xff\x03\x05Groov" + meter(960 * 4, 6, 3) + tempo(0, 400_000)
    drums = program(0, 25) + b"".join(
        on(120, pitch) + number(60) + bytes([42, 80]) + off(60, pitch) + number(300) + bytes([0xB9, 4, pitch])
        for pitch in (36, 38, 42, 46) * 8
    )
    return midi(conductor, drums, b"\0\xf0\x03\x01\x02\xf7" + hits([(0, 60), (2000, 64)], channel=0))


def check_mutations(examples: int) -> None:
    tried, read = map(int, bounded(MUTATE, good_file().hex(), str(examples))[0].split())
    assert tried >= examples
    assert 0.3 * tried < read < tried  # some are read, some are refused


def test_a_mutated_file_is_read_or_refused_in_bounded_time_and_memory() -> None:
    assert len(parse(good_file(), "good")) == 66
    check_mutations(200)


@pytest.mark.slow
def test_two_thousand_mutated_files_are_read_or_refused_in_bounded_time_and_memory() -> None:
    check_mutations(2000)


def filled(track: bytes, unit: bytes) -> bytes:
    """A file as large as may be, of one track that goes on with copies of the same bytes."""
    return midi(track + unit * ((MOST_BYTES - 100) // len(unit)), ticks_per_quarter=480)


HOSTILE = """
import hashlib
limit()
for path in sorted(Path(sys.argv[1]).iterdir()):
    print(path.stem, go(path.read_bytes(), path), sep=": ")
"""


def test_large_files_made_to_cost_the_most_stay_within_the_bounds(tmp_path: Path) -> None:
    each_track = chunk(on(0, 36))
    changes = (meter(1, 1, 2) + on(0, 36) + meter(1, 2, 3) + on(0, 36)) * (MOST_CHANGES // 2 - 1)
    files = {
        "changes": midi(on(0, 36) + changes, ticks_per_quarter=1),
        "empty text": filled(on(0, 36), b"\0\xff\x01\0"),
        "late": midi(on(16383, 36), ticks_per_quarter=1),
        "note-offs": filled(on(0, 36) + off(0, 36), b"\0\x26\x40"),
        "notes": filled(on(0, 36), b"\0\x26\x40"),
        "ones": filled(b"", b"\xff"),
        "programs": midi(program(1, 3) * MOST_CHANGES + on(1, 36)),
        "system": filled(on(0, 36), b"\0\xf8"),
        "tempos": filled(on(0, 36), tempo(0, 9)),
        "tracks": header(1) + each_track * ((MOST_BYTES - 100) // len(each_track)),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    outcomes = dict(line.split(": ", 1) for line in bounded(HOSTILE, str(tmp_path)))
    assert outcomes == {
        "changes": str(MOST_CHANGES - 2),
        "empty text": "1",
        "late": "4096",
        "note-offs": "1",
        "notes": "1",
        "ones": "track 1 holds a number of more than four bytes before any note",
        "programs": "9",
        "system": "1",
        "tempos": f"it changes metre, tempo or program more than {MOST_CHANGES} times",
        "tracks": "1",
    }


def test_notes_made_by_hand_need_no_more_than_their_arrays() -> None:
    made = Notes(480, *(np.array([value]) for value in (0, 36, 100, 9)))
    assert (len(made), made.meters, made.tempos, made.programs, made.damage) == (1, [], [], {}, "")
