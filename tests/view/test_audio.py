"""The drum synthesizer, measured: onsets, spectra, levels, loops."""

import io
import math
import wave

import numpy as np
import pytest

from seqvae.view import audio
from seqvae.view.audio import RATE, SOUNDS, render, sound_of, synthesize, wav

FRAME = 32  # samples, 0.7 ms
KNEE_REACHED = 0.65
ROCK = [
    *((0.25 * index, "closed_hat", 0.8 if index % 2 == 0 else 0.55) for index in range(15)),
    *((second, "kick", 0.9) for second in (0.0, 0.75, 1.0, 2.0, 2.75, 3.125)),
    *((second, "snare", 0.9) for second in (0.5, 1.5, 2.5, 3.5)),
    (3.75, "open_hat", 0.9),
]


def onsets_in(samples: np.ndarray, threshold: float = 1.6, apart: float = 0.06) -> np.ndarray:
    """Seconds at which the energy of the signal's slope jumps, found without knowing the hits."""
    # The slope lifts the bright attack of a hit over the low tails of those before.
    slope = np.diff(samples.astype(np.float64).mean(1), prepend=0.0)
    frames = slope[: len(slope) // FRAME * FRAME].reshape(-1, FRAME)
    energy = np.sqrt((frames**2).mean(1))
    before = np.array([energy[max(0, index - 16) : index].max(initial=0.0) for index in range(len(energy))])
    found: list[float] = []
    for index in np.flatnonzero((energy > threshold * before) & (energy > 0.001)):
        second = index * FRAME / RATE
        if not found or second - found[-1] > apart:
            found.append(second)
    return np.array(found)


def centroid(samples: np.ndarray) -> float:
    """The mean frequency of the signal's power, in Hz."""
    power = np.abs(np.fft.rfft(samples.mean(1))) ** 2
    return float((power * np.fft.rfftfreq(len(samples), 1 / RATE)).sum() / power.sum())


@pytest.mark.parametrize("sound", SOUNDS)
def test_every_hit_is_heard_when_it_is_played(sound: str):
    times = 0.1 + np.arange(5) * (SOUNDS[sound][0] + 0.07)
    samples = synthesize(
        [(second, sound, velocity) for second, velocity in zip(times, (1, 0.4, 0.7, 0.3, 1), strict=True)]
    )
    found = onsets_in(samples)
    assert len(found) == 5
    np.testing.assert_allclose(found, times, atol=0.002)


def test_the_onsets_of_a_groove_are_those_of_its_notes():
    expected = np.array(sorted({second for second, _, _ in ROCK}))
    found = onsets_in(synthesize(ROCK))
    assert len(found) == len(expected) == 17
    np.testing.assert_allclose(found, expected, atol=0.002)


def test_drums_are_ordered_by_brightness_as_real_ones_are():
    height = {sound: centroid(synthesize([(0.0, sound, 1.0)])) for sound in SOUNDS}
    order = ["kick", "low_tom", "mid_tom", "high_tom", "snare", "ride", "closed_hat"]
    assert sorted(order, key=height.__getitem__) == order
    assert height["kick"] < 200
    assert 1500 < height["snare"] < 6000
    assert height["open_hat"] > 8000


def test_the_kick_falls_in_pitch():
    samples = synthesize([(0.0, "kick", 1.0)])
    start, later = samples[: RATE // 25], samples[RATE // 10 : RATE // 5]
    assert centroid(start) > 1.3 * centroid(later)
    assert 40 < centroid(later) < 70


def test_cymbals_ring_longer_than_hats():
    def seconds(sound: str) -> float:
        energy = np.cumsum((synthesize([(0.0, sound, 1.0)]).astype(np.float64) ** 2).sum(1))
        return float(np.searchsorted(energy, 0.99 * energy[-1])) / RATE

    assert seconds("closed_hat") < 0.15 < 0.3 < seconds("open_hat") < seconds("crash")


def test_a_closed_hat_ends_an_open_one():
    apart = int(0.2 * RATE)
    open_alone = synthesize([(0.0, "open_hat", 1.0)])
    closed_alone = synthesize([(0.0, "closed_hat", 1.0)])
    both = synthesize([(0.0, "open_hat", 1.0), (0.2, "closed_hat", 1.0)])
    np.testing.assert_array_equal(both[:apart], open_alone[:apart])
    faded = apart + math.ceil(audio.FADE_SECONDS * RATE)
    np.testing.assert_allclose(both[faded:], closed_alone[faded - apart :], atol=1e-7)
    assert np.abs(open_alone[faded : faded + 1000]).max() > 0.02  # it would have rung on


def test_other_drums_ring_through_each_other():
    kick, snare = synthesize([(0.0, "kick", 0.5)]), synthesize([(0.0, "snare", 0.5)])
    both = synthesize([(0.0, "kick", 0.5), (0.0, "snare", 0.5)])
    np.testing.assert_allclose(both[: len(snare)], kick[: len(snare)] + snare, atol=1e-6)


def test_levels_follow_velocity_and_not_what_else_is_played():
    loud, soft = (np.abs(synthesize([(0.0, "snare", velocity)])).max() for velocity in (0.8, 0.4))
    assert loud / soft == pytest.approx(2**1.5, rel=1e-4)
    with_crash = synthesize([(0.0, "snare", 0.4), (1.0, "crash", 1.0), (1.0, "kick", 1.0)])
    assert np.abs(with_crash[: RATE // 2]).max() == pytest.approx(soft)
    assert not synthesize([(0.0, "snare", 0.0)]).any()


def test_nothing_clips_however_much_is_played_at_once():
    everything = [(0.0, sound, 1.0) for sound in SOUNDS] * 3
    samples = synthesize(everything)
    assert np.isfinite(samples).all()
    assert 0.9 < np.abs(samples).max() <= 0.95
    assert np.abs(synthesize(ROCK)).max() <= 0.95
    # The limiter bends where it is loud and leaves the rest as it is.
    quiet = synthesize([(0.0, "ride", 1.0)])
    assert np.sqrt((quiet.astype(np.float64) ** 2).sum(1).max() / 2) == pytest.approx(SOUNDS["ride"][1])


def test_a_kit_is_spread_from_left_to_right_and_as_loud_everywhere():
    sides = {}
    for sound in SOUNDS:
        powers = (synthesize([(0.0, sound, 0.3)]).astype(np.float64) ** 2).sum(0)
        sides[sound] = powers[1] / powers.sum()
        alone = audio._sample(sound, RATE).astype(np.float64) * 0.3**1.5
        assert powers.sum() == pytest.approx(2 * (alone**2).sum(), rel=1e-5)
    assert sides["kick"] == pytest.approx(0.5)
    order = ["crash", "closed_hat", "high_tom", "snare", "kick", "mid_tom", "low_tom", "ride"]
    assert sorted(order, key=sides.__getitem__) == order
    assert sides["closed_hat"] == pytest.approx(sides["open_hat"], rel=1e-5)
    assert 0.1 < sides["closed_hat"] < 0.25


def test_the_limiter_moves_no_drum():
    loud = synthesize([(0.0, sound, 1.0) for sound in ("closed_hat", "open_hat", "crash")])
    soft = synthesize([(0.0, sound, 0.05) for sound in ("closed_hat", "open_hat", "crash")])
    assert np.abs(loud).max() > KNEE_REACHED
    np.testing.assert_allclose(loud[:200, 0] * soft[:200, 1], loud[:200, 1] * soft[:200, 0], atol=1e-6)


def test_hats_are_heard_beside_the_kick_and_half_of_the_energy_is_above_the_bass():
    def level(sound: str) -> float:
        return 10 * math.log10((synthesize([(0.0, sound, 0.8)]).astype(np.float64)[: RATE // 8] ** 2).mean())

    assert level("closed_hat") - level("kick") > -12  # decibels
    mix = synthesize(ROCK).astype(np.float64).mean(1)
    power, height = np.abs(np.fft.rfft(mix)) ** 2, np.fft.rfftfreq(len(mix), 1 / RATE)
    assert 0.3 < power[height < 150].sum() / power.sum() < 0.5


def test_the_same_hits_give_the_same_samples_in_any_order():
    first = synthesize(ROCK)
    assert first.dtype == np.float32
    audio._sample.cache_clear()
    np.testing.assert_array_equal(synthesize(ROCK[::-1]), first)


def test_the_sound_ends_with_the_tail_of_the_last_hit():
    samples = synthesize([(0.0, "crash", 1.0), (3.0, "kick", 1.0)])
    assert len(samples) == round((3.0 + SOUNDS["kick"][0]) * RATE)
    assert np.abs(samples[-1]).max() < 1e-4
    assert len(synthesize([(0.0, "kick", 1.0)], seconds=4.0)) == 4 * RATE
    assert len(synthesize([], seconds=0.5)) == RATE // 2
    assert synthesize([]).shape == (0, 2)


def test_a_loop_has_its_exact_length_and_no_seam():
    tail = [(0.0, "kick", 0.6), (0.5, "snare", 0.6), (0.98, "crash", 0.6)]
    loop = synthesize(tail, seconds=1.0, loop=True)
    assert len(loop) == RATE
    repeated = synthesize([(second + turn, sound, velocity) for turn in range(8) for second, sound, velocity in tail])
    # Once all tails are there, playing the loop again and again is what playing on would be.
    np.testing.assert_allclose(np.tile(loop, (2, 1)), repeated[5 * RATE : 7 * RATE], atol=1e-6)
    assert np.abs(loop[:100]).max() > 0.05  # the crash sounds on from the end
    assert not synthesize([], seconds=0.25, loop=True).any()


def test_an_open_hat_at_the_end_of_a_loop_is_closed_at_its_beginning():
    loop = synthesize([(0.0, "closed_hat", 0.5), (0.8, "open_hat", 1.0)], seconds=1.0, loop=True)
    alone = synthesize([(0.0, "closed_hat", 0.5)])
    faded = math.ceil(audio.FADE_SECONDS * RATE)
    np.testing.assert_allclose(loop[faded : len(alone)], alone[faded:], atol=1e-6)


def test_hits_that_cannot_be_played_are_refused():
    with pytest.raises(ValueError, match="no sound 'gong'; there are kick, snare"):
        synthesize([(0.0, "gong", 1.0)])
    with pytest.raises(ValueError, match="a hit at -1 s is outside"):
        synthesize([(-1.0, "kick", 1.0)])
    with pytest.raises(ValueError, match="a hit at 2 s is outside"):
        synthesize([(2.0, "kick", 1.0)], seconds=2.0, loop=True)


def test_each_pitch_has_a_sound_that_is_there():
    assert {sound_of(pitch) for pitch in range(128)} == set(SOUNDS)
    pitches = [pitch for group in audio.PITCHES.values() for pitch in group]
    assert len(pitches) == len(set(pitches))
    # The pitches that the nine classes of MusicVAE write.
    names = [sound_of(pitch) for pitch in (36, 38, 42, 46, 45, 48, 50, 49, 51)]
    assert names == ["kick", "snare", "closed_hat", "open_hat", "low_tom", "mid_tom", "high_tom", "crash", "ride"]


def test_hits_are_rendered_by_their_pitches_and_velocities():
    hits = [(0.5, 38, 127), (0.0, 36, 64)]
    np.testing.assert_array_equal(render(hits), synthesize([(0.0, "kick", 64 / 127), (0.5, "snare", 1.0)]))
    assert len(render(hits, seconds=2.0, loop=True)) == 2 * RATE
    assert len(render([])) == 0


def test_a_wav_file_holds_the_samples_as_16_bits():
    samples = synthesize(ROCK)
    with wave.open(io.BytesIO(wav(samples)), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, RATE)
        read = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2) / 32767
    np.testing.assert_allclose(read, samples, atol=0.51 / 32767)
    with wave.open(io.BytesIO(wav(np.array([[2.0], [-2.0]]), 8000)), "rb") as file:
        assert np.frombuffer(file.readframes(2), dtype="<i2").tolist() == [32767, -32767]
        assert file.getframerate() == 8000
