"""Note-ons to bars on a grid: rounding, metres, tempos, windows, and the identity of grids."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqvae.modalities.midi.classes import GENERAL_MIDI, MAPS, PITCHES, DrumClasses
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.excerpt import Stretch
from seqvae.modalities.midi.grid import GRIDS
from seqvae.modalities.midi.grid import layout as lay_out
from seqvae.modalities.midi.hits import DrumPart
from seqvae.modalities.midi.meters import Meter, steps_per_bar
from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.windows import bars_in_windows, starts
from seqvae.modalities.midi.windows import pieces as pieces_of

BAR = 1920
THREE = DrumClasses(("kick", "snare", "hat"), ((36, 35), (38,), (42,)))


def notes(at: Sequence[tuple[int, int]], ticks_per_quarter: int = 480, channel: int = 9, **others: object) -> Notes:
    """Notes from (tick, pitch)."""
    tick, pitch = (np.array([note[i] for note in sorted(at)], dtype=np.int64) for i in (0, 1))
    return Notes(ticks_per_quarter, tick, pitch, np.full_like(tick, 100), np.full_like(tick, channel), **others)  # type: ignore[arg-type]


@dataclass
class Placed:
    """The hits of a file in bars."""

    segments: list[Stretch[Clip]]
    found: int
    unmapped: Counter[int]
    misfits: Counter[Meter]


def layout(read: Notes, classes: DrumClasses, steps_per_quarter: int = 4, channel: int | None = 9) -> Placed:
    """The hits of a channel, counted from 0, or of all channels, on a grid."""
    part = DrumPart(classes, None if channel is None else channel + 1)
    taken = part.take(read)
    placed = lay_out(read, taken.places, steps_per_quarter)
    return Placed([part.lay(segment) for segment in placed.segments], taken.found, taken.unheld, placed.misfits)


def cells(segment: Stretch[Clip]) -> list[tuple[int, int]]:
    """(step, class) of the hits."""
    return [(int(step), int(index)) for step, index in np.argwhere(segment.whole.hits)]


def bars(placed: Placed) -> list[tuple[Meter, int]]:
    return [(segment.meter, segment.bars) for segment in placed.segments]


@pytest.mark.parametrize(
    ("tick", "step"), [(0, 0), (59, 0), (60, 1), (61, 1), (120, 1), (179, 1), (180, 2), (480, 4), (1919, 16)]
)
def test_a_hit_goes_to_the_nearest_step_and_half_way_to_the_later(tick: int, step: int) -> None:
    (segment,) = layout(notes([(tick, 36)]), THREE).segments
    assert cells(segment) == [(step, 0)]


def test_rounding_is_exact_where_a_step_is_no_whole_number_of_ticks() -> None:
    """220 ticks a quarter on a grid of 24: 9 1/6 ticks a step, half steps at 4.58, 13.75, 22.92, 32.08, ... ticks."""
    read = notes([(4, 36), (5, 38), (13, 42), (14, 36), (22, 38), (23, 38), (32, 36), (33, 36)], 220)
    assert cells(layout(read, THREE, 24).segments[0]) == [
        (0, 0),
        (1, 1),
        (1, 2),
        (2, 0),
        (2, 1),
        (3, 0),
        (3, 1),
        (4, 0),
    ]


def test_pitches_become_classes_and_unmapped_ones_are_counted() -> None:
    placed = layout(notes([(0, 35), (120, 38), (240, 42), (240, 91), (360, 92), (480, 91)]), THREE)
    assert cells(placed.segments[0]) == [(0, 0), (1, 1), (2, 2)]
    assert (placed.found, placed.unmapped) == (6, {91: 2, 92: 1})


def test_hits_of_one_class_on_one_step_share_a_cell_and_are_counted_by_bar() -> None:
    placed = layout(notes([(0, 35), (10, 36), (20, 36), (30, 38), (1920, 42)]), THREE)
    assert cells(placed.segments[0]) == [(0, 0), (0, 1), (16, 2)]
    assert placed.segments[0].notes.tolist() == [4, 1]
    assert placed.segments[0].count(0, 2) == (5, 3)
    assert placed.segments[0].count(0, 1) == (4, 2)
    assert bars_in_windows(starts(placed.segments[0], 1, 2), 1) == [(0, 1)], "the second bar stands in no window"


def test_only_the_channel_asked_for_counts_and_all_count_without_one() -> None:
    read = notes([(0, 36), (480, 38), (960, 42)])
    read.channel = np.array([9, 0, 10])
    assert cells(layout(read, THREE).segments[0]) == [(0, 0)]
    assert cells(layout(read, THREE, channel=10).segments[0]) == [(8, 2)]
    assert cells(layout(read, THREE, channel=None).segments[0]) == [(0, 0), (4, 1), (8, 2)]
    nothing = layout(read, THREE, channel=3)
    assert (nothing.segments, nothing.found, nothing.unmapped, nothing.misfits) == ([], 0, {}, {})


def test_bars_run_from_the_start_to_the_last_hit_with_silent_ones() -> None:
    placed = layout(notes([(2 * 1920, 36), (5 * 1920, 36)]), THREE)
    assert bars(placed) == [((4, 4), 6)]
    assert placed.segments[0].notes.tolist() == [0, 0, 1, 0, 0, 1]
    assert bars(layout(notes([(1920 - 61, 36)]), THREE)) == [((4, 4), 1)]
    assert bars(layout(notes([(1920 - 60, 36)]), THREE)) == [((4, 4), 2)]  # rounds to the next bar's first step


def test_silent_bars_after_the_last_hit_do_not_count_though_the_metre_changes_later() -> None:
    placed = layout(notes([(0, 36), (BAR, 38)], meters=[(0, 4, 4), (9 * BAR, 3, 4)]), THREE)
    assert bars(placed) == [((4, 4), 2)]


def test_bars_start_anew_where_the_metre_changes() -> None:
    """Two bars of 3/4, one of 7/8 (1680 ticks), then 4/4."""
    meters = [(0, 3, 4), (2880, 7, 8), (4560, 4, 4)]
    placed = layout(notes([(0, 36), (1440, 38), (2880, 36), (4440, 42), (4560, 36), (4680, 38)], meters=meters), THREE)
    assert bars(placed) == [((3, 4), 2), ((7, 8), 1), ((4, 4), 1)]
    assert [cells(segment) for segment in placed.segments] == [[(0, 0), (12, 1)], [(0, 0), (13, 2)], [(0, 0), (1, 1)]]


def test_a_hit_just_before_a_change_of_metre_falls_on_the_step_after_it() -> None:
    placed = layout(notes([(0, 36), (1379, 42), (1380, 38), (1440, 36)], meters=[(0, 3, 4), (1440, 4, 4)]), THREE)
    assert [cells(segment) for segment in placed.segments] == [[(0, 0), (11, 2)], [(0, 0), (0, 1)]]


def test_notes_made_by_hand_may_not_lie_beyond_all_bounds() -> None:
    assert bars(layout(notes([(16384, 36)], 1), THREE)) == [((4, 4), 4097)]
    with pytest.raises(ValueError, match="there are notes beyond quarter 16384; give a shorter piece"):
        layout(notes([(16385, 36)], 1), THREE)


def test_a_pickup_bar_of_its_own_metre_does_not_shift_the_bars_after_it() -> None:
    placed = layout(notes([(240, 38), (480, 36), (480 + 1920, 36)], meters=[(0, 1, 4), (480, 4, 4)]), THREE)
    assert bars(placed) == [((1, 4), 1), ((4, 4), 2)]
    assert cells(placed.segments[1]) == [(0, 0), (16, 0)]


def test_a_bar_that_a_change_of_metre_cuts_short_is_left_out() -> None:
    placed = layout(notes([(0, 36), (1920, 38), (2400, 36)], meters=[(0, 4, 4), (2400, 3, 4)]), THREE)
    assert bars(placed) == [((4, 4), 1), ((3, 4), 1)]
    assert [int(segment.notes.sum()) for segment in placed.segments] == [1, 1]
    short = layout(notes([(480, 36)], meters=[(0, 4, 4), (480, 3, 4)]), THREE)
    assert bars(short) == [((3, 4), 1)]


def test_a_metre_said_again_changes_nothing_and_the_last_of_one_tick_holds() -> None:
    meters = [(0, 3, 4), (0, 4, 4), (700, 4, 4), (1920, 4, 4)]
    assert bars(layout(notes([(0, 36), (3840, 36)], meters=meters), THREE)) == [((4, 4), 3)]


def test_before_the_first_metre_it_is_four_four() -> None:
    placed = layout(notes([(0, 36), (1920, 36)], meters=[(1920, 6, 8)]), THREE)
    assert bars(placed) == [((4, 4), 1), ((6, 8), 1)]


def test_a_metre_whose_bar_is_no_whole_number_of_steps_is_passed_over() -> None:
    """A bar of 3/32 has a step and a half of a 16th; on a grid of 8 it has three."""
    read = notes([(0, 36), (1920, 36), (1980, 38), (2100, 36)], meters=[(0, 4, 4), (1920, 3, 32), (2100, 4, 4)])
    placed = layout(read, THREE)
    assert bars(placed) == [((4, 4), 1), ((4, 4), 1)]
    assert placed.misfits == {(3, 32): 2}
    assert bars(layout(read, THREE, 8)) == [((4, 4), 1), ((3, 32), 1), ((4, 4), 1)]


def test_changes_of_tempo_move_no_hit_and_windows_carry_the_tempo_they_start_with() -> None:
    at = [(0, 36), (1920, 38), (3840, 42)]
    placed = layout(notes(at, tempos=[(500, 90.0), (1920, 150.0), (3841, 60.0)]), THREE)
    assert cells(placed.segments[0]) == cells(layout(notes(at), THREE).segments[0])
    assert [clip.bpm for clip in windows(placed.segments[0], 1, 1)] == [120.0, 150.0, 150.0]
    assert [clip.bpm for clip in windows(layout(notes(at), THREE).segments[0], 1, 1)] == [120.0] * 3


def test_windows_carry_the_kit_of_the_channel() -> None:
    read = notes([(0, 36)], programs={9: 25, 0: 3})
    assert [clip.kit for clip in windows(layout(read, THREE).segments[0], 1, 1)] == [25]
    assert [clip.kit for clip in windows(layout(read, THREE, channel=None).segments[0], 1, 1)] == [25]


def windows(stretch: Stretch[Clip], bars: int, hop: int) -> list[Clip]:
    return [stretch.cut(first, bars) for first in starts(stretch, bars, hop)]


def five_bars() -> Stretch[Clip]:
    """A hit on step b of bar b."""
    return layout(notes([(bar * 1440 + bar * 120, 36) for bar in range(5)], meters=[(0, 3, 4)]), THREE).segments[0]


@pytest.mark.parametrize(
    ("bars", "hop", "firsts"),
    [(2, 1, [0, 1, 2, 3]), (2, 2, [0, 2]), (2, 3, [0, 3]), (1, 2, [0, 2, 4]), (5, 1, [0]), (6, 1, []), (4, 9, [0])],
)
def test_windows_of_bars_by_hops(bars: int, hop: int, firsts: list[int]) -> None:
    segment = five_bars()
    clips = windows(segment, bars, hop)
    assert [np.argwhere(clip.hits)[:, 0].tolist() for clip in clips] == [
        [12 * bar + start + bar for bar in range(bars)] for start in firsts
    ]
    assert all(clip.hits.shape == (12 * bars, 3) and clip.meter == (3, 4) for clip in clips)
    covered = {bar for start in firsts for bar in range(start, start + bars)}
    found = bars_in_windows(starts(segment, bars, hop), bars)
    assert [bar for first, last in found for bar in range(first, last)] == sorted(covered)


def test_pieces_follow_each_other_and_the_last_is_as_short_as_it_is() -> None:
    segment = five_bars()
    assert [piece.hits.tolist() for piece in pieces_of([segment], 5)] == [segment.whole.hits.tolist()]
    pieces = pieces_of([segment, segment], 2)
    assert [len(piece.hits) for piece in pieces] == [24, 24, 12] * 2
    np.testing.assert_array_equal(np.concatenate([piece.hits for piece in pieces[:3]]), segment.whole.hits)
    assert pieces[2].bpm == segment.bpm[4]


METERS: tuple[Meter, ...] = ((4, 4), (3, 4), (6, 8), (5, 8), (7, 8), (2, 2), (12, 8), (1, 4), (5, 16))


@given(data=st.data(), name=st.sampled_from(sorted(MAPS)), steps_per_quarter=st.sampled_from(GRIDS))
def test_notes_made_from_a_grid_give_the_grid_back(data: st.DataObject, name: str, steps_per_quarter: int) -> None:
    """Whatever the metres, the ticks a quarter and deviations of less than half a step."""
    classes = MAPS[name]
    ticks_per_quarter = data.draw(st.sampled_from([24, 96, 220, 384, 480, 960, 32767]))
    plan = data.draw(st.lists(st.tuples(st.sampled_from(METERS), st.integers(1, 3)), min_size=1, max_size=4))
    plan = [part for number, part in enumerate(plan) if number == 0 or part[0] != plan[number - 1][0]]
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    grids, at, meters, start = [], [], [], 0
    for meter, length in plan:
        bar = steps_per_bar(meter, steps_per_quarter)
        grid = random.random((length * bar, len(classes))) < 0.1
        grid[-1, 0] = True  # so that the last bar is there
        meters.append((start, *meter))
        for step, index in np.argwhere(grid):
            exact = start + step * ticks_per_quarter / steps_per_quarter
            # A number of ticks that rounds to this step; the first of a file has nothing before it.
            room = (ticks_per_quarter / steps_per_quarter - 1.001) / 2
            tick = round(exact + random.uniform(-room, room)) if room > 0 and step else round(exact)
            at.append((tick, classes.pitches[index][random.integers(len(classes.pitches[index]))]))
        grids.append(grid)
        start += length * bar * ticks_per_quarter // steps_per_quarter
        if length * bar * ticks_per_quarter % steps_per_quarter:
            break  # the next metre would not start on a tick
    placed = layout(notes(at, ticks_per_quarter, meters=meters), classes, steps_per_quarter)
    assert [segment.meter for segment in placed.segments] == [meter for meter, _ in plan[: len(grids)]]
    for segment, grid in zip(placed.segments, grids, strict=True):
        np.testing.assert_array_equal(segment.whole.hits, grid)


@given(
    at=st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 127), st.integers(0, 9000)), min_size=1, max_size=40),
    ticks_per_quarter=st.sampled_from([24, 96, 220, 480, 960]),
    steps_per_quarter=st.sampled_from(GRIDS),
    meters=st.sampled_from([[], [(0, 3, 4)], [(0, 4, 4), (1920, 6, 8)], [(700, 7, 8), (5000, 2, 2)]]),
)
def test_onsets_and_ends_come_back_from_steps_offsets_and_the_grid(
    at: list[tuple[int, int, int]], ticks_per_quarter: int, steps_per_quarter: int, meters: list[tuple[int, int, int]]
) -> None:
    at = sorted(at)
    read = notes([note[:2] for note in at], ticks_per_quarter, meters=meters)
    read.velocity = np.arange(len(at)) % 127 + 1
    read.ends = lambda: read.tick + np.array([length for _, _, length in at])
    read.programs_of_notes = lambda: np.arange(len(at)) % 5
    for segment in lay_out(read, np.arange(len(at)), steps_per_quarter).segments:
        ticks = ticks_per_quarter / steps_per_quarter
        tick = segment.start + (segment.step + segment.offset) * ticks
        np.testing.assert_allclose(tick, read.tick[segment.places], rtol=0, atol=1e-6)
        np.testing.assert_allclose(segment.start + segment.end * ticks, read.end[segment.places], rtol=0, atol=1e-6)
        assert (np.abs(segment.offset + 1e-9) <= 0.5).all()
        for name in ("pitch", "velocity", "channel", "program"):
            np.testing.assert_array_equal(getattr(segment, name), getattr(read, name)[segment.places])


@pytest.mark.parametrize(
    ("tick", "step", "offset"), [(59, 0, 59 / 120), (60, 1, -0.5), (61, 1, -59 / 120), (120, 1, 0)]
)
def test_an_offset_is_how_much_later_a_note_is_than_its_step(tick: int, step: int, offset: float) -> None:
    (segment,) = lay_out(notes([(tick, 36)]), np.arange(1)).segments
    assert (segment.step.tolist(), segment.offset.tolist()) == ([step], [pytest.approx(offset)])


def test_only_the_notes_at_the_places_are_laid_out() -> None:
    (segment,) = lay_out(notes([(0, 36), (10, 38), (480, 60), (1920, 38)]), np.array([1, 2])).segments
    assert (segment.pitch.tolist(), segment.step.tolist(), segment.bars) == ([38, 60], [0, 4], 1)


def test_the_maps_place_every_pitch_that_general_midi_names() -> None:
    every = [(120 * number, pitch) for number, (pitch,) in enumerate(PITCHES.pitches)]
    for classes in (GENERAL_MIDI, PITCHES):
        placed = layout(notes(every), classes)
        assert (placed.found, placed.unmapped, int(placed.segments[0].whole.hits.sum())) == (63, {}, 63)
