"""Pieces of clips: their bars, the time that they take, what they are in words, and beats as musicians count them."""

import numpy as np
import pytest

from seqvae.modalities.midi.classes import GENERAL_MIDI
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.drum_notation import DrumNotation
from seqvae.modalities.midi.meters import Meter, steps_per_bar, steps_per_beat
from seqvae.modalities.midi.parser import parse
from seqvae.modalities.midi.piece import Piece
from seqvae.modalities.midi.writing import midi_bytes
from tests.modalities.midi.smf import hits as struck
from tests.modalities.midi.smf import meter, midi, tempo
from tests.modalities.midi.songs import cut, source_of


def piece(*clips: Clip, bpm: float | None = None) -> Piece:
    return Piece(clips, DrumNotation(GENERAL_MIDI), bpm)


def clip(bars: int, meter: Meter = (4, 4), grid: int = 4, bpm: float = 120.0, share: float = 0.2) -> Clip:
    hits = np.random.default_rng(bars).random((bars * steps_per_bar(meter, grid), 9)) < share
    return Clip(hits, meter, grid, bpm)


@pytest.mark.parametrize("grid", [4, 12, 24])
@pytest.mark.parametrize("meter", [(4, 4), (3, 4), (6, 8), (7, 8), (5, 4)], ids=str)
@pytest.mark.parametrize("share", [0.2, 0.004])
def test_the_bars_of_a_piece_are_those_of_its_clips_silent_ones_too(share: float, meter: Meter, grid: int) -> None:
    made = clip(5, meter, grid, 97.0, share)
    made.hits[-steps_per_bar(meter, grid) :] = False
    whole = piece(made, made)
    assert len(whole.bars) == 10
    (stretch,) = whole.stretches
    assert np.array_equal(stretch.hits, np.concatenate([made.hits] * 2))
    assert stretch.meter == meter
    assert whole.notes == 2 * made.hits.sum()
    assert whole.seconds == pytest.approx(2 * made.seconds, rel=1e-5)


@pytest.mark.parametrize("bpm", [97.3, 113.0, 7.0])
def test_the_bars_of_a_piece_are_those_of_the_file_that_is_written_of_it(bpm: float) -> None:
    clips = [clip(2, bpm=bpm), Clip(clip(1).hits[:11], (3, 4), 4, bpm + 1), clip(3, (6, 8), bpm=2 * bpm)]
    clips[-1].hits[-1, 0] = True  # a file has no bars behind its last hit
    whole = piece(*clips)
    read = cut(parse(midi_bytes(whole.midi), "a.mid"), source_of(bars=1))
    assert [(bar.meter, bar.bpm, bar.hits.tolist()) for bar in read] == [
        (bar.meter, bar.bpm, bar.hits.tolist()) for bar in whole.bars
    ]
    assert whole.seconds == sum(bar.seconds for bar in read)


def test_silence_has_its_bars() -> None:
    assert str(piece(Clip(np.zeros((48, 9), bool), (3, 4)))) == "4 bars of 3/4, 120 bpm, 0 hits"


def test_a_part_of_a_bar_is_filled_up_with_silence() -> None:
    hits = clip(2).hits
    whole = piece(Clip(hits[:20]), Clip(hits[20:]))
    assert [len(bar.hits) for bar in whole.bars] == [16] * 3
    assert not whole.bars[1].hits[4:].any()
    assert np.array_equal(whole.bars[2].hits[:12], hits[20:])


def test_a_piece_names_its_metres_tempos_and_hits_in_words() -> None:
    hits = np.zeros((16, 9), bool)
    hits[3, 1] = True
    one = Clip(hits, bpm=90.0)
    assert str(piece(one)) == "1 bar of 4/4, 90 bpm, 1 hit"
    song = piece(one, Clip(hits[:12], (3, 4), 4, 120.5), one)
    assert str(song) == "2 bars of 4/4 and 1 bar of 3/4, 3 tempos from 90 to 120.5 bpm, 3 hits"
    assert [stretch.meter for stretch in song.stretches] == [(4, 4), (3, 4), (4, 4)]


def test_a_tempo_for_all_replaces_those_of_the_clips() -> None:
    song = piece(clip(2, bpm=90.0), clip(1, bpm=100.0), bpm=60.0)
    assert str(song).startswith("3 bars of 4/4, 60 bpm, ")
    assert song.seconds == 12.0
    assert song.midi.get_tempo_changes()[1].tolist() == [60.0]


def test_a_song_keeps_its_tempos_wherever_they_change() -> None:
    changes = [(0, 500_000), (100, 480_000), (100, 470_000), (1920, 461_538), (2 * 1920, 600_000), (7000, 450_001)]
    track, last = b"", 0
    for tick, microseconds in changes:
        track += tempo(tick - last, microseconds)
        last = tick
    song = midi(meter(0, 4, 2) + track, struck((bar * 1920, 36) for bar in range(5)))
    kept = [(tick, 6e7 / microseconds) for tick, microseconds in changes if microseconds != 480_000]
    for bars in (1, 2, 5):
        clips = cut(parse(song, "a.mid"), source_of(bars=bars))
        whole = piece(*clips)
        again = parse(midi_bytes(whole.midi), "b.mid")
        assert again.tempos == kept
        assert whole.tempos == [bpm for _, bpm in kept]
        assert whole.tempo == "5 tempos from 100 to 133.3 bpm"
        assert whole.seconds == pytest.approx(whole.midi.tick_to_time(5 * 1920), abs=1e-9)
        assert sum(clip.seconds for clip in clips) == pytest.approx(whole.seconds, abs=1e-9)
        assert piece(*clips, bpm=96.0).tempos == [96.0]
    first, second = cut(parse(song, "a.mid"), source_of(bars=2))[:2]
    assert first.changes == ((100 / 480, 6e7 / 470_000), (4, 6e7 / 461_538))
    assert (second.bpm, second.changes) == (100.0, ((7000 / 480 - 8, 6e7 / 450_001),))


def test_tempos_between_ticks_go_to_the_nearest_one() -> None:
    odd = Clip(clip(1).hits, changes=((1 / 7, 110.0), (1 / 7 + 1e-4, 75.0), (1 / 3, 100.0)))
    read = parse(midi_bytes(piece(odd).midi), "a.mid")
    assert read.tempos == [(0, 120.0), (69, 75.0), (160, 100.0)], "of two on one tick the later one counts"
    assert piece(odd).tempos == [120.0, 75.0, 100.0]


def test_a_fall_of_the_tempo_is_named_as_one() -> None:
    assert piece(clip(1, bpm=110.0), clip(1, bpm=90.0)).tempo == "2 tempos from 110 to 90 bpm"
    assert piece(clip(1, bpm=110.0), clip(1, bpm=90.0), clip(1, bpm=100.0)).tempo == "3 tempos from 90 to 110 bpm"


@pytest.mark.parametrize(
    ("meter", "grid", "steps"),
    [
        ((4, 4), 4, 4), ((3, 4), 12, 12), ((2, 2), 4, 8), ((6, 8), 4, 6), ((9, 8), 12, 18), ((12, 8), 24, 36),
        ((3, 8), 4, 2), ((7, 8), 4, 2), ((5, 8), 8, 4), ((6, 16), 8, 6), ((6, 4), 4, 4), ((8, 32), 4, 4),
    ],
)  # fmt: skip
def test_beats_are_counted_as_musicians_do(meter: Meter, grid: int, steps: int) -> None:
    assert steps_per_beat(meter, grid) == steps
