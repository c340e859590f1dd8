"""How many bits a window of drums needs without any code: an interpolated n-gram over its steps.

The windows are those of `--recipe gmd`: two bars of 4/4 on a grid of sixteenths, a step one of the 512 combinations of
the nine classes. p(step | those before it) is a mixture of the relative frequencies of each length of context in the
training windows and of a uniform distribution (Jelinek and Mercer 1980). The weights are fitted to the validation
windows by expectation maximisation, a set of them for each longest context that the training windows have; the order is
that of the fewest bits there. The test windows are scored once. Contexts reach back to the start of their window, as
the VAE's do.

    python benchmarks/drums_ngram.py gmd

Without a path they are those of the demo's grooves.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from seqvae.corpus import prepare
from seqvae.modalities.base import Report, Split
from seqvae.modalities.midi.drums import Drums
from seqvae.modalities.midi.settings import DrumData

COMPOSER = Path(__file__).resolve().parent.parent / "scripts" / "generate_grooves.py"
OUTCOMES = 512  # combinations of nine classes
START = -1  # stands before the first step
ITERATIONS = 60

Counts = list[tuple[Counter[bytes], Counter[bytes]]]  # for each length of context: it and its step, it alone


def windows(data: Path, split: Split) -> np.ndarray:
    """(N, T) labels of the windows of a split, as the folder's table has it."""
    drums = Drums(DrumData(meter="4/4", split_csv=str(data / "info.csv"))).of_split(split, [data])
    if drums is None:
        raise SystemExit(f"{data / 'info.csv'} names no file of the split '{split}'")
    drums.fit(lambda: drums.read([data], Report()))
    corpus = prepare(drums, [data])
    return np.stack([corpus[row] for row in range(len(corpus))]).astype(np.int16)


def contexts(labels: np.ndarray, order: int) -> np.ndarray:
    """(N * T, order) of each step and the order - 1 before it, START before the first."""
    padded = np.pad(labels, ((0, 0), (order - 1, 0)), constant_values=START)
    return np.lib.stride_tricks.sliding_window_view(padded, order, axis=1).reshape(-1, order)


def count(labels: np.ndarray, order: int) -> Counts:
    """How often each step follows each context of 0 to order - 1 steps."""
    rows = contexts(labels, order)
    return [
        (Counter(row.tobytes() for row in np.ascontiguousarray(rows[:, -length - 1 :])),
         Counter(row.tobytes() for row in np.ascontiguousarray(rows[:, order - length - 1 : -1])))
        for length in range(order)
    ]  # fmt: skip


def frequencies(counts: Counts, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N * T, order + 1): the relative frequency of each step, uniform first, and how many of them there are."""
    order = len(counts)
    rows = contexts(labels, order)
    found = np.zeros((len(rows), order + 1))
    found[:, 0] = 1 / OUTCOMES
    known = np.ones(len(rows), np.int64)
    for length, (steps, before) in enumerate(counts):
        joint = [steps[row.tobytes()] for row in np.ascontiguousarray(rows[:, order - length - 1 :])]
        alone = np.array([before[row.tobytes()] for row in np.ascontiguousarray(rows[:, order - length - 1 : -1])])
        found[:, length + 1] = joint / np.maximum(alone, 1)
        known += alone > 0
    return found, known


def fitted(found: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(order + 2, order + 1) weights, those of rows of so many known contexts; none falls on an unknown one."""
    weights = np.tril(np.ones((found.shape[1] + 1, found.shape[1])), -1)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1)
    for _ in range(ITERATIONS):
        shares = found * weights[known]
        shares /= shares.sum(1, keepdims=True)
        for kind in np.unique(known):
            weights[kind] = shares[known == kind].mean(0)
    return weights


def bits(found: np.ndarray, known: np.ndarray, weights: np.ndarray, windows: int) -> float:
    """Bits a window."""
    return float(-np.log2((found * weights[known]).sum(1)).sum() / windows)


def measure(data: Path, highest_order: int) -> None:
    """Fit on training and validation windows, print what each order needs, and score the test windows by the best."""
    train, valid, test = (windows(data, split) for split in ("train", "valid", "test"))
    print(f"{len(train):,} / {len(valid):,} / {len(test):,} windows of {train.shape[1]} steps", flush=True)
    counts = count(train, highest_order)
    best = (np.inf, 0, np.zeros(0))
    for order in range(1, highest_order + 1):
        found, known = frequencies(counts[:order], valid)
        weights = fitted(found, known)
        on_valid = bits(found, known, weights, len(valid))
        print(f"order {order:2}: {on_valid:.2f} bits a validation window", flush=True)
        best = min(best, (on_valid, order, weights), key=lambda entry: entry[0])
    _, order, weights = best
    found, known = frequencies(counts[:order], test)
    print(f"order {order}, the best of these: {bits(found, known, weights, len(test)):.2f} bits a test window")


def main() -> None:
    """Measure on a folder, or on composed grooves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, help="a folder with the Groove MIDI Dataset and its info.csv")
    parser.add_argument("--highest-order", type=int, default=12)
    arguments = parser.parse_args()
    if arguments.data is not None:
        measure(arguments.data, arguments.highest_order)
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(COMPOSER), "generate", "--out", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        measure(Path(folder) / "grooves", arguments.highest_order)


if __name__ == "__main__":
    main()
