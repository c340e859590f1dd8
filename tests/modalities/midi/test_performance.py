"""Performances: what is read of a hit, what is written of it, and that both are the same to half a place."""

import io
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqvae.modalities.midi.classes import GENERAL_MIDI
from seqvae.modalities.midi.meters import steps_per_bar
from seqvae.modalities.midi.midi_objects import from_midi
from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.parser import parse
from seqvae.modalities.midi.performance import MOST_PLACES, PLACES, Performance, nearest_places
from seqvae.modalities.midi.performance_notation import PerformanceNotation
from seqvae.modalities.midi.performance_part import PerformancePart
from seqvae.modalities.midi.piece import Piece
from seqvae.modalities.midi.reading import MidiSource
from seqvae.modalities.midi.score import score_of
from seqvae.modalities.midi.settings import GrooveData
from seqvae.modalities.midi.windows import pieces
from seqvae.modalities.midi.writing import midi_bytes, to_midi
from tests.modalities.midi.edge_files import outcome
from tests.modalities.midi.smf import midi, on, tempo

GRIDS = (4, 8, 12, 24)
METERS = ((4, 4), (3, 4), (6, 8), (7, 8), (5, 4))
NOTATION = PerformanceNotation(GENERAL_MIDI)


def cut(notes: Notes, **settings: object) -> list[Performance]:
    """A whole piece in windows, one after another."""
    data = GrooveData(**settings)  # type: ignore[arg-type]
    source = MidiSource(data, PerformancePart(GENERAL_MIDI))
    return pieces(score_of(source, notes, "the file").stretches, data.bars)


def played(*hits: tuple[int, int, int, int], steps: int = 32) -> np.ndarray:
    """Steps with hits (step, class, velocity, place)."""
    made = np.zeros((steps, 9, 2), np.int8)
    for step, index, velocity, place in hits:
        made[step, index] = velocity, place
    return made


def of(notes: bytes, **settings: object) -> dict[tuple[int, int], tuple[int, int]]:
    """The velocity and place of each hit (step, class) of a file of one window."""
    (one,) = cut(parse(midi(notes), "song.mid"), **settings)
    return {(step, index): tuple(one.played[step, index].tolist()) for step, index in np.argwhere(one.hits).tolist()}


def test_a_hit_has_its_velocity_and_its_distance_from_the_nearest_step() -> None:
    kick, late, early, last = on(0, 36, 127), on(130, 38, 33), on(90, 42, 1), on(80, 46, 64)
    assert of(kick + late + early + last) == {
        (0, 0): (127, 0),
        (1, 1): (33, 10),  # tick 130, ten 120ths of a step late
        (2, 2): (1, -20),  # tick 220
        (3, 3): (64, -60),  # tick 300 is as near to the third step as to the second: the later one
    }


def test_of_several_hits_of_a_class_on_one_step_the_loudest_is_kept_and_of_these_the_first() -> None:
    flam = on(0, 38, 30) + on(20, 37, 90) + on(10, 40, 90) + on(5, 38, 50)
    assert of(flam) == {(0, 1): (90, 20)}


@pytest.mark.parametrize("ticks_per_quarter", [96, 384, 480, 960])
@pytest.mark.parametrize("grid", GRIDS)
def test_time_is_kept_to_half_a_place_at_any_resolution(ticks_per_quarter: int, grid: int) -> None:
    step = ticks_per_quarter / grid
    ticks = np.arange(8 * ticks_per_quarter)
    on_step = np.floor(ticks / step + 0.5)
    offset = ticks / step - on_step
    places = nearest_places(offset)
    assert np.abs(places).max() <= MOST_PLACES
    assert np.abs(places / PLACES - offset).max() <= 0.5 / PLACES + 1e-12


@pytest.mark.parametrize("grid", GRIDS)
def test_a_hit_on_any_tick_is_written_on_that_tick_again(grid: int) -> None:
    """Of a file of 480 ticks a quarter; a class has one hit a step, so that all ticks are met one after another."""
    step = 480 // grid
    for first in range(0, step, max(1, step // 30)):
        ticks = list(range(first, 3840, step))[: 8 * grid]
        content = b"".join(on(now - before, 36, 64) for before, now in zip([0, *ticks], ticks, strict=False))
        windows = cut(parse(midi(content), "song.mid"), steps_per_quarter=grid)
        file = mido.MidiFile(file=io.BytesIO(midi_bytes(to_midi(windows, NOTATION))))
        assert starts(file) == [(tick, 36, 64) for tick in ticks]


def starts(file: mido.MidiFile) -> list[tuple[int, int, int]]:
    """The tick, pitch and velocity of each note."""
    tick, found = 0, []
    for event in file.tracks[1]:
        tick += event.time
        if event.type == "note_on" and event.velocity:
            found.append((tick, event.note, event.velocity))
    return found


def test_the_last_place_of_a_step_is_never_written_on_the_step_behind_it() -> None:
    for grid in GRIDS:
        steps = 8 * grid
        one = Performance(played((3, 0, 80, 60), (5, 1, 81, -60), steps=steps), steps_per_quarter=grid)
        (back,) = cut(from_midi(to_midi([one], NOTATION)), steps_per_quarter=grid)[:1]
        assert set(map(tuple, np.argwhere(back.hits).tolist())) == {(3, 0), (5, 1)}
        assert back.played[5, 1].tolist() == [81, -60]
        assert back.played[3, 0, 1] / PLACES == pytest.approx(0.5, abs=grid / 480 + 1 / PLACES)


def test_a_hit_before_the_first_bar_line_of_a_file_begins_on_it() -> None:
    """MIDI has no time before its start; one before a later bar line keeps its own."""
    one = Performance(played((0, 0, 80, -30), (0, 1, 70, 10), (31, 2, 60, 5)))
    file = mido.MidiFile(file=io.BytesIO(midi_bytes(to_midi([one, one], NOTATION))))
    early, late, end = round(30 * 120 / 121), round(10 * 120 / 121), 31 * 120 + 5
    assert starts(file) == [
        (0, 36, 80), (late, 38, 70), (end, 42, 60), (3840 - early, 36, 80), (3840 + late, 38, 70), (3840 + end, 42, 60),
    ]  # fmt: skip


def test_no_hit_is_cut_off_by_the_end_of_the_one_before_it() -> None:
    late = Performance(played((0, 0, 90, 60), (1, 0, 91, -60), (2, 0, 92, 0)))
    (drums,) = to_midi([late], NOTATION).instruments
    ticks = [(round(note.start * 960), round(note.end * 960), note.velocity) for note in drums.notes]
    assert ticks == [(59, 60, 90), (60, 180, 91), (240, 360, 92)]


@st.composite
def songs(draw: st.DrawFn) -> tuple[list[Performance], dict[str, object]]:
    """One to four windows of one grid, any metres and tempos; the last one has a hit in its last bar."""
    grid, bars = draw(st.sampled_from(GRIDS)), draw(st.integers(1, 2))
    latest = 60 if grid == 4 else 57  # the last places of fine grids fall on one tick
    hit = st.tuples(st.integers(0, 10**6), st.integers(0, 8), st.integers(1, 127), st.integers(-60, latest - 1))
    made = []
    for number in range(draw(st.integers(1, 4))):
        meter = draw(st.sampled_from(METERS))
        steps = bars * steps_per_bar(meter, grid)
        hits = [(step % steps, *rest) for step, *rest in draw(st.lists(hit, max_size=30))]
        one = played(*hits, steps=steps)
        if not number:
            one[0, :, 1] = np.maximum(one[0, :, 1], 0)
        made.append(Performance(one, meter, grid, 60e6 / draw(st.integers(60_000, 16_000_000)), 25))
    made[-1].played[-1, 3] = 64, 0
    return made, {"steps_per_quarter": grid, "bars": bars}


@given(songs())
@settings(max_examples=60, deadline=None)
def test_any_performances_survive_a_file_and_an_object(case: tuple[list[Performance], dict[str, object]]) -> None:
    """Velocities exactly, times to the tick that is nearest to their place."""
    performances, settings = case
    made = Piece(performances, NOTATION).midi
    half_a_tick = 0.5 * performances[0].steps_per_quarter / 480
    for notes in (from_midi(made), parse(midi_bytes(made), "song.mid")):
        found = cut(notes, **settings)
        assert [(one.meter, one.tempos, one.kit) for one in found] == [
            (one.meter, one.tempos, one.kit) for one in performances
        ]
        for one, other in zip(found, performances, strict=True):
            assert np.array_equal(one.velocities, other.velocities)
            assert np.abs(one.offsets - other.offsets).max() <= half_a_tick + 0.5 / PLACES


def survive(notes: Notes, **settings: object) -> int:
    """Check that a piece, written as MIDI, is read back as it was, to the place; how many windows it has."""
    performances = cut(notes, **settings)
    made = Piece(performances, NOTATION).midi
    performances[0].played[0, :, 1] = np.maximum(performances[0].played[0, :, 1], 0)  # nothing is before the start
    for back in (from_midi(made), parse(midi_bytes(made), "again.mid")):
        found = cut(back, **settings)
        assert [one.meter for one in found] == [one.meter for one in performances[: len(found)]]
        for one, other in zip(found, performances, strict=False):
            assert np.array_equal(one.velocities, other.velocities)
            late = np.minimum(other.offsets, 0.5 - other.steps_per_quarter / 480)
            assert np.abs(one.offsets - late).max() <= 0.5 * other.steps_per_quarter / 480 + 0.5 / PLACES
        assert not any(one.onsets.any() for one in performances[len(found) :]), "a file ends with its last bar of hits"
    return len(performances)


def test_strange_and_malformed_files_are_read_and_come_back_or_are_refused_in_one_sentence(shared_data: Path) -> None:
    assert outcome(shared_data / "midi-edge", survive) == (327, 98), (
        "the others have no drums, or none in a bar of a known grid"
    )


def test_played_grooves_come_back_to_the_tick_on_every_grid(shared_data: Path) -> None:
    files = sorted((shared_data / "gmd").rglob("*.mid"))[::230]
    if not files:
        pytest.skip("no Groove MIDI Dataset: there are no files below gmd")
    for path in files:
        notes = parse(path.read_bytes(), path)
        assert notes.ticks_per_quarter == 480
        for grid in GRIDS:
            performances = cut(notes, steps_per_quarter=grid)
            made = Piece(performances, NOTATION).midi
            assert cut(parse(midi_bytes(made), path), steps_per_quarter=grid) == performances


def test_arrays_that_cannot_be_written_are_refused() -> None:
    with pytest.raises(ValueError, match=r"an array of shape \(32, 8, 2\) is no steps of 9 drum classes"):
        NOTATION.check(Performance(np.zeros((32, 8, 2), np.int8)))
    with pytest.raises(ValueError, match=r"places from 0 to 61 \(int8\) are not possible; .* places from -60 to 60"):
        NOTATION.check(Performance(played((0, 0, 3, 61))))
    with pytest.raises(ValueError, match=r"velocities from -3 to 0 and places"):
        NOTATION.check(Performance(played((0, 0, -3, 0))))
    with pytest.raises(ValueError, match=r"velocities from 0 to 128 and places .* velocities from 0 \(no hit\) to 127"):
        NOTATION.check(Performance(played((0, 0, 64, 0)).astype(np.int64) * 2))
    with pytest.raises(ValueError, match=r"velocities from 0\.0 to 64\.0 and .* \(float64\) .* all whole numbers"):
        NOTATION.check(Performance(played((0, 0, 64, 0)).astype(float)))
    NOTATION.check(Performance(played((0, 0, 127, 60), (1, 0, 1, -60))))


def test_a_window_has_the_tempo_and_kit_of_its_time_and_silence_behind_it() -> None:
    content = tempo(0, 500_000) + on(0, 36) + tempo(3840, 400_000) + on(10, 36) + on(1910, 36)
    first, second = cut(parse(midi(content), "song.mid"), bars=2)
    assert (first.bpm, second.bpm, len(second)) == (120.0, 150.0, 32)
    assert second.played[0, 0].tolist() == [100, 10]
    assert first.filled(40).played.shape == (40, 9, 2)
    assert first.clip.hits.sum() == first.onsets.sum() == 1
