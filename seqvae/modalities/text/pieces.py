"""Pieces of words as tokens, learned by sentencepiece, so that every text round trips exactly."""

import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from seqvae.modalities.text.tokenizer import DESCRIPTION_FILE, END, damaged, description, read_file

MODEL_FILE = "tokenizer.model"
SAMPLE_BYTES = 8_000_000  # of a corpus that sentencepiece is trained on; it takes up to 50 times as much memory
LINE_CHARACTERS = 4096  # sentencepiece drops longer training lines without a word, so they are cut into pieces
LONGEST_PIECE = 16  # characters, sentencepiece's own limit
BYTES_AND_END = 257  # ids that every model has
FREQUENT = 5  # times; rarer words are not worth a piece of their own
RESERVED = "\u2581\u2585\n\0"  # characters that never reach sentencepiece
_RESERVED = re.compile(f"([{RESERVED}]+)")


class SentencePieceTokenizer:
    """Pieces of a unigram or byte-pair model (Kudo 2018; Sennrich et al. 2016) trained by sentencepiece.

    Every text round trips exactly. Text passes unchanged into the model (no normalisation), and characters outside its
    vocabulary become bytes. A space is put before each line and taken off again, so that a word is the same piece at
    the start of a line as inside. Sentencepiece writes spaces as U+2581, keeps U+2585 for itself and takes a newline
    for the end of the text: these characters never reach it and are written as bytes. The model's own unknown piece,
    which bytes leave without a use, has id 0 and stands for the end of sequence.
    """

    unknown = None

    def __init__(self, kind: str, model: bytes) -> None:
        """`model` is a serialised sentencepiece model. Raises ValueError when it is none."""
        from sentencepiece import SentencePieceProcessor

        self.kind = kind
        self._model = model
        self._pieces = SentencePieceProcessor()
        try:
            self._pieces.LoadFromSerializedProto(model)
        except RuntimeError:
            raise ValueError("these bytes are not a sentencepiece model") from None
        self._first_byte: int = self._pieces.PieceToId("<0x00>")

    @property
    def size(self) -> int:
        """The number of ids V: the pieces, the 256 bytes and the end of sequence."""
        size: int = self._pieces.GetPieceSize()
        return size

    @property
    def characters(self) -> int:
        """The number of pieces of a single character."""
        return sum(len(self._pieces.IdToPiece(place)) == 1 for place in range(self.size) if place != END)

    def encode(self, text: str) -> list[int]:
        """The ids of a text's pieces. Raises ValueError for a text that UTF-8 cannot hold."""
        if not text:
            return []
        ids: list[int] = []
        try:
            for part in _RESERVED.split(_mark_lines(text)):
                if _RESERVED.match(part):
                    ids += [self._first_byte + byte for byte in part.encode()]
                elif part:
                    ids += self._pieces.EncodeAsIds(part)
        except RuntimeError:
            raise ValueError(f"{text!a} holds half of a surrogate pair, which is no character; remove it") from None
        return ids

    def encode_all(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of many texts, one after another, and (N,) how many each has. Raises ValueError as `encode`."""
        whole = "".join(texts)
        if any(mark in whole for mark in RESERVED) or not all(texts):
            found = list(map(self.encode, texts))
        else:
            try:
                found = self._pieces.EncodeAsIds([" " + text for text in texts])
            except (RuntimeError, TypeError):
                found = list(map(self.encode, texts))  # which says what is wrong
        counts = np.fromiter(map(len, found), np.int64, len(found))
        return np.fromiter(chain.from_iterable(found), np.int32, counts.sum()), counts

    def hidden(self, text: str, most: int) -> list[str]:
        """Nothing: every text round trips."""
        return []

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; bytes that are no UTF-8 become U+FFFD."""
        text: str = self._pieces.DecodeIds(list(ids)) if ids else ""
        return _unmark_lines(text)

    def decode_lines(self, steps: Sequence[int]) -> str:
        """What `decode` gives of many texts, of which each closes with END, and a line end after each."""
        ends = [place for place, step in enumerate(steps) if step == END]
        firsts = [0, *(end + 1 for end in ends)]
        return "".join(f"{self.decode(steps[first:end])}\n" for first, end in zip(firsts, ends, strict=False))

    def canonical(self, text: str) -> str:
        """The text itself."""
        return text

    def files(self) -> dict[str, bytes]:
        """The description and the model."""
        digest = hashlib.sha256(self._model).hexdigest()
        return {DESCRIPTION_FILE: description(self.kind, {"model_sha256": digest}), MODEL_FILE: self._model}

    @staticmethod
    def train(kind: str, items: Iterable[str], vocabulary_size: int) -> "SentencePieceTokenizer":
        """A model with at most `vocabulary_size` ids, from a sample of at most `SAMPLE_BYTES` of the corpus.

        The same corpus gives the same model. Raises ValueError when there is no text, or too small a vocabulary.
        """
        import sentencepiece

        training_lines = _training_lines(_sample(items, SAMPLE_BYTES))
        if not training_lines:
            raise ValueError(f"the corpus has no text to train a {kind} tokenizer on; give at least one sentence")
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(training_lines), model_writer=model, model_type=kind,
                vocab_size=vocabulary_size, hard_vocab_limit=False, byte_fallback=True, required_chars="\u2581",
                normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=False,
                allow_whitespace_only_pieces=True, max_sentence_length=4 * LINE_CHARACTERS + 4,
                unk_id=END, bos_id=-1, eos_id=-1, pad_id=-1,
                unk_piece="\u2585",  # its usual name <unk> would be taken out of corpora that hold this word
                num_threads=1,  # models differ with the number of threads
                minloglevel=2,
            )  # fmt: skip
        except RuntimeError as error:
            raise _training_error(kind, vocabulary_size, str(error)) from None
        return SentencePieceTokenizer(kind, model.getvalue())

    @staticmethod
    def load(kind: str, content: dict[str, Any], folder: Path) -> "SentencePieceTokenizer":
        """The tokenizer of a description. Raises ValueError when the model beside it is missing or another."""
        model = read_file(folder / MODEL_FILE)
        if hashlib.sha256(model).hexdigest() != content.get("model_sha256"):
            raise damaged(folder / MODEL_FILE)
        return SentencePieceTokenizer(kind, model)


def _mark_lines(text: str) -> str:
    return " " + text.replace("\n", "\n ")


def _unmark_lines(text: str) -> str:
    return text.removeprefix(" ").replace("\n ", "\n")


def _training_lines(items: Sequence[str]) -> list[str]:
    """The text that sentencepiece is trained on: the examples in short lines, and the frequent words twice each.

    The unigram trainer considers only substrings that are followed by different characters. A word that is always
    followed by a space, as most are in tokenised text, would never become a piece; a line that holds it twice mends
    that, and spaces at the ends of lines are taken off. Together they save 19 % of Penn Treebank's unigram tokens.
    """
    lines: list[str] = []
    words: Counter[str] = Counter()
    for item in items:
        words.update(item.split())
        for part in _RESERVED.split(item):
            text = part.strip(" ")
            if text and not _RESERVED.match(text):
                lines += [" " + text[i : i + LINE_CHARACTERS] for i in range(0, len(text), LINE_CHARACTERS)]
    return lines + [
        f" {word} {word}"
        for word, count in words.items()
        if count >= FREQUENT and len(word) < LONGEST_PIECE and not _RESERVED.search(word)
    ]


def _training_error(kind: str, vocabulary_size: int, message: str) -> ValueError:
    required = re.search(r"required_chars\. \d+ vs (\d+)", message)
    if required:
        return ValueError(
            f"data.vocabulary_size={vocabulary_size} is too small for a {kind} tokenizer of this corpus: its bytes and "
            f"characters alone take {required[1]}; give more"
        )
    return ValueError(
        f"sentencepiece cannot train a {kind} tokenizer on this corpus ({message.strip()}); "
        "give more text, or set data.tokenizer=character"
    )


def _sample(items: Iterable[str], most_bytes: int) -> list[str]:
    """The whole corpus, or an even choice of its examples that is the same each time and holds at most `most_bytes`.

    Each time the bytes run over, about half of the examples are dropped: those whose place in the corpus, multiplied
    by the golden ratio, has its fractional part in the upper half of what is kept.
    """
    kept: list[tuple[int, int, str]] = []  # (the fractional part in units of 2^-64, bytes, text)
    held, limit = 0, 1 << 64
    for i, item in enumerate(items):
        rank = i * 0x9E3779B97F4A7C15 % 2**64
        if rank >= limit:
            continue
        content = item[: most_bytes // 16].encode("utf-8", errors="replace")
        kept.append((rank, len(content), content.decode()))
        held += len(content)
        while held > most_bytes and len(kept) > 1:
            limit //= 2
            kept = [entry for entry in kept if entry[0] < limit]
            held = sum(size for _, size, _ in kept)
    return [text for _, _, text in kept]
