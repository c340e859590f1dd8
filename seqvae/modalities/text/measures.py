"""What is measured of sentences: how long they are, whether they have a word, whether a pattern is in them."""

import re
from collections.abc import Sequence

from seqvae.modalities.measuring import Family, Measure, Measures

LONGEST_RUN = 4  # words, that BLEU counts
_EDGES = ".,;:!?\"'()[]"  # around words, which are none of them unless they are asked for


def _words(text: str) -> list[str]:
    return text.split()


def have_runs(texts: Sequence[str]) -> bool:
    """Whether there is a run of four words, which BLEU-4 counts; names and single words have none."""
    return any(len(_words(text)) >= LONGEST_RUN for text in texts)


def has_word(word: str) -> Measure:
    """Whether a word stands in a sentence, in any case, with punctuation around it or without.

    Raises ValueError for several words.

    >>> one = has_word("Not")
    >>> one.of("they do not, he said"), one.of("nothing"), one.of("")
    (1.0, 0.0, 0.0)
    """
    if word.split() != [word]:
        raise ValueError(f"word={word} is not one word; give one, or pattern={word}")
    asked = word.casefold()

    def of(text: str) -> float:
        found = (asked in (each, each.strip(_EDGES)) for each in _words(text.casefold()))
        return float(any(found))

    return Measure(f"whether the word '{word}' is in it", of, is_yes_or_no=True)


def has_pattern(pattern: str) -> Measure:
    """Whether a regular expression of Python is found in a sentence, in any case.

    Raises ValueError for what is none.

    >>> one = has_pattern(r"^(will|did) .*[?]$")
    >>> one.of("Will it rain ?"), one.of("it will rain .")
    (1.0, 0.0)
    """
    try:
        compiled = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"pattern={pattern} is no regular expression ({error}); mend it, or give word=WORD") from None
    return Measure(f"whether '{pattern}' is found in it", lambda text: float(bool(compiled.search(text))), True)


MEASURES: Measures = {
    "length": Measure("words", lambda text: float(len(_words(text)))),
    "word": Family("whether a word is in it", "WORD", "not", has_word),
    "pattern": Family("whether a regular expression is found in it", "REGEX", "[?]$", has_pattern),
}
