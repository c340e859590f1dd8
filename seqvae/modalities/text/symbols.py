"""Words or characters as tokens: a fixed list of symbols and one symbol for all others."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from seqvae.modalities.text.tokenizer import DESCRIPTION_FILE, END, damaged, description

REPLACEMENT = "\ufffd"  # the unknown character
MOST_TYPES = 1_000_000  # different words that are counted at once


def _split_words(text: str) -> list[str]:
    return text.split()


class SymbolTokenizer:
    """Each word, or each character, is one symbol of a fixed list; all others are the unknown symbol.

    Words are what stands between white space and are joined by single spaces, so a text of words round trips up to its
    white space only. Characters round trip exactly.
    """

    def __init__(self, kind: str, symbols: Sequence[str]) -> None:
        """`symbols` starts with the unknown symbol; symbol i has id i + 1."""
        self.kind = kind
        self._symbols = ["", *symbols]
        self._ids = {symbol: i for i, symbol in enumerate(self._symbols) if i != END}
        self._split: Callable[[str], list[str]] = _split_words if kind == "word" else list
        self._glue = " " if kind == "word" else ""

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

    def hidden(self, text: str, most: int) -> list[str]:
        """Those of the first `most` words or characters that the unknown symbol stands for, and is not itself."""
        return [symbol for symbol in self._split(text)[:most] if symbol not in self._ids]

    def decode(self, ids: Sequence[int]) -> str:
        """The symbols of ids, words with single spaces between them."""
        return self._glue.join([self._symbols[i] for i in ids])

    def canonical(self, text: str) -> str:
        """The text itself; for words with single spaces between them and none at the ends."""
        return self._glue.join(self._split(text))

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
        counts = _count(items, _split_words if kind == "word" else list, vocabulary_size or min_count > 1)
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
    for item in items:
        counts.update(split(item))
        while len(counts) > MOST_TYPES:
            if not may_forget:
                raise ValueError(
                    f"the corpus has more than {MOST_TYPES:,} different words; set data.vocabulary_size or "
                    "data.min_count, or use the unigram tokenizer"
                )
            floor += 1
            counts = Counter({symbol: count for symbol, count in counts.items() if count > floor})
    return counts
