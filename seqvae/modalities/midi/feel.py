"""How loud hits are and how far from the grid: figures of performances, and of one beside another."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqvae.modalities.midi.performance import Performance

TIME_BINS = 11  # of a step
VELOCITY_BINS = 16
_SQUARES = "nats and squared errors per item"
UNITS_OF_SQUARES = {  # of what is a likelihood in models that have a density
    "elbo_nats": _SQUARES,
    "elbo_bits": f"{_SQUARES}, by ln 2",
    "reconstruction_nats": f"{_SQUARES}: hits' nats, and errors of velocities and times, one draw of z",
    "reconstruction_bits": f"{_SQUARES}, by ln 2",
    "iw_nll_nats": f"{_SQUARES}, importance weighted as if they were nats",
    "code_gain_nats": f"{_SQUARES}, what the decoder gains from an item's code over codes shuffled among the items",
}
SAMPLE_UNITS = {
    "sample_velocity": "velocity of a hit, 1 to 127, on average",
    "sample_velocity_spread": "standard deviation of the velocities of hits",
    "sample_offset_16ths": "16ths that a hit is early or late, on average",
}


def units(bpm: float | None) -> dict[str, str]:
    """The figures of `feel_figures` and `neighbour_figures`, and those whose meaning they change.

    `bpm` is the tempo that ms are of.
    """
    tempo = "the usual tempo" if bpm is None else f"{bpm:g} bpm, the usual tempo"
    both = "of hits that come back on their step (infill: of the added class)"
    apart = "nats, KL divergence of the histogram of"
    near = "played as the nearest training windows play them"
    return {
        "step_accuracy_teacher_forced": "share of steps whose hits are right, each after the true ones before it",
        "exact_match": "share of items whose hits all come back, greedy",
        "f1_hits": "F1 of the hits of all classes, 0 to 1",
        "f1_hits_input": "that of the hits that the encoder reads, without any model (tap, infill)",
        "f1_hits_neighbours": "that of the hits that enough of the nearest training windows have (tap, infill)",
        "f1_added": "F1 of the hits of the added class (infill)",
        "f1_added_neighbours": "that of the hits that enough of the nearest training windows have (infill)",
        "timing_error_16ths": f"16ths, mean absolute error {both}",
        "timing_error_ms": f"ms at {tempo}, mean absolute error {both}",
        "timing_error_quantised_16ths": "16ths, that of the same hits put on the grid",
        "timing_error_quantised_ms": f"ms at {tempo}, that of the same hits put on the grid",
        "timing_error_neighbours_16ths": f"16ths, that of hits {near}",
        "timing_error_neighbours_ms": f"ms at {tempo}, that of hits {near}",
        "velocity_error": f"of velocities 1 to 127, mean absolute error {both}",
        "velocity_error_flat": "that of the same hits at the mean velocity of all of them",
        "velocity_error_neighbours": f"that of hits {near}",
        "timing_kl_nats": f"{apart} places from that of the data, in {TIME_BINS} bins, of the same hits",
        "timing_kl_quantised_nats": "nats, that of the same hits put on the grid",
        "timing_kl_neighbours_nats": f"nats, that of hits {near}",
        "velocity_kl_nats": f"{apart} velocities from that of the data, in {VELOCITY_BINS} bins, of the same hits",
        "velocity_kl_flat_nats": "nats, that of the same hits at the mean velocity of all of them",
        "velocity_kl_neighbours_nats": f"nats, that of hits {near}",
    }


class Paired(NamedTuple):
    """What performances and guesses have in common: the velocity and offset of each hit of both, (N, 2) each.

    `sizes` (N, 2) are those of its step in 16ths, and in ms at the tempo of the start.
    """

    sizes: np.ndarray
    velocities: np.ndarray
    offsets: np.ndarray


def paired(truth: Sequence[Performance], guess: Sequence[Performance], taken: slice = slice(None)) -> Paired:
    """The hits of the classes `taken` that stand in both, of all items."""
    sizes, velocities, offsets = ([np.zeros((0, 2))] for _ in range(3))
    for one, other in zip(truth, guess, strict=True):
        both = (one.hits & other.hits)[:, taken]
        size = [4 / one.steps_per_quarter, 60_000 / one.bpm / one.steps_per_quarter]
        sizes.append(np.tile(size, (int(both.sum()), 1)))
        velocities.append(np.stack([each.velocities[:, taken][both].astype(float) for each in (one, other)], 1))
        offsets.append(np.stack([each.offsets[:, taken][both] for each in (one, other)], 1))
    return Paired(*(np.concatenate(parts) for parts in (sizes, velocities, offsets)))


def f1_of_hits(truth: Sequence[Performance], guess: Sequence[Performance], taken: slice = slice(None)) -> float | None:
    """F1 of the hits of the classes `taken` together; None without any."""
    pairs = [(one.hits[:, taken], other.hits[:, taken]) for one, other in zip(truth, guess, strict=True)]
    hits = sum(int(one.sum() + other.sum()) for one, other in pairs)
    return 2 * sum(int((one & other).sum()) for one, other in pairs) / hits if hits else None


def feel_figures(
    truth: Sequence[Performance], guess: Sequence[Performance], taken: slice = slice(None)
) -> dict[str, float | None]:
    """F1 of all hits, and how far the times and velocities of those that come back on their step are from the truth.

    The latter of the classes `taken`, beside those of a flat copy of the same hits: on the grid, and as loud as they
    are on average. Each ms is of the tempo of its own item at its start. Errors are None without such hits.
    """
    found = paired(truth, guess, taken)
    velocity = found.velocities[:, 0]
    flat = np.stack([velocity, np.full_like(velocity, velocity.mean() if len(velocity) else 0.0)], 1)
    return (
        {"f1_hits": f1_of_hits(truth, guess)}
        | _errors(found, "", "")
        | _errors(found._replace(velocities=flat, offsets=found.offsets * [1, 0]), "_quantised", "_flat")
    )


def neighbour_figures(
    truth: Sequence[Performance], guess: Sequence[Performance], taken: slice = slice(None)
) -> dict[str, float | None]:
    """The errors of `feel_figures`, of performances that are made of the nearest training windows."""
    return _errors(paired(truth, guess, taken), "_neighbours", "_neighbours")


def _errors(found: Paired, of_time: str, of_velocity: str) -> dict[str, float | None]:
    """The mean absolute errors and the divergences of hits, by the names of figures with these endings."""
    late = np.abs(found.offsets[:, 0] - found.offsets[:, 1])
    return {
        f"timing_error{of_time}_16ths": _mean(late * found.sizes[:, 0]),
        f"timing_error{of_time}_ms": _mean(late * found.sizes[:, 1]),
        f"velocity_error{of_velocity}": _mean(np.abs(found.velocities[:, 0] - found.velocities[:, 1])),
        f"timing_kl{of_time}_nats": divergence(found.offsets, (-0.5, 0.5), TIME_BINS),
        f"velocity_kl{of_velocity}_nats": divergence(found.velocities, (0, 128), VELOCITY_BINS),
    }


def divergence(pairs: np.ndarray, ends: tuple[float, float], bins: int) -> float | None:
    """KL(p || q) in nats, p and q the histograms of both columns (N, 2) in equal bins; None without a row.

    Half a value is added to each bin of both (Krichevsky and Trofimov 1981), or it would be infinite where q leaves a
    bin empty. Here p is (1.5, 2.5) / 4, and q is (2.5, 1.5) / 4:

    >>> round(divergence(np.array([[0.1, 0.1], [0.9, 0.2], [0.9, 0.9]]), (0, 1), 2), 4)
    0.1277
    """
    if not len(pairs):
        return None
    p, q = ((np.histogram(each, bins, ends)[0] + 0.5) / (len(each) + 0.5 * bins) for each in pairs.T)
    return float((p * np.log(p / q)).sum())


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
