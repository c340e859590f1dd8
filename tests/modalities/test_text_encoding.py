"""Many sentences at once give what each of them gives alone: ids, counts, bytes and the vocabulary."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from seqvae.config import from_dict, read_json
from seqvae.corpus import Corpus, prepare
from seqvae.modalities.base import Report
from seqvae.modalities.text import encoding, symbols
from seqvae.modalities.text.encoding import HIDDEN, in_batches
from seqvae.modalities.text.sentences import Text
from seqvae.modalities.text.settings import TextData
from seqvae.modalities.text.tokenizer import END

SENTENCES = [
    "the cat sat , on ( the ) mat .",
    "  two  spaces\tand a tab ",
    ", a mark first , and ( last (",
    "n\u00fche \u732b \U0001f431 und \u2581 \u2585 \x00 marks",
    "<unk> stands for <unk> and <unk>.",
    "a",
    "zebra cat",
    "well, don't re-read (it) 5 % of the time!",
    "the cat " * 12,
    "the \u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b",
    "\ufffd is the unknown character",
] * 3  # fmt: skip
SEEN = [*SENTENCES[:3], SENTENCES[5], SENTENCES[7]] * 30
KINDS = ("word", "word-punct", "character", "unigram", "bpe")


def fitted(kind: str, **values: object) -> Text:
    size = {"vocabulary_size": 340 if kind in ("unigram", "bpe") else 40}
    text = Text(from_dict(TextData, {"tokenizer": kind, **size, **values}, "data"))
    text.fit(lambda: SEEN)
    return text


def one_by_one(text: Text, sentences: Sequence[str]) -> tuple[list[list[int]], Report, int]:
    """Arrays, report and bytes from what the tokenizer gives of each sentence."""
    arrays, report, size = [], Report(), 0
    most, tokenizer = text.data.max_length, text.tokenizer
    for sentence in sentences:
        ids = tokenizer.encode(sentence)
        if len(ids) > most:
            report.count(f"items longer than {most} tokens, {'cut' if text.data.long == 'cut' else 'skipped'}")
            if text.data.long == "skip":
                continue
        ids = ids[:most]
        if tokenizer.unknown is not None:
            report.count("unknown tokens", ids.count(tokenizer.unknown))
            hidden = tokenizer.hidden(sentence, len(ids))
            sizes = len(hidden), sum(len(one.encode()) for one in hidden), sum(map(len, hidden))
            report.unshown.update(dict(zip(HIDDEN, sizes, strict=True)))
        arrays.append([*ids, END])
        size += len(tokenizer.decode(ids).encode()) + 1
    return arrays, report, size


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("long", ["cut", "skip"])
@pytest.mark.parametrize("max_length", [7, 500])
@pytest.mark.parametrize("at_once", [1, 4, 4096])
def test_sentences_at_once_are_encoded_as_one_by_one(
    kind: str, long: str, max_length: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "MOST_SENTENCES", at_once)
    text, report = fitted(kind, long=long, max_length=max_length), Report()
    found = list(text.arrays_of(iter(SENTENCES), report))
    arrays, expected, size = one_by_one(text, SENTENCES)
    steps = np.concatenate([some.steps for some in found])
    ends = np.cumsum(np.concatenate([some.lengths for some in found]))
    assert [x.tolist() for x in np.split(steps, ends)[:-1]] == arrays
    assert steps.dtype == np.int32
    assert report.to_dict() == expected.to_dict()
    assert sum(some.size or 0 for some in found) == size
    assert len(arrays) < len(SENTENCES) or max_length == 500 or long == "cut", "some are too long"


@pytest.mark.parametrize("kind", KINDS)
def test_lines_are_decoded_at_once_as_one_by_one(kind: str) -> None:
    text = fitted(kind)
    ids = [text.tokenizer.encode(sentence) for sentence in [*SENTENCES, "", "", "a"]]
    expected = "".join(f"{text.tokenizer.decode(each)}\n" for each in ids)
    assert text.tokenizer.decode_lines([step for each in ids for step in [*each, END]]) == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("paragraphs", [False, True])
def test_encoding_counts_the_bytes_that_decoding_gives(
    kind: str, paragraphs: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQVAE_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "corpus.txt"
    content = "\n".join([*SENTENCES[:3], "", *SENTENCES[3:]]).replace("\0", "")
    source.write_text(content, encoding="utf-8")
    text = fitted(kind, max_length=20, blank_line_separated=paragraphs)
    corpus = prepare(text, [source])
    meta = read_json(corpus.folder / "corpus.json")
    assert corpus.bytes == meta["bytes"]
    expected = sum(len(text.decode(corpus[place]).encode()) + 1 for place in range(len(corpus)))
    assert corpus.bytes == expected
    corpus._counted = None  # as of a corpus that an older version encoded
    assert Corpus.bytes.func(corpus) == expected  # type: ignore[attr-defined]


def test_labels_go_with_the_sentences_that_are_left(tmp_path: Path) -> None:
    source = tmp_path / "corpus.txt"
    source.write_text("the cat\tone\n" + "the cat " * 9 + "\ttwo\na cat\tthree\nthe mat\t\n")
    text = fitted("word", labels="last-column", long="skip", max_length=5)
    (some,) = text.arrays_of(text.read([source], Report()), Report())
    assert some.labels == ["one", "three", None]
    assert some.lengths.tolist() == [3, 3, 3]


def test_batches_are_bounded_by_sentences_and_by_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "MOST_SENTENCES", 3)
    monkeypatch.setattr(encoding, "MOST_CHARACTERS", 10)
    items = ["a", "b", "c", "d", "x" * 10, "y" * 9, "z", "e"]
    assert list(in_batches(items)) == [["a", "b", "c"], ["d", "x" * 10], ["y" * 9, "z"], ["e"]]


@pytest.mark.parametrize("most_types", [3, 10, 100])
def test_words_are_counted_and_forgotten_as_sentence_after_sentence(
    most_types: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(symbols, "MOST_TYPES", most_types)
    draw = np.random.default_rng(0)
    items = [" ".join(f"w{number}" for number in draw.geometric(0.1, 6)) for _ in range(200)]
    expected, floor = Counter[str](), 0
    for item in items:
        expected.update(item.split())
        while len(expected) > most_types:
            floor += 1
            expected = Counter({word: count for word, count in expected.items() if count > floor})
    for at_once in (1, 7, 4096):
        monkeypatch.setattr(encoding, "MOST_SENTENCES", at_once)
        assert symbols._count(items, str.split, True) == expected
    assert (floor > 0) == (most_types < 100)


def test_half_of_a_surrogate_pair_among_many_is_named() -> None:
    with pytest.raises(ValueError, match=r"'half \\ud800' holds half of a surrogate pair"):
        list(fitted("unigram").arrays_of(["whole", "half \ud800"], Report()))
