"""What is measured of sentences."""

import pytest

from seqvae.modalities.text.measures import MEASURES, has_pattern, has_word
from seqvae.modalities.text.sentences import Text


def test_the_length_is_in_words() -> None:
    length = Text(Text.data_config()).measure("length")
    assert [length.of(text) for text in ("", "one", "the cook  sings .")] == [0, 1, 4]


def test_a_word_is_found_in_any_case_and_beside_punctuation_and_not_in_others() -> None:
    has = has_word("not").of
    assert [has(text) for text in ("Not now", 'he said: "not!"', "nothing", "knot not", "")] == [1, 1, 0, 1, 0]
    assert has_word("?").of("is it ?") == 1
    assert has_word("?").is_yes_or_no


def test_a_pattern_is_searched_for() -> None:
    has = has_pattern("^(will|did) ").of
    assert [has(text) for text in ("Will it rain", "it will rain", "did it")] == [1, 0, 1]


def test_what_is_no_word_and_no_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^word=do not is not one word; give one, or pattern=do not$"):
        has_word("do not")
    with pytest.raises(ValueError, match=r"^pattern=\( is no regular expression \(.*\); mend it, or give word=WORD$"):
        has_pattern("(")
    assert set(MEASURES) == {"length", "word", "pattern"}
