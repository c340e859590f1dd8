"""How many bits a window of drums or of a melody needs without any code: an interpolated n-gram over its steps.

The windows are two bars of 4/4 on a grid of sixteenths. A step of drums is one of the 512 combinations of the nine
classes, as in `--recipe gmd`; of a melody one of 90: 88 pitches, hold and off. p(step | those before it) is a mixture
of the relative frequencies of each length of context in the training windows and of a uniform distribution (Jelinek and
Mercer 1980). The weights are fitted to the validation windows by expectation maximisation, a set of them for each
longest context that the training windows have; the order is that of the fewest bits there. The test windows are scored
once. Contexts reach back to the start of their window, as the VAE's do.

    python benchmarks/ngram.py drums gmd --split-csv gmd/info.csv
    python benchmarks/ngram.py melody pop909 --split-csv pop909.csv --voice MELODY --assume-meter 4/4

The table has the columns midi_filename and split. Without one the splits are those by which training holds out files,
and without a path the corpus is the demo's grooves.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from seqvae import modalities
from seqvae.corpus import prepare
from seqvae.modalities.base import Modality, Report, Split

COMPOSER = Path(__file__).resolve().parent.parent / "scripts" / "generate_grooves.py"
OUTCOMES = {"drums": 512, "melody": 90}
START = -1  # stands before the first step
ITERATIONS = 60

Counts = list[tuple[Counter[bytes], Counter[bytes]]]  # for each length of context: it and its step, it alone


def windows(modality: Modality, data: Path, split: Split) -> np.ndarray:
    """(N, T) labels of the windows of a split."""
    part = modality.of_split(split, [data])
    if part is None:
        raise SystemExit(f"{data} has no file of the split '{split}'")
    part.fit(lambda: part.read([data], Report()))
    corpus = prepare(part, [data])
    return np.stack([corpus[row] for row in range(len(corpus))]).astype(np.int16)


def contexts(labels: np.ndarray, order: int) -> np.ndarray:
    """(N * T, order) of each step and the order - 1 before it, START before the first."""
    padded = np.pad(labels, ((0, 0), (order - 1, 0)), constant_values=START)
    return np.lib.stride_tricks.sliding_window_view(padded, order, axis=1).reshape(-1, order)


def count(rows: np.ndarray) -> Counts:
    """How often each step follows each context of 0 to order - 1 steps; rows (N, order) as `contexts` gives them."""
    order = rows.shape[1]
    return [
        (Counter(row.tobytes() for row in np.ascontiguousarray(rows[:, -length - 1 :])),
         Counter(row.tobytes() for row in np.ascontiguousarray(rows[:, order - length - 1 : -1])))
        for length in range(order)
    ]  # fmt: skip


def frequencies(counts: Counts, rows: np.ndarray, outcomes: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, order + 1): the relative frequency of each step, uniform first, and how many of them there are."""
    order = len(counts)
    found = np.zeros((len(rows), order + 1))
    found[:, 0] = 1 / outcomes
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


def measure(modality: Modality, data: Path, highest_order: int) -> None:
    """Fit on training and validation windows, print what each order needs, and score the test windows by the best."""
    train, valid, test = (windows(modality, data, split) for split in ("train", "valid", "test"))
    print(f"{len(train):,} / {len(valid):,} / {len(test):,} windows of {train.shape[1]} steps", flush=True)
    outcomes = OUTCOMES[modality.name]
    counts = count(contexts(train, highest_order))
    best = (np.inf, 0, np.zeros(0))
    for order in range(1, highest_order + 1):
        found, known = frequencies(counts[:order], contexts(valid, order), outcomes)
        weights = fitted(found, known)
        on_valid = bits(found, known, weights, len(valid))
        print(f"order {order:2}: {on_valid:.2f} bits a validation window", flush=True)
        best = min(best, (on_valid, order, weights), key=lambda entry: entry[0])
    _, order, weights = best
    found, known = frequencies(counts[:order], contexts(test, order), outcomes)
    print(f"order {order}, the best of these: {bits(found, known, weights, len(test)):.2f} bits a test window")


def main() -> None:
    """Measure on a folder, or on composed grooves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modality", nargs="?", choices=OUTCOMES, default="drums")
    parser.add_argument("data", nargs="?", type=Path, help="a folder of MIDI files")
    parser.add_argument("--split-csv", default="", help="a table of the splits")
    parser.add_argument("--assume-meter", default="", help="the metre of all files, whatever they say")
    parser.add_argument("--voice", default="highest", help="the voice of a melody")
    parser.add_argument("--highest-order", type=int, default=12)
    arguments = parser.parse_args()
    kind = modalities.get(arguments.modality)
    read = {"meter": "4/4", "split_csv": arguments.split_csv, "assume_meter": arguments.assume_meter}
    voice = {"voice": arguments.voice} if arguments.modality == "melody" else {}
    modality = kind(kind.data_config(**read, **voice))
    if arguments.data is not None:
        measure(modality, arguments.data, arguments.highest_order)
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(COMPOSER), "generate", "--out", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        measure(modality, Path(folder) / "grooves", arguments.highest_order)


if __name__ == "__main__":
    main()
