"""How well items come back, and how much samples differ: token accuracy, exact match, BLEU, self-BLEU."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from seqvae.core.vae import VAE
from seqvae.types import Batch

LONGEST_NGRAM = 4  # BLEU's order in Papineni et al. 2002
SELF_BLEU_TEXTS = 1000


@dataclass(frozen=True)
class TokenAccuracy:
    """Tokens that were predicted right, of all tokens, end of sequence included."""

    correct: int
    tokens: int

    @property
    def share(self) -> float | None:
        """The share of right tokens in [0, 1]; None without tokens."""
        return self.correct / self.tokens if self.tokens else None


@torch.inference_mode()
def token_accuracy(vae: VAE, batches: Iterable[Batch]) -> TokenAccuracy:
    """Steps at which the most probable outcome, given the true steps before it, is the true one.

    Teacher forced, with z at the posterior mean; without latent units it is the language model's accuracy.
    """
    correct = tokens = 0
    for batch in batches:
        predicted = vae.decoder.predict(vae.posterior(batch).mean, batch)
        correct += int(((predicted == batch.x) & batch.mask).sum())
        tokens += int(batch.lengths.sum())
    return TokenAccuracy(correct, tokens)


def exact_match(truth: Sequence[Any], guess: Sequence[Any]) -> float | None:
    """The share in [0, 1] of items that came back equal; None without items.

    Raises ValueError when the two differ in length.

    >>> exact_match(["a cat", "a dog", "a fox"], ["a cat", "a cat", "a fox"])
    0.6666666666666666
    """
    _check_pairs(truth, guess)
    if not truth:
        return None
    return sum(a == b for a, b in zip(truth, guess, strict=True)) / len(truth)


def bleu(truth: Sequence[str], guess: Sequence[str]) -> float | None:
    """Corpus BLEU-4 in [0, 100] by sacrebleu; None without items (Papineni et al. 2002; Post 2018).

    Words are what spaces separate (`tokenize="none"`), case counts, and n-gram orders without a match are smoothed
    exponentially (`smooth_method="exp"`, sacrebleu's default). Orders for which no guess is long enough are left out,
    so that short texts that come back whole score 100; with any guess of four words this changes nothing.
    Raises ValueError when the two differ in length.
    """
    _check_pairs(truth, guess)
    if not truth:
        return None
    from sacrebleu import corpus_bleu

    score = corpus_bleu(
        list(guess), [list(truth)], tokenize="none", force=True, smooth_method="exp", use_effective_order=True
    )
    return float(score.score)


def self_bleu(texts: Sequence[str], limit: int = SELF_BLEU_TEXTS) -> float | None:
    """Mean BLEU-4 in [0, 100] of each text against all the others: high when samples are alike (Zhu et al. 2018).

    Words and smoothing as in `bleu`, for each text alone. It rises with the number of texts, so only the first
    `limit` are used: compare figures of equally many. None for fewer than two texts.
    """
    texts = texts[:limit]
    if len(texts) < 2:
        return None
    from sacrebleu.metrics.bleu import BLEU

    counts = [_ngrams(text.split()) for text in texts]
    lengths = Counter(len(text.split()) for text in texts)
    second = _second_largest(counts)
    total = 0.0
    for text, own in zip(texts, counts, strict=True):
        matches, possible = [0] * LONGEST_NGRAM, [0] * LONGEST_NGRAM
        for ngram, count in own.items():
            # Whether or not this text holds the largest count, the others' largest, cut at its own, is this:
            matches[len(ngram) - 1] += min(count, second[ngram])
            possible[len(ngram) - 1] += count
        words = len(text.split())
        others = [length for length in lengths if length != words or lengths[length] > 1]
        nearest = min(others, key=lambda length: (abs(length - words), length))
        score = BLEU.compute_bleu(matches, possible, words, nearest, smooth_method="exp", effective_order=True)
        total += float(score.score)
    return total / len(texts)


def _check_pairs(truth: Sequence[Any], guess: Sequence[Any]) -> None:
    if len(truth) != len(guess):
        raise ValueError(f"{len(guess)} guesses cannot be compared with {len(truth)} items; give one for each")


def _ngrams(words: Sequence[str]) -> Counter[tuple[str, ...]]:
    """How often each run of 1 to 4 words stands in a text."""
    return Counter(
        tuple(words[first : first + order])
        for order in range(1, LONGEST_NGRAM + 1)
        for first in range(len(words) - order + 1)
    )


def _second_largest(counts: Sequence[Counter[tuple[str, ...]]]) -> Counter[tuple[str, ...]]:
    """The second largest of the texts' counts of each n-gram; equal counts of two texts are two."""
    largest: Counter[tuple[str, ...]] = Counter()
    second: Counter[tuple[str, ...]] = Counter()
    for one in counts:
        for ngram, count in one.items():
            if count > largest[ngram]:
                largest[ngram], second[ngram] = count, largest[ngram]
            elif count > second[ngram]:
                second[ngram] = count
    return second
