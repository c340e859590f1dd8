"""The tokenizers of the text modality: what comes back, what is learned, what is refused."""

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqvae.modalities.base import Report
from seqvae.modalities.text import pieces as pieces_module
from seqvae.modalities.text import symbols as symbols_module
from seqvae.modalities.text.sentences import Text
from seqvae.modalities.text.settings import TextData
from seqvae.modalities.text.symbols import splitter
from seqvae.modalities.text.tokenizer import Tokenizer

SENTENCES = [
    f"{who} {what} the {thing}." for who in ("She", "The cat", "Nobody") for what in ("saw", "likes", "<unk>")
    for thing in ("old house", "river", "green apple")
]  # fmt: skip
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
HARD_TEXTS = (
    "", " ", "  two  spaces ", "\ttab\t", "\u2581a\u2581 \u2581", "\u2585 \u2585\u2585", "a\nb", "\n\n x\n ", "\r",
    "a\0b", "😀👩‍👩‍👧", "e\u0301 é", "<unk> <0x0A> <s></s> ⁇", "日本語 العربية",
    "\ufeff\ufffd\u3000\u00a0\u200b", "\ufdd0\U0010ffff",
)  # fmt: skip


def fitted(kind: str, corpus: list[str], **options: object) -> Text:
    """A text modality with a tokenizer trained on a list of sentences."""
    text = Text(TextData(tokenizer=kind, **options))  # type: ignore[arg-type]
    text.fit(lambda: iter(corpus))
    return text


@cache
def trained(kind: str) -> Text:
    """The same for the sentences above, trained once; long enough that nothing is cut."""
    return fitted(kind, SENTENCES, max_length=10**6)


def round_trip(text: Text, item: str) -> str:
    """What decoding the encoded item gives."""
    x = text.encode(item, Report())
    assert x is not None
    assert x[-1] == text.end
    assert x.max() < text.outcomes
    return text.decode(x)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@given(item=ANY_TEXT)
@settings(max_examples=150, deadline=None)
def test_any_text_comes_back_exactly_from_pieces(kind: str, item: str) -> None:
    assert round_trip(trained(kind), item) == item


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@given(item=st.text(st.sampled_from("ab The\t \u2581\u2585\n\0é<unk>")))
@settings(max_examples=150, deadline=None)
def test_text_of_reserved_characters_comes_back_exactly_from_pieces(kind: str, item: str) -> None:
    assert round_trip(trained(kind), item) == item


@pytest.mark.parametrize("item", HARD_TEXTS)
@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_hard_text_comes_back_exactly_from_pieces(kind: str, item: str) -> None:
    assert round_trip(trained(kind), item) == item


@given(item=st.text(st.sampled_from("".join(SENTENCES))))
@settings(deadline=None)
def test_known_characters_come_back_exactly(item: str) -> None:
    assert round_trip(trained("character"), item) == item


@given(item=ANY_TEXT)
@settings(deadline=None)
def test_an_unknown_character_comes_back_as_the_replacement_character(item: str) -> None:
    known = set("".join(SENTENCES))
    assert round_trip(trained("character"), item) == "".join(c if c in known else "\ufffd" for c in item)


def test_words_come_back_up_to_white_space_and_unknown_words() -> None:
    assert round_trip(trained("word"), "  Nobody  saw\tthe zebra \u2581") == "Nobody saw the <unk> <unk>"


def test_words_and_marks_come_back_as_they_are_printed() -> None:
    text = fitted("word-punct", ["Well, don't (ever) re-read <unk>!", "a <unk> , [b] : c%"])
    assert round_trip(text, "Well ,don't ( ever )  re-read zebras !") == "Well, don't (ever) re-read <unk>!"
    assert round_trip(text, "<unk>, [a]: c %") == "<unk>, [a]: c%"
    x = text.encode("<unk> don't!", Report())
    assert x is not None
    assert len(x) == 4
    assert x[0] == text.tokenizer.unknown


@given(item=ANY_TEXT)
@settings(deadline=None)
def test_words_and_marks_in_print_are_split_into_the_same(item: str) -> None:
    printed = trained("word-punct").tokenizer.canonical(item)
    split = splitter("word-punct")
    assert split(printed) == split(item)
    assert trained("word-punct").tokenizer.canonical(printed) == printed


def test_word_ids_go_by_count_and_then_by_the_alphabet() -> None:
    text = fitted("word", ["b a <unk> c", "c b", "<unk> <unk> <unk> d"], vocabulary_size=0)
    x = text.encode("<unk> b c a d", Report())
    assert x is not None
    assert x.tolist() == [1, 2, 3, 4, 5, 0]
    assert text.outcomes == 6


def test_the_vocabulary_size_counts_the_end_and_the_unknown_word() -> None:
    corpus = ["a a a b b c"]
    assert [fitted("word", corpus, vocabulary_size=size).outcomes for size in (0, 3, 4, 5, 9)] == [5, 3, 4, 5, 5]
    assert round_trip(fitted("word", corpus, vocabulary_size=4), "a b c") == "a b <unk>"


def test_words_below_the_minimum_count_are_unknown() -> None:
    text = fitted("word", ["a a a b b c"], min_count=2, unknown="UNK")
    assert round_trip(text, "a b c") == "a b UNK"


def test_rare_words_are_forgotten_while_counting_where_memory_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbols_module, "MOST_TYPES", 3)
    text = fitted("word", ["a a a", "b b c", "a b d", "e"], vocabulary_size=4)
    assert round_trip(text, "a b c d") == "a b <unk> <unk>"
    with pytest.raises(ValueError, match=r"^the corpus has more than 3 different words; set data\.vocabulary_size or"):
        fitted("word", ["a b c d"], vocabulary_size=0)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_training_twice_gives_the_same_model(kind: str) -> None:
    first, second = fitted(kind, SENTENCES), fitted(kind, SENTENCES)
    assert first.tokenizer.files() == second.tokenizer.files()
    assert first.fingerprint() == second.fingerprint()


def test_a_word_that_is_always_followed_by_a_space_becomes_one_piece() -> None:
    corpus = [f"{a} said that {b} went" for a in ("he", "she", "they", "Ann") for b in ("we", "you", "Bob")]
    text = fitted("unigram", corpus, vocabulary_size=290)
    x = text.encode("said that", Report())
    assert x is not None
    assert [text.decode(x[i : i + 1]) for i in range(len(x))] == ["said", "that", ""]


def test_the_corpus_own_unknown_word_is_learned_like_any_other_text() -> None:
    x = trained("unigram").encode("<unk>", Report())
    assert x is not None
    assert x.min() == 0
    assert (x[:-1] > 256).all()  # pieces, no bytes


@pytest.mark.parametrize("kind", ["unigram", "bpe", "word", "word-punct", "character"])
def test_a_corpus_of_one_word_is_enough(kind: str) -> None:
    text = fitted(kind, ["hello"])
    assert round_trip(text, "hello") == "hello"
    assert isinstance(text.tokenizer, Tokenizer)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_very_long_line_trains_and_comes_back(kind: str) -> None:
    line = "ab c" * 25_000
    assert round_trip(fitted(kind, [line], max_length=10**7), line) == line


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("unigram", "the corpus has no text to train a unigram tokenizer on; give at least one sentence"),
        ("bpe", "the corpus has no text to train a bpe tokenizer on; give at least one sentence"),
        ("word", "the corpus has no word that is seen 1 times; give more text, or a lower data.min_count"),
        ("character", "the corpus has no character that is seen 1 times; give more text, or a lower data.min_count"),
    ],
)
def test_a_corpus_without_text_is_refused(kind: str, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        fitted(kind, [])
    assert str(caught.value) == sentence


def test_too_small_a_vocabulary_is_refused_with_the_least_that_is_possible() -> None:
    with pytest.raises(ValueError) as caught:
        fitted("unigram", ["abc"], vocabulary_size=100)
    assert str(caught.value) == (
        "data.vocabulary_size=100 is too small for a unigram tokenizer of this corpus: its bytes and characters alone "
        "take 261; give more"
    )
    assert fitted("unigram", ["abc"], vocabulary_size=261).outcomes == 261
    with pytest.raises(ValueError, match=r"^data\.vocabulary_size=2 has no room for text"):
        fitted("word", ["abc"], vocabulary_size=2)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(ValueError) as caught:
        trained("bpe").encode("a\udce9", Report())
    assert str(caught.value) == r"'a\udce9' holds half of a surrogate pair, which is no character; remove it"


def test_the_training_sample_is_bounded_even_and_repeatable() -> None:
    items = [f"{i:04}" * 25 for i in range(1000)]  # 100 bytes each
    kept = pieces_module._sample(iter(items), 30_000)
    assert kept == pieces_module._sample(iter(items), 30_000)
    assert 150 <= len(kept) <= 300
    places = [int(text[:4]) for text in kept]
    assert all(100 <= sum(first <= place < first + 500 for place in places) <= 150 for first in (0, 500))
    assert 0.4 < sum(place % 2 for place in places) / len(places) < 0.6  # corpora may alternate
    assert pieces_module._sample(iter(items), 100_000) == items


@pytest.mark.parametrize("kind", ["unigram", "bpe", "word", "word-punct", "character"])
def test_a_saved_tokenizer_is_read_back_whole(kind: str, tmp_path: Path) -> None:
    text, again = trained(kind), Text(TextData(tokenizer=kind, max_length=10**6))  # type: ignore[arg-type]
    paths = text.save(tmp_path / "tokenizer")
    assert sorted(path.name for path in (tmp_path / "tokenizer").iterdir()) == sorted(path.name for path in paths)
    again.load(tmp_path / "tokenizer")
    assert again.tokenizer.files() == text.tokenizer.files()
    assert again.fingerprint() == text.fingerprint()
    assert round_trip(again, "The cat saw") == "The cat saw"


def test_the_fingerprint_names_the_tokenizer_and_the_options_that_encoding_depends_on() -> None:
    corpora_and_options = [
        (SENTENCES, {}), (SENTENCES[1:], {}), (SENTENCES, {"max_length": 5}), (SENTENCES, {"long": "skip"}),
        (SENTENCES, {"encoding": "latin-1"}), (SENTENCES, {"blank_line_separated": True}),
        (SENTENCES, {"vocabulary_size": 9}), (SENTENCES, {"unknown": "UNK"}),
    ]  # fmt: skip
    fingerprints = [fitted("word", corpus, **options).fingerprint() for corpus, options in corpora_and_options]
    assert len(set(fingerprints)) == len(fingerprints)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("tokenizer.json", None, "{} is missing; give the folder of a trained model, or restore the file"),
        ("tokenizer.json", b"{", "{} is damaged; restore the file from a copy, or train again"),
        ("tokenizer.json", b"\xff", "{} is damaged; restore the file from a copy, or train again"),
        ("tokenizer.json", b"[1]", "{} is damaged; restore the file from a copy, or train again"),
        (
            "tokenizer.json",
            b'{"kind": "bpe", "format": 2}',
            "{} has format 2, this seqvae reads format 1; update seqvae",
        ),
        (
            "tokenizer.json",
            b'{"kind": "word", "format": 1, "symbols": ["a"]}',
            "{} holds a tokenizer of kind 'word', not 'bpe'; set data.tokenizer=word, or give another folder",
        ),
        ("tokenizer.model", None, "{} is missing; give the folder of a trained model, or restore the file"),
        ("tokenizer.model", b"other", "{} is damaged; restore the file from a copy, or train again"),
    ],
)
def test_a_damaged_tokenizer_folder_is_refused(name: str, content: bytes | None, sentence: str, tmp_path: Path) -> None:
    trained("bpe").save(tmp_path)
    path = tmp_path / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        Text(TextData(tokenizer="bpe")).load(tmp_path)
    assert str(caught.value) == sentence.format(path)


@pytest.mark.parametrize("symbols", [b'""', b"[]", b'["a", "a"]', b'["a", 1]', b'["a", ""]', b"null"])
def test_a_damaged_list_of_words_is_refused(symbols: bytes, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(b'{"kind": "word", "format": 1, "symbols": ' + symbols + b"}")
    with pytest.raises(ValueError, match=r"tokenizer\.json is damaged; restore the file from a copy, or train again$"):
        Text(TextData(tokenizer="word")).load(tmp_path)


def test_a_text_modality_without_a_tokenizer_says_so() -> None:
    with pytest.raises(ValueError, match="the text tokenizer is not trained yet; call fit"):
        Text(TextData()).encode("a", Report())


def test_penn_treebank_has_the_published_counts(shared_data: Path) -> None:
    folder = shared_data / "ptb"
    if not folder.is_dir():
        pytest.skip(f"no Penn Treebank: {folder} is not a folder")
    text = Text(TextData(tokenizer="word", vocabulary_size=0))
    text.fit(lambda: text.read([folder / "ptb.train.txt"], Report()))
    types = set((folder / "ptb.train.txt").read_text(encoding="utf-8").split())
    assert text.outcomes == len(types) + 1 == 10_000
    tokens = {}
    for part in ("train", "valid", "test"):
        encoded = [text.encode(item, Report()) for item in text.read([folder / f"ptb.{part}.txt"], Report())]
        tokens[part] = (len(encoded), sum(len(x) for x in encoded if x is not None))
    assert tokens == {"train": (42_068, 929_589), "valid": (3_370, 73_760), "test": (3_761, 82_430)}
