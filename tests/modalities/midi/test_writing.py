"""Clips to MIDI and back: exact ticks, what a sequencer shows, objects made by hand."""

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqvae.modalities.midi.classes import GENERAL_MIDI, MAPS, DrumClasses
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.drum_notation import DrumNotation
from seqvae.modalities.midi.meters import steps_per_bar
from seqvae.modalities.midi.midi_objects import from_midi
from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.parser import parse
from seqvae.modalities.midi.writing import to_midi, write_midi
from tests.modalities.midi.edge_files import outcome
from tests.modalities.midi.songs import cut, source_of

OWN = DrumClasses.from_json(
    json.dumps({"boom": [41, 35], "tick": [42], "bang": [57, 49, 0], "last": [127]}), "own.json"
)
CLASS_MAPS = {**MAPS, "own": OWN}
GRIDS = (4, 8, 12, 24)
METERS = ((4, 4), (3, 4), (6, 8), (7, 8), (5, 4))


def random_clip(seed: int, classes: DrumClasses, steps_per_quarter: int, bars: int = 2, **kind: object) -> Clip:
    """A clip with hits in one cell of four, and one on its last step, so that reading finds its end."""
    meter = kind.get("meter", (4, 4))
    rng = np.random.default_rng(seed)
    hits = rng.random((bars * steps_per_bar(meter, steps_per_quarter), len(classes))) < 0.25
    hits[-1, 0] = True
    return Clip(hits, steps_per_quarter=steps_per_quarter, **kind)


def content(midi: pretty_midi.PrettyMIDI) -> bytes:
    """The file that the object's own `write` makes."""
    buffer = io.BytesIO()
    midi.write(buffer)
    return buffer.getvalue()


def read_back(midi: pretty_midi.PrettyMIDI, like: Clip, classes: DrumClasses, bars: int = 2) -> list[Clip]:
    """The clips that a file of the object holds."""
    return cut(
        parse(content(midi), "clip.mid"), source_of(classes, steps_per_quarter=like.steps_per_quarter, bars=bars)
    )


@pytest.mark.parametrize("steps_per_quarter", GRIDS)
@pytest.mark.parametrize("meter", METERS, ids=lambda meter: f"{meter[0]}/{meter[1]}")
def test_what_is_written_is_read_back_in_every_map_grid_and_metre(steps_per_quarter: int, meter: tuple[int, int]):
    # each grid meets each map: of which pitch a column is does not depend on the metre
    classes = list(CLASS_MAPS.values())[(GRIDS.index(steps_per_quarter) + METERS.index(meter)) % len(CLASS_MAPS)]
    clips = [random_clip(seed, classes, steps_per_quarter, meter=meter, bpm=96.0, kit=8) for seed in (0, 1)]
    assert read_back(to_midi(clips, DrumNotation(classes)), clips[0], classes) == clips


@st.composite
def clips_of_any_kind(draw: st.DrawFn) -> tuple[list[Clip], DrumClasses]:
    """One to four clips of one grid, any metres and tempos, the last one not silent."""
    classes = CLASS_MAPS[draw(st.sampled_from(sorted(CLASS_MAPS)))]
    steps_per_quarter = draw(st.sampled_from(GRIDS))
    kit = draw(st.integers(0, 127))
    clips = []
    for _ in range(draw(st.integers(1, 4))):
        meter = draw(st.sampled_from(METERS))
        steps = 2 * steps_per_bar(meter, steps_per_quarter)
        hits = np.zeros((steps, len(classes)), dtype=bool)
        for cell in draw(st.lists(st.tuples(st.integers(0, steps - 1), st.integers(0, len(classes) - 1)), max_size=30)):
            hits[cell] = True
        microseconds = draw(st.integers(60_000, 16_000_000))
        clips.append(Clip(hits, meter, steps_per_quarter, 60e6 / microseconds, kit))
    clips[-1].hits[-1, -1] = True
    return clips, classes


@given(clips_of_any_kind())
@settings(max_examples=150, deadline=None)
def test_any_clips_survive_a_file_and_an_object(case: tuple[list[Clip], DrumClasses]):
    clips, classes = case
    midi = to_midi(clips, DrumNotation(classes))
    assert read_back(midi, clips[0], classes) == clips
    assert cut(from_midi(midi), source_of(classes, steps_per_quarter=clips[0].steps_per_quarter)) == clips


@pytest.mark.parametrize("bpm", [138.000138, 53, 290, 3.6, 97.3, 60e6 / 434_781, 60e6 / 434_782, 119.99, 1000.0])
@pytest.mark.parametrize("steps_per_quarter", GRIDS)
def test_ticks_and_tempos_are_exact_at_any_tempo(bpm: float, steps_per_quarter: int):
    clip = random_clip(2, GENERAL_MIDI, steps_per_quarter, bars=7, meter=(7, 8), bpm=bpm)
    file = mido.MidiFile(file=io.BytesIO(content(to_midi([clip], DrumNotation(GENERAL_MIDI)))))
    tick, found = 0, set()
    for event in file.tracks[1]:
        tick += event.time
        if event.type == "note_on" and event.velocity:
            found.add((tick, event.note))
    step = 480 // steps_per_quarter
    assert found == {(t * step, GENERAL_MIDI.pitches[c][0]) for t, c in np.argwhere(clip.hits)}
    assert [event.tempo for event in file.tracks[0] if event.type == "set_tempo"] == [round(60e6 / bpm)]


def test_a_sequencer_finds_tempo_metre_name_kit_channel_and_closed_notes():
    clip = random_clip(3, GENERAL_MIDI, 4, meter=(6, 8), bpm=100.0, kit=25)
    file = mido.MidiFile(file=io.BytesIO(content(to_midi([clip], DrumNotation(GENERAL_MIDI)))))
    assert (file.type, file.ticks_per_beat, len(file.tracks)) == (1, 480, 2)
    conductor = {event.type: event for event in file.tracks[0]}
    assert conductor["set_tempo"].tempo == 600_000
    assert (conductor["time_signature"].numerator, conductor["time_signature"].denominator) == (6, 8)
    name, program, *events = file.tracks[1]
    assert (name.type, name.name) == ("track_name", "Drums")
    assert (program.type, program.program, program.channel) == ("program_change", 25, 9)
    assert {event.channel for event in events if not event.is_meta} == {9}
    tick, open_notes, lengths = 0, {}, set()
    for event in events:
        tick += event.time
        if event.type == "note_on" and event.velocity:
            assert event.note not in open_notes
            assert event.velocity == 100
            open_notes[event.note] = tick
        elif event.type == "note_on":
            lengths.add(tick - open_notes.pop(event.note))
    assert not open_notes
    assert lengths == {120, 119}  # a 16th; the very last ends a tick earlier, with the bar


@pytest.mark.parametrize(("steps_per_quarter", "length"), [(4, 120), (8, 60), (12, 40), (24, 20)])
def test_notes_last_for_a_16th_or_for_a_step_where_that_is_shorter(steps_per_quarter: int, length: int):
    hits = np.zeros((4 * steps_per_quarter, 9), dtype=bool)
    hits[:4, 2] = True
    midi = to_midi([Clip(hits, steps_per_quarter=steps_per_quarter)], DrumNotation(GENERAL_MIDI))
    ticks = [(midi.time_to_tick(note.start), midi.time_to_tick(note.end)) for note in midi.instruments[0].notes]
    assert ticks == [
        (start * 480 // steps_per_quarter, start * 480 // steps_per_quarter + length) for start in range(4)
    ]


def test_the_track_ends_on_the_last_bar_line_silence_included():
    for silent, steps in ((False, 32), (True, 32), (True, 20), (False, 17)):  # parts of a bar are filled up
        clip = Clip(np.zeros((steps, 9), dtype=bool))
        clip.hits[-1, 0] = not silent
        file = mido.MidiFile(file=io.BytesIO(content(to_midi([clip], DrumNotation(GENERAL_MIDI)))))
        assert sum(event.time for event in file.tracks[1]) == 2 * 1920
        assert file.length == pytest.approx(4.0)


def test_joined_clips_keep_their_bar_lines_and_name_only_changes():
    kinds = (((4, 4), 120.0, 32), ((4, 4), 120.0, 20), ((3, 4), 120.0, 12), ((3, 4), 90.0, 24), ((4, 4), 90.0, 16))
    clips = []
    for meter, bpm, steps in kinds:
        hits = np.zeros((steps, 9), dtype=bool)
        hits[0, 0] = True
        clips.append(Clip(hits, meter, bpm=bpm))
    notes = from_midi(to_midi(clips, DrumNotation(GENERAL_MIDI)))
    assert notes.tick.tolist() == [0, 3840, 7680, 9120, 12_000]
    assert notes.meters == [(0, 4, 4), (7680, 3, 4), (12_000, 4, 4)]
    assert [(tick, round(bpm, 3)) for tick, bpm in notes.tempos] == [(0, 120.0), (9120, 90.0)]
    assert from_midi(to_midi(clips, DrumNotation(GENERAL_MIDI), bpm=150.0)).tempos == [(0, 150.0)]


def test_clips_that_do_not_fit_are_refused_with_advice():
    clip = random_clip(0, GENERAL_MIDI, 4)
    with pytest.raises(ValueError, match="there are no clips to write"):
        to_midi([], DrumNotation(GENERAL_MIDI))
    with pytest.raises(ValueError, match=r"\(32, 9\) are not steps of 4 drum classes.*class map"):
        to_midi([clip], DrumNotation(OWN))
    with pytest.raises(ValueError, match=r"\(0, 9\)"):
        to_midi([replace(clip, hits=clip.hits[:0])], DrumNotation(GENERAL_MIDI))
    for bpm in (0.0, -3.0, 2.0, math.nan, math.inf, 1e9):
        with pytest.raises(ValueError, match="no tempo that MIDI can hold; give 4 to 1000"):
            to_midi([clip], DrumNotation(GENERAL_MIDI), bpm=bpm)
    with pytest.raises(ValueError, match="write several files"):
        to_midi([Clip(np.zeros((16 * 5209, 9), dtype=bool))], DrumNotation(GENERAL_MIDI))


def test_a_file_is_written_whole(tmp_path: Path):
    midi = to_midi([random_clip(0, GENERAL_MIDI, 4)], DrumNotation(GENERAL_MIDI))
    assert write_midi(midi, tmp_path / "clip.mid").read_bytes() == content(midi)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mid"]


def windows_survive(files: list[Path]) -> int:
    """The windows of all files in every map and grid, each of which is found again after writing."""
    count = 0
    for path in files:
        notes = parse(path.read_bytes(), path)
        for classes in MAPS.values():
            for steps_per_quarter in GRIDS:
                source = source_of(classes, steps_per_quarter=steps_per_quarter)
                clips = cut(notes, source)
                midi = to_midi(clips, DrumNotation(classes))
                assert cut(parse(content(midi), path), source) == clips
                assert cut(from_midi(midi), source) == clips
                count += len(clips)
    return count


def groove_files(shared_data: Path) -> list[Path]:
    files = sorted((shared_data / "gmd").rglob("*.mid"))
    if not files:
        pytest.skip("no Groove MIDI Dataset: there are no files below gmd")
    return files


def test_windows_of_played_grooves_survive_in_every_map_and_grid(shared_data: Path):
    assert windows_survive(groove_files(shared_data)[::400]) > 50


@pytest.mark.slow
def test_windows_of_200_played_grooves_survive_in_every_map_and_grid(shared_data: Path):
    assert windows_survive(groove_files(shared_data)[::5][:200]) > 10_000


def survive(notes: Notes) -> int:
    """Check that the hits of a piece, written as MIDI, are read back as they were; how many windows it has."""
    clips = cut(notes)
    midi = to_midi(clips, DrumNotation(GENERAL_MIDI))
    for back in (from_midi(midi), parse(content(midi), "again.mid")):
        found = cut(back)
        assert [(one.meter, one.hits.tolist()) for one in found] == [
            (one.meter, one.hits.tolist()) for one in clips[: len(found)]
        ]
        assert not any(clip.onsets.any() for clip in clips[len(found) :]), "a file ends with its last bar of hits"
    return len(clips)


def test_strange_and_malformed_files_are_read_and_come_back_or_are_refused_in_one_sentence(shared_data: Path) -> None:
    assert outcome(shared_data / "midi-edge", survive) == (327, 98), (
        "the others have no drums, or none in a bar of a known grid"
    )
