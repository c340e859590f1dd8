"""How even the steps of walks are, at equal distances and with `even`, and the least that results on them allow.

The measure is that of `Model.change`: the share of an item that is other in the next one. A walk is as uneven as its
farthest step: its distance from the mean step, as a share of that. Walks are between random pairs of items.

What is made changes in leaps, and of sentences by whole tokens. So of each walk all different results at 257 points
are found as well, and no choice among them, in order, is nearer to even than the bound: where all steps lie between s
and l, the farthest is at least (l - s) / (l + s) from the mean, and of each s the least l is found exactly.

    python benchmarks/even_walks.py sentences wordnet-lines/test.txt
"""

import argparse
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

import seqvae
from seqvae.corpus import prepare
from seqvae.evenness import deviation
from seqvae.modalities.items import Item
from seqvae.model import Model

FINE = 257
NEARLY = 0.15


def pairs(model: Model, data: Path, split: str | None, count: int, seed: int) -> list[tuple[Item, Item]]:
    """Random pairs of different items."""
    part = model.modality if split is None else model.modality.of_split(split, [data])
    if part is None:
        raise SystemExit(f"{data} has no file of the split '{split}'")
    corpus = prepare(part, [data])
    random = np.random.default_rng(seed)
    rows = (random.choice(len(corpus), 2, replace=False).tolist() for _ in range(count))
    return [(part.decode(corpus[a]), part.decode(corpus[b])) for a, b in rows]


def bound(changes: np.ndarray, strides: int) -> float:
    """What the farthest step is from the mean at least, of so many from the first of some results to the last.

    `changes` (N, N) are those from each result to each; infinite where there are too few results.
    """
    forward = np.where(np.triu(np.ones_like(changes), 1) > 0, changes, np.inf)
    least = np.inf
    for shortest in np.unique(forward[np.isfinite(forward) & (forward > 0)]):
        allowed = np.where(forward >= shortest, forward, np.inf)
        longest = np.full(len(changes), np.inf)
        longest[0] = 0.0
        for _ in range(strides):
            longest = np.maximum(longest[:, None], allowed).min(0)
        if np.isfinite(longest[-1]):
            least = min(least, (longest[-1] - shortest) / (longest[-1] + shortest))
    return float(least)


def changes_of(model: Model, walk: Sequence[Item]) -> list[float]:
    """What each step changes."""
    return [model.change(a, b) for a, b in pairwise(walk)]


def between_all(model: Model, walk: Sequence[Item]) -> np.ndarray:
    """(N, N) changes from each different result to each later one; of equal neighbours the first counts."""
    moved = [place for place, change in enumerate(changes_of(model, walk), start=1) if change]
    states = [walk[place] for place in [0, *moved]]
    found = np.zeros((len(states), len(states)))
    for a in range(len(states)):
        found[a, a + 1 :] = [model.change(states[a], other) for other in states[a + 1 :]]
    return found


def line(name: str, found: Sequence[float], more: str = "") -> None:
    """The median of the farthest steps, and how many are nearly even."""
    even = np.mean([apart <= NEARLY for apart in found])
    print(f"{name:24} {np.median(found):5.0%} (median), within {NEARLY:.0%}: {even:4.0%} of the walks{more}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", choices=["train", "valid", "test"])
    parser.add_argument("--split-csv", default="")
    parser.add_argument("--walks", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    model = seqvae.load(given.run).using({"split_csv": given.split_csv} if given.split_csv else {}).in_windows()
    ends = pairs(model, given.data, given.split, given.walks, given.seed)
    all_changes = [between_all(model, model.interpolate(a, b, FINE)) for a, b in ends]
    print(f"different results on a walk: {np.median([len(found) for found in all_changes]):.0f} (median)")
    for points in (5, 8):
        for even in (False, True):
            start = time.perf_counter()
            steps = [changes_of(model, model.interpolate(a, b, points, even=even)) for a, b in ends]
            took = (time.perf_counter() - start) / len(ends)
            still = np.mean([one.count(0.0) for one in steps])
            more = f", {still:.1f} steps change nothing, {took:.2f} s a walk"
            line(f"{points} points{', even' if even else ''}", list(map(deviation, steps)), more)
        line(f"{points} points, bound", [bound(found, points - 1) for found in all_changes])


if __name__ == "__main__":
    main()
