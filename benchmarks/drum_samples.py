"""How far samples of drums are from held-out grooves, from N(0, I) and from the prior that was fitted to the codes.

Distances are Jensen-Shannon divergences in bits, 0 to 1, between histograms of hits a window, of the share of steps
that equal those of the bar before, of hits by class and of hits by sixteenth of the bar. A two-sample classifier
(Lopez-Paz and Oquab 2017) is gradient boosting over a few numbers of each window; its accuracy, by cross-validation on
as many samples as windows, is 50 % where it finds no difference. The folds are blocks of windows in the order of the
files, so that no performance is on both sides. Training windows, which are of other performances than the held-out
ones, are scored the same way: no sampler of a model of the training data is asked to come closer.

    seqvae train drums gmd --split-csv gmd/info.csv --recipe gmd --precision bf16 --out runs/gmd
    seqvae fit-prior runs/gmd
    python benchmarks/drum_samples.py runs/gmd gmd --split-csv gmd/info.csv
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score

import seqvae
from seqvae.corpus import prepare
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.measures import levels, repetition, syncopation
from seqvae.modalities.midi.meters import steps_per_bar
from seqvae.model import Model
from seqvae.priors import kept_prior

FOLDS = 5
HITS_A_BIN, BINS = 4, 17  # of the histograms of hits a window, and of repetition


def windows(model: Model, data: Path, split: str, most: int) -> list[Clip]:
    """Windows of a split, at equal distances."""
    part = model.modality.of_split(split, [data])
    if part is None:
        raise SystemExit(f"{data} has no file of the split '{split}'")
    corpus = prepare(part, [data])
    rows = np.linspace(0, len(corpus) - 1, min(most, len(corpus))).astype(int)
    return [model.modality.decode(corpus[row]) for row in rows]


def by_place(clip: Clip) -> np.ndarray:
    """(16, C) hits of all bars by sixteenth of the bar and class."""
    return clip.hits.reshape(-1, steps_per_bar(clip.meter, clip.steps_per_quarter), clip.hits.shape[1]).sum(0)


def features(clip: Clip) -> np.ndarray:
    """What the classifier reads of a window."""
    hits = clip.hits
    places = by_place(clip)
    different = len(np.unique(hits, axis=0))
    beats = hits[:: clip.steps_per_quarter].any(1).mean()
    same = repetition(clip)
    silent = float((~hits.any(1)).sum())
    at_once = float(hits.sum(1).max())
    rest = [hits.sum(), different, beats, np.nan if same is None else same, syncopation(hits, levels(clip)), silent,
            at_once]  # fmt: skip
    return np.concatenate([places.sum(0), places.sum(1), rest])


def histograms(clips: Sequence[Clip]) -> dict[str, np.ndarray]:
    """Shares that add up to 1, by what is counted."""
    hits = np.array([clip.hits.sum() for clip in clips])
    same = np.array([share for share in map(repetition, clips) if share is not None])
    places = np.sum([by_place(clip) for clip in clips], axis=0)
    counts = {
        "hits": np.bincount(hits // HITS_A_BIN, minlength=clips[0].hits.size // HITS_A_BIN + 1),
        "repetition": np.histogram(same, BINS, (0, 1))[0],
        "class": places.sum(0),
        "place": places.sum(1),
    }
    return {name: found / found.sum() for name, found in counts.items()}


def divergence(p: np.ndarray, q: np.ndarray) -> float:
    """Of Jensen and Shannon, in bits."""
    middle = (p + q) / 2

    def to_the_middle(r: np.ndarray) -> float:
        known = r > 0
        return float((r[known] * np.log2(r[known] / middle[known])).sum())

    return (to_the_middle(p) + to_the_middle(q)) / 2


def told_apart(a: Sequence[Clip], b: Sequence[Clip]) -> float:
    """Accuracy of the two-sample classifier, as many windows of either."""
    count = min(len(a), len(b))
    x = np.stack([features(clip) for part in (a, b) for clip in part[:count]])
    y = np.repeat([0, 1], count)
    folds = StratifiedKFold(FOLDS)  # blocks in a row, so that windows of a performance are in one fold alone
    return float(cross_val_score(HistGradientBoostingClassifier(random_state=0), x, y, cv=folds).mean())


def main() -> None:
    """Print one line for each way to make windows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", choices=["valid", "test"], default="test")
    parser.add_argument("--split-csv", default="")
    parser.add_argument("-n", type=int, default=2000, help="windows and samples")
    parser.add_argument("--temperatures", type=float, nargs="+", default=[0.3, 1.0], help="of the decoder")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    model = seqvae.load(given.run).using({"split_csv": given.split_csv} if given.split_csv else {})
    held_out = windows(model, given.data, given.split, given.n)
    truth = histograms(held_out)
    print(f"{given.run.name}: {len(held_out):,} {given.split} windows, divergences in bits")
    print(f"{'':32} {' '.join(f'{name:>10}' for name in truth)}  told apart  hits a window")

    def report(name: str, clips: Sequence[Clip]) -> None:
        own = histograms(clips)
        far = " ".join(f"{divergence(own[kind], truth[kind]):10.4f}" for kind in truth)
        hits = np.mean([clip.hits.sum() for clip in clips])
        print(f"{name:32} {far} {told_apart(held_out, clips):11.1%} {hits:14.1f}", flush=True)

    print(f"{'held-out windows':32} {' ' * (11 * len(truth))}{'':11} {np.mean([c.hits.sum() for c in held_out]):14.1f}")
    report("training windows", windows(model, given.data, "train", given.n))
    priors = ["standard", "fitted"] if kept_prior(model.run, model.vae.latent) is not None else ["standard"]
    for prior in priors:
        for temperature in given.temperatures:
            drawn = model.with_prior(prior).in_windows().sample(len(held_out), temperature=temperature, seed=given.seed)
            report(f"prior={prior}, temperature {temperature:g}", [window for (window,) in drawn])


if __name__ == "__main__":
    main()
