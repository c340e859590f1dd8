"""What windows are like as music: whether bars repeat, how many notes there are, and where they stand."""

from collections.abc import Sequence

import numpy as np

from seqvae.modalities.midi.excerpt import Excerpt
from seqvae.modalities.midi.meters import steps_per_bar


def units(notes: str) -> dict[str, str]:
    """The figures of windows whose notes are called so, and their units."""
    return {
        "sample_bar_repetition": f"share of steps that equal the same step of the bar before, in windows with {notes}",
        "sample_exact_repeats": f"share of windows whose bars are all equal, of windows with {notes}",
        f"sample_{notes}": f"{notes} a window",
        "sample_off_eighths": f"share of {notes} that stand on no eighth note; on a grid of sixteenths, on the odd "
        "ones",
        "sample_silent": f"share of windows without a {notes.removesuffix('s')}",
    }


def rhythm_figures(items: Sequence[Excerpt], notes: str) -> dict[str, float | None]:
    """The figures of `units` over all items; None where nothing can be counted, such as repeats of a single bar.

    Silence repeats itself, so silent windows are counted apart.

    >>> from seqvae.modalities.midi.clip import Clip
    >>> beat = np.array([[1], [0], [1], [0]] * 4, bool)  # a bar of eighths
    >>> rhythm_figures([Clip(np.concatenate([beat, np.roll(beat, 1)]))], "hits")["sample_off_eighths"]
    0.5
    """
    sounding = [item for item in items if item.onsets.any()]
    equal = [same for same in map(equal_to_the_bar_before, sounding) if len(same)]
    count = sum(int(item.onsets.sum()) for item in sounding)
    return {
        "sample_bar_repetition": _share(sum(int(same.sum()) for same in equal), sum(map(len, equal))),
        "sample_exact_repeats": _share(sum(bool(same.all()) for same in equal), len(equal)),
        f"sample_{notes}": _share(count, len(items)),
        "sample_off_eighths": _share(sum(map(_off_eighths, sounding)), count),
        "sample_silent": _share(len(items) - len(sounding), len(items)),
    }


def equal_to_the_bar_before(item: Excerpt) -> np.ndarray:
    """(T - bar,) bool: whether a step is as the step one bar earlier."""
    bar, steps = steps_per_bar(item.meter, item.steps_per_quarter), item.steps.reshape(len(item), -1)
    same: np.ndarray = (steps[bar:] == steps[:-bar]).all(1)
    return same


def _off_eighths(item: Excerpt) -> int:
    return int(item.onsets[2 * np.arange(len(item)) % item.steps_per_quarter != 0].sum())


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
