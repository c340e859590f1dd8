"""Text to token ids and back: words, characters, and pieces learned by sentencepiece.

One layout for all: id 0 ends a sequence, all other ids stand for text. There is no start and no padding id.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from seqvae.modalities.text.lines import write_atomically

END = 0
FORMAT = 1
DESCRIPTION_FILE = "tokenizer.json"
REPLACEMENT = "\ufffd"
MOST_TYPES = 1_000_000  # different words that are counted at once


@runtime_checkable
class Tokenizer(Protocol):
    """Text to token ids and back. `END` is not written by `encode` and must not be given to `decode`."""

    kind: str

    @property
    def unknown(self) -> int | None:
        """The id of everything outside the vocabulary; None where nothing is outside."""
        ...

    @property
    def size(self) -> int:
        """The number of ids V, the end of sequence included."""
        ...

    def encode(self, text: str) -> list[int]:
        """The ids of a text."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids."""
        ...

    def canonical(self, text: str) -> str:
        """What decoding the ids of a text gives when nothing in it is unknown."""
        ...

    def files(self) -> dict[str, bytes]:
        """Name and content of the files that hold the tokenizer."""
        ...


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
        self._split, self._glue = (_split_words, " ") if kind == "word" else (list, "")

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

    def decode(self, ids: Sequence[int]) -> str:
        """The symbols of ids, words with single spaces between them."""
        return self._glue.join([self._symbols[i] for i in ids])

    def canonical(self, text: str) -> str:
        """The text itself; for words with single spaces between them and none at the ends."""
        return self._glue.join(self._split(text))

    def files(self) -> dict[str, bytes]:
        """The description with the list of symbols."""
        return {DESCRIPTION_FILE: _description(self.kind, symbols=self._symbols[1:])}

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
                f"vocabulary_size={vocabulary_size} has no room for text beside the end and the unknown symbol; "
                "give at least 3, or 0 for all"
            )
        counts = _count(items, _split_words if kind == "word" else list, vocabulary_size or min_count > 1)
        del counts[unknown]
        frequent = (symbol for symbol, count in counts.items() if count >= min_count)
        ranked = sorted(frequent, key=lambda symbol: (-counts[symbol], symbol))
        room = vocabulary_size - 2 if vocabulary_size else len(ranked)
        return SymbolTokenizer(kind, [unknown, *ranked[:room]])


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


def _description(kind: str, **content: Any) -> bytes:
    text = json.dumps({"format": FORMAT, "kind": kind, **content}, ensure_ascii=False, indent=0)
    return text.encode("utf-8", errors="surrogatepass")


def train(
    kind: str, items: Callable[[], Iterable[str]], vocabulary_size: int, min_count: int, unknown: str
) -> Tokenizer:
    """A tokenizer of the given kind, learned from a corpus; `items()` starts a new pass over it."""
    return SymbolTokenizer.train(kind, items(), vocabulary_size, min_count, unknown if kind == "word" else REPLACEMENT)


def fingerprint(tokenizer: Tokenizer) -> str:
    """sha256 over the tokenizer's whole content, in hex."""
    digest = hashlib.sha256()
    for name, content in sorted(tokenizer.files().items()):
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def save(tokenizer: Tokenizer, folder: Path) -> list[Path]:
    """Write a tokenizer's files into a folder; the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    return [write_atomically(folder / name, content) for name, content in sorted(tokenizer.files().items())]


def load(kind: str, folder: Path) -> Tokenizer:
    """The tokenizer that `save` wrote. Raises ValueError when it is missing, damaged or of another kind."""
    path = folder / DESCRIPTION_FILE
    if not path.is_file():
        raise ValueError(f"{path} is missing; give the folder of a finished run, or restore the file from a copy.")
    damaged = ValueError(f"{path} is damaged; restore the file from a copy, or train again.")
    try:
        description = json.loads(path.read_bytes().decode("utf-8", errors="surrogatepass"))
    except ValueError:
        raise damaged from None
    if not isinstance(description, dict) or not isinstance(description.get("kind"), str):
        raise damaged
    if description.get("format") != FORMAT:
        raise ValueError(f"{path} has format {description.get('format')}; this version reads {FORMAT}: update seqvae.")
    if description["kind"] != kind:
        raise ValueError(
            f"{path} holds a tokenizer of kind '{description['kind']}', not '{kind}'; "
            f"set data.tokenizer={description['kind']}, or give another folder."
        )
    symbols = description.get("symbols")
    if not isinstance(symbols, list) or not _are_symbols(symbols):
        raise damaged
    return SymbolTokenizer(kind, symbols)


def _are_symbols(symbols: list[Any]) -> bool:
    return bool(symbols) and all(isinstance(s, str) and s for s in symbols) and len(set(symbols)) == len(symbols)
