"""The plucked string: in tune, without clicks, as long as its notes, below full scale, the same every time."""

import numpy as np
import pytest

from seqvae.view.plucked import RATE, RELEASE_SECONDS, frequency, pluck


def spectrum_peak(samples: np.ndarray, near: float) -> float:
    """The frequency in Hz of the strongest part within two semitones."""
    size = 1 << 19
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size))
    hertz = np.arange(len(power)) * RATE / size
    close = (hertz > near * 0.89) & (hertz < near * 1.12)
    return float(hertz[close][power[close].argmax()])


@pytest.mark.parametrize("pitch", [21, 40, 60, 69, 83, 96, 108, 127])
def test_a_string_is_in_tune_to_two_hundredths_of_a_semitone(pitch: int) -> None:
    samples = pluck([(0.0, 1.5, pitch, 100)])[:, 0][4410:48510].astype(float)
    assert abs(1200 * np.log2(spectrum_peak(samples, frequency(pitch)) / frequency(pitch))) < 2


def test_a_note_sounds_as_long_as_it_is_held_and_fades_without_a_click() -> None:
    samples = pluck([(0.25, 0.75, 60, 100)])[:, 0]
    start, end = round(0.25 * RATE), round(0.75 * RATE)
    assert not samples[: start + 1].any()
    assert len(samples) == end + round(RELEASE_SECONDS * RATE)
    assert np.abs(samples[start : start + 5]).max() < 0.02, "it rises"
    assert abs(samples[-1]) < 1e-4
    before, after = (np.abs(np.diff(part)).max() for part in (samples[start:end], samples[end:]))
    assert after < before / 2, "no step at its end is larger than those of the string"
    loud = [float(np.sqrt((samples[at : at + 2000] ** 2).mean())) for at in (start + 1000, end - 2000)]
    assert loud[0] > loud[1] > 0.01


def test_louder_notes_are_louder_and_all_pitches_about_as_loud() -> None:
    def level(pitch: int, velocity: float) -> float:
        return float(np.sqrt((pluck([(0.0, 0.3, pitch, velocity)])[: round(0.25 * RATE)] ** 2).mean()))

    assert level(60, 127) / level(60, 64) == pytest.approx((127 / 64) ** 1.5, rel=0.02)
    levels = [level(pitch, 100) for pitch in range(28, 104, 5)]
    assert max(levels) / min(levels) < 2.2


def test_nothing_is_louder_than_full_scale_however_many_strings_sound() -> None:
    samples = pluck([(0.0, 1.0, pitch, 127) for pitch in range(40, 80)])
    assert samples.shape[1] == 2
    assert 0.6 < np.abs(samples).max() <= 0.94 + 1e-6
    assert np.array_equal(samples[:, 0], samples[:, 1])


def test_a_loop_lasts_for_exactly_its_time_and_rings_on_at_its_start() -> None:
    note = (0.9, 1.0, 60, 100)
    loop, open_ = pluck([note], seconds=1.0, loop=True), pluck([note], seconds=1.0)
    assert len(loop) == RATE
    tail = open_[RATE:]
    assert len(tail) == round(RELEASE_SECONDS * RATE)
    assert loop[: len(tail)] == pytest.approx(tail, abs=1e-6)
    assert np.abs(tail).max() > 0.001
    for outside in (-0.1, 1.0):
        with pytest.raises(ValueError, match="is outside; give notes from 0 s on, within the loop"):
            pluck([(outside, 2.0, 60, 100)], seconds=1.0, loop=True)


def test_the_same_notes_are_the_same_samples_and_silence_is_silence() -> None:
    notes = [(0.0, 0.5, 60, 90), (0.5, 0.7, 67, 80)]
    assert np.array_equal(pluck(notes), pluck(reversed(notes)))
    assert pluck([], seconds=0.5).shape == (RATE // 2, 2)
    assert not pluck([], seconds=0.5).any()
