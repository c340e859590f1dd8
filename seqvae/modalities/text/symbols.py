"""Words or characters as tokens: a fixed list of symbols and one symbol for all others."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np

from seqvae.modalities.text.encoding import in_batches
from seqvae.modalities.text.tokenizer import DESCRIPTION_FILE, END, damaged, description

REPLACEMENT = "\ufffd"  # the unknown character
MOST_TYPES = 1_000_000  # different words that are counted at once


_MARKS = r"!-/:-@\[-^`{-~\u00a1-\u00bf\u2010-\u205e\u3001-\u303f\uff01-\uff0f"  # punctuation, as ranges of characters
_APART = rf"[^\s{_MARKS}]+(?:['\u2019-][^\s{_MARKS}]+)*|[{_MARKS}]"  # words with what joins their parts, single marks
_NO_SPACE_BEFORE, _NO_SPACE_AFTER = ",.;:!?)]}%", "([{"


def splitter(kind: str, unknown: str = REPLACEMENT) -> Callable[[str], list[str]]:
    """What splits a text into symbols: words, characters, or words and punctuation marks.

    Apostrophes and hyphens within a word are part of it, and the corpus's own unknown word is one.

    >>> splitter("word-punct", "<unk>")("Well, don't (ever) re-read <unk>!")
    ['Well', ',', "don't", '(', 'ever', ')', 're-read', '<unk>', '!']
    """
    if kind == "word-punct":
        return re.compile(f"{re.escape(unknown)}|{_APART}").findall
    return str.split if kind == "word" else list


def join_marks(symbols: Iterable[str]) -> str:
    """Words and punctuation marks as they are printed: no space before a comma, and none behind a bracket that opens.

    >>> join_marks(["Well", ",", "don't", "(", "ever", ")", "re-read", "it", "!"])
    "Well, don't (ever) re-read it!"
    """
    text = " ".join(symbols)
    for mark in _NO_SPACE_BEFORE:
        text = text.replace(f" {mark}", mark)
    for mark in _NO_SPACE_AFTER:
        text = text.replace(f"{mark} ", mark)
    return text


_JOIN: dict[str, Callable[[Iterable[str]], str]] = {"word": " ".join, "word-punct": join_marks, "character": "".join}


class SymbolTokenizer:
    """Each word, or each character, is one symbol of a fixed list; all others are the unknown symbol.

    Words are what stands between white space and are joined by single spaces, so a text of words round trips up to its
    white space only. Where punctuation marks are symbols, too (word-punct), the spaces about them are those of print.
    Characters round trip exactly.
    """

    def __init__(self, kind: str, symbols: Sequence[str]) -> None:
        """`symbols` starts with the unknown symbol; symbol i has id i + 1."""
        self.kind = kind
        self._symbols = ["", *symbols]
        self._ids = {symbol: i for i, symbol in enumerate(self._symbols) if i != END}
        self._split, self._join = splitter(kind, self._symbols[self.unknown]), _JOIN[kind]

    @property
    def size(self) -> int:
        """The number of ids V: the symbols, the unknown one among them, and the end of sequence."""
        return len(self._symbols)

    @property
    def unknown(self) -> int:
        """The id of everything outside the vocabulary."""
        return END + 1

    def encode(self, text: str) -> list[int]:
        """The ids of a text's words or characters."""
        ids, unknown = self._ids, self.unknown
        return [ids.get(symbol, unknown) for symbol in self._split(text)]

    def encode_all(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of many texts, one after another, and (N,) how many each has."""
        split = list(map(self._split, texts))
        counts = np.fromiter(map(len, split), np.int64, len(split))
        ids = map(self._ids.get, chain.from_iterable(split), repeat(self.unknown))
        return np.fromiter(ids, np.int32, counts.sum()), counts

    def hidden(self, text: str, most: int) -> list[str]:
        """Those of the first `most` words or characters that the unknown symbol stands for, and is not itself."""
        return [symbol for symbol in self._split(text)[:most] if symbol not in self._ids]

    def decode(self, ids: Sequence[int]) -> str:
        """The symbols of ids, words with single spaces between them."""
        return self._join(map(self._symbols.__getitem__, ids))

    def decode_lines(self, steps: Sequence[int]) -> str:
        """What `decode` gives of many texts, of which each closes with END, and a line end after each."""
        text = self._join(map(["\n", *self._symbols[1:]].__getitem__, steps))
        return text if self.kind == "character" else text.replace(" \n", "\n").replace("\n ", "\n")

    def canonical(self, text: str) -> str:
        """The text itself; for words with single spaces between them and none at the ends."""
        return self._join(self._split(text))

    def files(self) -> dict[str, bytes]:
        """The description with the list of symbols."""
        return {DESCRIPTION_FILE: description(self.kind, {"symbols": self._symbols[1:]})}

    @staticmethod
    def train(
        kind: str, items: Iterable[str], vocabulary_size: int = 0, min_count: int = 1, unknown: str = REPLACEMENT
    ) -> "SymbolTokenizer":
        """The most frequent symbols of a corpus, ties in alphabetical order.

        `vocabulary_size` limits the number of ids, the unknown symbol and the end included; 0 takes every symbol seen
        at least `min_count` times. Raises ValueError when that is more than can be counted, or no room is left.
        """
        if 0 < vocabulary_size < 3:
            raise ValueError(
                f"data.vocabulary_size={vocabulary_size} has no room for text beside the end and the unknown symbol; "
                "give at least 3, or 0 for all"
            )
        counts = _count(items, splitter(kind, unknown), vocabulary_size or min_count > 1)
        del counts[unknown]
        frequent = (symbol for symbol, count in counts.items() if count >= min_count)
        ranked = sorted(frequent, key=lambda symbol: (-counts[symbol], symbol))
        if not ranked:
            raise ValueError(
                f"the corpus has no {kind} that is seen {min_count} times; give more text, or a lower data.min_count"
            )
        room = vocabulary_size - 2 if vocabulary_size else len(ranked)
        return SymbolTokenizer(kind, [unknown, *ranked[:room]])

    @staticmethod
    def load(kind: str, content: dict[str, Any], folder: Path) -> "SymbolTokenizer":
        """The tokenizer of a description. Raises ValueError when its list of symbols is none."""
        symbols = content.get("symbols")
        if not isinstance(symbols, list) or not symbols or not all(isinstance(s, str) and s for s in symbols):
            raise damaged(folder / DESCRIPTION_FILE)
        if len(set(symbols)) != len(symbols):
            raise damaged(folder / DESCRIPTION_FILE)
        return SymbolTokenizer(kind, symbols)


def _count(items: Iterable[str], split: Callable[[str], list[str]], may_forget: int | bool) -> Counter[str]:
    """How often each symbol occurs; past a million different ones the rarest are forgotten, to bound the memory."""
    counts: Counter[str] = Counter()
    floor = 0
    for symbols in _symbols_of(items, split, counts):
        counts.update(symbols)
        while len(counts) > MOST_TYPES:
            if not may_forget:
                raise ValueError(
                    f"the corpus has more than {MOST_TYPES:,} different words; set data.vocabulary_size or "
                    "data.min_count, or use the unigram tokenizer"
                )
            floor += 1
            counts = Counter({symbol: count for symbol, count in counts.items() if count > floor})
    return counts


def _symbols_of(items: Iterable[str], split: Callable[[str], list[str]], counts: Counter[str]) -> Iterator[list[str]]:
    """The symbols of items: of many at once while `counts` has room for all of them, else of one after another."""
    for batch in in_batches(items):
        symbols = [symbol for item in batch for symbol in split(item)]
        yield from [symbols] if len(counts) + len(symbols) <= MOST_TYPES else map(split, batch)
