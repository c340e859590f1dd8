"""How well items come back, and how much samples differ: token accuracy, exact match, BLEU, self-BLEU."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from seqvae.core.vae import VAE
from seqvae.nets.decoder import State
from seqvae.nets.draws import Choice
from seqvae.nets.sampling import StepDecoder
from seqvae.noise import Noise
from seqvae.types import Batch, StepType

EQUAL = StepType("int64")  # steps are right where all of their numbers are equal
LONGEST_NGRAM = 4  # BLEU's order in Papineni et al. 2002
SELF_BLEU_TEXTS = 1000


@dataclass(frozen=True)
class TokenAccuracy:
    """Tokens that were predicted right, of all tokens, end of sequence included; `parts` counts those of each part."""

    correct: int
    tokens: int
    parts: tuple[int, ...] = field(default=(), repr=False)

    @property
    def share(self) -> float | None:
        """The share of right tokens in [0, 1]; None without tokens."""
        return self.correct / self.tokens if self.tokens else None

    def shares(self, name: str, parts: Sequence[str]) -> dict[str, float | None]:
        """The share of right tokens under a name and, with that of the part behind it, the share of each part.

        >>> TokenAccuracy(1, 4, (3, 2)).shares("accuracy", ["bass", "drums"])
        {'accuracy': 0.25, 'accuracy_bass': 0.75, 'accuracy_drums': 0.5}
        """
        counts = zip(parts, self.parts, strict=True) if self.tokens else ()
        return {name: self.share, **{f"{name}_{part}": right / self.tokens for part, right in counts}}


def _accuracy(right: Int[Tensor, " N"] | int, tokens: int) -> TokenAccuracy:
    """Of counts of right steps (N,): as a whole, then of each part; 0 where nothing was counted."""
    correct, *parts = right.tolist() if isinstance(right, Tensor) else [right]
    return TokenAccuracy(correct, tokens, tuple(parts))


@torch.inference_mode()
def token_accuracy(
    vae: VAE, batches: Iterable[Batch], seed: int | None = None, step_type: StepType = EQUAL
) -> TokenAccuracy:
    """Steps at which the most probable outcome, after the true steps before it, agrees with the true one.

    Teacher forced, with z at the posterior mean, or drawn from the posterior by a seed; without latent units it is the
    language model's accuracy. `step_type` says what agrees; of a step of several numbers each one has to.
    """
    right: Tensor | int = 0
    tokens = 0
    for batch in batches:
        q = vae.posterior(batch)
        z = q.mean if seed is None else q.rsample(Noise(seed, batch.keys))
        right = right + step_type.right(vae.decoder.predict(z, batch), batch.x, batch.mask)
        tokens += int(batch.lengths.sum())
    return _accuracy(right, tokens)


@torch.inference_mode()
def free_running_accuracy(
    vae: VAE,
    batches: Iterable[Batch],
    seed: int = 0,
    code_seed: int | None = None,
    step_type: StepType = EQUAL,
) -> tuple[TokenAccuracy, TokenAccuracy]:
    """Steps that are right when the decoder reads its own draws at temperature 1 in place of the true steps before.

    First of the most probable outcomes after those draws, which is what Magenta's MusicVAE reports, then of the draws
    themselves. z is the posterior mean, or drawn from the posterior by `code_seed`; `step_type` says what is right.
    """
    probable: Tensor | int = 0
    drawn: Tensor | int = 0
    tokens = 0
    decoder = cast(StepDecoder[State], vae.decoder)
    for batch in batches:
        q, noise = vae.posterior(batch), Noise(seed, batch.keys)
        state = decoder.start(q.mean if code_seed is None else q.rsample(Noise(code_seed, batch.keys)), batch.x)
        x_prev: Shaped[Tensor, "B ..."] | None = None
        for t in range(batch.x.shape[1]):
            h, state = decoder.step(state, x_prev)
            x_prev = decoder.likelihood.draw(h, noise.at(t), Choice())
            real, truth = batch.mask[:, t : t + 1], batch.x[:, t : t + 1]
            for_mode, for_draw = (
                step_type.right(x.unsqueeze(1), truth, real) for x in (decoder.likelihood.mode(h), x_prev)
            )
            probable, drawn = probable + for_mode, drawn + for_draw
        tokens += int(batch.lengths.sum())
    return _accuracy(probable, tokens), _accuracy(drawn, tokens)


def step_accuracy(
    truth: Sequence[np.ndarray], guess: Sequence[np.ndarray], step_type: StepType = EQUAL
) -> TokenAccuracy:
    """Steps that came back right, of arrays (T, ...) and reconstructions that are at least as long.

    `step_type` says what is right. Raises ValueError when the two differ in number, or a reconstruction is too short.

    >>> step_accuracy([np.array([3, 1, 4])], [np.array([3, 2, 4, 9])])
    TokenAccuracy(correct=2, tokens=3)
    """
    _check_pairs(truth, guess)
    right: Tensor | int = 0
    tokens = 0
    for x, y in zip(truth, guess, strict=True):
        if len(y) < len(x):
            raise ValueError(f"a reconstruction of {len(y)} steps cannot be compared with {len(x)} steps")
        known = torch.from_numpy(np.array(x, y.dtype))  # a corpus keeps steps in few bytes, and read-only
        real = torch.ones(1, len(x), dtype=torch.bool)
        right = right + step_type.right(known.unsqueeze(0), torch.from_numpy(y[: len(x)]).unsqueeze(0), real)
        tokens += len(x)
    return _accuracy(right, tokens)


def exact_match(truth: Sequence[object], guess: Sequence[object]) -> float | None:
    """The share in [0, 1] of items that came back equal; None without items.

    Raises ValueError when the two differ in length.

    >>> exact_match(["a cat", "a dog", "a fox"], ["a cat", "a cat", "a fox"])
    0.6666666666666666
    """
    _check_pairs(truth, guess)
    if not truth:
        return None
    return sum(a == b for a, b in zip(truth, guess, strict=True)) / len(truth)


def f1(truth: Sequence[np.ndarray], guess: Sequence[np.ndarray], classes: int) -> list[float | None]:
    """The F1 of each class in [0, 1], over hits (T, C) of all items: 2 hits / (2 hits + false + missed).

    None for a class that stands in neither. Raises ValueError when the two differ in number.

    >>> f1([np.array([[1, 0], [1, 0], [0, 0]])], [np.array([[1, 0], [0, 0], [1, 0]])], 2)
    [0.5, None]
    """
    _check_pairs(truth, guess)
    both, either = np.zeros(classes, np.int64), np.zeros(classes, np.int64)
    for x, y in zip(truth, guess, strict=True):
        hits, guesses = x.astype(bool), y.astype(bool)
        both += (hits & guesses).sum(0)
        either += hits.sum(0) + guesses.sum(0)
    return [2 * float(right) / float(all_) if all_ else None for right, all_ in zip(both, either, strict=True)]


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


def distinct_ngrams(texts: Sequence[str], order: int) -> float | None:
    """The different runs of `order` words, as a share in (0, 1] of all of them; None where no text is as long.

    distinct-n of Li et al. 2016, section 5. It falls with the number of texts: compare figures of equally many.

    >>> distinct_ngrams(["a cat sat", "a cat ran"], 2)
    0.75
    """
    words = [text.split() for text in texts]
    runs = [tuple(own[first : first + order]) for own in words for first in range(len(own) - order + 1)]
    return len(set(runs)) / len(runs) if runs else None


def edit_distance(a: Sequence[int], b: Sequence[int]) -> int:
    """The fewest insertions, deletions and replacements that make b of a (Levenshtein 1966).

    >>> edit_distance([1, 2, 3, 4], [2, 3, 5, 4, 4])
    3
    """
    columns = np.arange(len(b) + 1)
    others = np.array(b, dtype=np.int64)
    row = columns
    for place, token in enumerate(a):
        best = np.concatenate([[place + 1], np.minimum(row[1:] + 1, row[:-1] + (others != token))])
        row = np.minimum.accumulate(best - columns) + columns  # what insertions from the left make shorter
    return int(row[-1])


def word_edit_distance(truth: Sequence[str], guess: Sequence[str]) -> float | None:
    """Words to insert, delete or replace to make the texts of their guesses, per word of the texts.

    0 where all came back; above 1 where guesses are longer than texts. None without words. Raises ValueError when the
    two differ in length.

    >>> word_edit_distance(["a cat sat", "so it is"], ["a dog sat", "so it is not"])
    0.3333333333333333
    """
    _check_pairs(truth, guess)
    places: dict[str, int] = {}
    edits = words = 0
    for text, other in zip(truth, guess, strict=True):
        a, b = ([places.setdefault(word, len(places)) for word in one.split()] for one in (text, other))
        edits += edit_distance(a, b)
        words += len(a)
    return edits / words if words else None


def _check_pairs(truth: Sequence[object], guess: Sequence[object]) -> None:
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
