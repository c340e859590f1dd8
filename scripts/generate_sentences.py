"""The demo corpus: a small English grammar with known factors, its generator and its checker.

Nine factors decide every sentence, so that a model trained on the sentences can be judged exactly: a sample either is
a sentence of the grammar or it is not, and an interpolation can be read factor by factor.

    python scripts/generate_sentences.py --help
"""

import contextlib
import functools
import itertools
import os
import random
import re
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TextIO

import click

TENSES = ("past", "present", "future")
NUMBERS = ("singular", "plural")
# Negated questions ("did the cook not burn the pie ?") are left out: correct, but nobody talks like that.
POLARITY_AND_MOOD = (("affirmative", "statement"), ("negated", "statement"), ("affirmative", "question"))


@dataclass(frozen=True)
class Factors:
    """The nine choices that decide a sentence; words in their dictionary form, `place` empty where none is named."""

    tense: str
    number: str
    polarity: str
    mood: str
    topic: str
    subject: str
    verb: str
    object: str
    place: str


@dataclass(frozen=True)
class Verb:
    """The forms of a verb, and the article of its object: what is made or first seen takes a/an, the rest `the`."""

    base: str
    third_person: str
    past: str
    definite_object: bool = True


@dataclass(frozen=True)
class Topic:
    """The words of one topic; any subject goes with any verb, object and place of the same topic."""

    plurals: dict[str, str]
    verbs: tuple[Verb, ...]
    objects: tuple[str, ...]
    places: tuple[str, ...]


TOPICS = {
    "kitchen": Topic(
        {"cook": "cooks", "baker": "bakers", "waiter": "waiters", "guest": "guests"},
        (
            Verb("make", "makes", "made", definite_object=False),
            Verb("taste", "tastes", "tasted"),
            Verb("share", "shares", "shared"),
            Verb("burn", "burns", "burned"),
        ),
        ("cake", "pie", "pizza", "omelet"),
        ("in the kitchen", "by the stove"),
    ),
    "garden": Topic(
        {"gardener": "gardeners", "farmer": "farmers", "neighbor": "neighbors", "florist": "florists"},
        (
            Verb("plant", "plants", "planted", definite_object=False),
            Verb("water", "waters", "watered"),
            Verb("pick", "picks", "picked"),
            Verb("admire", "admires", "admired"),
        ),
        ("rose", "lily", "tulip", "orchid"),
        ("in the garden", "by the gate"),
    ),
    "music": Topic(
        {"singer": "singers", "pianist": "pianists", "drummer": "drummers", "violinist": "violinists"},
        (
            Verb("compose", "composes", "composed", definite_object=False),
            Verb("rehearse", "rehearses", "rehearsed"),
            Verb("perform", "performs", "performed"),
            Verb("record", "records", "recorded"),
        ),
        ("song", "waltz", "ballad", "opera"),
        ("in the studio", "at the theater"),
    ),
    "sea": Topic(
        {"sailor": "sailors", "captain": "captains", "pirate": "pirates", "fisherman": "fishermen"},
        (
            Verb("see", "sees", "saw", definite_object=False),
            Verb("follow", "follows", "followed"),
            Verb("feed", "feeds", "fed"),
            Verb("rescue", "rescues", "rescued"),
        ),
        ("whale", "seal", "dolphin", "octopus"),
        ("in the harbor", "near the island"),
    ),
    "school": Topic(
        {"teacher": "teachers", "student": "students", "tutor": "tutors", "librarian": "librarians"},
        (
            Verb("write", "writes", "wrote", definite_object=False),
            Verb("explain", "explains", "explained"),
            Verb("copy", "copies", "copied"),
            Verb("forget", "forgets", "forgot"),
        ),
        ("story", "poem", "letter", "essay"),
        ("in the classroom", "in the library"),
    ),
}


def _grammar() -> Iterator[tuple[Factors, Verb]]:
    """Every allowed combination of factors, with the verb's forms, in a fixed order."""
    for name, topic in TOPICS.items():
        words = itertools.product(topic.plurals, topic.verbs, topic.objects, ("", *topic.places))
        for subject, verb, noun, place in words:
            for tense, number, (polarity, mood) in itertools.product(TENSES, NUMBERS, POLARITY_AND_MOOD):
                yield Factors(tense, number, polarity, mood, name, subject, verb.base, noun, place), verb


def _auxiliary(tense: str, number: str) -> str:
    """The auxiliary that carries the tense in negations and questions, and in the future everywhere."""
    if tense == "future":
        return "will"
    if tense == "past":
        return "did"
    return "does" if number == "singular" else "do"


def _inflected(verb: Verb, tense: str, number: str) -> str:
    """The verb as it stands in an affirmative statement in the past or present."""
    if tense == "past":
        return verb.past
    return verb.third_person if number == "singular" else verb.base


def _compose(factors: Factors, verb: Verb) -> str:
    """The sentence of factors that are known to be allowed."""
    noun = factors.subject if factors.number == "singular" else TOPICS[factors.topic].plurals[factors.subject]
    subject = f"the {noun}"
    auxiliary = _auxiliary(factors.tense, factors.number)
    if factors.mood == "question":
        clause = f"{auxiliary} {subject} {verb.base}"
    elif factors.polarity == "negated":
        clause = f"{subject} {auxiliary} not {verb.base}"
    elif factors.tense == "future":
        clause = f"{subject} will {verb.base}"
    else:
        clause = f"{subject} {_inflected(verb, factors.tense, factors.number)}"
    indefinite = "an" if factors.object[0] in "aeiou" else "a"
    article = "the" if verb.definite_object else indefinite
    place = f" {factors.place}" if factors.place else ""
    mark = "?" if factors.mood == "question" else "."
    return f"{clause} {article} {factors.object}{place} {mark}"


def sentences() -> Iterator[tuple[str, Factors]]:
    """Every sentence of the grammar with its factors, always in the same order.

    >>> next(sentences())[0]
    'the cook made a cake .'
    """
    for factors, verb in _grammar():
        yield _compose(factors, verb), factors


@functools.cache
def _factors_of_sentence() -> dict[str, Factors]:
    return dict(sentences())


@functools.cache
def _sentence_of_factors() -> dict[Factors, str]:
    return {factors: sentence for sentence, factors in sentences()}


def render(factors: Factors) -> str:
    """The sentence of these factors; ValueError where the grammar has none (negated questions, mixed topics).

    >>> render(Factors("present", "plural", "negated", "statement", "sea", "fisherman", "feed", "octopus", ""))
    'the fishermen do not feed the octopus .'
    """
    sentence = _sentence_of_factors().get(factors)
    if sentence is None:
        raise ValueError(
            f"the grammar has no sentence with {factors}; subject, verb, object and place belong to the topic and "
            "questions are affirmative: take factors from sentences()."
        )
    return sentence


def parse(sentence: str) -> Factors | None:
    """The factors of a sentence, or None: the exact inverse of `render`.

    The grammar is finite, so its table is the strictest parser.

    >>> parse("did the cooks burn the omelet ?").tense
    'past'
    >>> parse("the cook burn the omelet .") is None
    True
    """
    return _factors_of_sentence().get(sentence)


def shuffled(seed: int, count: int | None = None) -> list[tuple[str, Factors]]:
    """`count` distinct sentences (all, if None) with their factors, in the order that the seed gives."""
    pairs = list(sentences())
    if count is not None and not 1 <= count <= len(pairs):
        raise ValueError(
            f"--count {count} is not possible; the grammar has {len(pairs)} sentences: ask for 1 to that many."
        )
    random.Random(seed).shuffle(pairs)
    return pairs[:count]


def split(pairs: list[tuple[str, Factors]], valid: float, test: float) -> dict[str, list[tuple[str, Factors]]]:
    """Disjoint parts by name: train, valid and test without those of share 0; `sentences` if nothing is held out."""
    if valid + test >= 1:
        raise ValueError(f"--valid {valid:g} and --test {test:g} leave nothing to train on; their sum must be below 1.")
    if valid == test == 0:
        return {"sentences": pairs}
    parts = {}
    start = 0
    for name, share in (("valid", valid), ("test", test)):
        size = round(share * len(pairs))
        if share and not size:
            raise ValueError(f"--{name} {share:g} of {len(pairs)} sentences is none; raise it or --count, or pass 0.")
        if size:
            parts[name] = pairs[start : start + size]
        start += size
    if start == len(pairs):
        raise ValueError(f"{start} of {len(pairs)} sentences are held out, none is left to train on; raise --count.")
    return {"train": pairs[start:], **parts}


_SYLLABLES = tuple(consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou")


def invented_word(rng: random.Random) -> str:
    """A pronounceable word of 2 to 5 syllables that is most likely nowhere else in the corpus."""
    return "".join(rng.choices(_SYLLABLES, k=rng.randint(2, 5)))


def paragraphs(seed: int) -> Iterator[str]:
    """Endless lines of 1 to 6 sentences, most under a heading with a number and an invented word.

    The headings give the corpus the long tail of rare words that a large natural corpus has.
    """
    rng = random.Random(seed)
    known = [sentence for sentence, _ in sentences()]
    while True:
        body = rng.choices(known, k=rng.randint(1, 6))
        if rng.random() < 0.8:
            body.insert(0, f"chapter {rng.randint(1, 999_999)} : {invented_word(rng)} .")
        yield " ".join(body)


_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def bytes_from_text(text: str) -> int:
    """Number of bytes that a size such as 500000, 20MB or 1.5 GiB stands for; ValueError for anything else.

    >>> bytes_from_text("1.5kB"), bytes_from_text("2 MiB")
    (1500, 2097152)
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([a-z]*)", text.strip().lower())
    if match is None or match[2] not in _UNITS:
        raise ValueError(
            f"--bytes '{text}' is not a size; write a number with B, kB, MB, GB, KiB, MiB or GiB, such as 20MB."
        )
    return int(float(match[1]) * _UNITS[match[2]])


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[TextIO]:
    """A text file to write to, which takes the name `path` only when all is written."""
    if path.exists() and not path.is_file():  # renaming onto a device would replace the device
        raise ValueError(f"{path} is not a regular file; choose another path.")
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        os.replace(partial, path)
    except OSError as error:
        # A full disk comes without a name, and the partial name means nothing to the user.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        # Where the folder itself is at fault, the first error is the one to show.
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


class OneSentenceErrors(click.Group):
    """Commands whose errors that a user can mend are one sentence on stderr and exit code 2."""

    def invoke(self, ctx: click.Context) -> object:
        """The command's result, or its error in one sentence."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            message = error.format_message()
        except OSError as error:
            if error.filename is None:  # a closed pipe, which click ends quietly
                raise
            message = f"{error.filename}: {error.strerror}; choose another path."
        except ValueError as error:
            message = str(error)
        click.echo(message, err=True)
        return ctx.exit(2)


@click.group(cls=OneSentenceErrors)
def main() -> None:
    """Sentences of a small English grammar with known factors: generate them, or check a file of them."""


SHARE = click.FloatRange(0, 1, max_open=True)


@main.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write to.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides order and split.")
@click.option("--valid", type=SHARE, default=0.05, show_default=True, help="Share of valid.txt.")
@click.option("--test", type=SHARE, default=0.05, show_default=True, help="Share of test.txt.")
@click.option("--count", type=int, help="Number of sentences over all files.  [default: the whole grammar]")
@click.option("--factors", is_flag=True, help="Beside each .txt, write a .tsv with the factors of each line.")
def generate(out: Path, seed: int, valid: float, test: float, count: int | None, factors: bool) -> None:
    """Write train.txt, valid.txt and test.txt, which share no sentence.

    With --valid 0 --test 0 nothing is held out, and the one file is sentences.txt.
    """
    parts = split(shuffled(seed, count), valid, test)
    for name in {"valid", "test"} - set(parts) if "train" in parts else ():
        # A part left over from another split shares sentences with the new training data.
        if (out / f"{name}.txt").exists():
            raise ValueError(f"{out / name}.txt is left from another split; delete it or choose another --out.")
    out.mkdir(parents=True, exist_ok=True)
    for name, pairs in parts.items():
        with written_whole(out / f"{name}.txt") as file:
            file.writelines(f"{sentence}\n" for sentence, _ in pairs)
        if factors:
            with written_whole(out / f"{name}.tsv") as file:
                file.write("\t".join(["sentence", *(field.name for field in fields(Factors))]) + "\n")
                file.writelines("\t".join([sentence, *astuple(choice)]) + "\n" for sentence, choice in pairs)
        click.echo(f"{out / name}.txt: {len(pairs)} sentences")


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--at-least", type=click.FloatRange(0, 1), default=0.0, help="Exit with 2 if the share is below this.")
def check(file: str, at_least: float) -> None:
    """Print the share of FILE's lines that are sentences of the grammar (- reads standard input)."""
    lines = accepted = 0
    with click.open_file(file, encoding="utf-8", errors="replace") as text:
        for line in text:
            lines += 1
            accepted += parse(line.removesuffix("\n")) is not None
    if not lines:
        raise ValueError(f"{file} is empty; give a file with one sentence a line.")
    share = accepted / lines
    click.echo(f"{accepted} of {lines} lines ({100 * share:.1f} %) are sentences of the grammar")
    if share < at_least:
        raise ValueError(
            f"{100 * share:.1f} % of the lines are sentences of the grammar, below --at-least {at_least:g}."
        )


@main.command()
@click.option("--bytes", "size", required=True, help="Size that the file may not exceed, such as 20MB or 1GB.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides every line.")
def corpus(size: str, out: Path, seed: int) -> None:
    """Write a large corpus, a paragraph a line, with numbers and rare words; memory does not grow with its size."""
    room = bytes_from_text(size)
    lines = 0
    with written_whole(out) as file:
        for paragraph in paragraphs(seed):
            room -= len(paragraph) + 1  # every character is ASCII
            if room < 0:
                break
            file.write(paragraph + "\n")
            lines += 1
        if not lines:
            raise ValueError(f"--bytes {size} holds not even one paragraph; ask for at least 1kB.")
    click.echo(f"{out}: {lines} paragraphs")


if __name__ == "__main__":
    main()
