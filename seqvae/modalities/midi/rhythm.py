"""What windows of drums are like as music: whether bars repeat, how many hits there are, and where they stand."""

from collections.abc import Mapping, Sequence

import numpy as np

from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.meters import steps_per_bar

UNITS: Mapping[str, str] = {
    "sample_bar_repetition": "share of steps that equal the same step of the bar before, in windows with hits",
    "sample_exact_repeats": "share of windows whose bars are all equal, of windows with hits",
    "sample_hits": "hits a window",
    "sample_off_eighths": "share of hits that stand on no eighth note; on a grid of sixteenths, on the odd ones",
    "sample_silent": "share of windows without a hit",
}


def rhythm_figures(clips: Sequence[Clip]) -> dict[str, float | None]:
    """The figures of UNITS over all clips; None where nothing can be counted, such as repeats of a single bar.

    Silence repeats itself, so silent windows are counted apart.

    >>> beat = np.array([[1], [0], [1], [0]] * 4, bool)  # a bar of eighths
    >>> rhythm_figures([Clip(np.concatenate([beat, np.roll(beat, 1)]))])["sample_off_eighths"]
    0.5
    """
    sounding = [clip for clip in clips if clip.hits.any()]
    equal = [same for same in map(_equal_to_the_bar_before, sounding) if len(same)]
    hits = sum(int(clip.hits.sum()) for clip in sounding)
    return {
        "sample_bar_repetition": _share(sum(int(same.sum()) for same in equal), sum(map(len, equal))),
        "sample_exact_repeats": _share(sum(bool(same.all()) for same in equal), len(equal)),
        "sample_hits": _share(hits, len(clips)),
        "sample_off_eighths": _share(sum(map(_off_eighths, sounding)), hits),
        "sample_silent": _share(len(clips) - len(sounding), len(clips)),
    }


def _equal_to_the_bar_before(clip: Clip) -> np.ndarray:
    """(T - bar,) bool: whether a step has the hits of the step one bar earlier."""
    bar = steps_per_bar(clip.meter, clip.steps_per_quarter)
    same: np.ndarray = (clip.hits[bar:] == clip.hits[:-bar]).all(1)
    return same


def _off_eighths(clip: Clip) -> int:
    return int(clip.hits[2 * np.arange(len(clip.hits)) % clip.steps_per_quarter != 0].sum())


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def changed_hits(hits: np.ndarray, others: np.ndarray) -> tuple[int, int]:
    """The hits (T, C) that stand in one of the two only, and those that stand in either; the shorter one is silent on.

    >>> changed_hits(np.array([[1, 0], [1, 1]], bool), np.array([[1, 1], [1, 1], [1, 0]], bool))
    (2, 5)
    """
    steps = max(len(hits), len(others))
    one, other = (np.pad(own, ((0, steps - len(own)), (0, 0))) for own in (hits, others))
    return int((one != other).sum()), int((one | other).sum())
