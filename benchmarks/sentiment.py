"""How often sentences change sides under an attribute vector, and how much of them stays: a curve over its strength.

The data are a folder of sentences of two classes: train.negative.txt and train.positive.txt, and the same of valid and
test. The vector is fitted by the package to training sentences (`seqvae.fit_attribute`), and held-out sentences of each
class, at equal distances, are moved to the other at multiples of the strength that it suggests. Of what comes out:

flipped     the share that a classifier takes for the other class, of negative sentences moved up and positive ones
            down; a logistic regression of the words that occur, fitted to the training split, which sees no code
self-BLEU   BLEU-4 of each against the sentence that it was made from, over both directions
unchanged   the share that are their source, word by word
perplexity  per word, ends counted, under an interpolated 4-gram of the training split (see ngram.py)

Three rows need no model: the sentences as they are, others of the other class, and the training sentence of the other
class that has most words in common with each (retrieval alone, as in Li et al. 2018, section 3).

    python benchmarks/sentiment.py runs/yelp data/yelp-sentiment --split valid
    python benchmarks/sentiment.py runs/yelp data/yelp-sentiment --split test --examples 6 --show 1.5
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ngram import bits, contexts, count, fitted, frequencies
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

import seqvae
from seqvae.attributes import Attribute
from seqvae.evaluation.reconstruction import bleu, exact_match
from seqvae.generate import Decoding
from seqvae.model import Model

CLASSES = ("negative", "positive")
MULTIPLES = (0.0, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)  # of the suggested strength
ORDER = 4
WEIGHED_EVERY = 20  # training sentences one of which the weights of the n-gram are fitted to, and the rest counted
AT_ONCE = 100  # sentences compared with all training sentences

Both = tuple[list[str], list[str]]  # sentences of each class
Perplexity = Callable[[Sequence[str]], float]


def read(folder: Path, split: str) -> Both:
    """The sentences of each class."""
    negative, positive = ((folder / f"{split}.{name}.txt").read_text(encoding="utf-8").splitlines() for name in CLASSES)
    return negative, positive


def evenly(sentences: list[str], most: int) -> list[str]:
    """So many of them, at equal distances."""
    return [sentences[row] for row in np.linspace(0, len(sentences) - 1, min(most, len(sentences))).astype(int)]


class Classifier:
    """Which class a sentence is of, by the words that occur in it; also which sentences have most words in common."""

    def __init__(self, train: Both) -> None:
        self.train = train
        self._words = CountVectorizer(lowercase=False, token_pattern=r"\S+", binary=True)
        self._counts = self._words.fit_transform([*train[0], *train[1]])
        labels = np.repeat([0, 1], [len(part) for part in train])
        self._regression = LogisticRegression(class_weight="balanced", max_iter=1000).fit(self._counts, labels)

    def positive(self, sentences: Sequence[str]) -> np.ndarray:
        """(N,) bool."""
        found: np.ndarray = self._regression.predict(self._words.transform(sentences)) == 1
        return found

    def nearest(self, sentences: Sequence[str], side: int) -> list[str]:
        """The training sentence of a class with the largest cosine of occurring words, for each sentence."""
        first = len(self.train[0]) * side
        known: Any = normalize(self._counts[first : first + len(self.train[side])].astype(np.float32)).T.tocsr()
        asked = normalize(self._words.transform(sentences).astype(np.float32))
        rows = [
            np.asarray((asked[start : start + AT_ONCE] @ known).todense()).argmax(1)
            for start in range(0, len(sentences), AT_ONCE)
        ]
        return [self.train[side][row] for row in np.concatenate(rows).tolist()]


def language_model(train: Both) -> Perplexity:
    """The perplexity of sentences under an interpolated n-gram of the training sentences."""
    lines = [*train[0], *train[1]]
    counted = [line for row, line in enumerate(lines) if row % WEIGHED_EVERY]
    labels = {word: place for place, word in enumerate(sorted({word for line in counted for word in line.split()}), 2)}
    outcomes = len(labels) + 2  # and 0, the end, and 1, what is not known

    def rows(sentences: Sequence[str]) -> np.ndarray:
        lists = [[labels.get(word, 1) for word in line.split()] for line in sentences]
        table = np.zeros((len(lists), max(map(len, lists)) + 1), np.int32)
        for row, found in zip(table, lists, strict=True):
            row[: len(found)] = found
        is_word_or_end = np.arange(table.shape[1]) <= np.array([[len(found)] for found in lists])
        kept: np.ndarray = contexts(table, ORDER)[is_word_or_end.ravel()]
        return kept

    counts = count(rows(counted))
    weights = fitted(*frequencies(counts, rows(lines[::WEIGHED_EVERY]), outcomes))

    def perplexity(sentences: Sequence[str]) -> float:
        steps = rows(sentences)
        return float(2 ** bits(*frequencies(counts, steps, outcomes), weights, len(steps)))

    return perplexity


def line(name: str, sources: Both, made: Both, classifier: Classifier, perplexity: Perplexity) -> str:
    """The row of a table: what came out for sentences of each class."""
    flipped = [float((classifier.positive(part) != bool(side)).mean()) for side, part in enumerate(made)]
    before, after = ([*both[0], *both[1]] for both in (sources, made))
    kept = f"{bleu(before, after):9.1f}  {exact_match(before, after):9.1%}  {perplexity(after):10.1f}"
    return f"{name:24}  {flipped[0]:7.1%}  {flipped[1]:7.1%}  {np.mean(flipped):7.1%}  {kept}"


def moved(model: Model, attribute: Attribute, sources: Both, multiple: float, decoding: Decoding) -> Both:
    """Negative sentences moved up, positive ones down."""
    strength = multiple * attribute.strength
    up, down = (
        [str(item) for item in seqvae.add_attributes(model, part, {attribute.name: sign * strength}, decoding=decoding)]
        for part, sign in zip(sources, (1, -1), strict=True)
    )
    return up, down


def measure(options: argparse.Namespace) -> None:
    """A row for each strength, and examples."""
    model = seqvae.load(options.run)
    train, held_out = read(options.data, "train"), read(options.data, options.split)
    classifier, perplexity = Classifier(train), language_model(train)
    right = [float((classifier.positive(part) == side).mean()) for side, part in enumerate(held_out)]
    shares = ", ".join(f"{share:.1%} of {name}" for share, name in zip(right, CLASSES, strict=True))
    print(f"the classifier is right of {shares} sentences of {options.split}")
    positive, negative = (options.data / f"train.{name}.txt" for name in reversed(CLASSES))
    attribute = seqvae.fit_attribute(model, "positive", positive, against=negative, along=options.along)
    print(attribute)
    sources = (evenly(held_out[0], options.items), evenly(held_out[1], options.items))
    decoding = Decoding(beam=options.beam)
    print(f"{options.run.name}: {len(sources[0]):,} and {len(sources[1]):,} sentences; flipped up, down, on average")
    print(f"{'':24}       up     down  average  self-BLEU  unchanged  perplexity")
    plain = {
        "as they are": sources,
        "others, other class": (evenly(held_out[1], options.items), evenly(held_out[0], options.items)),
        "nearest, other class": (classifier.nearest(sources[0], 1), classifier.nearest(sources[1], 0)),
    }
    for name, made in plain.items():
        print(line(name, sources, made, classifier, perplexity), flush=True)
    for multiple in options.multiples:
        made = moved(model, attribute, sources, multiple, decoding)
        name = f"{multiple:g} x {attribute.strength:g} deviations"
        print(line(name, sources, made, classifier, perplexity), flush=True)
    if options.examples:
        chosen = evenly(sources[0], options.examples), evenly(sources[1], options.examples)
        columns = [moved(model, attribute, chosen, multiple, decoding) for multiple in (0.0, options.show)]
        for side, name in enumerate(CLASSES):
            print(f"\n{name}: as it is, as it comes back, moved to the other side at {options.show:g}")
            for row, sentence in enumerate(chosen[side]):
                print("\n".join(["", sentence, *(column[side][row] for column in columns)]))


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", choices=["valid", "test"], default="valid")
    parser.add_argument("--along", choices=["means", "separator", "neighbours"], default="means")
    parser.add_argument("--items", type=int, default=1000, help="sentences of each class that are moved, at most")
    parser.add_argument("--multiples", type=float, nargs="+", default=MULTIPLES, help="of the suggested strength")
    parser.add_argument("--beam", type=int, default=1, help="sentences kept in decoding; 1: greedy")
    parser.add_argument("--examples", type=int, default=0, help="sentences of each class that are printed")
    parser.add_argument("--show", type=float, default=1.0, help="the multiple that they are moved by")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:  # the run itself keeps the attributes that it has
        options.run = Path(shutil.copytree(options.run, Path(folder) / options.run.name))
        measure(options)


if __name__ == "__main__":
    main()
