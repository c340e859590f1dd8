"""Sentences to token ids, many at once: whatever is done for a single sentence takes longer than its ids."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from seqvae.modalities.items import Report
from seqvae.modalities.text.settings import TextData
from seqvae.modalities.text.tokenizer import END, Tokenizer, bytes_of

MOST_SENTENCES = 2**12  # that are encoded at once,
MOST_CHARACTERS = 2**20  # or characters of them
HIDDEN = ("hidden symbols", "hidden bytes", "hidden characters")  # of a report: what unknown tokens stand for

Sentence = TypeVar("Sentence", bound=str)


def in_batches(sentences: Iterable[Sentence]) -> Iterator[list[Sentence]]:
    """Sentences in order, some thousand at a time: memory does not grow with their number."""
    some: list[Sentence] = []
    characters = 0
    for sentence in sentences:
        some.append(sentence)
        characters += len(sentence)
        if characters >= MOST_CHARACTERS or len(some) == MOST_SENTENCES:
            yield some
            some, characters = [], 0
    if some:
        yield some


def encode_all(
    tokenizer: Tokenizer, data: TextData, sentences: Sequence[Sentence], report: Report
) -> tuple[np.ndarray, np.ndarray, Sequence[Sentence], int]:
    """The ids of sentences one after another, each with the end; how many each has; the sentences; their bytes.

    Those that are too long are cut or left out. The bytes are those of the sentences as decoded, with a line end each.
    """
    ids, counts = tokenizer.encode_all(sentences)
    cut = counts > data.max_length
    if cut.any():
        done = "cut" if data.long == "cut" else "skipped"
        report.count(f"items longer than {data.max_length} tokens, {done}", int(cut.sum()))
        most = np.where(cut, data.max_length if data.long == "cut" else 0, counts)
        places = np.arange(len(ids)) - np.repeat(np.cumsum(counts) - counts, counts)
        ids, counts = ids[places < np.repeat(most, counts)], most
        if data.long == "skip":
            sentences = [sentence for sentence, is_long in zip(sentences, cut, strict=True) if not is_long]
            counts, cut = counts[~cut], cut[~cut]
    ends = np.cumsum(counts)
    if tokenizer.unknown is not None and sentences:
        _count_unknown(tokenizer, sentences, ids, ends, report)
    steps = np.insert(ids, ends, END)
    return steps, counts + 1, sentences, _bytes_decoded(tokenizer, sentences, steps, counts + 1, cut)


def _count_unknown(
    tokenizer: Tokenizer, sentences: Sequence[str], ids: np.ndarray, ends: np.ndarray, report: Report
) -> None:
    """Count unknown tokens, and what they stand for."""
    unknown = np.flatnonzero(ids == tokenizer.unknown)
    symbols: list[str] = []
    for place in np.unique(np.searchsorted(ends, unknown, "right")).tolist():
        symbols += tokenizer.hidden(sentences[place], int(ends[place] - (ends[place - 1] if place else 0)))
    sizes = len(symbols), sum(map(bytes_of, symbols)), sum(map(len, symbols))
    report.count("unknown tokens", len(unknown))
    report.unshown.update(dict(zip(HIDDEN, sizes, strict=True)))


def _bytes_decoded(
    tokenizer: Tokenizer, sentences: Sequence[str], steps: np.ndarray, lengths: np.ndarray, cut: np.ndarray
) -> int:
    """The bytes of sentences as decoded; where no token is unknown, those that are whole are what they were."""
    if tokenizer.unknown is not None:
        return bytes_of(tokenizer.decode_lines(steps.tolist()))
    whole = "".join(f"{sentence}\n" for sentence, is_cut in zip(sentences, cut, strict=True) if not is_cut)
    return bytes_of(whole) + bytes_of(tokenizer.decode_lines(steps[np.repeat(cut, lengths)].tolist()))
