"""How loud hits are and how far from the grid: figures of performances, and of one beside another."""

from collections.abc import Sequence

import numpy as np

from seqvae.modalities.midi.performance import Performance

SAMPLE_UNITS = {
    "sample_velocity": "velocity of a hit, 1 to 127, on average",
    "sample_velocity_spread": "standard deviation of the velocities of hits",
    "sample_offset_16ths": "16ths that a hit is early or late, on average",
}


def units(bpm: float | None) -> dict[str, str]:
    """The figures of `feel_figures` and those whose meaning they change; `bpm` is the tempo that ms are of."""
    tempo = "the usual tempo" if bpm is None else f"{bpm:g} bpm, the usual tempo"
    both = "of hits that come back on their step"
    return {
        "step_accuracy_teacher_forced": "share of steps whose hits are right, each after the true ones before it",
        "exact_match": "share of items whose hits all come back, greedy",
        "f1_hits": "F1 of the hits of all classes, 0 to 1",
        "timing_error_16ths": f"16ths, mean absolute error {both}",
        "timing_error_ms": f"ms at {tempo}, mean absolute error {both}",
        "timing_error_quantised_16ths": "16ths, that of the same hits put on the grid",
        "timing_error_quantised_ms": f"ms at {tempo}, that of the same hits put on the grid",
        "velocity_error": f"of velocities 1 to 127, mean absolute error {both}",
        "velocity_error_flat": "that of the same hits at the mean velocity of all of them",
    }


def feel_figures(truth: Sequence[Performance], guess: Sequence[Performance]) -> dict[str, float | None]:
    """F1 of all hits, and the errors of the times and velocities of those that come back on their step.

    Each ms is of the tempo of its own item at its start. Errors are None without such hits.
    """
    right = hits = 0
    late, flat, sixteenths, milliseconds, loud, heard = (list[np.ndarray]() for _ in range(6))
    for one, other in zip(truth, guess, strict=True):
        both = one.hits & other.hits
        right, hits = right + int(both.sum()), hits + int(one.hits.sum() + other.hits.sum())
        late.append(np.abs(one.offsets - other.offsets)[both])
        flat.append(np.abs(one.offsets)[both])
        sixteenths.append(np.full(len(late[-1]), 4 / one.steps_per_quarter))
        milliseconds.append(np.full(len(late[-1]), 60_000 / one.bpm / one.steps_per_quarter))
        heard.append(one.velocities[both].astype(float))
        loud.append(np.abs(one.velocities[both] - other.velocities[both].astype(float)))
    figures: dict[str, float | None] = {"f1_hits": 2 * right / hits if hits else None}
    apart, of_grid, velocity = map(_joined, (late, flat, heard))
    for unit, size in (("16ths", _joined(sixteenths)), ("ms", _joined(milliseconds))):
        figures[f"timing_error_{unit}"] = _mean(apart * size)
        figures[f"timing_error_quantised_{unit}"] = _mean(of_grid * size)
    flat_velocity = np.abs(velocity - velocity.mean()) if len(velocity) else velocity
    return figures | {"velocity_error": _mean(_joined(loud)), "velocity_error_flat": _mean(flat_velocity)}


def sample_figures(samples: Sequence[Performance]) -> dict[str, float | None]:
    """The figures of SAMPLE_UNITS; None without a hit."""
    velocity = _joined([item.velocities[item.hits].astype(float) for item in samples])
    late = _joined([np.abs(item.offsets[item.hits]) * 4 / item.steps_per_quarter for item in samples])
    return {
        "sample_velocity": _mean(velocity),
        "sample_velocity_spread": float(velocity.std()) if len(velocity) else None,
        "sample_offset_16ths": _mean(late),
    }


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0), *parts])


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
