"""How many nats a window of played drums needs by independent histograms, which know no code and no step before.

The windows are those of `--recipe groove-gmd-small`: two bars of 4/4 on a grid of sixteenths. Each class has at each
of the 16 places of a bar a probability of being hit, and histograms of the 127 velocities and of the 121 places of a
hit about its step: relative frequencies in the training windows, mixed with those of the class over the whole bar, and
these with a uniform distribution. The weight of the mixture (counts that the wider histogram stands for) is that of the
fewest nats of the validation windows; the test windows are scored once.

    python benchmarks/groove_histograms.py gmd
"""

import argparse
from pathlib import Path

import numpy as np

from seqvae.corpus import prepare
from seqvae.modalities.base import Report, Split
from seqvae.modalities.midi.groove import Groove
from seqvae.modalities.midi.performance import MOST_PLACES, PLACES
from seqvae.modalities.midi.settings import GrooveData

BAR = 16
VELOCITIES = 127
WEIGHTS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


def windows(data: Path, split: Split) -> np.ndarray:
    """(N, bars, 16, C, 2) of the windows of a split, as the folder's table has it."""
    groove = Groove(GrooveData(meter="4/4", split_csv=str(data / "info.csv"))).of_split(split, [data])
    if groove is None:
        raise SystemExit(f"{data / 'info.csv'} names no file of the split '{split}'")
    groove.fit(lambda: groove.read([data], Report()))
    corpus = prepare(groove, [data])
    steps = np.stack([corpus[row] for row in range(len(corpus))]).astype(np.int64)
    return steps.reshape(len(steps), -1, BAR, *steps.shape[2:])


def histograms(steps: np.ndarray, weight: float) -> tuple[np.ndarray, ...]:
    """The probabilities (16, C) of a hit, (16, C, 127) of its velocity and (16, C, 121) of its place."""
    hit, classes = steps[..., 0] > 0, steps.shape[3]
    _, _, at, of = np.nonzero(hit)
    found = [hit.sum((0, 1))[..., None] * [1, 0] + (hit.shape[0] * hit.shape[1] - hit.sum((0, 1)))[..., None] * [0, 1]]
    for value, size in ((steps[..., 0][hit] - 1, VELOCITIES), (steps[..., 1][hit] + MOST_PLACES, PLACES)):
        counts = np.zeros((BAR, classes, size))
        np.add.at(counts, (at, of, value), 1)
        found.append(counts)
    probabilities = []
    for counts in found:
        of_class = counts.sum(0) + weight / counts.shape[2]
        of_class = of_class / of_class.sum(-1, keepdims=True)
        mixed = counts + weight * of_class
        probabilities.append(mixed / mixed.sum(-1, keepdims=True))
    hits, velocities, places = probabilities
    return hits[..., 0], velocities, places


def nats(steps: np.ndarray, model: tuple[np.ndarray, ...]) -> tuple[float, float, float]:
    """Nats a window of hits, velocities and places."""
    hits, velocities, places = model
    hit = steps[..., 0] > 0
    _, _, at, of = np.nonzero(hit)
    return (
        float(-np.log(np.where(hit, hits, 1 - hits)).sum() / len(steps)),
        float(-np.log(velocities[at, of, steps[..., 0][hit] - 1]).sum() / len(steps)),
        float(-np.log(places[at, of, steps[..., 1][hit] + MOST_PLACES]).sum() / len(steps)),
    )


def main() -> None:
    """Fit on training and validation windows, and score the test windows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a folder with the Groove MIDI Dataset and its info.csv")
    data = parser.parse_args().data
    train, valid, test = (windows(data, split) for split in ("train", "valid", "test"))
    print(f"{len(train):,} / {len(valid):,} / {len(test):,} windows", flush=True)
    on_valid = {weight: sum(nats(valid, histograms(train, weight))) for weight in WEIGHTS}
    best = min(on_valid, key=lambda weight: on_valid[weight])
    hits, velocities, places = nats(test, histograms(train, best))
    print(f"weight {best:g}: {on_valid[best]:.1f} nats a validation window")
    total = hits + velocities + places
    print(f"test: {total:.1f} nats a window: hits {hits:.1f}, velocities {velocities:.1f}, places {places:.1f}")


if __name__ == "__main__":
    main()
