"""Melodies as sound: a plucked string by Karplus and Strong's algorithm."""

import functools
import math
from collections.abc import Iterable

import numpy as np

from seqvae.view.audio import RATE, folded, limited

LONGEST_SECONDS = 4.0  # that a string sounds; after these it is as good as silent
RELEASE_SECONDS = 0.06  # in which a string that is let go falls silent
ATTACK_SECONDS = 0.002  # or it would click
MOST_DAMPING = 1.5  # of a fundamental by averaging, as a rate a second
SOFTENING = 40  # samples of a period for each time that the first noise is averaged
LEVEL, LOUDNESS_SECONDS = 0.16, 0.25  # root mean square at full velocity, and of which part of a sound
PEAK = 0.8  # at most
Note = tuple[float, float, int, float]  # seconds at which it begins and ends, pitch, velocity from 0 to 127


def frequency(pitch: int) -> float:
    """Of a MIDI pitch in Hz, equally tempered, A4 (69) at 440.

    >>> frequency(69), round(frequency(60), 2)
    (440.0, 261.63)
    """
    return 440.0 * 2.0 ** ((pitch - 69) / 12)


def pluck(notes: Iterable[Note], rate: int = RATE, seconds: float = 0.0, loop: bool = False) -> np.ndarray:
    """Samples (N, 2) in [-0.94, 0.94], float32, both sides alike, of notes.

    They last until the last string is silent, and at least for `seconds`. With `loop` they last for exactly `seconds`,
    and what still sounds at the end sounds on at the beginning. The same notes give the same samples. Raises
    ValueError for a note before the start or, of a loop, behind its end.
    """
    played = sorted(notes)
    length = round(seconds * rate)
    for start, *_ in played:
        if start < 0 or (loop and round(start * rate) >= length):
            raise ValueError(f"a note at {start:g} s is outside; give notes from 0 s on, within the loop")
    strings = [
        (round(start * rate), _let_go(pitch, end - start, velocity, rate)) for start, end, pitch, velocity in played
    ]
    mix = np.zeros(max([length, *(start + len(string) for start, string in strings)]), dtype=np.float32)
    for start, string in strings:
        mix[start : start + len(string)] += string
    both = np.repeat(mix[:, None], 2, 1)
    return limited(folded(both, length) if loop else both)


def _let_go(pitch: int, seconds: float, velocity: float, rate: int) -> np.ndarray:
    """A string that is plucked, and damped after so many seconds."""
    string, held, release = _string(pitch, rate), round(seconds * rate), round(RELEASE_SECONDS * rate)
    sound = string[: held + release] * min(1.0, max(0.0, velocity / 127)) ** 1.5
    sound[held:] *= np.linspace(1, 0, release, dtype=np.float32)[: max(0, len(sound) - held)] ** 2
    return sound


@functools.cache
def _string(pitch: int, rate: int) -> np.ndarray:
    """A plucked string that is never let go, (N,) float32, faded to zero at its end.

    A burst of noise goes round a line as long as a period; each time round neighbouring samples are averaged, so that
    high harmonics fade first (Karplus and Strong 1983: y[t] = (y[t - P] + y[t - P - 1]) / 2). The average of a high
    string leans to one side, or its fundamental, which averaging damps by blend (1 - blend) (2 pi)^2 f^3 / 2 / rate^2 a
    second, would die at once. The line has a whole number of samples, and the average delays by a part of one; reading
    it at another speed gives the pitch exactly.
    """
    wanted = rate / frequency(pitch)
    period = max(2, round(wanted))
    rng = np.random.default_rng(pitch)  # noise of its own for each pitch, the same in every run
    line = rng.uniform(-1, 1, period)
    for _ in range(1 + period // SOFTENING):  # what strikes is a finger, no hammer
        line = (line + np.roll(line, 1)) / 2
    line -= line.mean()
    ring = 0.35 + 1.4 * math.exp(-max(0, pitch - 40) / 36)  # seconds to 1/e
    loss = math.exp(-period / (ring * rate))
    rounds = math.ceil(LONGEST_SECONDS * rate / period) + 2
    whole = np.empty((rounds, period))
    before = 0.0
    most = MOST_DAMPING * rate**2 / (2 * math.pi**2 * frequency(pitch) ** 3)
    blend = (1 - math.sqrt(1 - min(1.0, 4 * most))) / 2  # of blend (1 - blend) = most; a half where that is a quarter
    for turn in range(rounds):
        whole[turn] = line
        shifted = np.concatenate([[before], line[:-1]])
        before = line[-1]
        line = loss * ((1 - blend) * line + blend * shifted)
    return _faded(whole.ravel(), (period + blend) / wanted, rate)


def _faded(samples: np.ndarray, speed: float, rate: int) -> np.ndarray:
    """Samples read at a speed, without clicks at either end, at the level of a full stroke."""
    count = round(LONGEST_SECONDS * rate)
    sound = np.interp(np.arange(count) * speed, np.arange(len(samples)), samples)
    attack, release = round(ATTACK_SECONDS * rate), round(RELEASE_SECONDS * rate)
    sound[:attack] *= np.linspace(0, 1, attack)
    sound[-release:] *= np.linspace(1, 0, release)
    loudness = np.sqrt(np.mean(sound[: round(LOUDNESS_SECONDS * rate)] ** 2))
    made: np.ndarray = (sound * min(LEVEL / loudness, PEAK / np.abs(sound).max())).astype(np.float32)
    made.setflags(write=False)
    return made
