"""The text modality: reading and writing lines, encoding, networks, metrics."""

import codecs
import gzip
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqvae.files import store
from seqvae.modalities import get
from seqvae.modalities.base import Modality, Report
from seqvae.modalities.text import lines
from seqvae.modalities.text.sentences import Text
from seqvae.modalities.text.settings import TextData, TextModel
from seqvae.nets.sequences import draw_uniform
from seqvae.settings import build_config

WORDS = TextData(tokenizer="word", vocabulary_size=0)


def read(path: Path, content: bytes, **options: object) -> tuple[list[str], dict[str, int]]:
    """The examples of a file with this content, and what was counted."""
    path.write_bytes(content)
    report = Report()
    return list(Text(TextData(**options)).read([path], report)), report.to_dict()["counts"]  # type: ignore[arg-type]


def refusal(path: Path, content: bytes | None = None, **options: object) -> str:
    """The sentence with which reading a file is refused."""
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        list(Text(TextData(**options)).read([path], Report()))  # type: ignore[arg-type]
    return str(caught.value)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """The path of a corpus that is not written yet."""
    return tmp_path / "corpus.txt"


@pytest.fixture(scope="module")
def words() -> Text:
    """A word tokenizer of six ids: end, <unk>, a, b, c, d."""
    text = Text(WORDS)
    text.fit(lambda: ["a a a a", "b b b", "c c", "d"])
    return text


def test_each_line_is_an_example_with_its_own_characters(corpus: Path) -> None:
    assert read(corpus, b" a b \n\tc\r\nd\re\xc2\x85f\n g") == ([" a b ", "\tc", "d\re\x85f", " g"], {})


def test_empty_lines_are_dropped_and_counted(corpus: Path) -> None:
    assert read(corpus, b"\n\na\n \t\nb\n\r\n") == (["a", "b"], {"empty lines dropped": 4})


def test_a_byte_order_mark_is_dropped_and_counted(corpus: Path) -> None:
    assert read(corpus, codecs.BOM_UTF8 + b"a\nb\n") == (["a", "b"], {"byte order marks dropped": 1})
    assert read(corpus, codecs.BOM_UTF8 + b"a") == (["a"], {"byte order marks dropped": 1})


def test_paragraphs_are_joined_by_newlines(corpus: Path) -> None:
    content = b"\na\nb\r\n\n\nc \n \t\n d"
    assert read(corpus, content, blank_line_separated=True) == (["a\nb", "c ", " d"], {})


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_a_file_is_read_in_its_encoding(encoding: str, corpus: Path) -> None:
    assert read(corpus, "née\n\r\nçà\n".encode(encoding), encoding=encoding)[0] == ["née", "çà"]


@pytest.mark.parametrize("chunk", [1, 2, 3, 7])
def test_reading_in_pieces_changes_nothing(chunk: int, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "CHUNK_BYTES", chunk)
    content = codecs.BOM_UTF8 + "née\r\n\n 日本 😀\nend".encode()
    expected = ["née", " 日本 😀", "end"], {"byte order marks dropped": 1, "empty lines dropped": 1}
    assert read(corpus, content) == expected
    assert refusal(corpus, codecs.BOM_UTF8 + b"a\nb\xc3\xa9 \xe9\xe9") == (
        f"{corpus} line 2 is not UTF-8 (byte 0xe9 at column 4); re-encode it, or pass data.encoding=latin-1."
    )
    assert refusal(corpus, codecs.BOM_UTF8 + b"ab\0") == (
        f"{corpus} looks like a binary file (NUL byte at line 1, column 3); give a plain text file, "
        "or pass data.encoding=utf-16 if that is what it is."
    )


def test_a_line_of_a_megabyte_is_one_example(corpus: Path) -> None:
    assert read(corpus, b"a" + b"x y " * 250_000 + b"\nb\n")[0] == ["a" + "x y " * 250_000, "b"]


def test_reading_needs_no_memory_for_the_whole_file(corpus: Path) -> None:
    corpus.write_bytes(b"a short line\n" * 400_000)  # 5 MB
    tracemalloc.start()
    try:
        assert sum(1 for _ in Text(TextData()).read([corpus], Report())) == 400_000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_bytes_that_are_not_utf_8_are_named_by_line_and_column(corpus: Path) -> None:
    content = b"fine\n" * 48212 + b"sixteen letters_\xe9 and more\n"
    assert refusal(corpus, content) == (
        f"{corpus} line 48213 is not UTF-8 (byte 0xe9 at column 17); re-encode it, or pass data.encoding=latin-1."
    )
    assert refusal(corpus, b"ab\n\xe9") == (
        f"{corpus} line 2 is not UTF-8 (byte 0xe9 at column 1); re-encode it, or pass data.encoding=latin-1."
    )
    assert refusal(corpus, b"ab\xe9\n", encoding="ascii") == (
        f"{corpus} line 1 is not ascii (byte 0xe9 at column 3); re-encode it, or pass data.encoding=latin-1."
    )
    assert refusal(corpus, "ab\n".encode("utf-16")).endswith("looks like a binary file (NUL byte at line 1, column 4); "
        "give a plain text file, or pass data.encoding=utf-16 if that is what it is.")  # fmt: skip
    assert refusal(corpus, "日本".encode("utf-16")).endswith("or pass data.encoding=utf-16.")
    assert refusal(corpus, "ab\n".encode("utf-16-be"), encoding="utf-16") == (
        f"{corpus} is not utf-16: it has no byte order mark; re-encode it, or pass data.encoding=utf-16-le."
    )


def test_a_binary_file_is_named_as_one(corpus: Path) -> None:
    expected = (
        f"{corpus} looks like a binary file (NUL byte at line 3, column 2); give a plain text file, "
        "or pass data.encoding=utf-16 if that is what it is."
    )
    assert refusal(corpus, b"a\nb\nc\0d\n") == expected
    assert refusal(corpus, b"\x89PNG\n\r\n\x1a\0") == expected


def test_an_unknown_encoding_is_refused_with_the_nearest(corpus: Path) -> None:
    assert refusal(corpus, b"a", encoding="latin-11") == (
        "no text encoding 'latin-11'; there are utf-8, latin-1, cp1252, utf-16 and the others of Python's codecs. "
        "Did you mean 'latin-1'?"
    )
    assert refusal(corpus, b"a", encoding="base64").startswith("no text encoding 'base64'; there are utf-8")


def test_a_missing_file_is_refused_with_the_nearest(corpus: Path) -> None:
    wanted = corpus.with_name("corpsu.txt")
    assert refusal(wanted) == f"there is no file {wanted}; give the path of a text file."
    corpus.write_bytes(b"a")
    assert refusal(corpus.with_name("reviews.txt")).endswith("; give the path of a text file.")
    assert refusal(wanted) == f"there is no file {wanted}; give the path of a text file. Did you mean 'corpus.txt'?"


def test_a_folder_gives_the_lines_of_all_text_files_below_it(tmp_path: Path) -> None:
    def refusal_of_folder() -> str:
        with pytest.raises(ValueError) as error:
            list(Text(TextData()).read([tmp_path], Report()))
        return str(error.value).replace(str(tmp_path), "FOLDER")

    (tmp_path / ".hidden.txt").touch()
    wanted = "give text files, or a folder of them."
    assert refusal_of_folder() == f"FOLDER holds no text file (.txt, .text, .txt.gz), but no file at all; {wanted}"
    (tmp_path / "notes.pdf").write_bytes(b"%PDF-1.7")
    assert refusal_of_folder().endswith(f", but 1 other file, such as notes.pdf; {wanted}")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.TXT").write_bytes(b"three\nfour\n")
    (tmp_path / "a.txt").write_bytes(b"one\n\ntwo")
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(b"five\n"))
    (tmp_path / "void.txt").touch()
    text, report = Text(TextData()), Report()
    assert list(text.read([tmp_path], report)) == ["one", "two", "five", "three", "four"]
    assert report.to_dict()["counts"] == {
        "empty files passed over": 1, "empty lines dropped": 1, "text files read": 3,
    }  # fmt: skip
    names = ["a.txt", "c.txt.gz", "deep/b.TXT", "void.txt"]
    assert [path.relative_to(tmp_path).as_posix() for path in text.files_of(tmp_path)] == names


@pytest.mark.parametrize("paragraphs", [False, True])
def test_a_file_without_text_is_refused(paragraphs: bool, corpus: Path) -> None:
    remedy = "give a text file with at least one example."
    assert refusal(corpus, b"", blank_line_separated=paragraphs) == f"{corpus} is empty; {remedy}"
    assert refusal(corpus, b"\n", blank_line_separated=paragraphs) == f"{corpus} holds no text in its 1 line; {remedy}"
    assert refusal(corpus, b"\n \n", blank_line_separated=paragraphs) == (
        f"{corpus} holds no text in its 2 lines; {remedy}"
    )


def test_a_file_that_cannot_be_opened_is_refused(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus.write_bytes(b"a")

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", denied)
    assert refusal(corpus) == f"{corpus} cannot be read (Permission denied); mend that, or give another file."


def write(text: Text, items: list[str], folder: Path) -> list[Path]:
    written = text.write([[item] for item in items])
    return [store(folder, file.name, file.content()) for result in written for file in result.files]


def test_written_sentences_are_read_back(tmp_path: Path) -> None:
    text = Text(TextData())
    (path,) = write(text, ["a  b ", "é 😀", "one\nline"], tmp_path / "out")
    assert path == tmp_path / "out" / "sentences.txt"
    assert list(text.read([path], Report())) == ["a  b ", "é 😀", "one line"]
    assert [entry.name for entry in path.parent.iterdir()] == ["sentences.txt"]


def test_written_paragraphs_are_read_back(tmp_path: Path) -> None:
    text = Text(TextData(blank_line_separated=True))
    (path,) = write(text, ["a\nb", "c", "d\n\ne"], tmp_path)
    assert path.read_bytes() == b"a\nb\n\nc\n\nd\ne\n"
    assert list(text.read([path], Report())) == ["a\nb", "c", "d\ne"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = Text(TextData())
    (path,) = write(text, ["old"], tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(text, ["new"], tmp_path)
    assert path.read_bytes() == b"old\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["sentences.txt"]


def test_long_examples_are_cut_or_skipped_and_counted() -> None:
    results = {}
    for long in ("cut", "skip"):
        text = Text(TextData(tokenizer="word", max_length=3, long=long))  # type: ignore[arg-type]
        text.fit(lambda: ["a a a a b b b c c d"])
        report = Report()
        encoded = [text.encode(item, report) for item in ("a b c d", "a b zebra", "")]
        results[long] = [None if x is None else x.tolist() for x in encoded], report.to_dict()["counts"]
    assert results == {
        "cut": ([[2, 3, 4, 0], [2, 3, 1, 0], [0]], {"items longer than 3 tokens, cut": 1, "unknown tokens": 1}),
        "skip": ([None, [2, 3, 1, 0], [0]], {"items longer than 3 tokens, skipped": 1, "unknown tokens": 1}),
    }
    assert text.max_steps == 4


def test_decoding_stops_at_the_end_and_copes_without_one(words: Text) -> None:
    x = words.encode("a b c", Report())
    assert x is not None
    assert words.decode(x) == words.decode(x[:-1]) == "a b c"
    assert words.decode(x[-1:]) == words.decode(x[:0]) == ""


def test_what_a_model_does_not_know_of_a_sentence_is_told(words: Text) -> None:
    known, *_ = words.tokenizer.decode([2, 3]).split()
    assert words.unread(known) == ""
    assert (
        words.unread(f"zz {known} qq zz") == f"the model does not know zz, qq of 'zz {known} qq zz'; give other words"
    )
    for nothing in ("", "zz", " "):
        assert words.unread(nothing).startswith(f"the model knows nothing of '{nothing}', ")


def test_the_size_counts_utf_8_bytes_and_the_line_end() -> None:
    assert Text(TextData()).size_bytes("é 😀") == 2 + 1 + 4 + 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_length": 0}, "data.max_length=0 is not possible; give 1 or more"),
        ({"vocabulary_size": -1}, "data.vocabulary_size=-1 is not possible; give 0 or more"),
        (
            {"vocabulary_size": 0},
            "data.vocabulary_size=0 is not possible, since a unigram tokenizer needs a limit; give a number, such as "
            "8000, or set data.tokenizer=word",
        ),
        ({"min_count": 0}, "data.min_count=0 is not possible; give 1 or more"),
        ({"unknown": "a b"}, "data.unknown='a b' is not possible; give one word without spaces"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        build_config("text", TextData, Text.model_config, {"data": options})
    assert str(caught.value) == sentence


def test_the_registry_gives_the_text_modality() -> None:
    assert get("text") is Text
    assert isinstance(Text(TextData()), Modality)


def test_metrics_compare_words(words: Text) -> None:
    truth, guess = [" a b c d e ", "a b c"], ["a b c d e", "a b d"]
    metrics = words.metrics(truth, guess)
    assert metrics["exact_match"] == 0.5
    # n-grams that match: 7 of 8, 5 of 6, 3 of 4, 2 of 2; equal lengths, so no brevity penalty
    assert metrics["bleu"] == pytest.approx(100 * (7 / 8 * 5 / 6 * 3 / 4 * 2 / 2) ** 0.25)
    assert metrics["word_edit_distance"] == 1 / 8
    assert words.metrics([], []) == {"exact_match": None, "bleu": None, "word_edit_distance": None}


def test_metrics_of_lossless_tokens_count_every_space() -> None:
    text = Text(TextData(tokenizer="character"))
    text.fit(lambda: ["a b"])
    assert text.metrics(["a b", "a b "], ["a b", "a b"])["exact_match"] == 0.5


def parameters(words: Text, **options: object) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and values of the parameters of small networks."""
    sizes = {"latent": 3, "embedding": 5, "encoder_hidden": 7, "decoder_hidden": 4}
    encoder, decoder = words.nets(TextModel(**{**sizes, **options}))  # type: ignore[arg-type]
    for net in (encoder, decoder):
        yield from () if net is None else ((name, values.detach()) for name, values in net.named_parameters())


def test_nets_have_the_sizes_of_the_configuration(words: Text) -> None:
    model = TextModel(
        latent=3, embedding=5, encoder_hidden=7, decoder_hidden=4, encoder_layers=2, decoder_layers=3,
        encoder_dropout=0.1, input_dropout=0.2, output_dropout=0.3, word_dropout=0.4, output_bias=False,
        initial_state="dense",
    )  # fmt: skip
    encoder, decoder = words.nets(model)
    assert encoder is not None
    assert (encoder.features, len(encoder.layers), encoder.input_dropout) == (14, 2, 0.1)
    assert (decoder.latent, decoder.recurrence.lstm.num_layers, decoder.recurrence.lstm.hidden_size) == (3, 3, 4)
    recurrence = decoder.recurrence
    assert (recurrence.input_dropout, decoder.output_dropout, recurrence.word_dropout) == (0.2, 0.3, 0.4)
    assert recurrence.initial_state == "dense"
    assert decoder.likelihood.projection.bias is None
    assert decoder.likelihood.outcomes == words.outcomes == 6
    assert encoder.embed.weight.shape == decoder.recurrence.embed.weight.shape == (6, 5)
    assert encoder.embed.weight is not decoder.recurrence.embed.weight


def test_a_model_without_latent_units_has_no_encoder(words: Text) -> None:
    encoder, decoder = words.nets(TextModel(latent=0, embedding=5, decoder_hidden=4))
    assert encoder is None
    assert decoder.latent == 0


def test_tied_embeddings_are_one_weight_and_need_equal_sizes(words: Text) -> None:
    _, decoder = words.nets(TextModel(tied_embeddings=True, embedding=4, decoder_hidden=4, initial_range=0.1))
    assert decoder.recurrence.embed.weight is decoder.likelihood.projection.weight
    with pytest.raises(ValueError) as caught:
        words.nets(TextModel(tied_embeddings=True, embedding=5, decoder_hidden=4))
    assert str(caught.value) == (
        "model.tied_embeddings needs equal sizes, but model.embedding=5 and model.decoder_hidden=4; make them equal, "
        "or set model.tied_embeddings=false"
    )


def test_the_initial_range_holds_for_all_weights_and_ten_times_for_embeddings(words: Text) -> None:
    largest = {}
    for name, values in parameters(words, initial_range=0.01, embedding=50, decoder_hidden=40):
        assert 0 < values.abs().max() <= (0.1 if "embed" in name else 0.01), name
        largest[name] = float(values.abs().max())
    assert largest["embed.weight"] > 0.09
    assert largest["recurrence.lstm.weight_hh_l0"] > 0.0099


def test_a_uniform_draw_goes_from_the_encoder_by_what_is_read_and_the_output_to_the_recurrence(words: Text) -> None:
    encoder, decoder = words.nets(TextModel(latent=3, embedding=5, encoder_hidden=4, decoder_hidden=6))
    torch.manual_seed(3)
    draw_uniform(encoder, decoder, 0.02)
    torch.manual_seed(3)
    own = {name: torch.empty_like(weight).uniform_(-0.02, 0.02) for name, weight in encoder.named_parameters()}
    own["embed.weight"].uniform_(-0.2, 0.2)
    for name, weight in encoder.named_parameters():
        assert torch.equal(weight, own[name]), name
    weights = dict(decoder.named_parameters())
    parts = ("recurrence.first", "recurrence.embed", "likelihood", "recurrence.lstm", "recurrence.to_state")
    order = [name for part in parts for name in weights if name.startswith(part)]
    assert sorted(order) == sorted(weights)
    own = {name: torch.empty_like(weights[name]).uniform_(-0.02, 0.02) for name in order}
    own["recurrence.embed.weight"].uniform_(-0.2, 0.2)
    for name, weight in weights.items():
        assert torch.equal(weight, own[name]), name


def test_one_seed_gives_the_same_weights(words: Text) -> None:
    runs = []
    for _ in range(2):
        torch.manual_seed(3)
        runs.append(dict(parameters(words, initial_range=0.02)))
    assert all(torch.equal(values, runs[1][name]) for name, values in runs[0].items())


@given(items=st.lists(st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"])), max_size=5))
def test_any_lines_are_read_back_as_written(items: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    items = ["first", *(item for item in items if item.strip())]
    text = Text(TextData())
    (path,) = write(text, items, tmp_path_factory.mktemp("written"))
    assert list(text.read([path], Report())) == items
