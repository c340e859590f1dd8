"""Drum hits as sound in stereo: a synthesizer of noise and sines."""

import bisect
import functools
import io
import math
import wave
from collections.abc import Callable, Iterable, Sequence

import numpy as np

RATE = 44_100  # samples a second
# Above the knee the limiter bends; it never reaches its ceiling.
KNEE, CEILING = 0.6, 0.94
FADE_SECONDS = 0.005

# General MIDI's percussion by what comes nearest to it; any other pitch is a wood block.
PITCHES = {
    "kick": (35, 36), "snare": (38, 40), "side_stick": (31, 37, 85), "clap": (28, 39), "closed_hat": (22, 42, 44),
    "open_hat": (26, 46), "low_tom": (41, 43, 45, 64, 66, 87), "mid_tom": (47, 48, 61, 63, 65, 86),
    "high_tom": (50, 60, 62), "crash": (49, 52, 55, 57), "ride": (51, 59), "bell": (34, 53, 56, 67, 68, 80, 81, 83, 84),
    "shaker": (29, 30, 54, 58, 69, 70, 73, 74, 82),
}  # fmt: skip
# Where each stands, from -1, left, to 1, right, as the drummer hears them; all others are in the middle.
PLACES = {
    "closed_hat": -0.45, "open_hat": -0.45, "snare": -0.1, "side_stick": -0.1, "high_tom": -0.3, "mid_tom": 0.1,
    "low_tom": 0.45, "crash": -0.55, "ride": 0.5, "bell": 0.35, "shaker": 0.4, "wood": -0.3, "clap": 0.15,
}  # fmt: skip
HATS = ("closed_hat", "open_hat")  # one pair of cymbals: either ends the open one
# Frequencies in Hz whose ratios are no whole numbers: what sounds like metal.
METAL = (263.0, 391.0, 523.0, 679.0, 811.0, 1033.0, 1327.0, 1609.0)


def sound_of(pitch: int) -> str:
    """The name of the sound that a pitch of the drum channel has.

    >>> sound_of(36), sound_of(46), sound_of(127)
    ('kick', 'open_hat', 'wood')
    """
    return next((sound for sound, pitches in PITCHES.items() if pitch in pitches), "wood")


def synthesize(
    onsets: Iterable[tuple[float, str, float]], rate: int = RATE, seconds: float = 0.0, loop: bool = False
) -> np.ndarray:
    """Samples (N, 2) in [-0.94, 0.94], float32, left and right, of hits (seconds, sound, velocity from 0 to 1).

    They last until the last hit has faded, and at least for `seconds`. With `loop` they last for exactly `seconds`,
    and what still sounds at the end sounds on at the beginning, so that they can be repeated without a seam.
    Loudness does not depend on what else is played; only what would be too loud is bent by a limiter. The same hits
    give the same samples. Raises ValueError for a sound that is not there and for hits outside of a loop.
    """
    hits = sorted((round(start * rate), sound, velocity) for start, sound, velocity in onsets)
    for start, sound, _ in hits:
        if sound not in SOUNDS:
            raise ValueError(f"no sound '{sound}'; there are {', '.join(SOUNDS)}")
        if start < 0 or (loop and start >= round(seconds * rate)):
            raise ValueError(f"a hit at {start / rate:g} s is outside; give hits from 0 s on, within the loop")
    length = round(seconds * rate)
    if not loop:
        return limited(_mixed(hits, rate, length))
    return limited(folded(_mixed(hits, rate, length, turn=length), length))


def folded(samples: np.ndarray, length: int) -> np.ndarray:
    """Samples (N, 2) as the (length, 2) of a loop: what comes after the end is added from the beginning on.

    >>> folded(np.array([[1, 0], [2, 0], [3, 0], [4, 0], [5, 1]]), 2)
    array([[9, 1],
           [6, 0]])
    """
    if len(samples) <= length:
        return np.pad(samples, ((0, length - len(samples)), (0, 0)))
    loop = samples[:length].copy()
    for start in range(length, len(samples), length):
        part = samples[start : start + length]
        loop[: len(part)] += part
    return loop


def render(
    hits: Iterable[tuple[float, int, float]], rate: int = RATE, seconds: float = 0.0, loop: bool = False
) -> np.ndarray:
    """Samples (N, 2), float32, of drums as (seconds, pitch of the drum channel, velocity from 0 to 127).

    `seconds` and `loop` are those of `synthesize`.
    """
    return synthesize(
        ((start, sound_of(pitch), velocity / 127) for start, pitch, velocity in hits), rate, seconds, loop
    )


def together(sounds: Sequence[np.ndarray]) -> np.ndarray:
    """Samples (N, 2) of sounds that are heard at once, as long as the longest, bent where they are too loud together.

    >>> together([np.array([[0.125, 0.25], [0.375, 0.375]]), np.array([[0.25, 0.125]])]).tolist()
    [[0.375, 0.375], [0.375, 0.375]]
    """
    mix = np.zeros((max(map(len, sounds)), 2), dtype=np.float32)
    for sound in sounds:
        mix[: len(sound)] += sound
    return limited(mix)


def wav(samples: np.ndarray, rate: int = RATE) -> bytes:
    """A WAV file of samples (N, channels) in [-1, 1], in 16 bits."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return content.getvalue()


def _mixed(hits: Sequence[tuple[int, str, float]], rate: int, least: int, turn: int = 0) -> np.ndarray:
    """The sum (N, 2) of all hits, by their first samples and in order, at least so many samples long.

    Where they are repeated, it is after `turn` samples.
    """
    samples = [_sample(sound, rate) for _, sound, _ in hits]
    fade = np.linspace(1, 0, round(FADE_SECONDS * rate))
    hats = sorted({start for start, sound, _ in hits if sound in HATS})
    hats += [start + turn for start in hats[:1] if turn]
    for index, (start, sound, _) in enumerate(hits):
        following = bisect.bisect_right(hats, start)
        if sound == "open_hat" and following < len(hats):
            gap = hats[following] - start
            cut = samples[index][: gap + len(fade)].copy()
            cut[gap:] *= fade[: max(0, len(cut) - gap)]
            samples[index] = cut
    ends = (start + len(sample) for (start, _, _), sample in zip(hits, samples, strict=True))
    mix = np.zeros((max(least, *ends, 0), 2), dtype=np.float32)
    for (start, sound, velocity), sample in zip(hits, samples, strict=True):
        # Ears hear level as its logarithm: half the velocity is 9 dB less.
        level = min(1.0, max(0.0, velocity)) ** 1.5
        for side, share in enumerate(_sides(sound)):
            mix[start : start + len(sample), side] += sample * (level * share)
    return mix


def _sides(sound: str) -> tuple[float, float]:
    """How loud a sound is left and right: as powerful everywhere, and 1 on both sides in the middle."""
    angle = (1 + PLACES.get(sound, 0.0)) * math.pi / 4
    return math.sqrt(2) * math.cos(angle), math.sqrt(2) * math.sin(angle)


def limited(mix: np.ndarray) -> np.ndarray:
    """The mix (N, 2), bent where its louder side is above the knee; both sides alike, so that nothing moves."""
    peak = np.abs(mix).max(axis=1)
    loud = peak > KNEE
    room = CEILING - KNEE
    mix[loud] *= ((KNEE + room * np.tanh((peak[loud] - KNEE) / room)) / peak[loud])[:, None]
    return mix


@functools.cache
def _sample(sound: str, rate: int) -> np.ndarray:
    """One hit at full velocity, faded out to zero at its end."""
    seconds, level, make = SOUNDS[sound]
    times = np.arange(round(seconds * rate)) / rate
    # Noise of its own for each sound, the same in every run.
    sample = make(times, np.random.default_rng(sum(sound.encode())))
    sample *= level / np.abs(sample).max()
    fade = round(FADE_SECONDS * rate)
    sample[-fade:] *= np.linspace(1, 0, fade)
    sample.setflags(write=False)
    return sample


def _decay(times: np.ndarray, seconds: float) -> np.ndarray:
    """1 at the start, 1/e after so many seconds; the first half millisecond rises, or it would click."""
    return np.exp(-times / seconds) * np.minimum(1.0, times / 0.0005)


def _glide(times: np.ndarray, top: float, bottom: float, seconds: float) -> np.ndarray:
    """A sine that falls from one frequency in Hz to another, most of the way in so many seconds."""
    return np.sin(2 * np.pi * (bottom * times + (top - bottom) * seconds * (1 - np.exp(-times / seconds))))


def _noise(times: np.ndarray, rng: np.random.Generator, low: float, high: float = 1e9) -> np.ndarray:
    """White noise between two frequencies in Hz, which fall off by 12 dB an octave outside; deviation 1."""
    return _band(rng.standard_normal(len(times)), times, low, high)


def _metal(times: np.ndarray, low: float) -> np.ndarray:
    """Square waves at ratios that are no whole numbers, above a frequency in Hz; deviation 1."""
    waves = sum(np.sign(np.sin(2 * np.pi * frequency * times + index)) for index, frequency in enumerate(METAL))
    return _band(np.asarray(waves), times, low, 1e9)


def _band(signal: np.ndarray, times: np.ndarray, low: float, high: float) -> np.ndarray:
    """What a signal has between two frequencies, with deviation 1."""
    frequencies = np.maximum(np.fft.rfftfreq(len(signal), times[1]), 1e-9)
    gain = 1 / np.sqrt(1 + (low / frequencies) ** 4) / np.sqrt(1 + (frequencies / high) ** 4)
    filtered = np.fft.irfft(np.fft.rfft(signal) * gain, len(signal))
    return filtered / filtered.std()


def _kick(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    body = _glide(times, 230.0, 52.0, 0.032) * _decay(times, 0.085)
    # An overtone and a beater make it heard where loudspeakers have no bass.
    shell = 0.35 * _glide(times, 420.0, 190.0, 0.03) * _decay(times, 0.035)
    return body + shell + 0.1 * _noise(times, rng, 1200.0, 5000.0) * _decay(times, 0.006)


def _snare(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    drum = _glide(times, 240.0, 185.0, 0.02) + 0.5 * _glide(times, 380.0, 330.0, 0.02)
    return 0.5 * drum * _decay(times, 0.06) + 0.35 * _noise(times, rng, 1500.0, 9000.0) * _decay(times, 0.085)


def _tom(pitch: float) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """A tom that settles at a pitch in Hz."""

    def tom(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        body = _glide(times, 1.6 * pitch, pitch, 0.05) * _decay(times, 0.13)
        body += 0.6 * _glide(times, 3.2 * pitch, 2.0 * pitch, 0.05) * _decay(times, 0.09)
        return body + 0.06 * _noise(times, rng, 600.0, 4000.0) * _decay(times, 0.015)

    return tom


def _cymbal(
    low: float, seconds: float, metal: float, ping: float = 0.0
) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """Noise and metal above a frequency in Hz that decay in so many seconds, with a share of a ping at 3.1 kHz."""

    def cymbal(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        wash = metal * _metal(times, low) + (1 - metal) * _noise(times, rng, low)
        stick = np.sin(2 * np.pi * 3100.0 * times) + 0.6 * np.sin(2 * np.pi * 4730.0 * times)
        return (1 - ping) * wash * _decay(times, seconds) + 2 * ping * stick * _decay(times, 0.06)

    return cymbal


def _side_stick(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    click = np.sin(2 * np.pi * 1720.0 * times) + 0.6 * np.sin(2 * np.pi * 480.0 * times)
    return click * _decay(times, 0.012) + 0.2 * _noise(times, rng, 2000.0) * _decay(times, 0.006)


def _clap(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    hands = sum(_decay(np.maximum(times - delay, 0.0), 0.006) for delay in (0.0, 0.011, 0.021))
    return _noise(times, rng, 900.0, 3000.0) * (np.asarray(hands) + 0.7 * _decay(np.maximum(times - 0.03, 0.0), 0.06))


def _bell(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    two = np.sign(np.sin(2 * np.pi * 562.0 * times)) + np.sign(np.sin(2 * np.pi * 845.0 * times))
    return _band(two, times, 500.0, 4000.0) * _decay(times, 0.09)


def _shaker(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _noise(times, rng, 5000.0) * _decay(times, 0.035)


def _wood(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.sin(2 * np.pi * 1150.0 * times) * _decay(times, 0.025)


# Name: seconds, peak at full velocity, waveform. Levels are balanced by ear's loudness, not by peak.
SOUNDS: dict[str, tuple[float, float, Callable[[np.ndarray, np.random.Generator], np.ndarray]]] = {
    "kick": (0.5, 0.72, _kick),
    "snare": (0.5, 0.75, _snare),
    "closed_hat": (0.2, 0.56, _cymbal(7000.0, 0.028, 0.6)),
    "open_hat": (1.2, 0.56, _cymbal(6500.0, 0.25, 0.6)),
    "low_tom": (0.9, 0.6, _tom(96.0)),
    "mid_tom": (0.8, 0.6, _tom(130.0)),
    "high_tom": (0.7, 0.6, _tom(176.0)),
    "crash": (2.6, 0.45, _cymbal(3000.0, 0.55, 0.35)),
    "ride": (1.5, 0.26, _cymbal(5000.0, 0.24, 0.7, 0.45)),
    "side_stick": (0.1, 0.5, _side_stick),
    "clap": (0.4, 0.5, _clap),
    "bell": (0.5, 0.35, _bell),
    "shaker": (0.2, 0.25, _shaker),
    "wood": (0.15, 0.4, _wood),
}
