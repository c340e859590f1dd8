"""The demo grammar: its English, its exact parser, its splits and its command line."""

import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.scripts.loaded import refused, script

ROOT = Path(__file__).parents[2]
grammar = script("generate_sentences")

Factors = grammar.Factors
PAIRS = list(grammar.sentences())


def run(*arguments: object, stdin: str | None = None) -> Result:
    """The outcome of one call of the script."""
    return CliRunner().invoke(grammar.main, [str(argument) for argument in arguments], input=stdin)


def test_the_grammar_has_the_documented_size():
    # 5 topics x 4 subjects x 4 verbs x 4 objects x 3 places x 3 tenses x 2 numbers x 3 of polarity and mood
    assert len(PAIRS) == 5 * 4 * 4 * 4 * 3 * 3 * 2 * 3 == 17_280
    assert len({word for sentence, _ in PAIRS for word in sentence.split(" ")}) == 144
    assert Counter(len(sentence.split(" ")) for sentence, _ in PAIRS).keys() == {6, 7, 8, 9, 10, 11}


def test_all_sentences_are_distinct_and_parse_back_to_their_factors():
    assert len({sentence for sentence, _ in PAIRS}) == len(PAIRS)
    assert all(grammar.parse(sentence) == factors for sentence, factors in PAIRS)
    assert all(grammar.render(factors) == sentence for sentence, factors in PAIRS)


def test_words_are_lower_case_and_the_mark_is_a_word_of_its_own():
    assert all(re.fullmatch(r"[a-z]+( [a-z]+)* [.?]", sentence) for sentence, _ in PAIRS)


@pytest.mark.parametrize(
    ("sentence", "factors"),
    [
        ("the cook burned the pie .", "past singular affirmative statement kitchen cook burn pie"),
        ("the cooks burned the pie .", "past plural affirmative statement kitchen cook burn pie"),
        ("the baker makes an omelet .", "present singular affirmative statement kitchen baker make omelet"),
        ("the bakers make a pizza .", "present plural affirmative statement kitchen baker make pizza"),
        ("the guest did not share the cake .", "past singular negated statement kitchen guest share cake"),
        ("the florist does not pick the lily .", "present singular negated statement garden florist pick lily"),
        ("the farmers do not plant an orchid .", "present plural negated statement garden farmer plant orchid"),
        ("the singer will perform the waltz .", "future singular affirmative statement music singer perform waltz"),
        ("the drummers will not compose an opera .", "future plural negated statement music drummer compose opera"),
        ("did the captain see a whale ?", "past singular affirmative question sea captain see whale"),
        ("the captain saw an octopus .", "past singular affirmative statement sea captain see octopus"),
        ("do the fishermen feed the seal ?", "present plural affirmative question sea fisherman feed seal"),
        ("the fishermen fed the seal .", "past plural affirmative statement sea fisherman feed seal"),
        ("does the student write an essay ?", "present singular affirmative question school student write essay"),
        ("the tutor copies the letter .", "present singular affirmative statement school tutor copy letter"),
        ("the tutors wrote a poem .", "past plural affirmative statement school tutor write poem"),
        ("will the teachers forget the story ?", "future plural affirmative question school teacher forget story"),
    ],
)
def test_agreement_do_support_and_articles_are_right(sentence: str, factors: str):
    without_place = Factors(*factors.split(), place="")
    assert grammar.render(without_place) == sentence
    assert grammar.parse(sentence) == without_place


def test_the_place_stands_before_the_final_mark():
    asked = Factors(
        "future", "singular", "affirmative", "question", "garden", "neighbor", "water", "rose", "by the gate"
    )
    assert grammar.render(asked) == "will the neighbor water the rose by the gate ?"
    assert grammar.render(replace(asked, mood="statement")) == "the neighbor will water the rose by the gate ."


def test_articles_fit_the_next_letter_everywhere():
    following = [pair for sentence, _ in PAIRS for pair in re.findall(r"\b(an?) ([a-z])", sentence)]
    assert {letter for article, letter in following if article == "an"} == {"o", "e"}
    assert not {letter for article, letter in following if article == "a"} & set("aeiou")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "the cook burned the pie",
        "the cook burned the pie.",
        "the cook burned the pie ?",
        "did the cook burn the pie .",
        "the cook burned the pie . ",
        " the cook burned the pie .",
        "the cook  burned the pie .",
        "The cook burned the pie .",
        "the cook burned pie the .",
        "the cook burn the pie .",
        "the cooks burns the pie .",
        "the cook do not burn the pie .",
        "the cook does not burns the pie .",
        "did the cook burned the pie ?",
        "the cook not will burn the pie .",
        "did the cook not burn the pie ?",
        "the cook burned a pie .",
        "the cook made an pie .",
        "the cook made a omelet .",
        "the cook burned the rose .",
        "the cook watered the pie .",
        "the cook burned the pie at the theater .",
        "the cook burned the pie in the kitchen by the stove .",
        "the cook burned the pie . the cook burned the pie .",
    ],
)
def test_what_is_no_sentence_of_the_grammar_is_refused(line: str):
    assert grammar.parse(line) is None


def test_factors_without_a_sentence_are_refused_with_their_value():
    factors = grammar.parse("the cook burned the pie .")
    for wrong in (
        replace(factors, object="rose"),
        replace(factors, place="at the theater"),
        replace(factors, tense="pluperfect"),
        replace(factors, polarity="negated", mood="question"),
    ):
        with pytest.raises(ValueError, match=re.escape(repr(wrong))):
            grammar.render(wrong)


def test_the_split_is_disjoint_complete_and_reproducible(tmp_path: Path):
    for folder in ("one", "two"):
        assert run("generate", "--out", tmp_path / folder, "--seed", 7, "--valid", 0.1, "--factors").exit_code == 0
    parts = {name: (tmp_path / "one" / f"{name}.txt").read_text().splitlines() for name in ("train", "valid", "test")}
    assert {name: len(lines) for name, lines in parts.items()} == {"train": 14_688, "valid": 1_728, "test": 864}
    assert sorted(line for lines in parts.values() for line in lines) == sorted(sentence for sentence, _ in PAIRS)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["test.tsv", "test.txt", "train.tsv", "train.txt", "valid.tsv", "valid.txt"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert [sentence for sentence, _ in grammar.shuffled(8)] != [sentence for sentence, _ in grammar.shuffled(7)]


def test_the_factors_table_names_the_factors_of_each_line(tmp_path: Path):
    run("generate", "--out", tmp_path, "--count", 40, "--factors")
    header, *rows = (tmp_path / "valid.tsv").read_text().split("\n")[:-1]
    assert header == "sentence tense number polarity mood topic subject verb object place".replace(" ", "\t")
    assert [row.split("\t")[0] for row in rows] == (tmp_path / "valid.txt").read_text().splitlines()
    for row in rows:
        sentence, *factors = row.split("\t")
        assert grammar.parse(sentence) == Factors(*factors)


def test_the_committed_sample_is_what_the_script_writes(tmp_path: Path):
    result = run("generate", "--out", tmp_path, "--seed", 0, "--count", 300, "--valid", 0, "--test", 0)
    assert result.exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["sentences.txt"]
    assert (tmp_path / "sentences.txt").read_bytes() == (ROOT / "data" / "tiny" / "sentences.txt").read_bytes()


def test_impossible_splits_are_refused_and_write_nothing(tmp_path: Path):
    out = tmp_path / "out"
    refused(run("generate", "--out", out, "--count", 17_281), "17281", "17280")
    refused(run("generate", "--out", out, "--count", 0), "--count 0")
    refused(run("generate", "--out", out, "--count", 5), "--valid 0.05 of 5 sentences is none")
    refused(run("generate", "--out", out, "--count", 2, "--valid", 0.45, "--test", 0.45), "--count")
    refused(run("generate", "--out", out, "--valid", 0.5, "--test", 0.5), "below 1")
    refused(run("generate", "--out", out, "--valid", 1), "--valid")
    refused(run("generate"), "--out")
    refused(run("produce"), "produce")
    assert not out.exists()


def test_a_part_left_from_another_split_is_refused(tmp_path: Path):
    run("generate", "--out", tmp_path, "--count", 100)
    before = (tmp_path / "train.txt").read_bytes()
    refused(run("generate", "--out", tmp_path, "--seed", 1, "--valid", 0), "valid.txt is left from another split")
    assert (tmp_path / "train.txt").read_bytes() == before


def test_a_folder_that_cannot_be_made_is_told_in_one_sentence(tmp_path: Path):
    blocker = tmp_path / "blocker"
    blocker.write_text("a file")
    refused(run("generate", "--out", blocker / "out"), str(blocker), "choose another path")
    refused(run("generate", "--out", blocker), str(blocker))
    refused(run("corpus", "--bytes", "1kB", "--out", tmp_path / "none" / "file"), f"{tmp_path / 'none' / 'file'}: ")


def test_a_pipe_or_device_is_refused_and_stays_what_it_was(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    refused(run("corpus", "--bytes", "1kB", "--out", pipe), f"{pipe} is not a regular file")
    assert pipe.is_fifo()


def test_check_gives_the_share_of_sentences(tmp_path: Path):
    file = tmp_path / "samples.txt"
    file.write_bytes(b"the cook burned the pie .\r\nthe cook burn the pie .\n\xe9\nthe sailors will not see a seal .")
    result = run("check", file)
    assert (result.exit_code, result.output) == (0, "2 of 4 lines (50.0 %) are sentences of the grammar\n")
    assert run("check", file, "--at-least", 0.5).exit_code == 0
    refused(run("check", file, "--at-least", 0.51), "50.0 %", "--at-least 0.51")
    assert run("check", "-", stdin="the baker will taste the cake .\n\n").output.startswith("1 of 2 lines")


def test_check_refuses_missing_and_empty_files(tmp_path: Path):
    (tmp_path / "empty.txt").touch()
    refused(run("check", tmp_path / "empty.txt"), "is empty")
    refused(run("check", tmp_path / "missing.txt"), "missing.txt", "does not exist")
    refused(run("check", tmp_path), "is a directory")


def test_the_large_corpus_keeps_its_size_and_its_seed(tmp_path: Path):
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        assert run("corpus", "--bytes", "200 kB", "--out", tmp_path / name, "--seed", seed).exit_code == 0
    text = (tmp_path / "one").read_text(encoding="ascii")
    longest = max(len(line) for line in text.splitlines(keepends=True))
    assert 200_000 - 2 * longest < len(text) <= 200_000
    assert text.endswith("\n")
    assert text == (tmp_path / "two").read_text() != (tmp_path / "three").read_text()
    assert len(set(text.split())) > 1_500
    headings = re.compile(r"chapter [0-9]+ : [a-z]{4,10} \. ")
    for line in text.splitlines():
        body = headings.sub("", line, count=1)
        assert all(grammar.parse(sentence) for sentence in re.findall(r"\S.*? [.?]", body))


def test_sizes_are_read_in_decimal_and_binary_units():
    read = {text: grammar.bytes_from_text(text) for text in ("512", "3B", "1.5kB", "20MB", "1GB", "1 GiB", "2kib")}
    assert list(read.values()) == [512, 3, 1_500, 20_000_000, 10**9, 2**30, 2_048]


@pytest.mark.parametrize("size", ["much", "-1GB", "1TB", "1 0", "", "nan", "1,5MB"])
def test_a_size_that_is_none_is_refused(size: str, tmp_path: Path):
    refused(run("corpus", f"--bytes={size}", "--out", tmp_path / "corpus.txt"), "is not a size", "such as 20MB")
    assert not list(tmp_path.iterdir())


def test_a_corpus_too_small_for_a_paragraph_leaves_the_old_file(tmp_path: Path):
    file = tmp_path / "corpus.txt"
    file.write_text("mine\n")
    refused(run("corpus", "--bytes", 10, "--out", file), "--bytes 10", "at least 1kB")
    assert [path.name for path in tmp_path.iterdir()] == ["corpus.txt"]
    assert file.read_text() == "mine\n"
