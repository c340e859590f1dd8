"""Text that is packed: unpacked where it is gzip of some size, and else named."""

import bz2
import gzip
import lzma
import random
from pathlib import Path

import pytest

from seqvae.modalities.text import lines
from tests.modalities.test_text import read, refusal


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """The path of a corpus that is not written yet."""
    return tmp_path / "corpus.txt"


def test_a_small_gzip_that_unpacks_without_end_is_refused(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(b"the same line again and again\n" * 20_000)
    assert 100 * len(bomb) < 600_000
    assert len(read(corpus, bomb)[0]) == 20_000, "as small as this it may be"
    monkeypatch.setattr(lines, "ALWAYS_UNPACKED", 1 << 16)
    assert refusal(corpus, bomb) == (
        f"{corpus} has {len(bomb):,} bytes and unpacks to more than 100 times as many, as no text does; if it is one, "
        "unpack it (gunzip), and give the file that comes of it."
    )
    text = " ".join(random.Random(0).choices(["a", "cat", "sees", "the", "dog"], k=40_000)).encode()
    assert len(text) > 1 << 16
    assert read(corpus, gzip.compress(text)) == ([text.decode()], {}), "a text of that size is read"


def test_a_gzip_of_zeros_is_refused_by_its_size_where_that_is_too_much_and_else_as_binary(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "ALWAYS_UNPACKED", 1 << 16)
    bomb, binary = gzip.compress(bytes(1 << 22)), f"{corpus} looks like a binary file (NUL byte at line 1, column 1)"
    assert refusal(corpus, bomb).startswith(f"{corpus} has {len(bomb):,} bytes and unpacks to more than 100 times as ")
    assert refusal(corpus, gzip.compress(bytes(1 << 16))).startswith(binary)
    noise = bytes(9) + random.Random(0).randbytes(1 << 17)
    assert refusal(corpus, gzip.compress(noise)).startswith(binary)
    assert refusal(corpus, gzip.compress(noise)[:-99]).startswith(f"{corpus} is truncated or damaged")
    assert refusal(corpus, bomb[:-4] + bytes(4)).startswith(binary), "an end that says so keeps it from being unpacked"
    assert refusal(corpus, bytes(1 << 22)).startswith(binary)


def test_packed_text_is_unpacked_where_it_is_gzip_and_else_named(corpus: Path) -> None:
    assert read(corpus, gzip.compress("caf\xe9\nb\n".encode())) == (["caf\xe9", "b"], {})
    assert refusal(corpus, gzip.compress(b"a\nb\xe9"), encoding="utf-8").startswith(f"{corpus} line 2 is not UTF-8")
    sentence = f"{corpus} is truncated or damaged: it does not unpack; get the file again."
    assert refusal(corpus, gzip.compress(bytes(range(1, 200)) * 9)[:-30], encoding="latin-1") == sentence
    assert (
        refusal(corpus, bz2.compress(b"a"))
        == f"{corpus} is packed by bzip2, not text; give the text of it as a plain file."
    )
    assert refusal(corpus, lzma.compress(b"a")).startswith(f"{corpus} is packed by xz, not text")
    assert refusal(corpus, b"%PDF-1.7").startswith(f"{corpus} is a PDF, not text")
