"""What adding an attribute changes, and what it leaves: sentences of known factors, drums, and digits.

Text: for each factor of the generated grammar (scripts/generate_sentences.py) vectors between two of its values are
fitted to codes of training sentences, and added at the suggested strength to held-out sentences of either value. With
`--along neighbours` each keeps tense, number, polarity and mood, but its own factor. A sentence flips if the parser
finds the other value in what comes out; each other factor is kept if it is as before. What is no sentence of the
grammar neither flips nor keeps anything.

Drums: for each measured attribute, the share of held-out windows that move as asked (up at the suggested strength, down
at its negative), the share whose order over a sweep of strengths is the asked one, and the means over the sweep.

Images: the same of slant and thickness of MNIST; then of how many digits a classifier of pixels says what they were and
of how many 3s that are moved to 8, and 8s to 3, that they are so. It learns from half of the training images.

    python scripts/generate_sentences.py generate --out data/demo
    python benchmarks/attributes.py text runs/demo data/demo
    python benchmarks/attributes.py drums runs/small gmd --split-csv gmd/info.csv
    python benchmarks/attributes.py images runs/dense data/mnist --items 500 --names slant thickness
"""

import argparse
import itertools
import shutil
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

import seqvae
from seqvae.adding import moved_windows
from seqvae.attributes import Attribute
from seqvae.codes import Codes, Windows, all_windows
from seqvae.modalities.base import Report
from seqvae.model import Model

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
from generate_sentences import TOPICS, Factors, parse

FACTORS = ("tense", "number", "polarity", "mood", "topic", "subject", "verb", "object", "place")
OF_TOPIC = FACTORS[5:]
SWEEP = (-2.0, -1.0, 0.0, 1.0, 2.0)
Contrast = tuple[str, str, str]  # a value, another one, and the topic that both are of, if they are of one
Read = list[tuple[str, Factors]]


def contrasts(factor: str, topics: int) -> list[Contrast]:
    """Pairs of values of a factor: all of them, of words those that follow each other in some topics."""
    if factor == "topic":
        return [(a, b, "") for a, b in itertools.combinations(TOPICS, 2)]
    if factor not in OF_TOPIC:
        values = {
            "tense": ("past", "present", "future"),
            "number": ("singular", "plural"),
            "polarity": ("affirmative", "negated"),
            "mood": ("statement", "question"),
        }[factor]
        return [(a, b, "") for a, b in itertools.combinations(values, 2)]
    found: list[Contrast] = []
    for name, topic in list(TOPICS.items())[:topics]:
        words = {
            "subject": list(topic.plurals),
            "verb": [verb.base for verb in topic.verbs],
            "object": list(topic.objects),
            "place": ["", *topic.places],
        }[factor]
        found += [(a, b, name) for a, b in itertools.pairwise(words)]
    return found


def fits(factors: Factors, factor: str, contrast: Contrast) -> bool:
    """Whether a sentence may have either value; there are no negated questions."""
    if factor == "polarity" and factors.mood == "question":
        return False
    if factor == "mood" and factors.polarity == "negated":
        return False
    return getattr(factors, factor) in contrast[:2] and contrast[2] in ("", factors.topic)


def read(path: Path, most: int) -> Read:
    """The first sentences of a file with their factors."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines()[:most]:
        factors = parse(line)
        if factors is None:
            raise SystemExit(f"{path}: '{line}' is no sentence of the grammar")
        found.append((line, factors))
    return found


def changed(
    model: Model, codes: Codes, before: Sequence[Factors], factor: str, contrast: Contrast, found: Attribute
) -> tuple[float, dict[str, float]]:
    """The share of sentences that flip, and of those in which each other factor is kept."""
    has = np.array([getattr(one, factor) == contrast[1] for one in before])
    signs = torch.from_numpy(np.where(has, -1.0, 1.0))[:, None]
    z, direction = codes.mean.double(), found.direction
    way = direction if isinstance(direction, torch.Tensor) else direction(z)
    after = [parse(text) for text in model.decode(z + found.strength * signs * way)]
    flipped = [
        one is not None and getattr(one, factor) == contrast[not held] for one, held in zip(after, has, strict=True)
    ]
    others = [name for name in FACTORS if name != factor and not (factor == "topic" and name in OF_TOPIC)]
    kept = {
        name: float(np.mean([new is not None and getattr(new, name) == getattr(old, name)
                             for new, old in zip(after, before, strict=True)]))
        for name in others
    }  # fmt: skip
    return float(np.mean(flipped)), kept


def text(options: argparse.Namespace) -> None:
    """A line for each factor, the mean over its pairs of values."""
    model = seqvae.load(options.run)
    training, held_out = (read(options.data / f"{part}.txt", options.items) for part in ("train", options.part))
    codes, judged = (model.encode([line for line, _ in part]) for part in (training, held_out))
    back = np.mean([a == b for a, (b, _) in zip(model.decode(judged), held_out, strict=True)])
    sizes = f"{len(training):,} sentences to fit to, {len(held_out):,} of {options.part}.txt"
    print(f"{options.run.name}: {sizes}, {back:.1%} of them come back")
    kept_values = {"past": "tense", "future": "tense", "plural": "number", "negated": "polarity", "question": "mood"}
    for value, factor in kept_values.items() if options.along == "neighbours" else ():
        labels = [value if getattr(one, factor) == value else "another" for _, one in training]
        seqvae.fit_attribute(model, value, codes, labels)
    print("factor    pairs  accuracy  strength  flipped  kept on average  the least kept")
    for factor in FACTORS:
        rows: list[tuple[float, float, float, dict[str, float]]] = []
        for contrast in contrasts(factor, options.topics):
            own = [row for row, (_, one) in enumerate(training) if fits(one, factor, contrast)]
            labels = ["b" if getattr(training[row][1], factor) == contrast[1] else "a" for row in own]
            keep = tuple(name for name, of in kept_values.items() if of != factor)
            along = seqvae.Neighbours(keep) if options.along == "neighbours" else options.along
            found = seqvae.fit_attribute(model, "b", codes[own], labels, along=along)
            test = [row for row, (_, one) in enumerate(held_out) if fits(one, factor, contrast)]
            flipped, kept = changed(model, judged[test], [held_out[row][1] for row in test], factor, contrast, found)
            rows.append((found.held_out, found.strength, flipped, kept))
        kept = {name: float(np.mean([row[3][name] for row in rows])) for name in rows[0][3]}
        least = min(kept, key=lambda name: kept[name])
        accuracy, strength, flipped = (np.mean([row[place] for row in rows]) for place in range(3))
        figures = f"{factor:8} {len(rows):6} {accuracy:9.1%} {strength:9.2f} {flipped:8.1%}"
        print(f"{figures} {np.mean(list(kept.values())):16.1%}  {least} {kept[least]:.1%}", flush=True)


def drums(options: argparse.Namespace) -> None:
    """A line for each attribute."""
    model = seqvae.load(options.run).using({"split_csv": str(options.split_csv)} if options.split_csv else {})
    part = model.of_split("test", [options.data]).in_windows()
    windows = [part.windows(item) for item in part.modality.read([options.data], Report())]
    windows = [windows[row] for row in np.linspace(0, len(windows) - 1, min(options.items, len(windows))).astype(int)]
    print(f"{options.run.name}: {len(windows):,} windows of test files")
    names = options.names
    fitted = [seqvae.fit_attribute(model, name, along=options.along) for name in names]
    for one in fitted:
        print(one, flush=True)
    print(f"attribute     up  down  in order  means at {', '.join(f'{step:+g}' for step in SWEEP)} deviations")
    for one in fitted:
        for orthogonal in (False, True):
            _line(part, one, windows, orthogonal)


def images(options: argparse.Namespace) -> None:
    """A line for each attribute, and the shares of a classifier."""
    from sklearn.neural_network import MLPClassifier

    mnist = seqvae.mnist(options.data)
    (known, digits), (test, truth) = mnist["train"], mnist["test"]
    half = len(known) // 2
    if options.part == "valid":
        test, truth = known[-len(test) :], digits[-len(test) :]
    judge = MLPClassifier((128,), batch_size=256, learning_rate_init=2e-3, max_iter=8, random_state=0, tol=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # eight epochs are enough
        judge.fit(known[:half].reshape(half, -1) / 255, digits[:half])
    model = seqvae.load(options.run)
    numbers = "means" if options.along == "neighbours" else options.along
    fitted = [seqvae.fit_attribute(model, name, along=numbers) for name in options.names]
    fitted.append(seqvae.fit_attribute(model, "label=8/3", along=options.along))
    for one in fitted:
        print(one, flush=True)
    model = model.in_windows()

    def judged(windows: Sequence[Windows], name: str, strength: float) -> np.ndarray:
        made = model.reconstruct(moved_windows(model, windows, {name: strength}))
        found: np.ndarray = judge.predict(np.stack([item.pixels for (item,) in made]).reshape(len(made), -1) / 255)
        return found

    print(f"the judge is right of {np.mean(judge.predict(test.reshape(len(test), -1) / 255) == truth):.1%} of the test")
    rows = np.linspace(0, len(test) - 1, min(options.items, len(test))).astype(int)
    windows = all_windows(model.modality, test[rows], model.vae.latent)
    for one in fitted[:-1]:
        _line(model, one, windows, False)
        same = (f"{np.mean(judged(windows, one.name, by * one.strength) == truth[rows]):.1%}" for by in (-1, 0, 1))
        print(f"still the digit at -{one.strength}, 0 and {one.strength}: {', '.join(same)}", flush=True)
    for strength in (0.0, *(by * fitted[-1].strength for by in (0.5, 0.75, 1.0, 1.25, 1.5))):
        shares = []
        for digit, other, sign in ((3, 8, 1), (8, 3, -1)):
            windows = all_windows(model.modality, test[truth == digit], model.vae.latent)
            found = judged(windows, fitted[-1].name, sign * strength)
            shares.append(
                f"{digit} to {other} {np.mean(found == other):.1%}, still {digit} {np.mean(found == digit):.1%}"
            )
        print(f"strength {strength:g}: {'; '.join(shares)}", flush=True)


def _line(model: Model, one: Attribute, windows: Sequence[Windows], orthogonal: bool) -> None:
    """The line of one attribute."""
    measure = model.modality.measure(one.measure)

    def measured(strength: float) -> np.ndarray:
        made = model.reconstruct(moved_windows(model, windows, {one.name: strength}, orthogonal))
        values = [measure.of(item) for (item,) in made]
        return np.array([np.nan if value is None else value for value in values])

    swept = np.stack([measured(strength) for strength in SWEEP])
    middle = swept[SWEEP.index(0.0)]
    up, down = (float(np.mean(sign * (measured(sign * one.strength) - middle) > 0)) for sign in (1, -1))
    known = swept[:, ~np.isnan(swept).any(0)]
    in_order = float(np.mean((np.diff(known, axis=0) >= 0).all(0) & (known[-1] > known[0])))
    means = ", ".join(f"{value:.3g}" for value in known.mean(1))
    name = f"{one.name}{' (orthogonal)' * orthogonal}"
    print(f"{name:26} {up:5.1%} {down:5.1%} {in_order:8.1%}  {means}", flush=True)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["text", "drums", "images"])
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--along", choices=["means", "separator", "neighbours"], default="means")
    parser.add_argument(
        "--items", type=int, default=8000, help="sentences fitted to, or windows that are moved, at most"
    )
    parser.add_argument("--part", choices=["valid", "test"], default="test", help="text and images: what is moved")
    parser.add_argument("--topics", type=int, default=2, help="text: topics whose words are tried")
    parser.add_argument(
        "--names", nargs="+", default=["density", "syncopation", "repetition"], help="drums and images: attributes"
    )
    parser.add_argument("--split-csv", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:  # the run itself keeps the attributes that it has
        copy = Path(shutil.copytree(options.run, Path(folder) / options.run.name))
        options.run = copy
        {"text": text, "drums": drums, "images": images}[options.kind](options)


if __name__ == "__main__":
    main()
